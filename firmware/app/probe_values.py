"""From what the sensors gave to a record: temperature compensation, calibration, raw value and calibration id side by side.

`raw` has the unit of the value: what an ideal probe would have told, so that the calibration is the only difference. With the
temperature of the same record the sensor's own number can be calculated back.
"""

from app.sensors import water


def items(seen: dict, celsius: float | None, calibrations, section: dict) -> list:
    """The record's items.

    Args:
        seen: role -> values of its driver, of those that were due.
        celsius: of the water, perhaps some minutes old; None: nobody knows, then what depends on it has no value.
    """
    made = []
    if "thermometer" in seen:
        made.append(("water_temperature", _rounded(seen["thermometer"][0], 3)))
    if "ph" in seen:
        made.append(_ph(seen["ph"][-1], celsius, calibrations.current("ph")))
    air, pascal = _air(seen.get("air"))
    if "dissolved_oxygen" in seen:
        percent = seen["dissolved_oxygen"][-1]
        made.append(_oxygen(percent, celsius, pascal, section["salinity"], calibrations.current("dissolved_oxygen")))
    if "conductivity" in seen:
        us, current = seen["conductivity"][-1], calibrations.current("conductivity")
        made.append(_conductivity(us, celsius, section["ec_per_degree"], current))
    if "turbidity" in seen:
        made.append(_turbidity(seen["turbidity"][-1], calibrations.current("turbidity")))
    if "water_level" in seen:
        made.append(_level(seen["water_level"][0], air, section["level_height_m"], calibrations.current("water_level")))
    if "air" in seen:
        names = ("temperature", "humidity", "pressure")
        made += [(name, _rounded(value, 2)) for name, value in zip(names, seen["air"])]
    return made


def _ph(mv, celsius, current) -> tuple:
    if mv is None or celsius is None:
        return ("ph", None)
    name, fit = current
    raw, value = water.ph_of(mv, celsius), water.ph_of(mv, celsius, *fit)
    return ("ph", _rounded(value, 3), {"raw": _rounded(raw, 3), "cal": name})


def _oxygen(percent, celsius, pascal, salinity, current) -> tuple:
    if percent is None or celsius is None:
        return ("dissolved_oxygen", None)
    name, fit = current
    raw = percent / 100 * water.oxygen_mg_l(celsius, salinity, pascal or water.ATMOSPHERE_PA)
    return ("dissolved_oxygen", _rounded(raw * fit[0] / 100, 3), {"raw": _rounded(raw, 3), "cal": name})


def _conductivity(us, celsius, per_degree, current) -> tuple:
    if us is None or celsius is None:
        return ("conductivity", None)
    name, fit = current
    raw = water.conductivity_25(us, celsius, per_degree)
    # uS/cm to S/m is 1e-4; with six places a hundredth of a microsiemens is kept.
    return ("conductivity", (round(raw * fit[0]), 6), {"raw": (round(raw * 100), 6), "cal": name})


def _turbidity(ntu, current) -> tuple:
    if ntu is None:
        return ("turbidity", None)
    name, fit = current
    return ("turbidity", _rounded(ntu * fit[0] / 100, 2), {"raw": _rounded(ntu, 2), "cal": name})


def _level(metres, air, height_m, current) -> tuple:
    name, fit = current
    if name == "factory" and height_m:
        name, fit = "height-%.3f" % height_m, [height_m]
    if metres is None or fit[0] <= 0:
        return ("water_level", None)
    metres = distance(metres, air)
    return ("water_level", _rounded(fit[0] - metres, 3), {"raw": _rounded(metres, 3), "cal": name})


def distance(metres: float, air: float | None) -> float:
    """What the ranger measured, with the speed of sound at the air's temperature: the driver took 15 degrees."""
    return metres * water.speed_of_sound(air) / water.speed_of_sound(None)


def _air(values) -> tuple:
    if values is None:
        return None, None
    return values[0], values[2] if len(values) > 2 else None


def _rounded(value, places: int):
    return None if value is None else round(value, places)
