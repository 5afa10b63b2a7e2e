"""A probe's decisions and records: when it wakes and sends, what stands in a record, what survives a sleep."""

import json

from app import message, probe_plan, probe_values
from app.calibrations import ACCEPTED, Calibrations
from app.probe_plan import State, next_wake_ms, radio_wanted
from app.probe_settings import CHECKS, DEFAULTS
from app.rtc_memory import APP, Region
from app.sensors.water import nernst_mv
from app.settings import problems
from fakes import near
from scaffold import folder


class Memory:
    def __init__(self):
        self.data = b""

    def __call__(self, data=None):
        if data is None:
            return self.data
        self.data = bytes(data)
        return None


def state(continued=True, memory=None):
    return State(Region(memory or Memory(), *APP), continued)


# --- waking ---


QUARTER = 1_790_000_100_000 // 900_000 * 900_000


def test_it_wakes_at_full_quarters_of_the_wall_clock():
    assert next_wake_ms(QUARTER + 10_400, 900) == 889_600
    assert next_wake_ms(QUARTER, 900) == 900_000


def test_a_wake_a_little_early_is_that_quarters_and_not_followed_by_another():
    assert next_wake_ms(QUARTER - 40_000, 900) == 940_000


def test_without_a_clock_it_wakes_after_its_cadence():
    assert next_wake_ms(0, 900) == 900_000


# --- radio ---


def wanted(up_s, depth=(0, 0, 1), mv=3900, **fields):
    known = state()
    for name, value in fields.items():
        setattr(known, name, value)
    return radio_wanted(known, up_s, depth, mv, DEFAULTS, 900)


def test_the_first_window_is_at_once_and_then_every_hour():
    assert wanted(5) == "start"
    assert [wanted(up_s, tried_s=1) for up_s in (900, 1800, 2700, 3600, 3590)] == ["", "", "", "hour", "hour"]


def test_an_event_or_many_records_do_not_wait():
    assert wanted(900, (1, 0, 3), tried_s=1) == "event"
    assert wanted(900, (0, 0, 12), tried_s=1) == "records"


def test_a_weak_battery_keeps_the_radio_off_whatever_waits():
    assert wanted(90_000, (1, 0, 90), 3399, tried_s=1) == ""
    assert wanted(5, mv=3399) == ""
    assert wanted(5, mv=None) == "start"


def test_when_nobody_answers_the_radio_rests_longer_and_longer():
    for misses, rest_s in ((1, 3600), (2, 7200), (3, 14_400), (9, 14_400)):
        assert wanted(100 + rest_s - 1, (1, 0, 99), tried_s=100, misses=misses) == "", misses
        assert wanted(100 + rest_s, (1, 0, 99), tried_s=100, misses=misses), misses


# --- what survives a sleep ---


def test_the_state_survives_a_sleep_and_a_reset_keeps_only_the_counts():
    memory = Memory()
    known = state(memory=memory)
    known.count(1)
    for _ in range(3):
        known.count(4)
    known.tried_s, known.gnss_s, known.health_s, known.charge_mc, known.celsius_milli, known.misses = 7, 8, 9, 130, -1250, 2
    known.save()
    again = state(memory=memory)
    assert (again.tried_s, again.gnss_s, again.health_s, again.charge_mc, again.celsius_milli, again.misses, again.wakes) == (
        7, 8, 9, 130, -1250, 2, 4,
    )  # fmt: skip
    assert again.told() == "power on 1, deep sleep 3"
    reset = state(continued=False, memory=memory)
    reset.count(3)
    assert (reset.tried_s, reset.gnss_s, reset.misses, reset.wakes) == (0, 0, 2, 5)
    assert reset.told() == "power on 1, watchdog 1, deep sleep 3"


def test_the_state_fits_its_part_of_the_rtc_memory():
    known = state()
    for name in probe_plan._UPTIMES:
        setattr(known, name, 0xFFFFFFFF)
    known.misses = known.died = 10_000
    known.save()


