"""The whole spine as real processes: a gateway started from the command line, beside the fixtures' brokers and databases."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_gateway import commands
from edge_gateway.errors import KanhuError

ROOT = Path(__file__).resolve().parent.parent
DEVICES = 10


def registry(devices: int = DEVICES, cadence_s: float = 60.0) -> str:
    """Devices d0, d1, ... of the site `s`, each at its own place."""
    lines = ["[sites.s]"]
    for i in range(devices):
        lines += ["[[devices]]", 'site = "s"', f'id = "d{i}"', f'place = "p{i}"', f"cadence_s = {cadence_s}"]
    return "\n".join(lines) + "\n"


class GatewayProcess:
    """`kanhu gateway` in a folder of its own; killed with -9 or stopped with SIGTERM by its own pid.

    Args:
        settings: TOML tables as nested dicts, written to kanhu.toml.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], registry_text: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.registry = folder / "registry.toml"
        self.registry.write_text(registry() if registry_text is None else registry_text, encoding="utf-8")
        self.settings_file = folder / "kanhu.toml"
        merged: dict[str, Any] = {
            "data_dir": str(folder / "var"),
            "registry": str(self.registry),
            **settings,
        }
        merged["gateway"] = {"metrics_port": 0, "ballast_mb": 0, **merged.get("gateway", {})}
        self.settings_file.write_text(_toml(merged), encoding="utf-8")
        self.socket = folder / "var" / "gateway.sock"
        self.store_file = folder / "var" / "gateway.db"
        self.readings_file = folder / "var" / "readings.db"
        self._process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}
        self.program = ["-m", "kanhu", "gateway", "--settings", str(self.settings_file)]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def start(self, wait: bool = True) -> None:
        assert self._process is None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.program],
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, within_s: float = 20.0) -> None:
        """Until it answers commands and both its sessions are connected."""
        ends = time.monotonic() + within_s
        while True:
            assert self._process is not None and self._process.poll() is None, f"the gateway ended:\n{self.log[-3000:]}"
            try:
                if self.state()["connected"]:
                    return
            except KanhuError:
                pass
            assert time.monotonic() < ends, f"the gateway is not ready:\n{self.log[-3000:]}"
            time.sleep(0.05)

    def state(self) -> dict[str, Any]:
        """What the gateway says of itself."""
        answer = commands.call(self.socket, "state", timeout_s=5.0)
        assert isinstance(answer, dict)
        return answer

    def call(self, command: str, **arguments: Any) -> Any:
        return commands.call(self.socket, command, **arguments)

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """SIGTERM; seconds until it had ended."""
        began = time.monotonic()
        self._end(signal.SIGTERM)
        return time.monotonic() - began

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the gateway did not end:\n{self.log[-3000:]}") from None


def _toml(tables: Mapping[str, Any], prefix: str = "") -> str:
    plain = [f"{key} = {json.dumps(value)}" for key, value in tables.items() if not isinstance(value, dict)]
    nested = [
        f"[{prefix}{key}]\n" + _toml(value, f"{prefix}{key}.") for key, value in tables.items() if isinstance(value, dict)
    ]
    return "\n".join([*plain, *nested]) + "\n"
