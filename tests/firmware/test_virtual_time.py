"""On a simulated board time is jumped over while the firmware waits, and never over something that happens."""

import contextlib
import socket
import threading
import time

import pytest

from tests.firmware.bench import ONLINE, Make, done, make, said
from tests.servers import Mosquitto

__all__ = ["make"]
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def test_a_day_of_waiting_takes_no_day(make: Make) -> None:
    began = time.monotonic()
    board = make("""
import asyncio, time
async def main():
    start = time.ticks_ms()
    for hour in range(24):
        await asyncio.sleep(3600)
    print("slept:", time.ticks_diff(time.ticks_ms(), start))
asyncio.run(main())
""")
    done(board, 2 * DAY_MS)
    assert time.monotonic() - began < 10
    assert int(said(board, "slept")[0]) == pytest.approx(DAY_MS, abs=1000)
    assert board.now_ms() == pytest.approx(DAY_MS, abs=2000)


def test_blocking_sleeps_are_jumped_over_as_well(make: Make) -> None:
    board = make("import time; t = time.time(); time.sleep(3600); time.sleep_ms(60000); print('slept:', time.time() - t)")
    assert int(said(done(board, DAY_MS), "slept")[0]) == pytest.approx(3660, abs=1)


def test_a_press_is_felt_at_its_time_however_long_the_firmware_meant_to_sleep(make: Make) -> None:
    board = make("""
import asyncio, machine, time
started = time.ticks_ms()
pin = machine.Pin(5, machine.Pin.IN, machine.Pin.PULL_UP)
pin.irq(lambda pin: print("edge:", pin.value()))
async def main():
    await asyncio.sleep(86400)
asyncio.run(main())
""")
    board.press(5, ms=150, at=7 * HOUR_MS)
    board.press(5, ms=150, at=9 * HOUR_MS)
    board.run_until(10 * HOUR_MS)
    edges = [(line.at_ms, line.text) for line in board.lines]
    assert [text for _, text in edges] == ["edge: 0", "edge: 1", "edge: 0", "edge: 1"]
    for (at_ms, _), wanted in zip(edges, (7 * HOUR_MS, 7 * HOUR_MS + 150, 9 * HOUR_MS, 9 * HOUR_MS + 150), strict=True):
        assert at_ms == pytest.approx(wanted, abs=40)


def test_an_interrupt_wakes_a_task_that_waits_for_a_flag(make: Make) -> None:
    board = make("""
import asyncio, machine, time
flag = asyncio.ThreadSafeFlag()
machine.Pin(5, machine.Pin.IN, machine.Pin.PULL_UP).irq(lambda pin: flag.set(), machine.Pin.IRQ_FALLING)
async def main():
    await flag.wait()
    print("woken: yes")
asyncio.run(main())
""")
    board.press(5, at=HOUR_MS)
    done(board, 2 * HOUR_MS)
    assert said(board, "woken") == ["yes"]
    assert board.now_ms() == pytest.approx(HOUR_MS, abs=100)


def test_time_stops_where_the_test_wants_it(make: Make) -> None:
    board = make("""
import asyncio
async def main():
    n = 0
    while True:
        await asyncio.sleep(60)
        n += 1
        print("minute:", n)
asyncio.run(main())
""")
    board.run_until(10 * 60_000 + 30_000)
    time.sleep(0.1)
    assert said(board, "minute")[-1] == "10"
    board.wait_for(lambda: "minute: 17" in board.log, HOUR_MS)
    time.sleep(0.1)
    assert said(board, "minute")[-1] == "17"


def test_what_does_not_come_about_is_told_with_the_log(make: Make) -> None:
    board = make("import time; print('here I am'); time.sleep(100000)")
    with pytest.raises(AssertionError, match=r"(?s)not within 5000 ms: a wonder.*here I am"):
        board.wait_for(lambda: False, 5000, what="a wonder")


