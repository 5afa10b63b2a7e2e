"""An app that never gets up is mended from afar: ten bad starts, safe mode, an update over the broker, and it runs."""

import json
from pathlib import Path

import pytest

from operations.firmware import build, bundle, keys, serve
from tests.firmware.test_set_up_and_update import Site, board, key_folder, site, wait  # noqa: F401
from tests.web import serving

BROKEN = b"def run(root):\n    raise ValueError('this version is broken')\n"


def broken(built: build.Build) -> dict[str, bytes]:
    """Its `app.main` is one that ends with an error."""
    manifest = json.loads((built.flash / "a" / "release.json").read_text())
    (built.flash / "a/app/main.mpy").unlink()
    return {"/a/app/main.py": BROKEN, "/a/release.json": json.dumps(manifest).encode()}


def settings(site: Site, password: str) -> bytes:  # noqa: F811
    return json.dumps(
        {
            "site": "yunhe",
            "device": "home-7",
            "model": "elder_home",
            "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
            "broker": {"host": "127.0.0.1", "port": site.port, "password": password},
            "watchdog_s": 0,
        }
    ).encode()


@pytest.mark.slow
def test_a_version_that_never_gets_up_is_replaced_from_safe_mode(site: Site, tmp_path: Path, key_folder: Path) -> None:  # noqa: F811
    public = keys.public(key_folder)
    site.kanhu("device", "add", "yunhe", "home-7", "--model", "elder_home", "--password-file", "password")
    password = (tmp_path / "password").read_text().strip()
    bad = build.build("elder_home", "1.0.0", tmp_path / "build", public)
    good = build.build("elder_home", "1.0.1", tmp_path / "build", public)
    folder = tmp_path / "releases"
    bundle.release(good.folder, keys.load(key_folder / "present.pem"), folder)
    files = {**broken(bad), "/settings.json": settings(site, password)}
    with serving(serve.app(folder)) as address, board(tmp_path, bad, **files) as device:
        # Eight bad starts are behind it; each takes three seconds.
        device.nvs.verb(["kanhu", "set", "i", "boots_failed", "8"])
        device.nvs.verb(["kanhu", "commit"])
        device.start()
        wait(device, lambda: "safe mode: " in device.log, 40, "safe mode")
        wait(device, lambda: site.device("yunhe/home-7")["firmware"] == "elder_home 1.0.0 safe", 30, "its birth")
        assert "this version is broken" in device.log
        told = site.kanhu("firmware", "update", f"{address}/elder_home/1.0.1", "--device", "yunhe/home-7")
        assert "1.0.0 -> 1.0.1" in told
        wait(device, lambda: site.device("yunhe/home-7")["update"] == "1.0.1 runs", 60, "the good version")
