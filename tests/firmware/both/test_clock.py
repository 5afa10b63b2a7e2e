"""A clock knows how wrong it may be, and says `none` rather than the year 2000."""

import time

from app.clock import Clock

NOW = 1780000000000
BUILD_S = 1770000000
YEAR_2000_MS = 946684800000


class Chip:
    """The chip's clock: counts `ms` on, as fast or slow as it is told to."""

    def __init__(self, ms=YEAR_2000_MS):
        self.ms = ms

    def now_ms(self):
        return self.ms

    def set_ms(self, ms):
        self.ms = ms


class Region:
    def __init__(self):
        self.bytes = None

    def load(self):
        return self.bytes

    def store(self, content):
        self.bytes = content


class Nvs:
    def __init__(self):
        self.values = {}
        self.writes = 0

    def get_i32(self, key):
        if key not in self.values:
            raise OSError(-4354)
        return self.values[key]

    def set_i32(self, key, value):
        self.values[key] = value
        self.writes += 1

    def commit(self):
        pass


class Ticks:
    """`time.ticks_ms` under our hand."""

    def __init__(self, clock):
        self.clock = clock

    def go(self, ms):
        self.clock._ticks = time.ticks_add(self.clock._ticks, -ms)


def cold(chip=None, region=None, nvs=None):
    return Clock(region or Region(), BUILD_S, False, nvs, system=chip or Chip())


def near(a, b, within=200):
    return abs(a - b) <= within


def test_after_power_on_the_clock_is_none_but_certificates_validate():
    chip = Chip()
    clock = cold(chip)
    up, unix, source, err = clock.stamp()
    assert (unix, source, err) == (0, "none", -1) and near(up, 0)
    assert chip.ms == BUILD_S * 1000


def test_ntp_sets_the_time_the_source_and_the_chip():
    chip = Chip()
    clock = cold(chip)
    assert clock.set(NOW, "ntp", 40)
    _up, unix, source, err = clock.stamp()
    assert near(unix, NOW) and source == "ntp" and 40 <= err <= 41
    assert chip.ms == NOW


def test_a_time_before_the_build_is_not_believed():
    clock = cold()
    assert not clock.set(YEAR_2000_MS + 5000, "gnss", 100)
    assert clock.stamp()[1:] == (0, "none", -1)


def test_the_error_grows_with_the_time_since_the_sync():
    clock = cold()
    clock.set(NOW, "ntp", 40)
    Ticks(clock).go(100000000)  # 28 h awake at 50 ppm: 5 s
    assert near(clock.err_ms(), 5040, 5)
    assert near(clock.stamp()[1], NOW + 100000000)
    assert near(clock.age_ms(), 100000000)


def test_setting_the_clock_back_or_forth_never_moves_the_uptime():
    clock = cold()
    Ticks(clock).go(5000)
    for unix in (NOW, NOW + 10 * 86400000, NOW - 10 * 86400000, NOW):
        before = clock.uptime_ms()
        assert clock.set(unix, "ntp", 10)
        assert near(clock.uptime_ms(), before)
        assert near(clock.unix_ms(), unix)
    assert clock.steps == 3


def test_the_uptime_never_wraps():
    clock = cold()
    ticks = Ticks(clock)
    for _ in range(200):  # 100 days in steps of half a day
        ticks.go(43200000)
        clock.uptime_ms()
    assert near(clock.uptime_ms(), 200 * 43200000, 2000)


def test_boot_uptime_and_time_go_on_over_a_planned_sleep():
    chip, region = Chip(), Region()
    clock = cold(chip, region)
    clock.set(NOW, "ntp", 40)
    Ticks(clock).go(10000)
    chip.ms += 10000
    clock.before_sleep(900000)
    chip.ms += 900300
    woken = Clock(region, BUILD_S, True, system=chip)
    up, unix, source, err = woken.stamp()
    assert near(up, 910300)
    assert near(unix, NOW + 910300)
    assert source == "rtc"
    assert near(err, 40 + 45015, 20)  # 5 % of the sleep
    assert near(woken.age_ms(), 910300)


