"""What a person sees: numbers add up, no terminal obeys what came from outside, and a low screen shows what matters."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from edge_gateway.alerts import Alert
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.registry import Device, Registry, Site
from edge_gateway.rules import Severity
from edge_gateway.sequence import Boot
from edge_gateway.state import Counters, DeviceState, Latest, pack
from edge_gateway.store import Store
from edge_gateway.transaction import Backlog, Commit, DeadLetter
from edge_gateway.view import DeviceView, Gap, Snapshot, find_alert, find_letter, letters, snapshot
from operations import words
from operations.balance import Balance, Group, Sent, balance
from operations.screen import TALL, Face, plain, whole
from operations.status import Report, one_device, overview
from operations.supervise import State, Status

NOW = 1_780_000_000 * 10**9
S = 10**9
SHANGHAI = ZoneInfo("Asia/Shanghai")


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * S


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("2026-11-21T14:05:00+08:00", "今天 14:05"),
        ("2026-11-21T00:00:00+08:00", "今天 00:00"),
        ("2026-11-20T22:10:00+08:00", "昨天 22:10"),
        ("2026-11-19T08:30:00+08:00", "11月19日 08:30"),
        ("2025-11-20T08:30:00+08:00", "2025年11月20日 08:30"),
        ("2026-11-20T16:30:00+00:00", "今天 00:30"),
    ],
)
def test_a_time_is_said_as_people_say_it_where_it_happened(then: str, said: str) -> None:
    assert words.moment(ns(then), ns("2026-11-21T18:00:00+08:00"), SHANGHAI) == said


def test_no_text_from_outside_reaches_the_terminal_as_it_came() -> None:
    assert words.printable("\x1b[2J\u202eabc\n温度") == "\\x1b[2J\\u202eabc\\x0a温度"
    assert (
        words.hexdump(b"\x1b[A\xff" * 5)[0] == "00000000  1b 5b 41 ff 1b 5b 41 ff 1b 5b 41 ff 1b 5b 41 ff  |.[A..[A..[A..[A.|"
    )
    assert words.hexdump(bytes(3000))[-1] == "... 1,976 more bytes"
    assert words.hexdump(b"") == []


def test_sizes_and_durations() -> None:
    assert [words.size(n) for n in (0, 999, 1500, 2_500_000, 7e12)] == ["0 B", "999 B", "1.5 kB", "2.5 MB", "7000.0 GB"]
    assert [words.clock(s) for s in (0, 62.9, 3725)] == ["0:00", "1:02", "1:02:05"]


@pytest.mark.parametrize(
    ("sent", "outbox", "stored", "expected"),
    [
        pytest.param(Sent(readings=100), 0, 100, Balance(100, 100, 0, 0, True), id="even"),
        pytest.param(Sent(readings=100, open_readings=10), 0, 90, Balance(100, 90, 10, 0, True), id="on the way"),
        pytest.param(
            Sent(readings=100, open_readings=10), 0, 95, Balance(100, 95, 5, 0, True), id="stored, receipt on the way"
        ),
        pytest.param(Sent(readings=100), 3, 80, Balance(100, 80, 20, 0, False), id="in the outbox"),
        pytest.param(Sent(readings=100, open_readings=10), 0, 85, Balance(100, 85, 10, 5, True), id="gone after its receipt"),
        pytest.param(Sent(readings=100), 0, 107, Balance(100, 100, 0, 0, True), id="measured while we counted"),
        pytest.param(Sent(readings=100, lost=2), 0, 90, Balance(100, 90, 10, 0, False), id="declared lost"),
    ],
)
def test_a_balance_accuses_only_what_had_a_receipt_and_is_nowhere(
    sent: Sent, outbox: int, stored: int, expected: Balance
) -> None:
    found = balance(sent, outbox, stored)
    assert found == expected
    assert found.generated == found.stored + found.on_the_way + found.missing


def store_with(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.db"
    boot = Boot(7)
    for seq in (1, 2, 5):
        boot.take(seq, seq)
    past = Boot(6)
    past.take(1, 1)
    past.lost += past.close(2, 3)
    known = DeviceState("s", "d0", [past, boot], NOW - 70 * S, {"ph": Latest(NOW, 7.25, 1)}, Counters(stored=4, lost=2))
    alert = Alert("a-1", "sos/s/d0", "sos", Severity.URGENT, "s", "d0", "p", NOW, NOW, "求助 [bold]", "help [/bold]")
    letter = DeadLetter("decode", "malformed", "x", "kanhu/1/s/d0/up/data", "s", "d0", None, None, NOW, b"\x1b")
    store = Store(file)
    try:
        store.commit(
            Commit(
                rows=[(1, 3, NOW, b"x")],
                devices=[("s", "d0", pack(known))],
                alerts=[("a-1", True, NOW, _packed(alert)), ("a-2", True, NOW, b"not an alert")],
                dead=[letter, letter],
                counters={"messages_received": 6, "messages_stored": 4, "messages_dead": 2},
            )
        )
    finally:
        store.close()
    return file


def _packed(alert: Alert) -> bytes:
    from edge_gateway.alerts import pack as pack_alert

    return pack_alert(alert)


REGISTRY = Registry(
    {"s": Site("s", "S")}, {("s", d): Device("s", d, cadence_s=20, silence_s=60) for d in ("d0", "never-heard")}
)


def test_a_look_is_one_moment_of_the_gateways_file(tmp_path: Path) -> None:
    shot = snapshot(store_with(tmp_path), REGISTRY, NOW)
    d0, never = shot.devices
    assert (d0.came, d0.lost, d0.missing, d0.gaps) == (4, 2, 2, (Gap(7, 3, 4),))
    assert d0.silent(NOW)
    assert (never.name, never.heard_ns, never.silent(NOW)) == ("s/never-heard", 0, False)
    assert shot.adds_up
    assert (shot.backlog.entries, shot.backlog.oldest_ns) == (3, NOW)
    assert [(reason.reason, reason.letters, reason.times) for reason in shot.reasons] == [("malformed", 1, 2)]
    assert ([alert.id for alert in shot.open_alerts], shot.damaged_alerts) == (["a-1"], 1)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    file = store_with(tmp_path)
    with pytest.raises(Rejected, match="no alert"):
        find_alert(file, "a-9")
    with pytest.raises(Rejected, match="no dead letter 9"):
        find_letter(file, 9)
    assert letters(file, "no_such_reason") == []
    with pytest.raises(Unavailable, match="has not run here yet"):
        snapshot(tmp_path / "none.db", REGISTRY)
    (tmp_path / "noise.db").write_bytes(b"noise" * 1000)
    with pytest.raises(Unavailable, match="cannot read"):
        snapshot(tmp_path / "noise.db", REGISTRY)


def test_a_file_of_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    import sqlite3

    file = store_with(tmp_path)
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(Misconfigured, match="schema 99"):
        snapshot(file, REGISTRY)


def shown(renderable: object, width: int = 120) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def face(tmp_path: Path) -> Face:
    sent = Sent((Group("elder_home", 3, 2, 40, 4),), 40, 36, 4, readings=200, open_readings=20, told=((5.0, "SOS pressed"),))
    shot = snapshot(store_with(tmp_path), REGISTRY, NOW)
    return Face(
        "demo",
        62.0,
        "broker 127.0.0.1:1883",
        " -s x.toml",
        [Status("mosquitto", State.READY, 11), Status("gateway", State.WAITING, None, 0.0, 2, "killed by SIGKILL")],
        Report(shot, REGISTRY, "registry: [mend] me"),
        sent,
        balance(sent, 0, 180),
        181,
        2048,
        hints=("kill -9 11",),
    )


def test_the_screen_shows_who_sends_what_is_stored_what_is_odd_and_what_to_do(tmp_path: Path) -> None:
    text = shown(whole(face(tmp_path)), width=160)
    for told in (
        "缺 missing 0 · readings generated 200 = stored 180 (counted in the database) + on the way 20 + declared lost 0",
        "住家 homes",
        "2 of 3",
        "received 6 = stored 4 + duplicate 0 + held 0 + dead 2",
        "3 entries, the oldest just now",
        "malformed 2",
        "求助 [bold]",
        "alerts accept a-1 --by you -s x.toml",
        "gateway waiting, restarted 2x (killed by SIGKILL)",
        "registry: [mend] me",
        "1 open alerts on disk cannot be read",
        "kill -9 11",
        "0:05 SOS pressed",
    ):
        assert told in text, f"{told!r} is not in\n{text}"


def test_a_low_terminal_still_shows_balance_alert_processes_and_the_next_step(tmp_path: Path) -> None:
    text = shown(whole(face(tmp_path), height=24), width=80)
    assert len(text.splitlines()) <= 24
    for told in ("missing 0", "alerts accept a-1", "mosquitto ready", "kill -9 11"):
        assert told in text
    assert TALL > 24


def test_without_a_terminal_it_is_one_line(tmp_path: Path) -> None:
    text = plain(face(tmp_path))
    assert "\n" not in text
    assert "generated 200 = stored 180 + on the way 20 + declared lost 0; missing 0" in text


def test_status_says_what_is_wrong_with_a_device_and_leaves_out_the_quiet_ones() -> None:
    devices = tuple(
        DeviceView("s", f"d{n}", Device("s", f"d{n}"), NOW, came=5, gaps=(Gap(1, 3, 4),) if n == 7 else ()) for n in range(60)
    )
    shot = Snapshot(NOW, devices, (), {}, Backlog(), (), ())
    text = shown(overview(Report(shot, REGISTRY)))
    assert "5 of 7" in text
    assert "2 missing: 3-4" in text
    assert "59 devices more" in text
    assert "d8 " not in text
    assert "d8 " in shown(overview(Report(shot, REGISTRY), every=True))


def test_a_gateway_that_hangs_is_told_from_one_that_does_not_run() -> None:
    shot = Snapshot(NOW, (), (), {}, Backlog(), (), ())
    assert "does not run" in shown(overview(Report(shot, REGISTRY)))
    hangs = shown(overview(Report(shot, REGISTRY, parts=[Status("gateway", State.READY, 12)])))
    assert "process 12 does not answer" in hangs
    assert "kill -9 12" in hangs


def test_one_device_is_shown_with_its_values_and_ranges(tmp_path: Path) -> None:
    shot = snapshot(store_with(tmp_path), REGISTRY, NOW)
    text = shown(one_device(shot.devices[0], Report(shot, REGISTRY)))
    for told in ("4 of 8 received; 2 declared lost", "missing: boot 7, 3 to 4", "silent", "ph pH", "7.25", "silent after 60 s"):
        assert told in text
    assert datetime.fromtimestamp(NOW / S, UTC).year == 2026
