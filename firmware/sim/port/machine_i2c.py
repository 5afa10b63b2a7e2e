"""I2C: whole transfers go to the board; nobody there is OSError(ENODEV)."""

import wire


class I2C:
    def __init__(self, id=0, *, scl=None, sda=None, freq=400000, timeout=50000):
        if not isinstance(id, int):
            id = 0
        self._bus = "i2c %d " % id

    def _call(self, text):
        return wire.call(self._bus + text)

    def scan(self):
        return [int(word) for word in self._call("scan").split()]

    def readfrom(self, addr, nbytes, stop=True):
        return bytes.fromhex(self._call("read %x %d" % (addr, nbytes)))

    def readfrom_into(self, addr, buf, stop=True):
        buf[:] = self.readfrom(addr, len(buf))

    def writeto(self, addr, buf, stop=True):
        self._call("write %x %s" % (addr, wire.hexed(buf)))
        return len(buf)

    def writevto(self, addr, vector, stop=True):
        return self.writeto(addr, b"".join([bytes(part) for part in vector]))

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        return bytes.fromhex(self._call("mem %x %s %d" % (addr, _register(memaddr, addrsize).hex(), nbytes)))

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        buf[:] = self.readfrom_mem(addr, memaddr, len(buf), addrsize=addrsize)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        self.writeto(addr, _register(memaddr, addrsize) + bytes(buf))

    def deinit(self):
        pass


class SoftI2C(I2C):
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        super().__init__(1000 + sda.id)


def _register(number, bits):
    return number.to_bytes(bits // 8, "big")
