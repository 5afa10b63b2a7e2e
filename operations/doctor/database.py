"""Check of the time-series database by a write that holds no data: what the writer needs, and nothing more."""

import http.client
import ssl
from base64 import b64encode
from typing import Final
from urllib.parse import urlencode, urlsplit

from edge_gateway.settings import Influx, Settings, secret
from operations.doctor.result import Result, fail, ok, warn

_TIMEOUT_S: Final = 5.0
# A comment of the line protocol: every server answers as to a real write, and none stores anything.
_NOTHING: Final = b"# kanhu doctor\n"


def database(settings: Settings) -> Result:
    """The database is there, takes our credentials and has our bucket."""
    if not settings.influx.url:
        return ok(f"embedded: {settings.readings_file}")
    where = f"{settings.influx.kind} at {settings.influx.url}"
    try:
        status, body = _write_nothing(settings.influx)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return fail(
            f"{where} does not answer: {error}", "start it or mend influx.url; until then everything waits in the outbox"
        )
    return _judge(settings.influx, where, status, body)


def _judge(influx: Influx, where: str, status: int, body: str) -> Result:
    if status in (200, 204):
        return ok(f"{where}: may write to {influx.bucket!r}")
    seen = f"{where} answered {status}: {body[:200].strip()}"
    if status in (401, 403):
        return fail(seen, "put a token that may write to the bucket into influx.token_file (`kanhu ingest setup` makes one)")
    if status == 404:
        return fail(seen, f"create bucket {influx.bucket!r} in organisation {influx.org!r}: `kanhu ingest setup`")
    return warn(seen, "does influx.kind name the server that really runs there?")


def _write_nothing(influx: Influx) -> tuple[int, str]:
    url = urlsplit(influx.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"{influx.url!r} is not an http(s) address")
    connection = (
        http.client.HTTPSConnection(url.hostname, url.port, timeout=_TIMEOUT_S, context=ssl.create_default_context())
        if url.scheme == "https"
        else http.client.HTTPConnection(url.hostname, url.port, timeout=_TIMEOUT_S)
    )
    try:
        connection.request("POST", url.path.rstrip("/") + _path(influx), _NOTHING, _headers(influx))
        answer = connection.getresponse()
        return answer.status, answer.read(2000).decode("utf-8", "replace")
    finally:
        connection.close()


def _path(influx: Influx) -> str:
    if influx.kind in ("influxdb2", "influxdb3"):
        return "/api/v2/write?" + urlencode({"org": influx.org, "bucket": influx.bucket, "precision": "ns"})
    return "/write?" + urlencode({"db": influx.bucket, "precision": "ns"})


def _headers(influx: Influx) -> dict[str, str]:
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    if influx.token_file is not None:
        headers["Authorization"] = f"Token {secret(influx.token_file)}"
    elif influx.username:
        pair = f"{influx.username}:{secret(influx.password_file)}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    return headers
