"""A real Grafana and a database for it, as the environment names them; what the tests of `test_grafana.py` stand on.

GRAFANA_URL               Grafana, as this machine reaches it, `http://127.0.0.1:3000`. Not set: everything is skipped.
GRAFANA_TOKEN             token of a service account with the role Admin; or
GRAFANA_USER, GRAFANA_PASSWORD    an administrator. None of the three: admin, admin, as in a Grafana that was just started.
KANHU_INFLUX_URL          InfluxDB 1, 2 or 3, as this machine reaches it; which of them is asked of it. It may be empty or hold
                          other things: the test makes databases of its own, `kanhu_live_...`, and fills them. Not set: one is
                          started here, INFLUXD2's or else InfluxDB 1, for a Grafana on this machine.
KANHU_INFLUX_FOR_GRAFANA  the same database as Grafana reaches it. Not set: the same address.
KANHU_INFLUX_TOKEN        InfluxDB 2: may manage buckets and authorizations; 3: may read and write. Not set: a new InfluxDB 2
                          that nobody has set up is taken into use, and its password kept in /tmp for the next run.
KANHU_INFLUX_ORG          organisation of InfluxDB 2. Not set: kanhu.
KANHU_INFLUX_USER, KANHU_INFLUX_PASSWORD    InfluxDB 1: an administrator. Not set: it asks for no login.
KANHU_WEBHOOK_HOST        this machine as Grafana reaches it, for what its channels send. Not set: 127.0.0.1 when Grafana is on
                          this machine, else the address on the way to it.
KANHU_DATA                folder of the recordings that fill the database. Not set: ../shared/data. Where there is none the
                          database stays empty, and only faults are looked for, not rows.
KANHU_CHROMIUM            a Chromium or Chrome. Not set: on the PATH; without one the browser's tests are skipped.
KANHU_PICTURES            folder for screenshots. Not set: the test's temporary folder, which it prints.
KANHU_LIVE_OVERWRITE=1    go on where Grafana has a data source `kanhu` that is not of such a test. Not set: skipped, for it may
                          be a site's, and in the end it is removed.
KANHU_LIVE_KEEP=1         leave everything in Grafana and the database, to look at it. Not set: all of it is removed.

A Grafana in a container reaches 127.0.0.1 of nobody but itself: it needs KANHU_INFLUX_URL, KANHU_INFLUX_FOR_GRAFANA and
KANHU_WEBHOOK_HOST. It has to be one into which no provisioning file has put ours.
"""

import fcntl
import json
import os
import secrets
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from dashboards.grafana.options import Options
from dashboards.grafana.push.apply import apply
from dashboards.grafana.push.client import Grafana
from dashboards.grafana.push.plan import plan
from dashboards.grafana.push.wanted import Wanted, nothing, wanted
from edge_gateway.errors import KanhuError
from edge_gateway.settings import Influx, Settings, secret
from ingest.setup import setup
from ingest.tokens import in_role
from tests.grafana import seed
from tests.grafana.asking import Asked
from tests.servers import free_port

ADMIN: Final = "influx-admin.password"  # as `kanhu ingest setup` calls it
PREFIX: Final = "kanhu_live_"  # of the databases that such a test makes: what names one is left over from a test
# The story goes on for so long after now: to rules and panels the site is alive while the tests look at it.
AHEAD_S: Final = 1500.0
_LOCK: Final = Path(tempfile.gettempdir()) / "kanhu-live-grafana.lock"
_HERE: Final = ("127.0.0.1", "localhost", "::1")
Json = dict[str, Any]


