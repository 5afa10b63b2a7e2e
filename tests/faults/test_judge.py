"""The judge itself: what was lost, changed, invented, doubled or miscounted, it finds."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.faults.judge import Spool, Verdict, judge
from tests.faults.world import World

Make = Callable[..., World]

ONE = "(SELECT series, max(time_ns) FROM reading WHERE flag = 1 AND value IS NOT NULL)"


def test_the_judge_finds_what_a_fault_could_do(world: Make) -> None:
    w = world(devices=3, rate=200.0)
    w.begin()
    w.a_while(0.5, 0.6)
    w.finish().require()
    readings, store = w.gateway.readings_file, w.gateway.store_file

    def again() -> Verdict:
        return judge(w.devices, w.stored, Spool.read(store))

    def spoil(file: Path, statement: str) -> None:
        with closing(sqlite3.connect(file)) as db, db:
            assert db.execute(statement).rowcount == 1

    spoil(readings, f"UPDATE reading SET value = value + 0.5 WHERE (series, time_ns) = {ONE}")
    assert len(again().changed) == 1
    spoil(readings, f"UPDATE reading SET time_ns = time_ns + 1 WHERE (series, time_ns) = {ONE}")
    verdict = again()
    assert (len(verdict.lost), len(verdict.invented), len(verdict.changed)) == (1, 1, 0)
    spoil(readings, f"DELETE FROM reading WHERE (series, time_ns) = {ONE}")
    verdict = again()
    assert (len(verdict.lost), len(verdict.invented)) == (1, 0)
    tap = "SELECT series, time_ns + 5, value, text, flag, raw, calibration FROM reading JOIN series ON series.id = series"
    for field in ("boot", "seq"):
        spoil(readings, f"INSERT INTO reading {tap} WHERE field = '{field}' AND measurement = 'event' LIMIT 1")
    assert len(again().doubled) == 1, "an event that is there twice"
    spoil(store, "UPDATE counter SET value = value + 1 WHERE name = 'messages_received'")
    assert len(again().unaccounted) == 1
    spoil(store, "UPDATE counter SET value = value - 1 WHERE name = 'entries_sent'")
    assert len(again().unaccounted) == 2
