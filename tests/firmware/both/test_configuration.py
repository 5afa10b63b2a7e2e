"""Settings from afar: on trial, kept, refused or undone; and the power may go at any moment."""

from app import files, settings
from app.configuration import Configuration
from scaffold import folder, raises

DOCUMENT = {
    "site": "village",
    "device": "home-1",
    "model": "toy",
    "wifi": [{"ssid": "village", "password": "secret-word"}],
    "broker": {"host": "192.168.1.2"},
}


class Toy:
    PINS = {}
    DEFAULTS = {"press_ms": 100}
    CHECKS = {"press_ms": settings.whole(50, 5000)}


class Device:
    """Starts again and again on one flash."""

    def __init__(self):
        self.path = folder() + "/settings"
        self.resets = []
        self.births = 0
        self.start()

    def start(self, app=Toy, continued=False):
        self.now = Configuration(self.path, DOCUMENT, app, continued)
        self.now.apply = self.resets.append
        self.now.told = self.birth
        return self.now

    def birth(self):
        self.births += 1

    def press_ms(self):
        return self.now.settings["toy"]["press_ms"]


def test_without_anything_from_afar_the_file_counts():
    device = Device()
    assert device.now.status() == {}
    assert device.press_ms() == 100


def test_new_settings_wait_for_a_reset_and_are_good_once_connected():
    device = Device()
    device.now.offered(8, {"toy": {"press_ms": 300}})
    assert device.resets == ["settings version 8"]
    assert device.press_ms() == 100
    device.start()
    assert device.press_ms() == 300 and device.now.on_trial
    assert device.now.status() == {"config": 8}
    device.now.connected()
    device.start()
    assert device.press_ms() == 300 and not device.now.on_trial


def test_the_same_settings_at_every_connect_are_taken_once():
    device = Device()
    for _ in range(3):
        device.now.offered(8, {"cadence_s": 30})
        device.start()
        device.now.connected()
    assert device.resets == ["settings version 8"]


def test_settings_that_change_nothing_need_no_reset():
    device = Device()
    device.now.offered(9, {"cadence_s": 60})
    assert device.resets == [] and device.births == 1
    assert device.start().status() == {"config": 9}


def test_bad_settings_are_refused_with_every_reason_and_not_taken_at_the_next_start():
    device = Device()
    device.now.offered(8, {"cadence_s": 0, "toy": {"press_ms": "x"}})
    assert device.resets == [] and device.births == 1
    error = device.start().status()["config_error"]
    assert error.startswith("version 8: ")
    assert "cadence_s: seen 0" in error and "toy.press_ms: seen 'x'" in error
    device.now.offered(8, {"cadence_s": 0})
    assert device.births == 1


def test_who_the_device_is_cannot_be_changed_from_afar():
    device = Device()
    device.now.offered(8, {"site": "other", "device": "home-2"})
    assert device.resets == []
    assert "device: cannot be changed from afar" in device.now.status()["config_error"]


def test_settings_that_cut_the_link_are_undone_and_the_last_good_ones_come_back():
    device = Device()
    device.now.offered(7, {"cadence_s": 30})
    device.start().connected()
    device.now.offered(8, {"broker": {"host": "nowhere"}})
    device.start()
    assert device.now.settings["broker"]["host"] == "nowhere"
    device.now.undo("not connected within 600 s")
    assert len(device.resets) == 3
    device.start()
    assert device.now.settings["broker"]["host"] == "192.168.1.2" and device.now.settings["cadence_s"] == 30
    assert device.now.status() == {"config": 7, "config_error": "version 8: not connected within 600 s"}
    device.now.offered(8, {"broker": {"host": "nowhere"}})
    assert len(device.resets) == 3


def test_settings_with_which_it_does_not_even_run_are_undone_after_some_starts():
    device = Device()
    device.now.offered(8, {"cadence_s": 30})
    for _ in range(4):
        assert device.start().on_trial
    assert device.start().settings["cadence_s"] == 60
    assert "was never connected in 4 starts" in device.now.status()["config_error"]


def test_waking_from_sleep_is_no_start():
    device = Device()
    device.now.offered(8, {"cadence_s": 30})
    for _ in range(20):
        assert device.start(continued=True).on_trial


def test_a_sleeper_undoes_settings_with_which_it_reaches_nobody():
    device = Device()
    device.now.offered(8, {"cadence_s": 30})
    for _ in range(4):
        device.start(continued=True).missed()
    assert device.start(continued=True).on_trial
    device.now.missed()
    assert not device.start(continued=True).on_trial
    assert "not connected in 4 tries" in device.now.status()["config_error"]


def test_a_newer_version_takes_the_place_of_one_on_trial_and_clears_the_error():
    device = Device()
    device.now.offered(8, {"cadence_s": 0})
    device.now.offered(9, {"cadence_s": 30})
    assert device.start().status() == {"config": 9}
    device.now.offered(10, {})
    assert device.start().settings["cadence_s"] == 60
    assert device.now.status() == {"config": 10}


def test_what_a_newer_firmware_refuses_is_undone_at_its_start():
    class Stricter(Toy):
        CHECKS = {"press_ms": settings.whole(50, 200)}

    device = Device()
    device.now.offered(8, {"toy": {"press_ms": 300}})
    device.start().connected()
    device.start(Stricter)
    assert device.press_ms() == 100
    assert "toy.press_ms: seen 300" in device.now.status()["config_error"]


def test_a_damaged_file_leaves_the_devices_own_settings():
    device = Device()
    device.now.offered(8, {"cadence_s": 30})
    with open(device.path, "wb") as file:
        file.write(b"rubbish")
    assert device.start().settings["cadence_s"] == 60
    files.write(device.path, b'{"other":1}')
    assert device.start().settings["cadence_s"] == 60


def test_wrong_settings_of_its_own_are_for_a_person():
    raises(settings.Misconfigured, Configuration, folder() + "/settings", {"site": "x"}, Toy)


def test_a_flash_that_cannot_be_written_refuses_new_settings_and_stops_no_start():
    device = Device()
    device.now.offered(8, {"toy": {"press_ms": 300}})

    def broken(*_):
        raise OSError(30)

    write, files.write = files.write, broken
    try:
        device.start()
        assert device.press_ms() == 300 and device.now.on_trial
        device.now.offered(9, {"toy": {"press_ms": 400}})
        assert device.now.status()["config_error"] == "version 9: the flash cannot be written"
        assert device.resets == ["settings version 8"]
        device.now.connected()
    finally:
        files.write = write
