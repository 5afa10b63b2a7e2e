"""A person's data are taken out whole, and erased everywhere: database, gateway, backups, put-aside files, logs."""

import csv
import io
import json
import os
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.errors import KanhuError, Misconfigured, Rejected, Unavailable
from edge_gateway.settings import load
from ingest.setup import setup
from operations.doctor import Outcome, privacy
from operations.privacy import backup
from operations.privacy import erase as erasing
from tests.databases import TOKEN, Database
from tests.operations.test_cli import Site
from tests.personal import PEOPLE, found_in, words
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess

PATIENCE_S = 60.0
HOME, OTHER = "quiet-lane-7", "quiet-lane-71"
REGISTRY = f"""
[sites.s]
[[devices]]
site = "s"
id = "box-7"
place = "{HOME}"
model = "elder_home"
cadence_s = 3600
[[devices]]
site = "s"
id = "box-71"
place = "{OTHER}"
model = "elder_home"
cadence_s = 3600
[[homes]]
site = "s"
place = "{HOME}"
person = "e-0317"
"""


@pytest.fixture
def site(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Site]:
    broker = mosquitto.settings().model_dump(mode="json", exclude_none=True)
    gateway = GatewayProcess(tmp_path / "gateway", {"broker": broker}, REGISTRY)
    gateway.start(wait=False)
    gateway.wait_until_ready(PATIENCE_S)
    found = Site(gateway, mosquitto)
    eventually(lambda: written_down(found), PATIENCE_S, "the ledger")
    yield found
    gateway.kill()


def written_down(site: Site) -> bool:
    try:
        for person in ("e-0317", "home-1"):
            _, name, phone, address = PEOPLE[person]
            who = {"role": "elder", "site": "s", "name": name, "phone": phone, "address": address, "by": "anna"}
            site.gateway.call("people.set", id=HOME if person == "home-1" else person, **who)
    except Unavailable:
        return False
    return True


def lived(site: Site, devices: tuple[str, ...] = ("box-7", "box-71"), since: int = 0) -> None:
    """Readings, a refused message, held ones, an alert, a memory."""
    now = time.time()
    messages: list[tuple[str, bytes]] = []
    for device in devices:
        for n in range(5):
            items: list[dict[str, Any]] = [
                {"boot": 1, "seq": since + n + 1, "clk": "ntp", "bt": now - 60 + n, "n": "motion", "vb": True}
            ]
            messages.append((f"{device}/data", json.dumps([*items, {"n": "temperature", "u": "Cel", "v": 20.0 + n}]).encode()))
        messages.append((f"{device}/data", b'[{"boot": 1, "seq": "no number", "n": "motion"}]'))
    messages.append((f"{devices[0]}/data", f'[{{"bad": "{HOME}"}}]'.encode()))
    site.send(*messages)
    for device in devices:
        site.gateway.call("homes.away", site="s", place=HOME if device == "box-7" else OTHER, kind="out", by="anna")
    eventually(lambda: not site.gateway.state()["numbers"].get("kanhu_outbox_rows", 0), PATIENCE_S)
    eventually(lambda: HOME.encode() in site.gateway.readings_file.read_bytes() + wal(site), PATIENCE_S, "the readings")


def wal(site: Site) -> bytes:
    file = site.gateway.readings_file.with_name("readings.db-wal")
    return file.read_bytes() if file.exists() else b""


def naming(folder: Path) -> set[str]:
    """Files that name the home or its person."""
    return {file.name.removesuffix("-wal") for file in folder.rglob("*") if file.is_file() and named_in(file.read_bytes())}


def named_in(data: bytes) -> bool:
    """Byte for byte, free places of a database included."""
    return any(word in data.replace(OTHER.encode(), b"") for word in (HOME.encode(), b"e-0317"))


