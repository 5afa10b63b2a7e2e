"""The broker's files, judged by the broker itself."""

import base64
import shutil
import stat
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge_gateway.errors import Misconfigured
from operations import mosquitto as files
from tests.servers import Mosquitto, eventually, paho_client

UP = "kanhu/1/{}/up/data"
DOWN = "kanhu/1/{}/down/receipt"


def connect_answer(broker: Mosquitto, user: str, password: str) -> str:
    """The broker's word to a user name and password."""
    with paho_client(broker, user=user, password=password, wait=False) as client:
        eventually(lambda: client.answers, 5.0, "an answer to CONNECT")
        return client.answers[0]


def test_a_password_we_hash_is_accepted_and_a_wrong_or_empty_one_refused(mosquitto: Mosquitto) -> None:
    assert connect_answer(mosquitto, "s1/d1", mosquitto.passwords["s1/d1"]) == "Success"
    assert connect_answer(mosquitto, "s1/d1", mosquitto.passwords["s1/d2"]) == "Not authorized"
    assert connect_answer(mosquitto, "s1/d1", "") == "Not authorized"
    assert connect_answer(mosquitto, "nobody", "x") == "Not authorized"


def test_a_device_is_heard_below_its_own_topic_and_nowhere_else(mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto, user="gateway") as gateway, paho_client(mosquitto, user="s1/d1") as device:
        gateway.listen("kanhu/1/+/+/up/#")
        foreign = ("s1/d2", "s2/d1", "s1/d1x", "s1")
        device.publish_all([(UP.format(other), b"forged") for other in foreign])
        device.publish_all([("kanhu/1/s1/d1/down/config", b"forged"), ("kanhu/2/s1/d1/up/data", b"forged")])
        device.publish_all([(UP.format("s1/d1"), b"mine")])
        eventually(lambda: gateway.received, what="the device's own message")
        assert [(m.topic, m.payload) for m in gateway.received] == [(UP.format("s1/d1"), b"mine")]


def test_a_device_reads_what_is_sent_to_it_and_to_nobody_else(mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto, user="gateway") as gateway, paho_client(mosquitto, user="s1/d1") as device:
        device.listen("kanhu/1/+/+/down/#", "kanhu/1/+/+/up/#", "$SYS/#")
        gateway.publish_all([(DOWN.format("s1/d2"), b"theirs"), (DOWN.format("s1/d1"), b"mine")])
        eventually(lambda: device.received, what="the device's receipt")
        assert [(m.topic, m.payload) for m in device.received] == [(DOWN.format("s1/d1"), b"mine")]


def test_only_the_gateway_among_them_sees_the_brokers_counter_of_dropped_messages(mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto, user="gateway") as gateway:
        gateway.listen("$SYS/broker/publish/messages/dropped")
        eventually(lambda: gateway.received, 5.0, "the counter")
        assert gateway.received[0].payload == b"0"


def test_one_user_for_all_devices_exists_only_when_asked_for(mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto, user="gateway") as gateway, paho_client(mosquitto, user="simulator") as simulator:
        gateway.listen("kanhu/1/+/+/up/#")
        simulator.publish_all([(UP.format("s9/d9"), b"from the village")])
        eventually(lambda: gateway.received, what="the simulated device's message")
    assert "simulator" not in files.acl()
    assert "user simulator" in files.acl(others={"simulator": files.ANY_DEVICE})


def test_two_thousand_messages_for_a_consumer_who_is_away_are_all_kept(mosquitto: Mosquitto) -> None:
    # mosquitto's own default keeps 1000 and drops the newest without a word to the sender.
    with paho_client(mosquitto, client_id="away", session=True) as consumer:
        consumer.listen("t")
    with paho_client(mosquitto) as sender:
        sender.publish_all([("t", b"%d" % n) for n in range(2000)])
    mosquitto.restart()  # an orderly stop keeps them too
    with paho_client(mosquitto, client_id="away", session=True) as consumer:
        eventually(lambda: len(consumer.received) == 2000, what="all 2000")
    assert mosquitto.dropped() == 0


def test_users_are_added_changed_and_removed_while_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    files.set_passwords(file, {"gateway": "a", "s1/d1": "b"})
    before = file.read_text().splitlines()
    files.set_passwords(file, {"s1/d1": "c", "s1/d2": "d"})
    after = file.read_text().splitlines()
    assert [line.partition(":")[0] for line in after] == ["gateway", "s1/d1", "s1/d2"]
    assert after[0] == before[0]
    assert after[1] != before[1]
    files.remove_users(file, ["gateway", "unknown"])
    assert file.read_text().splitlines() == after[1:]


def test_a_password_line_is_what_mosquitto_passwd_writes() -> None:
    # made by mosquitto_passwd 2.0.11 for the password "secret"
    theirs = (
        "s1/d1:$7$101$p4x+RJUNzSGLy5bq$ZY6tTWu4F9jA+yIdUsq3C25AmBQIWVlZ4C+rrItFVTO5UbNgIxj/mSaPPN+dn6ySBlDImDMbXYYz3sQqujcj+A=="
    )
    assert files.password_line("s1/d1", "secret", base64.b64decode("p4x+RJUNzSGLy5bq")) == theirs


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", " a", "a+", "#"])
def test_a_name_that_would_break_the_file_or_mean_many_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="broker user"):
        files.password_line(name, "x")


def test_nobody_else_can_read_what_we_write(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    files.prepare(folder, [files.Listener(1883)], {"gateway": "x"})
    files.keep_secret(folder / "gateway.secret")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_a_secret_is_made_once_and_has_at_least_128_bit(tmp_path: Path) -> None:
    first = files.keep_secret(tmp_path / "a" / "secret")
    assert files.keep_secret(tmp_path / "a" / "secret") == first
    assert len(first) >= 128 / 6
    assert files.new_secret() != first


def test_a_mosquitto_that_is_nowhere_is_told_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kw: None)
    with pytest.raises(Misconfigured, match="make setup"):
        files.find_mosquitto()


def test_a_mosquitto_that_was_set_up_without_root_is_found_by_its_launcher(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mosquitto").touch(mode=0o755)
    monkeypatch.setattr(files, "STANDARD_FOLDERS", ())
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("KANHU_SERVERS", str(tmp_path))
    assert files.find_mosquitto().argv == (str(tmp_path / "mosquitto"),)


def test_a_device_that_speaks_3_1_1_is_served(mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto, user="s1/d1", version=MQTTProtocolVersion.MQTTv311) as device:
        device.publish_all([(UP.format("s1/d1"), b"x")])
