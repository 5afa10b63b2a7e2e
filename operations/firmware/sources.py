"""Which files of `firmware/app` one model of device needs: everything its entry points import, however late."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured

APP: Final = Path(__file__).resolve().parents[2] / "firmware" / "app"
MODELS: Final = ("elder_home", "rider_reader", "meal_counter", "river_probe")
# What `boot` and a command may turn to; everything else is reached from these by imports.
_ENTRIES: Final = ("__init__", "main", "safe_mode", "set_up", "ota", "release")
# Beside the slots, never replaced from afar.
LOADER: Final = ("boot", "slots")


def closure(model: str) -> list[Path]:
    """The sources of a model, sorted, as paths below `firmware/app`.

    Raises:
        Misconfigured: there is no such model.
    """
    if not (APP / f"{model}.py").is_file() or model not in MODELS:
        raise Misconfigured(f"there is no model {model!r}", f"known: {', '.join(MODELS)}")
    found: set[Path] = set()
    waiting = [Path(f"{name}.py") for name in (*_ENTRIES, model)]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        if not (APP / file).is_file():
            raise Misconfigured(f"firmware/app/{file} is missing", "is this the whole source tree?")
        found.add(file)
        waiting += _imported(APP / file)
    return sorted(found)


def fingerprint(files: list[Path]) -> str:
    """12 hex digits over names and contents: two builds of the same sources have the same."""
    digest = hashlib.sha256()
    for file in files:
        content = (APP / file).read_bytes()
        digest.update(f"{file} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _imported(file: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            if parts[0] != "app":
                continue
            for path in (Path(*parts[1:]).with_suffix(".py") if parts[1:] else None, Path(*parts[1:], "__init__.py")):
                if path is not None and (APP / path).is_file():
                    yield path
