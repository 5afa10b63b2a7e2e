"""Reads through InfluxQL (`/query`), which InfluxDB 1, 2 and 3 speak alike; the answer is read in chunks as it comes."""

import http.client
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.settings import Influx, secret
from ingest.connection import authorization, basic
from ingest.rows import DAILY, HOURLY, Row, checked, is_integer, rollup_database

CHUNK_ROWS: Final = 5000  # 5,000 rows of five fields are about half a megabyte of JSON
PATIENCE_S: Final = 60.0  # the first chunk of a long range may take longer than a write may


class Series(msgspec.Struct, gc=False):
    """A part of an answer: rows of one series, or of a SHOW."""

    columns: list[str]
    tags: dict[str, str] = {}
    values: list[list[Any]] = []


class _Result(msgspec.Struct, gc=False):
    series: list[Series] = []
    error: str = ""
    partial: bool = False  # more of this statement follows


class _Answer(msgspec.Struct, gc=False):
    results: list[_Result] = []
    error: str = ""


_decode: Final = msgspec.json.Decoder(_Answer).decode
# InfluxDB prints the float -0.0 as -0, which JSON calls an integer, and that loses its sign.
_MINUS_ZERO: Final = re.compile(rb"[\[,]-0[,\]]")


def _decode_slowly(line: bytes) -> _Answer:
    tree = json.loads(line, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))
    return msgspec.convert(tree, _Answer)


class InfluxReader:
    """A `Reader` over HTTP; one connection a query, so an abandoned answer costs nothing but itself.

    Args:
        influx: where it is, and the token's file or the user; `bucket` is the database.
    """

    def __init__(self, influx: Influx) -> None:
        self._influx = influx
        self._url = urlsplit(influx.url)
        self._headers = {"Accept": "application/json"} | _login(influx)

    def rows(
        self, measurement: str, start_ns: int, end_ns: int, site: str | None = None, device: str | None = None
    ) -> Iterator[Row]:
        """See `Reader.rows`."""
        checked(measurement, site, device)
        where = f"time >= {int(start_ns)} AND time < {int(end_ns)}"
        where += f" AND \"site\" = '{site}'" if site is not None else ""
        where += f" AND \"device\" = '{device}'" if device is not None else ""
        return self._rows(self._database(measurement), f'SELECT * FROM "{measurement}" WHERE {where} GROUP BY *')

    def _rows(self, database: str, query: str) -> Iterator[Row]:
        for series in self.ask(database, query):
            tags = {name: value for name, value in series.tags.items() if value}
            names = series.columns[1:]  # the first is always the time, an integer that no float may touch
            floats = [not is_integer(name) for name in names]
            for time_ns, *values in series.values:
                fields = {
                    name: float(value) if is_float and type(value) is int else value
                    for name, value, is_float in zip(names, values, floats, strict=True)
                    if value is not None
                }
                yield Row(time_ns, tags, fields)

    def span(self, measurement: str) -> tuple[int, int] | None:
        """See `Reader.span`."""
        checked(measurement, None, None)
        ends: list[int] = []
        for order in ("ASC", "DESC"):
            query = f'SELECT * FROM "{measurement}" ORDER BY time {order} LIMIT 1'
            ends += [int(values[0]) for series in self.ask(self._database(measurement), query) for values in series.values]
        return (ends[0], ends[1]) if len(ends) == 2 else None

    def places(self) -> set[tuple[str, str]]:
        """(site, place) of everything that is stored, roll-ups included. Raises as `Reader.rows`."""
        found: set[tuple[str, str]] = set()
        for database in (self._influx.bucket, rollup_database(self._influx.bucket)):
            sites = {row[1] for s in self.ask(database, 'SHOW TAG VALUES WITH KEY = "site"') for row in s.values}
            for site in sites:
                checked("event", site, None)
                query = f'SHOW TAG VALUES WITH KEY = "place" WHERE "site" = \'{site}\''
                found |= {(site, row[1]) for s in self.ask(database, query) for row in s.values if row[1]}
        return found

    def close(self) -> None:
        """Nothing stays open between queries."""

    def _database(self, measurement: str) -> str:
        is_rollup = measurement.endswith((HOURLY, DAILY))
        return rollup_database(self._influx.bucket) if is_rollup else self._influx.bucket

    def ask(self, database: str, query: str, method: str = "GET") -> Iterator[Series]:
        """The series of the answer as they come, a chunk at a time. `query` is made of constants and checked ids only."""
        asked = {"db": database, "q": query, "epoch": "ns", "chunked": "true", "chunk_size": str(CHUNK_ROWS)}
        target = f"{self._url.path.rstrip('/')}/query?{urlencode(asked)}"
        try:
            with closing(self._connection()) as connection:
                connection.request(method, target, headers=self._headers)
                answer = connection.getresponse()
                if answer.status != 200:
                    raise refusal(answer.status, answer.read(500).decode("utf-8", "replace"), self._influx)
                more = True
                for line in _lines(answer):
                    result = self._result(line, database)
                    more = result.partial
                    yield from result.series
                if more:
                    raise Unavailable(f"{self._influx.url}: the answer broke off")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._influx.url}: {type(error).__name__}: {error}"[:300]) from error

    def _result(self, line: bytes, database: str) -> _Result:
        try:
            answer = _decode(line) if _MINUS_ZERO.search(line) is None else _decode_slowly(line)
        except (ValueError, msgspec.ValidationError) as error:
            raise Unavailable(f"{self._influx.url}: no InfluxQL answer: {error}: {line[:100]!r}") from error
        problems = [p for p in (answer.error, *(r.error for r in answer.results)) if p]
        if any("database not found" in p or "retention policy not found" in p for p in problems):
            # InfluxDB 2 says the same of a database that the token may not read.
            hint = "kanhu ingest setup makes it, and tokens that may read it"
            raise Misconfigured(f"{self._influx.url}: no database {database!r}, or the token may not read it", hint)
        if problems:
            raise Unavailable(f"{self._influx.url}: {problems[0][:300]}")
        return answer.results[0] if answer.results else _Result()

    def _connection(self) -> http.client.HTTPConnection:
        host, timeout_s = self._url.hostname or "", max(PATIENCE_S, self._influx.timeout_s)
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, self._url.port, timeout=timeout_s, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, self._url.port, timeout=timeout_s)


def _lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The lines of a body as they come. Not `for line in answer`: that takes a connection that broke for the end."""
    parts: list[bytes] = []
    while data := answer.read1(1 << 16):
        *whole, rest = data.split(b"\n")
        for line in whole:
            parts.append(line)
            if joined := b"".join(parts).strip():
                yield joined
            parts.clear()
        parts.append(rest)
    if joined := b"".join(parts).strip():
        yield joined


def _login(influx: Influx) -> dict[str, str]:
    """`Token` for InfluxDB 2 and 3 (`Bearer` is refused at `/query`), user and password for InfluxDB 1."""
    return authorization("Token", secret(influx.token_file)) or basic(influx.username, secret(influx.password_file))


def refusal(status: int, body: str, influx: Influx) -> Unavailable | Misconfigured:
    """What a status other than 200 asks of the caller."""
    seen = f"{influx.url}: {status} {body.strip()[:200]}"
    if status in (401, 403):
        return Misconfigured(seen, "the token or password is wrong or lacks a right; kanhu ingest setup makes a new one")
    if status in (400, 404):
        return Misconfigured(seen, "is influx.url the address of an InfluxDB, and influx.kind right?")
    return Unavailable(seen)
