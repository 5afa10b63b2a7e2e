"""The doctor: each check is made to fail for real, and each failure names the next step."""

import asyncio
import http.server
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_gateway import commands
from edge_gateway.settings import Broker, Gateway, Influx, Settings
from operations.doctor import CHECKS, Outcome, broker, database, examine, files, gateway, machine
from operations.doctor.result import Check, Result
from tests.databases import Database, InfluxQLServer
from tests.servers import Mosquitto, free_port, make_certificates

MIB = 1024 * 1024
PEOPLE = {"people": [{"id": "wang", "urls": ["json://127.0.0.1"]}, {"id": "li", "urls": ["json://127.0.0.1"]}]}


def settings(folder: Path, **sections: Any) -> Settings:
    return Settings.model_validate({"data_dir": folder / "var", "registry": folder / "registry.toml", **sections})


def assert_helps(result: Result, outcome: Outcome, *words: str) -> None:
    assert result.outcome == outcome, result
    text = f"{result.seen} -> {result.next_step}"
    assert result.next_step, "a problem without a next step"
    assert not [word for word in words if word not in text], text


# ---- the whole


def test_settings_that_cannot_be_read_are_the_only_result(tmp_path: Path) -> None:
    (tmp_path / "kanhu.toml").write_text("[broker]\nprot = 1883\n")
    results = list(examine(tmp_path / "kanhu.toml"))
    assert [name for name, _ in results] == ["settings"]
    assert_helps(results[0][1], Outcome.FAIL, "broker.prot", "docs/operations.md")


def test_every_check_has_a_name_of_its_own_and_all_are_run(tmp_path: Path, mosquitto: Mosquitto) -> None:
    (tmp_path / "kanhu.toml").write_text(
        f'data_dir = "{tmp_path}/var"\nregistry = "{tmp_path}/r.toml"\n[broker]\nport = {mosquitto.port}\n'
        f'password_file = "{mosquitto.password_file}"\n[gateway]\nmetrics_port = {free_port()}\n'
    )
    results = dict(examine(tmp_path / "kanhu.toml"))
    assert list(results) == ["settings", *(check.name for check in CHECKS)]
    assert len(results) == 1 + len(CHECKS)
    assert results["broker login"].outcome == Outcome.OK
    assert all(result.next_step for result in results.values() if result.outcome != Outcome.OK)


def test_a_check_that_breaks_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(_: Settings) -> Result:
        raise ZeroDivisionError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("operations.doctor.CHECKS", (Check("broken", broken), Check("people", files.people)))
    results = dict(examine())
    assert_helps(results["broken"], Outcome.FAIL, "ZeroDivisionError")
    assert results["people"].outcome == Outcome.WARN


# ---- files


def test_a_secret_that_others_may_read_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("abc\n")
    token.chmod(0o644)
    there = settings(tmp_path, influx={"token_file": token})
    assert_helps(files.secrets(there), Outcome.FAIL, f"chmod 600 {token}")
    token.chmod(0o600)
    assert files.secrets(there).outcome == Outcome.OK
    token.write_text("")
    assert_helps(files.secrets(there), Outcome.FAIL, "empty")
    token.unlink()
    assert_helps(files.secrets(there), Outcome.FAIL, "cannot read")


def test_a_registry_missing_broken_or_empty_is_told(tmp_path: Path) -> None:
    here = settings(tmp_path)
    assert_helps(files.registry(here), Outcome.WARN, "every device will be held")
    here.registry.write_text('[[devices]]\nsite = "s1"\nid = "d1"\n')
    assert_helps(files.registry(here), Outcome.FAIL, "[sites.s1]", "last good registry")
    here.registry.write_text("")
    assert_helps(files.registry(here), Outcome.WARN, "names no device")
    here.registry.write_text('[sites.s1]\n[[devices]]\nsite = "s1"\nid = "d1"\n')
    assert files.registry(here).seen == "1 devices at 1 sites"


