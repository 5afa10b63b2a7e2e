"""The commands against a real gateway and a real broker: what a person types, and what they are told."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

import kanhu
import kanhu_app
from edge_gateway import view
from edge_gateway.errors import KanhuError, Misconfigured, Rejected, Unavailable
from edge_gateway.registry import load
from operations.doctor.machine import wal_reset_bug
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import GatewayProcess

T = 1_780_000_000
REGISTRY = """
# the caretaker has the keys
[sites.s]
name = "S"
zone = "Asia/Shanghai"

[[devices]]
site = "s"
id = "d0"   # at the window
place = "p0"
cadence_s = 60

[[devices]]
site = "s"
id = "d1"
place = "p1"
measures = ["humidity"]
silence_s = 0
"""


class Site:
    """A gateway, a broker, and the command line with their settings."""

    def __init__(self, gateway: GatewayProcess, mosquitto: Mosquitto) -> None:
        self.gateway, self.mosquitto = gateway, mosquitto
        self.settings = str(gateway.settings_file)

    def run(self, *arguments: str) -> Result:
        """A command as typed; `-s` goes to its end."""
        return CliRunner().invoke(kanhu_app.app, [*arguments, "-s", self.settings])

    def ok(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 0, f"{arguments}: {result.output} {result.exception!r}"
        return result.output

    def error(self, *arguments: str) -> KanhuError:
        """The one line a person would see."""
        error = self.run(*arguments).exception
        assert isinstance(error, KanhuError), repr(error)
        return error

    def status(self) -> dict[str, Any]:
        tree = json.loads(self.ok("status", "--json"))
        assert isinstance(tree, dict)
        return tree

    def send(self, *messages: tuple[str, bytes]) -> None:
        """(`d0/data`, payload) ... and wait until the gateway has committed them all."""
        before = self.gateway.state()["totals"].get("messages_received", 0)
        with paho_client(self.mosquitto) as client:
            client.publish_all([(f"kanhu/1/s/{to.replace('/', '/up/')}", payload) for to, payload in messages])
        eventually(
            lambda: self.gateway.state()["totals"].get("messages_received", 0) >= before + len(messages), what="messages taken"
        )


def message(seq: int, name: str = "temperature", value: Any = 21.5, boot: int = 7) -> bytes:
    record = {"boot": boot, "seq": seq, "clk": "ntp", "bt": T + seq, "n": name}
    record |= {"vb": value} if isinstance(value, bool) else {"v": value}
    return json.dumps([record]).encode()


@pytest.fixture
def site(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Site]:
    broker = {"port": mosquitto.port, "password_file": str(mosquitto.password_file)}
    gateway = GatewayProcess(tmp_path / "gateway", {"broker": broker}, REGISTRY)
    gateway.start()
    yield Site(gateway, mosquitto)
    gateway.stop()


def test_every_message_is_in_exactly_one_total_and_gaps_are_named(site: Site) -> None:
    site.send(
        *(("d0/data", message(seq)) for seq in (1, 2, 3, 6, 8)),
        ("d0/data", message(3)),
        ("d0/data", b"[}"),
        ("d1/data", message(1)),  # measures humidity only
        ("nobody/data", message(1)),
    )
    tree = site.status()
    totals = tree["totals"]
    assert tree["adds_up"]
    assert (totals["messages_received"], totals["messages_stored"]) == (9, 5)
    assert (totals["messages_duplicate"], totals["messages_held"], totals["messages_dead"]) == (1, 1, 2)
    d0 = next(device for device in tree["devices"] if device["device"] == "d0")
    assert (d0["came"], d0["missing"], d0["lost"]) == (5, 3, 0)
    assert d0["gaps"] == [{"boot": 7, "first": 4, "last": 5}, {"boot": 7, "first": 7, "last": 7}]
    assert d0["values"]["temperature"] == {"value": 21.5, "flag": 1, "time_ns": (T + 8) * 10**9}

    shown = site.ok("status", "--all")
    assert "received 9 = stored 5 + duplicate 1 + held 1 + dead 2" in shown
    assert "5 of 8" in shown
    assert "3 missing: 4-5, 7" in shown
    assert "s/nobody: 1 messages" in shown
    assert "device add s nobody --place PLACE" in shown
    assert "missing: boot 7, 4 to 5" in site.ok("status", "--device", "s/d0")


def test_a_declared_loss_is_told_and_is_no_gap(site: Site) -> None:
    lost = json.dumps([{"boot": 7, "seq": 4, "clk": "ntp", "bt": T, "n": "lost", "v": 2, "lost": [7, 2, 3]}]).encode()
    site.send(("d0/data", message(1)), ("d0/data", lost))
    d0 = next(device for device in site.status()["devices"] if device["device"] == "d0")
    assert (d0["came"], d0["lost"], d0["missing"]) == (2, 2, 0)
    assert "2 declared lost" in site.ok("status", "--all")


def test_status_works_while_the_gateway_is_down_and_says_so(site: Site) -> None:
    site.send(("d0/data", message(1)), ("d0/event", message(2, "sos", True)))
    site.gateway.kill()
    assert "does not run; this is what it had on disk" in site.ok("status")
    assert site.status()["running"] is False
    assert "SOS" in site.ok("alerts", "list")
    [alert] = view.alert_list(site.gateway.store_file)
    refused = site.error("alerts", "accept", alert.id, "--by", "li")
    assert isinstance(refused, Unavailable)
    assert "stays open" in str(refused)


def test_an_unknown_device_and_a_folder_without_a_gateway_are_one_line(site: Site, tmp_path: Path) -> None:
    assert isinstance(site.error("status", "--device", "s/none"), Rejected)
    empty = tmp_path / "kanhu.toml"
    empty.write_text(f'data_dir = "{tmp_path / "nothing"}"')
    error = CliRunner().invoke(kanhu_app.app, ["status", "-s", str(empty)]).exception
    assert isinstance(error, Unavailable)
    assert "has not run here yet" in str(error)


def test_an_sos_is_accepted_and_closed_by_a_named_person_only(site: Site) -> None:
    site.send(("d0/event", message(1, "sos", True)))
    [alert] = view.alert_list(site.gateway.store_file)
    listed = site.ok("alerts")
    assert "紧急" in listed
    assert alert.text_zh in listed
    assert f"alerts accept {alert.id} --by you" in listed
    assert "nobody was told yet" in listed

    for missing in (("--by", "li"), ("--reason", "test"), ()):
        assert site.run("alerts", "close", alert.id, *missing).exit_code == 2
    assert isinstance(site.error("alerts", "close", alert.id, "--by", "li", "--reason", " "), Rejected)
    assert isinstance(site.error("alerts", "accept", alert.id, "--by", "gateway!"), Rejected)
    assert view.find_alert(site.gateway.store_file, alert.id).unanswered

    assert "accepted by li" in site.ok("alerts", "accept", alert.id, "--by", "li")
    assert "li had already accepted it" in site.ok("alerts", "accept", alert.id, "--by", "wang")
    assert "closed by li" in site.ok("alerts", "close", alert.id, "--by", "li", "--reason", "visited_fine")
    assert "没有未处理的告警" in site.ok("alerts", "list")
    history = site.ok("alerts", "show", alert.id)
    assert [word for word in ("raised by gateway", "accepted by li", "closed by li: visited_fine") if word not in history] == []
    assert alert.id in site.ok("alerts", "list", "--all")


def test_a_dead_letter_is_shown_harmlessly_and_stored_after_the_cause_was_mended(site: Site) -> None:
    site.send(("d1/data", message(1)), ("d0/data", b"\x1b[2J\x07[evil"))
    listed = site.ok("dead-letters", "list")
    assert "not_expected 1" in listed
    by_reason = {letter.reason: letter for letter in view.letters(site.gateway.store_file)}
    [evil] = [letter for reason, letter in by_reason.items() if reason != "not_expected"]
    shown = site.ok("dead-letters", "show", str(evil.id))
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "1b 5b 32 4a 07" in shown
    number = str(by_reason["not_expected"].id)
    assert "it stays" in site.ok("dead-letters", "retry", number)

    registry = site.gateway.registry
    registry.write_text(registry.read_text().replace('["humidity"]', '["humidity", "temperature"]'))

    def stored() -> bool:
        return "stored" in site.ok("dead-letters", "retry", number)

    eventually(stored, 5.0, "the gateway to take the registry and the letter")
    assert isinstance(site.error("dead-letters", "show", number), Rejected)
    assert site.ok("dead-letters", "remove", str(evil.id)) == "1 removed\n"
    assert "no dead letters" in site.ok("dead-letters", "list")
    assert site.status()["adds_up"]
    assert site.run("dead-letters", "retry").exit_code == 2


def test_a_held_device_is_stored_once_a_person_registers_it(site: Site) -> None:
    site.send(("d9/data", message(1)), ("d9/data", message(2)))
    assert "held s/d9, 2 messages" in site.ok("device", "list")
    said = site.ok("device", "add", "s", "d9", "--place", "p9", "--cadence", "30", "--note", "new")
    assert re.search(r"user     s/d9\npassword \S{32}\n", said)
    assert "not ours" in said
    text = site.gateway.registry.read_text()
    assert "# the caretaker has the keys" in text
    assert "# at the window" in text
    assert load(site.gateway.registry).devices["s", "d9"].silence_s == 90

    def came() -> bool:
        found = [device for device in site.status()["devices"] if device["device"] == "d9"]
        return bool(found) and found[0]["came"] == 2

    eventually(came, 5.0, "the held messages")
    tree = site.status()
    assert tree["held"] == []
    assert tree["adds_up"]


def test_a_device_that_cannot_be_registered_changes_nothing(site: Site) -> None:
    before = site.gateway.registry.read_text()
    for arguments, told in (
        (("s", "d0"), "already"),
        (("elsewhere", "d5"), "no site 'elsewhere'"),
        (("s", "D 5"), "cannot be an id"),
        (("s", "d5", "--measures", "phlogiston"), "not in the catalogue"),
        (("s", "d5", "--holder", "Li Ming"), "cannot be an id"),
        (("s", "d5", "--holder", "k-1", "--place", "p9"), "not both"),
    ):
        error = site.error("device", "add", *arguments)
        assert isinstance(error, Misconfigured)
        assert told in str(error)
    assert isinstance(site.error("device", "revoke", "s", "d5"), Misconfigured)
    assert site.gateway.registry.read_text() == before


def test_devices_are_added_with_their_site_imported_and_revoked(site: Site, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    site.ok("device", "add", "river", "r1", "--new-site", "清溪河", "--password-file", str(secret))
    assert secret.stat().st_mode & 0o777 == 0o600
    assert load(site.gateway.registry).sites["river"].name == "清溪河"
    sheet = tmp_path / "devices.csv"
    header = "site,id,place,model,cadence_s,silence_s,measures,holder,via,lat,lon"
    rows = ("river,r2,p,river_probe,300,,ph turbidity,,lora-1,30.5,-120.25", "river,r3,,rider_reader,,,,k-1,,,")
    sheet.write_text("\n".join((header, *rows, "")))
    site.ok("device", "import", str(sheet))
    passwords = tmp_path / "devices.csv.passwords.csv"
    assert passwords.read_text().startswith("user,password\nriver/r2,")
    assert passwords.stat().st_mode & 0o777 == 0o600
    imported = load(site.gateway.registry).devices["river", "r2"]
    assert imported.measures == {"ph", "turbidity"}
    assert (imported.via, imported.lat, imported.lon) == ("lora-1", 30.5, -120.25)
    assert isinstance(site.error("device", "add", "river", "r5", "--lat", "30.5"), Misconfigured)
    site.ok("device", "add", "river", "r5", "--lat", "30.5", "--lon", "-120.25")
    assert load(site.gateway.registry).devices["river", "r5"].lon == -120.25
    site.ok("device", "revoke", "river", "r5")
    site.ok("device", "add", "river", "r4", "--holder", "k-2", "--model", "rider_reader")
    assert [load(site.gateway.registry).devices["river", device].holder for device in ("r1", "r3", "r4")] == ["", "k-1", "k-2"]
    assert "river/r4  with k-2" in site.ok("device", "list")
    for device in ("r1", "r2", "r3", "r4"):
        site.ok("device", "revoke", "river", device)
    site.ok("device", "revoke", "s", "d0")
    site.ok("device", "revoke", "s", "d1")
    assert not load(site.gateway.registry).devices
    site.ok("device", "add", "s", "again")
    assert list(load(site.gateway.registry).devices) == [("s", "again")]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_exported_and_put_back_elsewhere_is_the_same(site: Site, tmp_path: Path, ending: str) -> None:
    site.send(*(("d0/data", message(seq, value=seq / 7)) for seq in range(1, 101)))
    first, second = tmp_path / f"first.{ending}", tmp_path / f"second.{ending}"
    eventually(lambda: "100 readings" in site.ok("export", str(first), "--device", "d0", "--site", "s"), what="100 readings")
    other = tmp_path / "other.toml"
    other.write_text(f'data_dir = "{tmp_path / "other"}"')
    runner = CliRunner()
    assert "100 rows stored, 0 refused" in runner.invoke(kanhu_app.app, ["backfill", str(first), "-s", str(other)]).output
    assert "100 readings" in runner.invoke(kanhu_app.app, ["export", str(second), "-s", str(other)]).output
    assert first.read_bytes() == second.read_bytes()
    rolled = runner.invoke(kanhu_app.app, ["ingest", "rollups", "-s", str(other)]).output
    assert re.search(r"[1-9]\d* roll-ups computed", rolled)
    assert "nothing to set up" in runner.invoke(kanhu_app.app, ["ingest", "setup", "-s", str(other)]).output


def test_a_set_up_says_which_line_of_the_settings_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.commands.database.set_up", lambda *_, **__: [])
    file = tmp_path / "kanhu.toml"
    begin = f'data_dir = "{tmp_path}"\n[influx]\nurl = "http://127.0.0.1:1"\n'
    line = f'token_file = "{tmp_path}/secrets/influx-gateway.token"'
    file.write_text(begin)
    assert line in CliRunner().invoke(kanhu_app.app, ["ingest", "setup", "-s", str(file)], terminal_width=400).output.replace(
        "\n", ""
    )
    file.write_text(begin + line)
    assert "next" not in CliRunner().invoke(kanhu_app.app, ["ingest", "setup", "-s", str(file)]).output


def test_a_file_with_a_bad_row_is_stored_but_for_that_row_and_the_exit_code_says_so(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        "time,site,device,quantity,value\n2026-11-20T00:00:00Z,s,d0,temperature,21\nyesterday,s,d0,temperature,22\n"
    )
    if wal_reset_bug(sqlite3.sqlite_version_info):
        assert "stop the gateway" in str(site.error("backfill", str(file)))
        site.gateway.stop()
    result = site.run("backfill", str(file))
    assert result.exit_code == 1
    assert "1 rows stored" in result.output
    assert "yesterday" in (tmp_path / "mine.csv.refused.csv").read_text()


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-20T25:00"])
def test_a_time_that_is_none_is_told(site: Site, text: str) -> None:
    assert "write 2026-11-20" in str(site.error("export", "x.csv", "--from", text))


def test_the_doctor_ends_with_1_when_something_does_not_work(site: Site) -> None:
    assert "broker login" in site.ok("doctor")
    site.mosquitto.stop()
    result = site.run("doctor")
    assert result.exit_code == 1
    assert "no broker at 127.0.0.1" in result.output


def test_the_gateway_rolls_up_what_it_stores_and_says_when_it_is_ready(site: Site) -> None:
    assert (site.gateway.folder / "var" / "rollups.db").exists()
    assert "database embedded, 2 devices registered, metrics on port" in site.gateway.log


def test_every_command_has_a_help_that_begins_with_what_it_does() -> None:
    silent = []

    def look(command: Any, path: str) -> None:
        if not (command.help or "").strip():
            silent.append(path)
        for name, child in getattr(command, "commands", {}).items():
            look(child, f"{path} {name}")

    look(typer.main.get_command(kanhu_app.app), "kanhu")
    assert not silent


def test_an_error_is_one_red_line_and_an_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["kanhu", "status", "-s", "/nonexistent/kanhu.toml"])
    with pytest.raises(SystemExit) as ended:
        kanhu.main()
    assert ended.value.code == 3
    assert capsys.readouterr().err.strip().count("\n") == 0


def test_settings_are_sent_to_a_device_and_shown_with_what_it_says_of_them(site: Site) -> None:
    told = site.ok("device", "configure", "s", "d0", "cadence=60", "name=kitchen")
    assert "{'cadence': 60, 'name': 'kitchen'}" in told
    assert "NAME=VALUE" in str(site.error("device", "configure", "s", "d0", "cadence"))
    assert "registry" in str(site.error("device", "configure", "s", "nobody", "cadence=60"))
    site.send(("d0/status", json.dumps({"online": True, "boot": 1, "config_error": "cadence: 10 to 3600"}).encode()))
    eventually(
        lambda: "settings refused: cadence: 10 to 3600" in site.ok("status", "--device", "s/d0"), what="the device's answer"
    )


def test_a_command_is_sent_to_a_registered_device_and_only_there(site: Site) -> None:
    with paho_client(site.mosquitto) as device:
        device.subscribe("kanhu/1/s/d0/down/command", 1)
        told = site.ok("device", "command", "s", "d0", "prewarn", "seconds=600", "kind=silence")
        eventually(lambda: device.received, what="the command")
        sent = json.loads(device.received[0].payload)
    assert f"(id {sent.pop('id')})" in told
    assert sent == {"name": "prewarn", "seconds": 600, "kind": "silence"}
    assert "NAME=VALUE" in str(site.error("device", "command", "s", "d0", "prewarn", "seconds"))
    assert "registry" in str(site.error("device", "command", "s", "nobody", "reboot"))
    assert "other than id and name" in str(site.error("device", "command", "s", "d0", "reboot", "id=1"))
