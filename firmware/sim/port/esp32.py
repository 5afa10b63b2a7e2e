"""`esp32` of the simulated board: settings in NVS, OTA partitions in files, wake sources."""

import wire

WAKEUP_ALL_LOW = False
WAKEUP_ANY_HIGH = True


class NVS:
    def __init__(self, namespace):
        self._name = "nvs %s " % namespace

    def get_i32(self, key):
        return int(wire.ask(self._name + "get i " + key))

    def set_i32(self, key, value):
        wire.ask(self._name + "set i %s %d" % (key, value))

    def get_blob(self, key, buffer):
        data = bytes.fromhex(wire.ask(self._name + "get b " + key))
        if len(data) > len(buffer):
            raise OSError(-0x110C)  # ESP_ERR_NVS_INVALID_LENGTH
        buffer[: len(data)] = data
        return len(data)

    def set_blob(self, key, value):
        wire.ask(self._name + "set b %s %s" % (key, wire.hexed(value)))

    def erase_key(self, key):
        wire.ask(self._name + "erase " + key)

    def commit(self):
        wire.ask(self._name + "commit")


class Partition:
    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, which, block_size=4096):
        which = {0: "boot", 1: "running"}.get(which, which)
        self._label, path, self._place, self._size = wire.call("partition %s" % which).split()
        self._file = open(path, "r+b")  # noqa: SIM115  for as long as we live
        self._block = block_size

    def info(self):
        return 0, 16 + int(self._label[-1]), int(self._place), int(self._size), self._label, False

    def get_next_update(self):
        return Partition(wire.call("partition next").split()[0])

    def set_boot(self):
        wire.call("partition boot " + self._label)

    @staticmethod
    def mark_app_valid_cancel_rollback():
        wire.call("partition valid")

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * self._block + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, data, offset=None):
        if offset is None:
            for i in range(len(data) // self._block):
                self.ioctl(6, block + i)
        self._file.seek(block * self._block + (offset or 0))
        self._file.write(data)

    def ioctl(self, operation, argument):
        if operation == 4:
            return int(self._size) // self._block
        if operation == 5:
            return self._block
        if operation == 6:
            self._file.seek(argument * self._block)
            self._file.write(b"\xff" * self._block)
        return 0


def wake_on_ext0(pin, level):
    wire.call("wake ext0 %d %d" % (level, -1 if pin is None else pin.id))


def wake_on_ext1(pins, level):
    wire.call("wake ext1 %d %s" % (level, " ".join(str(pin.id) for pin in pins or ())))


def gpio_deep_sleep_hold(enable):
    wire.call("hold %d" % enable)


def raw_temperature():
    return 128  # degrees Fahrenheit inside the chip


def mcu_temperature():
    return 53


def idf_heap_info(capabilities):
    return [(113840, 36000, 31744, 30000)]
