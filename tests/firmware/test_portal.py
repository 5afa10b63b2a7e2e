"""The set-up page against telephones, and against those who would break it: under real MicroPython on a simulated board."""

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from app import portal

from firmware.sim.board import Board
from tests.servers import eventually
from tests.web import ask

SCRIPT = """
import asyncio
from app import portal
def take(fields):
    print("took:", sorted(fields))
    return [] if fields.get("code") == "right" else ["that is <wrong>"]
async def main():
    page = portal.Portal(take, {"host": "gateway.lan"}, ["home", "<b>"], "because")
    print("taken:", await page.open(seconds=%d))
asyncio.run(main())
"""


@pytest.fixture
def board(tmp_path: Path, micropython: str) -> Iterator[Board]:
    made = Board(tmp_path / "board", script=SCRIPT % 600, mode="real").start()
    yield made
    made.stop()


def address(board: Board) -> str:
    eventually(lambda: {80, 53} <= board.network.served.keys(), 10, "the portal")
    url = f"http://127.0.0.1:{board.network.served[80]}/"

    def answers() -> bool:
        try:
            return ask(url).status == 200
        except OSError:
            return False

    eventually(answers, 10, "an answer")
    return url


def raw(board: Board, sent: bytes) -> bytes:
    """What comes back for these bytes until the device closes."""
    with socket.create_connection(("127.0.0.1", board.network.served[80]), 15) as connection:
        connection.sendall(sent)
        found = b""
        with suppress(ConnectionResetError):  # a device that closes before it has read everything
            while more := connection.recv(4096):
                found += more
        return found


def test_every_page_leads_to_ours_so_that_a_telephone_opens_it(board: Board) -> None:
    url = address(board)
    for path in ("generate_204", "hotspot-detect.html", "connecttest.txt", "x?y=z"):
        answer = ask(url + path)
        assert (answer.status, answer.headers["location"]) == (302, "http://192.168.4.1/")
    first = ask(url)
    assert "because" in first.text and 'value="gateway.lan"' in first.text and "&lt;b&gt;" in first.text
    assert first.headers["cache-control"] == "no-store"


def test_what_is_wrong_is_told_and_what_is_right_closes_the_portal(board: Board) -> None:
    url = address(board)
    assert "that is &lt;wrong&gt;" in ask(url, {"code": "no", "wifi_password": "geheim123"}).text
    again = ask(url).text
    assert "geheim123" not in again
    assert "已保存" in ask(url, {"code": "right"}).text
    eventually(lambda: "taken: True" in board.log, 5, "the end")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 5000 + b"\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na=%", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\na=%ff%", b"400"),
        (b"DELETE / HTTP/1.1\r\n\r\n", b"405"),
        (b"\r\n\r\n", b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b""),
    ],
)
def test_what_no_browser_sends_is_answered_shortly_and_the_portal_goes_on(board: Board, sent: bytes, status: bytes) -> None:
    url = address(board)
    answer = raw(board, sent)
    assert not answer or answer.split(b" ")[1] == status
    assert ask(url).status == 200
    assert board.halted is None


def test_connections_that_say_nothing_do_not_keep_others_out_for_ever(board: Board) -> None:
    url = address(board)
    idle = [socket.create_connection(("127.0.0.1", board.network.served[80]), 5) for _ in range(12)]
    eventually(lambda: _is_served(url), 25, "an answer although twelve connections are open")
    for connection in idle:
        connection.close()


def _is_served(url: str) -> bool:
    try:
        return ask(url).status == 200
    except OSError:
        return False


def test_every_name_is_answered_with_the_devices_address(board: Board) -> None:
    address(board)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as telephone:
        telephone.settimeout(5)
        for junk in (b"", b"x", b"\x00" * 40, question("a" * 63)[:-3], bytes(12) + b"\xc0\x0c" * 10):
            telephone.sendto(junk, ("127.0.0.1", board.network.served[53]))
        telephone.sendto(question("connectivitycheck.gstatic.com"), ("127.0.0.1", board.network.served[53]))
        answer = telephone.recv(512)
    assert answer[:2] == b"\x12\x34" and answer[-4:] == bytes([192, 168, 4, 1])


def question(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00" + struct.pack("!HH", kind, 1)


def test_an_answer_to_a_name_is_one_that_every_resolver_reads() -> None:
    asked = question("captive.apple.com")
    answer = portal.named(asked, "192.168.4.1")
    flags, questions, answers = struct.unpack("!HHH", answer[2:8])
    assert (flags & 0x8000, flags & 0xF, questions, answers) == (0x8000, 0, 1, 1)
    assert answer[12 : len(asked)] == asked[12:]
    assert answer[len(asked) : len(asked) + 2] == b"\xc0\x0c"
    # IPv6: there is none, but no error either, or a telephone gives up.
    none = portal.named(question("captive.apple.com", 28), "192.168.4.1")
    assert struct.unpack("!HHH", none[2:8])[1:] == (1, 0) and none[3] & 0xF == 0
    assert portal.named(answer, "192.168.4.1") is None


def test_the_portal_closes_by_itself(tmp_path: Path, micropython: str) -> None:
    with Board(tmp_path / "board", script=SCRIPT % portal.OPEN_S, mode="virtual") as board:
        board.start()
        board.wait_for(lambda: "taken:" in board.log, 700_000, what="ten minutes")
        closed = next(line for line in board.lines if line.text == "taken: False")
        assert 600_000 <= closed.at_ms <= 605_000


def test_a_device_that_only_moves_home_is_set_up_again_by_switching_it_on_four_times(tmp_path: Path, micropython: str) -> None:
    from operations.firmware import build
    from tests.firmware.test_set_up_and_update import board as flashed
    from tests.firmware.test_set_up_and_update import page

    settings = {
        "site": "yunhe",
        "device": "home-7",
        "model": "elder_home",
        "wifi": [{"ssid": "old home", "password": "kanhukanhu"}],
        "broker": {"host": "127.0.0.1", "password": "mine"},
    }
    built = build.build("elder_home", "1.0.0", tmp_path / "build")
    with flashed(tmp_path, built, **{"/settings.json": json.dumps(settings).encode()}) as device:
        device.start()
        for _ in range(3):
            eventually(lambda: "info" in device.log or "warning" in device.log, 15, "a start")
            assert not device.soft_ap.active
            device.lines.clear()
            device.power_cut()
        assert "old home" not in page(device)
        assert "Saved" in page(device, ssid="home", wifi_password="kanhukanhu", host="127.0.0.1", port="1883", code="")
        eventually(lambda: len(device.resets) >= 5, 15, "the start with the new network")
        device.stop()
        kept = json.loads(device.flash.read("/settings.json"))
    assert kept["wifi"] == [{"ssid": "home", "password": "kanhukanhu"}]
    assert (kept["device"], kept["broker"]["password"]) == ("home-7", "mine")
