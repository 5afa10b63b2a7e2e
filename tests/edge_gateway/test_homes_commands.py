"""What a person says of a home is checked, done, written down with who and when, and on disk when the answer comes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.homes.home import Home
from edge_gateway.homes.look import HomesLook, open_homes
from edge_gateway.homes.watch import Order
from edge_gateway.rules import Finding, Prewarn, Severity
from edge_gateway.rules.emergency import standing
from tests.home_gateway import HOUR, SECOND, HomeGateway

REGISTRY = """
[sites.wutong]
[[devices]]
site = "wutong"
id = "h1"
place = "3-201"
model = "elder_home"
[[homes]]
site = "wutong"
place = "3-202"
"""
NOON = 1_795_233_600 * SECOND
AT = {"site": "wutong", "place": "3-201"}
AT_DEVICE = ("wutong", "", "3-201")


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeGateway]:
    with HomeGateway(tmp_path_factory.mktemp("g"), REGISTRY, NOON) as found:
        yield found


def on_disk(gateway: HomeGateway) -> Home:
    with open_homes(gateway.settings.store_file) as look:
        home = look.home("wutong", "3-201")
    assert home is not None
    return home


def log(gateway: HomeGateway, place: str = "3-201") -> list[tuple[str, str, str]]:
    with open_homes(gateway.settings.store_file) as look:
        return [(note.who, note.what, note.detail) for note in look.log("wutong", place)]


def alert(gateway: HomeGateway, severity: Severity, rule: str) -> str:
    """An open alert of this home; its id."""
    key = f"{rule}/wutong/3-201"
    finding = Finding(key, rule, severity, "wutong", "", "3-201", gateway.now_ns, "3-201: 试", "3-201: try")
    gateway.do(lambda: gateway.gateway.desk.book.apply([finding], gateway.now_ns))
    return next(str(a.id) for a in gateway.do(lambda: gateway.gateway.desk.book.open_alerts()) if a.key == key)


def test_a_pause_has_an_end_and_who_said_it(gateway: HomeGateway) -> None:
    gateway.call("homes.pause", **AT, by="zhang", until_ns=NOON + 8 * HOUR, reason="家里来客")
    pause = on_disk(gateway).pause
    assert pause is not None
    assert (pause.since_ns, pause.until_ns, pause.by, pause.reason) == (NOON, NOON + 8 * HOUR, "zhang", "家里来客")
    assert log(gateway)[0] == ("zhang", "paused", f"until={NOON + 8 * HOUR} 家里来客")
    assert gateway.call("homes.resume", **AT, by="li")["changed"]
    assert on_disk(gateway).pause is None
    assert not gateway.call("homes.resume", **AT, by="li")["changed"], "it was not paused any more"
    assert [what for _, what, _ in log(gateway)] == ["resumed", "paused"]


def test_a_pause_after_a_pause_is_a_new_one_and_one_that_is_prolonged_is_not(gateway: HomeGateway) -> None:
    gateway.call("homes.pause", **AT, by="zhang", until_ns=NOON + HOUR)
    gateway.now_ns = NOON + HOUR // 2
    gateway.call("homes.pause", **AT, by="zhang", until_ns=NOON + 2 * HOUR)
    assert (pause := on_disk(gateway).pause) is not None
    assert pause.since_ns == NOON
    gateway.now_ns = NOON + 20 * HOUR
    gateway.call("homes.pause", **AT, by="zhang", until_ns=NOON + 22 * HOUR)
    assert (pause := on_disk(gateway).pause) is not None
    assert pause.since_ns == NOON + 20 * HOUR


@pytest.mark.parametrize("said", ["homes.seen", "homes.pause", "homes.away"])
def test_a_home_that_asks_falls_silent_when_a_person_has_spoken_for_the_elder(gateway: HomeGateway, said: str) -> None:
    orders: list[Order] = []
    gateway.gateway.desk._order = orders.append
    key = "inactivity/wutong/3-201"
    homes = gateway.gateway.desk.homes
    gateway.do(lambda: homes._prewarn(Prewarn("wutong", "3-201", key, 600), homes.change(("wutong", "3-201"), NOON), NOON))
    gateway.tick()
    gateway.now_ns += 60 * SECOND
    arguments: dict[str, dict[str, Any]] = {"homes.pause": {"until_ns": NOON + HOUR}, "homes.away": {"kind": "out"}}
    gateway.call(said, **AT, by="zhang", **arguments.get(said, {}))
    gateway.tick()
    asked = [(order.device, order.name, order.details["seconds"]) for order in orders if order.name == "prewarn"]
    assert asked == [("h1", "prewarn", 600), ("h1", "prewarn", 0)]


def test_away_at_the_daughters_needs_a_date_and_out_does_not(gateway: HomeGateway) -> None:
    with pytest.raises(Rejected, match="until_ns"):
        gateway.call("homes.away", **AT, by="zhang", kind="daughter")
    gateway.call("homes.away", **AT, by="zhang", kind="daughter", until_ns=NOON + 72 * HOUR)
    away = on_disk(gateway).away
    assert away is not None
    assert (away.kind, away.until_ns, away.by) == ("daughter", NOON + 72 * HOUR, "zhang")
    gateway.call("homes.back", **AT, by="zhang")
    assert on_disk(gateway).away is None
    gateway.call("homes.away", **AT, by="zhang", kind="out")
    assert on_disk(gateway).away is not None


def test_seen_and_fine_is_life_and_ends_what_is_soft_but_never_an_urgent_alert_or_a_dead_device(gateway: HomeGateway) -> None:
    soft, cold = alert(gateway, Severity.WARNING, "inactivity"), alert(gateway, Severity.NOTICE, "climate")
    hard, dead = alert(gateway, Severity.URGENT, "sos"), alert(gateway, Severity.WARNING, "silence")
    done = gateway.call("homes.seen", **AT, by="zhang", note="在晒太阳")
    assert set(done["closed"]) == {soft, cold}
    assert set(done["open"]) == {hard, dead}
    home = on_disk(gateway)
    assert (home.life_ns, home.signs[-1].name, home.signs[-1].device) == (NOON, "seen", "zhang")
    with open_homes(gateway.settings.store_file) as look:
        closed = look.alert(soft)
        assert closed is not None
        assert (closed.closed_by, closed.history[-1].reason) == ("zhang", "seen_fine")
        assert {a.id for a in look.alerts("wutong")} == {hard, dead}
        assert {a.id for a in look.alerts("wutong", "3-201", open_only=False)} == {soft, cold, hard, dead}
        assert look.alerts("elsewhere") == []
    assert log(gateway)[0] == ("zhang", "seen", "在晒太阳")


def test_a_tap_on_the_wrong_home_is_taken_back_as_if_it_had_not_been(gateway: HomeGateway) -> None:
    gateway.say("wutong/h1", "motion.kitchen", True, NOON - 3 * HOUR)
    gateway.say("wutong/h1", "motion.hall", True, NOON - 3 * HOUR + 60 * SECOND)
    gateway.tick()
    before = on_disk(gateway)
    soft = alert(gateway, Severity.WARNING, "inactivity")
    assert gateway.call("homes.seen", **AT, by="zhang")["closed"] == [soft]
    gateway.now_ns += 60 * SECOND
    gateway.call("homes.unseen", **AT, by="zhang")
    after = on_disk(gateway)
    assert (after.life_ns, after.life_name, after.signs) == (before.life_ns, before.life_name, before.signs)
    assert not [name for name in (*after.timers, *after.notes) if name.startswith(("seen.", "told."))]
    assert (after.today.longest_s, after.today.hours) == (before.today.longest_s, before.today.hours)  # type: ignore[union-attr]
    assert [what for _, what, _ in log(gateway)][:2] == ["unseen", "seen"], "it was said, and taken back"


def test_a_tap_taken_back_before_the_gateway_looks_again_hides_nothing(gateway: HomeGateway) -> None:
    home = gateway.do(lambda: gateway.gateway.desk.homes)
    finding = Finding("inactivity/wutong/3-201", "inactivity", Severity.WARNING, *AT_DEVICE, NOON - HOUR, "", "", returns=True)
    gateway.do(lambda: gateway.gateway.desk.book.apply(home.told.sift([finding], NOON), NOON))
    gateway.call("homes.seen", **AT, by="zhang")
    gateway.call("homes.unseen", **AT, by="zhang")
    gateway.tick()
    assert gateway.do(lambda: home.told.sift([finding], NOON)) == [finding]
    assert not [name for name in on_disk(gateway).timers if name.startswith("told.")]


@pytest.mark.parametrize(
    ("by", "later_s", "moves", "words"),
    [
        pytest.param("li", 60, False, "only who said it", id="another person"),
        pytest.param("zhang", 601, False, "within ten minutes", id="too late"),
        pytest.param("zhang", 60, True, "a sign of life since", id="there was life since"),
    ],
)
def test_what_was_said_stays_where_it_cannot_be_taken_back(
    gateway: HomeGateway, by: str, later_s: int, moves: bool, words: str
) -> None:
    gateway.call("homes.seen", **AT, by="zhang")
    gateway.now_ns += later_s * SECOND
    if moves:
        gateway.say("wutong/h1", "cancel", True, event=True)
    with pytest.raises(Rejected, match=words):
        gateway.call("homes.unseen", **AT, by=by)
    assert on_disk(gateway).timers["seen.at"] == NOON


def test_consent_is_kept_with_date_and_version_and_so_is_its_end(gateway: HomeGateway) -> None:
    gateway.call("homes.consent", **AT, by="zhang", version="2", date="2026-11-20", given=True)
    gateway.call("homes.consent", **AT, by="li", version="2", date="2026-11-21", given=False)
    found = [(c.date, c.version, c.given, c.by) for c in on_disk(gateway).consents]
    assert found == [("2026-11-20", "2", True, "zhang"), ("2026-11-21", "2", False, "li")]


def test_a_test_of_the_alarm_path_begins_at_once_and_one_is_enough(gateway: HomeGateway) -> None:
    begun = gateway.call("homes.test", **AT, by="zhang")
    test = on_disk(gateway).test
    assert (test.asked_ns, test.id, test.by) == (NOON, begun["test"], "zhang")
    with pytest.raises(Rejected, match="test_running"):
        gateway.call("homes.test", **AT, by="li")
    with pytest.raises(Rejected, match="no_button"):
        gateway.call("homes.test", site="wutong", place="3-202", by="zhang")
    assert log(gateway)[0] == ("zhang", "test", begun["test"])


def test_while_somebody_calls_for_help_nobody_tries_the_alarm_path(gateway: HomeGateway) -> None:
    gateway.say("wutong/h1", "sos", True, event=True)
    with pytest.raises(Rejected, match="sos_open"):
        gateway.call("homes.test", **AT, by="zhang")


def test_an_emergency_is_of_the_whole_site_and_ends_by_word_or_by_date(gateway: HomeGateway) -> None:
    def now(at_ns: int) -> str:
        with open_homes(gateway.settings.store_file) as look:
            found = standing(look.memory("wutong"), at_ns)
        return found.kind if found is not None else ""

    assert now(NOON) == ""
    gateway.call("homes.emergency", site="wutong", kind="heat", by="zhang", until_ns=NOON + 48 * HOUR)
    assert (now(NOON), now(NOON + 47 * HOUR), now(NOON + 48 * HOUR)) == ("heat", "heat", "")
    gateway.call("homes.emergency", site="wutong", kind="", by="li")
    assert now(NOON) == ""
    assert [(who, detail) for who, _, detail in log(gateway, "")] == [
        ("li", "ended heat"),
        ("zhang", f"heat until={NOON + 48 * HOUR}"),
    ]
    with open_homes(gateway.settings.store_file) as look:
        assert "" not in look.homes("wutong"), "the site's own memory is no home"


def test_who_looked_is_one_line_however_often_his_page_is_drawn(gateway: HomeGateway) -> None:
    for by in ("zhang", "zhang", "li", "zhang"):
        gateway.call("homes.looked", **AT, by=by, what="home")
    gateway.do(lambda: gateway.gateway.committer.settle())
    assert log(gateway) == [("li", "looked", "home"), ("zhang", "looked", "home")]


def test_a_word_that_cannot_be_saved_is_not_done(gateway: HomeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(work: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(gateway.gateway.store, "commit", full)
        with pytest.raises(Unavailable):
            gateway.call("homes.pause", **AT, by="zhang", until_ns=NOON + HOUR)
    assert gateway.gateway.desk.homes.homes.get(("wutong", "3-201"), Home("", "")).pause is None
    gateway.call("homes.pause", **AT, by="zhang", until_ns=NOON + HOUR)
    assert on_disk(gateway).pause is not None


@pytest.mark.parametrize(
    ("command", "given", "words"),
    [
        pytest.param("homes.seen", {"place": "9-999", "by": "zhang"}, "no home of the registry", id="no such home"),
        pytest.param("homes.seen", {}, "by has to be", id="nobody"),
        pytest.param("homes.seen", {"by": "gateway"}, "no_person", id="no person"),
        pytest.param("homes.pause", {"by": "zhang"}, "this needs an end", id="a pause without end"),
        pytest.param("homes.pause", {"by": "zhang", "until_ns": NOON - 1}, "expected an end within 31 days", id="over already"),
        pytest.param("homes.pause", {"by": "zhang", "until_ns": NOON + 900 * HOUR}, "900.0 h from now", id="for ever"),
        pytest.param("homes.away", {"by": "zhang", "kind": "moon"}, "one of out, daughter, long", id="where"),
        pytest.param("homes.emergency", {"by": "zhang", "kind": "war"}, "one of heat, cold", id="what"),
        pytest.param("homes.emergency", {"site": "x", "by": "zhang", "kind": "heat"}, "no site", id="no such site"),
        pytest.param(
            "homes.consent", {"by": "z", "version": "1", "date": "yesterday", "given": True}, "a date such as", id="day"
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(
    gateway: HomeGateway, command: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        gateway.call(command, **{**AT, **given})
    with open_homes(gateway.settings.store_file) as look:
        assert look.log("wutong", "3-201") == []


def test_homes_are_looked_at_also_without_a_gateway_and_a_missing_file_is_said(gateway: HomeGateway, tmp_path: Path) -> None:
    gateway.say("wutong/h1", "motion.kitchen", True)
    gateway.go()
    with open_homes(gateway.settings.store_file) as look:
        assert isinstance(look, HomesLook)
        assert look.homes("wutong")["3-201"].life_name == "motion.kitchen"
        assert look.devices("wutong")["h1"].latest["motion.kitchen"].value == 1.0
        assert look.past("wutong", "3-201").days == []
    with pytest.raises(Unavailable, match="has not run here"), open_homes(tmp_path / "none.db"):
        pass
