"""Store: everything of a commit or nothing, every bound kept and counted, no damage that stops the gateway or is kept quiet."""

import hashlib
import itertools
import os
import shutil
import sqlite3
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from edge_gateway import disk, view
from edge_gateway.disk import Ballast
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.registry import Registry
from edge_gateway.store import Store, StoreFull
from edge_gateway.store_file import read_only
from edge_gateway.transaction import Backlog, Commit, DeadLetter, Held, Lane, OutboxRow

NOW = 1_780_000_000_000_000_000
LETTER = DeadLetter(
    "decode", "malformed", "cut short", "kanhu/1/wutong/home-1/up/data", "wutong", "home-1", 1, 7, NOW, b"\xff\xfe"
)
HELD = Held("kanhu/1/wutong/new-1/up/data", "wutong", "new-1", NOW, b"[]")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kanhu.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as store:
        yield store


def data(n: int, body: bytes = b"readings", ns: int = NOW) -> Commit:
    """A commit with one row of `n` entries of readings."""
    return Commit(rows=[(Lane.DATA, n, ns, body)])


def event(n: int = 1, body: bytes = b"event") -> Commit:
    return Commit(rows=[(Lane.EVENT, n, NOW, body)])


def outbox(path: Path) -> list[OutboxRow]:
    with closing(read_only(path)) as db:
        return [
            OutboxRow(*row) for row in db.execute("SELECT id, lane, entries, received_ns, crc, body FROM outbox ORDER BY id")
        ]


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(read_only(path)) as db:
        return db.execute(query).fetchall()


def counted(path: Path) -> Backlog:
    """The outbox counted afresh."""
    with closing(read_only(path)) as db:
        query = "SELECT count(*), coalesce(sum(entries), 0), coalesce(sum(length(body)), 0) FROM outbox"
        first = db.execute("SELECT received_ns FROM outbox ORDER BY id LIMIT 1").fetchone()
        rows, entries, size = db.execute(query).fetchone()
        return Backlog(rows, entries, size, first[0] if first else None)


# One transaction


def everything() -> Commit:
    return Commit(
        rows=[(Lane.EVENT, 1, NOW, b"event"), (Lane.DATA, 3, NOW, b"readings")],
        devices=[("wutong", "home-1", b"state")],
        alerts=[("sos/1", True, NOW, b"alert")],
        dead=[LETTER],
        held=[HELD],
        counters={"messages_received": 6},
    )


def test_a_commit_is_there_after_a_new_start(path: Path) -> None:
    with closing(Store(path)) as store:
        store.commit(everything())
        before = store.backlog, store.totals
    with closing(Store(path)) as store:
        assert (store.backlog, store.totals) == before == (Backlog(2, 4, 13, NOW), {"messages_received": 6})
        assert store.devices() == [("wutong", "home-1", b"state")]
        assert store.open_alerts() == [b"alert"]
    assert [(r.lane, r.entries, r.body, r.intact) for r in outbox(path)] == [(0, 1, b"event", True), (1, 3, b"readings", True)]
    assert ask(path, "SELECT reason, payload FROM dead_letter") == [("malformed", b"\xff\xfe")]
    assert ask(path, "SELECT device, payload FROM held") == [("new-1", b"[]")]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda c: c.rows.append((Lane.DATA, None, NOW, b"")), id="outbox"),
        pytest.param(lambda c: c.devices.append(("wutong", None, 1 << 70, b"")), id="device"),
        pytest.param(lambda c: c.alerts.append(("a", True, None, b"")), id="alert"),
        pytest.param(lambda c: c.dead.append(replace(LETTER, received_ns=1 << 70)), id="dead letter"),
        pytest.param(lambda c: c.held.append(replace(HELD, received_ns=1 << 70)), id="held"),
        pytest.param(lambda c: c.counters.update(x=1 << 70), id="counter"),
    ],
)
def test_one_row_that_cannot_be_saved_takes_the_whole_commit_back_and_the_next_one_works(
    store: Store, path: Path, spoil: Callable[[Commit], object]
) -> None:
    store.commit(everything())
    before = store.backlog, dict(store.totals)
    work = everything()
    work.dead = [replace(LETTER, payload=b"another")]
    work.held = [replace(HELD, payload=b"another")]
    work.alerts = [("sos/1", False, NOW, b"closed")]
    spoil(work)
    with pytest.raises((Unavailable, OverflowError, ValueError, TypeError)):
        store.commit(work)
    assert (store.backlog, store.totals) == before
    assert store.open_alerts() == [b"alert"]
    assert counted(path) == store.backlog
    assert [ask(path, f"SELECT count(*) FROM {t}") for t in ("held", "dead_letter")] == [[(1,)], [(1,)]]
    store.commit(data(1))
    assert store.backlog.rows == 3


