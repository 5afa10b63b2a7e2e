"""UART: what is sent goes to the board or a pty; what comes lies in a real stream, so that asyncio can wait for it."""

import uselect
import wire


class UART:
    RTS = 1
    CTS = 2
    IRQ_RX = 1
    IRQ_RXIDLE = 4096

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **more):
        self._id = id
        self._timeout = 0
        self.stream = None
        self._have = b""
        self.init(baudrate, bits, parity, stop, **more)

    def init(
        self, baudrate=115200, bits=8, parity=None, stop=1, *, tx=None, rx=None, timeout=0, timeout_char=0, rxbuf=256, **more
    ):
        self._timeout = timeout
        path = wire.call("uart %d init %d" % (self._id, baudrate))
        if self.stream is None:
            self.pty = path != "-"
            # A pty is opened for reading and writing, unbuffered; the board's own devices talk over a connection.
            self.stream = open(path, "r+b") if self.pty else wire.connect("uart %d" % self._id)  # noqa: SIM115
            while not self.pty and wire.call("uart %d opened" % self._id) == "0":
                pass  # time must not be jumped over before the board can deliver
            self._ears = uselect.poll()
            self._ears.register(self.stream, uselect.POLLIN)

    def deinit(self):
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def _fill(self):
        while self._ears.poll(0):
            # A pty has no recv; its read of one byte returns at once when poll says that there is one.
            more = self.stream.read(1) if self.pty else self.stream.recv(256)
            if not more:
                break
            self._have += more

    def any(self):
        self._fill()
        return len(self._have)

    def _wait(self, enough):
        end = wire.now() + self._timeout
        self._fill()
        while len(self._have) < enough and wire.now() < end:
            wire.sleep(1)
            self._fill()

    def read(self, nbytes=-1):
        if nbytes is None or nbytes < 0:
            nbytes = 1 << 20
        self._wait(1 if nbytes == 1 << 20 else nbytes)
        data = self._have[:nbytes]
        self._have = self._have[nbytes:]
        return data or None

    def readinto(self, buf, nbytes=None):
        data = self.read(len(buf) if nbytes is None else nbytes)
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def readline(self):
        self._wait(1)
        end = self._have.find(b"\n") + 1
        return self.read(end) if end else self.read()

    def write(self, buf):
        if self.pty:
            wire.wrote()
            return self.stream.write(buf)
        wire.call("uart %d write %s" % (self._id, wire.hexed(buf)))
        return len(buf)

    def flush(self):
        pass

    def txdone(self):
        return True

    def irq(self, handler=None, trigger=0, hard=False):
        wire.handlers["u%d" % self._id] = lambda: handler(self)
        wire.call("uart %d irq %d" % (self._id, trigger if handler else 0))

    def close(self):
        self.deinit()
