"""The buses, and what a simulated chip has to be to hang on one.

A chip that needs the time takes a function `now_ms()` when it is made, usually the board's own.
"""

import errno
from collections.abc import Callable
from typing import Final, Protocol

_ALL_ROMS: Final = 0xCC


class Nack(Exception):
    """Nobody acknowledged: the firmware sees OSError(ENODEV)."""


class I2CChip(Protocol):
    """Everything an I2C chip hears is a write or a read; a register read is both in one transfer."""

    def write(self, data: bytes) -> None: ...

    def read(self, size: int) -> bytes: ...


class OneWireDevice(Protocol):
    """A one-wire device at the level of bytes, addressed already."""

    rom: bytes  # 8 bytes, the last their CRC

    def reset(self) -> None: ...

    def write(self, data: bytes) -> None: ...

    def read(self, size: int) -> bytes: ...


class UartDevice(Protocol):
    """Hears bytes; sends by the function it is connected with: `send(data, after_ms=0)`, from any thread."""

    def connect(self, send: Callable[..., None]) -> None: ...

    def receive(self, data: bytes) -> None: ...


class BusError(OSError):
    """What the firmware sees as OSError(errno)."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "")
        self.number = number


class I2C:
    """Chips by (bus, address). `powered` says of a pin whether what hangs on it has current."""

    def __init__(self, powered: Callable[[int], bool]) -> None:
        self._chips: dict[tuple[int, int], tuple[I2CChip, int | None]] = {}
        self._powered = powered

    def attach(self, address: int, chip: I2CChip, bus: int, power: int | None) -> None:
        self._chips[bus, address] = (chip, power)

    def detach(self, address: int, bus: int) -> None:
        self._chips.pop((bus, address), None)

    def verb(self, words: list[str]) -> str:
        """`BUS scan | write ADDR HEX | read ADDR N | mem ADDR HEX N`, addresses in hex."""
        bus, what = int(words[0]), words[1]
        if what == "scan":
            return " ".join(
                str(address)
                for (its, address), (_, power) in sorted(self._chips.items(), key=lambda e: e[0])
                if its == bus and (power is None or self._powered(power))
            )
        chip, power = self._chips.get((bus, int(words[2], 16)), (None, None))
        if chip is None or (power is not None and not self._powered(power)):
            raise BusError(errno.ENODEV)
        try:
            if what != "read":
                chip.write(bytes.fromhex(words[3]) if len(words) > 3 else b"")
            if what == "write":
                return ""
            return _exactly(chip.read(int(words[-1])), int(words[-1])).hex()
        except Nack:
            raise BusError(errno.ENODEV) from None


class OneWire:
    """Devices by pin, and the ROM commands that choose among them."""

    def __init__(self, powered: Callable[[int], bool]) -> None:
        self._devices: dict[int, list[tuple[OneWireDevice, int | None]]] = {}
        self._state: dict[int, tuple[str, bytes]] = {}
        self._chosen: dict[int, list[OneWireDevice]] = {}
        self._powered = powered

    def attach(self, pin: int, device: OneWireDevice, power: int | None) -> None:
        self._devices.setdefault(pin, []).append((device, power))

    def detach(self, pin: int) -> None:
        self._devices.pop(pin, None)

    def verb(self, words: list[str]) -> str:
        """`PIN reset | write HEX | read N | bit [0/1] | search`"""
        pin, what = int(words[0]), words[1]
        there = [device for device, power in self._devices.get(pin, ()) if power is None or self._powered(power)]
        if what == "search":
            return " ".join(sorted(device.rom.hex() for device in there))
        if what == "reset":
            for device in there:
                device.reset()
            self._state[pin], self._chosen[pin] = ("rom", b""), []
            return "1" if there else "0"
        chosen = self._chosen.get(pin, [])
        if what == "write":
            self._write(pin, bytes.fromhex(words[2]), there)
        elif what == "read":
            return _wired_and([_exactly(device.read(int(words[2])), int(words[2])) for device in chosen], int(words[2])).hex()
        elif what == "bit" and len(words) == 2:
            return str(_wired_and([device.read(1) for device in chosen], 1)[0] & 1)
        return ""

    def _write(self, pin: int, data: bytes, there: list[OneWireDevice]) -> None:
        phase, got = self._state.get(pin, ("dead", b""))
        if phase == "rom" and data:
            command, data = data[0], data[1:]
            if command == _ALL_ROMS:
                self._chosen[pin], phase = there, "open"
            else:
                phase = {0x55: "match", 0x33: "open"}.get(command, "dead")
        if phase == "match":
            got += data
            data = got[8:]
            if len(got) >= 8:
                self._chosen[pin], phase = [device for device in there if device.rom == got[:8]], "open"
        self._state[pin] = (phase, got[:8])
        if phase == "open" and data:
            for device in self._chosen[pin]:
                device.write(data)


def _exactly(data: bytes, size: int) -> bytes:
    """As on the wire: what nobody drives reads as ones."""
    return bytes(data[:size]).ljust(size, b"\xff")


def _wired_and(answers: list[bytes], size: int) -> bytes:
    out = bytearray(b"\xff" * size)
    for answer in answers:
        out = bytearray(a & b for a, b in zip(out, answer, strict=True))
    return bytes(out)
