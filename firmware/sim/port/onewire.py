"""The one-wire bus; bytes and searches go to the board as a whole."""

import wire


class OneWireError(Exception):
    pass


class OneWire:
    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin
        self._bus = "ow %d " % pin.id

    def reset(self, required=False):
        present = wire.call(self._bus + "reset") == "1"
        if required and not present:
            raise OneWireError
        return present

    def readbit(self):
        return int(wire.call(self._bus + "bit"))

    def readbyte(self):
        return int(wire.call(self._bus + "read 1"), 16)

    def readinto(self, buf):
        buf[:] = bytes.fromhex(wire.call(self._bus + "read %d" % len(buf)))

    def writebit(self, value):
        wire.call(self._bus + "bit %d" % (1 if value else 0))

    def writebyte(self, value):
        wire.call(self._bus + "write %02x" % value)

    def write(self, buf):
        wire.call(self._bus + "write " + wire.hexed(buf))

    def select_rom(self, rom):
        self.reset()
        self.writebyte(self.MATCH_ROM)
        self.write(rom)

    def scan(self):
        return [bytearray(bytes.fromhex(rom)) for rom in wire.call(self._bus + "search").split()]

    def crc8(self, data):
        crc = 0
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
        return crc
