"""Reading back is exact, bounded and honest about what went wrong, on every database alike."""

import http.server
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.events import Entry, Event, Flag, Loss, Reading, Readings, TimeQuality
from edge_gateway.settings import Influx, Settings
from ingest.query import Row, open_reader
from ingest.rows import MEASUREMENTS, is_integer
from ingest.setup import setup
from ingest.sinks import open_sink
from tests.databases import Database

T = 1_770_000_000_000_000_001

Fields = dict[str, float | int | str]


def readings(device: str, time_ns: int, *values: Reading) -> Readings:
    return Readings.of("village", device, "room", 1, 1, time_ns, time_ns, "ntp", TimeQuality.DEVICE, 4.5, list(values))


def test_rows_are_what_was_written(settings: Settings) -> None:
    entries: list[Entry] = [
        readings("home-2", T, Reading("temperature", 21.0, 1, 20.5, "c1"), Reading("humidity.kitchen", None, Flag.MISSING)),
        readings("home-1", T + 1, Reading("temperature", 1e21), Reading("pressure", -0.0)),
        Event("village", "home-1", "", 7, 8, T, T, "ntp", 0, None, "tap", [Reading("tap", ",-0,")]),
        Loss("village", "home-1", "", 1, 1, T, T, 4, 1, 100),
    ]
    assert open_sink(settings).write(entries) == []
    reader = open_reader(settings)
    room = {"site": "village", "place": "room"}
    late: Fields = {"clock_error_s": 4.5}
    found = sorted(reader.rows("climate", T, T + 2), key=lambda row: (row.tags["device"], len(row.tags)))
    assert found == [
        Row(
            T + 1,
            room | {"device": "home-1"},
            late | {"temperature": 1e21, "temperature_flag": 2, "pressure": -0.0, "pressure_flag": 2},
        ),
        Row(
            T,
            room | {"device": "home-2"},
            late | {"temperature": 21.0, "temperature_flag": 1, "temperature_raw": 20.5, "temperature_calibration": "c1"},
        ),
        Row(T, room | {"device": "home-2", "channel": "kitchen"}, late | {"humidity_flag": 9}),
    ]
    assert [str(row.fields["pressure"]) for row in found[:1]] == ["-0.0"]
    for row in found:
        assert all(type(value) is (int if is_integer(name) else type(value)) for name, value in row.fields.items())
        assert all(not isinstance(value, int) or is_integer(name) for name, value in row.fields.items())
    [event] = reader.rows("event", T, T + 1)
    assert event.tags == {"site": "village", "device": "home-1", "kind": "tap"}
    assert event.fields == {"tap": ",-0,", "tap_flag": 2, "boot": 7, "seq": 8}
    [loss] = reader.rows("loss", T, T + 1)
    assert loss.fields == {"lost": 100.0, "boot": 4, "first": 1, "last": 100}
    assert type(loss.fields["lost"]) is float


def test_a_range_holds_its_start_and_not_its_end(settings: Settings) -> None:
    open_sink(settings).write([readings("home-1", T + n, Reading("temperature", float(n))) for n in range(5)])
    reader = open_reader(settings)
    assert [row.time_ns for row in reader.rows("climate", T + 1, T + 3)] == [T + 1, T + 2]
    assert reader.span("climate") == (T, T + 4)
    assert reader.span("water") is None
    assert list(reader.rows("water", 0, 2**62)) == []


def test_site_and_device_choose(settings: Settings) -> None:
    open_sink(settings).write([readings(f"home-{n}", T, Reading("temperature", float(n))) for n in range(5)])
    reader = open_reader(settings)
    assert [row.fields["temperature"] for row in reader.rows("climate", T, T + 1, "village", "home-3")] == [3.0]
    assert list(reader.rows("climate", T, T + 1, site="village-2")) == []


def test_many_chunks_of_many_series_come_whole_and_in_order(settings: Settings) -> None:
    entries = [readings(f"home-{n % 3}", T + n, Reading("temperature", float(n))) for n in range(20_000)]
    open_sink(settings).write(entries)
    found = list(open_reader(settings).rows("climate", T, T + 20_000))
    order = [(row.tags["device"], row.time_ns) for row in found]
    assert order == sorted(order)
    assert [row.fields["temperature"] for row in found] == [float(row.time_ns - T) for row in found]
    assert len(found) == 20_000


