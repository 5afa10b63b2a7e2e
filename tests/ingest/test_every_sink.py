"""One suite for every database, real ones all: what goes in is what is stored, and what is refused is named."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.events import Entry, Reading, VisitChange
from edge_gateway.settings import Influx, Settings
from ingest.embedded import Reader
from ingest.points import Point
from ingest.sinks import PointSink, open_sink
from tests.databases import Database, InfluxQLServer
from tests.ingest.samples import SECOND_NS, one_of_each, readings, rows_of_each, temperatures

NOW_NS: Final = time.time_ns() // SECOND_NS * SECOND_NS
T0: Final = NOW_NS - 3600 * SECOND_NS + 123_456_789

# What a database cannot do, with the reason; everything else is asked of all.
WHOLE_MILLISECONDS: Final = {"victoriametrics"}  # its resolution
ROUNDED: Final = {"victoriametrics"}  # it packs floats as decimals; of the sevenths here 12 digits came back
NO_TEXTS: Final = {"victoriametrics"}  # it has one type, float, and stores a text as 0
NO_TYPES: Final = {"victoriametrics", "embedded"}  # so no write conflicts with an earlier one
NO_TYPE_NAMES: Final = {"victoriametrics", "embedded"}

Row = dict[str, Any]


class Store(Protocol):
    """A database under test: what a sink needs to reach it, and a judge that reads without our code where there is a server."""

    kind: str

    def settings(self, **changes: object) -> Settings: ...
    def rows(self, measurement: str) -> list[Row]: ...


class Served:
    """A real server."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.kind, self._folder = database, database.kind, folder

    def settings(self, **changes: object) -> Settings:
        return Settings(data_dir=self._folder, influx=self.database.settings(**changes))

    def rows(self, measurement: str) -> list[Row]:
        return self.database.rows(measurement)


class Embedded:
    """The embedded file."""

    kind = "embedded"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def settings(self, **changes: object) -> Settings:
        return Settings(data_dir=self._folder, influx=Influx())

    def rows(self, measurement: str) -> list[Row]:
        found: dict[tuple[object, ...], Row] = {}
        for stored in Reader(self._folder / "readings.db").read(measurement, -(2**63), 2**63 - 1):
            tags = stored.series._asdict()
            field = tags.pop("field")
            del tags["id"], tags["measurement"]
            row = found.setdefault(
                (stored.time_ns, *tags.values()), {"time": stored.time_ns} | {k: v for k, v in tags.items() if v}
            )
            cells = {"": stored.value, "_flag": stored.flag, "_raw": stored.raw, "_calibration": stored.calibration}
            row |= {field + ending: value for ending, value in cells.items() if value is not None}
        return list(found.values())


