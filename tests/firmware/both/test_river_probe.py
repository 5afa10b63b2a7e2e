"""What a probe does around its wakes: awake after an update until the gateway has answered, calibrations like readings."""

from app import river_probe
from app.river_probe import Probe
from app.sensors.water import speed_of_sound
from fakes import near
from scaffold import run


class Thing:
    """Anything with these attributes."""

    def __init__(self, **attributes):
        for name, value in attributes.items():
            setattr(self, name, value)


class Bare(Probe):
    """A probe of which only the parts under test are there."""

    def __init__(self, device=None, suite=None):
        self._device, self._suite = device, suite
        self.state = Thing(tried_s=5, died=0)
        self.sent = []
        self.weak = False

    async def _send(self, beat):
        self.sent.append(self.state.tried_s)
        self.state.tried_s = 0 if self.weak else 9

    async def _collected(self, sensors, beat):
        return {role: Thing(values=values) for role, values in sensors}


class NoWaiting:
    @staticmethod
    async def sleep(seconds):
        pass


def proved(receipt_after, continued=False, died=0, weak=False):
    """How often a probe on trial used its radio; its receipt comes after so many times."""
    probe = Bare(Thing(outbox=Thing(continued=continued), resetting=False))
    probe._device.on_trial = lambda: len(probe.sent) < receipt_after
    probe.state.died, probe.weak = died, weak
    before, river_probe.asyncio = river_probe.asyncio, NoWaiting
    try:
        run(probe._prove(lambda: None))
    finally:
        river_probe.asyncio = before
    assert probe.sent == [0] * len(probe.sent)
    return len(probe.sent)


def test_after_an_update_it_stays_awake_until_the_gateway_has_answered():
    assert [proved(n) for n in (0, 1, 4)] == [0, 1, 4]


def test_it_does_not_wait_for_ever_and_not_at_each_waking():
    assert proved(1000) == 15
    assert proved(1000, continued=True) == 0


def test_what_the_battery_cannot_give_is_not_asked_of_it():
    assert proved(1000, died=1) == 0
    assert proved(1000, weak=True) == 1


def calibrated(what, **values):
    suite = Thing(roles=list(values), sensor=lambda role: (role, values[role]))
    return run(Bare(suite=suite)._probe_and_thermometer(what, lambda: None))


def test_a_level_is_calibrated_with_the_speed_of_sound_of_its_readings():
    raw, celsius = calibrated("water_level", water_level=(2.0,), thermometer=(4.0,), air=(-5.0, 60.0, 100_000.0))
    assert near(raw, 2.0 * speed_of_sound(-5.0) / speed_of_sound(15.0), 1e-6) and celsius == 4.0
    assert calibrated("water_level", water_level=(2.0,), air=(None, None, None)) == (2.0, 25.0)
    assert calibrated("water_level", water_level=(None,), air=(-5.0, 60.0, 1.0)) == (None, 25.0)


def test_other_quantities_are_calibrated_without_the_air():
    assert calibrated("ph", ph=(-12.0,), thermometer=(18.0,), air=(-5.0, 60.0, 1.0)) == (-12.0, 18.0)
