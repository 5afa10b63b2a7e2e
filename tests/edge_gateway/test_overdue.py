"""Silence as a number and silence as an alert are one thing, seen twice: the number is never smaller than the alert says."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_gateway import overdue
from edge_gateway.overdue import Expected, Listening, Since
from edge_gateway.registry import Device, Registry, Site
from edge_gateway.rules import Finding, Returned
from edge_gateway.rules.watch import Watch
from edge_gateway.state import DeviceState, Latest

SECOND = 10**9
NOW_NS = 1_795_233_600 * SECOND
DEVICES = [Device("s", name, silence_s=limit) for name, limit in (("a", 180.0), ("b", 180.0), ("c", 900.0))]
REGISTRY = Registry({"s": Site("s", "s")}, {d.key: d for d in DEVICES})

acts = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 400)),
    st.tuples(st.just("hear"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["deaf", "listen", "restart"]), st.just(0)),
)


@dataclass
class Both:
    """The rule with its memory of one run, and the number with its memory of all; open alerts are kept over restarts."""

    now_s: float = 0.0
    watch: Watch = field(default_factory=lambda: Watch(REGISTRY))
    listening: Listening = field(default_factory=Listening)
    opened: set[str] = field(default_factory=set)
    heard_s: dict[str, float] = field(default_factory=dict)  # on the clock of listening
    hears: bool = False
    broken: set[str] = field(default_factory=set)  # not heard since a break

    @property
    def monotonic_ns(self) -> int:
        return round(self.now_s * SECOND)

    def act(self, what: str, number: int) -> None:
        if what == "wait":
            self.now_s += number
        elif what == "hear" and self.hears:
            device = DEVICES[number]
            self.watch.heard[device.key] = self.monotonic_ns
            self.heard_s[device.id] = self.listening.seconds(self.monotonic_ns)
            self.broken.discard(device.id)
        elif what == "deaf" or (what == "restart" and self.hears):
            self.watch.deaf()
            self.listening.deaf(self.monotonic_ns)
            self.hears = False
            self.broken |= {device.id for device in DEVICES}
        if what == "restart":
            saved = self.listening.seconds(self.monotonic_ns)
            self.watch, self.listening = Watch(REGISTRY), Listening()
            self.listening.at_least(saved)
        elif what == "listen" and not self.hears:
            self.watch.listening(self.monotonic_ns)
            self.listening.hears(self.monotonic_ns)
            self.hears = True
        for verdict in self.watch.look(NOW_NS, self.monotonic_ns, frozenset(self.opened)):
            if isinstance(verdict, Finding):
                self.opened.add(verdict.key)
            elif isinstance(verdict, Returned):
                self.opened.discard(verdict.key)

    def ratio(self, device: Device) -> float:
        state = DeviceState("s", device.id, heard_ns=NOW_NS, listened_s=self.heard_s.get(device.id, 0.0))
        known = state if device.id in self.heard_s else None
        listened_s = self.listening.seconds(self.monotonic_ns)
        return overdue.of_device(known, Expected("", Since(0.0, NOW_NS)), listened_s, NOW_NS).against(device.silence_s)


@settings(max_examples=300, deadline=None)
@given(st.lists(acts, max_size=40))
def test_whatever_happens_an_alert_means_more_than_one_and_more_than_one_means_an_alert_or_a_break(
    happens: list[tuple[str, int]],
) -> None:
    both = Both()
    both.act("listen", 0)
    for what, number in happens:
        before = {device.id: both.ratio(device) for device in DEVICES}
        both.act(what, number)
        for device in DEVICES:
            ratio, alert = both.ratio(device), f"silence/s/{device.id}" in both.opened
            assert not alert or ratio > 1.0, f"{device.id} is said to be silent at {ratio}"
            assert alert or ratio <= 1.0 or device.id in both.broken, f"{device.id} at {ratio} is not said to be silent"
            heard_now = what == "hear" and both.hears and DEVICES[number].id == device.id
            assert heard_now or ratio >= before[device.id] - 1e-9, f"{what} made it shorter"


def test_the_clock_of_listening_adds_up_over_pauses_and_never_goes_back() -> None:
    clock = Listening()
    assert clock.seconds(50 * SECOND) == 0.0
    clock.hears(50 * SECOND)
    clock.hears(55 * SECOND)
    clock.deaf(60 * SECOND)
    clock.deaf(70 * SECOND)
    assert clock.seconds(100 * SECOND) == 10.0
    clock.at_least(5.0)
    assert clock.seconds(100 * SECOND) == 10.0
    clock.at_least(30.0)
    clock.hears(200 * SECOND)
    assert clock.seconds(201 * SECOND) == 31.0
    assert clock.seconds(199 * SECOND) == 30.0


def test_what_is_expected_comes_back_from_disk_as_it_was() -> None:
    expected: dict[tuple[str, str], Expected] = {}
    for site, name in product("xy", "ab"):
        expected[site, name] = Expected(f"p-{name}", Since(1.5, NOW_NS), {"temperature": Since(2.5, NOW_NS + 1)})
    assert overdue.unpack(overdue.pack(expected)) == expected
    left = overdue.without(overdue.pack(expected), lambda site, place, device: (site, place) == ("x", "p-a"))
    assert left is not None
    assert overdue.unpack(left).keys() == expected.keys() - {("x", "a")}
    assert overdue.without(overdue.pack(expected), lambda *one: False) is None
    assert overdue.without(b"\xc1", lambda *one: True) is None


@pytest.mark.parametrize(
    ("name", "watched"),
    [
        ("temperature", True),
        ("motion.kitchen", True),
        ("rssi", True),
        ("sos", False),
        ("tap", False),
        ("firmware", False),
        ("prewarning", False),
        ("overdue", False),
        ("messages_dead", False),
        ("nobody_knows", False),
    ],
)
def test_silence_means_something_only_of_what_is_measured_again_and_again(name: str, watched: bool) -> None:
    assert overdue.is_measured(name) is watched


def test_of_a_reading_its_age_is_from_when_it_was_measured_and_its_silence_from_when_it_came() -> None:
    latest = Latest(NOW_NS, 21.0, 1, seen_ns=NOW_NS - 7200 * SECOND, seen_s=90.0)
    found = overdue.of_quantity(latest, Since(50.0, 0), 100.0, NOW_NS)
    assert (found.age_s, found.listened_s) == (7200.0, 10.0)
    future = overdue.of_quantity(Latest(NOW_NS, 21.0, 1, NOW_NS + 60 * SECOND, 90.0), Since(0.0, 0), 100.0, NOW_NS)
    assert future.age_s == 10.0  # a device whose clock is ahead: since it came
    assert future.against(0.0) == 0.0


def test_what_is_written_is_coarse_and_never_less_than_silent() -> None:
    assert overdue.Silence(61.06, 180.001).told_s == 61.0
    assert overdue.Silence(0.0, 180.001).against(180.0) > 1.0
    assert overdue.Silence(0.0, 180.0).against(180.0) == 1.0
    assert overdue.Silence(0.0, 60.0).against(180.0) == 342 / 1024


def test_what_a_clock_a_year_ahead_wrote_down_is_not_fresh_for_a_year() -> None:
    ahead_ns = NOW_NS + 365 * 86_400 * SECOND
    expected = Expected("", Since(0.0, ahead_ns))
    state = DeviceState("s", "a", heard_ns=ahead_ns, listened_s=100.0)
    assert overdue.of_device(state, expected, 700.0, NOW_NS) == overdue.Silence(600.0, 600.0)
    assert overdue.of_device(None, expected, 700.0, NOW_NS) == overdue.Silence(700.0, 700.0)
    latest = Latest(ahead_ns, 20.0, 1, seen_ns=ahead_ns, seen_s=100.0)
    assert overdue.of_quantity(latest, expected.since, 700.0, NOW_NS) == overdue.Silence(600.0, 600.0)


def test_of_a_device_that_invents_names_no_more_are_looked_at_than_are_watched() -> None:
    asked: list[str] = []

    def invented() -> Iterator[str]:
        for number in range(1024):
            asked.append(f"temperature.r{number}")
            yield asked[-1]

    assert len(overdue.quantities(DEVICES[0], invented(), True)) == overdue.MOST_NAMES == len(asked)
