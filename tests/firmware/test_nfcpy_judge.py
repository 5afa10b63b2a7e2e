"""nfcpy, which knows nothing of us, takes the simulated reader and cards for real. Optional: `pip install nfcpy==1.0.4`."""

import os
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from firmware.sim.board.nfc import aes, lrp, sun
from firmware.sim.board.nfc.pty import PtyPort
from firmware.sim.board.nfc.sun import Mode, Reading
from firmware.sim.board.nfc.type2 import Kind, MifareClassic, Ntag21x
from firmware.sim.board.nfc.type4 import Ntag424

pytestmark = pytest.mark.usefixtures("pseudo_terminals")

UID = bytes.fromhex("04A2B3C4D5E680")
KEY = bytes(16)
TEXT = b"\xd1\x01\x0c\x55\x04tap.example"  # NDEF: https://tap.example


@pytest.fixture(scope="module")
def nfcpy() -> ModuleType:
    """The library; without it a skip, in CI a failure."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nfc = import_module("nfc")
    except ImportError as error:
        message = f"no nfcpy ({error}): pip install nfcpy==1.0.4"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return nfc


@pytest.fixture
def port(tmp_path: Path) -> Iterator[PtyPort]:
    with PtyPort(tmp_path) as running:
        yield running


@pytest.fixture
def reader(nfcpy: ModuleType, port: PtyPort) -> Iterator[Any]:
    driver = import_module("nfc.clf.pn532")
    with nfcpy.ContactlessFrontend() as frontend:
        # Its own search looks only at what lies in /dev itself.
        frontend.device = driver.init(nfcpy.clf.transport.TTY(port.path))
        yield frontend


def find(nfcpy: ModuleType, reader: Any) -> Any:
    """The card in the field, as nfcpy's object for it; None if it sees none."""
    target = reader.sense(nfcpy.clf.RemoteTarget("106A"))
    return None if target is None else nfcpy.tag.activate(reader, target)


def test_it_initialises_the_chip_with_long_frames_registers_and_another_speed(reader: Any, port: PtyPort) -> None:
    assert reader.device.chipset_name == "PN532v1.6"
    assert max(len(exchange.command) for exchange in port.chip.log) == 264  # Diagnose with the longest command


def test_it_sees_an_empty_field(nfcpy: ModuleType, reader: Any) -> None:
    assert find(nfcpy, reader) is None


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_it_knows_an_ntag_and_reads_message_and_signature(nfcpy: ModuleType, reader: Any, port: PtyPort, kind: Kind) -> None:
    with port.lock:
        port.field.put(Ntag21x(UID, kind, message=TEXT, signature=bytes(range(32))))
    tag = find(nfcpy, reader)
    assert tag.product == f"NXP {kind.name}"
    assert tag.identifier == UID
    assert tag.ndef.octets == TEXT
    assert tag.signature == bytes(range(32))


def test_it_writes_and_sets_a_password_that_then_counts(nfcpy: ModuleType, reader: Any, port: PtyPort) -> None:
    with port.lock:
        port.field.put(Ntag21x(UID, message=TEXT))
    tag = find(nfcpy, reader)
    other = TEXT.replace(b"tap", b"tip")
    tag.ndef.octets = other
    assert find(nfcpy, reader).ndef.octets == other
    assert tag.protect(b"secret") is True
    tag = find(nfcpy, reader)
    assert tag.authenticate(b"wrong!") is False
    tag = find(nfcpy, reader)
    assert tag.authenticate(b"secret") is True


@pytest.mark.parametrize("mode", Mode, ids=lambda mode: mode.name)
def test_it_speaks_iso_dep_with_an_ntag_424_whose_url_is_new_each_time(
    nfcpy: ModuleType, reader: Any, port: PtyPort, mode: Mode
) -> None:
    with port.lock:
        port.field.put(card := Ntag424(UID, mode=mode, counter=41))
    texts = []
    for _ in range(2):
        tag = find(nfcpy, reader)
        assert tag.identifier == UID
        texts.append(bytes(tag.ndef.octets[5:]).decode())
        reader.device.mute()
    assert card.counter == 43
    for counter, text in zip((42, 43), texts, strict=True):
        fields = dict(pair.split("=") for pair in text.split("?")[1].split("&"))
        sent = bytes.fromhex(fields["picc_data"])
        plain = aes.cbc_back(KEY, sent) if mode is Mode.AES else lrp.decrypt(lrp.tables(KEY), 0, sent[:8], sent[8:])
        assert plain[:11] == b"\xc7" + UID + counter.to_bytes(3, "little")
        assert bytes.fromhex(fields["cmac"]) == sun.mac(mode, KEY, Reading(UID, counter, b""), b"")


def test_it_finds_a_mifare_classic_by_its_uid(nfcpy: ModuleType, reader: Any, port: PtyPort) -> None:
    with port.lock:
        port.field.put(MifareClassic(bytes.fromhex("5a1b2c3d")))
    target = reader.sense(nfcpy.clf.RemoteTarget("106A"))
    assert (target.sdd_res, target.sel_res) == (bytes.fromhex("5a1b2c3d"), b"\x08")
