"""JSN-SR04T: serial frames, lost echoes, the speed of sound."""

from app.sensors.base import Failed
from app.sensors.jsn_sr04t import JsnSr04t, millimetres
from app.sensors.water import speed_of_sound
from fakes import Pin, Uart, measure, near
from scaffold import raises


def frame(mm):
    return bytes((0xFF, mm >> 8, mm & 255, 0xFF + (mm >> 8) + (mm & 255) & 255))


def answering(*distances):
    left = list(distances)

    def answer(request):
        assert request == b"\x55"
        return left.pop(0)

    return Uart(answer)


def test_a_frame_carries_millimetres_and_its_sum():
    assert millimetres(bytes.fromhex("ff07a1a7")) == 1953
    raises(Failed, millimetres, bytes.fromhex("ff07a1a8"))
    raises(Failed, millimetres, b"\xff\x07")


def test_the_median_forgets_a_wave_and_a_lost_echo():
    uart = answering(frame(1500), frame(900), b"", frame(1502), frame(1498))
    sensor = JsnSr04t(uart, air_celsius=lambda: (340 - 331.3) / 0.606)
    sensor.average = 5
    assert near(measure(sensor).values[0], 1.499, 1e-4)
    assert near(measure(JsnSr04t(answering(frame(1500), b"", frame(1502)))).values[0], 1.502, 0.01)


def test_more_silence_than_echoes_is_no_value():
    seen = measure(JsnSr04t(answering(frame(1500), b"", b"")))
    assert seen.values == (None,) and not seen.error


def test_nearer_than_the_blind_zone_is_no_value():
    assert measure(JsnSr04t(answering(*[frame(150)] * 5))).values == (None,)


def test_sound_is_slower_in_winter():
    assert near(speed_of_sound(0), 331.3, 1e-3) and near(speed_of_sound(20), 343.42, 1e-3)
    cold = measure(JsnSr04t(answering(*[frame(3000)] * 5), air_celsius=lambda: 0.0)).values[0]
    assert near(cold, 3.0 * 331.3 / 340, 1e-4)


def test_the_pulse_mode_measures_the_echo():
    trigger = Pin(0)
    us = [8824, -2, 8824]  # 3 m there and back at 340 m/s; -2: no echo
    sensor = JsnSr04t(trigger=trigger, echo=Pin(0), pulse_us=lambda pin, level, limit: us.pop(0), air_celsius=lambda: 14.3564)
    assert near(measure(sensor).values[0], 1.5, 0.001)
    assert trigger.history[:3] == [0, 1, 0]
