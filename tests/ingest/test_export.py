"""What is exported is what is stored, a spreadsheet runs none of it, and it goes back exactly."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.events import AlertChange, Entry, Event, Flag, Loss, Reading, Readings, StatusChange, TimeQuality, VisitChange
from edge_gateway.settings import Settings
from edge_gateway.sink import Refusal
from ingest import backfill as backfilling
from ingest import export as exporting
from ingest.backfill import backfill
from ingest.cells import guard, unguard
from ingest.export import export
from ingest.query import open_reader
from ingest.sinks import open_sink
from ingest.tables import Kind, iso, parse_iso

T = 1_770_000_000_000_000_001
NASTY = ["", "=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "'quoted", "''", 'say "hi", 看护', "plain", "'", " =1"]


def readings(number: int, time_ns: int, *values: Reading, quality: int = 0, error_s: float | None = None) -> Readings:
    place = "room" if number % 3 else ""
    return Readings.of(
        "village", f"home-{number % 5}", place, 1, number, time_ns, time_ns, "ntp", quality, error_s, list(values)
    )


def everything() -> list[Entry]:
    """Each kind of entry, each flag, each quality of time, texts of every sort; spread over three weeks."""
    entries: list[Entry] = [
        readings(
            number,
            T + number * 6_000_000_000_007,
            Reading("temperature", 20 + number / 7, (1, 2, 3, 4)[number % 4], 19.5 if number % 2 else None, NASTY[number % 11]),
            Reading("humidity.kitchen", None, Flag.MISSING),
            Reading("activity", NASTY[number % 11], 1),
            Reading("motion.hall_2", float(number % 2)),
            Reading("algae_density", 1.2345678901234567e12),
            Reading("rssi", -0.0 if number % 2 else -5e-324),
            quality=list(TimeQuality)[number % 4],
            error_s=None if number % 2 else 3.5,
        )
        for number in range(300)
    ]
    at = ("village", "home-1", "room")
    for number in range(20):
        proof = [Reading("sos", 1.0, 1), Reading("battery_level", 50.0), Reading("proof.x", NASTY[number % 11])]
        entries.append(Event(*at, 5, number, T + number, T, "ntp", 0, None, "sos", proof))
    entries += [Loss(*at, 5, 9, T, T, 4, 1, 100), StatusChange(*at, T, True, 7, "=fw 1"), StatusChange(*at, T + 1, False, None)]
    entries += [
        AlertChange(*at, T + n, f"sos/{n}", "sos", "critical", "raised", "gateway", text, n / 7 if n % 2 else None)
        for n, text in enumerate(NASTY)
    ]
    entries += [
        VisitChange(*at, T + n, f"m/{n}", "meal", f"m{n % 3}", "e-1", "", "late", "weak", n % 2 == 0, n % 3 == 0, -n, text)
        for n, text in enumerate(NASTY)
    ]
    return entries


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_there_and_back_again_is_the_same_file(settings: Settings, empty: Settings, tmp_path: Path, ending: str) -> None:
    source, target = open_sink(settings), open_sink(empty)
    assert source.write(everything()) == []
    for kind in Kind:
        first, second = tmp_path / f"{kind}{ending}", tmp_path / f"{kind}-again{ending}"
        rows = export(open_reader(settings), first, kind)
        done = backfill(first, target)
        assert (done.stored, done.refused) == (rows, 0)
        assert (
            rows == {"readings": 1800, "silence": 0, "events": 60, "losses": 1, "statuses": 2, "alerts": 11, "visits": 11}[kind]
        )
        assert export(open_reader(empty), second, kind) == rows
        assert first.read_bytes() == second.read_bytes()


def test_a_reading_keeps_its_time_value_flag_and_unit(settings: Settings, tmp_path: Path) -> None:
    value = 0.1 + 0.2
    open_sink(settings).write(
        [readings(1, T, Reading("water_temperature", value, Flag.SUSPECT, 9.5, "c1"), quality=1, error_s=2.5)]
    )
    export(open_reader(settings), tmp_path / "a.csv")
    [row] = csv.DictReader((tmp_path / "a.csv").open(newline=""))
    assert row == {
        "time": "2026-02-02T02:40:00.000000001Z",
        "site": "village",
        "device": "home-1",
        "place": "room",
        "channel": "",
        "quantity": "water_temperature",
        "value": "0.30000000000000004",
        "text": "",
        "unit": "Cel",
        "flag": "3",
        "raw": "9.5",
        "calibration": "c1",
        "time_quality": "repaired",
        "clock_error_s": "2.5",
    }
    export(open_reader(settings), tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    assert [table.column(name)[0].as_py() for name in ("value", "flag", "unit")] == [value, 3, "Cel"]
    assert table.column("time")[0].value == T


def test_range_site_and_device_choose(embedded: Settings, tmp_path: Path) -> None:
    open_sink(embedded).write([readings(n, T + n, Reading("temperature", float(n))) for n in range(10)])
    reader, path = open_reader(embedded), tmp_path / "a.csv"
    assert export(reader, path, Kind.READINGS, T + 2, T + 5) == 3
    assert export(reader, path, device="home-3") == 2
    assert export(reader, path, site="nowhere") == 0
    with pytest.raises(Misconfigured, match="no id"):
        export(reader, path, device="x' OR 1=1")


def test_memory_is_bounded_by_row_groups(embedded: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 100)
    open_sink(embedded).write([readings(1, T + n, Reading("temperature", float(n))) for n in range(1000)])
    export(open_reader(embedded), tmp_path / "a.parquet")
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.num_row_groups == 10


def test_no_half_file_is_left_when_the_database_goes_away(tmp_path: Path) -> None:
    class Gone:
        def rows(self, *_: object) -> None:
            raise Unavailable("gone")

        def span(self, measurement: str) -> tuple[int, int]:
            return T, T

        def close(self) -> None: ...

    with pytest.raises(Unavailable):
        export(Gone(), tmp_path / "a.csv")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_ending_is_told(embedded: Settings, tmp_path: Path) -> None:
    open_sink(embedded).close()
    with pytest.raises(Misconfigured, match=r"\.csv or \.parquet"):
        export(open_reader(embedded), tmp_path / "a.xlsx")


@pytest.mark.parametrize("text", NASTY)
def test_a_guarded_cell_is_harmless_and_comes_back(text: str) -> None:
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguard(guard(text)) == text


@pytest.mark.parametrize("time_ns", [0, 1, -1, T, 2**63 - 2, -(2**63) + 2, 951_782_400_000_000_000])
def test_times_are_exact_in_text(time_ns: int) -> None:
    assert parse_iso(iso(time_ns)) == time_ns


def test_a_time_may_have_an_offset_and_few_decimals() -> None:
    assert parse_iso("1970-01-01T08:00:00.5+08:00") == 500_000_000


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time such as"):
        parse_iso("2026-01-01T00:00:00")


HEADER = "time,site,device,place,channel,quantity,value,text,unit,flag"
GOOD = "2026-02-02T02:40:00Z,village,home-1,room,,temperature,21.5,,Cel,1"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("2026-02-02,village,home-1,room,,temperature,21.5,,Cel,1", "bad_time", id="date-only"),
        pytest.param("2026-02-30T00:00:00Z,village,home-1,room,,temperature,21.5,,Cel,1", "bad_time", id="february-30"),
        pytest.param("9999-02-02T00:00:00Z,village,home-1,room,,temperature,21.5,,Cel,1", "bad_time", id="beyond-int64"),
        pytest.param("2026-02-02T02:41:00Z,Village,home-1,room,,temperature,21.5,,Cel,1", "bad_id", id="capital-in-site"),
        pytest.param('2026-02-02T02:41:00Z,village,"h,x=1",room,,temperature,21.5,,Cel,1', "bad_id", id="comma-in-device"),
        pytest.param('2026-02-02T02:41:00Z,village,home-1,room,"a\nb",temperature,1,,Cel,1', "bad_id", id="newline-in-channel"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,warmth,21.5,,Cel,1", "unknown_quantity", id="unknown"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,warm,,Cel,1", "not_a_number", id="word"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,nan,,Cel,1", "not_a_number", id="nan"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,1e400,,Cel,1", "not_a_number", id="infinite"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,,,Cel,1", "not_a_number", id="empty-but-good"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,70,,F,1", "wrong_unit", id="fahrenheit"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,21.5,,Cel,5", "bad_flag", id="flag-5"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,21.5,warm,Cel,1", "type_conflict", id="both"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,21.5,,Cel", "malformed_row", id="cell-missing"),
        pytest.param("2026-02-02T02:40:00Z,village,home-1,room,,temperature,22.5,,Cel,1", "twice", id="twice"),
        pytest.param("2026-02-02T02:41:00Z,village,home-1,room,,temperature,\udcff,,Cel,1", "not_utf8", id="not-utf8"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_its_neighbours_are_stored(
    embedded: Settings, tmp_path: Path, line: str, reason: str
) -> None:
    file = tmp_path / "a.csv"
    text = "\r\n".join([HEADER, GOOD, line, GOOD.replace("home-1", "home-2"), ""])
    file.write_bytes(text.encode(errors="surrogateescape"))
    done = backfill(file, open_sink(embedded))
    assert (done.rows, done.stored, done.refused) == (3, 2, 1)
    with (tmp_path / "a.csv.refused.csv").open(newline="", errors="surrogateescape") as refused:
        [row] = csv.DictReader(refused)
    assert (row["refused_for"], row["line"]) == (reason, "4" if "\n" in line else "3")
    assert {r.tags["device"] for r in open_reader(embedded).rows("climate", 0, 2**62)} == {"home-1", "home-2"}


def test_refused_rows_can_be_mended_and_given_back(embedded: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n{GOOD.replace('02:40', '02:41').replace('Cel', '=F()')}\n")
    done = backfill(file, open_sink(embedded))
    assert done.refused_file is not None
    refused = done.refused_file.read_text()
    assert "'=F()" in refused
    mended = tmp_path / "mended.csv"
    mended.write_text(refused.replace("'=F()", "Cel"))
    assert backfill(mended, open_sink(embedded)).stored == 1


def test_a_file_of_other_columns_is_told_before_anything_is_stored(embedded: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    for header in (
        "a,b",
        "time,site,device,quantity,valve",
        "time,site,quantity,value",
        "time,site,device,quantity,value,value",
    ):
        file.write_text(header + "\n")
        with pytest.raises(Misconfigured):
            backfill(file, open_sink(embedded))
    with pytest.raises(Misconfigured, match="cannot read"):
        backfill(tmp_path / "none.csv", open_sink(embedded))
    (tmp_path / "no.parquet").write_text("no")
    with pytest.raises(Misconfigured, match="cannot read"):
        backfill(tmp_path / "no.parquet", open_sink(embedded))


def test_parquet_of_others_is_checked_as_strictly(embedded: Settings, tmp_path: Path) -> None:
    stamp = pa.timestamp("ns", tz="UTC")
    rows = pa.table(
        {
            "time": pa.array([T, T + 1, T + 2, None], type=stamp),
            "site": ["village"] * 4,
            "device": ["home-1"] * 4,
            "quantity": ["temperature"] * 4,
            "value": [21.5, float("nan"), None, 1.0],
            "flag": [1.0, 1.0, float("inf"), 1.0],
        }
    )
    pq.write_table(rows, tmp_path / "a.parquet")
    done = backfill(tmp_path / "a.parquet", open_sink(embedded))
    assert (done.stored, done.refused) == (1, 3)
    with (tmp_path / "a.parquet.refused.csv").open(newline="") as refused:
        assert [(row["line"], row["refused_for"]) for row in csv.DictReader(refused)] == [
            ("2", "not_a_number"),
            ("3", "not_a_number"),
            ("4", "bad_time"),
        ]
    far = pa.table(
        {
            "time": pa.array([253_402_300_799], type=pa.timestamp("s", tz="UTC")),
            "site": ["a"],
            "device": ["a"],
            "quantity": ["ph"],
        }
    )
    pq.write_table(far, tmp_path / "b.parquet")
    with pytest.raises(Misconfigured, match="damaged after row 0"):
        backfill(tmp_path / "b.parquet", open_sink(embedded))


class Failing:
    """A sink that goes away after some writes, and refuses what it is told to."""

    name = "failing"

    def __init__(self, writes: int, refuse: str = "") -> None:
        self.entries: list[Entry] = []
        self._writes, self._refuse = writes, refuse

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        if self._writes == 0:
            raise Unavailable("away")
        self._writes -= 1
        self.entries += entries
        return [Refusal(entry, "outside_retention", "too old") for entry in entries if entry.device == self._refuse]

    def close(self) -> None: ...


def test_a_stopped_backfill_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "ENTRIES_AT_ONCE", 10)
    file = tmp_path / "a.csv"
    lines = [GOOD.replace("02:40:00", f"02:40:{n % 60:02}").replace("home-1", f"home-{n // 50}") for n in range(100)]
    lines[5] = lines[5].replace("21.5", "bad")
    file.write_text("\n".join([HEADER, *lines, ""]))
    first, second = Failing(4), Failing(-1, "home-1")
    with pytest.raises(Unavailable):
        backfill(file, first)
    seen: list[tuple[int, int]] = []
    done = backfill(file, second, progress=lambda done, total: seen.append((done, total)))
    assert (done.rows, done.refused, done.skipped, done.stored) == (100, 51, 39, 10)
    assert len(first.entries) + len(second.entries) == 99
    assert isinstance(second.entries[0], Readings) and second.entries[0].seq == 42  # its line
    assert seen[-1][0] == seen[-1][1] == file.stat().st_size
    with (tmp_path / "a.csv.refused.csv").open() as refused:
        assert [int(row["line"]) for row in csv.DictReader(refused)] == [7, *range(52, 102)]
    assert not (tmp_path / "a.csv.progress").exists()


def test_the_progress_of_another_file_is_not_taken_for_this_one(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n")
    (tmp_path / "a.csv.progress").write_text(
        json.dumps({"size": 1, "mtime_ns": 1, "rows": 1, "refused": 0, "refused_bytes": 0})
    )
    assert backfill(file, Failing(-1)).stored == 1
