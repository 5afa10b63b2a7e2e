"""The way of an alarm, tried in each home once a day: asked, heard, told to a person; and the real press once a month. Pure.

    asked    command `selftest` to every device of the home that carries a button
    heard    each has answered with event `selftest` and the name of the test: button's task, flash, broker, gateway's disk
    told     a channel of a person has confirmed the message, which says that it is a test; alerts and ladder are the real ones
    passed   or failed: `no_answer` of a device, `not_told` to anybody

Times are wall clock, ns. A home that was never watched through a whole night has had no turn yet, and is not accused.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from edge_gateway.errors import Rejected
from edge_gateway.homes.home import Home, Test
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.registry import ELDER_HOME, Device, Registry

if TYPE_CHECKING:
    from edge_gateway.homes.watch import HomeWatch

COMMAND: Final = "selftest"  # of the device; also the name of the event that answers it
GATEWAY: Final = "gateway"
UNPROTECTED: Final = "unprotected"  # the rule that speaks for homes whose test failed, or never came
NO_ANSWER, NOT_TOLD = "no_answer", "not_told"
PROTECTED_NS: Final = 25 * 3600 * 10**9  # a day, and an hour for the device that has to be asked twice

_SECOND: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _SECOND
_DAY_NS: Final = 86_400 * _SECOND
_TRIES: Final = 3
_NEVER_TOLD_NS: Final = 3600 * _SECOND  # after it should have been told: whoever was to say how it ended has not
_ASK_AGAIN_NS: Final = 7 * _DAY_NS  # for a real press
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """When homes are tested. Times of day are minutes since local midnight.

    Attributes:
        begins, ends: between them lies each home's own moment.
        last: until then a test that failed is repeated, every `retry_s`.
        answer_s: how long a device has to answer before it is asked again.
        gather_s: people are told at multiples of it, of all homes at once.
    """

    begins: int = 9 * 60 + 30
    ends: int = 10 * 60
    last: int = 17 * 60
    answer_s: float = 120.0
    retry_s: float = 3600.0
    gather_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What a screen says of a home's protection.

    Attributes:
        state: `passed`, `unprotected`, `new` (no turn yet) or `none` (no device that can be tested, or no tests are wanted).
        since_ns: since when.
        press_due: a real press of the button is to be asked for.
    """

    state: str
    since_ns: int
    why_zh: str
    why_en: str
    press_due: bool


def begin(homes: "HomeWatch", registry: Registry, key: Key, now_ns: int, by: str, open_keys: Collection[str] = ()) -> str:
    """A person wants a test now; its name. The person who is told gets the message at once.

    Raises:
        Rejected: `no_button`, no device of this home can be tested; `test_running`; `sos_open`.
    """
    if not testers(registry).get(key):
        raise Rejected(
            "no_button", f"no device of {key[0]}/{key[1]} can be tested: one of model {ELDER_HOME} with a button can"
        )
    if homes.home(key, now_ns).test.asked_ns:
        raise Rejected("test_running", f"the test of {key[0]}/{key[1]} is under way")
    if is_sos_open(key, open_keys):
        raise Rejected("sos_open", f"somebody calls for help at {key[0]}/{key[1]}; close that alert first")
    return homes.begin_test(key, now_ns, by)


def testers(registry: Registry) -> dict[Key, list[str]]:
    """Home -> its devices that carry a button and know the command."""
    found: dict[Key, list[str]] = {}
    for device in registry.devices.values():
        if _has_button(device):
            found.setdefault((device.site, device.place), []).append(device.id)
    return found


def start(home: Home, devices: Iterable[str], now_ns: int, by: str) -> str:
    """A test begins; whoever calls sends the commands. Its name."""
    test = home.test
    name = blake2b(f"{home.site}/{home.place}/{now_ns}".encode(), digest_size=6).hexdigest()
    test.asked_ns = test.began_ns = test.sent_ns = now_ns
    test.id, test.by, test.tries = name, by, 1
    test.heard_ns = test.due_ns = 0
    test.heard_s = 0.0
    test.missing = list(devices)
    return name


