"""A backup that somebody had in hand puts nothing anywhere but where a backup's files belong."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured
from edge_gateway.privacy import raw
from edge_gateway.privacy.subject import Subject
from edge_gateway.settings import Settings
from operations.privacy import backup, erasures, keys


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(data_dir=tmp_path / "machine" / "var", registry=tmp_path / "machine" / "registry.toml")
    raw.load(raw.key_file(found.store_file), make=True)
    return found


def stick(tmp_path: Path, name: str, content: bytes) -> Path:
    """A backup with one file more, and a manifest that says so."""
    folder = tmp_path / "stick" / "kanhu-20261121T000000Z"
    folder.mkdir(parents=True)
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    told = {name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}}
    (folder / backup.MANIFEST).write_text(json.dumps({"made_s": 1, "files": told}))
    return folder


@pytest.mark.parametrize("name", ["../../escaped", "duty.toml", "secrets/visits.key", "kanhu.toml", "../registry.toml"])
def test_a_file_that_no_backup_has_is_refused_and_nothing_is_written(settings: Settings, tmp_path: Path, name: str) -> None:
    folder = stick(tmp_path, name, b"urls = ['siren+run:///bin/sh']")
    before = set((tmp_path / "machine").rglob("*"))
    with pytest.raises(Misconfigured, match="holds what no backup does"):
        backup.restore(settings, folder)
    assert set((tmp_path / "machine").rglob("*")) == before


def test_an_absolute_name_is_refused_too(settings: Settings, tmp_path: Path) -> None:
    folder = stick(tmp_path, "readings.db", b"")
    (tmp_path / "elsewhere").write_bytes(b"x")
    told = {str(tmp_path / "elsewhere"): {"sha256": hashlib.sha256(b"x").hexdigest(), "bytes": 1}}
    (folder / backup.MANIFEST).write_text(json.dumps({"made_s": 1, "files": told}))
    with pytest.raises(Misconfigured, match="holds what no backup does"):
        backup.restore(settings, folder)


def test_a_link_in_a_backup_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "private").write_bytes(b"somebody else's")
    folder = stick(tmp_path, "readings.db", b"somebody else's")
    (folder / "readings.db").unlink()
    os.symlink(tmp_path / "private", folder / "readings.db")
    with pytest.raises(Misconfigured, match="leads somewhere else"):
        backup.restore(settings, folder)
    assert not (settings.data_dir / "readings.db").exists()


def test_erasing_in_a_backup_follows_no_link_either(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("somebody else's\n")
    folder = stick(tmp_path, "readings.db", b"")
    os.symlink(tmp_path / "private", folder / erasures.NAME)
    seal = raw.load(raw.key_file(settings.store_file))
    with pytest.raises(Misconfigured, match="leads somewhere else"):
        backup.erase(backup.Backup(folder, 1), Subject("s", "home-1"), seal, "{}")
    assert (tmp_path / "private").read_text() == "somebody else's\n"


def test_a_keys_file_puts_back_keys_and_settings_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in (
            str(tmp_path / "absolute"),
            "../up",
            "gateway.db",
            "duty.toml",
            "secrets/a/b",
            "secrets/x.key",
            "kanhu.toml",
        ):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    monkeypatch.setattr(keys, "_opened", lambda file, passphrase: packed.getvalue())
    assert keys.restore(settings, tmp_path / "keys", "some words of a phrase") == ["secrets/x.key", "kanhu.toml"]
    assert not (tmp_path / "absolute").exists() and not (settings.data_dir / "gateway.db").exists()
