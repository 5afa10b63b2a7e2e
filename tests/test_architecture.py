"""Imports go one way, `firmware | edge_gateway | ingest | simulator, operations, dashboards | kanhu`; who broke it is told."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY = {f"edge_gateway.{m}" for m in ("errors", "events", "catalog", "topics", "sink", "registry", "settings")}

CONSOLE_USERS = {f"dashboards.console.{m}" for m in ("users", "roles", "audit", "store", "address")}

# folder -> what of this project it may import besides itself
ALLOWED: dict[str, set[str]] = {
    "edge_gateway": set(),
    "ingest": VOCABULARY,
    "simulator": VOCABULARY,
    # Of the console only who may log in and where it is: `kanhu console user` works without its web server.
    "operations": {"edge_gateway", "ingest", "dashboards.grafana", *CONSOLE_USERS},
    "dashboards": {"edge_gateway", "ingest"},
    "firmware": set(),
}
OURS = {*ALLOWED, "kanhu", "kanhu_app", "tests"}
PURE = (
    "decoders",
    "rules",
    "validate",
    "quick",
    "sequence",
    "clock",
    "alerts",
    "duty",
    "message",
    "events",
    "catalog",
    "topics",
    "points",
    "line_protocol",
    "pipeline",
    "speaker",
    "bells",
    "state",
    "work",
    "value",
    "text",
    "reasons",
    "registry_text",
    "judge",
    "days",
    "matching",
    "stops",
    "carried",
    "claims",
    "plan",
    "plan_rows",
    "outages",
    "corrections",
    "records",
    "served",
    "meals",
    "canteen",
    "chain",
    "words",
    "nfc",
    "evidence",
)
WORLD = {"socket", "sqlite3", "time", "asyncio", "threading", "urllib", "http", "requests", "os", "subprocess", "random"}


def imports(file: Path) -> set[str]:
    """Full names of the modules a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def allowed(name: str, folder: str) -> bool:
    top = name.split(".")[0]
    if top not in OURS or top == folder:
        return True
    may = ALLOWED[folder]
    return any(name == m or name.startswith(m + ".") or m.startswith(name + ".") for m in may)


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_imports_point_one_way(folder: str) -> None:
    broken = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for name in sorted(imports(file))
        if not allowed(name, folder)
    ]
    assert not broken, "\n".join(broken)


def test_the_pure_middle_touches_no_socket_no_file_and_no_clock() -> None:
    broken = []
    for folder in ("edge_gateway", "ingest"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            if not any(part.removesuffix(".py") in PURE for part in file.relative_to(ROOT / folder).parts):
                continue
            broken += [f"{file.relative_to(ROOT)} imports {name}" for name in imports(file) if name.split(".")[0] in WORLD]
    assert not broken, "\n".join(broken)


def test_only_kanhu_puts_the_parts_together() -> None:
    users = [f for folder in ALLOWED for f in (ROOT / folder).rglob("*.py") if {"kanhu", "kanhu_app"} & set(imports(f))]
    assert not users, users


def test_the_gateway_is_started_without_the_other_commands() -> None:
    told = "import operations.commands.serve, edge_gateway.service, ingest.sinks, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    others = {name for name in loaded if name.startswith("operations.commands.")}
    assert others == {"operations.commands.common", "operations.commands.serve"}
    assert not {"kanhu_app", "nicegui", "pyarrow", "requests", "apprise"} & set(loaded)


# What a stock ESP32 image of MicroPython has; `app` is the firmware itself.
ON_DEVICE = {
    "app",
    "slots",  # lies beside app/boot.py on a device
    "asyncio",
    "binascii",
    "cryptolib",
    "deflate",
    "errno",
    "esp",
    "esp32",
    "gc",
    "hashlib",
    "io",
    "json",
    "machine",
    "math",
    "micropython",
    "network",
    "ntptime",
    "onewire",
    "os",
    "random",
    "re",
    "select",
    "socket",
    "ssl",
    "struct",
    "sys",
    "time",
    "tls",
    "vfs",
}


def test_the_firmware_imports_only_what_a_device_has() -> None:
    broken = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / "firmware" / "app").rglob("*.py"))
        for name in sorted(imports(file))
        if name.split(".")[0] not in ON_DEVICE
    ]
    assert not broken, "\n".join(broken)
