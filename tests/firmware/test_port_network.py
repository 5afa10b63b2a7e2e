"""`network` on a simulated board: Wi-Fi that takes its time, fails, hangs, and an access point that can be cut off."""

import threading
from collections.abc import Iterator
from socket import create_server, socket

import pytest

from firmware.sim.board import AccessPoint, Board
from tests.firmware.bench import ONLINE, PASSWORD, SSID, Make, done, make, said
from tests.servers import eventually

__all__ = ["make"]

CONNECT = f"""
import network, time
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
def connect(ssid={SSID!r}, password={PASSWORD!r}, wait_ms=15000, **how):
    start = time.ticks_ms()
    wlan.connect(ssid, password, **how)
    while wlan.status() == network.STAT_CONNECTING and time.ticks_diff(time.ticks_ms(), start) < wait_ms:
        time.sleep_ms(10)
    print("status:", wlan.status(), time.ticks_diff(time.ticks_ms(), start))
"""


class Echo:
    """A TCP server that gives back what it hears."""

    def __init__(self) -> None:
        self._listener = create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard = b""
        self.ended = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket) -> None:
        with connection:
            try:
                while data := connection.recv(1000):
                    self.heard += data
                    connection.sendall(data)
            except OSError:
                pass
        self.ended += 1

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def statuses(board: Board) -> list[tuple[int, int]]:
    return [(int(code), int(ms)) for code, ms in (line.split() for line in said(board, "status"))]


def test_connecting_takes_as_long_as_it_was_measured_to(make: Make) -> None:
    board = make(
        CONNECT
        + """
print("before:", wlan.isconnected(), wlan.status(), wlan.ifconfig()[0])
connect()
print("here:", wlan.isconnected(), wlan.config("ssid"), wlan.config("channel"), wlan.status("rssi"), wlan.ifconfig()[0])
ip = wlan.ifconfig()
wlan.disconnect()
wlan.ifconfig(ip)
connect()
wlan.disconnect()
found = wlan.scan()
print("scan:", found)
connect(bssid=found[0][1])
wlan.disconnect()
wlan.config(channel=found[0][2])
connect()
"""
    )
    done(board)
    assert said(board, "before") == ["False 1000 0.0.0.0"]
    assert said(board, "here") == ["True home 6 -58 192.168.4.23"]
    (dhcp, dhcp_ms), (static, static_ms), (cached, cached_ms), (channel, channel_ms) = statuses(board)
    assert dhcp == static == cached == channel == 1010
    assert dhcp_ms == pytest.approx(1630, abs=60)
    assert static_ms == pytest.approx(730, abs=60)
    assert cached_ms == pytest.approx(330, abs=60)
    assert channel_ms == pytest.approx(330, abs=60)
    assert said(board, "scan")[0].startswith("[(b'home', b'\\x9c")


def test_what_is_wrong_is_said_once_it_has_given_up(make: Make) -> None:
    board = make(
        CONNECT
        + """
wlan.config(reconnects=0)
connect(password="wrong")
connect(ssid="elsewhere")
connect()
"""
    )
    done(board)
    assert [code for code, _ in statuses(board)] == [202, 201, 1010]


def test_while_it_tries_again_by_itself_it_only_says_connecting(make: Make) -> None:
    """As the ESP32 port does without `config(reconnects=n)`."""
    board = make(CONNECT + "connect(password='wrong', wait_ms=30000)")
    assert statuses(done(board))[0][0] == 1001


def test_a_lost_access_point_is_noticed_late_and_found_again(make: Make) -> None:
    board = make(
        CONNECT
        + """
connect()
was = True
while True:
    if wlan.isconnected() != was:
        was = not was
        print("link:", was)
    time.sleep_ms(100)
"""
    )
    board.at(20_000, board.away)
    board.at(60_000, board.back)
    board.run_until(80_000)
    changes = [(line.at_ms, line.text) for line in board.lines if line.text.startswith("link")]
    assert [text for _, text in changes] == ["link: False", "link: True"]
    assert changes[0][0] == pytest.approx(26_000, abs=500)
    assert 60_000 < changes[1][0] < 66_000


def test_a_hung_interface_is_mended_only_by_switching_it_off_and_on(make: Make) -> None:
    board = make(
        CONNECT
        + """
connect()
time.sleep(20)
connect()
wlan.disconnect()
connect()
wlan.active(False)
wlan.active(True)
connect()
"""
    )
    board.at(10_000, board.station.hang)
    done(board, 120_000)
    assert [code for code, _ in statuses(board)] == [1010, 1001, 1001, 1010]
    assert [state for _, state in board.energy] == ["boot", "wifi on", "wifi off", "wifi on", "wifi off"]


def test_the_stronger_of_several_networks_is_not_taken_for_another(make: Make) -> None:
    board = make(
        CONNECT + "connect('neighbour', 'other-password')\nprint('ssid:', wlan.config('ssid'), wlan.config('channel'))",
        lambda board: board.access_points.append(AccessPoint("neighbour", "other-password", bytes(6), 11, -70)),
    )
    assert said(done(board), "ssid") == ["neighbour 11"]


