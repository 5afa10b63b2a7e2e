"""Two slots: the new version runs on trial, stays with the first receipt, and goes after five starts without one."""

import os

from app import files, slots
from releases import Nvs, manifest
from scaffold import folder


def device(**versions):
    """A flash with these versions in its slots, and its NVS."""
    root, nvs = folder(), Nvs()
    for name in versions:
        files.makedirs(root + "/" + name + "/app")
        slots.replace(root + "/" + name + "/" + slots.COMPLETE, manifest(version=versions[name]))
    return root, nvs


def started(root, nvs, woke=False, partition=None):
    """Name of the slot that runs after a start."""
    chosen = slots.Slots(root, nvs, partition).start(woke)
    return chosen[-1] if chosen else None


def test_without_a_pointer_the_newest_complete_slot_runs():
    assert started(*device(a="1.0.0", b="1.10.0")) == "b"
    assert started(*device(a="1.9.0", b="1.10.0")) == "b"
    assert started(*device(a="1.10.0")) == "a"


def test_an_empty_flash_runs_what_is_frozen_into_the_image():
    assert started(*device()) is None


def test_a_new_version_runs_from_the_next_start_on():
    root, nvs = device(a="1.0.0", b="1.1.0")
    slots.Slots(root, nvs).try_out("a")
    assert started(root, nvs) == "a"
    assert slots.Slots(root, nvs).trial


def test_five_starts_without_a_receipt_bring_the_old_version_back_and_say_so():
    root, nvs = device(a="1.0.0", b="1.1.0")
    known = slots.Slots(root, nvs)
    known.current = "a"
    known.try_out("b")
    assert [started(root, nvs) for _ in range(8)] == ["b"] * 5 + ["a"] * 3
    assert not slots.Slots(root, nvs).trial
    assert slots.noted(nvs, "update") == "fell back from 1.1.0: no receipt in 5 starts"


def test_a_text_that_was_cut_within_a_character_can_still_be_read():
    nvs = Nvs()
    for before in range(4):
        slots.note(nvs, "reset", "x" * before + "家" * 100)
        assert slots.noted(nvs, "reset") == "x" * before + "家" * ((200 - before) // 3)


def test_a_receipt_keeps_the_new_version_for_good():
    root, nvs = device(a="1.0.0", b="1.1.0")
    slots.Slots(root, nvs).try_out("b")
    assert started(root, nvs) == "b"
    assert slots.Slots(root, nvs).keep()
    assert [started(root, nvs) for _ in range(20)] == ["b"] * 20
    assert not slots.Slots(root, nvs).keep()


def test_a_sleeper_may_wake_a_day_long_before_its_new_version_is_given_up():
    root, nvs = device(a="1.0.0", b="1.1.0")
    known = slots.Slots(root, nvs)
    known.current = "a"
    known.try_out("b")
    assert [started(root, nvs, woke=True) for _ in range(101)] == ["b"] * 100 + ["a"]


def test_a_second_trial_has_all_its_starts_again():
    root, nvs = device(a="1.0.0", b="1.1.0")
    for _ in range(2):
        known = slots.Slots(root, nvs)
        known.current = "a"
        known.try_out("b")
        assert [started(root, nvs) for _ in range(6)] == ["b"] * 5 + ["a"]


def test_a_damaged_pointer_is_as_good_as_none():
    for content in (b"", b"b trial a - 00000000", b"\xff" * 40, b"../x good - - 12345678"):
        root, nvs = device(a="1.0.0", b="1.1.0")
        slots.replace(root + "/" + slots.POINTER, content)
        assert started(root, nvs) == "b"


def test_a_slot_that_is_not_complete_never_runs():
    root, nvs = device(a="1.0.0", b="1.1.0")
    slots.Slots(root, nvs).try_out("b")
    os.remove(root + "/b/" + slots.COMPLETE)
    assert started(root, nvs) == "a"
    os.remove(root + "/a/" + slots.COMPLETE)
    assert started(root, nvs) is None
    assert slots.noted(nvs, "update").endswith("slot a is damaged")


def test_code_made_for_a_new_micropython_does_not_run_on_the_old_one():
    root, nvs = device(a="1.0.0", b="1.1.0")
    known = slots.Slots(root, nvs, "ota_0")
    known.current = "a"
    known.try_out("b", "ota_1")
    assert started(root, nvs, partition="ota_1") == "b"
    assert started(root, nvs, partition="ota_0") == "a"
    assert "its MicroPython did not start" in slots.noted(nvs, "update")


def test_a_number_that_is_there_already_is_not_written_again():
    nvs = Nvs()
    slots.store(nvs, "x", 0)
    assert nvs.kept == {"x": 0}
    nvs.commit = None  # would raise
    slots.store(nvs, "x", 0)
