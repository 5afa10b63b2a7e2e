"""Grafana's alerts are technicians' alerts: raised once, over only when Grafana says so, and in nobody's way."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.alerts import Alert, AlertBook, State
from edge_gateway.duty.chain import is_equipment
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.notify.watched import said_of
from edge_gateway.rules import Finding, Returned, Severity
from edge_gateway.second_opinion import MORE, MOST, MOST_AN_HOUR
from edge_gateway.settings import Alerts, Person
from tests.home_gateway import SECOND, HomeGateway

NOW = 1_795_233_600 * SECOND  # 2026-11-21 04:00 UTC
MINUTE = 60 * SECOND
REGISTRY = """
[sites.yunhe]
[[devices]]
site = "yunhe"
id = "home-1"
model = "elder_home"
place = "wutong-1"
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[HomeGateway]:
    with HomeGateway(tmp_path, REGISTRY, NOW) as found:
        yield found


def said(word: str = "firing", at_ns: int = NOW, rule: str = "kanhu-silent", **more: Any) -> dict[str, Any]:
    reason = more.get("reason", "MissingSeries" if word == "unknown" else "")
    told = {"rule": rule, "instance": "yunhe/home-1", "word": word, "at_ns": at_ns, "warning": True, "site": "yunhe"}
    return {**told, "device": "home-1", "text_zh": "home-1 没有声音", "text_en": "home-1 is silent", **more, "reason": reason}


def tell(gateway: HomeGateway, *alerts: dict[str, Any], **more: Any) -> dict[str, int]:
    counts = gateway.call("alerts.watched", alerts=list(alerts), **more)
    return {name: number for name, number in counts.items() if number}


def alerts(gateway: HomeGateway) -> list[Alert]:
    return [a for a in gateway.do(gateway.gateway.desk.book.open_alerts) if a.rule == "grafana"]


def one(gateway: HomeGateway) -> Alert:
    (found,) = alerts(gateway)
    return found


def restarted(gateway: HomeGateway) -> None:
    """What is on disk is all that is known."""
    gateway.do(gateway.gateway._restore)


def test_a_firing_rule_raises_a_technicians_alert_of_no_home(gateway: HomeGateway) -> None:
    assert tell(gateway, said()) == {"firing": 1}
    alert = one(gateway)
    assert (alert.key, alert.rule, alert.severity) == ("grafana/kanhu-silent/yunhe/home-1", "grafana", Severity.WARNING)
    assert (alert.site, alert.device, alert.place) == ("yunhe", "home-1", ""), "its family is told nothing"
    assert (alert.text_zh, alert.text_en, alert.occurred_ns) == ("home-1 没有声音", "home-1 is silent", NOW)
    assert is_equipment(alert.rule, alert.severity)
    tell(gateway, said(rule="kanhu-battery", warning=False))
    assert {a.severity for a in alerts(gateway)} == {Severity.WARNING, Severity.NOTICE}


def test_what_is_in_no_registry_is_told_without_ids_that_are_none(gateway: HomeGateway) -> None:
    tell(gateway, said(site="kanhu", device="gateway", instance="kanhu/gateway"))
    assert (one(gateway).site, one(gateway).device) == ("", "")


def test_a_webhook_that_comes_again_raises_nothing_anew(gateway: HomeGateway) -> None:
    tell(gateway, said())
    restarted(gateway)
    for _ in range(3):
        gateway.now_ns += 240 * MINUTE
        counts = tell(gateway, said(), said())
    assert counts == {"firing": 1, "repeated": 6}
    assert (one(gateway).count, len(one(gateway).evidence)) == (1, 1)


def test_what_a_person_closed_stays_closed_while_grafana_repeats_itself(gateway: HomeGateway) -> None:
    tell(gateway, said())
    gateway.call("alerts.close", id=one(gateway).id, by="tech", reason="battery is on its way")
    restarted(gateway)
    assert tell(gateway, said()) == {"firing": 1, "repeated": 1}
    assert alerts(gateway) == []
    tell(gateway, said(at_ns=NOW + MINUTE))
    assert one(gateway).occurred_ns == NOW + MINUTE, "it began anew"


def test_resolved_ends_it_and_the_same_firing_that_comes_late_does_not_begin_it_again(gateway: HomeGateway) -> None:
    tell(gateway, said())
    alert = one(gateway)
    gateway.now_ns += 5 * MINUTE
    assert tell(gateway, said("resolved", NOW + 4 * MINUTE)) == {"firing": 1, "resolved": 1}
    assert (alerts(gateway), alert.state, alert.history[-1].by, alert.history[-1].reason) == (
        [],
        State.CLOSED,
        "gateway",
        "resolved",
    )
    assert alert.evidence[-1].endswith(" resolved")
    tell(gateway, said())
    assert alerts(gateway) == []


def test_resolved_of_before_or_of_what_is_not_open_changes_nothing(gateway: HomeGateway) -> None:
    assert tell(gateway, said("resolved"), said("unknown")) == {"repeated": 2}
    tell(gateway, said())
    tell(gateway, said("resolved", NOW - MINUTE))
    assert one(gateway).state is State.RAISED


