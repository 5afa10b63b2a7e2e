"""What `make` runs: lock files with hashes for everything, scripts that find servers and say what they leave out."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SCRIPTS = sorted([*ROOT.glob("scripts/*.sh"), ROOT / ".ci/run", ROOT / "docker/setup-database.sh"])


def locked(file: str) -> dict[str, int]:
    """Package -> number of its hashes."""
    text = (ROOT / file).read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.M)
    return {re.split("[=<> ]", block)[0]: block.count("--hash=sha256:") for block in blocks if block.strip()}


def canonical(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=! ;]", requirement)[0]).lower()


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("requirements.lock", [*PROJECT["dependencies"], "setuptools"]),
        ("requirements-dev.lock", [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"], "setuptools"]),
    ],
)
def test_everything_the_project_asks_for_is_locked_with_hashes(file: str, wanted: list[str]) -> None:
    have = locked(file)
    missing = [name for name in map(canonical, wanted) if name not in have]
    assert not missing, f"{missing} not in {file}: run `make lock`"
    assert not [name for name, hashes in have.items() if not hashes]


def test_both_lock_files_agree() -> None:
    pins = [
        dict(re.findall(r"^(\S+)==([^\s;]+)", (ROOT / f).read_text(), re.M))
        for f in ("requirements.lock", "requirements-dev.lock")
    ]
    assert {name: pins[1].get(name) for name in pins[0]} == pins[0]


def test_lock_files_name_no_host() -> None:
    for file in ("requirements.lock", "requirements-dev.lock"):
        assert not re.search(r"https?:|--index|--find-links|--extra", (ROOT / file).read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_scripts_are_executable_and_stop_at_the_first_error(script: Path) -> None:
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert text.startswith(("#!/bin/bash\n", "#!/bin/sh\n"))
    assert ("set -euo pipefail" if "bash" in text.splitlines()[0] else "set -eu") in text
    shell = text.splitlines()[0].removeprefix("#!")
    assert subprocess.run([shell, "-n", str(script)], check=False).returncode == 0


def test_every_target_is_in_the_help_and_has_a_recipe() -> None:
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    public = {t for t in targets if "-" not in t} - {"help"}
    assert public == set(re.findall(r"^make (\w+)", shown, re.M))


def test_ci_runs_the_readmes_own_test_command_and_the_linters() -> None:
    text = (ROOT / ".ci/run").read_text()
    assert "\nmake test\n" in text
    assert "export CI=true" in text
    for linter in ("ruff check .", "ruff format --check .", "mypy"):
        assert f".venv/bin/{linter}\n" in text
    assert "make test" in (ROOT / "README.md").read_text()


def servers(tmp_path: Path, *arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path, "KANHU_SERVERS_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path), "KANHU_UNPACK": "1"}
    return subprocess.run(
        [ROOT / "scripts/servers.sh", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def no_network_apt(tmp_path: Path) -> str:
    """A PATH on which apt knows no package at all, as on a distribution without ours."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("apt-get", "apt-config", "dpkg-deb"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
    (folder / "apt-cache").write_text("#!/bin/sh\necho 'E: No packages found' >&2; exit 100\n")
    for file in folder.iterdir():
        file.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_a_server_that_may_be_missing_is_left_out_with_a_reason(tmp_path: Path, no_network_apt: str) -> None:
    done = servers(tmp_path, "--optional", "victoria-metrics", path=no_network_apt)
    assert done.returncode == 0
    assert "victoria-metrics is left out: this distribution has no package victoria-metrics" in done.stderr


def test_a_server_that_is_needed_is_an_error_with_the_command_that_helps(tmp_path: Path, no_network_apt: str) -> None:
    done = servers(tmp_path, "mosquitto", path=no_network_apt)
    assert done.returncode == 1
    assert "sudo apt-get install mosquitto" in done.stderr


def test_a_server_that_was_unpacked_is_found_again_at_once(tmp_path: Path, no_network_apt: str) -> None:
    (tmp_path / "cache/bin").mkdir(parents=True)
    (tmp_path / "cache/mosquitto").mkdir()
    (tmp_path / "cache/mosquitto/complete").touch()
    (tmp_path / "cache/bin/mosquitto").write_text("#!/bin/sh\n")
    (tmp_path / "cache/bin/mosquitto").chmod(0o755)
    done = servers(tmp_path, "mosquitto", path=no_network_apt)
    assert (done.returncode, done.stderr) == (0, f"servers: mosquitto: {tmp_path}/cache/bin/mosquitto\n")


def test_an_installed_influxdb_2_is_not_taken_for_influxdb_1(tmp_path: Path, no_network_apt: str) -> None:
    folder = Path(no_network_apt.split(":")[0])
    (folder / "influxd").write_text("#!/bin/sh\necho 'InfluxDB v2.7.12 (git: none) build_date: 2025'\n")
    (folder / "influxd").chmod(0o755)
    environment = {"PATH": f"{folder}:/bin", "KANHU_SERVERS_DIR": str(tmp_path / "c"), "HOME": str(tmp_path)}
    script = f'. <(sed "/^# ---- as root/,$ d" {ROOT}/scripts/servers.sh); on_path influxdb'
    done = subprocess.run(["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "influxd" not in done.stdout
