"""What is told of how things are now needs no room on our own disk, and of silence there are no sums."""

import sqlite3
from pathlib import Path

import pytest

from edge_gateway.errors import Unavailable
from edge_gateway.events import Reading, Readings
from edge_gateway.settings import Settings
from edge_gateway.sink import Teller
from ingest.backfill import backfill
from ingest.export import export
from ingest.query import open_reader
from ingest.rollups import open_rollups, touched
from ingest.rows import MEASUREMENTS
from ingest.sinks import open_sink
from ingest.tables import Kind

HOUR_NS = 3600 * 10**9
NOON_NS = 1_795_233_600 * 10**9


def said(time_ns: int, *names: str) -> Readings:
    values = [Reading(name, 0.5, 1) for name in names]
    return Readings.of("village", "home-1", "p1", 1, 1, time_ns, time_ns, "ntp", 0, None, values)


def test_when_the_marks_cannot_be_written_it_is_in_the_database_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path / "var")
    sink = open_rollups(settings, open_sink(settings))
    assert isinstance(sink, Teller)
    sink.tell([said(NOON_NS, "overdue")])
    assert sink.waiting() > 0, "rolled up like anything else, where there is room"

    def full(*about: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sink._marks, "touch", full)
    later = said(NOON_NS + HOUR_NS, "overdue")
    with pytest.raises(Unavailable):
        sink.write([later])
    assert sink.tell([later]) == []
    sink.close()
    reader = open_reader(settings)
    assert [row.time_ns for row in reader.rows("fleet", NOON_NS, NOON_NS + 2 * HOUR_NS)] == [NOON_NS, NOON_NS + HOUR_NS]
    reader.close()


def test_silence_is_taken_out_by_itself_and_comes_back_as_it_was(tmp_path: Path) -> None:
    told = [said(NOON_NS, "overdue"), said(NOON_NS, "reading_age.motion-kitchen"), said(NOON_NS, "home_away")]
    there, back = Settings(data_dir=tmp_path / "there"), Settings(data_dir=tmp_path / "back")
    sink = open_sink(there)
    sink.write([*told, said(NOON_NS, "temperature")])
    sink.close()
    reader = open_reader(there)
    assert export(reader, tmp_path / "readings.csv", Kind.READINGS, 0, 2 * NOON_NS) == 1
    assert export(reader, tmp_path / "silence.csv", Kind.SILENCE, 0, 2 * NOON_NS) == 3
    reader.close()
    sink = open_sink(back)
    assert backfill(tmp_path / "silence.csv", sink).stored == 3
    sink.close()
    reader = open_reader(back)
    (row,) = reader.rows("silence", 0, 2 * NOON_NS)
    assert (row.tags["channel"], row.fields["reading_age"]) == ("motion-kitchen", 0.5)
    reader.close()


def test_silence_has_no_sums() -> None:
    assert touched([said(NOON_NS, "reading_age.temperature", "reading_overdue.temperature")]) == set()
    assert {measurement for measurement, *_ in touched([said(NOON_NS, "overdue", "reading_age.ph")])} == {"fleet"}
    assert "silence" in MEASUREMENTS
    assert not {"silence_1h", "silence_1d"} & MEASUREMENTS