def test_alerts_that_reach_nobody_are_told(tmp_path: Path) -> None:
    assert_helps(files.people(settings(tmp_path)), Outcome.WARN, "nobody is told", "[[alerts.people]]")
    one = settings(tmp_path, alerts={"people": PEOPLE["people"][:1]})
    assert_helps(files.people(one), Outcome.WARN, "only wang")
    assert files.people(settings(tmp_path, alerts=PEOPLE)).outcome == Outcome.OK


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_helps(files.data_folder(settings(tmp_path, data_dir=tmp_path / "file")), Outcome.FAIL, "not a folder")
    # /proc refuses also root.
    assert_helps(files.data_folder(settings(tmp_path, data_dir="/proc/sys/kanhu")), Outcome.FAIL, "cannot write in /proc/sys")
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        assert_helps(files.data_folder(settings(tmp_path, data_dir=locked)), Outcome.FAIL, "cannot write")


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    files.data_folder(settings(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_data_folder_others_may_look_into_is_told(tmp_path: Path) -> None:
    here = settings(tmp_path)
    here.data_dir.mkdir(mode=0o755)
    here.data_dir.chmod(0o755)
    assert_helps(files.data_folder(here), Outcome.WARN, f"chmod 700 {here.data_dir}")


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm")
def test_a_data_folder_in_memory_is_told(tmp_path: Path) -> None:
    if files.file_system(Path("/dev/shm"), Path("/proc/self/mountinfo").read_text()) != "tmpfs":
        pytest.skip("/dev/shm is no tmpfs here")
    assert_helps(files.data_folder(settings(tmp_path, data_dir="/dev/shm/kanhu")), Outcome.WARN, "gone after a restart")


def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    assert_helps(files.data_folder(settings(tmp_path, data_dir=tmp_path / ("d" * 100))), Outcome.FAIL, "too long")


MOUNTS = """\
25 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 25 0:40 / /mnt/nas rw shared:1 - nfs4 nas:/export rw
31 25 0:41 / /mnt/my\\040disk rw - ext4 /dev/sdb rw
32 30 0:42 / /mnt/nas/local rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/mnt/nas/kanhu", "nfs4"),
        ("/mnt/nas/local/x", "tmpfs"),
        ("/mnt/my disk", "ext4"),
        ("/mnt/nasty", "ext4"),
    ],
)
def test_the_file_system_of_a_path_is_the_deepest_mount_above_it(path: str, kind: str) -> None:
    assert files.file_system(Path(path), MOUNTS) == kind


def test_a_network_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "file_system", lambda *_: "nfs4")
    assert_helps(files.data_folder(settings(tmp_path)), Outcome.FAIL, "nfs4", "local disk")


# ---- machine


def test_a_disk_too_small_for_the_outbox_is_told(tmp_path: Path) -> None:
    huge = settings(tmp_path, gateway={"outbox_quota_mb": 1_000_000_000})
    assert_helps(machine.disk_space(huge), Outcome.WARN, "lower gateway.outbox_quota_mb")
    assert_helps(machine.room(100 * MIB, Gateway()), Outcome.FAIL, "ballast")
    assert machine.room(5000 * MIB, Gateway()).outcome == Outcome.OK


def test_a_damaged_store_is_told(tmp_path: Path) -> None:
    here = settings(tmp_path)
    here.data_dir.mkdir()
    here.store_file.write_bytes(b"this is no database" * 100)
    assert_helps(machine.sqlite(here), Outcome.FAIL, "gateway.db", "file is not a database")


def test_a_store_without_wal_is_told(tmp_path: Path) -> None:
    here = settings(tmp_path)
    here.data_dir.mkdir()
    with sqlite3.connect(here.store_file) as db:
        db.execute("CREATE TABLE t (x)")
        assert_helps(machine.sqlite(here), Outcome.WARN, "journal mode delete")
        db.execute("PRAGMA journal_mode = wal")
    assert sqlite3.sqlite_version in machine.sqlite(here).seen
    db.close()


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_the_versions_with_the_wal_reset_bug_are_known(version: tuple[int, ...], affected: bool) -> None:
    assert machine.wal_reset_bug(version) is affected


def test_a_clock_before_its_own_files_or_the_floor_is_told(tmp_path: Path) -> None:
    here = settings(tmp_path)
    here.registry.touch()
    assert machine.clock(here).outcome in (Outcome.OK, Outcome.WARN)  # a machine without time service is a warning
    os.utime(here.registry, (4e9, 4e9))
    assert_helps(machine.clock(here), Outcome.FAIL, "was written 2096", "timedatectl")
    future = settings(tmp_path, gateway={"time_floor": "2090-01-01T00:00:00Z"})
    assert_helps(machine.clock(future), Outcome.FAIL, "before 2090-01-01")


def test_a_clock_that_nothing_keeps_right_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "timedatectl"
    fake.write_text("#!/bin/sh\necho no\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert_helps(machine.clock(settings(tmp_path)), Outcome.WARN, "nothing keeps it right")
    fake.write_text("#!/bin/sh\necho yes\n")
    assert machine.clock(settings(tmp_path)).outcome == Outcome.OK


def test_certificates_are_named_with_the_day_on_which_the_first_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.certificates(settings(tmp_path)).outcome == Outcome.OK
    made = make_certificates(tmp_path / "tls")
    tls = {name: made.file(file) for name, file in (("tls_ca", "ca.pem"), ("tls_certificate", "gateway.pem"))}
    here = settings(tmp_path, broker={**tls, "tls_key": made.file("gateway.key")})
    good = machine.certificates(here)
    assert good.outcome == Outcome.OK
    assert "ca.pem" in good.seen or "gateway.pem" in good.seen
    monkeypatch.setattr(machine, "_RENEW_WITHIN", timedelta(days=3651))
    assert_helps(machine.certificates(here), Outcome.WARN, ".pem", "UTC", "renew it")
    made.file("gateway.pem").write_text("nothing")
    assert_helps(machine.certificates(here), Outcome.FAIL, "gateway.pem", "PEM")


# ---- broker


def at(there: Mosquitto, folder: Path, **changes: Any) -> Settings:
    return settings(folder, broker=there.settings(**changes))


BROKER_CHECKS = [broker.login, broker.access_rules, broker.limits]


def test_a_broker_as_we_set_it_up_passes(mosquitto: Mosquitto, tmp_path: Path) -> None:
    results = [check(at(mosquitto, tmp_path)) for check in BROKER_CHECKS]
    assert [r.outcome for r in results] == [Outcome.OK] * 3, results
    assert "mosquitto version 2" in results[2].seen


@pytest.mark.parametrize("check", BROKER_CHECKS)
def test_a_stopped_broker_is_told_by_every_check(check: Any, mosquitto: Mosquitto, tmp_path: Path) -> None:
    mosquitto.kill()
    assert_helps(check(at(mosquitto, tmp_path)), Outcome.FAIL, f"no broker at 127.0.0.1:{mosquitto.port}", "start it")


def test_a_wrong_password_is_told(mosquitto: Mosquitto, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(0o600)
    wrong.write_text("guess")
    there = at(mosquitto, tmp_path, password_file=wrong)
    assert_helps(broker.login(there), Outcome.FAIL, "refused user 'gateway'", "broker.password_file")
    assert broker.access_rules(there).outcome == Outcome.WARN
    assert broker.limits(there).outcome == Outcome.WARN


def test_a_user_who_may_write_anywhere_is_told(mosquitto: Mosquitto, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(mosquitto.passwords["test"])
    there = at(mosquitto, tmp_path, username="test", password_file=password)
    assert_helps(broker.access_rules(there), Outcome.FAIL, "may write to any topic", "acl_file")


@contextmanager
def open_broker(folder: Path, *lines: str) -> Iterator[Broker]:
    """The broker of an administrator who followed a short tutorial."""
    there = Mosquitto(folder / "open")
    conf = there.folder / "mosquitto.conf"
    kept = [line for line in conf.read_text().splitlines() if line.startswith(("user ", "listener "))]
    conf.write_text("\n".join([*kept, *lines]) + "\n")
    there.start()
    try:
        yield there.settings()
    finally:
        there.kill()


def test_a_broker_open_to_anybody_and_without_limits_is_told(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with open_broker(tmp_path, "allow_anonymous true") as there:
        assert_helps(broker.access_rules(settings(tmp_path, broker=there)), Outcome.FAIL, "anybody in", "allow_anonymous false")
        assert_helps(
            broker.limits(settings(tmp_path, broker=there)), Outcome.WARN, "any number of bytes", "max_packet_size 65536"
        )


def test_something_else_on_the_brokers_port_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "WAIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = settings(tmp_path, broker={"port": server.getsockname()[1]})
        assert_helps(broker.login(there), Outcome.FAIL, "does not answer as an MQTT 5 broker")


# ---- database


def test_without_a_url_the_embedded_store_is_named(tmp_path: Path) -> None:
    assert "readings.db" in database.database(settings(tmp_path)).seen


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    away = settings(tmp_path, influx={"url": f"http://127.0.0.1:{free_port()}"})
    assert_helps(database.database(away), Outcome.FAIL, "does not answer", "waits in the outbox")
    nonsense = settings(tmp_path, influx={"url": "influx.example"})
    assert_helps(database.database(nonsense), Outcome.FAIL, "is not an http(s) address")


@contextmanager
def answering(status: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server with one answer, for what a real one cannot be made to say; gives its address and what it was asked."""
    asked: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        pytest.param(401, Outcome.FAIL, "influx.token_file", id="wrong-token"),
        pytest.param(403, Outcome.FAIL, "influx.token_file", id="read-only-token"),
        pytest.param(404, Outcome.FAIL, "kanhu ingest setup", id="no-bucket"),
        pytest.param(500, Outcome.WARN, "influx.kind", id="another-server"),
    ],
)
def test_what_the_database_refuses_is_told_with_the_next_step(
    status: int, outcome: Outcome, words: str, tmp_path: Path
) -> None:
    with answering(status) as (url, _):
        assert_helps(database.database(settings(tmp_path, influx={"url": url})), outcome, str(status), words)


