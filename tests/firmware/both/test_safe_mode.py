"""Ten bad starts lead to safe mode, a good boot forgets them; what makes the device this device is kept in NVS too."""

import sys

from app import files, rescue, safe_mode, slots
from releases import Nvs, manifest
from scaffold import folder

sys.modules["slots"] = slots  # on a device it lies beside `boot`
from app import boot  # noqa: E402


def flash():
    root = folder()
    for name, version in (("a", "1.0.0"), ("b", "0.9.0")):
        files.makedirs(root + "/" + name)
        slots.replace(root + "/" + name + "/" + slots.COMPLETE, manifest(version=version))
    return root


def started(root, nvs, woke=False):
    """(safe mode, name of the slot whose code runs) of one start."""
    before = list(sys.path)
    safe = boot.start(root, nvs, woke)
    added = [path for path in sys.path if path not in before]
    sys.path[:] = before
    return safe, added[0][-1] if added else None


def test_the_eleventh_start_without_a_good_one_is_safe_mode():
    root, nvs = flash(), Nvs()
    assert [started(root, nvs)[0] for _ in range(11)] == [False] * 10 + [True]


def test_after_a_round_of_safe_mode_the_app_has_three_more_tries():
    root, nvs = flash(), Nvs()
    found = [started(root, nvs)[0] for _ in range(20)]
    assert found[10:] == [True, False, False, False, True, False, False, False, True, False]


def test_every_second_round_uses_the_other_code():
    root, nvs = flash(), Nvs()
    rounds = [slot for safe, slot in [started(root, nvs) for _ in range(24)] if safe]
    assert rounds == ["a", "b", "a", "b"]


def test_a_good_boot_forgets_the_bad_ones():
    root, nvs = flash(), Nvs()
    for _ in range(5):
        assert [started(root, nvs)[0] for _ in range(9)] == [False] * 9
        safe_mode.good(root, nvs)


def test_waking_from_planned_sleep_is_no_start():
    root, nvs = flash(), Nvs()
    assert not any(started(root, nvs, woke=True)[0] for _ in range(50))
    assert slots.number(nvs, boot.FAILED) == 0


def test_a_good_boot_that_changes_nothing_writes_nothing():
    root, nvs = flash(), Nvs()
    slots.replace(root + "/settings.json", b"{}")
    started(root, nvs)
    safe_mode.good(root, nvs)
    nvs.commit = None  # would raise
    safe_mode.good(root, nvs)


def test_an_update_that_falls_back_gives_the_old_version_all_its_starts():
    root, nvs = flash(), Nvs()
    slots.Slots(root, nvs).try_out("b")
    found = [started(root, nvs) for _ in range(16)]
    assert found == [(False, "b")] * 5 + [(False, "a")] * 11
    assert started(root, nvs)[0]


def test_a_flash_that_cannot_be_read_still_starts_what_is_frozen():
    nvs = Nvs()
    assert started(folder() + "/missing", nvs) == (False, None)


def test_settings_and_certificates_come_back_after_the_flash_was_made_anew():
    nvs, before, after = Nvs(), folder(), folder()
    slots.replace(before + "/settings.json", b'{"site":"s"}')
    slots.replace(before + "/ca.pem", b"-----BEGIN")
    rescue.keep(before, nvs)
    assert sorted(rescue.restore(after, nvs)) == ["ca.pem", "settings.json"]
    with open(after + "/settings.json", "rb") as file:
        assert file.read() == b'{"site":"s"}'
    assert rescue.restore(after, nvs) == []


def test_what_is_there_is_not_overwritten_and_what_is_torn_is_not_restored():
    nvs, before, after = Nvs(), folder(), folder()
    slots.replace(before + "/settings.json", b"old")
    rescue.keep(before, nvs)
    slots.replace(after + "/settings.json", b"new")
    assert rescue.restore(after, nvs) == []
    nvs.set_blob("r_settings", b"torn")
    assert rescue.restore(folder(), nvs) == []


def test_a_file_too_large_for_nvs_stays_only_in_flash():
    nvs, before = Nvs(), folder()
    slots.replace(before + "/ca.pem", b"x" * 5000)
    rescue.keep(before, nvs)
    assert rescue.restore(folder(), nvs) == []


def test_what_is_kept_twice_leaves_room_for_what_boot_counts():
    nvs, before = Nvs(), folder()
    for name, size in (("settings.json", 2000), ("ca.pem", 3400), ("cert.pem", 3400), ("key.pem", 500)):
        slots.replace(before + "/" + name, b"x" * size)
    rescue.keep(before, nvs)
    assert sorted(rescue.restore(folder(), nvs)) == ["ca.pem", "key.pem", "settings.json"]
    slots.replace(before + "/ca.pem", b"y" * 3400)
    rescue.keep(before, nvs)
    assert sum(len(value) for value in nvs.kept.values() if isinstance(value, bytes)) <= 6000


class FullNvs(Nvs):
    def commit(self):
        raise OSError(-0x1105)  # ESP_ERR_NVS_NOT_ENOUGH_SPACE


def test_a_device_whose_nvs_is_full_starts_all_the_same():
    nvs = FullNvs()
    root = flash()
    assert [started(root, nvs) for _ in range(3)] == [(False, "a")] * 3
    slots.note(nvs, "reset", "why")
    assert not slots.store(nvs, "anything", 1) and slots.noted(nvs, "nothing") == ""
    safe_mode.good(root, nvs)