@pytest.fixture(params=["embedded", "influxdb1", "influxdb2", "victoriametrics"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "embedded":
        return Embedded(tmp_path)
    return Served(request.getfixturevalue(request.param), tmp_path)


@pytest.fixture
def sink(store: Store) -> Iterator[PointSink]:
    opened = open_sink(store.settings())
    yield opened
    opened.close()
    opened.close()


def as_kept(rows: list[Row], kind: str) -> list[Row]:
    """`rows` as a database of this kind keeps them, in an order of their own."""
    kept = []
    tags = {"site", "device", "place", "channel", "kind", "rule", "severity"}
    for row in rows:
        new = dict(row)
        if kind in WHOLE_MILLISECONDS:
            new["time"] = row["time"] // 1_000_000 * 1_000_000
        if kind in NO_TEXTS:
            new = {name: 0 if isinstance(value, str) and name not in tags else value for name, value in new.items()}
        if kind in ROUNDED:
            new = {name: float(f"{value:.9g}") if isinstance(value, float) else value for name, value in new.items()}
        kept.append(new)
    return sorted(kept, key=lambda row: (row["time"], [str(row.get(tag)) for tag in sorted(tags)]))


def expected_rows(entries: list[Any]) -> list[Row]:
    """The lines of `samples.temperatures`."""
    return [
        {
            **{"site": "village", "device": e.device, "place": "p1", "time": e.time_ns},
            **{"temperature": e.readings[0].value, "temperature_flag": 1, "humidity": e.readings[1].value, "humidity_flag": 2},
        }
        for e in entries
    ]


def same(found: list[Row], expected: list[Row], kind: str) -> None:
    found, expected = as_kept(found, kind), as_kept(expected, kind)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == other


def test_every_kind_of_entry_is_stored_exactly(store: Store, sink: PointSink) -> None:
    assert sink.write(one_of_each(T0)) == []
    for measurement, rows in rows_of_each(T0).items():
        same(store.rows(measurement), rows, store.kind)


def test_types_are_the_schemas(store: Store, sink: PointSink) -> None:
    if store.kind in NO_TYPE_NAMES:
        pytest.skip(f"{store.kind} has no types to ask for")
    assert isinstance(store, Served)
    sink.write(one_of_each(T0))
    assert store.database.types("climate") == {
        **{"temperature": "float", "temperature_flag": "integer", "humidity_flag": "integer"},
        **{"time_quality": "string", "clock_error_s": "float"},
    }
    assert store.database.types("event") == {
        **{"tap": "string", "tap_flag": "integer", "proof": "string", "proof_flag": "integer"},
        **{"boot": "integer", "seq": "integer"},
    }
    assert store.database.types("loss") == {"lost": "float", "boot": "integer", "first": "integer", "last": "integer"}


def test_no_entries_are_no_work(sink: PointSink) -> None:
    assert sink.write([]) == []
    assert sink.write_points([]) == []


def test_a_second_write_changes_nothing(store: Store, sink: PointSink) -> None:
    sink.write(one_of_each(T0))
    sink.write(one_of_each(T0))
    sink.write(one_of_each(T0) + one_of_each(T0))
    for measurement, rows in rows_of_each(T0).items():
        same(store.rows(measurement), rows, store.kind)


def test_a_visit_that_changed_keeps_no_word_of_what_it_was(store: Store, sink: PointSink) -> None:
    about = ("village", "gateway", "p1", T0, "meal-3/2026-11-21", "meal", "meal-3", "e-7")
    sink.write([VisitChange(*about, "k-2", "unknown", "none", False, False, 0, "reader_offline")])
    sink.write([VisitChange(*about, "", "missed", "none", False, False, 0)])
    (row,) = store.rows("visit")
    if store.kind not in NO_TEXTS:
        assert (row["state"], row["courier"], row["reasons"]) == ("missed", "", "")


@pytest.mark.parametrize("number", [5_000, 20_000])
def test_many_entries_come_back_with_their_own_value_and_time(store: Store, sink: PointSink, number: int) -> None:
    entries = temperatures(number, T0)
    assert sink.write(entries) == []
    same(store.rows("climate"), expected_rows(entries), store.kind)


def test_numbers_at_the_edge_of_a_float_keep_every_bit(store: Store, sink: PointSink) -> None:
    if store.kind in ROUNDED:
        pytest.skip(f"{store.kind} rounds")
    values = [0.1 + 0.2, 5e-324, -1.7976931348623157e308, -0.0, 1e22, 123456789.12345679, 2.0**63]
    assert sink.write([readings([Reading("energy", value, 1)], T0 + n) for n, value in enumerate(values)]) == []
    assert [repr(float(row["energy"])) for row in sorted(store.rows("power"), key=lambda row: row["time"])] == list(
        map(repr, values)
    )


NASTY_TEXTS: Final = [
    *('"', "\\", '\\"', '\\\\"', 'x",y="z', "a,b=c d", "#", "' OR 1=1", "{}%s", "\t", "x\\", "v=1i 1\\n", '",admin=1 1'),
    *("普通话，看湖", "👵🏽", "e\u0301", "\u202eabc", "\u3000", "", " ", "x" * 60_000, "={1+1}", "<script>"),
]


def test_no_text_breaks_out_of_its_field(store: Store, sink: PointSink) -> None:
    if store.kind in NO_TEXTS:
        pytest.skip(f"{store.kind} keeps no texts")
    entries = [readings([Reading("activity", text, 1)], T0 + n, seq=n + 1) for n, text in enumerate(NASTY_TEXTS)]
    # What is not stored as it came has to be harmless all the same.
    rewritten = ["a\nadmin,x=y v=1 1", "nul\0", "\ud800", "a\r\nb"]
    entries += [readings([Reading("activity", text, 1)], T0 + 1000 + n) for n, text in enumerate(rewritten)]
    assert sink.write(entries) == []
    rows = sorted(store.rows("presence"), key=lambda row: row["time"])
    assert [row["activity"] for row in rows] == [*NASTY_TEXTS, "a admin,x=y v=1 1", "nul\ufffd", "\ufffd", "a b"]
    assert all(row.keys() == {"time", "site", "device", "place", "activity", "activity_flag"} for row in rows)
    if isinstance(store, Served) and isinstance(store.database.server, InfluxQLServer):
        assert store.database.server.measurements(store.database.name) == {"presence"}


def test_tags_outside_the_registrys_alphabet_are_stored_exactly_or_refused(store: Store, sink: PointSink) -> None:
    devices = ["a b", "a,b", "a=b", ",", "=", " ", "a,x=y v=1", "é", "#", '"', "'", "_", "time", "a\\", "a\nb", "\\,", "\0"]
    entries = [
        readings([Reading("temperature", float(n), 1)], T0 + n * 1_000_000, device=device) for n, device in enumerate(devices)
    ]
    refused = [r.entry for r in sink.write(entries)]
    stored = {row["device"]: row["temperature"] for row in store.rows("climate")}
    expected = {e.device: e.readings[0].value for e in entries if e not in refused}
    assert stored == expected
    impossible = set() if store.kind == "embedded" else {"a\\", "a\nb", "\\,", "\0"}
    assert {r.device for r in refused} == impossible


def test_what_can_never_be_stored_is_named_and_its_neighbours_are_stored(store: Store, sink: PointSink) -> None:
    good = temperatures(100, T0)
    poison = readings([Reading("temperature", float("nan"))], T0)
    (refusal,) = sink.write([*good[:50], poison, *good[50:]])
    assert (refusal.entry, refusal.reason) == (poison, "malformed_line")
    same(store.rows("climate"), expected_rows(good), store.kind)


def foreign(store: Served, line: str) -> None:
    """Somebody else writes to the same database, without our code."""
    database = store.database
    path, query = ("/write", {"db": database.name})
    if store.kind == "influxdb2":
        path, query = "/api/v2/write", {"bucket": database.name, "org": database.org}
    database.server.http(path, line.encode(), **query)


@pytest.mark.parametrize("every", [1, 3, 999], ids=["all of them", "every third", "one"])
def test_entries_that_conflict_with_what_is_there_are_named_and_the_others_stored(
    store: Store, sink: PointSink, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.kind in NO_TYPES:
        pytest.skip(f"{store.kind} has no types that could conflict")
    assert isinstance(store, Served)
    foreign(store, f"climate,site=x,device=y co2=1i {T0}")
    entries = temperatures(999, T0)
    wrong = [
        readings([Reading("co2", 400.5, 1), Reading("pressure", 1e5, 1)], T0 + n * 7_000_000) for n in range(0, 999, every)
    ]
    mixed: list[Entry] = [*entries, *wrong]
    mixed.sort(key=lambda entry: entry.time_ns)
    requests = count_requests(sink, monkeypatch)
    refusals = sink.write(mixed)
    assert Counter(r.reason for r in refusals) == {"type_conflict": len(wrong)}
    assert {id(r.entry) for r in refusals} == {id(entry) for entry in wrong}
    same([row for row in store.rows("climate") if row["site"] != "x"], expected_rows(entries), store.kind)
    assert requests[0] <= 5, "the field that the database names brings the bad ones together"


def count_requests(sink: PointSink, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    count = [0]
    post: Callable[..., object] = sink._connection.post  # type: ignore[attr-defined]

    def counted(*args: object) -> object:
        count[0] += 1
        return post(*args)

    monkeypatch.setattr(sink._connection, "post", counted)  # type: ignore[attr-defined]
    return count


def test_entries_older_than_the_retention_are_named_and_the_others_stored(
    request: pytest.FixtureRequest, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(store, Served) or store.kind == "victoriametrics":
        pytest.skip("without retention, or dropped without a word: VictoriaMetrics answers 204")
    short = Served(store.database.server.database(retention_s=7200), tmp_path)
    sink = open_sink(short.settings())
    requests = count_requests(sink, monkeypatch)
    good = temperatures(500, NOW_NS - 600 * SECOND_NS)
    old = temperatures(500, NOW_NS - 86_400 * SECOND_NS)
    mixed = [entry for pair in zip(good, old, strict=True) for entry in pair]
    refusals = sink.write(mixed)
    sink.close()
    assert Counter(r.reason for r in refusals) == {"outside_retention": 500}
    assert {id(r.entry) for r in refusals} == {id(entry) for entry in old}
    same(short.rows("climate"), expected_rows(good), store.kind)
    assert requests[0] <= 25


def test_conflicts_and_old_ones_in_one_batch_are_all_named(store: Store, tmp_path: Path) -> None:
    if not isinstance(store, Served) or store.kind == "victoriametrics":
        pytest.skip("it refuses neither")
    short = Served(store.database.server.database(retention_s=7200), tmp_path)
    foreign(short, f"climate,site=x,device=y co2=1i {NOW_NS - 600 * SECOND_NS}")
    good = temperatures(50, NOW_NS - 600 * SECOND_NS)
    old = temperatures(5, NOW_NS - 86_400 * SECOND_NS)
    wrong = [readings([Reading("co2", 1.5)], NOW_NS - (600 - n) * SECOND_NS) for n in range(5)]
    sink = open_sink(short.settings())
    refusals = sink.write([*good[:25], *old, *wrong, *good[25:]])
    sink.close()
    assert Counter(r.reason for r in refusals) == {"outside_retention": 5, "type_conflict": 5}
    same([row for row in short.rows("climate") if row["site"] != "x"], expected_rows(good), store.kind)


def test_points_that_come_from_no_entry_are_stored_too(store: Store, sink: PointSink) -> None:
    fields: list[tuple[str, float | int | str]] = [("temperature_mean", 21.25), ("temperature_count", 60)]
    points = [Point("climate_1h", "village", "home-1", "p1", "", (), fields, T0 // SECOND_NS * SECOND_NS)]
    assert sink.write_points(points) == []
    tags = {"site": "village", "device": "home-1", "place": "p1", "time": points[0].time_ns}
    same(store.rows("climate_1h"), [{**tags, "temperature_mean": 21.25, "temperature_count": 60}], store.kind)


def test_the_server_away_is_unavailable_and_after_its_return_nothing_is_missing(store: Store, sink: PointSink) -> None:
    if not isinstance(store, Served):
        pytest.skip("the embedded store has no server")
    entries = temperatures(3000, T0)
    assert sink.write(entries[:1000]) == []
    store.database.kill()
    for _ in range(3):
        with pytest.raises(Unavailable):
            sink.write(entries[1000:2000])
    store.database.start()
    assert sink.write(entries[1000:2000]) == []
    # VictoriaMetrics holds a second of data in memory only: an orderly end for it, a kill for the others.
    store.database.server._end(signal.SIGTERM if store.kind == "victoriametrics" else signal.SIGKILL)
    store.database.start()
    assert sink.write(entries[2000:]) == []
    if store.kind == "victoriametrics":
        assert len(store.rows("climate")) >= 2000, "kill -9 may take the last second, although it had answered 204"
        assert sink.write(entries[:1000]) == []
    same(store.rows("climate"), expected_rows(entries), store.kind)


def test_a_frozen_server_is_given_up_and_written_to_again_when_it_wakes(store: Store) -> None:
    if not isinstance(store, Served):
        pytest.skip("the embedded store has no server")
    sink = open_sink(store.settings(timeout_s=0.5))
    entries = temperatures(200, T0)
    sink.write(entries[:100])
    store.database.server.freeze()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        sink.write(entries[100:])
    assert time.monotonic() - began < 3
    store.database.server.thaw()
    sink.close()
    patient = open_sink(store.settings())
    assert patient.write(entries[100:]) == []
    patient.close()
    same(store.rows("climate"), expected_rows(entries), store.kind)


@pytest.mark.parametrize("change", [{"bucket": "nobody-made-this"}, {"token_file": None}], ids=["no bucket", "no token"])
def test_a_wrong_setting_keeps_everything_and_says_what_to_do(store: Store, change: dict[str, object]) -> None:
    if store.kind in ("embedded", "victoriametrics") or (store.kind == "influxdb1" and "token_file" in change):
        pytest.skip("it has neither buckets nor, here, a login")
    sink = open_sink(store.settings(**change))
    with pytest.raises(Misconfigured) as error:
        sink.write(temperatures(3, T0))
    sink.close()
    assert error.value.hint
    assert store.rows("climate") == []


def test_a_sink_opened_again_goes_on_where_the_last_one_ended(store: Store) -> None:
    entries = temperatures(100, T0)
    for part in (entries[:60], entries[40:]):
        sink = open_sink(store.settings())
        sink.write(part)
        sink.close()
    same(store.rows("climate"), expected_rows(entries), store.kind)