def test_an_outbox_number_is_never_given_twice(path: Path) -> None:
    given = []
    for _ in range(3):
        with closing(Store(path)) as store:
            store.commit(data(1))
            rows = outbox(path)
            given += [r.id for r in rows]
            store.forget(rows)
    assert given == [1, 2, 3]


def test_the_device_state_is_replaced_and_a_closed_alert_is_no_longer_open(store: Store) -> None:
    store.commit(everything())
    store.commit(Commit(devices=[("wutong", "home-1", b"newer")], alerts=[("sos/1", False, NOW, b"closed")]))
    assert store.devices() == [("wutong", "home-1", b"newer")]
    assert store.open_alerts() == []


def test_the_database_took_some_and_refused_some_in_one_transaction(store: Store, path: Path) -> None:
    store.commit(data(3))
    letter = replace(LETTER, stage="write", reason="type_conflict")
    with pytest.raises(OverflowError):
        store.forget(outbox(path), [replace(letter, boot=1 << 70)], {"entries_sent": 2})
    assert len(outbox(path)) == 1 and not ask(path, "SELECT 1 FROM dead_letter")
    store.forget(outbox(path), [letter], {"entries_sent": 2})
    assert not outbox(path) and ask(path, "SELECT stage, reason FROM dead_letter") == [("write", "type_conflict")]
    assert store.totals == {"entries_sent": 2}
    assert store.backlog == Backlog()


# Dead letters and held messages


def test_the_same_poison_ten_thousand_times_is_one_row_counted(store: Store, path: Path) -> None:
    for n in range(10):
        store.commit(Commit(dead=[replace(LETTER, received_ns=NOW + n)] * 1000))
    assert ask(path, "SELECT times, first_ns, last_ns FROM dead_letter") == [(10_000, NOW, NOW + 9)]


def test_other_poison_with_the_same_checksum_is_another_row(store: Store, path: Path) -> None:
    a, b = colliding()
    store.commit(Commit(dead=[replace(LETTER, payload=a), replace(LETTER, payload=b)]))
    store.commit(Commit(held=[replace(HELD, payload=a), replace(HELD, payload=b)]))
    assert ask(path, "SELECT payload, times FROM dead_letter ORDER BY id") == [(a, 1), (b, 1)]
    assert ask(path, "SELECT payload FROM held ORDER BY id") == [(a,), (b,)]


def colliding() -> tuple[bytes, bytes]:
    """Two payloads with one CRC-32."""
    seen: dict[int, bytes] = {}
    for n in itertools.count():
        payload = hashlib.blake2b(b"%d" % n, digest_size=8).digest()
        if (other := seen.setdefault(zlib.crc32(payload), payload)) != payload:
            return other, payload
    raise AssertionError


@pytest.mark.parametrize(
    "letter",
    [
        pytest.param(replace(LETTER, topic="x" * 1000), id="a topic of 1,000 characters"),
        pytest.param(replace(LETTER, detail="\ud800 half a pair"), id="half a surrogate pair"),
        pytest.param(replace(LETTER, topic="a\x00b", detail="a\x00b"), id="NUL"),
        pytest.param(replace(LETTER, payload=b"x" * 200_000), id="a long payload"),
        pytest.param(replace(LETTER, payload=b"", site="", device="", boot=None, seq=None), id="nothing known"),
    ],
)
def test_no_poison_stops_its_neighbours_however_odd_or_often(store: Store, path: Path, letter: DeadLetter) -> None:
    for _ in range(2):
        store.commit(Commit(rows=data(1).rows, dead=[letter]))
    assert ask(path, "SELECT times, length(payload) <= 65536 FROM dead_letter") == [(2, 1)]
    assert store.backlog.rows == 2


def test_the_same_held_message_is_kept_once_and_all_of_them_bounded_and_counted(path: Path) -> None:
    with closing(Store(path, held_limit=3)) as store:
        store.commit(Commit(held=[HELD] * 5))
        store.commit(Commit(held=[replace(HELD, payload=b"%d" % n) for n in range(4)]))
        assert ask(path, "SELECT payload FROM held ORDER BY id") == [(b"1",), (b"2",), (b"3",)]
        assert store.totals == {"held_dropped": 2}


def test_a_held_message_goes_in_the_transaction_that_takes_it_and_only_once(path: Path) -> None:
    with closing(Store(path, held_limit=2)) as store:
        store.commit(Commit(held=[HELD]))
        store.commit(Commit(unheld=[1]))
        store.commit(Commit(unheld=[1]))  # it was read a second time before the first commit
        store.commit(Commit(held=[replace(HELD, payload=b"%d" % n) for n in range(2)]))
        assert len(ask(path, "SELECT 1 FROM held")) == 2
        assert "held_dropped" not in store.totals


