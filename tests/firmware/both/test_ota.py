"""An update from the command to the first receipt: refused with the reason, continued after a cut, kept if it proves itself."""

import asyncio

from app import ota, slots, update
from httpd import Httpd
from ota_rig import GOOD, Rig
from releases import FILES, digest
from releases import release as released
from scaffold import run
from signing import NEXT, NEXT_SECRET, STRANGER, STRANGER_SECRET, sign


def signed_by_a_stranger(message):
    return sign(message, STRANGER, STRANGER_SECRET)


def test_a_release_is_installed_beside_what_runs_and_started():
    rig = Rig()
    assert rig.update() == ""
    assert rig.done and rig.resets == ["update"]
    assert {path: rig.content(path) for path in FILES} == FILES
    assert rig.beats > 5
    again = rig.restarted()
    assert rig.slot == "b" and again.updater.on_trial and again.updater.installed == "1.1.0"
    again.updater.receipted()
    assert again.updater.outcome == "1.1.0 runs" and not again.updater.on_trial


def test_a_release_signed_with_the_next_key_is_taken():
    rig = Rig()
    assert rig.update(released(signer=lambda message: sign(message, NEXT, NEXT_SECRET))) == "" and rig.resets


def test_what_is_refused_says_why_and_is_not_tried_again():
    for said, files in (
        ("signature", released(signer=signed_by_a_stranger)),
        ("signature", released(signer=lambda message: b"\x00" * 384)),
        ("model: for river_probe, this is elder_home", released(model="river_probe")),
        ("older: 0.9.9, and 1.0.0 was here", released(version="0.9.9")),
        ("installed: 1.1.0 replaces 1.0.1", released(low="1.0.1")),
        ("hash: app/main.py", dict(GOOD, **{"bundle.bin": GOOD["bundle.bin"].replace(b"new", b"old")})),
        ("answer: a file of", dict(GOOD, **{"bundle.bin": GOOD["bundle.bin"][:-1]})),
        ("image: this device has no second partition", released(image=b"\xe9" + b"x" * 5000)),
    ):
        rig = Rig()
        outcome = rig.update(files)
        assert outcome.startswith("refused: " + said), (said, outcome)
        assert rig.done and not rig.resets and not slots.exists(rig.root + "/update.json")
        rig.restarted()
        assert rig.slot == "a"


def test_a_flipped_byte_in_each_file_is_noticed():
    whole = GOOD["bundle.bin"]
    for at in (0, 28, len(whole) - 1):
        bad = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        assert Rig().update(dict(GOOD, **{"bundle.bin": bad})).startswith("refused: hash: app/")


def test_a_release_other_than_the_one_asked_for_is_refused():
    assert Rig().update(manifest="0" * 64).startswith("refused: manifest: not the release")
    assert Rig().update(manifest=digest(GOOD["release.json"])) == ""


def test_an_address_that_is_none_is_refused_at_once():
    for wrong in ({}, {"url": 7}, {"url": "ftp://x/"}, {"url": "http://h/", "manifest": 3}):
        rig = Rig()
        rig.updater.command(wrong)
        assert rig.updater.outcome.startswith("refused: address")
        assert not slots.exists(rig.root + "/update.json")


def test_a_firmware_without_keys_is_not_updated():
    assert Rig(keys=()).update().startswith("refused: no key")


def test_the_version_that_runs_is_not_installed_again():
    rig = Rig(version="1.1.0")
    assert rig.update() == "1.1.0 runs already"
    assert rig.done and not rig.resets


def test_nothing_older_comes_back_once_a_version_has_proved_itself():
    rig = Rig(version="1.2.0")
    rig.updater.receipted()
    # Somebody put an older version onto the flash; from afar still nothing below 1.2.0 is taken.
    assert Rig(rig.root, rig.nvs, "1.0.0").update() == "refused: older: 1.1.0, and 1.2.0 was here"


def test_a_download_that_is_cut_goes_on_where_it_was():
    rig = Rig()
    sizes = len(GOOD["release.json"]) + len(GOOD["release.sig"])
    outcome = rig.update(cut=sizes + 2000)
    assert outcome.startswith("interrupted (1 of 20): download: cut off") and not rig.done
    again = rig.restarted()
    assert again.update(again=True) == outcome and again.resets == ["update"]
    # app/empty.py and app/main.py were there already.
    assert again.httpd.asked[-1] == ("bundle.bin", len(FILES["app/main.py"]))


