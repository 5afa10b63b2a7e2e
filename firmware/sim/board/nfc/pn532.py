"""A PN532 at the level of its serial line: frames, ACK first, registers, sleep, the reset line, and the commands readers use.

Source of commands and frames: NXP UM0701-02. Assumptions, to be tried on hardware: the status of what a Type 2 tag refuses, and
that InSelect of the selected target does nothing in the air.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from firmware.sim.board.nfc import hsu
from firmware.sim.board.nfc.card import ApduCard, Card, Nibble, is_apdu_card
from firmware.sim.board.nfc.faults import Fault, Faults
from firmware.sim.board.nfc.field import Field

TX_MODE, RX_MODE, TX_CONTROL, FIFO_DATA = 0x6302, 0x6303, 0x6304, 0x6339
_CRC_ON = 0x80
_TIMEOUT, _CRC_ERROR, _MIFARE_ERROR, _BAD_PARAMETER, _OUT_OF_CONTEXT = 0x01, 0x02, 0x14, 0x10, 0x27
_WAIT_FOR_EVER = 0xFF
_AUTOMATIC_RATS = 0x10
_ACK_MS = 1


@dataclass(frozen=True)
class Exchange:
    """One command of the host and the chip's answer, both from their code on; the answer is None where there was none."""

    command: bytes
    answer: bytes | None