def test_nobody_fills_the_disk_with_large_poison_or_held_messages(path: Path) -> None:
    with closing(Store(path, side_bytes=1000)) as store:
        store.commit(Commit(dead=[replace(LETTER, payload=b"%d" % n * 400) for n in range(9)]))
        store.commit(Commit(held=[replace(HELD, payload=b"%d" % n * 400) for n in range(9)]))
        assert ask(path, "SELECT sum(length(payload)) FROM dead_letter") == [(800,)]
        assert ask(path, "SELECT sum(length(payload)) FROM held") == [(800,)]
        assert store.totals == {"dead_letters_dropped": 7, "held_dropped": 7}


def test_dead_letters_go_in_order_of_worth_garbage_first_a_refused_event_last(path: Path) -> None:
    event_topic = LETTER.topic.replace("data", "event")
    letters = [
        replace(LETTER, stage="write", lane=Lane.EVENT, payload=b"event that had a receipt"),
        replace(LETTER, stage="outbox", topic="", payload=b"damaged readings"),
        replace(LETTER, stage="outbox", topic="", lane=Lane.EVENT, payload=b"damaged events"),
        replace(LETTER, topic=event_topic, payload=b"event that cannot be read"),
        replace(LETTER, payload=b"garbage"),
        replace(LETTER, payload=b"later garbage"),
    ]
    with closing(Store(path, dead_limit=6)) as store:
        store.commit(Commit(dead=letters))
    left = []
    for limit in range(5, 0, -1):
        with closing(Store(path, dead_limit=limit)) as store:
            store.commit(Commit(dead=[replace(LETTER, payload=b"garbage"), letters[0]]))  # known ones: only the bound acts
            left.append({row[0] for row in ask(path, "SELECT payload FROM dead_letter")})
            store.delete_dead([n for (n,) in ask(path, "SELECT id FROM dead_letter WHERE payload = X'67617262616765'")])
    assert left[0] == {d.payload for d in letters} - {b"garbage"} or left[0] == {d.payload for d in letters} - {
        b"later garbage"
    }
    assert left[-2:] == [{b"event that had a receipt", b"damaged events"}, {b"damaged events"}]


def test_a_refused_row_is_kept_whole_however_long(store: Store, path: Path) -> None:
    store.commit(Commit(dead=[replace(LETTER, stage="outbox", payload=b"x" * 200_000)]))
    assert ask(path, "SELECT length(payload) FROM dead_letter") == [(200_000,)]


# The quota


def test_over_the_quota_the_oldest_readings_go_never_an_event_and_every_entry_is_counted(path: Path) -> None:
    with closing(Store(path, quota_bytes=1000)) as store:
        store.commit(event(1, b"e" * 100))
        for n in range(12):
            store.commit(data(3, b"%02d" % n + b"d" * 98))
        rows = outbox(path)
        assert [r.body[:2] for r in rows] == [b"ee", *(b"%02d" % n for n in range(4, 12))]
        assert store.totals == {"entries_dropped_quota": 12}
        assert store.backlog == counted(path)
        for _ in range(20):
            store.commit(event(1, b"e" * 100))
        assert [r.lane for r in outbox(path)] == [Lane.EVENT] * 21
        assert store.totals == {"entries_dropped_quota": 36}


def test_a_row_the_quota_took_while_it_was_on_its_way_is_not_deducted_twice(path: Path) -> None:
    with closing(Store(path, quota_bytes=1000)) as store:
        store.commit(data(5, b"d" * 600))
        under_way = outbox(path)
        store.commit(data(7, b"d" * 600))
        store.forget(under_way, counters={"entries_sent": 5})
        assert store.backlog == counted(path) == Backlog(1, 7, 600, NOW)
        assert store.totals == {"entries_dropped_quota": 5, "entries_sent_though_dropped": 5, "entries_sent": 5}