@pytest.mark.parametrize("reason", ["MissingSeries", "NoData", "Error", "Updated", "Paused", "RuleDeleted", "another"])
def test_unknown_is_no_recovery_the_alert_stays_and_says_so(gateway: HomeGateway, reason: str) -> None:
    tell(gateway, said())
    assert tell(gateway, said("unknown", NOW + 2 * MINUTE, reason=reason)) == {"firing": 1, "unknown": 1}
    alert = one(gateway)
    assert alert.state is State.RAISED
    assert alert.text_zh.startswith("情况不明 (")
    assert alert.text_zh.endswith("不算恢复: home-1 没有声音")
    assert alert.text_en.startswith("Unknown (")
    assert alert.evidence[-1].endswith(f"unknown {reason}")
    for _ in range(2):
        tell(gateway, said("unknown", NOW + 2 * MINUTE, reason=reason))
    assert one(gateway).count == 2, "told again it is not more"
    tell(gateway, said("resolved", NOW + 9 * MINUTE))
    assert alerts(gateway) == [], "now it was seen to be over"


@pytest.mark.parametrize("begins_ns", [NOW, NOW + 3 * MINUTE], ids=["the same firing", "a new firing"])
def test_an_alert_that_was_unknown_and_fires_again_says_what_is_wrong_again(gateway: HomeGateway, begins_ns: int) -> None:
    tell(gateway, said())
    tell(gateway, said("unknown", NOW + 2 * MINUTE))
    gateway.now_ns += 3 * MINUTE
    tell(gateway, said(at_ns=begins_ns))
    assert one(gateway).text_en == "home-1 is silent"
    before = one(gateway).count
    tell(gateway, said(at_ns=begins_ns))
    assert one(gateway).count == before


def test_an_alert_about_missing_data_says_that_it_is_missing(gateway: HomeGateway) -> None:
    tell(gateway, said(reason="NoData"))
    assert one(gateway).text_zh == "home-1 没有声音 (查不到数据)"


def test_what_became_worse_is_told_anew_and_never_rings_as_an_emergency(gateway: HomeGateway) -> None:
    tell(gateway, said(warning=False))
    gateway.call("alerts.accept", id=one(gateway).id, by="tech")
    tell(gateway, said(at_ns=NOW + MINUTE, warning=True))
    assert (one(gateway).severity, one(gateway).state) == (Severity.WARNING, State.RAISED)


def test_a_thousand_alerts_are_one_beyond_the_first(gateway: HomeGateway) -> None:
    many = [said(instance=f"yunhe/home-{n}", device=f"home-{n}") for n in range(MOST + 60)]
    tell(gateway, *many[:100])
    assert tell(gateway, *many[100:], left_out=900)["beyond"] == 60 + 900
    found = alerts(gateway)
    assert len(found) == MOST + 1
    (more,) = [a for a in found if a.key == MORE]
    assert "900 left out" in more.evidence[-1]
    tell(gateway, *(said("resolved", NOW + MINUTE, instance=f"yunhe/home-{n}", device=f"home-{n}") for n in range(MOST)))
    assert alerts(gateway) == []


def test_a_flood_that_fires_and_resolves_fills_no_disk_and_holds_up_no_other_word(gateway: HomeGateway) -> None:
    """As whoever got hold of the webhook's address could send it."""
    counts: dict[str, int] = {}
    for n in range(0, 2 * MOST_AN_HOUR, 50):
        pairs = [(said(instance=f"i-{k}"), said("resolved", NOW + MINUTE, instance=f"i-{k}")) for k in range(n, n + 50)]
        counts = tell(gateway, *(one for pair in pairs for one in pair))
    kept = gateway.do(lambda: gateway.gateway.in_store(lambda: gateway.gateway.store.closed_alerts(0)))
    (more,) = alerts(gateway)
    assert len([*kept, more]) == MOST_AN_HOUR and counts["resolved"] + counts["beyond"] == 2 * MOST_AN_HOUR
    assert more.key == MORE, "and it does not come and go with each request"
    gateway.gateway.watched._raised_s.clear()  # an hour later
    tell(gateway, said(instance="i-1000"))
    assert [a.key.rpartition("/")[2] for a in alerts(gateway)] == ["i-1000"]


def test_while_the_disk_stands_still_the_memory_does_not_fill_with_what_grafana_repeats(gateway: HomeGateway) -> None:
    goes_on = threading.Event()
    gateway.gateway.thread.submit(goes_on.wait, 60)

    async def many() -> tuple[list[object], int]:
        watched = gateway.gateway.watched
        tasks = [asyncio.create_task(watched.tell([said_of(said(instance=f"i-{n}"))], 0)) for n in range(100)]
        await asyncio.sleep(0)
        waiting = sum(not task.done() for task in tasks)
        goes_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True), waiting

    done, waiting = gateway.do(many)
    assert waiting == 20 and [type(one) for one in done if one is not None] == [Unavailable] * 80
    assert len(alerts(gateway)) == 20
    assert tell(gateway, said())


