"""Real databases for tests, started on free ports of 127.0.0.1 in temporary folders.

A server lives as long as the test session; each test gets a database (bucket) of its own on it. What is stored is read back
over plain HTTP by code that shares nothing with what wrote it.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import pytest

from edge_gateway import settings
from tests.servers import free_port

READY_S: Final = 20.0
TOKEN: Final = "test-token"  # of servers that live for seconds, on 127.0.0.1
ORG: Final = "kanhu"
_names: Final = (f"t{number}" for number in itertools.count(1))

Row = dict[str, Any]


class Server:
    """One database process with its own folder; `kind` as in `settings.Influx`."""

    kind = ""
    ready_path = "/health"

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.program = program
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def arguments(self) -> list[str]:
        raise NotImplementedError

    def database(self, retention_s: int | None = None) -> "Database":
        """A new, empty database; the shortest retention is an hour."""
        raise NotImplementedError

    def rows(self, database: str, measurement: str) -> list[Row]:
        raise NotImplementedError

    def start(self) -> None:
        """Returns when it answers; does nothing when it runs already. Folder and port stay the same over restarts."""
        if self._process is not None:
            return
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self.program, *self.arguments()], stdout=log, stderr=log, cwd=self.folder)
        ends = time.monotonic() + READY_S
        while True:
            try:
                self.http(self.ready_path)
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > ends:
                    self.kill()
                    log_text = (self.folder / "log").read_text(errors="replace")
                    raise AssertionError(f"{self.program} did not start:\n{log_text[-3000:]}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        """An orderly end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """The process stands still; the kernel goes on taking connections and bytes for it."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def http(self, path: str, body: bytes | None = None, /, **query: object) -> str:
        """One plain request; POST when there is a body. Raises `urllib.error.HTTPError` with the answer's text in it."""
        url = f"{self.url}{path}?{urlencode(query)}" if query else self.url + path
        request = urllib.request.Request(url, data=body, headers=self.headers())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text: str = answer.read().decode()
                return text
        except urllib.error.HTTPError as error:
            error.msg = f"{error.msg}: {error.read().decode(errors='replace')[:500]}"
            raise

    def headers(self) -> dict[str, str]:
        return {}

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            process.send_signal(signal.SIGCONT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Database:
    """One database of a server, and what a test may do with it.

    Attributes:
        server: kill it, freeze it, start it again; the next test finds it running in any case.
        kind, name, token, org: as the settings have them.  token_file: holds the token, mode 0600.
    """

    def __init__(self, server: Server, name: str, token: str = "") -> None:
        self.server, self.kind, self.name, self.token, self.org = server, server.kind, name, token, ORG
        self.token_file: Path | None = None
        if token:
            self.token_file = server.folder / f"{name}.token"
            self.token_file.touch(0o600)
            self.token_file.write_text(token + "\n")

    @property
    def url(self) -> str:
        return self.server.url

    def settings(self, **changes: object) -> settings.Influx:
        """Settings with which the gateway reaches this database."""
        known = {"url": self.url, "kind": self.kind, "bucket": self.name, "org": self.org, "token_file": self.token_file}
        return settings.Influx.model_validate(known | changes)

    def rows(self, measurement: str) -> list[Row]:
        """All lines, sorted: `time` in ns, tags and fields by name, those that are missing left out."""
        return sorted(self.server.rows(self.name, measurement), key=lambda row: (row["time"], json.dumps(row, sort_keys=True)))

    def count(self, measurement: str) -> int:
        return len(self.rows(measurement))

    def types(self, measurement: str) -> dict[str, str]:
        """Field -> type, as the database names it."""
        assert isinstance(self.server, InfluxQLServer), "only InfluxDB has types"
        return self.server.types(self.name, measurement)

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def kill(self) -> None:
        self.server.kill()


ServerT = TypeVar("ServerT", bound=Server)


class InfluxQLServer(Server):
    """What InfluxDB 1 and 2 have in common: they answer InfluxQL."""

    def query(self, database: str, statement: str) -> list[dict[str, Any]]:
        """The series of one statement's result."""
        text = self.http("/query", db=database, epoch="ns", q=statement)
        result = json.loads(text, parse_int=_integer)["results"][0]
        assert "error" not in result, result
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def rows(self, database: str, measurement: str) -> list[Row]:
        found = []
        for series in self.query(database, f'SELECT * FROM "{measurement}" GROUP BY *'):
            tags = {name: value for name, value in series.get("tags", {}).items() if value}
            for values in series["values"]:
                row = dict(zip(series["columns"], values, strict=True))
                found.append(tags | {name: value for name, value in row.items() if value is not None})
        return found

    def types(self, database: str, measurement: str) -> dict[str, str]:
        return {row[0]: row[1] for s in self.query(database, f'SHOW FIELD KEYS FROM "{measurement}"') for row in s["values"]}

    def measurements(self, database: str) -> set[str]:
        return {row[0] for series in self.query(database, "SHOW MEASUREMENTS") for row in series["values"]}


class InfluxDB1(InfluxQLServer):
    kind = "influxdb1"
    ready_path = "/ping"

    def arguments(self) -> list[str]:
        file = self.folder / "influxdb.conf"
        if not file.exists():
            file.write_text(
                f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
                f'[meta]\ndir = "{self.folder}/meta"\n'
                f'[data]\ndir = "{self.folder}/data"\nwal-dir = "{self.folder}/wal"\nquery-log-enabled = false\n'
                f'[http]\nbind-address = "127.0.0.1:{self.port}"\nlog-enabled = false\n'
                "[monitor]\nstore-enabled = false\n[continuous_queries]\nenabled = false\n"
            )
        return ["run", "-config", str(file)]

    def database(self, retention_s: int | None = None) -> Database:
        name = next(_names)
        duration = f" WITH DURATION {retention_s}s" if retention_s else ""
        self.http("/query", b"", q=f'CREATE DATABASE "{name}"{duration}')
        return Database(self, name)


class InfluxDB2(InfluxQLServer):
    kind = "influxdb2"

    def arguments(self) -> list[str]:
        return [
            *("--http-bind-address", f"127.0.0.1:{self.port}", "--reporting-disabled", "--log-level", "error"),
            *("--bolt-path", f"{self.folder}/bolt", "--sqlite-path", f"{self.folder}/sqlite"),
            *("--engine-path", f"{self.folder}/engine", "--pprof-disabled"),
        ]

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {TOKEN}"}

    def set_up(self) -> None:
        """The first user and organisation, once in the life of a server."""
        body = {"username": "admin", "password": "test-password", "org": ORG, "bucket": "first", "token": TOKEN}
        self.http("/api/v2/setup", json.dumps(body).encode())

    def database(self, retention_s: int | None = None) -> Database:
        name = next(_names)
        org = json.loads(self.http("/api/v2/orgs", org=ORG))["orgs"][0]["id"]
        rules = [{"type": "expire", "everySeconds": retention_s}] if retention_s else []
        self.http("/api/v2/buckets", json.dumps({"orgID": org, "name": name, "retentionRules": rules}).encode())
        return Database(self, name, TOKEN)


class VictoriaMetrics(Server):
    """It has no databases: the name in `/write?db=` becomes a label, which is as good for telling tests apart.

    It keeps whole milliseconds, has one type, float, and stores a text as 0.
    """

    kind = "victoriametrics"

    def arguments(self) -> list[str]:
        return [
            *(f"-httpListenAddr=127.0.0.1:{self.port}", f"-storageDataPath={self.folder}/data", "-retentionPeriod=100y"),
            *("-loggerLevel=WARN", "-memory.allowedBytes=67108864", "-search.disableCache"),
        ]

    def database(self, retention_s: int | None = None) -> Database:
        assert retention_s is None, "it has one retention for all"
        return Database(self, next(_names))

    def rows(self, database: str, measurement: str) -> list[Row]:
        """Lines put together again from its single values; `time` in ns, but of whole milliseconds."""
        self.http("/internal/force_flush")
        match = f'{{db="{database}",__name__=~"{measurement}_.*"}}'
        rows: dict[tuple[object, ...], Row] = {}
        for text in self.http("/api/v1/export", **{"match[]": match}).splitlines():
            series = json.loads(text)
            tags = series["metric"]
            field = tags.pop("__name__").removeprefix(f"{measurement}_")
            del tags["db"]
            for value, time_ms in zip(series["values"], series["timestamps"], strict=True):
                key = (time_ms, *sorted(tags.items()))
                rows.setdefault(key, {"time": time_ms * 1_000_000, **tags})[field] = value
        return list(rows.values())


def find(name: str, package: str) -> str:
    """A server program of a Debian package: on PATH, in /usr/sbin, or a launcher in the folder KANHU_SERVERS."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", os.environ.get("KANHU_SERVERS", "")]
    program = shutil.which(name, path=os.pathsep.join(folders))
    return program or missing(f"no {name}: run `make test`, or install the package {package}")


def missing(message: str) -> str:
    """A server that is not there is a failure in CI and a skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def influxdb1_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB1]:
    yield from _running(InfluxDB1(tmp_path_factory.mktemp("influxdb1"), find("influxd", "influxdb")))


