"""The keys' own backup opens with its passphrase only, and never replaces a key that is there."""

import json
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from operations.privacy import keys

PHRASE = "four words of a phrase"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(data_dir=tmp_path / "var")
    (found.data_dir / "secrets").mkdir(parents=True)
    for name in ("visits.key", "store.key", "influx.token"):
        (found.data_dir / "secrets" / name).write_bytes(name.encode() * 4)
    (tmp_path / "kanhu.toml").write_text("[alerts]\n")
    return found


def test_what_was_put_away_comes_back_as_it_was_and_private(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "stick" / "keys"
    names = keys.save(settings, file, PHRASE, tmp_path / "kanhu.toml")
    assert sorted(names) == ["kanhu.toml", "secrets/influx.token", "secrets/store.key", "secrets/visits.key"]
    assert not file.stat().st_mode & 0o077
    assert not any(name.encode() in file.read_bytes() for name in ("visits.key", "alerts"))
    other = Settings(data_dir=tmp_path / "other")
    (other.data_dir / "secrets").mkdir(parents=True)
    (other.data_dir / "secrets" / "store.key").write_bytes(b"mine")
    assert sorted(keys.restore(other, file, PHRASE)) == ["kanhu.toml", "secrets/influx.token", "secrets/visits.key"]
    assert other.visits_key_file.read_bytes() == settings.visits_key_file.read_bytes()
    assert not other.visits_key_file.stat().st_mode & 0o077
    assert (other.data_dir / "secrets" / "store.key").read_bytes() == b"mine"


def test_another_passphrase_or_a_changed_file_opens_nothing(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keys.save(settings, file, PHRASE, None)
    with pytest.raises(Misconfigured, match="does not open"):
        keys.restore(settings, file, PHRASE + "s")
    with pytest.raises(Misconfigured, match="there already"):
        keys.save(settings, file, PHRASE, None)
    tree = json.loads(file.read_text())
    for name, value in (("salt", "00" * 16), ("version", 2), ("scrypt", {"n": 1 << 30, "r": 8, "p": 1}), ("sealed", "zz")):
        (tmp_path / "changed").write_text(json.dumps({**tree, name: value}))
        with pytest.raises(Misconfigured):
            keys.restore(settings, tmp_path / "changed", PHRASE)
    for content in ("", "[]", '"x"', "{}"):
        (tmp_path / "changed").write_text(content)
        with pytest.raises(Misconfigured, match="holds no keys"):
            keys.restore(settings, tmp_path / "changed", PHRASE)


def test_a_short_passphrase_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="at least 10"):
        keys.save(settings, tmp_path / "keys", "short", None)
