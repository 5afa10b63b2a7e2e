"""The health record: what a person who looks after many devices needs to know of one."""

from app.health import Health
from rig import device
from scaffold import IS_MICROPYTHON


class Battery:
    curve = ((3000, 0), (4200, 100))

    @staticmethod
    def millivolts():
        return 3600


class Link:
    counters = {"connects": 4}


def names(items):
    return {item[0]: item[1] for item in items}


def test_it_tells_why_it_started_once_and_the_numbers_each_time():
    made = device("toy", {})
    made.link = Link()
    health = Health(made, "watchdog", "toy 1.4.0", Battery, lambda: -67)
    first, second = names(health.items()), names(health.items())
    assert first["reset_cause"] == "watchdog" and first["firmware"] == "toy 1.4.0"
    assert "reset_cause" not in second and "firmware" not in second
    assert first["rssi"] == -97  # dBW
    assert first["battery_voltage"] == (3600, 3) and first["battery_level"] == 50
    assert first["restarts"] == 3 and first["reconnects"] == 4 and first["outbox_records"] == 1
    assert first["uptime"][1] == 3
    assert ("memory_free" in first) == IS_MICROPYTHON


def test_waking_from_sleep_tells_no_cause():
    health = Health(device("toy", {}), "deep sleep", "toy 1.4.0", told=True)
    assert "reset_cause" not in names(health.items())


def test_what_is_not_there_is_left_out_and_what_fails_takes_nobody_with_it():
    def fails():
        raise OSError("no radio")

    made = device("toy", {})
    health = Health(made, "power on", "toy 1.4.0", None, lambda: None)
    health.more.append(fails)
    health.more.append(lambda: [("reader_resets", 2)])
    found = names(health.items())
    assert found["reader_resets"] == 2
    assert "rssi" not in found and "battery_voltage" not in found and "reconnects" not in found


def test_every_name_is_in_the_catalogue():
    if IS_MICROPYTHON:
        return
    from edge_gateway.catalog import QUANTITIES

    made = device("toy", {})
    made.link = Link()
    for name in names(Health(made, "watchdog", "toy 1.4.0", Battery, lambda: -67).items()):
        assert QUANTITIES[name].group == "health", name