def test_the_alert_for_all_the_others_does_not_come_and_go_without_end(gateway: HomeGateway) -> None:
    for _ in range(MOST_AN_HOUR):
        tell(gateway, left_out=1)
        tell(gateway)
    kept = gateway.do(lambda: gateway.gateway.in_store(lambda: gateway.gateway.store.closed_alerts(0)))
    assert len(kept) < MOST_AN_HOUR and [a.key for a in alerts(gateway)] == [MORE]


def test_what_was_beyond_is_told_when_grafana_repeats_it_and_there_is_room(gateway: HomeGateway) -> None:
    many = [said(instance=f"i-{n}") for n in range(MOST + 1)]
    tell(gateway, *many)
    assert f"grafana/kanhu-silent/i-{MOST}" not in {a.key for a in alerts(gateway)}
    tell(gateway, *(said("resolved", NOW + MINUTE, instance=f"i-{n}") for n in range(30)))
    tell(gateway, many[MOST])
    assert f"grafana/kanhu-silent/i-{MOST}" in {a.key for a in alerts(gateway)}


@pytest.mark.parametrize(
    ("device", "rule", "raised"),
    [
        pytest.param("home-1", "kanhu-device-silent", False, id="of the device"),
        pytest.param("", "kanhu-device-silent", False, id="of the site or the receiver"),
        pytest.param("home-2", "kanhu-device-silent", True, id="of another"),
        pytest.param("home-1", "kanhu-battery", True, id="of another thing"),
    ],
)
def test_what_the_gateway_has_said_itself_is_not_told_twice(gateway: HomeGateway, device: str, rule: str, raised: bool) -> None:
    silent = Finding(
        "silence/yunhe/x", "silence", Severity.WARNING, "yunhe", device, "", NOW, "没有声音", "silent", ("x",), returns=True
    )
    gateway.do(lambda: gateway.gateway.desk.book.apply([silent], NOW))
    counts = tell(gateway, said(rule=rule))
    assert (len(alerts(gateway)), counts) == ((1, {"firing": 1}) if raised else (0, {"told_already": 1}))
    gateway.do(lambda: gateway.gateway.desk.book.apply([Returned(silent.key, NOW, "heard_again")], NOW))
    tell(gateway, said(rule=rule))
    assert len(alerts(gateway)) == 1, "and where it says so no longer, Grafana's repeat does"


def test_what_could_not_be_understood_is_counted_and_a_trouble(gateway: HomeGateway) -> None:
    assert tell(gateway, said(), unread=2, why="status is '?'", tests=1) == {"firing": 1, "unread": 2, "test": 1}
    state = gateway.call("state")
    assert (state["grafana"]["unread"], state["grafana"]["test"]) == (2, 1)
    assert state["troubles"]["grafana"].startswith("2 of Grafana's alerts could not be understood, the last: status is '?'")
    tell(gateway, said())
    assert "grafana" in gateway.call("state")["troubles"], "one good one does not hide it at once"
    gateway.gateway.watched._unread_s -= 3601
    tell(gateway, said())
    assert "grafana" not in gateway.call("state")["troubles"]


@pytest.mark.parametrize(
    "bad",
    [
        {"word": "over"}, {"at_ns": "now"}, {"at_ns": -1}, {"at_ns": 2**63}, {"rule": ""}, {"rule": 7}, {"text_zh": " "},
        {"instance": "x" * 300}, {"text_en": "x" * 600}, {"site": None},
    ],
)  # fmt: skip
def test_what_the_console_would_never_send_is_refused(gateway: HomeGateway, bad: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=r"bad_argument|too_long"):
        tell(gateway, {**said(), **bad})
    with pytest.raises(Rejected, match="bad_argument"):
        gateway.call("alerts.watched", alerts=[said()] * 101)
    assert alerts(gateway) == []


# the people's alerts

STAFF = Alerts(people=[Person(id="zhang", urls=["json://zhang-1"])], repeat_s=60)


def found(key: str, rule: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(key, rule, severity, "yunhe", "", "", NOW, key, key, (key,), returns=True)


def test_however_many_of_grafanas_are_open_a_home_is_told_of_at_once_and_singly() -> None:
    book = AlertBook(STAFF)
    now_ns = NOW + 7 * SECOND  # not on the line of the minute
    book.apply([found(f"grafana/r/{n}", "grafana") for n in range(MOST)], now_ns)
    book.apply([found("inactivity/yunhe/home-1", "inactivity")], now_ns)
    (notice,) = book.due(now_ns)
    assert [item.text_en for item in notice.items] == ["inactivity/yunhe/home-1"]
    on_the_minute = book.due(NOW + 60 * SECOND)
    assert sorted(len(notice.items) for notice in on_the_minute) == [MOST]


def test_in_a_flood_of_the_homes_own_alerts_grafanas_are_in_no_message_with_them() -> None:
    book = AlertBook(STAFF)
    book.apply([found(f"silence/yunhe/{n}", "silence") for n in range(7)], NOW)
    book.apply([found(f"grafana/r/{n}", "grafana") for n in range(3)], NOW)
    told = [{item.text_en.split("/")[0] for item in notice.items} for notice in book.due(NOW)]
    assert sorted(told, key=sorted) == [{"grafana"}, {"silence"}]
