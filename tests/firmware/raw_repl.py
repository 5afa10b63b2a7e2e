"""A device on a pty that mpremote can talk to: the raw REPL of MicroPython, with a real MicroPython behind it.

The unix port has no raw REPL. So this speaks its protocol on the pty and hands the code to a MicroPython process whose `/` is a
littlefs in memory, with `esp32.NVS` and `machine.reset` of its own.
"""

import os
import pty
import re
import select
import subprocess
import threading
import tty
from pathlib import Path

_DEVICE = r"""
import binascii, io, os, sys, vfs
class Flash:
    def __init__(self):
        self.memory = bytearray(b"\xff" * (4096 * 200))
    def readblocks(self, n, buffer, offset=0):
        buffer[:] = self.memory[n * 4096 + offset : n * 4096 + offset + len(buffer)]
    def writeblocks(self, n, buffer, offset=0):
        self.memory[n * 4096 + offset : n * 4096 + offset + len(buffer)] = buffer
    def ioctl(self, operation, argument):
        if operation == 6:
            self.memory[argument * 4096 : argument * 4096 + 4096] = b"\xff" * 4096
        return {4: 200, 5: 4096}.get(operation, 0)
flash = Flash()
vfs.VfsLfs2.mkfs(flash)
vfs.mount(vfs.VfsLfs2(flash), "/")
os.chdir("/")  # not in the folder of this machine any more
kept = {}
class NVS:
    def __init__(self, name): pass
    def set_blob(self, key, value): kept[key] = bytes(value)
    def get_blob(self, key, buffer):
        buffer[: len(kept[key])] = kept[key]
        return len(kept[key])
    def commit(self): pass
class esp32: pass
esp32.NVS = NVS
class machine:
    resets = 0
    def reset(): machine.resets += 1
    def soft_reset(): pass
sys.modules["esp32"], sys.modules["machine"] = esp32, machine
space = {"__name__": "__main__"}
stdin, stdout = sys.stdin, sys.stdout
while True:
    line = stdin.readline()
    if not line:
        break
    error = b""
    try:
        exec(bytes.fromhex(line.strip()).decode(), space)
    except BaseException as caught:
        text = io.StringIO()
        sys.print_exception(caught, text)
        error = text.getvalue().encode()
    stdout.write("\x00" + binascii.hexlify(error).decode() + "\n")
"""


class RawRepl:
    """Serves until `close`; `path` is the serial port."""

    def __init__(self, micropython: str, folder: Path) -> None:
        script = folder / "device.py"
        script.write_text(_DEVICE)
        self._process = subprocess.Popen(
            [micropython, "-X", "heapsize=8M", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=folder,
        )
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._slave = slave
        self.path = os.ttyname(slave)
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def run(self, code: str) -> str:
        """What the device prints for this code."""
        printed, error = self._execute(code.encode())
        assert not error, error.decode()
        return printed.decode()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        os.close(self._master)
        os.close(self._slave)

    def _execute(self, code: bytes) -> tuple[bytes, bytes]:
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(code.hex().encode() + b"\n")
            found = b""
            while not (end := re.search(rb"\x00([0-9a-f]*)\n$", found)):
                more = os.read(self._process.stdout.fileno(), 4096)
                assert more, "the device ended"
                found += more
        return found[: end.start()], bytes.fromhex(end[1].decode())

    def _serve(self) -> None:
        raw, code = False, b""
        while not self._ended.is_set():
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            for byte in os.read(self._master, 4096):
                if byte == 1:
                    raw, code = True, b""
                    self._say(b"\r\nraw REPL; CTRL-B to exit\r\n>")
                elif byte == 2:
                    raw = False
                    self._say(b"\r\nMicroPython v1.25.0 on 2025-05-04; simulated\r\n>>> ")
                elif byte == 3:
                    code = b""
                elif byte == 5 and raw and not code:
                    code += b"\x05"
                elif code == b"\x05" and byte == ord("A"):
                    code += b"A"
                elif code == b"\x05A":
                    code = b""
                    self._say(b"R\x00")  # no raw paste: the plain way
                elif byte == 4 and raw:
                    if code:
                        self._say(b"OK")
                        printed, error = self._execute(code)
                        self._say(printed.replace(b"\n", b"\r\n") + b"\x04" + error + b"\x04>")
                        code = b""
                    else:
                        self._say(b"OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>")
                elif raw:
                    code += bytes([byte])

    def _say(self, what: bytes) -> None:
        os.write(self._master, what)
