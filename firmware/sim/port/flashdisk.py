"""The flash chip in a file, as littlefs wants it: 4 KiB blocks, erased before they are written."""

_SIZE = 4096


class FlashDisk:
    """Block device on the image file at `path`; with a `wire` the power can go in the middle of operation number `cut_at`."""

    def __init__(self, path, wire=None, cut_at=0):
        self._wire = wire
        self._file = open(path, "r+b")  # noqa: SIM115  for as long as we live
        self._blocks = self._file.seek(0, 2) // _SIZE
        self._blank = b"\xff" * _SIZE
        self._left = cut_at
        self.erases = 0
        self.writes = 0

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * _SIZE + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        self.writes += 1
        self._put(block * _SIZE + offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._blocks
        if operation == 5:
            return _SIZE
        if operation == 6:
            self.erases += 1
            self._put(argument * _SIZE, self._blank)
        if operation == 3 and self.writes and self._wire:
            self._wire.tell("flash %d %d" % (self.erases, self.writes))
            self.erases = self.writes = 0
        return 0

    def _put(self, at, data):
        self._file.seek(at)
        if self._left:
            self._left -= 1
            if not self._left:
                self._file.write(memoryview(data)[: len(data) // 2])
                self._wire.call("cut")  # never returns: the board kills us
        self._file.write(data)
