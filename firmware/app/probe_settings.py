"""The settings of a river probe: which sensors, how often, when the radio, what a calibration is made with."""

from app import energy, probe_sensors, settings
from app.calibrations import IDEAL

PINS = probe_sensors.PINS
DEFAULTS = {
    "thermometer": "ds18b20",
    "ph": "ezo",
    "dissolved_oxygen": "ezo",
    "conductivity": "ezo",
    "turbidity": "none",
    "water_level": "none",
    "air": "none",
    "gnss": "none",
    "units": {},
    "average": 1,
    "upload_s": 3600,
    "upload_records": 12,
    "window_s": 30,
    "no_radio_v": 3.4,
    "gnss_s": 604_800,
    "turbidity_s": 3600,
    "salinity": 0.0,
    "ec_per_degree": 0.0191,
    "level_height_m": 0.0,
    "tap_calibrates": "ph",
    "buffers": [7.00, 4.01, 10.01],
    "ec_standard_us": 1413,
    "turbidity_standard_ntu": 100,
    "probe": "",
    "sleep_ua": energy.SLEEP_UA,
}
CHECKS = {role: settings.choice(*words) for role, words in probe_sensors.CHOICES.items()}
CHECKS.update(
    {
        "units": settings.table({role: settings.whole(1, 247) for role in probe_sensors.CHOICES}),
        "average": settings.whole(1, 20),
        "upload_s": settings.whole(60, 86_400),
        "upload_records": settings.whole(1, 500),
        "window_s": settings.whole(5, 60),  # the longest the radio is on; no beat comes for so long
        "no_radio_v": settings.number(0, 20),
        "gnss_s": settings.whole(0, 31_536_000),  # 0: only at the start
        "turbidity_s": settings.whole(0, 86_400),
        "salinity": settings.number(0, 45),
        "ec_per_degree": settings.number(0.01, 0.03),
        "level_height_m": settings.number(0, 10),
        "tap_calibrates": settings.choice(*sorted(IDEAL)),
        "buffers": settings.listed(settings.number(1, 13), 2, 3),
        "ec_standard_us": settings.number(10, 200_000),
        "turbidity_standard_ntu": settings.number(1, 4000),
        "probe": settings.text(40, 0),  # its serial number, for the record of a calibration
        "sleep_ua": settings.whole(1, 100_000),
    }
)
