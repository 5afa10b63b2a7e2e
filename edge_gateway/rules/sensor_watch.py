"""How each sensor of each device does: the memory behind the rule of sensors. Pure; both clocks are handed in.

Kept for each (device, name), not for each device: one that is heard may have lost a sensor. What is regular is learned from the
sensor itself in this run of the gateway; a restart gives each its whole time again. A device that is silent is not looked at:
that is for the rule of silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_gateway.catalog import EVENTS, QUANTITIES
from edge_gateway.events import Flag, split_name
from edge_gateway.registry import Device, Registry
from edge_gateway.rules.rule import Fault
from edge_gateway.state import DeviceState, Latest

_HOUR_NS: Final = 3600 * 10**9
_ROUND_S: Final = 60  # every device is looked at once in so many looks
_TOLD: Final = 10  # tellings before its own cadence says anything
_MISSED: Final = 3  # cadences
_BAD_NS: Final = 15 * 60 * 10**9  # bad for so long and so often: no passing trouble
_BAD: Final = 3
_STUCK: Final = 48  # tellings of the same value
# Groups that are measured at a cadence; what presence, events and health tell may rightly be the same, or nothing, for days.
_REGULAR: Final = frozenset({"climate", "water"})
# A measured value moves by its own noise; one that stands still for so long is the last one before the sensor died.
_STILL_NS: Final = {
    "temperature": 48 * _HOUR_NS,
    "humidity": 48 * _HOUR_NS,
    "pressure": 48 * _HOUR_NS,
    "co2": 48 * _HOUR_NS,
    "water_temperature": 72 * _HOUR_NS,
    "ph": 72 * _HOUR_NS,
    "dissolved_oxygen": 48 * _HOUR_NS,
    "conductivity": 96 * _HOUR_NS,
}
# Nobody moves, sits or lies for so long; a fridge door open for two days is nobody's sensor either.
_ON_NS: Final = {
    "motion": 4 * _HOUR_NS,
    "presence": 48 * _HOUR_NS,
    "bed": 36 * _HOUR_NS,
    "chair": 36 * _HOUR_NS,
}
_OLD_NS: Final = 168 * _HOUR_NS  # what was silent for longer was taken away; nobody is told of it anew

Key = tuple[str, str]


@dataclass(slots=True)
class _Sensor:
    """One name of one device. Monotonic ns, but for `time_ns`.

    Attributes:
        time_ns: of its newest believable value, wall clock.
        heard: in this run, how often; at_ns: last.  gap_ns: longest between two of them.
        changed_ns: since when it has this value, as far as this run knows; changes: how often it changed in this run.
        same: tellings since.
        bad_ns: since when it says itself that it cannot be believed, 0: it does not.  bad: how often.
    """

    time_ns: int
    value: float | str | None
    flag: int
    at_ns: int
    changed_ns: int
    heard: int = 0
    gap_ns: int = 0
    changes: int = 0
    same: int = 0
    bad_ns: int = 0
    bad: int = 0


class SensorWatch:
    """
    Attributes:
        faulty: (site, device) -> what is wrong; empty: every sensor was seen to be well in this run; not there: nobody knows.
    """

    def __init__(self) -> None:
        self.faulty: dict[Key, tuple[Fault, ...]] = {}
        self._sensors: dict[Key, dict[str, _Sensor]] = {}
        self._since: dict[Key, int] = {}
        self._turn = 0

    def look(
        self, registry: Registry, states: Mapping[Key, DeviceState], heard: Mapping[Key, int], monotonic_ns: int, now_ns: int
    ) -> None:
        """Look at some of the devices; once a second, and after a minute all of them had their turn."""
        keys = list(registry.devices)
        self._turn = (self._turn + 1) % _ROUND_S
        for gone in [key for key in self.faulty if key not in registry.devices]:
            del self.faulty[gone]
        for key in keys[self._turn :: _ROUND_S]:
            device, state, heard_ns = registry.devices[key], states.get(key), heard.get(key)
            if state is None or heard_ns is None or device.silence_s <= 0:
                continue
            if (monotonic_ns - heard_ns) / 1e9 <= device.silence_s:
                self._look_at(device, state, heard_ns, monotonic_ns, now_ns)

    def _look_at(self, device: Device, state: DeviceState, heard_ns: int, monotonic_ns: int, now_ns: int) -> None:
        since_ns = self._since.setdefault(device.key, monotonic_ns)
        sensors = self._sensors.setdefault(device.key, {})
        for name, latest in state.latest.items():
            _follow(sensors, name, latest, monotonic_ns)
        shift_ns = now_ns - monotonic_ns
        faults = []
        names = {name: sensor for name, sensor in sensors.items() if _is_watched(name, device)}
        for name, sensor in names.items():
            fault = _fault(name, sensor, device, heard_ns, since_ns, monotonic_ns, shift_ns)
            if fault is not None:
                faults.append(fault)
        waited_ns = monotonic_ns - since_ns
        silent = [n for n in sorted(device.measures - sensors.keys()) if _is_regular(n) and waited_ns > _limit_ns(n, device, 0)]
        faults += [Fault(name, "never", since_ns + shift_ns) for name in silent]
        if faults:
            self.faulty[device.key] = tuple(faults)
        elif all(_is_well(name, sensor) for name, sensor in names.items()):
            self.faulty[device.key] = ()


def _follow(sensors: dict[str, _Sensor], name: str, latest: Latest, monotonic_ns: int) -> None:
    sensor = sensors.get(name)
    if sensor is None:
        # Known from before this run, or new: from here on its time counts.
        sensors[name] = _Sensor(latest.time_ns, latest.value, latest.flag, monotonic_ns, monotonic_ns)
        return
    if latest.time_ns == sensor.time_ns:
        return
    sensor.value, sensor.flag, before = latest.value, latest.flag, sensor.value
    if latest.flag == Flag.FAIL:
        sensor.bad_ns = sensor.bad = 0
        return  # a value outside its range is none: it raises nothing, and does not hide that there is none
    if sensor.heard:
        sensor.gap_ns = max(sensor.gap_ns, monotonic_ns - sensor.at_ns)
    sensor.heard += 1
    sensor.time_ns, sensor.at_ns = latest.time_ns, monotonic_ns
    if latest.value is None:
        sensor.bad_ns = sensor.bad_ns or monotonic_ns
        sensor.bad += 1
    else:
        sensor.bad_ns = sensor.bad = 0
    if latest.value != before:
        sensor.changed_ns, sensor.same = monotonic_ns, 0
        sensor.changes += 1
    else:
        sensor.same += 1


def _fault(
    name: str, sensor: _Sensor, device: Device, heard_ns: int, since_ns: int, monotonic_ns: int, shift_ns: int
) -> Fault | None:
    quantity = split_name(name)[0]
    quiet_ns = heard_ns - sensor.at_ns  # while the device was heard: whatever came after is no word of this sensor
    is_old = shift_ns + heard_ns - sensor.time_ns > _OLD_NS
    # A state that is told again at the device's cadence; one that is told when it changes may be silent for days.
    is_retold = sensor.heard >= _TOLD and sensor.gap_ns <= _MISSED * device.silence_s * 1e9
    if is_retold or (_is_regular(name) and not is_old):
        limit_ns = _limit_ns(name, device, sensor.gap_ns)
        if quiet_ns > limit_ns and monotonic_ns - since_ns > limit_ns:
            return Fault(name, "out_of_range" if sensor.flag == Flag.FAIL else "missing", sensor.time_ns, sensor.value)
    if sensor.bad >= _BAD and monotonic_ns - sensor.bad_ns >= _BAD_NS:
        return Fault(name, "broken", sensor.bad_ns + shift_ns)
    if sensor.value is None or sensor.flag == Flag.FAIL:
        return None
    same_ns = monotonic_ns - sensor.changed_ns
    still_ns = _STILL_NS.get(quantity)
    is_still = still_ns is not None and sensor.same >= _STUCK and same_ns > still_ns
    if is_still or (sensor.value == 1.0 and same_ns > _ON_NS.get(quantity, same_ns)):
        return Fault(name, "stuck", sensor.changed_ns + shift_ns, sensor.value)
    return None


def _is_well(name: str, sensor: _Sensor) -> bool:
    """Whether this run has seen that nothing is wrong with it; what was not heard of since a restart may be anything."""
    quantity = split_name(name)[0]
    if sensor.value is None or sensor.flag == Flag.FAIL:
        return False
    if quantity in _STILL_NS:
        return sensor.heard > 1 and sensor.changes > 0
    if quantity in _ON_NS:
        return sensor.changes > 0 or sensor.value == 0.0
    return sensor.heard > 1 or not _is_regular(name)


def _is_watched(name: str, device: Device) -> bool:
    """Not what is told once when it happens, nor what the registry no longer expects."""
    return split_name(name)[0] not in EVENTS and (not device.measures or name in device.measures)


def _is_regular(name: str) -> bool:
    return QUANTITIES[split_name(name)[0]].group in _REGULAR


def _limit_ns(name: str, device: Device, gap_ns: int) -> int:
    """Longest silence of one sensor that is normal: its own habit, the device's and the catalogue's."""
    normal_s = max(device.silence_s, QUANTITIES[split_name(name)[0]].silence_s)
    return max(int(normal_s * 1e9), _MISSED * gap_ns)
