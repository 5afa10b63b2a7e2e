"""LD2410: frames of the protocol's description, and frames that are cut, bent and glued together."""

from app.sensors.ld2410 import Ld2410, Report, command, settings
from fakes import Uart

STILL = bytes.fromhex("f4f3f2f10d0002aa0251000000003b00005500f8f7f6f5")  # the description's example
MOVING = bytes.fromhex("f4f3f2f10d0002aa031e003c00003900005500f8f7f6f5")
ENGINEERING = bytes.fromhex(  # also from the description
    "f4f3f2f1230001aa031e003c00003900000808" + "3c2205030304030605" + "000039101306060804" + "0305" + "5500f8f7f6f5"
)


def test_the_examples_of_the_description():
    report = Ld2410(Uart()).feed(STILL)
    assert (report.moving, report.still, report.present) == (False, True, True)
    assert (report.moving_cm, report.moving_energy, report.still_cm, report.still_energy) == (81, 0, 0, 59)
    report = Ld2410(Uart()).feed(ENGINEERING)
    assert report.moving and report.still and report.moving_cm == 30 and report.moving_energy == 60


def test_nobody_is_a_report_too():
    report = Report(bytes.fromhex("02aa0000000000000000005500"))
    assert not report.present


def test_commands_are_those_of_the_description():
    frames = settings(8, 5)
    assert frames[0].hex() == "fdfcfbfa0400ff00010004030201"
    assert frames[1].hex() == "fdfcfbfa14006000000008000000010008000000020005000000" + "04030201"
    assert frames[2] == command(0x00FE) and frames[2].hex() == "fdfcfbfa0200fe0004030201"


def test_settings_that_the_radar_has_not_are_refused_with_what_was_seen():
    try:
        settings(9, 5)
    except ValueError as error:
        assert "9" in str(error)
    else:
        raise AssertionError


def test_a_report_in_pieces_of_any_size_is_one_report():
    for size in range(1, len(MOVING)):
        radar = Ld2410(Uart())
        found = [radar.feed(MOVING[i : i + size]) for i in range(0, len(MOVING), size)]
        assert next(report for report in found if report).moving_cm == 30
        assert radar.bad_frames == 0


def test_a_lost_or_bent_byte_costs_one_report_and_not_the_next():
    for at in range(len(STILL)):
        for damaged in (STILL[:at] + STILL[at + 1 :], STILL[:at] + bytes((STILL[at] ^ 0x80,)) + STILL[at + 1 :]):
            radar = Ld2410(Uart())
            radar.feed(damaged)
            for _ in range(3):  # a bent length may swallow the beginning of what follows, never all of it
                report = radar.feed(MOVING)
            assert report is not None and report.moving_cm == 30


def test_noise_fills_no_memory():
    radar = Ld2410(Uart())
    for _ in range(200):
        radar.feed(b"\xf4\xf3\xf2\xf1\xff\x00" + bytes(58))
    assert len(radar._buffer) < 512
    assert radar.feed(MOVING).moving and radar.bad_frames > 100


def test_the_newest_of_many_reports_counts_and_nothing_is_waited_for():
    uart = Uart()
    radar = Ld2410(uart)
    assert radar.poll() is None
    uart.arrives(STILL + MOVING)
    assert radar.poll().moving
    assert radar.poll() is None
