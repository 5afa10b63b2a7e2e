"""What the writer does with each answer, on a scripted server: for answers that a real database cannot be made to give."""

import json
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.events import Reading
from edge_gateway.settings import Influx
from ingest.connection import retry_after_s
from ingest.influx import STUCK_AFTER, InfluxSink
from tests.ingest.samples import readings, temperatures
from tests.ingest.scripted import CLOSE, SILENCE, Reply, scripted
from tests.ingest.test_points import T0

HELD = Reply(204)


def always(reply: Reply) -> Callable[[list[bytes]], Reply]:
    return lambda lines: reply


def in_turn(*replies: Reply) -> Callable[[list[bytes]], Reply]:
    """One after the other, the last one for ever."""
    left = list(replies)
    return lambda lines: left.pop(0) if len(left) > 1 else left[0]


def message(text: str) -> str:
    return json.dumps({"code": "invalid", "message": text})


@pytest.mark.parametrize(
    ("reply", "retry_s"),
    [
        pytest.param(Reply(429, headers={"Retry-After": "7"}), 7.0, id="429 with seconds"),
        pytest.param(Reply(503, headers={"Retry-After": "30"}), 30.0, id="503 with seconds"),
        pytest.param(
            Reply(503, headers={"Retry-After": formatdate(1_000_060, usegmt=True), "Date": formatdate(1_000_000, usegmt=True)}),
            60.0,
            id="503 with a date, counted on the server's clock",
        ),
        pytest.param(Reply(503), None, id="503"),
        pytest.param(Reply(503, headers={"Retry-After": "soon"}), None, id="nonsense"),
        pytest.param(Reply(429, headers={"Retry-After": "999999999"}), 3600.0, id="for years: an hour at most"),
        pytest.param(Reply(500, message("internal error")), None, id="500"),
        pytest.param(Reply(502, "<html>"), None, id="502 of a proxy"),
        pytest.param(Reply(408), None, id="408"),
        pytest.param(Reply(200, "<html>please log in</html>"), None, id="200 of a hotel's network is not 204"),
        pytest.param(Reply(CLOSE), None, id="closed without an answer"),
    ],
)
def test_a_busy_or_broken_server_keeps_everything_with_the_caller(reply: Reply, retry_s: float | None) -> None:
    with scripted(always(reply)) as server:
        sink = InfluxSink(server.settings())
        with pytest.raises(Unavailable) as error:
            sink.write(temperatures(10, T0))
        sink.close()
    assert error.value.retry_after_s == retry_s
    assert server.held == []


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(Reply(401, message("unauthorized access")), "token_file", id="401"),
        pytest.param(Reply(403, message("forbidden")), "token", id="403"),
        pytest.param(Reply(404, message('bucket "kanhu" not found')), "setup", id="404"),
        pytest.param(Reply(405), "influx.kind", id="405"),
        pytest.param(Reply(301, headers={"Location": "https://other.example/"}), "https://other.example/", id="301"),
        pytest.param(Reply(307, headers={"Location": "http://127.0.0.1:1/"}), "redirects", id="307"),
    ],
)
def test_what_only_a_person_can_mend_is_told_with_the_next_step(reply: Reply, says: str, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.touch(0o600)
    secret.write_text("very-secret-token\n")
    with scripted(always(reply)) as server:
        sink = InfluxSink(server.settings(token_file=secret))
        with pytest.raises(Misconfigured) as error:
            sink.write(temperatures(10, T0))
        sink.close()
    assert says in str(error.value)
    assert len(server.requests) == 1, "it must not hammer, and follow nothing"
    assert "Authorization: Token very-secret-token" in server.heads[0]
    assert "very-secret-token" not in str(error.value)


def test_what_was_erased_is_not_written_again_to_see_whether_the_database_takes_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with scripted(always(Reply(204))) as server:
        sink = InfluxSink(server.settings())
        monkeypatch.setattr(sink._forgetting, "erase", lambda *about: -1)
        sink.write(temperatures(1, T0))
        sink.erase("village", "home-7", ["box-1"])
        server.answer = lambda lines: Reply(400, "what?") if len(lines) > 1 else Reply(204)
        erased, server.requests = server.requests[0], []
        sink.write(temperatures(4, T0 + 3600 * 10**9))
        sink.close()
    assert server.requests and not [lines for lines in server.requests if erased[0] in lines]


def test_a_server_that_never_answers_is_given_up_after_the_time_out() -> None:
    with scripted(always(Reply(SILENCE))) as server:
        sink = InfluxSink(server.settings(timeout_s=0.2))
        began = time.monotonic()
        with pytest.raises(Unavailable):
            sink.write(temperatures(3, T0))
        assert time.monotonic() - began < 2
        server.answer = always(HELD)
        assert sink.write(temperatures(3, T0)) == [], "the next call begins on a new connection"
        sink.close()
    assert len(server.held) == 3


def test_an_answer_lost_after_the_write_leads_to_the_same_lines_again() -> None:
    entries = temperatures(3, T0)
    with scripted(in_turn(HELD, Reply(CLOSE), HELD)) as server:
        sink = InfluxSink(server.settings())
        sink.write(entries[:1])
        assert sink.write(entries) == [], "an idle connection may be closed at any time: once more, on a new one"
        sink.close()
    assert server.requests[1] == server.requests[2]
    assert server.connections == 2


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}"):
        InfluxSink(Influx(url=f"http://127.0.0.1:{port}")).write(temperatures(1, T0))


