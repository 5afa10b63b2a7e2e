"""Enrolment by one-time code, over a real broker and gateway: each device its own password, whatever happens in between."""

import asyncio
import base64
import csv
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from app import enrol, enrol_code, mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_gateway import commands
from edge_gateway import settings as settings_module
from edge_gateway.errors import Misconfigured, Rejected
from operations import enrolment, mosquitto
from operations.commands.device import revoke
from tests.firmware.test_set_up_and_update import Site, site  # noqa: F401
from tests.servers import eventually


def document(port: int, device: str = "home-7") -> dict[str, Any]:
    return {
        "site": "yunhe",
        "device": device,
        "model": "elder_home",
        "wifi": [{"ssid": "home", "password": "12345678"}],
        "broker": {"host": "127.0.0.1", "port": port, "tls": False},
    }


def hand_in(job: dict[str, Any], port: int) -> None:
    """What a device does, once; the firmware's own code."""

    async def main() -> None:
        await enrol.hand_in(job, lambda user, word: mqtt.Client("127.0.0.1", port, user, user, word, clean=True))

    asyncio.run(main())


def may_connect(port: int, user: str, password: str) -> bool:
    answers: list[Any] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, "", protocol=MQTTProtocolVersion.MQTTv311)
    client.username_pw_set(user, password)
    client.on_connect = lambda _client, _userdata, _flags, reason, _properties: answers.append(reason)
    client.connect("127.0.0.1", port)
    client.loop_start()
    eventually(lambda: answers, what="an answer to CONNECT")
    client.disconnect()
    client.loop_stop()
    return not answers[0].is_failure


