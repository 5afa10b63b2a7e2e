"""Oxygen saturation, conductivity at 25 degrees, the pH electrode, sound above the water. Pure formulas, safe in 32-bit floats.

Temperatures in degrees Celsius, pressure in Pa, salinity in g/kg. Sources beside each; the check values stand in the tests.
"""

from math import exp

ATMOSPHERE_PA = 101_325.0
EC_PER_DEGREE = 0.0191  # of natural fresh water; told with every reading


def oxygen_mg_l(celsius: float, salinity: float = 0.0, pascal: float = ATMOSPHERE_PA) -> float:
    """Oxygen at 100 % saturation, mg/l, 0 to 40 degrees; 9.092 at 20 (Benson and Krause 1980, 1984, as in APHA 4500-O)."""
    x = 1.0 / (celsius + 273.15)
    # Horner: the terms of the published sum are a thousand times the result and would cost three digits in single precision.
    log_c = -139.34411 + x * (1.575701e5 + x * (-6.642308e7 + x * (1.243800e10 + x * -8.621949e11)))
    log_c -= salinity * (1.7674e-2 + x * (-10.754 + x * 2140.7))
    p = pascal / ATMOSPHERE_PA
    vapour = exp(11.8571 + x * (-3840.70 + x * -216961.0))
    theta = 0.000975 + celsius * (-1.426e-5 + celsius * 6.436e-8)
    return exp(log_c) * p * (1 - vapour / p) * (1 - theta * p) / ((1 - vapour) * (1 - theta))


def speed_of_sound(celsius: float | None) -> float:
    """In dry air, m/s; 331.3 at 0 degrees. None: as at 15."""
    return 331.3 + 0.606 * (15.0 if celsius is None else celsius)


def conductivity_25(us_cm: float, celsius: float, per_degree: float = EC_PER_DEGREE) -> float:
    """Conductivity at 25 degrees of water that shows `us_cm` at `celsius`; 500 at 10 degrees is 700.8."""
    return us_cm / (1 + per_degree * (celsius - 25))


def nernst_mv(celsius: float) -> float:
    """Ideal slope of a pH electrode, mV per pH; 59.158 at 25 degrees."""
    return 0.198416 * (celsius + 273.15)


def ph_of(mv: float, celsius: float, offset_mv: float = 0.0, acid: float = 100.0, base: float = 100.0) -> float:
    """pH of an electrode with this offset (mV at pH 7) and these slopes (percent of Nernst) below and above 7."""
    slope = acid if mv > offset_mv else base
    return 7.0 - (mv - offset_mv) / (nernst_mv(celsius) * slope / 100)


def ph_fit(points: list) -> tuple:
    """(offset mV, acid slope %, base slope %) of buffers measured as (mV, pH of the buffer, Celsius).

    One point near 7 is needed for the offset, and at least one more. A side without a buffer takes the slope of the other.

    Raises:
        ValueError: says which buffer is missing.
    """
    neutral = [point for point in points if abs(point[1] - 7.0) < 0.5]
    if not neutral or len(points) < 2:
        raise ValueError(f"a buffer near pH 7 and another are needed, seen pH {[point[1] for point in points]}")
    mv, ph, celsius = neutral[0]
    acid = base = None
    # From the neutral buffer to each side; a buffer of 6.86 is carried to 7 with the slope found.
    for other_mv, other_ph, other_celsius in points:
        if abs(other_ph - ph) < 1:
            continue
        slope = 100 * (other_mv - mv) / ((ph - other_ph) * nernst_mv((celsius + other_celsius) / 2))
        if other_ph < ph:
            acid = slope
        else:
            base = slope
    if acid is None and base is None:
        raise ValueError(f"buffers at least one pH apart are needed, seen pH {[point[1] for point in points]}")
    acid = base if acid is None else acid
    base = acid if base is None else base
    slope = base if ph < 7.0 else acid
    return mv - (7.0 - ph) * nernst_mv(celsius) * slope / 100, acid, base
