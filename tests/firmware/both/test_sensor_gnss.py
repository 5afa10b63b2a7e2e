"""GNSS: sentences of the standard's examples, damaged ones, coordinates in integers, the time."""

from app.sensors.gnss import Fix, Gnss, checked, days, scaled, unix_ms
from fakes import Time, Uart, measure
from scaffold import IS_MICROPYTHON

GGA = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47"
RMC = b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A"
SHANGHAI = (
    b"$GNRMC,071530.250,A,3113.8203310,N,12128.4411210,E,0.02,,301126,,,A*",
    b"$GNGGA,071530.250,3113.8203310,N,12128.4411210,E,2,11,0.82,6.1,M,9.5,M,,*",
)


def sealed(sentence):
    value = 0
    for byte in sentence[1:-1]:
        value ^= byte
    return sentence + b"%02X\r\n" % value


def test_the_checksum_of_the_examples():
    assert checked(GGA)[6] == "1" and checked(RMC + b"\r")[2] == "A"
    assert checked(GGA[:-1] + b"8") is None and checked(GGA[:-3]) is None and checked(b"$*") is None


def test_coordinates_are_exact_integers():
    assert scaled("4807.038", "N") == 481173000
    assert scaled("01131.000", "E") == 115166667
    assert scaled("3113.8203310", "N") == 312303389 and scaled("3113.8203310", "S") == -312303389
    assert scaled("00000.0001", "W") == -17 and scaled("18000.0000", "E") == 1800000000


def test_the_time_is_an_integer_of_this_century():
    assert unix_ms("301126", "071530.250") == 1796022930250
    assert unix_ms("010100", "000000") == 946684800000
    assert [days(1970, 1, 1), days(2000, 2, 29), days(2026, 11, 30)] == [0, 11016, 20787]


def test_a_day_is_the_day_after_the_one_before():
    lengths = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    for year in (2023, 2024, 2100):
        seen = days(year, 1, 1)
        for month in range(12):
            assert days(year, month + 1, 1) == seen
            seen += lengths[month] + (1 if month == 1 and year == 2024 else 0)
        assert days(year + 1, 1, 1) == seen


def test_a_fix_needs_position_satellites_and_time():
    fix = Fix()
    fix.feed(sealed(SHANGHAI[1]))
    assert not fix.good() and (fix.lat, fix.lon) == (312303389, 1214740187)
    fix.feed(sealed(SHANGHAI[0]))
    assert fix.good() and fix.unix_ms == 1796022930250 and (fix.quality, fix.satellites) == (2, 11)


def test_without_a_fix_there_is_neither_time_nor_place():
    fix = Fix()
    fix.feed(sealed(b"$GPRMC,000012.00,V,,,,,,,060180,,,N*") + sealed(b"$GPGGA,000012.00,,,,,0,00,99.99,,,,,,*"))
    assert fix.unix_ms == 0 and fix.lat is None and not fix.good() and fix.bad == 0


def test_pieces_noise_and_damaged_sentences_do_no_harm():
    stream = b"\x00\xff,1*" + sealed(SHANGHAI[0])[:-6] + b"\n" + b"$" + b"x" * 500 + sealed(SHANGHAI[1]) + sealed(SHANGHAI[0])
    for size in (1, 7, 64):
        fix = Fix()
        for i in range(0, len(stream), size):
            fix.feed(stream[i : i + size])
        assert fix.unix_ms == 1796022930250 and fix.bad >= 1
    assert not Fix().sentence(sealed(b"$GPRMC,12,A,x,N,y,E,,,1,,*"))


def test_the_sensor_tells_the_time_once_and_then_the_place():
    told = []
    uart = Uart()
    sensor = Gnss(uart, on_time=lambda ms, err: told.append((ms, err)))
    time = Time()

    async def wait(ms):
        time.ms += ms
        if 1000 < time.ms < 4000:
            uart.arrives(sealed(SHANGHAI[0]))
        if time.ms > 2500:
            uart.arrives(sealed(SHANGHAI[1]))

    time.wait = wait
    seen = measure(sensor, time)
    assert seen.values == ((312303389, 7), (1214740187, 7), 11)
    assert told == [(1796022930250, 600)]


def test_no_sky_is_no_value_after_the_limit():
    time = Time()
    seen = measure(Gnss(Uart()), time)
    assert seen.values == (None, None, None) and "90000 ms" in seen.error
    assert IS_MICROPYTHON in (True, False) and time.ms < 91_000
