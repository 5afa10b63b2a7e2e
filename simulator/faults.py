"""Faults on request: what devices, clocks, links and strangers do wrong, each a function that says what it did.

`FAULTS` is what the command line offers. A fault acts on a fleet's thread; it is seeded by the `Random` it is handed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Final

from edge_gateway import topics
from edge_gateway.topics import Up
from simulator.device import Clock, Outgoing, SimulatedDevice
from simulator.fleet import Fleet
from simulator.plan import Key
from simulator.senml import Head, Instant, Value, encode

YEAR_2000_S: Final = 946_684_800.0


@dataclass(frozen=True, slots=True)
class Poison:
    """A payload that is no message, or not wholly one; facts of section 8 of the reliability sheet."""

    id: str
    payload: bytes


_HEAD: Final = b'"boot":1,"seq":1,"clk":"ntp","bt":1780000000,"n":"temperature","u":"Cel"'


def _record(value: bytes, more: bytes = b"") -> bytes:
    return b"[{" + _HEAD + b',"v":' + value + more + b"}]"


POISON: Final = (
    Poison("empty", b""),
    Poison("null", b"null"),
    Poison("empty-pack", b"[]"),
    Poison("a-text", b'"x"'),
    Poison("a-number", b"1"),
    Poison("truncated", _record(b"21.5")[:-9]),
    Poison("trailing-data", _record(b"21.5") + b"{}"),
    Poison("nan", _record(b"NaN")),
    Poison("infinity", _record(b"-Infinity")),
    Poison("1e400", _record(b"1e400")),
    Poison("4301-digits", _record(b"9" * 4301)),
    Poison("deep", b"[" * 60_000),
    Poison("many-keys", b"[{" + b",".join(b'"k%d":0' % n for n in range(5000)) + b"}]"),
    Poison("duplicate-keys", _record(b"21.5", b',"v":22')),
    Poison("bom", b"\xef\xbb\xbf" + _record(b"21.5")),
    Poison("utf-16", _record(b"21.5").decode().encode("utf-16")),
    Poison("bad-utf-8", _record(b"21.5", b',"vs":"\xff\xfe"')),
    Poison("lone-surrogate", _record(b"21.5", b',"bn":"\\ud800"')),
    Poison("nul", _record(b"21.5", b',"bn":"a\\u0000b"')),
    Poison("bool-for-number", _record(b"true")),
    Poison("text-for-number", _record(b'"21.5"')),
    Poison("object-for-number", _record(b'{"a":1}')),
    Poison("seq-is-text", _record(b"21.5").replace(b'"seq":1', b'"seq":"1"')),
    Poison("seq-is-zero", _record(b"21.5").replace(b'"seq":1', b'"seq":0')),
    Poison("seq-too-large", _record(b"21.5").replace(b'"seq":1', b'"seq":4294967296')),
    Poison("no-identity", b'[{"n":"temperature","u":"Cel","v":21.5}]'),
    Poison("foreign-name", _record(b"21.5", b',"bn":"elsewhere:other:"')),
    Poison("unknown-quantity", _record(b"21.5").replace(b"temperature", b"phlogiston")),
    Poison("unknown-unit", _record(b"21.5").replace(b'"Cel"', b'"furlong"')),
    Poison("html-in-name", _record(b"21.5").replace(b"temperature", b"<script>alert(1)</script>")),
    Poison("formula-in-name", _record(b"21.5").replace(b"temperature", b"=cmd()")),
    Poison("path-in-name", _record(b"21.5").replace(b"temperature", b"../../etc/passwd")),
    Poison("too-many-bytes", _record(b"21.5", b',"vs":"' + b"x" * 300_000 + b'"')),
    Poison("broken-cbor", b"\x9f\xbf\x00"),
    Poison("endless-cbor", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
    Poison("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x8e\x05\x00\x29\xbb\x4c\x0d\x02\x00\x00\x00"),
)


@dataclass(slots=True)
class Mangler:
    """A bad link between the devices and the broker, to be a fleet's `mangle`.

    Attributes:
        duplicate, reorder, swallow: how often each happens, 0 to 1. What is swallowed leaves a gap until the device repeats it.
        counts: how often each happened.
    """

    random: Random
    duplicate: float = 0.0
    reorder: float = 0.0
    swallow: float = 0.0
    counts: dict[str, int] = field(default_factory=lambda: {"duplicate": 0, "reorder": 0, "swallow": 0})

    def __call__(self, messages: list[Outgoing]) -> list[Outgoing]:
        sent: list[Outgoing] = []
        for message in messages:
            if self._happens("swallow", self.swallow):
                continue
            sent += [message] * (2 if self._happens("duplicate", self.duplicate) else 1)
        if len(sent) > 1 and self._happens("reorder", self.reorder):
            self.random.shuffle(sent)
        return sent

    def _happens(self, what: str, how_often: float) -> bool:
        happens = self.random.random() < how_often
        self.counts[what] += happens
        return happens


Fault = Callable[[Fleet, Random], str]


def reboot(fleet: Fleet, random: Random) -> str:
    """A device starts anew, with what it had not sent still in flash."""
    key = _any(fleet, random)
    fleet.reboot(key)
    return f"{_name(key)} rebooted"


def no_clock(fleet: Fleet, random: Random) -> str:
    """A device loses its clock: it sends uptime until the next `right_clock`."""
    return _clock(fleet, random, Clock("none"), "does not know the time")


def year_2000(fleet: Fleet, random: Random) -> str:
    """A device's RTC battery died, and it believes what the chip says."""
    return _clock(fleet, random, Clock("rtc", YEAR_2000_S - fleet.true_s), "believes it is the year 2000")