def speak(port: int, password: str, online: bool = True, device: str = "home-7") -> None:
    """The device's birth under its own name."""
    user = f"yunhe/{device}"
    client = paho.Client(CallbackAPIVersion.VERSION2, "", protocol=MQTTProtocolVersion.MQTTv311)
    client.username_pw_set(user, password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(f"kanhu/1/{user}/up/status", json.dumps({"online": online, "boot": 1}), 1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


@pytest.fixture
def ready(site: Site) -> Site:  # noqa: F811
    """A site with the registered devices yunhe/home-7 and home-8."""
    for device in ("home-7", "home-8"):
        site.kanhu("device", "add", "yunhe", device, "--password-file", f"{device}.password")
    return site


def test_codes_of_the_host_are_those_that_a_device_reads() -> None:
    for _ in range(200):
        code = enrolment.new_code()
        assert enrol_code.canonical(enrolment.shown(code).lower()) == code
        assert len(set(code)) > 1
    assert enrol_code.parse(f"yunhe/home-7/{enrolment.shown(code)}") == ("yunhe", "home-7", code)


def test_a_device_may_be_cut_off_at_any_step_and_begin_again_with_the_same_code(ready: Site, tmp_path: Path) -> None:
    site_, device, code = enrol_code.parse(ready.code("yunhe/home-7"))
    assert (site_, device) == ("yunhe", "home-7")
    root = str(tmp_path)
    job = enrol.begin(root, document(ready.port), code)
    # The power goes before anything was sent: the same password is handed in afterwards.
    assert enrol.begin(root, document(ready.port), code)["password"] == job["password"]
    hand_in(job, ready.port)
    # It goes after the gateway has stored it and before the device knows: once more.
    again = enrol.pending(root)
    assert again == job
    hand_in(again, ready.port)
    # Its flash was made anew meanwhile: another password, the same code.
    other = dict(job, password="f" * 64)
    hand_in(other, ready.port)
    eventually(lambda: may_connect(ready.port, "yunhe/home-7", other["password"]), what="the device's own password")
    assert not may_connect(ready.port, "yunhe/home-7", job["password"])
    # It speaks as itself: from now on the code is worth nothing.
    speak(ready.port, other["password"])
    eventually(lambda: not may_connect(ready.port, "_enrol/yunhe/home-7", code), what="the end of the code")
    with pytest.raises(enrol.Refused, match="wrong, used or too old"):
        hand_in(job, ready.port)
    enrol.finish(root, other)
    assert json.loads((tmp_path / "settings.json").read_text())["broker"]["password"] == other["password"]
    assert enrol.pending(root) is None


def test_the_will_of_the_connection_before_does_not_end_a_code(ready: Site) -> None:
    _, _, code = enrol_code.parse(ready.code("yunhe/home-7"))
    job = {"settings": document(ready.port), "code": code, "password": "a" * 64}
    hand_in(job, ready.port)
    eventually(lambda: may_connect(ready.port, "yunhe/home-7", "a" * 64), what="the password")
    speak(ready.port, "a" * 64, online=False)
    time.sleep(0.5)
    assert "_enrol/yunhe/home-7" in ready.users
    speak(ready.port, "a" * 64)
    eventually(lambda: "_enrol/yunhe/home-7" not in ready.users, what="the end of the code")


def test_a_wrong_code_and_a_code_for_another_device_are_refused(ready: Site) -> None:
    _, _, code = enrol_code.parse(ready.code("yunhe/home-7"))
    wrong = code[:5] + ("0" if code[5] != "0" else "1") + code[6:]
    for device, word in (("home-7", wrong), ("home-8", code), ("nobody", code)):
        job = {"settings": document(ready.port, device), "code": word, "password": "a" * 64}
        with pytest.raises(enrol.Refused):
            hand_in(job, ready.port)


def test_a_device_that_enrols_can_neither_speak_nor_listen_as_anybody_else(ready: Site) -> None:
    _, _, code = enrol_code.parse(ready.code("yunhe/home-7"))
    user = "_enrol/yunhe/home-7"
    listener = paho.Client(CallbackAPIVersion.VERSION2, "", protocol=MQTTProtocolVersion.MQTTv311)
    listener.username_pw_set(user, code)
    heard: list[str] = []
    listener.on_message = lambda _client, _userdata, message: heard.append(message.topic)
    listener.connect("127.0.0.1", ready.port)
    listener.loop_start()
    listener.subscribe([("kanhu/#", 1), ("kanhu/1/yunhe/home-7/down/#", 1), ("$SYS/#", 1)])
    for topic in ("kanhu/1/yunhe/home-7/up/data", "kanhu/1/yunhe/home-8/up/event", "kanhu/1/_enrol/yunhe/home-8/up/enrol"):
        listener.publish(topic, '[{"boot":1,"seq":1,"n":"sos","vb":true}]', 1).wait_for_publish(5)
    eventually(lambda: _configured(ready), what="the gateway to know the device")
    time.sleep(0.5)
    listener.disconnect()
    listener.loop_stop()
    assert heard == []
    state = ready.device("yunhe/home-7")
    assert state["heard_ns"] == 0 and "home-8" in str(ready.device("yunhe/home-8")["device"])


def test_what_is_no_password_is_refused_with_the_reason(ready: Site) -> None:
    _, _, code = enrol_code.parse(ready.code("yunhe/home-7"))
    bad = ("short", "a" * 200, "with space" * 5, "colon:" * 8, "line\n" * 10)
    wrong = [json.dumps({"password": password}).encode() for password in bad]
    for payload in (*wrong, b"[]", b"null", b"{", b'{"password":7}', b"\xff" * 50, b"[" * 900, b"x" * 4000):
        answer = asyncio.run(_asked(ready.port, code, payload))
        assert answer["ok"] is False and "expected a password" in answer["reason"]


def _configured(site_: Site) -> bool:
    """Settings were sent to the device; a device just registered is known to the gateway within a second."""
    with suppress(Rejected):
        socket = settings_module.load(site_.settings).command_socket
        return bool(commands.call(socket, "device.configure", site="yunhe", device="home-7", settings={"cadence": 60}))
    return False


async def _asked(port: int, code: str, payload: bytes) -> dict[str, Any]:
    user = "_enrol/yunhe/home-7"
    client = mqtt.Client("127.0.0.1", port, user, user, code, clean=True)
    answers: list[dict[str, Any]] = []
    client.on_message = lambda topic, body: answers.append(json.loads(body))
    await client.connect()
    await client.subscribe([f"kanhu/1/{user}/down/enrol"])
    await client.publish(f"kanhu/1/{user}/up/enrol", payload)
    for _ in range(200):
        if answers:
            break
        await asyncio.sleep(0.02)
    await client.close()
    return answers[0]


def test_many_devices_get_codes_from_a_spreadsheet(ready: Site, tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text("site,id,place\nyunhe,home-7,w1\nyunhe,home-8,w2\n", encoding="utf-8-sig")
    said = ready.kanhu("device", "enrol", "--csv", str(tmp_path / "devices.csv"), "--codes", str(tmp_path / "codes.csv"))
    assert "2 codes" in said and "/home-7/" not in said
    assert (tmp_path / "codes.csv").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "codes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["device"] for row in rows] == ["yunhe/home-7", "yunhe/home-8"]
    for row in rows:
        name = row["device"].split("/")[1]
        job = {"settings": document(ready.port, name), "code": enrol_code.parse(row["code"])[2], "password": name * 8}
        hand_in(job, ready.port)
    eventually(lambda: may_connect(ready.port, "yunhe/home-8", "home-8" * 8), what="its password")


def test_only_hashes_of_codes_and_passwords_are_stored(ready: Site) -> None:
    _, _, code = enrol_code.parse(ready.code("yunhe/home-7"))
    hand_in({"settings": document(ready.port), "code": code, "password": "a1b2" * 16}, ready.port)
    for file in (ready.folder / "var").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert code.encode() not in content and b"a1b2a1b2" not in content, file


@pytest.fixture
def users(tmp_path: Path) -> Iterator[tuple[enrolment.BrokerUsers, list[float]]]:
    """An installation whose broker does not run, and its clock."""
    (tmp_path / "registry.toml").write_text('[sites.s]\n[[devices]]\nsite = "s"\nid = "d"\n')
    (tmp_path / "kanhu.toml").write_text(f'data_dir = "{tmp_path}"\nregistry = "{tmp_path}/registry.toml"\n')
    (tmp_path / "mosquitto").mkdir()
    (tmp_path / "mosquitto" / "passwords").touch(mode=0o600)
    now = [1_780_000_000.0]
    yield enrolment.BrokerUsers(settings_module.load(tmp_path / "kanhu.toml"), lambda: now[0], lambda: True), now


def test_a_code_ends_after_its_hours_also_one_that_was_never_used(
    users: tuple[enrolment.BrokerUsers, list[float]], tmp_path: Path
) -> None:
    codes, now = users
    codes.create([("s", "d")], hours=24)
    now[0] += 24 * 3600 - 1
    codes.expire()
    assert "_enrol/s/d:" in (tmp_path / "mosquitto/passwords").read_text()
    now[0] += 2
    with pytest.raises(Rejected, match="too old"):
        codes.take("s", "d", "a" * 40)
    codes.expire()
    assert "_enrol" not in (tmp_path / "mosquitto/passwords").read_text()


def test_a_second_code_ends_the_first_and_what_was_taken_is_known_after_a_restart(
    users: tuple[enrolment.BrokerUsers, list[float]], tmp_path: Path
) -> None:
    codes, _ = users
    first = codes.create([("s", "d")])["s", "d"]
    second = codes.create([("s", "d")])["s", "d"]
    line = next(row for row in (tmp_path / "mosquitto/passwords").read_text().splitlines() if row.startswith("_enrol/s/d:"))
    salt = base64.b64decode(line.split("$")[3])
    assert mosquitto.password_line("_enrol/s/d", second, salt) == line != mosquitto.password_line("_enrol/s/d", first, salt)
    codes.take("s", "d", "a" * 40)
    assert codes.waiting() == {("s", "d")}
    codes.used("s", "d")
    assert codes.waiting() == set()


def test_with_a_device_its_open_code_is_revoked_too(users: tuple[enrolment.BrokerUsers, list[float]], tmp_path: Path) -> None:
    codes, _ = users
    codes.create([("s", "d")])
    revoke("s", "d", tmp_path / "kanhu.toml")
    # What was handed in before may still lie with the broker.
    with pytest.raises(Rejected, match="used or is too old"):
        codes.take("s", "d", "a" * 40)
    assert (tmp_path / "mosquitto/passwords").read_text() == ""


def test_a_device_nobody_registered_and_a_broker_of_somebody_else_get_no_code(
    users: tuple[enrolment.BrokerUsers, list[float]], tmp_path: Path
) -> None:
    codes, _ = users
    with pytest.raises(Misconfigured, match="s/x is not registered"):
        codes.create([("s", "d"), ("s", "x")])
    (tmp_path / "mosquitto" / "passwords").unlink()
    with pytest.raises(Misconfigured, match="this broker is not ours"):
        codes.create([("s", "d")])