def test_twenty_interrupted_tries_are_given_up():
    rig = Rig()
    for _ in range(19):
        rig.update(cut=10, again=True)
        assert not rig.done
    assert rig.update(cut=10, again=True).startswith("given up: download: cut off") and rig.done
    assert not slots.exists(rig.root + "/update.json")


def test_tries_that_never_come_to_an_end_are_given_up_too():
    rig = Rig()
    slots.replace(rig.root + "/update.json", b'{"url":"http://127.0.0.1:1/"}')
    tried = []

    async def broken(self, request):
        tried.append(request)
        raise RuntimeError("or a watchdog")

    before, update.Update.attempt = update.Update.attempt, broken
    try:
        for _ in range(20):
            try:
                run(rig.updater.attempt(rig.beat))
            except RuntimeError:
                pass
        assert run(rig.updater.attempt(rig.beat)) and len(tried) == 20
    finally:
        update.Update.attempt = before
    assert rig.updater.outcome.startswith("given up") and not rig.updater.requested


def test_without_a_network_no_try_is_begun_and_the_first_moment_with_one_is_used():
    rig = Rig()

    async def main():
        httpd = await Httpd(GOOD).start()
        rig.updater.command({"url": httpd.url})
        there = []
        rig.updater.ready = lambda: bool(there)
        task = asyncio.create_task(rig.updater.run(rig.beat))
        await asyncio.sleep(0.5)
        assert slots.number(rig.nvs, "update_tries") == 0 and not httpd.asked
        there.append(True)
        for _ in range(200):
            if rig.resets:
                break
            await asyncio.sleep(0.01)
        task.cancel()
        await httpd.stop()

    run(main())
    assert rig.resets == ["update"]


def test_flash_that_reads_back_differently_is_fetched_again():
    rig = Rig()
    rig.update(dict(GOOD, **{"bundle.bin": GOOD["bundle.bin"][:-1]}))
    slots.replace(rig.root + "/b/app/main.py", b"x" * len(FILES["app/main.py"]))
    assert rig.update() == "interrupted (1 of 20): flash: app/main.py reads back differently"
    assert rig.update() and rig.resets == ["update"]
    assert rig.content("app/main.py") == FILES["app/main.py"]


def test_while_a_version_is_on_trial_no_other_is_installed():
    rig = Rig()
    rig.update()
    on_trial = rig.restarted()
    assert "1.1.0 is on trial" in on_trial.update(released(version="1.2.0"))
    on_trial.updater.receipted()
    on_trial.update(released(version="1.2.0"))
    assert on_trial.resets == ["update"]
    third = on_trial.restarted()
    assert on_trial.slot == "a" and third.updater.installed == "1.2.0"


def test_a_version_that_never_gets_a_receipt_goes_and_the_birth_says_so():
    rig = Rig()
    rig.update()
    for _ in range(5):
        assert rig.restarted().updater.installed == "1.1.0"
    back = rig.restarted()
    assert back.updater.installed == "1.0.0"
    assert back.updater.outcome == "fell back from 1.1.0: no receipt in 5 starts"


def test_an_hour_on_trial_without_a_receipt_is_a_start_that_failed():
    rig = Rig()
    rig.update()
    on_trial = rig.restarted()
    on_trial.updater._began -= ota._TRIAL_MS + 1
    on_trial.updater._watch_trial()
    assert on_trial.resets == ["1.1.0 on trial without a receipt"]


def test_the_task_takes_up_after_a_power_cut_what_was_asked_before_it():
    rig = Rig()

    async def main():
        httpd = await Httpd(GOOD).start()
        rig.updater.command({"url": httpd.url})
        after = rig.restarted()
        task = asyncio.create_task(after.updater.run(after.beat))
        for _ in range(200):
            if after.resets:
                break
            await asyncio.sleep(0.01)
        task.cancel()
        await httpd.stop()
        return after.resets

    assert run(main()) == ["update"]


def test_an_update_that_finds_no_memory_beside_the_app_has_a_start_of_its_own():
    from app import update

    rig = Rig()
    before = update.fetch.whole

    async def full(*_):
        raise MemoryError

    update.fetch.whole = full
    try:
        assert rig.update() == "waits: not enough memory beside the app"
        assert rig.resets == ["update without the app"] and slots.number(rig.nvs, ota.ALONE) == 1
        slots.store(rig.nvs, ota.ALONE, 2)  # as boot does when it has taken note
        assert rig.update(again=True).startswith("interrupted (2 of 20)")
    finally:
        update.fetch.whole = before
    rig.update(again=True)
    assert rig.resets[-1] == "update" and slots.number(rig.nvs, ota.ALONE) == 0