def is_due(home: Home, plan: Plan, zone: str, now_ns: int) -> bool:
    """Whether a test should begin: today's has not been, or has failed a while ago."""
    test = home.test
    if test.asked_ns or (not test.failed and 0 <= now_ns - test.began_ns < _DAY_NS // 2):
        return False  # most homes, most of the time
    moment = _moment_ns(home.key, plan, zone, now_ns)
    if moment is None or home.since_ns > moment:
        return False
    if test.began_ns < moment:
        return True
    return bool(test.failed) and now_ns - test.began_ns >= plan.retry_s * _SECOND


def ask_again(home: Home, plan: Plan, now_ns: int, deaf: bool) -> list[str] | None:
    """The devices to be asked once more; None: they had their tries, and the test has failed.

    Args:
        deaf: the broker is away, so nobody could answer; then time does not count.
    """
    test = home.test
    if not test.asked_ns or test.heard_ns:
        return []
    if deaf:
        test.sent_ns = now_ns
        return []
    if now_ns - test.sent_ns < plan.answer_s * _SECOND:
        return []
    if test.tries >= _TRIES:
        return None
    test.tries += 1
    test.sent_ns = now_ns
    return list(test.missing)


def was_forgotten(home: Home, now_ns: int) -> bool:
    """It was to be told long ago, and nobody said what became of it (a person closed its message, a file was lost)."""
    test = home.test
    return bool(test.asked_ns and test.heard_ns) and now_ns - test.due_ns > _NEVER_TOLD_NS


def heard(home: Home, device: str, name: object, received_ns: int, gather_s: float) -> bool:
    """A device has answered; whether that was the answer to the test under way."""
    test = home.test
    if not test.asked_ns or test.heard_ns or name != test.id or device not in test.missing:
        return False
    test.missing = [other for other in test.missing if other != device]
    test.heard_s = max(test.heard_s, (received_ns - test.sent_ns) / _SECOND, 0.0)
    if not test.missing:
        test.heard_ns = received_ns
        gather_ns = round(gather_s * _SECOND) if test.by == GATEWAY else 0
        test.due_ns = -(-received_ns // gather_ns) * gather_ns if gather_ns else received_ns
    return True


def put_off(home: Home) -> None:
    """Somebody calls for help there: no message may say now that nobody does. The test begins anew when that is over."""
    _end(home.test)
    home.test.began_ns = 0


def passed(home: Home, told_s: float, now_ns: int) -> None:
    """A person's channel has confirmed the message, `told_s` after it was handed on."""
    test = home.test
    test.delay_s = round(test.heard_s + max(told_s, 0.0), 3)
    test.passed_ns, test.failed, test.failed_ns = now_ns, "", 0
    _end(test)


def failed(home: Home, why: str, now_ns: int) -> None:
    """`no_answer` or `not_told`, or why and of which devices: `no_answer h1`. A test stays failed until one has passed."""
    test = home.test
    test.failed, test.failed_ns = why, test.failed_ns or now_ns
    _end(test)


def pressed(home: Home, at_ns: int) -> bool:
    """The button was pressed for real; whether that is news."""
    if at_ns <= home.test.pressed_ns:
        return False
    home.test.pressed_ns, home.test.press_asked_ns = at_ns, 0
    return True


def press_due(home: Home, setting: HomeSetting, now_ns: int) -> bool:
    """Whether it is long since the button was pressed for real. What a test cannot see is a wire that came off the button."""
    last_ns = max(home.test.pressed_ns, home.since_ns)
    return bool(setting.press_days and home.test.devices) and now_ns - last_ns > setting.press_days * _DAY_NS


def press_to_ask(home: Home, setting: HomeSetting, now_ns: int) -> bool:
    """Whether it is time to ask for one; not again each day."""
    return press_due(home, setting, now_ns) and now_ns - home.test.press_asked_ns > _ASK_AGAIN_NS


def ask_for_press(home: Home, setting: HomeSetting, now_ns: int) -> tuple[str, str]:
    """What the message of a test asks for besides, in both languages; "" nothing."""
    if not press_to_ask(home, setting, now_ns):
        return "", ""
    return (
        " 这里很久没有真按过按钮: 请在走访时请老人按一次。按下会像真的一样响, 处理时写 test。",
        " The button was not pressed for long: ask for one press when you visit. It rings as if in need; close it as test.",
    )


def unprotected_ns(home: Home, now_ns: int) -> int:
    """Since when the way of an alarm is not proven; 0: it is."""
    test = home.test
    if not test.devices:
        return 0
    if test.failed:
        return test.failed_ns
    proven_until_ns = max(test.passed_ns, home.since_ns) + PROTECTED_NS
    return proven_until_ns if now_ns > proven_until_ns else 0


def standing(home: Home, now_ns: int, setting: HomeSetting | None = None) -> Standing:
    """What a screen says."""
    test = home.test
    asked_for = press_due(home, setting or HomeSetting(*home.key), now_ns)
    if not test.devices:
        return Standing("none", 0, "这里不做自检", "no self-test here", False)
    since_ns = unprotected_ns(home, now_ns)
    if since_ns:
        zh, en = why(test)
        return Standing("unprotected", since_ns, f"未受保护: {zh}", f"unprotected: {en}", asked_for)
    if not test.passed_ns:
        return Standing("new", 0, "还没有自检过", "not tested yet", asked_for)
    took = f"{test.delay_s:.1f}"
    return Standing("passed", test.passed_ns, f"自检通过, 用时 {took} 秒", f"self-test passed in {took} s", asked_for)


def why(test: Test) -> tuple[str, str]:
    """Why a home is not protected, in both languages."""
    word, _, devices = test.failed.partition(" ")
    if word == NO_ANSWER:
        return f"自检时设备没有回答 ({devices})", f"{devices} did not answer the self-test"
    if word == NOT_TOLD:
        return "自检消息没有送到任何人", "the message of the self-test reached nobody"
    return "25 小时内没有通过自检", "no self-test has passed for 25 h"


def site_key(site: str) -> str:
    """Key of the alert that speaks for many homes of a site."""
    return f"{UNPROTECTED}/{site}"


def is_sos_open(key: Key, open_keys: Collection[str]) -> bool:
    """Somebody calls for help there: no time for a test."""
    return f"sos/{key[0]}/{key[1]}" in open_keys


def _end(test: Test) -> None:
    test.asked_ns = test.heard_ns = test.due_ns = test.sent_ns = 0
    test.id, test.missing = "", []


def _has_button(device: Device) -> bool:
    return bool(device.model == ELDER_HOME and device.place and (not device.measures or "sos" in device.measures))


def _moment_ns(key: Key, plan: Plan, zone: str, now_ns: int) -> int | None:
    """The home's own moment of today, if it has come and the day is not too old for a test."""
    begins_s = plan.begins * 60 + _number(key) % max(1, (plan.ends - plan.begins) * 60)
    minute = now_ns // _MINUTE_NS
    now_s = _minute_of_day(zone, minute) * 60 + (now_ns - minute * _MINUTE_NS) // _SECOND
    return now_ns - (now_s - begins_s) * _SECOND if begins_s <= now_s < plan.last * 60 else None


@lru_cache(maxsize=50_000)
def _number(key: Key) -> int:
    return int.from_bytes(blake2b("/".join(key).encode(), digest_size=4).digest(), "big")


@lru_cache(maxsize=256)
def _minute_of_day(zone: str, minute: int) -> int:
    """Of the minutes since 1970, on the clocks of `zone`. Kept, because thousands of homes ask in the same minute."""
    local = (_EPOCH + timedelta(minutes=minute)).astimezone(_zone(zone))
    return local.hour * 60 + local.minute


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return UTC
