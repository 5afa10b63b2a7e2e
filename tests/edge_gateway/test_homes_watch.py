"""What is remembered of a home goes in with its readings, is saved with them, outlives a restart and a jump of the clock."""

import pytest

from edge_gateway import registry
from edge_gateway.clock import Limits
from edge_gateway.errors import Misconfigured
from edge_gateway.homes.home import Away, Consent, Home, pack, unpack_home
from edge_gateway.homes.watch import HomeWatch
from edge_gateway.pipeline import Pipeline
from edge_gateway.rules import Finding, Severity, View

KNOWN = registry.parse(
    """
[sites.wutong]
[[devices]]
site = "wutong"
id = "h1"
place = "3-201"
model = "elder_home"
[[devices]]
site = "wutong"
id = "pole"
place = "yard"
[[homes]]
site = "wutong"
place = "3-202"
night_from = "21:30"
contacts = ["zhang", "li"]
medication = ["07:30-09:00"]
heat = [27, 31, 33]
"""
)
NOON = 1_790_000_000 * 10**9
KEY = ("wutong", "3-201")


class Gateway:
    """Pipeline and homes, as the running gateway puts them together."""

    def __init__(self, rows: list[tuple[str, str, str, bytes]] = []) -> None:  # noqa: B006
        self.homes = HomeWatch(KNOWN)
        assert self.homes.restore(rows) == 0
        self.pipeline = Pipeline(KNOWN, Limits.of("2024-01-01T00:00:00Z", 30 * 86_400, 86_400), observe=self.homes.observe)
        self.seq = 0

    def send(self, device: str, name: str, value: bool | float, at_ns: int) -> None:
        self.seq += 1
        told = f'"vb":{str(value).lower()}' if isinstance(value, bool) else f'"v":{value}'
        record = f'[{{"boot":1,"seq":{self.seq},"clk":"ntp","bt":{at_ns / 1e9},"n":"{name}",{told}}}]'
        self.pipeline.take(f"kanhu/1/wutong/{device}/up/data", record.encode(), at_ns)


def test_a_movement_is_a_sign_of_life_of_its_home_and_of_no_other_place() -> None:
    g = Gateway()
    g.send("h1", "motion.kitchen", True, NOON)
    g.send("pole", "motion", True, NOON)
    assert g.homes.homes.keys() == {KEY}
    assert (g.homes.homes[KEY].life_ns, g.homes.homes[KEY].life_name) == (NOON, "motion.kitchen")


def test_what_was_saved_is_what_is_remembered() -> None:
    g = Gateway()
    g.send("h1", "motion.kitchen", True, NOON)
    again = Gateway(g.homes.take(NOON))
    assert again.homes.homes == g.homes.homes


def test_a_home_that_moves_all_the_time_is_saved_now_and_then() -> None:
    g = Gateway()
    saved = 0
    for second in range(120):
        at_ns = NOON + second * 10**9
        g.send("h1", "movements", 3.0, at_ns)
        saved += len(g.homes.take(at_ns))
    assert 4 <= saved <= 6
    g.homes.hurry()
    assert len(g.homes.take(NOON + 121 * 10**9)) == 1


def test_a_home_that_cannot_be_read_is_watched_as_new() -> None:
    homes = HomeWatch(KNOWN)
    assert homes.restore([(*KEY, "now", b"rubbish"), ("wutong", "3-202", "now", pack(Home("wutong", "3-202", 7)))]) == 1
    assert homes.homes.keys() == {("wutong", "3-202")}
    homes.look(View(NOON, KNOWN))
    assert homes.homes[KEY].since_ns == NOON


def test_when_the_clock_is_set_nothing_else_has_happened() -> None:
    g = Gateway()
    g.send("h1", "motion.kitchen", True, NOON)
    g.homes.homes[KEY].timers["door"] = NOON - 5
    g.homes.homes[KEY].away = Away("daughter", NOON, NOON + 99, "zhang")
    day = 86_400 * 10**9
    g.homes.jumped(day)
    home = g.homes.homes[KEY]
    assert (home.life_ns, home.signs[-1].time_ns, home.timers["door"]) == (NOON + day, NOON + day, NOON - 5 + day)
    assert home.away is not None
    assert home.away.until_ns == NOON + 99, "a date that a person wrote down stays"
    assert unpack_home({row[:3]: row[3] for row in g.homes.take(NOON + day)}[*KEY, "now"]) == home


def test_a_home_of_an_older_version_is_read() -> None:
    home = Home("wutong", "3-201", consents=[Consent("2026-11-21", "1", True, "zhang", NOON)])
    assert unpack_home(pack(home)) == home
    assert unpack_home(b"\x82\xa4site\xa1s\xa5place\xa1p") == Home("s", "p")


def test_what_is_written_down_of_a_home_is_checked_all_at_once() -> None:
    home = KNOWN.homes["wutong", "3-202"]
    assert (home.night_from, home.contacts, home.medication, home.heat) == (1290, ("zhang", "li"), ((450, 540),), (27, 31, 33))
    with pytest.raises(Misconfigured) as error:
        registry.parse(
            '[sites.s]\n[[homes]]\nsite = "s"\nplace = "a b"\nnight_from = "25:00"\nheat = [30, 29, 31]\nlimit_h = 0\n'
            'medication = ["9:00-8:00"]\ncolour = 1\n[[homes]]\nsite = "t"\nplace = "x"\n'
        )
    for words in ("'a b'", "25:00", "rising temperatures", "limit_h is 0", "ends before", "unknown colour", "no [sites.t]"):
        assert words in str(error.value), words


def test_closing_an_alert_of_a_home_that_left_the_registry_brings_no_memory_of_it_back() -> None:
    homes = HomeWatch(KNOWN)
    finding = Finding("heat/wutong/3-201", "heat", Severity.WARNING, "wutong", "", "3-201", NOON, "", "")
    homes.told.sift([finding], NOON)
    homes.expect(registry.parse("[sites.wutong]"))
    homes.told.follow([], NOON)
    assert KEY not in homes.homes