def test_erased_is_erased_everywhere_and_stays_so_when_an_old_backup_comes_back(site: Site, tmp_path: Path) -> None:
    var = site.gateway.folder / "var"
    lived(site)
    site.ok("backup", str(tmp_path / "stick"))
    site.ok("backup", str(tmp_path / "drawer"))
    (old,) = (tmp_path / "drawer").iterdir()
    old = old.rename(tmp_path / "pulled-out")  # nobody can reach it now
    (var / "gateway.db.damaged-1").write_bytes(b"\x00" * 5000 + HOME.encode() + b"\x00")
    (var / "gateway.db.damaged-2").write_bytes(b"\x00" * 5000 + OTHER.encode() + b"\x00")
    (var / "log").mkdir()
    (var / "log" / "gateway.log").write_text(f"device of {HOME} is late\ndevice of {OTHER} is late\n")
    assert {"gateway.db", "readings.db"} <= naming(var)
    assert {"gateway.db", "readings.db", "registry.toml", "visits.db"} <= naming(tmp_path / "stick")

    reason = f"{HOME}: {PEOPLE['e-0317'][1]} took the consent back"
    told = site.ok("privacy", "erase", "s", HOME, "--by", "anna", "--reason", reason, "--yes")
    assert "names 2" in told and "cannot be reached" in told, told

    # The chain of the ledger says that two names were written down and forgotten; nothing else does.
    assert naming(var) == {"visits.db"} and "the ledger of visits" in told, naming(var)
    assert naming(tmp_path / "stick") == {"visits.db"}
    name = PEOPLE["e-0317"][1].encode()
    assert not [file for folder in (var, tmp_path / "stick") for file in folder.rglob("*.jsonl") if name in file.read_bytes()]
    assert HOME not in site.gateway.registry.read_text().replace(OTHER, "")
    assert OTHER in (var / "log" / "gateway.log").read_text()
    assert not (var / "gateway.db.damaged-1").exists() and (var / "gateway.db.damaged-2").exists()
    assert naming(tmp_path / "pulled-out") >= {"gateway.db", "readings.db"}
    site.ok("people", "reveal", "e-0317", "--by", "anna", "--why", "test")
    names = [word for key in ("e-0317", "home-1") for word in PEOPLE[key][1:]]
    assert not any(
        list(found_in(site.ok("people", "reveal", "e-0317", HOME, "--by", "anna", "--why", "test").encode(), (words(w),)))
        for w in names
    )

    # The neighbour whose name begins alike has lost nothing, and the gateway goes on.
    with closing(sqlite3.connect(site.gateway.readings_file)) as db:
        count = "SELECT count(*) FROM reading JOIN series ON id = series WHERE place = ? AND measurement = 'presence'"
        assert db.execute(count, (OTHER,)).fetchone() == (5,)
        assert db.execute("SELECT count(*) FROM series WHERE place = ?", (HOME,)).fetchone() == (0,)
    with closing(sqlite3.connect(site.gateway.store_file)) as db:
        assert db.execute("SELECT DISTINCT place FROM home WHERE place <> ''").fetchall() == [(OTHER,)]
        assert db.execute("SELECT DISTINCT device FROM dead_letter").fetchall() == [("box-71",)]
        assert db.execute("SELECT who, what, detail FROM home_log WHERE place = ''").fetchall() == [
            ("anna", "erased", "(erased): (erased) took the consent back")
        ]
    site.send(
        (
            "box-71/data",
            json.dumps([{"boot": 1, "seq": 90, "clk": "ntp", "bt": time.time(), "n": "motion", "vb": True}]).encode(),
        )
    )
    site.send(("box-7/data", b'[{"boot": 1, "seq": 91, "n": "motion", "vb": true}]'))
    assert site.gateway.state()["totals"]["messages_held"] == 1

    # Everything is lost, and only the backup that nobody could reach is left.
    site.gateway.stop()
    for file in var.glob("*.db*"):
        file.unlink()
    restored = site.ok("restore", str(old))
    assert "erased again" in restored, restored
    assert naming(var) == {"visits.db"}
    with closing(sqlite3.connect(var / "visits.db")) as db:
        assert db.execute("SELECT count(*) FROM person").fetchone() == (0,)
    with closing(sqlite3.connect(site.gateway.readings_file)) as db:
        assert db.execute(count, (OTHER,)).fetchone() == (5,)
    site.gateway.start()
    assert site.gateway.state()["connected"]


