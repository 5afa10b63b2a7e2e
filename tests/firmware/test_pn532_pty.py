"""The real driver in real MicroPython, at a serial port behind which a PN532 and its cards are simulated."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from firmware.sim.board.nfc import sun
from firmware.sim.board.nfc.ev2 import KeyHolder
from firmware.sim.board.nfc.faults import Fault
from firmware.sim.board.nfc.pty import PtyPort
from firmware.sim.board.nfc.sun import Mode, Reading
from firmware.sim.board.nfc.type2 import Kind, MifareClassic, Ntag21x
from firmware.sim.board.nfc.type4 import Ntag424, Secrets
from tests.firmware.conftest import FIRMWARE

pytestmark = pytest.mark.usefixtures("pseudo_terminals")

UID = bytes.fromhex("04A2B3C4D5E680")
KEY = bytes(range(16))


class DriverProcess:
    """The MicroPython that runs `reader_on_pty.py`; each call is one line to it and one back."""

    def __init__(self, micropython: str, port: PtyPort) -> None:
        self.port = port
        self.field, self.faults = port.field, port.chip.faults
        self.slowest_ms = 0
        script = Path(__file__).with_name("reader_on_pty.py")
        self._process = subprocess.Popen(
            [micropython, "-X", "heapsize=112wK", str(script), port.path, port.reset_path],
            env={**os.environ, "MICROPYPATH": f"{FIRMWARE}:.frozen"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        took_ms, answer = json.loads(self._process.stdout.readline())
        self.slowest_ms = max(self.slowest_ms, took_ms)
        return answer

    def put(self, *cards: Any) -> None:
        with self.port.lock:
            self.field.clear()
            for card in cards:
                self.field.put(card)

    def suffer(self, *faults: Fault) -> None:
        with self.port.lock:
            self.faults.once[:] = faults

    def end(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(5)
        self._process.stdout.close()


@pytest.fixture
def driver(micropython: str, tmp_path: Path) -> Iterator[DriverProcess]:
    with PtyPort(tmp_path) as port:
        process = DriverProcess(micropython, port)
        yield process
        process.end()


def fields(query: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in query.split("&"))


def test_an_empty_field_is_an_empty_list(driver: DriverProcess) -> None:
    assert driver("poll") == []
    assert driver("stats") == {"resets": 0, "resent": 0, "bad_frames": 0}


@pytest.mark.parametrize("mode", Mode, ids=lambda mode: mode.name)
def test_the_text_of_an_ntag_424_verifies_and_is_new_each_time(driver: DriverProcess, mode: Mode) -> None:
    driver.put(Ntag424(UID, Secrets(file=KEY), mode=mode, counter=16))
    seen = set()
    for counter in (17, 18, 19):
        [[text, grade]] = driver("read")
        assert grade == "sun"
        assert fields(text)["cmac"] == sun.mac(mode, KEY, Reading(UID, counter, b""), b"").hex().upper()
        seen.add(text)
    assert len(seen) == 3


def test_encrypted_file_data_is_carried_as_it_stands(driver: DriverProcess) -> None:
    url = "https://tap.example/t?picc_data={picc}&enc={enc}&cmac={cmac}"
    driver.put(Ntag424(UID, Secrets(file=KEY), url=url, file_data=b"meal=1;grams=420"))
    [[text, grade]] = driver("read")
    reading = Reading(UID, 1, b"")
    enc = sun.file_data(Mode.AES, KEY, reading, b"meal=1;grams=420").hex().upper()
    assert (fields(text)["enc"], grade) == (enc, "sun")
    assert fields(text)["cmac"] == sun.mac(Mode.AES, KEY, reading, f"{enc}&cmac=".encode()).hex().upper()


def test_an_ntag_424_that_never_got_a_url_is_only_its_uid(driver: DriverProcess) -> None:
    driver.put(Ntag424(UID, url="https://tap.example/"))
    assert driver("read") == [[UID.hex(), "uid"]]


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_an_ntag_21x_gives_counter_and_signature(driver: DriverProcess, kind: Kind) -> None:
    driver.put(Ntag21x(UID, kind, signature=bytes(range(32)), counter=41))
    text = f"uid={UID.hex()}&ctr=00002a&sig={bytes(range(32)).hex()}"
    assert driver("read") == [[text, "counter_signature"]]
    assert len(text) <= 1024


def test_a_mifare_classic_is_its_uid(driver: DriverProcess) -> None:
    driver.put(MifareClassic(bytes.fromhex("5a1b2c3d")))
    assert driver("read") == [["5a1b2c3d", "uid"]]


def test_a_random_uid_identifies_nobody_unless_the_card_also_proves_who_it_is(driver: DriverProcess) -> None:
    driver.put(Ntag424(UID, Secrets(file=KEY), random_uid=True))
    [[_, grade]] = driver("read")
    assert grade == "sun"
    driver.put(Ntag424(UID, url="https://tap.example/", random_uid=True))
    assert driver("read")[0][0] == "error"


def test_two_cards_are_both_read_each_with_its_own_text(driver: DriverProcess) -> None:
    other = bytes.fromhex("04111111111180")
    for first, second in (
        (Ntag424(UID, Secrets(file=KEY)), Ntag21x(other)),
        (Ntag21x(other), Ntag424(UID, Secrets(file=KEY))),
        (Ntag21x(UID), Ntag21x(other)),
    ):
        driver.put(first, second)
        texts = driver("read")
        assert len(texts) == 2 and all(grade in ("sun", "counter_signature") for _, grade in texts), texts
        for card, (text, grade) in zip((first, second), texts, strict=True):
            assert grade == "sun" or card.uid.hex() in text


def test_two_cards_that_disturb_each_other_are_nobody(driver: DriverProcess) -> None:
    driver.put(Ntag21x(UID), Ntag21x(bytes.fromhex("04111111111180")))
    with driver.port.lock:
        driver.field.clash = True
    assert driver("read") == []


@pytest.mark.parametrize(
    "fault",
    [Fault.LOSE_COMMAND, Fault.LOSE_ACK, Fault.LOSE_ANSWER, Fault.BEND_ANSWER, Fault.CUT_ANSWER],
    ids=lambda fault: fault.name,
)
def test_one_fault_of_the_line_is_got_over_within_the_same_poll(driver: DriverProcess, fault: Fault) -> None:
    driver.put(Ntag21x(UID))
    assert driver("poll") == [[0, UID.hex()]]
    driver.suffer(fault)
    assert driver("poll") == [[0, UID.hex()]]
    assert driver("stats")["resets"] == 0


def test_a_chip_that_hangs_is_reset_by_its_line_and_works_again(driver: DriverProcess) -> None:
    driver.put(Ntag21x(UID))
    driver("poll")
    driver.suffer(Fault.HANG)
    assert driver("poll")[0] == "Silent"
    assert driver("poll") == [[0, UID.hex()]]
    assert driver("stats")["resets"] == 1


def test_a_phantom_of_a_misread_uid_is_never_taken_for_a_card(driver: DriverProcess) -> None:
    driver.put(Ntag424(UID, Secrets(file=KEY)))
    driver("poll")
    driver.suffer(Fault.PHANTOM)
    # It looks like a MIFARE Classic, whose UID is all there is: the app therefore wants to see it twice.
    assert driver("poll") != driver("poll")


def test_a_card_that_leaves_while_it_is_read_is_an_error_and_no_text(driver: DriverProcess) -> None:
    driver.put(Ntag424(UID, Secrets(file=KEY)))
    driver("poll")
    driver.put()
    assert driver("exchange", "00a4040c07d276000085010100")[0] == "CardError"


def test_the_gateway_authenticates_the_card_through_the_reader_which_holds_no_key(driver: DriverProcess) -> None:
    card = Ntag424(UID, Secrets(application={0: KEY}))
    for key, accepted in ((KEY, True), (bytes(16), False)):
        gateway = KeyHolder(key, bytes(range(16, 32)))
        driver.put(card)
        driver("poll")
        assert driver("exchange", "00a4040c07d276000085010100") == "9000"
        challenge = bytes.fromhex(driver("exchange", "9071000002000000"))
        assert challenge[-2:] == b"\x91\xaf"
        answer = bytes.fromhex(driver("exchange", "90af000020" + gateway.respond(challenge[:-2]).hex() + "00"))
        if accepted:
            assert answer[-2:] == b"\x91\x00"
            assert gateway.accept(answer[:-2]) == card.session is not None
        else:
            assert (answer, card.session) == (b"\x91\xae", None)


def test_a_line_full_of_faults_never_brings_a_card_that_is_not_there_and_no_wait_without_end(driver: DriverProcess) -> None:
    uids = [bytes([0x04, 0x10 + i, 1, 2, 3, 4, 0x80]) for i in range(4)]
    with driver.port.lock:
        driver.faults.rate = 0.15
        driver.faults.random = Random(4)
        driver.faults.kinds = tuple(fault for fault in Fault if fault is not Fault.PHANTOM)
    read = dict.fromkeys(uids, 0)
    for i in range(40):
        present = uids[i % 4]
        driver.put(Ntag21x(present))
        answer = driver("read")
        if answer and answer[0] != "Silent" and answer[0][0] not in ("error", "Silent"):
            assert [answer[0][1], len(answer)] == ["counter_signature", 1]
            assert answer[0][0].startswith(f"uid={present.hex()}&ctr=")
            read[present] += 1
    assert all(count >= 3 for count in read.values()), read
    assert driver("stats")["resets"] >= 1
    assert driver.slowest_ms < 4000