@pytest.fixture(scope="session")
def influxdb2_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB2]:
    program = os.environ.get("INFLUXD2") or missing("no InfluxDB 2: name its influxd in INFLUXD2")
    server = InfluxDB2(tmp_path_factory.mktemp("influxdb2"), program)
    for running in _running(server):
        running.set_up()
        yield running


@pytest.fixture(scope="session")
def victoriametrics_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaMetrics]:
    yield from _running(VictoriaMetrics(tmp_path_factory.mktemp("vm"), find("victoria-metrics", "victoria-metrics")))


@pytest.fixture
def influxdb1(influxdb1_server: InfluxDB1) -> Database:
    """An empty database of a running InfluxDB 1.6."""
    influxdb1_server.start()
    return influxdb1_server.database()


@pytest.fixture
def influxdb2(influxdb2_server: InfluxDB2) -> Database:
    """An empty bucket of a running InfluxDB 2."""
    influxdb2_server.start()
    return influxdb2_server.database()


@pytest.fixture
def victoriametrics(victoriametrics_server: VictoriaMetrics) -> Database:
    """A running VictoriaMetrics, in which nothing has this database's label yet."""
    victoriametrics_server.start()
    return victoriametrics_server.database()


def _running(server: ServerT) -> Iterator[ServerT]:
    server.start()
    try:
        yield server
    finally:
        server.kill()  # its folder is thrown away: nothing has to be saved


def _integer(text: str) -> int | float:
    """InfluxDB prints the float -0.0 as `-0`, which JSON calls an integer."""
    return -0.0 if text == "-0" else int(text)
