"""A GNSS receiver that speaks NMEA 0183: position, satellites, time. Coordinates are integers of 1e-7 degrees.

A float of 32 bits knows a longitude to 8 metres; an integer of 1e-7 degrees to a centimetre.
"""

from app.sensors.base import Sensor

_LONGEST = 120
_POLL_MS = 100
_ENOUGH_SATELLITES = 4
# A sentence comes up to half a second after the moment it tells, and is read up to _POLL_MS later.
CLOCK_ERR_MS = 600


class Gnss(Sensor):
    NAMES = ("lat", "lon", "satellites")  # (scaled, 7) for `message.number`
    LIMIT_MS = 90_000  # a cold start under a bridge takes longer, and is not worth the battery
    IDLE_UA = MEASURE_UA = 45_000
    name = "gnss"

    def __init__(self, uart, on_time=None, rail=None):
        """on_time: function (unix_ms, err_ms), called once for each `power_up`, before there is a position."""
        self.uart = uart
        self.on_time = on_time
        self.rail = rail
        self.fix = Fix()
        self._told = False

    def start(self) -> int:
        self.fix = Fix()
        self._told = False
        self.listening = True
        self.uart.read()
        return 0

    def measure(self) -> int:
        self.fix.feed(self.uart.read() or b"")
        if self.fix.unix_ms and not self._told and self.on_time is not None:
            self._told = True
            self.on_time(self.fix.unix_ms, CLOCK_ERR_MS)
        return 0 if self.fix.good() else -_POLL_MS

    def result(self) -> tuple:
        return (self.fix.lat, 7), (self.fix.lon, 7), self.fix.satellites

    def combine(self, results: list) -> tuple:
        return results[-1]


class Fix:
    """What the receiver has said lately.

    lat, lon: 1e-7 degrees, or None. quality: of GGA, 0 none, 1 GNSS, 2 differential. unix_ms: of a valid RMC, else 0.
    bad: sentences with a wrong checksum.
    """

    def __init__(self):
        self.lat: int | None = None
        self.lon: int | None = None
        self.quality = 0
        self.satellites = 0
        self.unix_ms = 0
        self.bad = 0
        self._line = b""

    def good(self) -> bool:
        return self.quality > 0 and self.satellites >= _ENOUGH_SATELLITES and self.unix_ms > 0 and self.lat is not None

    def feed(self, data: bytes) -> None:
        lines = (self._line + data).split(b"\n")
        self._line = lines[-1][-_LONGEST:]
        for line in lines[:-1]:
            self.sentence(line)

    def sentence(self, line: bytes) -> bool:
        """Take one sentence; False when it is damaged."""
        fields = checked(line)
        if fields is None:
            self.bad += 1
            return False
        try:
            if fields[0][2:] == "RMC":
                self._rmc(fields)
            elif fields[0][2:] == "GGA":
                self._gga(fields)
        except (ValueError, IndexError):
            self.bad += 1
            return False
        return True

    def _rmc(self, fields: list) -> None:
        # Without a fix a receiver tells the time of its own clock, sometimes 2080 or 2000.
        self.unix_ms = unix_ms(fields[9], fields[1]) if fields[2] == "A" else 0

    def _gga(self, fields: list) -> None:
        self.quality = int(fields[6] or 0)
        self.satellites = int(fields[7] or 0)
        if self.quality:
            self.lat, self.lon = scaled(fields[2], fields[3]), scaled(fields[4], fields[5])


def checked(line: bytes) -> list | None:
    """The fields of `$....*hh`, or None when the checksum is wrong or missing."""
    start, star = line.find(b"$"), line.rfind(b"*")
    if start < 0 or star < start or len(line) < star + 3:
        return None
    value = 0
    for byte in line[start + 1 : star]:
        value ^= byte
    try:
        return line[start + 1 : star].decode().split(",") if value == int(line[star + 1 : star + 3], 16) else None
    except ValueError:
        return None


def scaled(text: str, side: str) -> int:
    """ddmm.mmmm or dddmm.mmmm as 1e-7 degrees, south and west negative; in integers."""
    whole, _, part = text.partition(".")
    minutes_e7 = int(whole[-2:]) * 10_000_000 + int((part + "0000000")[:7])
    value = int(whole[:-2]) * 10_000_000 + (minutes_e7 + 30) // 60
    return -value if side in ("S", "W") else value


def unix_ms(date: str, clock: str) -> int:
    """ddmmyy and hhmmss.sss, UTC, as milliseconds since 1970; right for 2000 to 2099."""
    day, month, year = int(date[:2]), int(date[2:4]), 2000 + int(date[4:6])
    seconds = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:6])
    return (days(year, month, day) * 86400 + seconds) * 1000 + int((clock[7:] + "000")[:3])


def days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 (Howard Hinnant's days_from_civil)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