@dataclass
class Receiver:
    """What Grafana sent to the channels: path -> bodies, in order."""

    url: str
    got: dict[str, list[bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Live:
    """A Grafana into which everything was pushed.

    Attributes:
        credential: token or (user, password).
        asked: what was pushed.  database: as this machine reaches it.
        filled: whether there is a story in the database.
    """

    grafana: Grafana
    credential: str | tuple[str, str]
    options: Options
    asked: Wanted
    database: Asked
    filled: bool
    receiver: Receiver


@contextmanager
def live(request: pytest.FixtureRequest, folder: Path) -> Iterator[Live]:
    """Set up, push, hand over, remove. Where tests run side by side, one after the other gets the Grafana."""
    url = os.environ.get("GRAFANA_URL", "")
    if not url:
        pytest.skip("no Grafana: name one in GRAFANA_URL (tests/live/grafana.py says what else)")
    with _LOCK.open("w") as lock, receiver(urlsplit(url).hostname or "") as received:
        fcntl.flock(lock, fcntl.LOCK_EX)
        credential = _credential()
        settings, for_grafana, admin = _database(request, folder, url)
        login = _login(settings)
        grafana = Grafana(url, credential, [login if isinstance(login, str) else login[1]])
        _is_free(grafana)
        filled = _fill(settings, folder)
        options = Options(bucket=settings.influx.bucket, influx_url=for_grafana, grafana_url=url)
        asked = wanted(options, channels(received), login)
        try:
            apply(grafana, plan(grafana, asked), print)
            yield Live(grafana, credential, options, asked, _asked(settings), filled, received)
        finally:
            if not os.environ.get("KANHU_LIVE_KEEP"):
                _take_out(grafana)
                _forget(settings, admin)


def _take_out(grafana: Grafana) -> None:
    """All of ours. Grafana's search may know of a change only seconds later, and then refuses a folder that seems full."""
    ends = time.monotonic() + 60
    while (left := plan(grafana, nothing())).changes:
        try:
            apply(grafana, left)
        except KanhuError:
            if time.monotonic() > ends:
                raise
            time.sleep(2)


def channels(received: Receiver) -> Mapping[str, str]:
    """Every channel that needs no server of others leads to the receiver."""
    ways = {"WEBHOOK": "gateway", "WECOM": "wecom", "DINGTALK": "dingtalk", "FEISHU": "feishu"}
    return {f"KANHU_GRAFANA_{way}_URL": f"{received.url}/{path}" for way, path in ways.items()}


@contextmanager
def receiver(grafana_host: str) -> Iterator[Receiver]:
    """A server that takes what Grafana's channels send and says that all is well, as each of them wants to hear it."""
    here = grafana_host in _HERE
    host = os.environ.get("KANHU_WEBHOOK_HOST") or ("127.0.0.1" if here else _towards(grafana_host))
    port = free_port()
    found = Receiver(f"http://{host}:{port}")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.got.setdefault(self.path, []).append(body)
            answer = json.dumps({"errcode": 0, "errmsg": "ok", "code": 0, "StatusCode": 0}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1" if host in _HERE else "0.0.0.0", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _towards(host: str) -> str:
    """This machine's address on the way to another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        return str(probe.getsockname()[0])


def _credential() -> str | tuple[str, str]:
    if token := os.environ.get("GRAFANA_TOKEN"):
        return token
    return os.environ.get("GRAFANA_USER", "admin"), os.environ.get("GRAFANA_PASSWORD", "admin")


def _is_free(grafana: Grafana) -> None:
    """A site's own Grafana is not overwritten by accident."""
    there = grafana.data_source("kanhu")
    name = str(((there or {}).get("jsonData") or {}).get("dbName", ""))
    if there is not None and not name.startswith(PREFIX) and not os.environ.get("KANHU_LIVE_OVERWRITE"):
        pytest.skip(
            f"this Grafana has a data source `kanhu` with database {name!r}: it may be a site's; "
            "name an empty Grafana, or set KANHU_LIVE_OVERWRITE=1 to replace it and then remove it"
        )
    if there is not None and there.get("readOnly"):
        pytest.skip("the data source `kanhu` comes from a provisioning file: start Grafana without our files for this test")


def _database(request: pytest.FixtureRequest, folder: Path, grafana_url: str) -> tuple[Settings, str, str]:
    """An empty database of its own, set up as `kanhu ingest setup` does it; its address for Grafana; who may drop it."""
    url = os.environ.get("KANHU_INFLUX_URL", "").rstrip("/")
    token, given = os.environ.get("KANHU_INFLUX_TOKEN", ""), bool(url)
    kind, org = "", os.environ.get("KANHU_INFLUX_ORG", "kanhu")
    if not given:
        if urlsplit(grafana_url).hostname not in _HERE:
            pytest.skip("no database: name one in KANHU_INFLUX_URL that this machine and Grafana reach")
        fixture = "influxdb2_server" if os.environ.get("INFLUXD2") else "influxdb1_server"
        server = request.getfixturevalue(fixture)
        server.start()
        url, kind = server.url, server.kind
        if kind == "influxdb2":
            from tests.databases import ORG, TOKEN

            token, org = TOKEN, ORG
    kind = kind or kind_of(url)
    private = folder / "secrets"
    private.mkdir(mode=0o700)
    influx: Json = {"url": url, "kind": kind, "org": org, "bucket": f"{PREFIX}{secrets.token_hex(4)}", "timeout_s": 60}
    if kind == "influxdb1":
        influx |= {"username": os.environ.get("KANHU_INFLUX_USER", "")}
        if password := os.environ.get("KANHU_INFLUX_PASSWORD", ""):
            influx["password_file"] = _private(private / "password", password)
    else:
        influx["token_file"] = private / "influx.token"
    if kind == "influxdb3" and token:
        _private(private / "influx.token", token)
    settings = Settings(data_dir=folder, influx=Influx.model_validate(influx))
    if kind == "influxdb2" and not token and (known := _kept(url)).exists():
        _private(private / ADMIN, known.read_text().strip())
    try:
        setup(settings, admin_token=token, retention_days=0)
    except KanhuError as error:
        pytest.fail(f"{url} ({kind}) cannot be set up: {error}; see KANHU_INFLUX_TOKEN in tests/live/grafana.py")
    if (private / ADMIN).exists():
        _private(_kept(url), (private / ADMIN).read_text().strip())
    return settings, os.environ.get("KANHU_INFLUX_FOR_GRAFANA", "").rstrip("/") or url, token


def _kept(url: str) -> Path:
    """Where the password of an InfluxDB 2 is that an earlier run has taken into use."""
    return Path(tempfile.gettempdir()) / f"kanhu-live-influx-{urlsplit(url).netloc.replace(':', '-')}.password"


def kind_of(url: str) -> str:
    """`influxdb1`, `influxdb2` or `influxdb3`, as the server says in its header."""
    try:
        with urllib.request.urlopen(f"{url}/ping", timeout=20) as answer:
            version = str(answer.headers.get("X-Influxdb-Version", ""))
    except urllib.error.HTTPError as error:
        version = str(error.headers.get("X-Influxdb-Version", ""))
    except OSError as error:
        pytest.fail(f"nothing answers at KANHU_INFLUX_URL {url}: {error}")
    number = version.lstrip("v")[:1]
    if number not in ("1", "2", "3"):
        pytest.fail(f"{url}/ping names no version of InfluxDB (X-Influxdb-Version: {version!r})")
    return f"influxdb{number}"


def _private(path: Path, text: str) -> Path:
    path.touch(0o600)
    path.write_text(text + "\n")
    return path


def _login(settings: Settings) -> str | tuple[str, str]:
    influx = in_role(settings, "reader")
    if token := secret(influx.token_file) if influx.token_file and influx.token_file.exists() else "":
        return token
    return (influx.username, secret(influx.password_file)) if influx.username else ""


def _asked(settings: Settings) -> Asked:
    """The database as this machine asks it, past Grafana."""
    from ingest.influxql import _login as header

    return Asked(settings.influx.url, settings.influx.bucket, header(in_role(settings, "reader")))


def _fill(settings: Settings, folder: Path) -> bool:
    """The story through the real pipeline, ending a while from now; False: there are no recordings to tell it from."""
    data = Path(os.environ.get("KANHU_DATA", seed.ROOT.parent / "shared" / "data"))
    if not data.is_dir():
        return False
    seed.load(seed.story(data, end_s=time.time() + AHEAD_S), settings.influx, folder / "marks")
    return True


def _forget(settings: Settings, token: str) -> None:
    """Drop the databases of this test; a token that may not drop them leaves them."""
    influx = settings.influx
    names = (influx.bucket, f"{influx.bucket}_rollups")
    if influx.kind == "influxdb1":
        from ingest.influxql import InfluxReader

        for name in names:
            list(InfluxReader(influx).ask("", f'DROP DATABASE "{name}"', "POST"))
    elif influx.kind == "influxdb2":
        from influxdb_client.client.influxdb_client import InfluxDBClient
        from influxdb_client.rest import ApiException

        known = _kept(influx.url)
        password = known.read_text().strip() if known.exists() else ""
        login: Json = {"token": token} if token else {"username": "admin", "password": password}
        with suppress(ApiException), InfluxDBClient(influx.url, org=influx.org, **login) as client:
            buckets = client.buckets_api()
            for name in names:
                if (found := buckets.find_bucket_by_name(name)) is not None:
                    buckets.delete_bucket(found)