class Sequences(RuleBasedStateMachine):
    """Any order of commits, failures, forgetting and new starts: the numbers are those of a fresh count."""

    folders = itertools.count()
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.path = self.folder / str(next(self.folders)) / "kanhu.db"
        self.store = Store(self.path, quota_bytes=3000, held_limit=4, dead_limit=4, side_bytes=500)
        self.saved = self.sent = 0

    @rule(lane=st.sampled_from(Lane), sizes=st.lists(st.integers(1, 900), max_size=4), ns=st.integers(1, 1 << 60))
    def commit(self, lane: Lane, sizes: list[int], ns: int) -> None:
        self.store.commit(Commit(rows=[(lane, n % 7, ns, b"x" * n) for n in sizes]))
        self.saved += sum(n % 7 for n in sizes)

    @rule(payloads=st.lists(st.binary(max_size=200), max_size=6), gone=st.lists(st.integers(1, 20), max_size=3))
    def bury_and_hold(self, payloads: list[bytes], gone: list[int]) -> None:
        self.store.commit(
            Commit(
                dead=[replace(LETTER, payload=p) for p in payloads],
                held=[replace(HELD, payload=p) for p in payloads],
                unheld=gone,
            )
        )
        self.store.delete_dead(gone)

    @rule()
    def fail(self) -> None:
        with pytest.raises(Unavailable):
            self.store.commit(Commit(rows=[(Lane.DATA, 1, NOW, b"x")], held=[HELD], alerts=[("a", True, None, b"")]))  # type: ignore[list-item]

    @precondition(lambda self: self.store.backlog.rows)
    @rule(at=st.integers(0, 5), n=st.integers(1, 5), twice=st.booleans())
    def forget(self, at: int, n: int, twice: bool) -> None:
        rows = outbox(self.path)[at : at + n]
        self.sent += sum(r.entries for r in rows)
        self.store.forget(rows)
        if twice:
            self.store.forget(rows)

    @rule()
    def start_anew(self) -> None:
        self.store.close()
        self.store = Store(self.path, quota_bytes=3000, held_limit=4, dead_limit=4, side_bytes=500)

    @invariant()
    def numbers_are_right(self) -> None:
        assert self.store.backlog == counted(self.path)
        assert self.store.backlog.entries == self.saved - self.sent - self.store.totals.get("entries_dropped_quota", 0)
        for table in ("held", "dead_letter"):
            rows, size = ask(self.path, f"SELECT count(*), coalesce(sum(length(payload)), 0) FROM {table}")[0]
            assert rows <= 4 and size <= 500
            what = table.removesuffix("_letter")
            assert ask(self.path, f"SELECT rows, bytes FROM size WHERE what = '{what}'") == [(rows, size)]
        assert dict(ask(self.path, "SELECT name, value FROM counter")) == self.store.totals

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.path.parent)


def test_the_numbers_are_those_of_a_fresh_count_after_any_sequence(tmp_path: Path) -> None:
    Sequences.folder = tmp_path
    run_state_machine_as_test(
        Sequences, settings=settings(max_examples=25, stateful_step_count=15, deadline=None, database=None)
    )


