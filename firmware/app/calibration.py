"""How each quantity is calibrated: the fit from its points, the limits a probe must keep, buffers at their temperature."""

from app.sensors import water

SLOPE_PERCENT = (85.0, 105.0)
OFFSET_MV = 30.0
GAIN_PERCENT = (70.0, 130.0)  # an oxygen cell loses its current over the years
CELL_PERCENT = (80.0, 125.0)
HEIGHT_M = (0.2, 10.0)

# pH of technical buffers, by their name at 25 degrees: (Celsius, pH). Makers differ by 0.01: what the bottle says counts.
_BUFFERS = {
    4.01: ((0, 4.01), (10, 4.00), (20, 4.00), (25, 4.01), (30, 4.01), (40, 4.03)),
    6.86: ((0, 6.98), (10, 6.92), (20, 6.88), (25, 6.86), (30, 6.85), (40, 6.84)),
    7.00: ((0, 7.12), (10, 7.06), (20, 7.02), (25, 7.00), (30, 6.99), (40, 6.97)),
    9.18: ((0, 9.46), (10, 9.33), (20, 9.22), (25, 9.18), (30, 9.14), (40, 9.07)),
    10.01: ((0, 10.32), (10, 10.18), (20, 10.06), (25, 10.01), (30, 9.97), (40, 9.89)),
}


class Kind:
    """How one quantity is calibrated.

    unit: of the raw value. steady: largest spread of readings that are steady, in it.
    fit(points) -> (fit, why not), "" when the limits are kept. expected(standard, Celsius) -> raw of a perfect probe, and by
    how much a usable one may differ; None: not known. standard_unit, places: for texts.
    """

    def __init__(self, unit: str, steady: float, fit, expected=None, standard_unit: str = "", places: int = 2):
        self.unit = unit
        self.steady = steady
        self.fit = fit
        self.expected = expected
        self.standard_unit = standard_unit
        self.places = places


def buffer_ph(nominal: float, celsius: float) -> float:
    """pH of this buffer at this temperature; of one that is not in the table its name."""
    table = _BUFFERS.get(nominal)
    if table is None:
        return nominal
    return _interpolated(table, celsius)


def fit_ph(points: list) -> tuple:
    try:
        offset, acid, base = water.ph_fit([(raw, buffer_ph(standard, celsius), celsius) for standard, raw, celsius in points])
    except ValueError as error:
        return None, str(error)
    low, high = SLOPE_PERCENT
    why = []
    if abs(offset) >= OFFSET_MV:
        why.append("offset %.1f mV, expected less than %.0f" % (offset, OFFSET_MV))
    for name, slope in (("below", acid), ("above", base)):
        if not low <= slope <= high:
            why.append("slope %.1f %% %s pH 7, expected %.0f to %.0f" % (slope, name, low, high))
    return [offset, acid, base], "; ".join(why)


def fit_oxygen(points: list) -> tuple:
    """Water-saturated air is 100 %."""
    standard, raw, _ = points[0]
    return _gain(standard, raw, GAIN_PERCENT, "gain")


def fit_conductivity(points: list) -> tuple:
    standard, raw, celsius = points[0]
    return _gain(standard, water.conductivity_25(raw, celsius), CELL_PERCENT, "cell factor")


def fit_turbidity(points: list) -> tuple:
    standard, raw, _ = points[0]
    return _gain(standard, raw, CELL_PERCENT, "factor")


def fit_level(points: list) -> tuple:
    """The height of the transducer over the zero of the staff gauge, from the gauge's reading."""
    height = points[0][0] + points[0][1]
    if not HEIGHT_M[0] <= height <= HEIGHT_M[1]:
        return [height], "transducer %.2f m above the gauge's zero, expected %.1f to %.1f" % (height, HEIGHT_M[0], HEIGHT_M[1])
    return [height], ""


def _gain(standard: float, raw: float, limits: tuple, name: str) -> tuple:
    if raw <= 0:
        return None, "nothing measured: %.2f" % raw
    percent = 100 * standard / raw
    why = (
        "" if limits[0] <= percent <= limits[1] else "%s %.1f %%, expected %.0f to %.0f" % (name, percent, limits[0], limits[1])
    )
    return [percent], why


def _interpolated(table, x: float) -> float:
    if x <= table[0][0]:
        return table[0][1]
    for i in range(1, len(table)):
        if x <= table[i][0]:
            (x0, y0), (x1, y1) = table[i - 1], table[i]
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return table[-1][1]


# The spread of 1 mV is 0.02 pH. 120 mV off is two pH: the wrong bottle, or a broken glass.
KINDS = {
    "ph": Kind("mV", 1.0, fit_ph, lambda standard, c: ((7.0 - buffer_ph(standard, c)) * water.nernst_mv(c), 90.0), "pH"),
    "dissolved_oxygen": Kind("%", 1.0, fit_oxygen, standard_unit="% saturation", places=0),
    "conductivity": Kind("uS/cm", 5.0, fit_conductivity, standard_unit="uS/cm", places=0),
    "turbidity": Kind("NTU", 2.0, fit_turbidity, standard_unit="NTU", places=0),
    "water_level": Kind("m", 0.02, fit_level, standard_unit="m on the gauge"),
}