def test_the_write_that_is_tried_names_bucket_and_token_as_the_server_wants_them(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("t0ken\n")
    with answering(204) as (url, asked):
        two = Influx(url=url, org="o 1", bucket="b", token_file=token)
        one = Influx(url=url + "/prefix", kind="influxdb1", bucket="b", username="u", password_file=token)
        assert database.database(settings(tmp_path, influx=two)).outcome == Outcome.OK
        assert database.database(settings(tmp_path, influx=one)).outcome == Outcome.OK
    assert asked[0] == ("/api/v2/write?org=o+1&bucket=b&precision=ns", "Token t0ken")
    assert asked[1] == ("/prefix/write?db=b&precision=ns", "Basic dTp0MGtlbg==")


@pytest.mark.parametrize("name", ["influxdb1", "influxdb2", "victoriametrics"])
def test_a_real_server_that_has_our_bucket_passes_and_nothing_is_written(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    there: Database = request.getfixturevalue(name)
    assert database.database(settings(tmp_path, influx=there.settings())).outcome == Outcome.OK
    if isinstance(there.server, InfluxQLServer):
        assert not there.server.measurements(there.name)


@pytest.mark.parametrize("name", ["influxdb1", "influxdb2"])
def test_a_real_server_without_our_bucket_is_told(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    there: Database = request.getfixturevalue(name)
    without = settings(tmp_path, influx=there.settings(bucket="nobody-made-this"))
    assert_helps(database.database(without), Outcome.FAIL, "404", "kanhu ingest setup")


def test_a_real_server_that_refuses_our_token_is_told(influxdb2: Database, tmp_path: Path) -> None:
    wrong = tmp_path / "token"
    wrong.touch(0o600)
    wrong.write_text("guess\n")
    with_guess = settings(tmp_path, influx=influxdb2.settings(token_file=wrong))
    assert_helps(database.database(with_guess), Outcome.FAIL, "401", "influx.token_file")


# ---- gateway


def test_a_gateway_that_does_not_run_is_told_and_its_port_is_free(tmp_path: Path) -> None:
    here = settings(tmp_path, gateway={"metrics_port": free_port()})
    assert_helps(gateway.running(here), Outcome.WARN, "not running", "kanhu up")
    assert gateway.ports(here).outcome == Outcome.OK


def test_a_port_taken_by_another_program_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        here = settings(tmp_path, gateway={"metrics_port": other.getsockname()[1]})
        assert_helps(gateway.ports(here), Outcome.FAIL, "is taken", "gateway.metrics_port")


async def test_a_gateway_without_its_metrics_page_or_in_trouble_is_told(tmp_path: Path) -> None:
    answer: dict[str, Any] = {"troubles": {}, "metrics_port": free_port()}

    async def state(_: object) -> dict[str, Any]:
        return answer

    async def pong(_: object) -> str:
        return "pong"

    here = settings(tmp_path, gateway={"metrics_port": answer["metrics_port"]})
    answer["alerts"] = here.alerts.digest()
    here.data_dir.mkdir()
    server = await commands.serve(here.command_socket, {"state": state, "ping": pong})
    assert_helps(await asyncio.to_thread(gateway.running, here), Outcome.FAIL, "metrics page", "restart it")
    assert "the gateway's own" in (await asyncio.to_thread(gateway.ports, here)).seen
    answer["troubles"] = {"database": "401 from http://db: keeps everything"}
    assert_helps(await asyncio.to_thread(gateway.running, here), Outcome.WARN, "401 from http://db")
    added = settings(tmp_path, alerts=PEOPLE)
    found = await asyncio.to_thread(gateway.running, added)
    assert_helps(found, Outcome.WARN, "another [alerts] than these settings", "start it anew")
    server.close()
