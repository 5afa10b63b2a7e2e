"""The ESP32's `machine` on a simulated board: buses, serial ports, analogue pins, clock and timers."""

import os
import pty
import threading
import tty
from collections.abc import Callable
from itertools import pairwise

import pytest

from firmware.sim.board import Board, Nack
from firmware.sim.board.chips.ds18b20 import Ds18b20
from firmware.sim.board.chips.sht31 import Sht31
from tests.firmware.bench import Make, done, make, said

__all__ = ["make"]


class Eeprom:
    """Memory with an address byte; `shy` is how many writes it does not acknowledge."""

    def __init__(self, shy: int = 0) -> None:
        self.memory = bytearray(range(256))
        self.pointer = 0
        self.shy = shy

    def write(self, data: bytes) -> None:
        if self.shy:
            self.shy -= 1
            raise Nack
        self.pointer = data[0] if data else self.pointer
        self.memory[self.pointer : self.pointer + len(data) - 1] = data[1:]

    def read(self, size: int) -> bytes:
        return bytes(self.memory[self.pointer : self.pointer + size])


class Echo:
    """Answers each text in capitals, 300 ms later."""

    def connect(self, send: Callable[..., None]) -> None:
        self.send = send

    def receive(self, data: bytes) -> None:
        self.send(data.upper(), after_ms=300)


def test_i2c_reads_writes_registers_and_finds_who_is_there(make: Make) -> None:
    def attach(board: Board) -> None:
        board.attach_i2c(0x50, Eeprom())
        board.attach_i2c(0x44, Sht31(board.now_ms, lambda: 20.0, lambda: 50.0), bus=1)

    board = make(
        """
from machine import I2C, Pin
i2c = I2C(0, scl=Pin(22), sda=Pin(21), freq=100000, timeout=50000)
print("scan:", i2c.scan())
print("mem:", i2c.readfrom_mem(0x50, 0x10, 3))
i2c.writeto_mem(0x50, 0x20, b"abc")
two = bytearray(2)
i2c.readfrom_mem_into(0x50, 0x21, two)
print("into:", two)
print("written:", i2c.writeto(0x50, b"\\x30"), i2c.readfrom(0x50, 2))
i2c.readfrom_into(0x50, two)
print("again:", two)
print("vector:", i2c.writevto(0x50, (b"\\x40", bytearray(b"xy"))), i2c.readfrom_mem(0x50, 0x40, 2))
try:
    i2c.writeto(0x51, b"")
except OSError as error:
    print("nobody:", error.errno)
""",
        lambda board: (
            board.attach_i2c(0x50, Eeprom()),
            board.attach_i2c(0x44, Sht31(board.now_ms, lambda: 20.0, lambda: 50.0), bus=1),
        ),
    )
    done(board)
    assert said(board, "scan") == ["[80]"]
    assert said(board, "mem") == [repr(b"\x10\x11\x12")]
    assert said(board, "into") == ["bytearray(b'bc')"]
    assert said(board, "written") == [f"1 {b'01'!r}"]
    assert said(board, "again") == ["bytearray(b'01')"]
    assert said(board, "vector") == ["3 b'xy'"]
    assert said(board, "nobody") == ["19"]


def test_a_chip_that_does_not_acknowledge_is_no_such_device(make: Make) -> None:
    board = make(
        """
from machine import Pin, SoftI2C
i2c = SoftI2C(scl=Pin(22), sda=Pin(21))
for _ in range(2):
    try:
        print("wrote:", i2c.writeto(0x50, b"\\x00"))
    except OSError as error:
        print("wrote:", error)
""",
        lambda board: board.attach_i2c(0x50, Eeprom(shy=1), bus=1021),
    )
    assert said(done(board), "wrote") == ["[Errno 19] ENODEV", "1"]


def test_without_its_current_a_chip_is_not_there(make: Make) -> None:
    board = make(
        """
from machine import I2C, Pin
power, i2c = Pin(12, Pin.OUT, value=0), I2C(0)
print("off:", i2c.scan())
power.on()
print("on:", i2c.scan())
""",
        lambda board: board.attach_i2c(0x50, Eeprom(), power=12),
    )
    done(board)
    assert said(board, "off") == ["[]"]
    assert said(board, "on") == ["[80]"]