def test_torn_memory_is_a_fresh_state():
    memory = Memory()
    state(memory=memory).save()
    memory.data = memory.data[:-1] + b"\x55"
    assert state(memory=memory).wakes == 0


# --- records ---

SEEN = {
    "thermometer": (18.25,),
    "ph": (-12.0,),
    "dissolved_oxygen": (94.0,),
    "conductivity": (356.789,),
    "turbidity": (18.0, 12.5),
    "water_level": (2.016,),
    "air": (15.0, 60.0, 100_000.0),
}


def record(seen=SEEN, celsius=18.25, calibrations=None, **changes):
    section = dict(DEFAULTS)
    section.update(changes)
    made = probe_values.items(seen, celsius, calibrations or Calibrations(folder() + "/c"), section)
    told = json.loads(b"[{" + message.body(made))
    return {item["n"]: item for item in told}


def test_every_calibrated_quantity_has_raw_value_and_calibration_id():
    told = record(level_height_m=3.25)
    for name in ("ph", "dissolved_oxygen", "conductivity", "turbidity", "water_level"):
        assert told[name]["v"] is not None and told[name]["raw"] is not None and told[name]["cal"], name
    assert told["ph"]["cal"] == "factory" and told["ph"]["v"] == told["ph"]["raw"]
    assert near(told["ph"]["v"], 7 + 12.0 / nernst_mv(18.25), 0.001)
    assert near(told["conductivity"]["v"], 356.789e-4 / (1 - 0.0191 * 6.75), 1e-6)
    assert told["water_level"]["cal"] == "height-3.250" and near(told["water_level"]["v"], 1.234, 0.001)
    assert told["water_temperature"]["v"] == 18.25 and told["pressure"]["v"] == 100_000


def test_a_calibration_changes_the_value_and_leaves_the_raw_one():
    calibrations = Calibrations(folder() + "/c")
    before = record(calibrations=calibrations)
    for what, fit in (("ph", [-3.0, 98.9, 96.6]), ("dissolved_oxygen", [108.0]), ("water_level", [4.0])):
        calibrations.add({"id": what + "-17-5", "what": what, "verdict": ACCEPTED, "fit": fit})
    after = record(calibrations=calibrations)
    for what in ("ph", "dissolved_oxygen"):
        assert after[what]["raw"] == before[what]["raw"] and after[what]["v"] != before[what]["v"]
        assert after[what]["cal"] == what + "-17-5"
    assert near(after["dissolved_oxygen"]["v"], before["dissolved_oxygen"]["v"] * 1.08, 0.002)
    assert near(after["water_level"]["v"], 1.984, 0.001)


def test_a_hundredth_of_a_microsiemens_is_not_rounded_away():
    told = record({"conductivity": (500.12,)}, 25.0)
    assert near(told["conductivity"]["v"], 0.050012, 1e-8)


def test_without_the_waters_temperature_there_is_no_value():
    told = record(celsius=None)
    for name in ("ph", "dissolved_oxygen", "conductivity"):
        assert told[name]["v"] is None
    assert told["turbidity"]["v"] == 12.5


def test_a_failed_sensor_is_told_as_missing_and_the_others_stay():
    told = record(dict(SEEN, ph=(None,), water_level=(None,)))
    assert told["ph"]["v"] is None and "cal" not in told["ph"] and told["water_level"]["v"] is None
    assert told["turbidity"]["v"] == 12.5


def test_thin_air_holds_less_oxygen():
    assert record()["dissolved_oxygen"]["v"] < record(dict(SEEN, air=(15.0, 60.0, 101_325.0)))["dissolved_oxygen"]["v"]


def test_every_setting_has_a_default_that_passes_its_check():
    assert set(CHECKS) == set(DEFAULTS)
    for key, value in DEFAULTS.items():
        assert problems(CHECKS[key], value, key) == [], key