class Pn532:
    """
    Args:
        send: takes bytes for the host.
        later: runs a function after so many milliseconds of the board's time.

    log: what was answered.  resets: how often the reset line went low.
    late_ms: what each answer of a card takes longer, as when the card is far away and somebody passes the bytes on.
    """

    def __init__(
        self,
        field: Field,
        send: Callable[[bytes], None],
        later: Callable[[int, Callable[[], None]], object],
        faults: Faults | None = None,
    ) -> None:
        self.field = field
        self.faults = faults or Faults()
        self.log: list[Exchange] = []
        self.resets = 0
        self.late_ms = 0
        self._send, self._later = send, later
        self._in_reset = False
        self._power_on()

    def _power_on(self) -> None:
        self.hung = False
        self._epoch = getattr(self, "_epoch", 0) + 1  # what was to be sent before is not sent
        self._line = hsu.Reader()
        self._asleep = True
        self._edges = self._deaf = 0
        self._last = b""
        self._tries = _WAIT_FOR_EVER
        self._parameters = _AUTOMATIC_RATS
        self._registers = {TX_MODE: 0, RX_MODE: 0, FIFO_DATA: 0x26}
        self._targets: dict[int, Card] = {}
        self._selected = 0
        self.field.switch(False)

    def reset_line(self, level: int) -> None:
        """RSTPD_N."""
        if not level and not self._in_reset:
            self.resets += 1
        self._in_reset = not level
        self._power_on()

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        if self._in_reset or self.hung:
            return
        for byte in data:
            if self._asleep:
                self._edges += hsu.rising_edges(byte)
                if self._edges >= hsu.WAKE_EDGES:
                    self._asleep, self._deaf = False, hsu.DEAF_BYTES
            elif self._deaf:
                self._deaf -= 1
            else:
                for item in self._line.feed(bytes([byte])):
                    self._received(item)

    def _received(self, item: bytes | hsu.Sign) -> None:
        if item is hsu.Sign.NACK:
            self._at(_ACK_MS, lambda: self._send(self._last))
        elif item is hsu.Sign.ACK:
            self._epoch += 1
        elif isinstance(item, bytes):
            self._command(item)

    def _at(self, ms: int, act: Callable[[], None]) -> None:
        """Unless another command, an abort or a reset comes before."""
        epoch = self._epoch

        def run() -> None:
            if epoch == self._epoch:
                act()

        self._later(ms, run)

    def _command(self, body: bytes) -> None:
        self._epoch += 1
        fault = self.faults.next()
        if fault is Fault.HANG:
            self.hung = True
        if fault in (Fault.HANG, Fault.LOSE_COMMAND):
            return
        if fault is not Fault.LOSE_ACK:
            self._at(_ACK_MS, lambda: self._send(hsu.ACK))
        late_ms = self.late_ms if body[1:2] == b"\x40" else 0
        self._at(_ACK_MS + _duration_ms(body) + late_ms, lambda: self._answer(body, fault))

    def _answer(self, body: bytes, fault: Fault | None) -> None:
        handler = _COMMANDS.get(body[1]) if body[0] == 0xD4 and len(body) > 1 else None
        result = handler(self, body[2:]) if handler is not None else None
        if handler is Pn532._list_targets and result == b"\x00" and self._tries == _WAIT_FOR_EVER:
            self._at(10, lambda: self._answer(body, fault))
            return
        if fault is Fault.PHANTOM and handler is Pn532._list_targets:
            self._targets = {}
            result = bytes.fromhex("010100040804") + self.faults.random.randbytes(4)
        self.log.append(Exchange(body[1:], result))
        self._last = hsu.ERROR if result is None else hsu.written(bytes([0xD5, body[1] + 1]) + result)
        if fault is Fault.BEND_ANSWER:
            self._send(self._last[:-2] + bytes([self._last[-2] ^ 0x10, 0]))
        elif fault is Fault.CUT_ANSWER:
            self._send(self._last[: len(self._last) // 2])
        elif fault is not Fault.LOSE_ANSWER:
            self._send(self._last)
        if body[1] == 0x16 and result is not None:
            self.field.switch(False)
            self._targets = {}
            self._asleep, self._edges = True, 0

    # --- commands: data -> what follows the answer's code; None: error frame ---

    def _diagnose(self, data: bytes) -> bytes | None:
        if data[:1] == b"\x00":
            return data  # the line test gives everything back
        return b"\x00" if data[:1] in (b"\x01", b"\x02") else None

    def _version(self, data: bytes) -> bytes | None:
        return bytes.fromhex("32010607")

    def _status(self, data: bytes) -> bytes | None:
        return bytes([0, int(self.field.on), len(self._targets)])

    def _read_registers(self, data: bytes) -> bytes | None:
        self._registers[TX_CONTROL] = 0x83 if self.field.on else 0x80
        names = [data[i] << 8 | data[i + 1] for i in range(0, len(data) - 1, 2)]
        return bytes(self._registers.get(name, 0) for name in names)

    def _write_registers(self, data: bytes) -> bytes | None:
        for i in range(0, len(data) - 2, 3):
            self._registers[data[i] << 8 | data[i + 1]] = data[i + 2]
        return b""

    def _accept(self, data: bytes) -> bytes | None:
        return b""

    def _succeed(self, data: bytes) -> bytes | None:
        return b"\x00"

    def _set_parameters(self, data: bytes) -> bytes | None:
        self._parameters = data[0] if data else 0
        return b""

    def _configure_rf(self, data: bytes) -> bytes | None:
        if data[:1] == b"\x01" and len(data) == 2:
            if not data[1] & 1:
                self._targets = {}
            self.field.switch(bool(data[1] & 1))
        if data[:1] == b"\x05" and len(data) == 4:
            self._tries = data[3]
        return b""

    def _list_targets(self, data: bytes) -> bytes | None:
        if len(data) < 2 or not 1 <= data[0] <= 2:
            return None
        self.field.switch(True)
        self._targets, self._selected = {}, 0
        if data[1] != 0:
            return b"\x00"  # no cards of other kinds here
        wanted = _without_cascade_tags(data[2:])
        result = b""
        for card in self.field.found(data[0]):
            if wanted and card.uid != wanted:
                continue
            number = len(self._targets) + 1
            self._targets[number], self._selected = card, number
            card.activate()
            result += bytes([number]) + card.atqa + bytes([card.sak, len(card.uid)]) + card.uid
            if is_apdu_card(card) and self._parameters & _AUTOMATIC_RATS:
                result += cast(ApduCard, card).ats
        if self._targets:
            self._registers[TX_MODE] = self._registers[RX_MODE] = _CRC_ON
        return bytes([len(self._targets)]) + result

    def _exchange(self, data: bytes) -> bytes | None:
        card = self._targets.get(data[0] & 0x0F) if data else None
        if card is None:
            return bytes([_OUT_OF_CONTEXT])
        if card not in self.field.cards:
            return bytes([_TIMEOUT])
        self._select(data[:1])
        sent = data[1:]
        if is_apdu_card(card):
            return b"\x00" + cast(ApduCard, card).apdu(sent)
        if sent[:1] in (b"\x60", b"\x61"):
            return bytes([_MIFARE_ERROR])  # the chip authenticates by itself, and here there is no such key
        if sent[:1] not in (b"\x30", b"\xa0", b"\xa2"):
            return bytes([_OUT_OF_CONTEXT])
        answer = card.command(sent)
        if isinstance(answer, Nibble):
            return b"\x00" if answer == 0xA else bytes([_TIMEOUT])
        return bytes([_TIMEOUT]) if answer is None else b"\x00" + answer

    def _through(self, data: bytes) -> bytes | None:
        card = self._targets.get(self._selected)
        if card is None:
            return bytes([_OUT_OF_CONTEXT])
        if not self._registers[TX_MODE] & _CRC_ON:
            if len(data) < 3 or crc_a(data[:-2]) != data[-2:]:
                return bytes([_TIMEOUT])
            data = data[:-2]
        answer = card.command(data) if card in self.field.cards else None
        if answer is None:
            return bytes([_TIMEOUT])
        checked = bool(self._registers[RX_MODE] & _CRC_ON)
        if isinstance(answer, Nibble):
            # Four bits without CRC are a broken frame to a receiver that checks CRCs.
            return bytes([_CRC_ERROR]) if checked else bytes([0, answer])
        return b"\x00" + answer + (b"" if checked else crc_a(answer))

    def _select(self, data: bytes) -> bytes | None:
        number = data[0] & 0x0F if data else 0
        if number not in self._targets:
            return bytes([_OUT_OF_CONTEXT])
        card = self._targets[number]
        if card not in self.field.cards:
            return bytes([_TIMEOUT])
        if number != self._selected:
            self._selected = number
            card.activate()
        return b"\x00"

    def _release(self, data: bytes) -> bytes | None:
        self._targets, self._selected = {}, 0
        return b"\x00"


_COMMANDS: Final[dict[int, Callable[[Pn532, bytes], bytes | None]]] = {
    0x00: Pn532._diagnose,
    0x02: Pn532._version,
    0x04: Pn532._status,
    0x06: Pn532._read_registers,
    0x08: Pn532._write_registers,
    0x10: Pn532._accept,  # the serial speed; a pty has none
    0x12: Pn532._set_parameters,
    0x14: Pn532._accept,
    0x16: Pn532._succeed,
    0x32: Pn532._configure_rf,
    0x40: Pn532._exchange,
    0x42: Pn532._through,
    0x44: Pn532._release,
    0x4A: Pn532._list_targets,
    0x52: Pn532._release,
    0x54: Pn532._select,
}


def _duration_ms(body: bytes) -> int:
    """Estimate: finding cards takes longest, a byte in the air about 0.1 ms each way."""
    code = body[1] if len(body) > 1 else 0
    if code == 0x4A:
        return 12
    return 4 + len(body) // 8 if code in (0x40, 0x42) else 1


def _without_cascade_tags(uid: bytes) -> bytes:
    return uid[1:] if len(uid) in (8, 12) and uid[:1] == b"\x88" else uid


def crc_a(data: bytes) -> bytes:
    """CRC of ISO 14443-3 type A, low byte first."""
    crc = 0x6363
    for byte in data:
        byte ^= crc & 0xFF
        byte ^= byte << 4 & 0xFF
        crc = crc >> 8 ^ byte << 8 ^ byte << 3 ^ byte >> 4
    return (crc & 0xFFFF).to_bytes(2, "little")