def test_no_entries_are_no_request() -> None:
    with scripted(always(HELD)) as server:
        assert InfluxSink(server.settings()).write([]) == []
    assert server.requests == []


def test_requests_hold_at_most_as_many_lines_as_set_and_keep_their_order() -> None:
    with scripted(always(HELD)) as server:
        sink = InfluxSink(server.settings(batch_lines=400))
        sink.write(temperatures(1000, T0))
        sink.close()
    assert [len(lines) for lines in server.requests] == [400, 400, 200]
    assert [int(line.rpartition(b" ")[2]) for line in server.held] == [T0 + n * 1_000_003 for n in range(1000)]
    assert server.connections == 1


def test_requests_are_bounded_in_bytes_too() -> None:
    entries = [readings([Reading("activity", "x" * 60_000)], T0 + n) for n in range(300)]
    with scripted(always(HELD)) as server:
        sink = InfluxSink(server.settings())
        sink.write(entries)
        sink.close()
    assert len(server.held) == 300
    assert max(sum(map(len, lines)) for lines in server.requests) <= 8 << 20


def refuses(*poison: bytes, status: int = 400, text: str = "no words") -> Callable[[list[bytes]], Reply]:
    """Refuses every request with one of these in a line of it."""

    def answer(lines: list[bytes]) -> Reply:
        return Reply(status, message(text)) if any(p in line for p in poison for line in lines) else HELD

    return answer


def test_one_unnamed_bad_line_of_a_thousand_is_found_in_at_most_21_requests() -> None:
    entries = temperatures(1000, T0)
    worst = 0
    for place in (0, 1, 499, 500, 998, 999):
        with scripted(refuses(b" %d" % entries[place].time_ns, text="partial write of line protocol")) as server:
            sink = InfluxSink(server.settings())
            (refusal,) = sink.write(entries)
            sink.close()
        assert refusal.entry is entries[place]
        assert refusal.reason == "malformed_line"
        assert len(set(server.held)) == 999
        worst = max(worst, len(server.requests))
    assert worst <= 21


def test_quoted_lines_are_taken_out_at_once_and_the_rest_is_stored_whole() -> None:
    entries = temperatures(1000, T0)
    poison = [entries[n].time_ns for n in (3, 500, 999)]

    def answer(lines: list[bytes]) -> Reply:
        named = [line.decode() for line in lines if int(line.rpartition(b" ")[2]) in poison]
        return Reply(400, message("\n".join(f"unable to parse '{line}': bad number" for line in named))) if named else HELD

    with scripted(answer) as server:
        sink = InfluxSink(server.settings())
        refusals = sink.write(entries)
        sink.close()
    assert [(r.entry, r.reason, r.detail) for r in refusals] == [
        (entries[n], "malformed_line", "bad number") for n in (3, 500, 999)
    ]
    assert len(server.requests) == 2
    assert len(server.held) == 997