def test_without_wifi_no_name_is_found_and_with_it_the_named_one(make: Make, echo: Echo) -> None:
    script = (
        """
import socket
try:
    socket.getaddrinfo("gateway.local", 7, 0, socket.SOCK_STREAM)
except OSError as error:
    print("without:", error.errno)
"""
        + ONLINE
        + """
def talk(host, port):
    s = socket.socket()
    s.connect(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][-1])
    s.write(b"hello")
    print("echo:", s.read(5))
    s.close()
talk("gateway.local", 7)
address = socket.getaddrinfo("gateway.local", 0, 0, socket.SOCK_STREAM)[0][-1]
talk(".".join(str(b) for b in bytes(address)[4:8]), 7)
try:
    talk("gateway.local", 8)
except OSError as error:
    print("elsewhere:", error)
"""
    )
    board = make(script, lambda board: board.network.routes.update({("gateway.local", 7): ("127.0.0.1", echo.port)}))
    done(board)
    assert said(board, "without") == ["-202"]
    assert said(board, "echo") == ["b'hello'", "b'hello'"]
    assert len(said(board, "elsewhere")) == 1


TALKS = (
    ONLINE
    + """
async def main():
    while True:
        try:
            reader, writer = await asyncio.open_connection("echo", 7)
            print("connected:", time.time())
            n = 0
            while True:
                writer.write(b"%06d" % n)
                await writer.drain()
                got = await asyncio.wait_for(reader.readexactly(6), TIMEOUT)
                n += 1
                await asyncio.sleep(1)
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            print("lost:", time.time(), repr(error))
            await asyncio.sleep(5)
asyncio.run(main())
"""
)


def talker(make: Make, echo: Echo, timeout_s: int) -> Board:
    board = make(
        TALKS.replace("TIMEOUT", str(timeout_s)),
        lambda board: board.network.routes.update({("echo", 0): ("127.0.0.1", echo.port)}),
    )
    board.run_until(20_000)
    assert len(said(board, "connected")) == 1
    return board


def test_a_cut_line_resets_connections_and_refuses_new_ones(make: Make, echo: Echo) -> None:
    board = talker(make, echo, 10)
    board.network.cut()
    board.run_until(50_000)
    assert len(said(board, "lost")) >= 3
    eventually(lambda: echo.ended == 1)
    heard, tries = len(echo.heard), len(board.network.connects)
    assert tries == len(said(board, "connected"))
    board.network.mend()
    board.run_until(60_000)
    assert len(echo.heard) > heard
    assert len(said(board, "connected")) == tries + 1


def test_a_stalled_line_tells_nobody_and_loses_nothing(make: Make, echo: Echo) -> None:
    board = talker(make, echo, 100_000)
    before = len(echo.heard)
    board.network.stall()
    board.run_until(3_600_000)
    assert said(board, "lost") == []
    assert len(echo.heard) <= before + 6
    board.network.mend()

    def a_while_later() -> bool:
        # What was held back passes in real time, which the board's clock may jump over: so it goes on in small steps.
        board.run_until(board.time.now() + 1000)
        return len(echo.heard) > before + 60

    eventually(a_while_later)
    assert said(board, "lost") == []
    assert len(said(board, "connected")) == 1


def test_a_short_loss_of_the_access_point_leaves_tcp_connections_alone(make: Make, echo: Echo) -> None:
    board = talker(make, echo, 1000)
    board.away()
    board.run_until(40_000)
    board.back()
    board.run_until(100_000)
    assert said(board, "lost") == []
    assert len(board.station.connects) == 2


def test_switching_the_interface_off_ends_them(make: Make, echo: Echo) -> None:
    board = talker(make, echo, 1000)
    with board.time.lock:
        board.station.verb(["active", "0"])
    board.run_until(30_000)
    assert len(said(board, "lost")) >= 1


def test_a_line_that_flaps_does_so_on_the_boards_clock(make: Make, echo: Echo) -> None:
    board = talker(make, echo, 3)
    board.network.flap(up_ms=30_000, down_ms=5000, until_ms=370_000)
    board.run_until(400_000)
    assert 10 <= len(said(board, "connected")) <= 24


def test_the_time_server_tells_the_boards_true_time(make: Make) -> None:
    board = make(
        ONLINE
        + """
async def ask():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setblocking(False)
    s.connect(socket.getaddrinfo("pool.ntp.org", 123, 0, socket.SOCK_DGRAM)[0][-1])
    s.send(b"\\x23" + bytes(47))
    answer = await asyncio.wait_for(asyncio.StreamReader(s).read(48), 2)
    print("unix:", int.from_bytes(answer[40:44], "big") - 2208988800)
    s.close()
async def main():
    for _ in range(3):
        await ask()
        await asyncio.sleep(1000)
asyncio.run(main())
""",
        start_unix_ms=1_700_000_000_000,
    )
    done(board, 4_000_000)
    times = [int(unix) for unix in said(board, "unix")]
    assert times == pytest.approx([1_700_000_002, 1_700_001_002, 1_700_002_002], abs=2)


def test_what_the_device_serves_is_asked_through_a_port_of_this_machine(make: Make) -> None:
    from urllib.request import urlopen

    board = make("""
import asyncio, network
ap = network.WLAN(network.AP_IF)
ap.config(essid="kanhu-setup", password="from-the-label", authmode=network.AUTH_WPA2_PSK)
ap.active(True)
async def serve(reader, writer):
    while await reader.readline() not in (b"\\r\\n", b""):
        pass
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\nhello " + ap.config("essid").encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
async def main():
    await asyncio.start_server(serve, "0.0.0.0", 80)
    print("serving: yes")
    await asyncio.sleep(600)
asyncio.run(main())
""")
    board.wait_for(lambda: said(board, "serving"))
    with urlopen(f"http://127.0.0.1:{board.network.served[80]}/", timeout=10) as answer:
        assert answer.read() == b"hello kanhu-setup"
