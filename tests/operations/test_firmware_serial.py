"""What is done over a cable, up to the serial port: mpremote against MicroPython on a pty, esptool against a mute port."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import kanhu_app
from edge_gateway.errors import Misconfigured, Unavailable
from operations.firmware import build, provision, serial
from operations.firmware.serial import Port
from tests.firmware.raw_repl import RawRepl

SETTINGS = {
    "site": "yunhe",
    "device": "probe-1",
    "model": "river_probe",
    "wifi": [{"ssid": "shore", "password": "12345678"}],
    "broker": {"host": "gateway.lan", "password": "x" * 32},
}


@pytest.fixture
def device(micropython: str, pseudo_terminals: None, tmp_path: Path) -> Iterator[RawRepl]:
    found = RawRepl(micropython, tmp_path)
    yield found
    found.close()


@pytest.fixture
def mute(pseudo_terminals: None) -> Iterator[str]:
    """A port on which nobody answers."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def cli(*arguments: str) -> str:
    """What a command prints; raises what it raises."""
    result = CliRunner().invoke(kanhu_app.app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_without_a_device_a_person_is_told_what_to_do() -> None:
    with pytest.raises(Misconfigured, match=r"no device is plugged in.*data cable.*--port /dev/ttyUSB0"):
        serial.choose(None, [])
    with pytest.raises(Misconfigured, match="there is no port /dev/ttyUSB7; USB serial ports: none"):
        serial.choose("/dev/ttyUSB7", [])


def test_one_device_is_found_and_of_several_one_is_asked_for() -> None:
    one, two = Port("/dev/ttyUSB0", "CP2102"), Port("/dev/ttyACM0", "USB JTAG")
    assert serial.choose(None, [one]) == "/dev/ttyUSB0"
    with pytest.raises(Misconfigured, match=r"several .*ttyUSB0 \(CP2102\), /dev/ttyACM0 .*--port /dev/ttyUSB0"):
        serial.choose(None, [one, two])


@pytest.mark.parametrize("chip", serial.CHIPS)
def test_esptool_understands_what_we_say_and_a_mute_port_is_told(chip: str, mute: str, tmp_path: Path) -> None:
    image = tmp_path / "firmware.bin"
    image.write_bytes(b"\xe9" + bytes(4095))
    for argv in (serial.erase(chip, mute), serial.write_image(chip, mute, image)):
        checked = [*argv[:3], "--connect-attempts", "1", *argv[3:]]
        with pytest.raises(Unavailable, match=r"Failed to connect|No serial data received"):
            serial.run(checked, "writing MicroPython")


@pytest.mark.slow
def test_a_build_goes_onto_the_device_and_only_its_code_is_replaced(device: RawRepl, tmp_path: Path) -> None:
    built = build.build("river_probe", "1.4.0", tmp_path)
    device.run("import os\nos.mkdir('/b')\nopen('/b/old.mpy', 'wb').close()\nopen('/slot', 'wb').close()")
    device.run("with open('/settings.json', 'wb') as file: file.write(b'mine')")
    template = tmp_path / "template.json"
    template.write_text('{"ntp": []}')
    said = cli("firmware", "flash", str(built.folder), "--port", device.path, "--template", str(template))
    assert "已写入" in said
    listed = device.run(
        "def walk(path):\n    for name in os.listdir(path or '/'):\n        whole = path + '/' + name\n"
        "        walk(whole) if os.stat(whole)[0] & 0x4000 else print(whole, os.stat(whole)[6])\nwalk('')"
    )
    found = dict(line.split() for line in listed.split("\n") if line)
    wanted = {
        f"/{file.relative_to(built.flash)}": str(file.stat().st_size) for file in built.flash.rglob("*") if file.is_file()
    }
    assert found == {**wanted, "/settings.json": "4", "/template.json": "11"}
    assert device.run("import machine\nprint(machine.resets)").strip() == "1"


def test_settings_and_certificates_go_onto_the_device_and_its_label_is_told(device: RawRepl, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({**SETTINGS, "broker": {"host": "gateway.lan", "tls": True}}))
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "password").write_text("geheim\n")
    said = cli(
        *("firmware", "provision", str(tmp_path / "settings.json"), "--ca", str(tmp_path / "ca.pem")),
        *("--password", str(tmp_path / "password"), "--port", device.path),
    )
    assert "network kanhu-probe-1, password " in said and "geheim" not in said
    document = json.loads(device.run("with open('/settings.json') as file: print(file.read())"))
    assert document["broker"] == {"host": "gateway.lan", "tls": True, "password": "geheim", "ca": "/ca.pem"}
    assert "BEGIN" in device.run("with open('/ca.pem') as file: print(file.read())")
    buffer = "import esp32\nbuffer = bytearray(20)\nprint(buffer[: esp32.NVS('kanhu').get_blob('portal', buffer)].decode())"
    assert f"password {device.run(buffer).strip()}" in said


def test_settings_with_mistakes_never_reach_a_device(tmp_path: Path) -> None:
    wrong = {**SETTINGS, "site": "Yun he", "cadence_s": 0, "colour": 1}
    (tmp_path / "settings.json").write_text(json.dumps(wrong))
    with pytest.raises(Misconfigured) as error:
        cli("firmware", "provision", str(tmp_path / "settings.json"), "--port", "/dev/null")
    for word in ("site: seen 'Yun he'", "cadence_s: seen 0", "colour: unknown"):
        assert word in str(error.value)


def test_the_settings_of_the_guide_are_good_ones() -> None:
    guide = (Path(__file__).parents[2] / "docs/firmware/provision.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    assert provision.check(json.loads(example)) == []


def test_a_model_nobody_knows_is_told() -> None:
    assert "model: seen 'toaster'" in provision.check({**SETTINGS, "model": "toaster"})[0]


def test_label_passwords_are_random_and_easy_to_read() -> None:
    words = {provision.portal_password() for _ in range(50)}
    assert len(words) == 50
    assert all(len(word) == 14 and not set(word) & set("01OIL") for word in words)


def test_a_device_that_does_not_answer_is_one_clear_line(mute: str) -> None:
    with pytest.raises(Unavailable, match=r"asking failed: .*is another program using the port"):
        serial.run(serial.execute(mute, "print(1)"), "asking", 4)


def test_monitor_shows_what_the_device_prints_and_sends_nothing(pseudo_terminals: None) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    lines = serial.listen(os.ttyname(slave))
    threading.Timer(0.3, lambda: os.write(master, "1 info on\r\n2 warning 水\r\nhalf".encode())).start()
    assert [next(lines), next(lines)] == ["1 info on", "2 warning 水"]
    os.set_blocking(master, False)
    with pytest.raises(BlockingIOError):
        os.read(master, 1)
    lines.close()  # type: ignore[attr-defined]
    os.close(master)
    os.close(slave)


def test_a_command_that_is_not_installed_says_what_to_install() -> None:
    with pytest.raises(Unavailable, match="make setup"):
        serial.run([sys.executable, "-m", "no_such_tool_of_ours"], "writing")


def test_the_tools_are_those_that_are_installed() -> None:
    for module in ("esptool", "mpremote"):
        assert subprocess.run([sys.executable, "-m", module, "version"], capture_output=True, check=False).returncode == 0
