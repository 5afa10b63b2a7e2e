"""WS2812 lights; the board keeps what was last shown."""

import wire


class NeoPixel:
    def __init__(self, pin, n, bpp=3, timing=1):
        self.pin = pin
        self.n = n
        self.bpp = bpp
        self.buf = bytearray(n * bpp)

    def __len__(self):
        return self.n

    def __setitem__(self, i, colour):
        self.buf[i * self.bpp : (i + 1) * self.bpp] = bytes(colour)

    def __getitem__(self, i):
        return tuple(self.buf[i * self.bpp : (i + 1) * self.bpp])

    def fill(self, colour):
        for i in range(self.n):
            self[i] = colour

    def write(self):
        wire.call("light %d %s" % (self.pin.id, wire.hexed(self.buf)))
