"""The embedded database: what it promises beyond what every sink promises."""

import errno
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.events import Reading
from ingest import embedded_file
from ingest.embedded import EmbeddedSink, Reader
from tests.ingest.samples import one_of_each, readings, temperatures
from tests.ingest.test_points import T0

EVER = (-(2**63), 2**63 - 1)

WRITER = """
import sys
from pathlib import Path
from ingest.embedded import EmbeddedSink
from tests.ingest.samples import temperatures
sink, entries = EmbeddedSink(Path(sys.argv[1])), temperatures(100_000, int(sys.argv[2]))
for n in range(0, len(entries), 50):
    sink.write(entries[n:n + 50])
    print(n + 50, flush=True)
"""


def start_writer(file: Path, start_ns: int = T0) -> "subprocess.Popen[str]":
    """Another process that writes 50 entries of two readings at a time and prints how many entries it has written."""
    arguments = [sys.executable, "-c", WRITER, str(file), str(start_ns)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "readings.db"


def filled(file: Path, number: int = 100) -> EmbeddedSink:
    sink = EmbeddedSink(file)
    sink.write(temperatures(number, T0))
    return sink


def test_values_come_series_by_series_and_in_the_order_of_time(file: Path) -> None:
    filled(file, 500).close()
    rows = list(Reader(file).read("climate", *EVER))
    assert len(rows) == 1000
    assert [row.series.device for row in rows] == sorted(row.series.device for row in rows)
    assert all(a.series.device != b.series.device or a.time_ns <= b.time_ns for a, b in pairwise(rows))


def test_a_range_takes_its_start_and_leaves_its_end(file: Path) -> None:
    filled(file).close()
    times = [row.time_ns for row in Reader(file).read("climate", T0 + 1_000_003, T0 + 3 * 1_000_003)]
    assert sorted(set(times)) == [T0 + 1_000_003, T0 + 2 * 1_000_003]


def test_what_is_asked_for_by_site_and_device_is_nothing_else(file: Path) -> None:
    filled(file).close()
    reader = Reader(file)
    assert {row.series.device for row in reader.read("climate", *EVER, device="home-7")} == {"home-7"}
    assert list(reader.read("climate", *EVER, site="river")) == []
    assert [series.field for series in reader.series("climate", "village", "home-7")] == ["humidity", "temperature"]


def test_count_and_span_say_how_much_there_is_and_of_when(file: Path) -> None:
    sink = filled(file)
    sink.write([readings([Reading("ph", 7.0)], 5)])
    reader = Reader(file)
    assert (reader.count(), reader.count("climate"), reader.count("power")) == (201, 200, 0)
    assert (reader.span("climate"), reader.span("water"), reader.span("power")) == ((T0, T0 + 99 * 1_000_003), (5, 5), None)


def test_numbers_keep_their_type_and_a_missing_one_is_none(file: Path) -> None:
    sink = EmbeddedSink(file)
    sink.write([*one_of_each(T0), readings([Reading("ph", 7.0), Reading("turbidity", -0.0)], T0 + 1)])
    reader = Reader(file)
    by_field = {row.series.field: row for m in ("climate", "event") for row in reader.read(m, *EVER)}
    assert repr(by_field["temperature"].value) == "21.0"
    assert (by_field["humidity"].value, by_field["humidity"].flag) == (None, 9)
    assert repr(by_field["boot"].value) == "17"
    assert by_field["boot"].flag is None
    assert by_field["tap"].value == "04a1"
    assert [repr(row.value) for row in reader.read("water", T0 + 1, T0 + 2)] == ["7.0", "-0.0"]


def test_the_last_write_of_an_instant_wins(file: Path) -> None:
    sink = EmbeddedSink(file)
    sink.write([readings([Reading("ph", 7.0, 1, 6.9, "c1")], T0), readings([Reading("ph", 7.2, 1)], T0)])
    assert [(row.value, row.raw, row.calibration) for row in Reader(file).read("water", *EVER)] == [(7.2, None, None)]


def test_another_process_reads_while_we_write_and_sees_whole_writes_only(file: Path) -> None:
    writer = start_writer(file)
    assert writer.stdout is not None
    for _ in range(30):
        returned = 2 * int(writer.stdout.readline())
        count = Reader(file).count()
        assert count >= returned
        assert count % 100 == 0
    writer.kill()
    writer.wait()
    writer.stdout.close()


def test_a_slow_reader_sees_one_state_and_does_not_stop_the_writer(file: Path) -> None:
    sink = filled(file, 100)
    slow = Reader(file).read("climate", *EVER)
    first = next(slow)
    sink.write(temperatures(5000, T0 + 10**12))
    assert len([first, *slow]) == 200
    assert Reader(file).count() == 10_200


def test_kill_9_loses_no_write_that_had_returned(file: Path) -> None:
    written = 0
    for round_ in range(3):
        writer = start_writer(file, T0 + round_ * 10**15)
        assert writer.stdout is not None
        for _ in range(20):
            returned = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        returned += 50 * len(writer.stdout.readlines())
        writer.wait()
        writer.stdout.close()
        written += returned * 2
        # The writer may have died between its commit and its word.
        stored = Reader(file).count()
        assert written <= stored <= written + 100
        written = stored
    assert filled(file, 10).write([]) == []


def test_two_processes_may_write_to_one_file(file: Path) -> None:
    other = start_writer(file, T0 + 10**15)
    assert other.stdout is not None
    other.stdout.readline()
    sink = EmbeddedSink(file)
    for n in range(0, 1000, 100):
        sink.write(temperatures(1000, T0)[n : n + 100])
    other.kill()
    other.wait()
    other.stdout.close()
    assert len(list(Reader(file).read("climate", T0, T0 + 10**14))) == 2000


@pytest.mark.parametrize("where", [0, 4096], ids=["header", "first page of a table"])
def test_a_damaged_file_is_set_aside_told_and_replaced(file: Path, where: int, caplog: pytest.LogCaptureFixture) -> None:
    filled(file, 2000).close()
    file.write_bytes(file.read_bytes()[:where] + os.urandom(4096) + file.read_bytes()[where + 4096 :])
    file.with_name(file.name + "-wal").write_bytes(b"left")
    damaged = file.read_bytes()
    with caplog.at_level(logging.ERROR):
        sink = EmbeddedSink(file)
        assert sink.write(temperatures(100, T0)) == []
    assert Reader(file).count() == 200
    (aside,) = [f for f in file.parent.glob("*.damaged-*") if not f.name.endswith(("-wal", "-shm"))]
    assert aside.read_bytes() == damaged
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert aside.name in caplog.text


def test_damage_that_is_met_while_writing_costs_nothing_new(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    sink = filled(file, 2000)
    sink.close()
    sink = EmbeddedSink(file)
    size = file.stat().st_size
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(size - 4096))
    assert sink.write(temperatures(100, T0)) == []
    sink.write(temperatures(100, T0 + 10**12))
    assert Reader(file).count() == 400
    assert len(list(file.parent.glob("*.damaged-*"))) >= 1


def test_damage_that_cannot_be_set_aside_loses_nothing_and_is_tried_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = filled(file, 2000)
    sink.close()
    sink = EmbeddedSink(file)
    with file.open("r+b") as stream:
        stream.write(os.urandom(file.stat().st_size))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", _no_rename)
        for _ in range(2):
            with pytest.raises(Misconfigured, match="Read-only"):
                sink.write(temperatures(100, T0))
    assert sink.write(temperatures(100, T0)) == []
    assert Reader(file).count() == 200


def _no_rename(self: Path, target: Path) -> Path:
    raise OSError(errno.EROFS, "Read-only file system")


def test_a_full_disk_is_unavailable_and_leaves_nothing_half_written(file: Path) -> None:
    sink = filled(file)
    pages = sink._db.execute("PRAGMA page_count").fetchone()[0]
    sink._db.execute(f"PRAGMA max_page_count = {pages + 3}")
    for _ in range(2):
        with pytest.raises(Unavailable, match="full"):
            sink.write([*temperatures(20_000, T0 + 10**12), *one_of_each(T0)])
    assert Reader(file).count() == 200
    sink._db.execute("PRAGMA max_page_count = 1000000")
    assert sink.write([*temperatures(20_000, T0 + 10**12), *one_of_each(T0)]) == []
    assert Reader(file).count("climate") == 200 + 40_000 + 4
    assert Reader(file).count("event") == 4


def test_a_file_that_somebody_else_keeps_locked_is_unavailable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_file, "BUSY_S", 0.05)
    sink = filled(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        sink.write(temperatures(10, T0 + 10**12))
    other.execute("ROLLBACK")
    other.close()
    assert sink.write(temperatures(10, T0 + 10**12)) == []


def test_a_file_that_is_moved_away_under_us_is_not_written_to_any_more(file: Path) -> None:
    sink = filled(file)
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink()
    sink.write(temperatures(10, T0))
    assert Reader(file).count() == 20


def test_a_file_of_a_newer_version_is_left_alone(file: Path) -> None:
    filled(file).close()
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = file.read_bytes()
    for opens in (EmbeddedSink, lambda path: Reader(path).count()):
        with pytest.raises(Misconfigured, match="99"):
            opens(file)
    assert file.read_bytes() == before


def test_a_database_of_another_program_is_left_alone(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE photos (id)")
    db.close()
    with pytest.raises(Misconfigured, match="version 0"):
        EmbeddedSink(file)


def test_where_nothing_can_be_written_a_person_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="data_dir"):
        EmbeddedSink(tmp_path / "file" / "readings.db")


def test_before_the_first_reading_there_is_nothing_to_read(file: Path) -> None:
    with pytest.raises(Unavailable, match=r"no .*readings\.db yet"):
        Reader(file).count()
    assert not file.exists(), "reading must not make one"


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    sink = filled(tmp_path / "var" / "readings.db")
    files = list((tmp_path / "var").iterdir())
    assert len(files) == 3
    assert {f.stat().st_mode & 0o777 for f in files} == {0o600}
    sink.close()