def test_a_fault_of_the_simulation_reaches_the_test(make: Make) -> None:
    board = make("import machine; machine.ADC(machine.Pin(34)).read_uv()", lambda board: board.adc(34, lambda: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        board.wait_for(lambda: False, 60_000)


def test_an_answer_from_the_network_is_waited_for_in_real_time(make: Make) -> None:
    """Ten answers that take 40 ms each, and a device that gives up after a second of its own time."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ConnectionResetError):
            while data := connection.recv(100):
                time.sleep(0.04)
                connection.sendall(data.upper())

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        script = """
async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    for i in range(10):
        await asyncio.sleep(600)
        writer.write(b"a")
        await writer.drain()
        print("got:", await asyncio.wait_for(reader.read(1), 1))
asyncio.run(main())
"""
        board = make(ONLINE + script.replace("PORT", str(listener.getsockname()[1])))
        assert said(done(board, 3 * HOUR_MS), "got") == ["b'A'"] * 10


def test_the_world_may_ask_for_time_to_work(make: Make) -> None:
    board = make("import time; time.sleep(86400)")
    board.time.busy = lambda: True
    before = board.now_ms()
    with pytest.raises(TimeoutError):
        board.run_for(HOUR_MS, real_s=0.2)
    assert board.now_ms() - before < 2000
    board.time.busy = lambda: False
    board.run_for(HOUR_MS)


def test_in_real_time_nothing_is_jumped_over_and_interrupts_are_at_once(make: Make) -> None:
    board = make(
        """
import asyncio, machine, time
pin = machine.Pin(5, machine.Pin.IN, machine.Pin.PULL_UP)
pin.irq(lambda pin: print("edge:", pin.value()))
start = time.ticks_ms()
async def main():
    await asyncio.sleep_ms(400)
asyncio.run(main())
print("slept:", time.ticks_diff(time.ticks_ms(), start))
""",
        mode="real",
    )
    board.wait_for(lambda: board.pins.irq_set(5), 5000)
    board.press(5, ms=50)
    board.wait_for(lambda: board.log.count("edge") == 2, 300)
    done(board)
    assert 400 <= int(said(board, "slept")[0]) < 600


@pytest.mark.slow
def test_a_week_with_a_message_every_five_minutes_takes_less_than_two_minutes(make: Make, mosquitto: Mosquitto) -> None:
    """A watchdog fed each second and a ping each 55 s beside it: what an always-on device does."""
    script = """
import machine
wdt = machine.WDT(timeout=30000)
acks = 0
async def feed():
    while True:
        wdt.feed()
        await asyncio.sleep_ms(1000)
async def reader(stream):
    global acks
    while True:
        head = await stream.readexactly(2)
        await stream.readexactly(head[1])
        if head[0] == 0x40:
            acks += 1
async def ping(stream):
    while True:
        await asyncio.sleep(55)
        stream.write(b"\\xc0\\x00")
        await stream.drain()
def text(word):
    return bytes([0, len(word)]) + word
async def main():
    stream, _ = await asyncio.open_connection("broker", 1883)
    hello = text(b"MQTT") + b"\\x04\\xc2\\x00\\x3c" + text(b"week") + text(b"test") + text(b"PASSWORD")
    stream.write(bytes([0x10, len(hello)]) + hello)
    await stream.drain()
    print("connack:", await stream.readexactly(4))
    for task in (feed(), reader(stream), ping(stream)):
        asyncio.create_task(task)
    for n in range(1, 2017):
        packet = text(b"week") + bytes([n >> 8, n & 255]) + b"message %d" % n
        stream.write(bytes([0x32, len(packet)]) + packet)
        await stream.drain()
        await asyncio.sleep(300)
        if acks != n:
            print("missing:", n - acks)
    print("acks:", acks)
asyncio.run(main())
"""
    board = make(ONLINE + script.replace("PASSWORD", mosquitto.passwords["test"]))
    board.network.routes["broker", 0] = ("127.0.0.1", mosquitto.plain_port)
    began = time.monotonic()
    board.run_for(7 * DAY_MS + 10_000, real_s=110)
    assert said(board, "acks") == ["2016"], board.log[-2000:]
    assert said(board, "missing") == []
    assert [reset.cause for reset in board.resets] == ["PWRON"]
    assert time.monotonic() - began < 110


def test_every_line_is_heard_in_its_order_also_while_time_flies(make: Make) -> None:
    board = make("import time\nfor n in range(5000):\n    print('n', n)\n    time.sleep_ms(1 + n % 7)")
    done(board)
    assert [line.text for line in board.lines] == [f"n {n}" for n in range(5000)]
    times = [line.at_ms for line in board.lines]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 4999 * 3
