"""The schedule: waits overlap, a sensor that hangs or fails stops nobody, everything is powered down."""

from app.sensors.base import Failed, Rail, Sensor, mean, median
from app.sensors.schedule import collect
from fakes import Pin, Time, near
from scaffold import run


class Probe(Sensor):
    NAMES = ("value",)
    WARM_UP_MS, STABILISE_MS, MEASURE_MS = 100, 1000, 50
    LIMIT_MS = 3000

    def __init__(self, name, rail=None, values=(1.0,), average=1):
        self.name = name
        self.rail = rail
        self.pending = list(values)
        self.average = average
        self.calls = []

    def wake(self):
        self.calls.append("wake")
        return 0

    def result(self):
        value = self.pending.pop(0)
        if isinstance(value, Exception):
            raise value
        return (value,)

    def sleep(self):
        self.calls.append("sleep")
        return 0


class Stuck(Probe):
    def measure(self):
        return -1


def collected(sensors, spent=None):
    time = Time()
    return run(collect(sensors, time.now, time.wait, spent)), time.ms


def test_three_probes_take_as_long_as_the_slowest():
    runs, took = collected([Probe("a"), Probe("b"), Probe("c", average=3, values=(1, 2, 6))])
    assert took == 100 + 1000 + 3 * 50
    assert runs["c"].values == (3,) and not runs["c"].error


def test_a_sensor_that_fails_is_none_and_is_put_to_sleep_and_off():
    pin = Pin()
    broken = Probe("broken", Rail(pin), (Failed("CRC of 00"),))
    runs, _ = collected([Probe("good"), broken])
    assert runs["good"].values == (1.0,)
    assert runs["broken"].values == (None,) and "CRC of 00" in runs["broken"].error
    assert broken.calls == ["wake", "sleep"] and pin.level == 0


def test_a_sensor_that_hangs_is_given_up_after_its_limit():
    pin = Pin()
    stuck = Stuck("stuck", Rail(pin))
    runs, took = collected([Probe("good"), stuck])
    assert runs["good"].values == (1.0,)
    assert runs["stuck"].values == (None,) and "3000 ms, stuck in measure" in runs["stuck"].error
    assert 3000 < took < 3020 and pin.level == 0


def test_a_bug_in_a_driver_is_a_failed_sensor():
    class Bug(Probe):
        def wake(self):
            raise AttributeError("none")

        def sleep(self):
            raise OSError(5)

        def power_down(self):
            raise OSError(6)

    runs, _ = collected([Bug("bug"), Probe("good")])
    assert runs["good"].values == (1.0,) and runs["bug"].values == (None,)
    assert runs["bug"].error.startswith("wake:")


def test_of_several_measurements_the_good_ones_count():
    runs, _ = collected([Probe("a", values=(2.0, None, 4.0), average=3)])
    assert near(runs["a"].values[0], 3.0, 1e-6)
    assert mean([None, None]) is None and median([]) is None
    assert median([5, 1, None, 9]) == 5 and median([4, 1, 2, 9]) == 3


def test_a_shared_supply_stays_on_until_the_last_lets_go():
    pin = Pin()
    rail = Rail(pin)
    first, second = Probe("first", rail), Probe("second", rail, average=2, values=(1, 1))
    collected([first, second])
    assert pin.history == [0, 1, 1, 0]


def test_every_millisecond_of_every_phase_is_told_to_the_account():
    spent = {}

    def account(sensor, phase, ms):
        spent[(sensor.name, phase)] = spent.get((sensor.name, phase), 0) + ms

    collected([Probe("a", average=2, values=(1, 1))], account)
    assert spent[("a", "warm_up")] == 100 and spent[("a", "stabilise")] == 1000 and spent[("a", "start")] == 100
    assert sum(spent.values()) == 1200
