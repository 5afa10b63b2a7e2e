"""MicroPython itself is updated: into the partition that does not run, kept once a message of it was receipted."""

from app import files, install, slots
from ota_rig import Rig
from releases import release as released

SIZE = 32768


class Partitions:
    """`esp32.Partition` whose second slot is in memory."""

    RUNNING = 1
    running = "ota_0"
    boot = "ota_0"
    flash = bytearray(SIZE)
    valid = 0
    takes = True

    def __init__(self, which):
        self.label = which if isinstance(which, str) else Partitions.running

    def info(self):
        return (0, 16, SIZE, SIZE, self.label, False)

    def get_next_update(self):
        return Partitions("ota_1" if self.label == "ota_0" else "ota_0")

    def writeblocks(self, n, block):
        Partitions.flash[n * 4096 : n * 4096 + 4096] = block

    def readblocks(self, n, block):
        block[:] = Partitions.flash[n * 4096 : n * 4096 + 4096]

    def set_boot(self):
        if not Partitions.takes:
            raise OSError(-5379)
        Partitions.boot = self.label

    @staticmethod
    def mark_app_valid_cancel_rollback():
        Partitions.valid += 1


IMAGE = b"\xe9" + bytes(range(251)) * 50


def image_rig(frozen=False):
    Partitions.running, Partitions.boot, Partitions.valid, Partitions.takes = "ota_0", "ota_0", 0, True
    rig = Rig(partitions=Partitions)
    if not frozen:
        return rig
    files.remove(rig.root + "/a/" + slots.COMPLETE)  # no code in its flash: the app is in the image
    return Rig(rig.root, rig.nvs, "1.0.0", partitions=Partitions)


def test_an_image_goes_to_the_other_partition_and_starts_with_its_own_code():
    rig = image_rig()
    rig.update(released(image=IMAGE))
    assert rig.resets == ["update"] and Partitions.boot == "ota_1"
    assert bytes(Partitions.flash[: len(IMAGE)]) == IMAGE
    Partitions.running = "ota_1"
    known = slots.Slots(rig.root, rig.nvs, "ota_1")
    assert known.start(False).endswith("/b")
    new = Rig(rig.root, rig.nvs, "1.1.0", partitions=Partitions)
    assert new.updater.on_trial and not Partitions.valid
    new.updater.receipted()
    new.updater.receipted()
    assert Partitions.valid == 1 and not new.updater.on_trial


def test_an_image_that_the_boot_loader_took_back_takes_its_code_with_it():
    rig = image_rig()
    rig.update(released(image=IMAGE))
    known = slots.Slots(rig.root, rig.nvs, "ota_0")  # it did not start: the old one runs again
    assert known.start(False).endswith("/a")
    back = Rig(rig.root, rig.nvs, "1.0.0", partitions=Partitions)
    assert back.updater.outcome.startswith("fell back") and not back.updater.on_trial


def test_an_image_download_goes_on_at_the_last_saved_block():
    rig = image_rig(frozen=True)
    long = b"\xe9" + b"y" * (SIZE - 1)
    release = released({}, image=long)
    install._SAVE_BLOCKS = 2
    head = len(release["release.json"]) + len(release["release.sig"])
    assert "cut off" in rig.update(release, cut=head + 20000)
    again = Rig(rig.root, rig.nvs, "1.0.0", partitions=Partitions)
    again.update(release, again=True)
    assert again.resets == ["update"] and again.httpd.asked[-1] == ("micropython.bin", 16384)
    assert Partitions.flash == long


def test_a_device_whose_app_is_frozen_gets_an_image_alone_and_others_do_not():
    assert image_rig().update(released({}, image=IMAGE)).startswith("refused: files: this device runs code from its flash")
    rig = image_rig(frozen=True)
    rig.update(released({}, image=IMAGE))
    assert rig.resets == ["update"] and Partitions.boot == "ota_1"
    Partitions.running = "ota_1"
    assert slots.Slots(rig.root, rig.nvs, "ota_1").start(False) is None  # what is frozen runs
    new = Rig(rig.root, rig.nvs, "1.1.0", partitions=Partitions)
    assert new.updater.on_trial
    new.updater.receipted()
    assert Partitions.valid == 1 and new.updater.outcome == "1.1.0 runs"


def test_an_image_that_is_none_or_wrong_or_too_large_is_refused():
    assert (
        image_rig(frozen=True)
        .update(released({}, image=b"MZ" + b"x" * 5000))
        .startswith("refused: image: no application image")
    )
    assert (
        image_rig(frozen=True)
        .update(released({}, image=b"\xe9" * (SIZE + 1)))
        .startswith("refused: room: a partition of 32768 bytes")
    )
    bad = released({}, image=IMAGE)
    bad["micropython.bin"] = IMAGE[:-1] + b"?"
    rig = image_rig(frozen=True)
    assert rig.update(bad).startswith("refused: hash: the image") and Partitions.boot == "ota_0"
    rig = image_rig()
    Partitions.takes = False
    assert rig.update(released(image=IMAGE)).startswith("refused: image: not taken by the boot loader")
    assert not rig.updater.on_trial