def test_a_long_range_needs_no_more_memory_than_a_short_one(settings: Settings) -> None:
    sink = open_sink(settings)
    for begin in range(0, 60_000, 10_000):
        sink.write([readings("home-1", T + n, Reading("temperature", n / 7)) for n in range(begin, begin + 10_000)])
    reader = open_reader(settings)
    next(reader.rows("climate", T, T + 1))
    tracemalloc.start()
    count = sum(1 for _ in reader.rows("climate", T, T + 60_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 60_000
    assert peak < 8_000_000  # all rows together take thirty megabytes


@pytest.mark.parametrize("measurement", ["", "climate; DROP", 'climate" WHERE', "_monitoring"])
def test_no_name_but_ours_gets_into_a_query(settings: Settings, measurement: str) -> None:
    with pytest.raises(Misconfigured, match="no measurement"):
        open_reader(settings).rows(measurement, 0, 1)


@pytest.mark.parametrize("bad", ["x' OR '1'='1", "", "Home", "a" * 49, "a\nb"])
def test_no_value_but_an_id_gets_into_a_query(settings: Settings, bad: str) -> None:
    with pytest.raises(Misconfigured, match="is no id"):
        open_reader(settings).rows("climate", 0, 1, site=bad)
    with pytest.raises(Misconfigured, match="is no id"):
        open_reader(settings).rows("climate", 0, 1, device=bad)


def test_victoriametrics_says_that_it_cannot_be_read_back(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, influx=Influx(url="http://127.0.0.1:1", kind="victoriametrics"))
    with pytest.raises(Misconfigured, match="no InfluxQL"):
        open_reader(settings)


@pytest.mark.parametrize("kind", ["influxdb1", "influxdb2"])
def test_a_database_that_is_not_there_is_told_with_the_next_step(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    database: Database = request.getfixturevalue(kind)
    reader = open_reader(Settings(data_dir=tmp_path, influx=database.settings(bucket="nowhere")))
    with pytest.raises(Misconfigured, match="kanhu ingest setup"):
        list(reader.rows("climate", 0, 1))


def test_a_wrong_token_is_told(influxdb2: Database, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("wrong\n")
    reader = open_reader(Settings(data_dir=tmp_path, influx=influxdb2.settings(token_file=token)))
    with pytest.raises(Misconfigured, match="token"):
        list(reader.rows("climate", 0, 1))


def test_the_readers_token_is_used_when_set_up_made_one(influxdb2: Database, tmp_path: Path) -> None:
    influx = influxdb2.settings(token_file=tmp_path / "secrets" / "gateway.token")
    settings = Settings(data_dir=tmp_path, influx=influx)
    setup(settings, admin_token=influxdb2.token, retention_days=0)
    assert list(open_reader(settings).rows("climate", 0, 1)) == []
    with pytest.raises(Misconfigured, match="may not read"):
        list(open_reader(settings, "gateway").rows("climate", 0, 1))


WHOLE = b'{"results":[{"statement_id":0,"series":[{"name":"climate","columns":["time","temperature"],"values":[[1,2]]}]}]}\n'
PART = WHOLE.replace(b"}]}]}", b'}],"partial":true}]}')


@pytest.mark.parametrize(
    ("status", "body", "length"),
    [
        pytest.param(200, PART, None, id="ends-in-the-middle"),
        pytest.param(200, PART, 10_000, id="connection-broken"),
        pytest.param(200, b"", None, id="empty"),
        pytest.param(200, b"<html>proxy</html>", None, id="no-json"),
        pytest.param(200, b'{"results":[{"statement_id":0,"error":"timeout"}]}', None, id="error-in-200"),
        pytest.param(200, PART + b'{"error":"out of memory"}', None, id="error-after-rows"),
        pytest.param(503, b"busy", None, id="busy"),
        pytest.param(500, b"oops", None, id="broken"),
    ],
)
def test_an_answer_that_is_not_whole_is_never_taken_for_all(
    tmp_path: Path, status: int, body: bytes, length: int | None
) -> None:
    with scripted(status, body, length) as url, pytest.raises(Unavailable):
        list(open_reader(Settings(data_dir=tmp_path, influx=Influx(url=url, kind="influxdb1"))).rows("climate", 0, 10))


def test_a_whole_answer_is_taken(tmp_path: Path) -> None:
    with scripted(200, PART + WHOLE, None) as url:
        found = list(open_reader(Settings(data_dir=tmp_path, influx=Influx(url=url, kind="influxdb1"))).rows("climate", 0, 10))
    assert found == [Row(1, {}, {"temperature": 2.0})] * 2


def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    reader = open_reader(Settings(data_dir=tmp_path, influx=Influx(url="http://127.0.0.1:1", kind="influxdb1")))
    with pytest.raises(Unavailable):
        reader.span("climate")


def test_no_quantity_is_taken_for_an_integer() -> None:
    from edge_gateway.catalog import QUANTITIES

    assert not [name for name in QUANTITIES if is_integer(name)]
    assert "climate_1h" in MEASUREMENTS
    assert "event_1h" not in MEASUREMENTS


@contextmanager
def scripted(status: int, body: bytes, length: int | None) -> Iterator[str]:
    """A server that gives one answer, and promises `length` bytes whatever it sends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