def test_what_was_interrupted_is_done_again_from_the_beginning(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lived(site)
    found = load(site.gateway.settings_file)

    def power_cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(erasing.Erasures, "add", power_cut)
        with pytest.raises(KeyboardInterrupt):
            erasing.erase(found, erasing.subject_of(found, "s", HOME), "anna", "moved")
    assert HOME not in site.gateway.registry.read_text().replace(OTHER, "") and HOME.encode() in wal(site) + readings(site)
    assert privacy.erasings(found).outcome is Outcome.FAIL
    told = site.ok("privacy", "erase", "s", HOME, "--by", "anna", "--reason", "moved", "--yes")
    assert privacy.erasings(found).outcome is Outcome.OK
    assert "box-7" in told and "names 2" in told, told
    assert naming(site.gateway.folder / "var") == {"visits.db"}
    with closing(sqlite3.connect(site.gateway.store_file)) as db:
        assert db.execute("SELECT device FROM device").fetchall() == [("box-71",)]


def readings(site: Site) -> bytes:
    return site.gateway.readings_file.read_bytes()


def test_an_urgent_alert_that_is_open_is_dealt_with_first(site: Site) -> None:
    site.send(
        ("box-7/event", json.dumps([{"boot": 1, "seq": 1, "clk": "ntp", "bt": time.time(), "n": "sos", "vb": True}]).encode())
    )
    error = site.error("privacy", "erase", "s", HOME, "--by", "anna", "--reason", "moved", "--yes")
    assert isinstance(error, Rejected) and "alert_open" in str(error)
    assert HOME in site.gateway.registry.read_text()
    (alert,) = json.loads(site.ok("alerts", "list", "--json"))
    site.ok("alerts", "close", alert["id"], "--by", "anna", "--reason", "test")
    assert "alerts 1" in site.ok("privacy", "erase", "s", HOME, "--by", "anna", "--reason", "moved", "--yes")
    assert "nothing was there" not in site.ok("alerts", "list", "--all") and HOME not in site.ok("alerts", "list", "--all")


def test_a_person_gets_all_that_is_kept_and_nothing_of_the_neighbours(site: Site, tmp_path: Path) -> None:
    lived(site)
    site.gateway.call("homes.consent", site="s", place=HOME, version="3", date="2026-11-01", given=True, by="anna")
    site.ok("privacy", "export", "s", HOME, str(tmp_path / "his.zip"), "--by", "anna")
    assert not (tmp_path / "his.zip").stat().st_mode & 0o077
    with zipfile.ZipFile(tmp_path / "his.zip") as archive:
        inside = {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    assert inside["readings.csv"].count("motion") == 5 and inside["readings.csv"].count("temperature") == 5
    assert json.loads(inside["name.json"])["e-0317"]["phone"] == PEOPLE["e-0317"][2]
    assert json.loads(inside["home.json"])["now"]["consents"][0][:3] == ["2026-11-01", "3", True]
    assert "no number" in inside["waiting.csv"] and "away" in inside["home_log.csv"]
    assert not [name for name, text in inside.items() if OTHER in text or "box-71" in text]
    assert "e-0317" in site.ok("people", "looked", "--site", "s")
    eventually(lambda: "anna" in site.ok("homes", "log", HOME) and "export" in site.ok("homes", "log", HOME), PATIENCE_S)


def test_what_a_device_or_a_person_wrote_is_no_formula_in_a_spreadsheet_and_nobody_exports_unnamed(
    site: Site, tmp_path: Path
) -> None:
    evil = '=HYPERLINK("http://evil.example","Click")'
    site.send(("box-7/data", evil.encode()))
    until_ns = time.time_ns() + 3600 * 10**9
    site.gateway.call("homes.consent", site="s", place=HOME, version="1", date="2026-11-01", given=True, by="anna")
    site.gateway.call("homes.seen", site="s", place=HOME, by="anna", note=evil)
    site.gateway.call("homes.pause", site="s", place=HOME, by="anna", until_ns=until_ns, reason="visitors")
    site.ok("privacy", "export", "s", HOME, str(tmp_path / "his.zip"), "--by", "anna")
    with zipfile.ZipFile(tmp_path / "his.zip") as archive:
        tables = {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist() if name.endswith(".csv")}
    assert [name for name, text in tables.items() if "HYPERLINK" in text] == ["home_log.csv", "waiting.csv"]
    cells = [cell for text in tables.values() for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert isinstance(site.error("privacy", "export", "s", HOME, str(tmp_path / "x.zip"), "--by", "gateway"), KanhuError)
    assert not (tmp_path / "x.zip").exists()


def test_a_backup_is_whole_and_old_ones_go(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lived(site)
    found = load(site.gateway.settings_file)
    assert privacy.backups(found).outcome is Outcome.WARN
    duty = '[[people]]\nid = "wang"\nurls = ["json://127.0.0.1/13912345678"]\n'
    (found.data_dir / "duty.toml").write_text(duty)
    phrase = tmp_path / "phrase"
    phrase.write_text("some words of a phrase\n")
    site.ok("backup", str(tmp_path / "b"), "--keys", str(tmp_path / "keys"), "--passphrase-file", str(phrase))
    (made,) = backup.known(found)
    kept = {file.name for file in made.folder.iterdir()}
    assert {"gateway.db", "readings.db", "visits.db", "registry.toml", "manifest.json"} <= kept and "secrets" not in kept
    key = found.visits_key_file.read_bytes()
    assert not any(b"13912345678" in file.read_bytes() for file in made.folder.iterdir())
    assert not any(key in file.read_bytes() or key.hex().encode() in file.read_bytes() for file in made.folder.iterdir())
    assert privacy.backups(found).outcome is Outcome.OK
    monkeypatch.setattr(time, "time", lambda wall=time.time: wall() + 31 * 86_400)
    assert privacy.backups(found).outcome is Outcome.WARN
    _, gone = backup.make(found, tmp_path / "b", 30)
    assert gone == [made.folder] and len(backup.known(found)) == 1
    monkeypatch.undo()

    # Another machine, with the keys' file.
    (new,) = backup.known(found)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "kanhu.toml").write_text(f'data_dir = "{folder / "var"}"\nregistry = "{folder / "registry.toml"}"\n')
    other = Site(GatewayProcess(tmp_path / "unused", {}, REGISTRY), site.mosquitto)
    other.settings = str(folder / "kanhu.toml")
    assert isinstance(other.error("restore", str(new.folder)), Unavailable)
    other.ok("restore", str(new.folder), "--keys", str(tmp_path / "keys"), "--passphrase-file", str(phrase))
    assert (folder / "var" / "secrets" / "visits.key").read_bytes() == key
    assert (folder / "var" / "duty.toml").read_text() == duty
    assert isinstance(other.error("restore", str(new.folder)), Misconfigured)
    (new.folder / "visits.db").write_bytes(b"x")
    os.rename(folder / "var", folder / "before")
    other.ok("restore", str(made.folder)) if made.reachable else None
    assert "not as it was made" in str(other.error("restore", str(new.folder)))


def test_in_influxdb_a_home_is_gone_too_and_again_when_its_own_backup_comes_back(
    mosquitto: Mosquitto, influxdb2: Database, tmp_path: Path
) -> None:
    secrets = tmp_path / "gateway" / "var" / "secrets"
    influx = influxdb2.settings(token_file=secrets / "influx.token")
    broker = mosquitto.settings().model_dump(mode="json", exclude_none=True)
    told = {"broker": broker, "influx": influx.model_dump(mode="json", include={"url", "kind", "bucket", "token_file"})}
    gateway = GatewayProcess(tmp_path / "gateway", told, REGISTRY)
    setup(load(gateway.settings_file), admin_token=TOKEN, retention_days=0)
    gateway.start(wait=False)
    gateway.wait_until_ready(PATIENCE_S)
    site = Site(gateway, mosquitto)
    try:
        eventually(lambda: written_down(site), PATIENCE_S, "the ledger")
        for n, device in enumerate(("box-7", "box-71")):
            record = {"boot": 1, "seq": n + 1, "clk": "ntp", "bt": time.time(), "n": "motion", "vb": True}
            site.send((f"{device}/data", json.dumps([record]).encode()))
        eventually(lambda: influxdb2.count("presence") == 2, PATIENCE_S, "the readings")
        assert "is not in it" in site.ok("backup", str(tmp_path / "b"))
        before = [row for row in influxdb2.rows("presence") if row["place"] == HOME]
        site.ok("privacy", "erase", "s", HOME, "--by", "anna", "--reason", "moved", "--yes")
        assert [row["place"] for row in influxdb2.rows("presence")] == [OTHER]
        line = f"presence,site=s,device=box-7,place={HOME} motion=1.0,motion_flag=1i {before[0]['time']}"
        influxdb2.server.http("/api/v2/write", line.encode(), org=influxdb2.org, bucket=influxdb2.name)
        assert influxdb2.count("presence") == 2
        assert "erased again" in site.ok("privacy", "again")
        assert [row["place"] for row in influxdb2.rows("presence")] == [OTHER]
        assert "nobody" in site.ok("privacy", "again")
    finally:
        gateway.kill()