def test_a_start_with_a_long_backlog_does_no_more_work_than_with_none(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(
            "INSERT INTO outbox (lane, entries, received_ns, crc, body) WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT 1, 1, i, 0, zeroblob(200) FROM n"
        )
        db.execute("UPDATE size SET rows = 100000, entries = 100000, bytes = 20000000 WHERE what = 'data'")
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(Store(path)) as store:
        assert store.backlog == Backlog(100_000, 100_000, 20_000_000, 1)
        # The work SQLite does, not the time it takes: a hundred thousand rows must not be looked at one by one.
        store._db.set_progress_handler(step, 1000)
        store._read()
        store.forget(outbox(path)[:10])
        store.commit(data(1))
    assert steps < 10


# Readers


def test_a_reader_beside_the_gateway_sees_whole_commits_only_and_can_write_nothing(store: Store, path: Path) -> None:
    with closing(read_only(path)) as db:
        for n in range(50):
            store.commit(Commit(rows=data(1).rows, counters={"entries_stored": 1}))
            if n % 10 == 0:
                store.checkpoint()
            db.execute("BEGIN")
            assert db.execute("SELECT count(*) FROM outbox").fetchone()[0] == n + 1
            assert db.execute("SELECT value FROM counter").fetchone()[0] == n + 1
            db.execute("COMMIT")
        db.execute("BEGIN")
        assert db.execute("SELECT count(*) FROM outbox").fetchone()[0] == 50
        store.commit(data(1))
        assert db.execute("SELECT count(*) FROM outbox").fetchone()[0] == 50
        db.execute("COMMIT")
        for statement in ("DELETE FROM outbox", "CREATE TABLE x (y)", "PRAGMA user_version = 9"):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                db.execute(statement)


def test_a_reader_needs_no_running_gateway_and_any_folder_name_will_do(tmp_path: Path) -> None:
    path = tmp_path / "50% of #1?" / "kanhu.db"
    with pytest.raises(Unavailable, match="has not run"):
        read_only(path)
    with closing(Store(path)) as store:
        store.commit(data(1))
    assert len(outbox(path)) == 1


def test_the_log_does_not_grow_and_a_checkpoint_brings_it_below_the_mark_that_asks_for_one(store: Store) -> None:
    for _ in range(10):
        store.commit(data(1, b"x" * 1_000_000))
    assert store.wal_bytes() > 8 << 20
    store.checkpoint()
    store.commit(data(1))
    assert store.wal_bytes() < 8 << 20


def test_one_process_at_a_time(store: Store, path: Path) -> None:
    with pytest.raises(Misconfigured, match="another gateway"):
        Store(path)
    store.close()
    Store(path).close()


def test_only_the_owner_may_read_the_file_and_its_log(path: Path) -> None:
    with closing(Store(path)) as store:
        store.commit(data(1))
        assert {f.stat().st_mode & 0o777 for f in path.parent.glob("kanhu.db*") if f.suffix != ".lock"} == {0o600}
    path.chmod(0o644)
    Store(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


# Files that are wrong


def test_a_newer_schema_is_refused_and_the_file_is_left_alone(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(Misconfigured, match="schema 99"):
        Store(path)
    assert [f.name for f in path.parent.glob("*damaged*")] == []


def test_a_folder_in_the_files_place_is_said_and_not_renamed(path: Path) -> None:
    path.mkdir()
    with pytest.raises((Unavailable, Misconfigured, OSError)):
        Store(path)
    assert path.is_dir()


def crashed(path: Path, into: Path, rows: int = 1000, more: int = 100) -> Path:
    """A store as a power cut leaves it: `rows` in the file, `more` in its log."""
    with closing(Store(path)) as store:
        store.commit(
            Commit(
                rows=[(Lane.DATA, 1, NOW + n, b"%06d" % n * 20) for n in range(rows)],
                devices=[("wutong", f"home-{n}", b"state") for n in range(30)],
                alerts=[("sos/1", True, NOW, b"alert")],
                counters={"entries_stored": rows + more},
            )
        )
        store.checkpoint()
        for n in range(rows, rows + more):
            store.commit(Commit(rows=[(Lane.DATA, 1, NOW + n, b"%06d" % n * 20)]))
        into.mkdir()
        for suffix in ("", "-wal") if more else ("",):
            shutil.copy(path.with_name(path.name + suffix), into)
    return into / path.name


def overwrite(file: Path, at: int, content: bytes) -> None:
    with file.open("r+b") as f:
        f.seek(at)
        f.write(content)


def page_of(path: Path, table: str) -> int:
    """Offset of a page in the middle of a table's rows."""
    whole = path.read_bytes()
    needle = {"outbox": b"%06d" % 500 * 20, "device": b"home-15"}[table]
    return whole.index(needle) // 4096 * 4096


def wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


LETTER_TO_THE_MAYOR = b"this is no database, it is a letter to the mayor"


def alone(path: Path) -> Path:
    """The file without its log."""
    wal(path).unlink()
    return path


# damage, rows that must be left of 1,100, whether the file is put aside
DAMAGE = [
    pytest.param(lambda p: os.truncate(wal(p), wal(p).stat().st_size - 2000), 1099, False, id="log cut short"),
    pytest.param(lambda p: alone(p), 1000, False, id="log deleted"),
    pytest.param(lambda p: overwrite(p, 0, LETTER_TO_THE_MAYOR), 1100, False, id="header overwritten, but it is in the log"),
    pytest.param(lambda p: overwrite(alone(p), 0, LETTER_TO_THE_MAYOR), 0, True, id="not a database"),
    pytest.param(lambda p: alone(p).write_bytes(b"\xff" * 100_000), 0, True, id="all overwritten"),
    pytest.param(lambda p: os.truncate(p, 0), 0, True, id="emptied"),
    pytest.param(lambda p: p.unlink(), 0, True, id="deleted beside its log"),
    pytest.param(lambda p: os.truncate(alone(p), p.stat().st_size // 2), 200, True, id="cut in half"),
    pytest.param(lambda p: overwrite(p, page_of(p, "outbox"), bytes(4096)), 1060, True, id="page of the outbox zeroed"),
    pytest.param(lambda p: overwrite(p, page_of(p, "outbox"), b"\xa5" * 4096), 1060, True, id="page of the outbox overwritten"),
    pytest.param(
        lambda p: overwrite(p, page_of(p, "device"), b"\xa5" * 4096), 1100, True, id="page of the devices overwritten"
    ),
]


@pytest.mark.parametrize(("harm", "least", "aside"), DAMAGE)
def test_a_damaged_file_is_put_aside_and_what_can_be_read_of_it_goes_on(
    path: Path, tmp_path: Path, harm: Callable[[Path], object], least: int, aside: bool
) -> None:
    path = crashed(path, tmp_path / "after")
    harm(path)
    was_there = {f.name for f in path.parent.iterdir()}
    with closing(Store(path)) as store:
        store.repair()  # as the uplink asks when it meets the page
        rows = outbox(path)
        assert len(rows) >= least and len({r.id for r in rows}) == len(rows)
        assert all(r.body == b"%06d" % (r.id - 1) * 20 for r in rows if r.intact)
        # The row in which the file was cut may be read with zeros at its end; its checksum says so to whoever sends it.
        assert sum(not r.intact for r in rows) <= 1
        assert store.backlog == counted(path)
        if least:
            assert store.open_alerts() == [b"alert"]
        assert (store.quarantined is not None) == aside
        if aside:
            assert store.quarantined is not None
            kept = {f.name for f in path.parent.glob("kanhu.db.damaged-1*")}
            assert {n.replace("kanhu.db", "kanhu.db.damaged-1") for n in was_there} <= kept | {"kanhu.db.damaged-1.lock"}
            assert store.totals["damaged_files"] == 1
            if least:
                lost = store.totals.get("entries_lost_damage", 0)
                assert lost == store.totals["entries_stored"] - len(rows) - (100 if "kanhu.db-wal" not in was_there else 0)
        store.commit(everything())
        highest = max(r.id for r in outbox(path))
        assert highest > (1100 if least else 0) or "kanhu.db-wal" not in was_there
    with closing(Store(path)) as store:  # the log of the new file was not removed with the old one's
        assert store.backlog.rows == len(rows) + 2
        assert ask(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        pytest.param(lambda size: size // 2, 1020, id="in the middle"),
        pytest.param(lambda size: 10, 1000, id="in the header"),
        pytest.param(lambda size: 40, 1000, id="in the first frame"),
        pytest.param(lambda size: size - 100, 1099, id="at the end"),
    ],
)
def test_commits_behind_a_damaged_place_of_the_log_are_gone_but_counted_and_the_log_is_kept(
    path: Path, tmp_path: Path, at: Callable[[int], int], kept: int
) -> None:
    path = crashed(path, tmp_path / "after")
    log = wal(path).read_bytes()
    where = at(len(log))
    overwrite(wal(path), where, bytes(b ^ 0xFF for b in log[where : where + 16]))
    with closing(Store(path)) as store:
        assert store.backlog == counted(path) and store.backlog.rows >= kept
        # The log also holds the first commit, whose pages are in the file.
        assert 1100 - store.backlog.rows <= store.totals["commits_lost_damage"] <= 1101 - store.backlog.rows
        (copy,) = path.parent.glob("kanhu.db.damaged-log-*")
        assert len(copy.read_bytes()) == len(log)
        lost = store.totals["commits_lost_damage"]
        store.commit(data(1))
    for _ in range(2):
        with closing(Store(path)) as store:
            assert store.totals["commits_lost_damage"] == lost


def test_a_log_without_damage_is_no_loss_wherever_the_power_went(path: Path, tmp_path: Path) -> None:
    path = crashed(path, tmp_path / "after", 100, 20)
    whole, log = path.read_bytes(), wal(path).read_bytes()
    for cut in range(0, len(log), 1000):
        path.write_bytes(whole)
        wal(path).write_bytes(log[:cut])
        with closing(Store(path)) as store:
            assert "commits_lost_damage" not in store.totals
        for leftover in path.parent.glob("kanhu.db-*"):
            leftover.unlink()


def test_a_log_begun_anew_over_an_older_one_is_no_loss(path: Path, tmp_path: Path) -> None:
    with closing(Store(path)) as store:
        for n in range(30):
            store.commit(data(1, b"%d" % n * 100))
        store.checkpoint()
        store.commit(data(1))
        (tmp_path / "after").mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(path.with_name(path.name + suffix), tmp_path / "after")
    with closing(Store(tmp_path / "after" / path.name)) as store:
        assert store.backlog.rows == 31 and "commits_lost_damage" not in store.totals


def test_damage_met_in_the_middle_of_work_is_mended_and_the_next_commit_is_saved(path: Path, tmp_path: Path) -> None:
    path = crashed(path, tmp_path / "after", more=0)
    page = page_of(path, "outbox")
    with closing(Store(path)) as store:
        rows = outbox(path)
        overwrite(path, page, bytes(4096))
        with pytest.raises(Unavailable):
            store.forget(rows)
        assert store.opened == 1 and store.quarantined is not None
        assert 950 <= len(outbox(path)) < 1000
        assert store.totals["entries_lost_damage"] == 1000 - len(outbox(path))
        store.forget(outbox(path))
        store.commit(data(1))
        assert store.backlog == counted(path) == Backlog(1, 1, 8, NOW)
        assert outbox(path)[0].id == 1001


def test_a_repair_nobody_needed_changes_nothing(store: Store, path: Path) -> None:
    store.commit(everything())
    store.repair()
    assert store.quarantined is None and store.opened == 0
    assert store.backlog == counted(path)


@pytest.mark.parametrize("step", ["before anything", "rescued", "put aside"])
def test_the_power_going_while_a_damaged_file_is_replaced_loses_nothing_more(path: Path, tmp_path: Path, step: str) -> None:
    path = crashed(path, tmp_path / "after", more=0)
    overwrite(path, page_of(path, "outbox"), bytes(4096))
    if step == "before anything":
        path.with_name("kanhu.db.rescue").write_bytes(b"half a file")
        path.with_name("kanhu.db.rescue-wal").write_bytes(b"half a log")
    else:
        other = tmp_path / "other" / "kanhu.db"
        with closing(Store(other)) as store:
            store.commit(Commit(rows=[(Lane.DATA, 1, NOW, b"rescued")] * 990))
        shutil.copy(other, path.with_name("kanhu.db.rescued"))
    if step == "put aside":
        path.rename(path.with_name("kanhu.db.damaged-1"))
        wal(path).write_bytes(b"the log of the damaged file")
    with closing(Store(path)) as store:
        store.repair()
        assert 950 <= store.backlog.rows < 1000
        assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert not list(path.parent.glob("*.rescue*"))


def test_a_changed_byte_in_a_devices_row_is_counted_and_the_device_left_out(path: Path, tmp_path: Path) -> None:
    with closing(Store(path)) as store:
        store.commit(Commit(devices=[("wutong", "home-1", b"the state of one"), ("wutong", "home-2", b"the state of two")]))
    overwrite(path, path.read_bytes().index(b"the state of one"), b"THE")
    with closing(Store(path)) as store:
        assert store.devices() == [("wutong", "home-2", b"the state of two")]
        assert store.totals == {"damaged_device_rows": 1}
        assert store.devices() == [("wutong", "home-2", b"the state of two")]
        assert store.totals == {"damaged_device_rows": 1}


def test_a_changed_byte_in_an_outbox_row_shows(path: Path) -> None:
    with closing(Store(path)) as store:
        store.commit(data(1))
    overwrite(path, path.read_bytes().index(b"readings"), b"R")
    with closing(Store(path)):
        assert [r.intact for r in outbox(path)] == [False]


# A full disk


def fill_until_full(store: Store) -> int:
    """Commit until there is no room; the number of commits that were saved."""
    for saved in range(10_000):
        try:
            store.commit(Commit(rows=[(Lane.DATA, 1, NOW, os.urandom(20_000))], counters={"entries_stored": 1}))
        except StoreFull:
            return saved
        if store.wal_bytes() > 1 << 20:
            with suppress(StoreFull):
                store.checkpoint()
    raise AssertionError("the disk never filled")


def test_when_pages_run_out_nothing_is_half_saved_and_what_is_there_can_be_read(store: Store, path: Path) -> None:
    store._db.execute("PRAGMA max_page_count = 300")
    saved = fill_until_full(store)
    assert saved > 10
    assert store.backlog == counted(path)
    assert store.backlog.rows == saved == store.totals["entries_stored"]
    assert all(r.intact for r in outbox(path))
    with pytest.raises(StoreFull):
        store.commit(everything_large())
    assert store.devices() == [] and store.open_alerts() == []
    store.forget(outbox(path)[:3])  # inside this bound, deleting works
    store.commit(everything())
    assert store.backlog == counted(path)


def everything_large() -> Commit:
    work = everything()
    work.rows.append((Lane.DATA, 1, NOW, bytes(100_000)))
    return work


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", mount], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def test_on_a_full_disk_the_ballast_makes_room_for_events_and_all_goes_on_when_space_is_back(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_SPARE_MB", 0)
    path = small_disk / "kanhu.db"
    ballast = Ballast(small_disk, 2)
    assert ballast.lay()
    with closing(Store(path)) as store:
        saved = fill_until_full(store)
        assert saved > 100
        for _ in range(3):
            with pytest.raises(StoreFull):
                store.commit(everything_large())
        assert counted(path) == store.backlog and store.backlog.rows == saved
        assert all(r.intact for r in outbox(path))
        assert ask(path, "PRAGMA integrity_check") == [("ok",)]

        assert ballast.drop() and not ballast.drop()
        for _ in range(20):
            store.commit(everything())
        assert store.open_alerts() == [b"alert"]
        store.checkpoint()

        store.forget(outbox(path))  # the database is back
        assert store.backlog == Backlog()
        for _ in range(50):
            store.commit(data(1, os.urandom(20_000)))
        assert store.backlog == counted(path)
    with closing(Store(path)) as store:
        assert store.backlog.rows == 50 and store.totals["entries_stored"] == saved


def test_a_start_on_a_full_disk_says_full_and_works_once_the_ballast_is_gone(small_disk: Path) -> None:
    path = small_disk / "kanhu.db"
    with closing(Store(path)) as store:
        store.commit(everything())
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    with (small_disk / "other").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    with pytest.raises(StoreFull):
        store = Store(path)
        store.commit(everything_large())
    ballast.unlink()
    with closing(Store(path)) as store:
        store.commit(event())
        assert store.backlog.rows == 3


def test_the_ballast_is_real_blocks_and_is_laid_again_only_with_room_to_spare(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, 2)
    assert ballast.lay()
    laid = tmp_path / "ballast"
    assert laid.stat().st_size == 2 << 20 and laid.stat().st_blocks * 512 >= 2 << 20
    inode = laid.stat().st_ino
    assert ballast.lay() and laid.stat().st_ino == inode
    assert ballast.drop()
    (tmp_path / "ballast.part").write_bytes(b"the power went")
    assert ballast.lay() and [f.name for f in tmp_path.iterdir()] == ["ballast"]
    assert not Ballast(tmp_path, 1 << 40).lay()


# The queue of taps


def test_taps_wait_in_the_order_of_their_urgency_and_are_forgotten_one_by_one(path: Path) -> None:
    with closing(Store(path)) as store:
        store.commit(Commit(taps=[(True, b"kept"), (False, b"fresh"), (True, b"kept too"), (False, b"fresh too")]))
    with closing(Store(path)) as store:
        waiting = store.taps(3)
        assert [(tap.body, tap.intact) for tap in waiting] == [(b"fresh", True), (b"fresh too", True), (b"kept", True)]
        assert store.taps_queued == 4
        store.forget_taps([tap.id for tap in waiting] + [waiting[0].id], {"taps_judged": 3})
        assert [tap.body for tap in store.taps(10)] == [b"kept too"]
        assert (store.taps_queued, store.totals["taps_judged"]) == (1, 3)


def test_a_commit_that_fails_leaves_no_tap_behind(store: Store) -> None:
    with pytest.raises((Unavailable, OverflowError)):
        store.commit(Commit(taps=[(False, b"tap")], counters={"x": 1 << 70}))
    assert (store.taps(10), store.taps_queued) == ([], 0)


# What version 1 wrote, as it stood in its source.
_VERSION_1 = """
CREATE TABLE device (site TEXT, device TEXT, crc INTEGER NOT NULL, body BLOB NOT NULL,
                     PRIMARY KEY (site, device)) WITHOUT ROWID;
CREATE TABLE alert (id TEXT PRIMARY KEY, open INTEGER NOT NULL, raised_ns INTEGER NOT NULL, crc INTEGER NOT NULL,
                    body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX alert_open ON alert (open, raised_ns);
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, lane INTEGER NOT NULL, entries INTEGER NOT NULL,
                     received_ns INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX outbox_lane ON outbox (lane, id);
CREATE TABLE dead_letter (id INTEGER PRIMARY KEY AUTOINCREMENT, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
                          times INTEGER NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
                          topic TEXT NOT NULL, site TEXT NOT NULL, device TEXT NOT NULL, boot INTEGER, seq INTEGER,
                          crc INTEGER NOT NULL, rank INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX dead_letter_same ON dead_letter (crc, stage, reason, topic);
CREATE INDEX dead_letter_rank ON dead_letter (rank);
CREATE TABLE held (id INTEGER PRIMARY KEY AUTOINCREMENT, received_ns INTEGER NOT NULL, topic TEXT NOT NULL, site TEXT NOT NULL,
                   device TEXT NOT NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX held_same ON held (crc, topic);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE size (what TEXT PRIMARY KEY, rows INTEGER NOT NULL, entries INTEGER NOT NULL,
                   bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO size VALUES ('event', 0, 0, 0), ('data', 0, 0, 0), ('held', 0, 0, 0), ('dead', 0, 0, 0);
INSERT INTO outbox (lane, entries, received_ns, crc, body) VALUES (1, 3, 1780000000000000000, 907060870, 'hello');
UPDATE size SET rows = 1, entries = 3, bytes = 5 WHERE what = 'data';
INSERT INTO device VALUES ('wutong', 'home-1', 907060870, x'68656c6c6f');
INSERT INTO counter VALUES ('messages_received', 6);
PRAGMA user_version = 1;
"""


def test_a_file_of_version_1_is_read_by_screens_at_once_and_gets_its_queue_when_a_gateway_opens_it(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(_VERSION_1)
        db.execute("PRAGMA journal_mode = wal")
    assert view.snapshot(path, Registry()).totals == {"messages_received": 6}
    for round_ in (1, 2):
        with closing(Store(path)) as store:
            assert store.devices() == [("wutong", "home-1", b"hello")]
            assert (store.backlog.entries, store.totals["messages_received"]) == (3, 6)
            store.commit(Commit(taps=[(False, b"tap")]))
            assert store.taps_queued == round_
    assert ask(path, "PRAGMA user_version") == [(3,)]
    assert ask(path, "SELECT count(*) FROM home") == [(0,)]
    assert view.snapshot(path, Registry()).total("received") == 6


def test_a_damaged_file_keeps_the_taps_that_can_be_read_and_counts_the_others(path: Path) -> None:
    with closing(Store(path)) as store:
        for n in range(200):
            store.commit(Commit(taps=[(n % 2 == 0, bytes([n]) * 2000)]))
        store.checkpoint()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(os.urandom(4096 * 8))
    with closing(Store(path)) as store:
        with suppress(Unavailable):
            store.taps(1000)
        store.repair()
        kept = [tap for tap in store.taps(1000) if tap.intact]
        assert 100 < len(kept) < 200
        assert store.totals["damaged_files"] == 1
        assert store.totals["entries_lost_damage"] == 200 - store.taps_queued