def test_a_text_that_looks_like_the_servers_own_words_does_not_mislead() -> None:
    texts = ["x': y", "unable to parse 'a': b", "it's", "': ': '"]
    entries = [readings([Reading("activity", text)], T0 + n) for n, text in enumerate([*texts, "good"])]

    def answer(lines: list[bytes]) -> Reply:
        named = [line.decode() for line in lines if b"good" not in line]
        return Reply(400, message("\n".join(f"unable to parse '{line}': bad" for line in named))) if named else HELD

    with scripted(answer) as server:
        sink = InfluxSink(server.settings())
        assert [r.entry for r in sink.write(entries)] == entries[:4]
        sink.close()
    assert len(server.requests) == 2


def test_influxdb_3_names_lines_by_number() -> None:
    entries = temperatures(10, T0)
    rows = [{"error_message": "invalid column type for column 'temperature'", "line_number": 4, "original_line": "clima"}]
    body = json.dumps({"error": "partial write of line protocol occurred", "data": rows})
    with scripted(in_turn(Reply(400, body), HELD)) as server:
        sink = InfluxSink(server.settings(kind="influxdb3"))
        (refusal,) = sink.write(entries)
        sink.close()
    assert (refusal.entry, refusal.reason) == (entries[3], "type_conflict")
    assert len(server.requests) == 2


def test_a_batch_that_is_too_large_is_halved_and_only_a_single_line_is_refused() -> None:
    entries = [*temperatures(100, T0), readings([Reading("activity", "x" * 9000)], T0)]
    with scripted(lambda lines: Reply(413) if sum(map(len, lines)) > 4000 else HELD) as server:
        sink = InfluxSink(server.settings())
        (refusal,) = sink.write(entries)
        sink.close()
    assert (refusal.entry, refusal.reason) == (entries[100], "too_large")
    assert len(set(server.held)) == 100


def test_an_entry_of_several_lines_is_refused_once_and_its_neighbours_are_stored() -> None:
    entries = temperatures(20, T0)
    two_lines = readings([Reading("temperature", 1.0), Reading("ph", 7.0), Reading("power", 3.0)], T0)
    with scripted(refuses(b"water,", b"power,", text="partial write: field type conflict: x dropped=1")) as server:
        sink = InfluxSink(server.settings())
        (refusal,) = sink.write([*entries, two_lines])
        sink.close()
    assert (refusal.entry, refusal.reason) == (two_lines, "type_conflict")
    assert len(set(server.held)) == 21


def test_what_can_never_become_a_line_is_refused_without_a_request() -> None:
    entries = [
        *temperatures(2, T0),
        readings([Reading("ph", 7.0), Reading("temperature", float("nan"))], T0),
        *temperatures(1, T0 + 9),
    ]
    with scripted(always(HELD)) as server:
        sink = InfluxSink(server.settings())
        (refusal,) = sink.write(entries)
        sink.close()
    assert (refusal.entry, refusal.reason) == (entries[2], "malformed_line")
    assert len(server.held) == 3


def test_a_500_that_repeats_for_one_batch_while_others_pass_goes_to_the_refused_list() -> None:
    entries = temperatures(100, T0)
    with scripted(refuses(b" %d" % entries[42].time_ns, status=500)) as server:
        sink = InfluxSink(server.settings())
        assert sink.write(temperatures(5, T0 - 10**12)) == []
        for _ in range(STUCK_AFTER - 1):
            with pytest.raises(Unavailable):
                sink.write(entries)
        (refusal,) = sink.write(entries)
        sink.close()
    assert (refusal.entry, refusal.reason) == (entries[42], "malformed_line")
    assert {line for lines in server.requests for line in lines if line in server.held} >= {
        line for line in server.requests[1] if b" %d" % entries[42].time_ns not in line
    }


