"""EZO circuits: status bytes, texts, and what the probe saw rather than what the circuit made of it."""

from app.sensors.base import Failed
from app.sensors.ezo import EzoDo, EzoEc, EzoPh, number
from fakes import I2C, Script, Time, measure, near
from scaffold import raises


def test_the_examples_of_the_data_sheets():
    assert near(number(b"\x019.560\x00"), 9.56, 1e-5)
    assert near(number(b"\x01100.00,51,0.05,1.000\x00\x00"), 100.0, 1e-5)  # EC with its other quantities switched on


def test_each_status_says_what_it_means():
    assert "syntax" in str(raises(Failed, number, b"\x02"))
    assert "no data" in str(raises(Failed, number, b"\xff"))
    assert "busy" in str(raises(Failed, number, b"\xfe"))
    raises(Failed, number, b"\x01\x00")
    raises(Failed, number, b"\x01*ER\x00")


def test_ph_is_given_back_as_the_electrode_s_millivolts():
    chip = Script({b"R": b"\x014.000\x00"})
    seen = measure(EzoPh(I2C(x63=chip)))
    assert near(seen.values[0], 177.47, 0.01) and chip.written == [b"R", b"Sleep"]


def test_oxygen_is_given_back_as_saturation_which_knows_no_temperature():
    seen = measure(EzoDo(I2C(x61=Script({b"R": b"\x019.09\x00"}))))
    assert near(seen.values[0], 100.0, 0.05)


def test_conductivity_stays_microsiemens():
    assert near(measure(EzoEc(I2C(x64=Script({b"R": b"\x011413\x00"})))).values[0], 1413, 0.01)


def test_a_circuit_that_is_still_busy_is_asked_again():
    time = Time()
    seen = measure(EzoPh(I2C(x63=Script({b"R": [b"\xfe", b"\xfe", b"\xfe", b"\x017.00\x00"]}))), time)
    assert near(seen.values[0], 0, 0.01) and time.ms == 850 + 900 + 300


def test_a_circuit_that_stays_busy_is_given_up():
    seen = measure(EzoPh(I2C(x63=Script({b"R": b"\xfe"}))))
    assert seen.values == (None,) and "stuck in measure" in seen.error
