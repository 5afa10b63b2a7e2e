"""SPI: transfers go to the board's chip on that bus."""

import wire


class SPI:
    MSB = 0
    LSB = 1

    def __init__(self, id=1, baudrate=1000000, **more):
        self._bus = "spi %d " % id

    def init(self, **more):
        pass

    def write(self, buf):
        wire.call(self._bus + wire.hexed(buf))

    def read(self, nbytes, write=0):
        return bytes.fromhex(wire.call(self._bus + wire.hexed(bytes([write] * nbytes))))

    def readinto(self, buf, write=0):
        buf[:] = self.read(len(buf), write)

    def write_readinto(self, out, into):
        into[:] = bytes.fromhex(wire.call(self._bus + wire.hexed(out)))

    def deinit(self):
        pass


SoftSPI = SPI
