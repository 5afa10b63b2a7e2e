"""The self-tests of all homes: whose turn it is, whom to ask, what came of it; decided in `selftest`. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from edge_gateway.events import Event, split_name
from edge_gateway.homes import selftest
from edge_gateway.homes.home import Home
from edge_gateway.homes.selftest import GATEWAY, NO_ANSWER, NOT_TOLD, UNPROTECTED, Key, Plan, site_key
from edge_gateway.registry import Registry
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Returned, Severity, Verdict, View

if TYPE_CHECKING:
    from edge_gateway.homes.watch import HomeWatch

TOGETHER: Final = 5  # so many homes of a site that failed have one cause, most likely
_NAMED: Final = 12  # homes a message lists
_SHOWN: Final = 10
_TOLD: Final = "selftest"  # the rule whose alert is the message of a test


class SelfTests:
    """Belongs to the watch over all homes.

    Attributes:
        plan: when homes are tested by themselves; None: only when a person asks for it.
    """

    def __init__(self, homes: "HomeWatch", registry: Registry) -> None:
        self.plan: Plan | None = None
        self._homes = homes
        self._failing: set[Key] | None = None  # None: has to be looked up
        self.expect(registry)

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._registry = registry
        self._testers = selftest.testers(registry)

    def forget(self) -> None:
        """The homes were read from disk anew."""
        self._failing = None

    def begin(self, key: Key, now_ns: int, by: str) -> str:
        """A test of this home begins; its name."""
        home = self._homes.change(key, now_ns)
        name = selftest.start(home, self._testers[key], now_ns, by)
        self._ask(home, home.test.missing)
        return name

    def hear(self, event: Event, home: Home) -> None:
        """An event of a home: the answer to a test, or a real press."""
        for reading in event.values:
            quantity = split_name(reading.name)[0]
            if quantity == selftest.COMMAND:
                gather_s = (self.plan or Plan()).gather_s
                if selftest.heard(home, event.device, reading.value, event.received_ns, gather_s):
                    self._homes.change(home.key, event.received_ns)
            elif quantity == "sos" and reading.value == 1.0 and selftest.pressed(home, event.time_ns):
                self._homes.change(home.key, event.received_ns)
                late_s = max(0, event.received_ns - event.time_ns) / 1e9
                self._note(home, event.time_ns, event.device, "pressed", f"{late_s:.1f} s to the gateway")

    def advance(self, home: Home, zone: str, view: View) -> None:
        """What time does to the test of one home; called before the rules look at it."""
        now_ns, test = view.now_ns, home.test
        # Where no tests are wanted nobody is accused of having none; one that a person asked for goes on all the same.
        devices = self._testers.get(home.key, []) if self.plan is not None or test.asked_ns else []
        if test.devices != devices:
            test.devices = list(devices)
            test.missing = [device for device in test.missing if device in devices]
            self._homes.change(home.key, now_ns)
        plan = self.plan or Plan()
        if not devices:
            if test.asked_ns:
                selftest.failed(home, "", now_ns)
                test.failed_ns = 0
        elif test.asked_ns and self._is_called(home, view):
            self._homes.change(home.key, now_ns)
            selftest.put_off(home)
        elif test.asked_ns:
            self._go_on(home, plan, view)
        elif self._may_begin(home, view) and selftest.is_due(home, plan, zone, now_ns):
            self.begin(home.key, now_ns, GATEWAY)

    def ended(self, key: Key, told: str, seconds: float, now_ns: int) -> None:
        """The message of a test has ended: `told` is who got it, "" nobody; `seconds` how long the confirmation took."""
        home = self._homes.homes.get(key)
        if home is None or not home.test.asked_ns or not home.test.heard_ns:
            return
        if not told:
            self._fail(home, NOT_TOLD, now_ns)
            return
        self._homes.change(key, now_ns)
        by = home.test.by
        selftest.passed(home, seconds, now_ns)
        if self._failing is not None:
            self._failing.discard(key)
        self._note(home, now_ns, by, "test_passed", f"{home.test.delay_s:.1f} s, told {told}")
        setting = self._registry.homes.get(key)
        if setting is not None and selftest.press_to_ask(home, setting, now_ns):
            home.test.press_asked_ns = now_ns
            self._note(home, now_ns, GATEWAY, "press_asked", f"of {told}")

    def look(self, view: View) -> Iterator[Verdict]:
        """Homes that failed for one cause are one alert of their site."""
        if self._failing is None:
            self._failing = {key for key, home in self._homes.homes.items() if home.test.failed}
        self._failing &= self._registry.homes.keys()
        sites: dict[str, list[Home]] = {}
        for key in sorted(self._failing):
            sites.setdefault(key[0], []).append(self._homes.homes[key])
        for site in self._registry.sites:
            homes = sites.get(site, [])
            if len(homes) >= TOGETHER or any(home.test.failed == NOT_TOLD for home in homes):
                yield self._finding(site, homes, view)
            elif site_key(site) in view.open:
                yield Returned(site_key(site), view.now_ns, "passed")

    def _may_begin(self, home: Home, view: View) -> bool:
        """While somebody calls for help nothing is tested: the real thing has the way for itself."""
        heard = self.plan is not None and view.listening_since_ns is not None
        return heard and not selftest.is_sos_open(home.key, view.open)

    def _is_called(self, home: Home, view: View) -> bool:
        """Somebody calls for help in the middle of a test that nobody was told of yet."""
        return selftest.is_sos_open(home.key, view.open) and f"{_TOLD}/{home.site}/{home.place}" not in view.open

    def _go_on(self, home: Home, plan: Plan, view: View) -> None:
        if selftest.was_forgotten(home, view.now_ns):
            self._fail(home, NOT_TOLD, view.now_ns)
            return
        sent_ns = home.test.sent_ns
        again = selftest.ask_again(home, plan, view.now_ns, view.listening_since_ns is None)
        if again is None:
            self._fail(home, f"{NO_ANSWER} {' '.join(home.test.missing)}", view.now_ns)
        elif again:
            self._ask(home, again)
        if home.test.sent_ns != sent_ns:
            self._homes.change(home.key, view.now_ns)

    def _fail(self, home: Home, why: str, now_ns: int) -> None:
        self._homes.change(home.key, now_ns)
        self._note(home, now_ns, home.test.by, "test_failed", why)
        selftest.failed(home, why, now_ns)
        if self._failing is not None:
            self._failing.add(home.key)

    def _ask(self, home: Home, devices: list[str]) -> None:
        for device in devices:
            self._homes.command(home.site, device, selftest.COMMAND, {"test": home.test.id})

    def _note(self, home: Home, at_ns: int, who: str, what: str, detail: str) -> None:
        self._homes.log_line(home.key, at_ns, who, what, detail)

    def _finding(self, site: str, homes: list[Home], view: View) -> Finding:
        zone = words.zone(view.registry, site)
        since_ns = min(home.test.failed_ns for home in homes)
        untold = [home for home in homes if home.test.failed == NOT_TOLD]
        named = ", ".join(home.place for home in homes[:_NAMED])
        more = f" … +{len(homes) - _NAMED}" if len(homes) > _NAMED else ""
        if untold:
            what_zh, what_en = "自检消息没有送到任何人", "the message of the self-test reached nobody"
            do_zh = "请检查通知渠道 (kanhu alerts people), 紧急求助也可能送不到。"
            do_en = "Check the channels (kanhu alerts people): an SOS may not get through either."
        else:
            what_zh, what_en = "自检时设备没有回答", "devices did not answer the self-test"
            do_zh = "请检查这些住家的网络、电源和固件, 修好前请多联系。"
            do_en = "Check network, power and firmware there; until then keep in touch with them."
        shown = sorted(homes, key=lambda home: home.test.failed_ns)[-_SHOWN:]
        return Finding(
            key=site_key(site),
            rule=UNPROTECTED,
            severity=Severity.WARNING,
            site=site,
            device="",
            place="",
            occurred_ns=since_ns,
            text_zh=f"{len(homes)} 户未受保护 ({named}{more}): {what_zh}, 自 {words.zh(since_ns, zone)} 起。{do_zh}",
            text_en=f"{len(homes)} homes unprotected ({named}{more}): {what_en}, since {words.en(since_ns, zone)}. {do_en}",
            evidence=tuple(f"{words.exact(h.test.failed_ns, zone)} selftest {h.place}: {h.test.failed}" for h in shown),
            returns=True,
        )
