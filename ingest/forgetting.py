"""How each database over HTTP is told to forget: a place, or a measurement before a time.

InfluxDB 2
    `/api/v2/delete` with a predicate of ANDs; a token that may write the bucket may do it. Its files lose the bytes at its next
    compaction; queries at once.
InfluxDB 1
    `DELETE` over InfluxQL.
VictoriaMetrics
    Whole series only, so a home can be erased but nothing of a certain age: that is its own retention.
InfluxDB 3
    Core has no way to delete rows: its own retention, or its own tools.
"""

import http.client
import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final
from urllib.parse import urlencode, urlsplit

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.settings import Influx, secret
from ingest.connection import authorization, basic
from ingest.influxql import refusal
from ingest.rows import MEASUREMENTS, checked
from ingest.tables import iso

_FIRST, _LAST = "1677-09-21T00:12:44Z", "2262-04-11T23:47:16Z"  # all that InfluxDB can hold
_PATIENCE_S: Final = 120.0
UNKNOWN: Final = -1


class Forgetting:
    """One database; each call has a connection of its own.

    Args:
        influx: where it is; its token has to be one that may write.
    """

    def __init__(self, influx: Influx) -> None:
        self._influx = influx
        self._url = urlsplit(influx.url)

    def erase(self, site: str, place: str, devices: Sequence[str]) -> int:
        """See `Eraser.erase`."""
        checked("event", site, place)
        kind = self._influx.kind
        if kind == "influxdb2":
            self._delete2(f'site="{site}" AND place="{place}"', _LAST)
        elif kind == "influxdb1":
            self._delete1(f"DELETE WHERE \"site\" = '{site}' AND \"place\" = '{place}'")
        elif kind == "victoriametrics":
            match = f'{{db="{self._influx.bucket}",site="{site}",place="{place}"}}'
            self._ask("POST", "/api/v1/admin/tsdb/delete_series", {"match[]": match})
        else:
            raise self._cannot("rows")
        return UNKNOWN

    def forget(self, measurement: str, before_ns: int) -> int:
        """See `Eraser.forget`."""
        if measurement not in MEASUREMENTS:
            raise Misconfigured(f"there is no measurement {measurement[:60]!r}", f"known are {', '.join(sorted(MEASUREMENTS))}")
        if self._influx.kind == "influxdb2":
            # Its stop is included: a nanosecond earlier.
            self._delete2(f'_measurement="{measurement}"', iso(before_ns - 1))
        elif self._influx.kind == "influxdb1":
            self._delete1(f'DELETE FROM "{measurement}" WHERE time < {int(before_ns)}')
        else:
            raise self._cannot("rows of an age")
        return UNKNOWN

    def _delete2(self, predicate: str, stop: str) -> None:
        body = json.dumps({"start": _FIRST, "stop": stop, "predicate": predicate}).encode()
        self._ask("POST", "/api/v2/delete", {"org": self._influx.org, "bucket": self._influx.bucket}, body)

    def _delete1(self, statement: str) -> None:
        told = json.loads(self._ask("POST", "/query", {"db": self._influx.bucket, "q": statement}) or "{}")
        if errors := list(_errors(told)):
            raise Unavailable(f"{self._influx.url}: {errors[0][:300]}")

    def _cannot(self, what: str) -> Misconfigured:
        return Misconfigured(f"{self._influx.kind} cannot delete {what}", "use its own retention or its own tools")

    def _ask(self, method: str, path: str, query: dict[str, str], body: bytes | None = None) -> str:
        target = f"{self._url.path.rstrip('/')}{path}?{urlencode(query)}"
        headers = {"Content-Type": "application/json"} | self._login()
        try:
            with closing(self._connection()) as connection:
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                text = answer.read(1 << 20).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._influx.url}: {type(error).__name__}: {error}"[:300]) from error
        if answer.status not in (200, 204):
            raise refusal(answer.status, text, self._influx)
        return text

    def _login(self) -> dict[str, str]:
        scheme = "Bearer" if self._influx.kind == "victoriametrics" else "Token"
        token = secret(self._influx.token_file)
        return authorization(scheme, token) or basic(self._influx.username, secret(self._influx.password_file))

    def _connection(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, self._url.port, timeout=_PATIENCE_S, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, self._url.port, timeout=_PATIENCE_S)


def _errors(told: object) -> Iterator[str]:
    if isinstance(told, dict):
        yield from ([str(told["error"])] if "error" in told else [])
        for result in told.get("results", []):
            yield from _errors(result)