def test_one_wire_devices_are_found_chosen_and_read(make: Make) -> None:
    def attach(board: Board) -> None:
        for serial, celsius in ((b"\1\2\3\4\5\6", 21.5), (b"\1\2\3\4\5\7", -3.25)):
            board.attach_onewire(4, Ds18b20(board.now_ms, lambda c=celsius: c, serial))

    board = make(
        """
import onewire, time
from machine import Pin
bus = onewire.OneWire(Pin(4))
for rom in bus.scan():
    bus.select_rom(rom)
    bus.writebyte(0x44)
    time.sleep_ms(800)
    bus.select_rom(rom)
    bus.writebyte(0xBE)
    pad = bytearray(9)
    bus.readinto(pad)
    raw = pad[0] | pad[1] << 8
    print("read:", bus.crc8(pad), (raw - 65536 if raw & 0x8000 else raw) / 16)
print("empty:", onewire.OneWire(Pin(5)).reset(), onewire.OneWire(Pin(5)).scan())
""",
        attach,
    )
    done(board)
    assert said(board, "read") == ["0 21.5", "0 -3.25"]
    assert said(board, "empty") == ["False []"]


def test_a_serial_device_answers_after_its_time(make: Make) -> None:
    board = make(
        """
import asyncio, time
from machine import UART
uart = UART(1, baudrate=9600, tx=17, rx=16, timeout=0, rxbuf=512)
print("empty:", uart.any(), uart.read(), uart.read(5))
start = time.ticks_ms()
uart.write(b"hello\\n")
while uart.any() < 6:
    time.sleep_ms(10)
print("after:", time.ticks_diff(time.ticks_ms(), start))
print("read:", uart.read(3), uart.readline(), uart.any())
async def main():
    stream = asyncio.StreamReader(uart)
    start = time.ticks_ms()
    uart.write(b"asyncio\\n")
    print("line:", await stream.readline(), time.ticks_diff(time.ticks_ms(), start))
    try:
        await asyncio.wait_for(stream.read(1), 5)
    except asyncio.TimeoutError:
        print("silent:", time.ticks_diff(time.ticks_ms(), start) // 1000)
asyncio.run(main())
""",
        lambda board: board.attach_uart(1, Echo()),
    )
    done(board)
    assert said(board, "empty") == ["0 None None"]
    assert int(said(board, "after")[0]) == pytest.approx(310, abs=30)
    assert said(board, "read") == [f"b'HEL' {b'LO' + bytes([10])!r} 0"]
    line, _, ms = said(board, "line")[0].rpartition(" ")
    assert line == repr(b"ASYNCIO\n")
    assert int(ms) == pytest.approx(300, abs=30)
    assert said(board, "silent") == ["5"]


def test_a_serial_port_may_be_a_pty_whose_other_end_answers_in_real_time(make: Make, pseudo_terminals: None) -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)

    def serve() -> None:
        while (data := os.read(ours, 100)) != b"end\n":
            os.write(ours, data.upper())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    board = make(
        """
import asyncio, time
from machine import UART
uart = UART(1, 115200)
async def main():
    stream = asyncio.StreamReader(uart)
    for i in range(5):
        await asyncio.sleep(60)
        uart.write(b"to a pty\\n")
        print("line:", await asyncio.wait_for(stream.readline(), 1))
    uart.write(b"end\\n")
asyncio.run(main())
""",
        lambda board: board.attach_uart(1, os.ttyname(theirs)),
    )
    done(board, 600_000)
    assert said(board, "line") == [repr(b"TO A PTY\n")] * 5
    thread.join(5)
    os.close(ours)
    os.close(theirs)


def test_voltages_are_true_up_to_what_the_attenuation_allows(make: Make) -> None:
    board = make(
        """
from machine import ADC, Pin
adc = ADC(Pin(34), atten=ADC.ATTN_11DB)
print("uv:", adc.read_uv(), ADC(Pin(34)).read_uv(), ADC(Pin(35)).read_uv())
print("raw:", adc.read_u16(), adc.read())
""",
        lambda board: board.adc(34, lambda: 1.85),
    )
    done(board)
    assert said(board, "uv") == ["1850000 950000 0"]
    assert said(board, "raw") == [f"{1850000 * 65535 // 2450000} {(1850000 * 65535 // 2450000) >> 4}"]


