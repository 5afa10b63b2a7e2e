"""docker-compose.yml: valid by the compose specification, nothing guessable in it, and its broker really starts."""

import json
import os
import re
import shlex
import shutil
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from edge_gateway import registry
from edge_gateway import settings as settings_files
from operations import mosquitto as broker_files
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE: Mapping[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
LONG_RUNNING = {name: s for name, s in SERVICES.items() if s["restart"] != "no"}


def test_it_is_valid_by_the_compose_specification() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    program = str(checker) if checker.exists() else shutil.which("check-jsonschema")
    assert program, "check-jsonschema is one of the dev dependencies"
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", str(FILE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_docker_compose_itself_accepts_it() -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no docker compose here")
    done = subprocess.run(
        ["docker", "compose", "-f", str(FILE), "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_an_exact_version(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"\d+\.\d+\.\d+", tag), SERVICES[name]["image"]


def test_the_gateways_image_has_the_projects_version_and_is_built_on_an_exact_one() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version and SERVICES["gateway"]["image"] == f"kanhu:{version[1]}"
    bases = re.findall(r"^FROM (\S+)", (ROOT / "docker/Dockerfile").read_text(), re.M)
    assert bases and all(re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", base) for base in bases)


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_service_that_stays_has_a_health_check_a_memory_limit_and_small_logs(name: str) -> None:
    service = LONG_RUNNING[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_can_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "devices"}
    if name != "influxdb":  # its image changes to its own user by itself
        assert service["cap_drop"] == ["ALL"]
        assert service["user"].startswith("1883:")


def test_only_mqtt_over_tls_is_published_to_the_world() -> None:
    published = {port for service in SERVICES.values() for port in service.get("ports", [])}
    assert published == {"8883:8883", "127.0.0.1:3000:3000"}
    assert "tls_version" in (ROOT / "docker/mosquitto.conf").read_text().partition("listener 8883")[2]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert SERVICES["influxdb"]["networks"] == ["inside"]


def test_no_value_of_the_environment_is_a_secret() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET|KEY", key):
                assert key.endswith("_FILE"), f"{name}: {key}"
                assert value.startswith("/run/"), f"{name}: {key}"


def test_each_secret_goes_to_exactly_one_service_and_is_made_by_the_script(tmp_path: Path) -> None:
    used = [secret for service in SERVICES.values() for secret in service.get("secrets", [])]
    assert sorted(used) == sorted(COMPOSE["secrets"])
    made = make_secrets(tmp_path / "secrets")
    assert {f"./secrets/{name}" for name in made} == {secret["file"] for secret in COMPOSE["secrets"].values()}


def test_volumes_and_files_that_are_mounted_are_there() -> None:
    for name, service in SERVICES.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./docker"):
                assert (ROOT / source).exists(), f"{name}: {mount}"
                assert mount.endswith(":ro"), f"{name}: {mount}"
            elif not source.startswith("./"):
                assert source in COMPOSE["volumes"], f"{name}: {mount}"


def test_grafana_sees_the_readers_token_only_and_the_admins_stays_in_the_set_up() -> None:
    mounts = {name: [m.split(":")[0] for m in s.get("volumes", [])] for name, s in SERVICES.items()}
    assert [name for name, sources in mounts.items() if "influxdb_admin" in sources] == ["setup-database"]
    assert [name for name, sources in mounts.items() if "grafana_token" in sources] == ["setup-database", "grafana"]
    script = (ROOT / "docker/setup-database.sh").read_text()
    assert re.findall(r"influx-\w+\.token \S*/grafana/", script) == ["influx-reader.token /run/kanhu/grafana/"]


def test_the_settings_of_the_containers_are_settings_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("gateway", "setup-database"):
        for key in [key for key in os.environ if key.startswith("KANHU_")]:
            monkeypatch.delenv(key)
        for key, value in SERVICES[name]["environment"].items():
            monkeypatch.setenv(key, value)
        loaded = settings_files.load()
        assert loaded.influx.url == "http://influxdb:8086"
        known = {f"KANHU_{k.upper()}" for k in settings_files.Settings.model_fields}
        assert all(key.split("__")[0] in known for key in SERVICES[name]["environment"])
    assert f":{settings_files.Settings().gateway.metrics_port}/metrics" in SERVICES["gateway"]["healthcheck"]["test"][-1]


def built_for_grafana(folder: Path) -> Path:
    """What the set-up service builds, by its own command in its own environment, into `folder`."""
    script = (ROOT / "docker/setup-database.sh").read_text().replace("\\\n", " ")
    command = next(shlex.split(line) for line in script.splitlines() if line.startswith("kanhu dashboards build"))
    assert command[3] == command[command.index("--files") + 1], "Grafana finds the files where they are built"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KANHU_")}
    environment |= SERVICES["setup-database"]["environment"] | {"KANHU_DATA_DIR": str(folder / "data")}
    done = subprocess.run(
        [sys.executable, ROOT / "kanhu.py", *command[1:3], folder / "files", *command[4:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "files"


def test_grafana_reads_the_buckets_that_set_up_makes_from_files_that_set_up_builds(tmp_path: Path) -> None:
    grafana, files = SERVICES["grafana"], built_for_grafana(tmp_path)
    assert grafana["environment"]["GF_PATHS_PROVISIONING"] == "/run/kanhu/grafana/files/provisioning"
    assert grafana["env_file"] == SERVICES["setup-database"]["env_file"], "one knows the channels that the other leaves out"
    sources = yaml.safe_load((files / "provisioning/datasources/kanhu.yml").read_text())["datasources"]
    bucket = settings_files.Influx().bucket
    assert [(s["uid"], s["jsonData"]["dbName"]) for s in sources] == [("kanhu", bucket), ("kanhu-rollups", f"{bucket}_rollups")]
    assert all(s["url"] == "http://influxdb:8086" for s in sources)
    token = "Token $__file{/run/kanhu/grafana/influx-reader.token}"
    assert all(s["secureJsonData"] == {"httpHeaderValue1": token} for s in sources)
    providers = yaml.safe_load((files / "provisioning/dashboards/kanhu.yml").read_text())["providers"]
    for provider in providers:
        path = provider["options"]["path"].removeprefix("/run/kanhu/grafana/files/")
        assert len(list((files / path).glob("*.json"))) >= 6


def test_the_examples_of_a_site_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(settings_files.load(ROOT / "deploy/kanhu.toml").alerts.people) == 2
    assert len(registry.load(ROOT / "deploy/registry.toml").devices) == 2


# ---- the image


def test_the_image_installs_what_the_lock_file_has_a_hash_for_and_does_not_run_as_root() -> None:
    text = (ROOT / "docker/Dockerfile").read_text()
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]
    assert re.findall(r"^USER (\S+)", text, re.M)[-1] == "kanhu"


def test_all_our_packages_get_into_the_image() -> None:
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for package in [p.parent.name for p in ROOT.glob("*/__init__.py") if p.parent.name != "tests"]:
        assert f"!{package}/" in allowed
    for source in re.findall(r"^COPY (?!--from)(\S+) \S", (ROOT / "docker/Dockerfile").read_text(), re.M):
        assert (ROOT / source).exists()


# ---- secrets and broker, for real


def make_secrets(folder: Path, *arguments: str) -> dict[str, str]:
    for tool in ("openssl", "python3"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here")
    script = ROOT / "scripts/secrets.sh"
    subprocess.run([script, *arguments], env={**os.environ, "KANHU_SECRETS": str(folder)}, check=True, capture_output=True)
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_secrets_are_random_private_and_stay(tmp_path: Path) -> None:
    first, again, other = make_secrets(tmp_path / "a"), make_secrets(tmp_path / "a"), make_secrets(tmp_path / "b")
    assert first == again
    assert all(first[name] != other[name] for name in first)
    for file in (tmp_path / "a").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert len(first["gateway_broker_password"].strip()) >= 32


def test_the_secrets_folder_is_never_committed() -> None:
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def plain_lines(conf: str) -> set[str]:
    kept = (line.split("#")[0].strip() for line in conf.splitlines())
    return {
        line
        for line in kept
        if line and not re.match(r"(password_file|acl_file|persistence_location|listener|log_dest|user)\b", line)
    }


def test_the_containers_broker_has_the_settings_that_we_measured() -> None:
    tls = broker_files.Tls(
        Path("/run/secrets/broker_ca"), Path("/run/secrets/broker_certificate"), Path("/run/secrets/broker_key"), False
    )
    ours = broker_files.conf(Path("/f"), [broker_files.Listener(1883), broker_files.Listener(8883, tls=tls)])
    assert plain_lines((ROOT / "docker/mosquitto.conf").read_text()) == plain_lines(ours)
    rules = [line.split() for line in (ROOT / "docker/acl").read_text().splitlines() if line and not line.startswith("#")]
    assert rules == [line.split() for line in broker_files.acl().splitlines() if line]


def test_a_device_with_its_password_speaks_over_tls_and_its_neighbour_without_one_does_not(tmp_path: Path) -> None:
    try:
        program = broker_files.find_mosquitto()
    except Exception as error:
        pytest.skip(str(error))
    secrets = tmp_path / "secrets"
    make_secrets(secrets, "device", "river/river-3")
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "0:0", str(secrets)], check=True)
    plain, tls = free_port(), free_port()
    conf = (ROOT / "docker/mosquitto.conf").read_text()
    for there, here in (
        ("/run/secrets", str(secrets)),
        ("/mosquitto/config/acl", str(ROOT / "docker/acl")),
        ("/mosquitto/data/", f"{tmp_path}/"),
        ("listener 1883", f"listener {plain}"),
        ("listener 8883", f"listener {tls}"),
    ):
        assert there in conf
        conf = conf.replace(there, here)
    (tmp_path / "conf").write_text(conf + ("\nuser root\n" if os.geteuid() == 0 else ""))
    process = subprocess.Popen(
        [*program.argv, "-c", str(tmp_path / "conf")],
        env=dict(program.env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        gateway = (secrets / "gateway_broker_password").read_text().strip()
        assert greeting(tls, "gateway", gateway, secrets / "broker_ca") == "Success"
        assert greeting(tls, "river/river-4", "guess", secrets / "broker_ca") == "Not authorized"
    finally:
        process.terminate()
        process.wait(10)


def greeting(port: int, user: str, password: str, authority: Path) -> str:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.tls_set(str(authority), tls_version=ssl.PROTOCOL_TLS_CLIENT)
    client.username_pw_set(user, password)
    answer: list[str] = []
    answered = threading.Event()

    def on_connect(*arguments: Any) -> None:
        answer.append(str(arguments[3]))
        answered.set()

    client.on_connect = on_connect
    for _ in range(100):
        try:
            client.connect("localhost", port)
            break
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
    client.loop_start()
    assert answered.wait(10)
    client.disconnect()
    client.loop_stop()
    return answer[0]


def test_the_devices_password_is_printed_once_and_kept_only_hashed(tmp_path: Path) -> None:
    make_secrets(tmp_path / "s")
    done = subprocess.run(
        [ROOT / "scripts/secrets.sh", "device", "river/river-3"],
        env={**os.environ, "KANHU_SECRETS": str(tmp_path / "s")},
        check=True,
        capture_output=True,
        text=True,
    )
    device, password = done.stdout.split()
    assert device == "river/river-3"
    everything = json.dumps({f.name: f.read_text() for f in (tmp_path / "s").iterdir()})
    assert password not in everything
    assert "river/river-3:$7$" in everything