def test_the_same_holds_for_a_sink_that_has_not_written_anything_yet() -> None:
    entries = temperatures(100, T0)
    with scripted(refuses(b" %d" % entries[0].time_ns, status=500)) as server:
        sink = InfluxSink(server.settings())
        for _ in range(STUCK_AFTER - 1):
            with pytest.raises(Unavailable):
                sink.write(entries)
        (refusal,) = sink.write(entries)
        sink.close()
    assert refusal.entry is entries[0]


@pytest.mark.parametrize("before", [0, 5])
@pytest.mark.parametrize(
    ("reply", "raises"),
    [
        pytest.param(Reply(500, message("no space left on device")), Unavailable, id="500"),
        pytest.param(Reply(400, "The plain HTTP request was sent to HTTPS port"), Misconfigured, id="400 of another server"),
        pytest.param(Reply(400, '{"error":"gzip: invalid header"}'), Misconfigured, id="400 for something else than lines"),
    ],
)
def test_nothing_is_ever_refused_while_nothing_is_taken(reply: Reply, raises: type[Exception], before: int) -> None:
    with scripted(always(HELD)) as server:
        sink = InfluxSink(server.settings())
        sink.write(temperatures(before, T0))
        server.answer = always(reply)
        for _ in range(3 * STUCK_AFTER):
            with pytest.raises(raises):
                sink.write(temperatures(1000, T0))
        assert len(server.requests) <= 1 + 4 * 3 * STUCK_AFTER, "it must not bisect what no line is to blame for"
        server.answer = always(HELD)
        assert sink.write(temperatures(1000, T0)) == []
        sink.close()


def test_a_server_that_answers_without_end_fills_no_memory() -> None:
    with scripted(always(Reply(500, "x" * (3 << 20)))) as server:
        sink = InfluxSink(server.settings())
        with pytest.raises(Unavailable) as error:
            sink.write(temperatures(1, T0))
        assert len(str(error.value)) < 1000
        server.answer = always(HELD)
        assert sink.write(temperatures(1, T0)) == []
        sink.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("influx:8086", "http"),
        ("ftp://host/", "http"),
        ("http://user:pass@host:8086", "user name or password"),
        ("http://host:99999", "http"),
    ],
)
def test_an_impossible_address_is_said_at_once(url: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as error:
        InfluxSink(Influx(url=url))
    assert "pass@" not in str(error.value)


def test_a_broken_token_is_never_shown(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.touch(0o600)
    secret.write_text("two\nlines")
    with pytest.raises(Misconfigured) as error:
        InfluxSink(Influx(url="http://127.0.0.1:1", token_file=secret))
    assert "two" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("influxdb2", "/p/api/v2/write?org=kanhu&bucket=b%26c&precision=ns"),
        ("influxdb3", "/p/api/v2/write?org=kanhu&bucket=b%26c&precision=ns"),
        ("influxdb1", "/p/write?db=b%26c&precision=ns"),
        ("victoriametrics", "/p/write?db=b%26c&precision=ns"),
    ],
)
def test_each_kind_is_written_where_it_listens(kind: str, path: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("pass word")
    with scripted(always(HELD)) as server:
        known = server.settings(kind=kind, bucket="b&c", username="user", password_file=password)
        sink = InfluxSink(known.model_copy(update={"url": known.url + "/p/"}))
        sink.write(temperatures(1, T0))
        sink.close()
    assert server.heads[0].startswith(f"POST {path} HTTP/1.1")
    assert "Authorization: Basic dXNlcjpwYXNzIHdvcmQ=" in server.heads[0]
    assert "Content-Encoding: gzip" in server.heads[0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), (" 1.5 ", 1.5), ("-1", None), ("1e9", None), ("", None), (formatdate(0, usegmt=True), 0.0), ("१०", None)],
)
def test_retry_after_is_read_with_care(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, formatdate(10, usegmt=True)) == seconds
