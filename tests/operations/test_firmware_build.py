"""The same sources give the same bytes, a device's own code takes what we sign, and nothing else is served."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.errors import Misconfigured
from operations.firmware import build, bundle, keys, serve, sources
from operations.firmware.rollout import Release, step
from tests.firmware.conftest import FIRMWARE, Run, micropython, upy  # noqa: F401
from tests.web import ask, serving

if str(FIRMWARE) not in sys.path:
    sys.path.insert(0, str(FIRMWARE))

from app import sign


@pytest.fixture(scope="module")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    keys.make(folder, "")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, key_folder: Path) -> build.Build:
    return build.build("river_probe", "1.4.0", tmp_path_factory.mktemp("build"), keys.public(key_folder))


@pytest.fixture
def released(built: build.Build, key_folder: Path, tmp_path: Path) -> Path:
    return bundle.release(built.folder, keys.load(key_folder / "present.pem"), tmp_path / "releases")


def tree(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_second_build_has_the_same_bytes(built: build.Build, key_folder: Path, tmp_path: Path) -> None:
    again = build.build("river_probe", "1.4.0", tmp_path, keys.public(key_folder))
    assert tree(again.folder) == tree(built.folder)


def test_nothing_of_this_machine_is_in_a_build(built: build.Build) -> None:
    here = [str(folder).encode() + b"/" for folder in (Path(__file__).resolve().parents[2], Path.home())]
    for file in built.folder.rglob("*"):
        assert not file.is_file() or not any(place in file.read_bytes() for place in here)


def test_a_build_has_its_own_model_and_no_other(built: build.Build) -> None:
    assert "app/river_probe.mpy" in built.files
    assert not {"app/elder_home.mpy", "app/rider_reader.mpy"} & built.files.keys()
    assert {"app/main.mpy", "app/ota.mpy", "app/update.mpy", "app/set_up.mpy", "app/safe_mode.mpy"} <= built.files.keys()


@pytest.mark.parametrize("model", sources.MODELS)
def test_every_module_of_every_model_loads_in_micropython_from_its_compiled_files(
    model: str,
    tmp_path: Path,
    upy: Run,  # noqa: F811
) -> None:
    made = build.build(model, "0.1.0", tmp_path)
    names = [path.removesuffix(".mpy").replace("/", ".") for path in made.files if not path.endswith("__init__.mpy")]
    code = "import sys\nfor name in sys.argv[1:]:\n    __import__(name)\nprint('all')"
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name in ("machine", "network", "esp32", "onewire", "neopixel"):
        (stubs / f"{name}.py").touch()
    done = upy(code, *names, path=[stubs, made.flash / "a", made.flash / "lib"], heap="1M")
    assert done.stdout.endswith("all\n"), done.stderr


def test_what_we_sign_is_taken_by_the_devices_own_code(released: Path, key_folder: Path) -> None:
    manifest, signature = (released / "release.json").read_bytes(), (released / "release.sig").read_bytes()
    public = keys.public(key_folder)
    found = sign.opened(manifest, signature, tuple(public))
    assert (found["model"], found["version"]) == ("river_probe", "1.4.0")
    bundle_bytes = (released / "bundle.bin").read_bytes()
    assert sum(entry["size"] for entry in found["files"]) == len(bundle_bytes)
    at = 0
    for entry in found["files"]:
        assert hashlib.sha256(bundle_bytes[at : at + entry["size"]]).digest() == entry["sha256"]
        at += entry["size"]


def test_what_we_sign_is_taken_under_micropython_by_the_compiled_code_with_its_baked_in_keys(
    released: Path,
    built: build.Build,
    upy: Run,  # noqa: F811
) -> None:
    code = (
        "import sys\nfrom app import release, sign\n"
        "def read(name):\n    with open(sys.argv[1] + '/' + name, 'rb') as file:\n        return file.read()\n"
        "print(sign.opened(read('release.json'), read('release.sig'), release.KEYS)['version'], len(release.KEYS))\n"
        "try:\n    sign.opened(read('release.json') + b' ', read('release.sig'), release.KEYS)\n"
        "except sign.Refused as error:\n    print(error)\n"
    )
    done = upy(code, str(released), path=[built.flash / "a"])
    assert done.stdout == "1.4.0 2\nsignature: not signed by a key of this firmware\n", done.stderr


def test_a_build_that_was_changed_is_not_signed(built: build.Build, key_folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(built.folder, copy)
    (copy / "flash/a/app/main.mpy").write_bytes(b"something else")
    with pytest.raises(Misconfigured, match=r"app/main\.mpy is not what was built"):
        bundle.release(copy, keys.load(key_folder / "present.pem"), tmp_path / "releases")


def test_a_version_is_released_once(released: Path, built: build.Build, key_folder: Path) -> None:
    with pytest.raises(Misconfigured, match="is there already"):
        bundle.release(built.folder, keys.load(key_folder / "present.pem"), released.parents[1])


def test_an_image_goes_with_the_build_and_the_release(key_folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "micropython.app-bin"
    image.write_bytes(b"\xe9" + bytes(9000))
    made = build.build("river_probe", "2.0.0", tmp_path, image=image.read_bytes())
    key = keys.load(key_folder / "present.pem")
    with pytest.raises(Misconfigured, match="to both"):
        bundle.release(made.folder, key, tmp_path / "r")
    folder = bundle.release(made.folder, key, tmp_path / "r", image)
    assert (folder / "micropython.bin").read_bytes() == image.read_bytes()
    alone = build.build("river_probe", "2.0.2", tmp_path, image=image.read_bytes(), frozen=True)
    assert json.loads(alone.manifest)["files"] == []
    assert (bundle.release(alone.folder, key, tmp_path / "r", image) / "bundle.bin").read_bytes() == b""
    with pytest.raises(Misconfigured, match="an update of frozen code is an image"):
        build.build("river_probe", "2.0.3", tmp_path, frozen=True)
    with pytest.raises(Misconfigured, match="no application image"):
        build.build("river_probe", "2.0.1", tmp_path, image=b"MZ")


@pytest.mark.parametrize("version", ["1.4", "1.4.0.0", "v1.4.0", "1.4.1000", ""])
def test_a_version_is_three_numbers(version: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no version"):
        build.build("river_probe", version, tmp_path)


def test_a_model_that_is_none_and_a_folder_that_is_not_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="known: elder_home"):
        build.build("toaster", "1.0.0", tmp_path)
    (tmp_path / "river_probe-1.0.0").mkdir()
    with pytest.raises(Misconfigured, match="was not built by this command"):
        build.build("river_probe", "1.0.0", tmp_path)


def test_keys_are_made_once_and_locked_with_a_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "keys"
    keys.make(folder, "correct horse")
    assert (folder / "present.pem").stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in (folder / "next.pem").read_bytes()
    with pytest.raises(Misconfigured, match="is there already"):
        keys.make(folder, "")
    monkeypatch.setenv(keys.PASSPHRASE, "wrong")
    with pytest.raises(Misconfigured, match="cannot use"):
        keys.load(folder / "present.pem")
    monkeypatch.setenv(keys.PASSPHRASE, "correct horse")
    assert len(keys.sign(keys.load(folder / "present.pem"), b"x")) == 384


def test_a_folder_without_keys_or_with_a_short_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="0 public keys"):
        keys.public(tmp_path)
    subprocess.run(["openssl", "genrsa", "-out", tmp_path / "x.pem", "2048"], capture_output=True, check=True)
    subprocess.run(
        ["openssl", "rsa", "-in", tmp_path / "x.pem", "-pubout", "-out", tmp_path / "x.pub"], capture_output=True, check=True
    )
    with pytest.raises(Misconfigured, match="no RSA key of 3072 bit"):
        keys.public(tmp_path)


def test_releases_are_served_with_ranges_and_nothing_else_is(released: Path) -> None:
    root = released.parents[1]
    (root / "secret.pem").write_text("secret")
    (released / "secret.pem").write_text("secret")
    whole = (released / "bundle.bin").read_bytes()
    with serving(serve.app(root)) as url:
        assert ask(f"{url}/river_probe/1.4.0/bundle.bin").content == whole
        part = ask(f"{url}/river_probe/1.4.0/bundle.bin", headers={"Range": "bytes=1000-"})
        assert (part.status, part.content) == (206, whole[1000:])
        assert part.headers["content-range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
        below = "/river_probe/1.4.0/"
        for path in (
            "/",
            "/river_probe",
            below,
            f"{below}secret.pem",
            "/secret.pem",
            "/x/..%2f..%2f/secret.pem",
            "/../secret.pem",
        ):
            assert ask(url + path).status == 404, path
    with pytest.raises(Misconfigured, match="no releases"):
        serve.app(root / "nothing")


class Known:
    """As much of a DeviceView as a rollout looks at."""

    def __init__(
        self, number: int, firmware: str = "river_probe 1.3.0 abc", update: str = "", model: str = "river_probe"
    ) -> None:
        self.name = f"s/d{number}"
        self.firmware, self.update = firmware, update
        self.expected = type("Device", (), {"model": model})()


RELEASE = Release("http://h/", "river_probe", "1.4.0", "0" * 64)


def names(devices: Any) -> list[str]:
    return [device.name for device in devices]


def test_a_larger_share_holds_the_smaller_one_and_every_version_begins_elsewhere() -> None:
    devices: list[Any] = [Known(n) for n in range(200)]
    tenth, half = names(step(devices, RELEASE, 10).send), names(step(devices, RELEASE, 50).send)
    assert len(tenth) == 20 and len(half) == 100 and half[:20] == tenth
    other = Release("http://h/", "river_probe", "1.5.0", "0" * 64)
    assert set(names(step(devices, other, 10).send)) != set(tenth)


def test_even_the_smallest_share_is_one_device_and_other_models_are_never_told() -> None:
    devices: list[Any] = [Known(1), Known(2, model="elder_home")]
    assert names(step(devices, RELEASE, 0.1).send) == ["s/d1"]
    assert names(step(devices, RELEASE, 100).send) == ["s/d1"]


def test_a_share_knows_who_is_done_and_whose_update_went_wrong() -> None:
    devices: list[Any] = [
        Known(1, firmware="river_probe 1.4.0 def"),
        Known(2, update="refused: room: 4096 bytes free, 90000 needed"),
        Known(3, update="fell back from 1.4.0: no receipt in 5 starts"),
        Known(4, firmware=""),
    ]
    found = step(devices, RELEASE, 100)
    assert names(found.done) == ["s/d1"]
    assert sorted(names(found.failed)) == ["s/d2", "s/d3"]
    assert names(found.send) == ["s/d4"]


def test_the_manifest_says_what_a_person_can_read(released: Path) -> None:
    said = json.loads((released / "release.json").read_text())
    assert said["min_version"] == "0.0.0" and said["files"][0]["path"].startswith("app/")