def test_tones_and_lights_are_seen(make: Make) -> None:
    board = make("""
import time
from machine import PWM, Pin
from neopixel import NeoPixel
tone = PWM(Pin(27), freq=2000, duty_u16=32768)
pixels = NeoPixel(Pin(5), 2)
pixels[1] = (1, 2, 3)
pixels.write()
time.sleep(5)
tone.deinit()
time.sleep(5)
""")
    board.wait_for(lambda: board.analog.lights)
    assert board.analog.tones[27] == (2000, 32768)
    assert board.analog.lights[5] == bytes([0, 0, 0, 1, 2, 3])
    board.run_for(7000)
    assert board.analog.tones[27] == (2000, 0)


def test_the_clock_is_set_and_read(make: Make) -> None:
    board = make("""
import time
from machine import RTC
rtc = RTC()
rtc.datetime((2026, 3, 14, 0, 15, 9, 26, 535897))
time.sleep(3600)
print("now:", rtc.datetime()[:7], time.time(), time.gmtime())
print("back:", time.mktime(time.gmtime()) == time.time(), time.time_ns() // 1000000000 == time.time())
print("long:", len(rtc.memory()))
try:
    rtc.memory(bytes(2049))
except ValueError:
    print("refused: yes")
""")
    done(board, 4_000_000)
    assert said(board, "now") == ["(2026, 3, 14, 5, 16, 9, 26) 826819766 (2026, 3, 14, 16, 9, 26, 5, 73)"]
    assert said(board, "back") == ["True True"]
    assert said(board, "refused") == ["yes"]


def test_timers_call_back(make: Make) -> None:
    board = make("""
import time
from machine import Timer
start = time.ticks_ms()
def tick(timer):
    print("tick:", time.ticks_diff(time.ticks_ms(), start))
often = Timer(0, period=1000, mode=Timer.PERIODIC, callback=tick)
Timer(1).init(mode=Timer.ONE_SHOT, period=2500, callback=lambda timer: print("once: yes"))
time.sleep_ms(3200)
often.deinit()
time.sleep_ms(3000)
""")
    done(board)
    ticks = [int(tick) for tick in said(board, "tick")]
    assert ticks == pytest.approx([1000, 2000, 3000], abs=30)
    assert said(board, "once") == ["yes"]


def test_an_interrupt_waits_while_interrupts_are_off(make: Make) -> None:
    board = make("""
import machine, time
pin = machine.Pin(5, machine.Pin.IN, machine.Pin.PULL_UP)
pin.irq(lambda pin: print("edge:", time.time()), machine.Pin.IRQ_FALLING)
state = machine.disable_irq()
time.sleep(20)
print("before:", time.time())
machine.enable_irq(state)
time.sleep(1)
""")
    board.press(5, at=10_000)
    done(board)
    assert [line.text for line in board.lines] == ["before: 20", "edge: 20"]


def test_a_loop_that_never_waits_sees_a_pin_change(make: Make) -> None:
    board = make("""
from machine import Pin
pin = Pin(5, Pin.IN, Pin.PULL_UP)
print("ready: yes")
while pin.value():
    pass
print("low: yes")
""")
    board.wait_for(lambda: said(board, "ready"))
    board.set_pin(5, 0)
    done(board)
    assert said(board, "low") == ["yes"]


def test_a_pin_read_between_waits_is_as_the_world_has_it(make: Make) -> None:
    board = make("""
import time
from machine import Pin
pin, echo = Pin(5, Pin.IN, Pin.PULL_UP), Pin(6, Pin.OUT)
seen = []
for _ in range(20):
    time.sleep(1)
    echo.value(pin.value())
    seen.append(echo())
    echo.toggle()
    seen.append(echo())
print("seen:", seen)
""")
    for second in range(20):
        board.set_pin(5, second % 2, at=second * 1000 + 500)
    done(board)
    seen = eval(said(board, "seen")[0])
    changes = seen[::2]
    assert all(a != b for a, b in pairwise(changes))
    assert all(a != b for a, b in zip(seen[::2], seen[1::2], strict=True))
