"""Modbus: CRC examples, damaged and foreign answers, and several sondes that share one line."""

import struct

from app.sensors import modbus
from app.sensors.base import Failed
from app.sensors.modbus import Line, Sonde, crc, data, read, sealed
from app.sensors.schedule import collect
from fakes import Time, Uart, near
from scaffold import raises, run


def test_the_crc_of_known_frames():
    assert read(1, 0, 10).hex() == "01030000000ac5cd"
    assert read(0x11, 0x6B, 3).hex() == "1103006b00037687"
    assert read(0xFF, 0x3000, 1).hex() == "ff03300000019ed4"  # Yosemitech: who is there?
    assert crc(bytes.fromhex("010402ffffb880")) == 0


def test_answers_that_are_none():
    request = read(1, 0x2600, 2)
    good = sealed(bytes((1, 3, 4)) + struct.pack("<f", 2.5))
    assert struct.unpack("<f", data(request, good))[0] == 2.5
    for bit in range(len(good) * 8):
        bent = bytearray(good)
        bent[bit // 8] ^= 1 << bit % 8
        raises(Failed, data, request, bytes(bent))
    assert "exception 2" in str(raises(Failed, data, request, sealed(b"\x01\x83\x02")))
    raises(Failed, data, request, sealed(b"\x02\x03\x04\x00\x00\x00\x00"))  # another unit
    raises(Failed, data, request, sealed(b"\x01\x03\x02\x00\x00"))  # too little


class Sondes:
    """What is on the line: unit -> floats; complains when one is asked before another has answered."""

    def __init__(self, units):
        self.units = units
        self.asked = []

    def __call__(self, request):
        assert crc(request) == 0
        unit, _, register, count = struct.unpack(">BBHH", request[:6])
        self.asked.append((unit, register))
        if unit not in self.units:
            return b""
        values = struct.pack("<" + "f" * len(self.units[unit]), *self.units[unit])[: count * 2]
        return sealed(bytes((unit, 3, len(values))) + values)


def collected(sensors):
    time = Time()
    return run(collect(sensors, time.now, time.wait)), time.ms


def test_a_sonde_is_started_read_and_stopped():
    sondes = Sondes({1: (18.25, 12.5)})
    runs, took = collected([Sonde(Line(Uart(sondes)), "Y511")])
    assert runs["turbidity"].values == (18.25, 12.5)
    assert sondes.asked == [(1, 0x2500), (1, 0x2600), (1, 0x2E00)]
    assert 52_000 <= took < 52_200


def test_three_sondes_share_a_line_and_their_waits_overlap():
    sondes = Sondes({1: (18.0, 12.5), 2: (18.0, 0.98), 3: (-20.0,)})
    line = Line(Uart(sondes))
    runs, took = collected([Sonde(line, "Y511", 1), Sonde(line, "Y504", 2, average=3), Sonde(line, "Y532", 3)])
    assert near(runs["oxygen_saturation"].values[1], 98, 1e-4) and runs["ph_mv"].values == (None, -20.0)
    assert runs["turbidity"].values == (18.0, 12.5)
    assert took < 52_500


def test_a_sonde_that_is_silent_does_not_hold_the_line():
    line = Line(Uart(Sondes({1: (18.0, 12.5)})))
    runs, _ = collected([Sonde(line, "Y504", 9), Sonde(line, "Y511", 1)])
    assert runs["oxygen_saturation"].values == (None, None) and "nothing" in runs["oxygen_saturation"].error
    assert runs["turbidity"].values == (18.0, 12.5)


def test_an_answer_in_pieces_and_after_noise_is_one_answer():
    uart = Uart()
    line = Line(uart)
    request = read(1, 0x2600, 4)
    uart.arrives(b"\x00\xff\x00")
    assert line.exchange(self_, request) is None and uart.waiting == b""
    answer = sealed(b"\x01\x03\x08" + struct.pack("<ff", 20.0, 3.0))
    for byte in answer[:-1]:
        uart.arrives(bytes((byte,)))
        assert line.exchange(self_, request) is None
    uart.arrives(answer[-1:])
    assert line.exchange(self_, request) == struct.pack("<ff", 20.0, 3.0)


self_ = object()


def test_what_is_no_number_is_no_value():
    runs, _ = collected([Sonde(Line(Uart(Sondes({1: (18.0, float("nan"))}))), "Y511")])
    assert runs["turbidity"].values == (18.0, None)


def test_every_model_can_be_built():
    for model in modbus._MODELS:
        assert len(Sonde(Line(Uart()), model).NAMES) == 2
