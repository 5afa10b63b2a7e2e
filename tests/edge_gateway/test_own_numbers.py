"""What the gateway says of itself: each number is what its name says, and what nobody can know is absent, not zero."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strictly

from edge_gateway import machine
from edge_gateway.alerts.alert import Alert, Change, State
from edge_gateway.alerts.waiting import unaccepted, waited_s
from edge_gateway.broker import Incoming
from edge_gateway.catalog import QUANTITIES
from edge_gateway.errors import Unavailable
from edge_gateway.privacy.retention import DAY_NS, database_days
from edge_gateway.rules import Finding, Severity
from edge_gateway.service import DROPPED_TOPIC
from edge_gateway.settings import Gateway, Privacy, Settings
from tests.edge_gateway.series_world import NOON_NS, SECOND, SeriesWorld, device
from tests.servers import Certificates

Make = Callable[..., SeriesWorld]
PEOPLE = {"people": [{"id": "li", "urls": ["json://127.0.0.1:9/"]}]}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[SeriesWorld] = []

    def one(*devices: str, **settings: Any) -> SeriesWorld:
        made.append(SeriesWorld(tmp_path, monkeypatch, *(devices or (device("a"),)), **settings))
        return made[-1]

    yield one
    for world in made:
        world.close()


def numbers(w: SeriesWorld) -> dict[str, Any]:
    return w.round()["gateway", "gateway"]


def test_every_number_of_the_catalogue_is_told_or_absent_for_a_reason(make: Make) -> None:
    told = numbers(make()).keys() - {"place"}
    own = {name for name, quantity in QUANTITIES.items() if quantity.group == "gateway"}
    assert told - own == set()
    assert own - told <= {"broker_dropped", "certificate_left", "clock_trusted"}


def test_a_page_of_metrics_names_nothing_twice(make: Make) -> None:
    w = make()

    async def say() -> None:
        w.gateway.pipeline.take("kanhu/1/s/a/up/data", b'[{"boot":1,"seq":1,"n":"temperature","v":20}]', w.wall_ns)
        await w.gateway.committer.settle()

    w.run(say())
    w.round()
    known = CollectorRegistry()
    known.register(w.gateway.health)
    assert any(family.name == "kanhu_times_repaired" for family in strictly(openmetrics(known).decode()))
    lines = generate_latest(known).decode().splitlines()
    kinds = [line for line in lines if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))
    for name in ("kanhu_database_ok", "kanhu_broker_connected", "kanhu_commit_seconds", "kanhu_alert_unaccepted_age"):
        assert any(line.startswith(f"{name} ") for line in lines), name


def test_what_the_broker_dropped_is_not_known_before_it_says_so(make: Make) -> None:
    w = make()
    assert "broker_dropped" not in numbers(w)
    w.gateway._broker_said([Incoming(DROPPED_TOPIC, b"7")])
    assert numbers(w)["broker_dropped"] == 7.0
    assert "7 messages" in w.gateway.troubles.now["broker_drops"]


def test_a_time_that_is_not_the_devices_is_counted_over_restarts(make: Make) -> None:
    w = make()
    topic = "kanhu/1/s/a/up/data"

    async def say(seq: int) -> None:
        payload = f'[{{"boot":1,"seq":{seq},"clk":"none","n":"temperature","v":21}}]'.encode()
        w.gateway.pipeline.take(topic, payload, w.wall_ns)
        await w.gateway.committer.settle()

    w.run(say(1))
    w.step(1.0)
    w.run(say(2))
    w.restart()
    assert numbers(w)["times_repaired"] == 2.0


def test_an_alert_that_was_told_and_accepted_by_nobody_grows_old(make: Make) -> None:
    w = make(alerts=PEOPLE)
    desk = w.gateway.desk
    desk.book.apply(
        [finding("leak/s/p"), finding("grafana/x/y", "grafana"), finding("n/s/p", severity=Severity.NOTICE)], w.wall_ns
    )
    assert numbers(w)["alerts_unaccepted"] == 0.0, "nobody was told yet"
    w.step(1.0)
    w.step(600.0)
    told = numbers(w)
    assert (told["alerts_unaccepted"], told["alert_unaccepted_age"]) == (1.0, pytest.approx(601.0))
    assert told["alerts_open"] >= 3.0

    async def accept() -> None:
        desk.accept(next(one.id for one in desk.book.open_alerts() if one.key == "leak/s/p"), "li")

    w.run(accept())
    told = numbers(w)
    assert (told["alerts_unaccepted"], told["alert_unaccepted_age"]) == (0.0, 0.0)


def finding(key: str, rule: str = "leak", severity: Severity = Severity.WARNING) -> Finding:
    return Finding(key, rule, severity, "s", "", "p", NOON_NS, "x", "x", (), returns=True)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"state": State.NOTIFIED}, True),
        ({"state": State.ACCEPTED}, False),
        ({"step": 0}, False),
        ({"test": True}, False),
        ({"rule": "grafana"}, False),
        ({"severity": Severity.NOTICE}, False),
        ({"severity": Severity.URGENT}, True),
    ],
)
def test_who_waits_for_a_person(changes: dict[str, Any], counts: bool) -> None:
    given = {"rule": "leak", "severity": Severity.WARNING, "step": 1, **changes}
    alert = Alert("x-1", "k", site="s", device="", place="", occurred_ns=0, raised_ns=0, text_zh="", text_en="", **given)
    assert unaccepted(alert) is counts


def test_an_alert_that_was_opened_again_waits_anew() -> None:
    about = {"site": "s", "device": "", "place": "", "occurred_ns": 0, "raised_ns": 0, "text_zh": "", "text_en": ""}
    alert = Alert("x-1", "k", "leak", Severity.WARNING, **about)  # type: ignore[arg-type]
    alert.history = [
        Change(0, State.RAISED, "gateway", ""),
        Change(50 * SECOND, State.ACCEPTED, "li", ""),
        Change(90 * SECOND, State.RAISED, "gateway", "not_closed"),
        Change(91 * SECOND, State.NOTIFIED, "gateway", ""),
    ]
    assert waited_s(alert, 100 * SECOND) == 10.0
    assert waited_s(alert, 0) == 0.0


def test_homes_without_a_passed_test_are_counted_and_named(make: Make) -> None:
    w = make(device("a", place="p", model="elder_home"), device("b", place="q", model="elder_home"))
    w.step(1.0)
    for place, failed in (("p", "no_answer a"), ("q", "")):
        test = w.gateway.desk.homes.change(("s", place), w.wall_ns).test
        test.failed, test.failed_ns = failed, w.wall_ns if failed else 0
        test.passed_ns = 0 if failed else w.wall_ns
    w.step(60.0)
    w.round()
    entries = [e for e in w.base.entries if getattr(e, "shape", "").startswith("home_paused")]
    told = {e.place: dict(zip([n.split("=")[0] for n in e.shape.split(",")], e.values, strict=True)) for e in entries}
    assert (told["p"]["home_unprotected"], told["q"]["home_unprotected"]) == (1.0, 0.0)
    assert "selftest_age" not in told["p"] and told["q"]["selftest_age"] == pytest.approx(60.0)
    assert w.gateway.health.numbers()["homes_unprotected"] == 1.0


# The machine


def test_the_first_certificate_that_ends_counts(tmp_path: Path, certificates: Certificates, make: Make) -> None:
    w = make(broker={"tls_ca": str(certificates.file("ca.pem")), "tls_certificate": str(certificates.file("gateway.pem"))})
    left = numbers(w)["certificate_left"]
    ends = machine.certificate_ends([certificates.file("ca.pem")])
    assert ends is not None
    assert left == pytest.approx(ends.timestamp() - NOON_NS / 1e9, abs=60)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(certificates.file("gateway.pem").read_bytes() + certificates.file("broker.pem").read_bytes())
    assert machine.certificate_ends([chain]) is not None
    assert machine.seconds_until(datetime.now(UTC) - timedelta(days=1), int(datetime.now(UTC).timestamp()) * SECOND) < 0


def test_a_disk_that_does_not_give_a_certificate_holds_up_no_number(tmp_path: Path, make: Make) -> None:
    os.mkfifo(tmp_path / "ca.pem")  # who reads it waits for ever
    w = make(broker={"tls_ca": str(tmp_path / "ca.pem")})
    told = numbers(w)
    assert told["broker_connected"] == 1.0 and "certificate_left" not in told
    (tmp_path / "ca.pem").write_bytes(b"")  # the reader ends


def test_a_certificate_that_cannot_be_read_is_no_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "bad.pem").write_text("nonsense")
    assert machine.certificate_ends([tmp_path / "bad.pem", tmp_path / "missing.pem"]) is None
    assert caplog.text.count("cannot be read") == 2
    assert machine.certificate_ends([]) is None


def test_a_systems_collection_of_authorities_is_none_of_ours(tmp_path: Path, certificates: Certificates) -> None:
    (tmp_path / "all.pem").write_bytes(certificates.file("ca.pem").read_bytes() * 9)
    assert machine.certificate_ends([tmp_path / "all.pem"]) is None
    assert machine.certificate_ends([tmp_path / "all.pem", certificates.file("gateway.pem")]) is not None


def test_the_kernel_is_asked_about_the_clock() -> None:
    assert machine.clock_trusted() in (True, False, None)


def test_how_full_a_disk_is_is_a_share(tmp_path: Path) -> None:
    assert 0.0 < machine.disk_used(tmp_path) <= 1.0


# How long it is kept


@pytest.mark.parametrize(
    ("silence", "presence", "kept"),
    [
        (14, 30, {"presence": 30, "home": 30, "silence": 14}),
        (14, 7, {"presence": 7, "home": 7, "silence": 7}),
        (0, 30, {"presence": 30, "home": 30, "silence": 30}),
        (14, 0, {"silence": 14}),
        (0, 0, {}),
    ],
)
def test_silence_is_kept_no_longer_than_what_it_tells_of(silence: int, presence: int, kept: dict[str, int]) -> None:
    settings = Settings(gateway=Gateway(silence_days=silence), privacy=Privacy(presence_days=presence))
    assert database_days(settings) == kept


def test_what_is_too_old_is_forgotten_each_by_itself_and_a_failure_is_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    w = make()
    asked: list[tuple[str, int]] = []

    def forget(measurement: str, before_ns: int) -> int:
        asked.append((measurement, (w.wall_ns - before_ns) // DAY_NS))
        if measurement == "presence":
            raise Unavailable("away")
        return 0

    monkeypatch.setattr(w.base, "forget", forget, raising=False)
    monkeypatch.setattr(w.base, "erase", lambda *about: 0, raising=False)
    w.run(w.gateway.housekeeping.retention.run())
    assert asked == [("presence", 30), ("home", 30), ("silence", 14)]
    assert w.gateway.troubles.now["retention"] == "readings of `presence` older than 30 days are not deleted: away"