def wrong_clock(fleet: Fleet, random: Random) -> str:
    """A device's clock is days off, in either direction."""
    days = random.choice((-400, -40, -2, 2, 40))
    return _clock(fleet, random, Clock("rtc", days * 86_400.0), f"is wrong by {days:+} days")


def right_clock(fleet: Fleet, random: Random) -> str:
    """A device gets network time."""
    return _clock(fleet, random, Clock("ntp", 0.0, 0.05), "knows the time")


def bad_link(fleet: Fleet, random: Random) -> str:
    """From now on some messages come twice, in another order, or only when they are repeated."""
    fleet.mangle = Mangler(random, duplicate=0.05, reorder=0.05, swallow=0.02)
    return "the link doubles, reorders and swallows"


def good_link(fleet: Fleet, _random: Random) -> str:
    """The link is itself again."""
    fleet.mangle = None
    return "the link is good"


def poison(fleet: Fleet, random: Random) -> str:
    """Bytes that are no message, on a device's own topic."""
    key, bad = _any(fleet, random), random.choice(POISON)
    fleet.publish(topics.up(*key, random.choice((Up.DATA, Up.EVENT))), bad.payload)
    return f"{_name(key)} sent {bad.id}"


def retained_poison(fleet: Fleet, random: Random) -> str:
    """As `poison`, and the broker hands it out again at every subscription, until the fleet ends."""
    key, bad = _any(fleet, random), random.choice([p for p in POISON if p.payload])
    fleet.publish(topics.up(*key, Up.DATA), bad.payload, retain=True)
    return f"{_name(key)} left {bad.id} retained"


def other_content(fleet: Fleet, random: Random) -> str:
    """An identity that was used comes again with something else in it."""
    device = fleet.devices[_any(fleet, random)]
    if device.seq == 0:
        return f"{_name(device.key)} has said nothing yet"
    fleet.publish(topics.up(*device.key, Up.DATA), forged(device, random.randint(1, device.seq), fleet.true_s))
    return f"{_name(device.key)} repeated an identity with other content"


def twin(fleet: Fleet, random: Random) -> str:
    """A second device under a name that is taken: two boots that alternate."""
    key = _any(fleet, random)
    _guest(fleet, key, random)
    return f"{_name(key)} exists twice"


def stranger(fleet: Fleet, random: Random) -> str:
    """A device nobody registered; it gets no receipt and keeps on trying."""
    key = (_any(fleet, random)[0], f"stranger-{random.randrange(10**6)}")
    _guest(fleet, key, random)
    return f"{_name(key)} appeared, and nobody knows it"


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        function.__name__.replace("_", "-"): function
        for function in (
            reboot,
            no_clock,
            year_2000,
            wrong_clock,
            right_clock,
            bad_link,
            good_link,
            poison,
            retained_poison,
            other_content,
            twin,
            stranger,
        )
    }
)


def forged(device: SimulatedDevice, seq: int, true_s: float) -> bytes:
    """A message with an identity of `device` and a content it never measured."""
    now_ns = round(true_s) * 1_000_000_000
    head = Head(device.boot, seq, "ntp", now_ns, max(true_s - device.booted_at_s, 0.0))
    return encode(head, (Instant(now_ns, (Value("battery_voltage", 1.25, "V"),)),))


def _guest(fleet: Fleet, key: Key, random: Random) -> None:
    guest = SimulatedDevice(*key, booted_at_s=fleet.true_s, seed=random.randrange(2**31))
    for n in range(3):
        at_ns = round(fleet.true_s + n) * 1_000_000_000
        guest.measure((Instant(at_ns, (Value("battery_voltage", 3.0 + n / 10, "V"),)),), fleet.true_s + n)
    fleet.welcome(guest)


def _clock(fleet: Fleet, random: Random, clock: Clock, what: str) -> str:
    key = _any(fleet, random)
    fleet.devices[key].clock = clock
    return f"{_name(key)} {what}"


def _any(fleet: Fleet, random: Random) -> Key:
    return random.choice(sorted(fleet.devices))


def _name(key: Key) -> str:
    return "/".join(key)