def test_a_sleep_with_a_crystal_costs_little_accuracy():
    chip, region = Chip(), Region()
    clock = cold(chip, region)
    clock.set(NOW, "gnss", 40)
    clock.before_sleep(900000)
    chip.ms += 900000
    assert near(Clock(region, BUILD_S, True, crystal=True, system=chip).err_ms(), 85, 5)


def test_errors_of_many_sleeps_add_up_until_the_next_sync():
    chip, region = Chip(), Region()
    clock = cold(chip, region)
    clock.set(NOW, "ntp", 0)
    for _ in range(4):
        clock.before_sleep(100000)
        chip.ms += 100000
        clock = Clock(region, BUILD_S, True, system=chip)
    assert near(clock.err_ms(), 20000, 50)
    assert clock.set(NOW + 400000, "ntp", 30) and clock.source == "ntp"
    assert near(clock.err_ms(), 30, 5)


def test_woken_early_by_a_pin_the_chips_clock_tells_how_long_it_slept():
    chip, region = Chip(), Region()
    clock = cold(chip, region)
    clock.set(NOW, "ntp", 0)
    clock.before_sleep(3600000)
    chip.ms += 60000
    assert near(Clock(region, BUILD_S, True, system=chip).uptime_ms(), 60000)


def test_a_chip_that_lost_its_time_asleep_is_not_asked():
    chip, region = Chip(), Region()
    clock = cold(chip, region)
    clock.set(NOW, "ntp", 0)
    clock.before_sleep(60000)
    chip.ms = YEAR_2000_MS
    woken = Clock(region, BUILD_S, True, system=chip)
    assert near(woken.uptime_ms(), 60000)
    assert woken.stamp()[1:] == (0, "none", -1)


def test_a_sleep_without_any_sync_stays_none():
    chip, region = Chip(), Region()
    cold(chip, region).before_sleep(60000)
    chip.ms += 60000
    woken = Clock(region, BUILD_S, True, system=chip)
    assert woken.stamp()[1:] == (0, "none", -1)
    assert near(woken.uptime_ms(), 60000)


def test_after_a_watchdog_reset_the_chips_clock_is_still_right_and_the_uptime_begins_anew():
    chip, region = Chip(), Region()
    cold(chip, region).set(NOW, "ntp", 40)
    chip.ms += 3600000
    clock = Clock(region, BUILD_S, False, system=chip)
    up, unix, source, err = clock.stamp()
    assert near(up, 0) and near(unix, NOW + 3600000) and source == "rtc"
    assert 1000 <= err <= 2000
    assert clock.age_ms() == -1


def test_after_a_power_cut_the_time_is_none_and_begins_at_the_last_known_day():
    nvs = Nvs()
    cold(nvs=nvs).set(NOW, "ntp", 40)
    chip = Chip()
    clock = cold(chip, nvs=nvs)
    assert clock.stamp()[1:] == (0, "none", -1)
    assert 0 <= NOW - chip.ms < 86400000 + 3600000


def test_the_floor_is_written_at_most_once_a_day():
    nvs = Nvs()
    clock = cold(nvs=nvs)
    for hour in range(100):
        clock.set(NOW + hour * 3600000, "ntp", 40)
    assert nvs.writes <= 5


def test_one_lie_of_a_time_server_does_not_shut_out_the_right_time():
    nvs = Nvs()
    cold(nvs=nvs).set(NOW + 80 * 365 * 86400000, "ntp", 40)
    clock = cold(nvs=nvs)
    assert clock.set(NOW, "ntp", 40)
    assert near(clock.unix_ms(), NOW)
    assert abs(nvs.values["floor_h"] - NOW // 3600000) <= 1


def test_a_worse_source_that_agrees_does_not_spoil_a_better_one():
    clock = cold()
    clock.set(NOW, "gnss", 100)
    assert not clock.set(NOW + 400, "ntp", 2000)
    assert clock.source == "gnss"
    assert clock.set(NOW + 60000, "ntp", 2000)
    assert clock.source == "ntp"


def test_a_broken_snapshot_is_no_snapshot():
    for content in (b"", b"abc", bytes(64), b"\xff" * 64):
        region = Region()
        region.bytes = content
        clock = Clock(region, BUILD_S, True, system=Chip())
        assert clock.stamp()[1:] == (0, "none", -1)
