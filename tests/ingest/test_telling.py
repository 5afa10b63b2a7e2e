"""What is told of how things are now needs no room on our own disk, and of silence there are no sums."""

import sqlite3
from pathlib import Path

import pytest

from edge_gateway.errors import Unavailable
from edge_gateway.events import Reading, Readings
from edge_gateway.settings import Settings
from edge_gateway.sink import Teller
from ingest.query import open_reader
from ingest.rollups import open_rollups, touched
from ingest.rows import MEASUREMENTS
from ingest.sinks import open_sink

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


def test_silence_has_no_sums() -> None:
    assert touched([said(NOON_NS, "reading_age.temperature", "reading_overdue.temperature")]) == set()
    assert {measurement for measurement, *_ in touched([said(NOON_NS, "overdue", "reading_age.ph")])} == {"fleet"}
    assert "silence" in MEASUREMENTS
    assert not {"silence_1h", "silence_1d"} & MEASUREMENTS
