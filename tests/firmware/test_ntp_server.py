"""Asking a time server over real UDP, in real MicroPython."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.firmware.conftest import Run

ASK = """
import asyncio, sys, time
from app import ntp
async def main():
    try:
        unix_ms, err_ms = await ntp.query("127.0.0.1", 300, int(sys.argv[1]))
        print("off", unix_ms - time.time_ns() // 1000000, "err", err_ms)
    except ntp.Failed as error:
        print("Failed", error)
asyncio.run(main())
"""
Answer = Callable[[bytes], list[bytes]]


def answer(question: bytes, nonce: bytes | None = None) -> bytes:
    seconds, fraction = divmod(time.time_ns() + 2_208_988_800 * 10**9, 10**9)
    now = struct.pack("!II", seconds, (fraction << 32) // 10**9)
    return b"\x24\x02\x00\x00" + bytes(20) + (nonce or question[40:48]) + now + now


@contextmanager
def server(answers: Answer) -> Iterator[int]:
    """A server that sends these datagrams for a question; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))
        channel.settimeout(10)

        def serve() -> None:
            question, client = channel.recvfrom(100)
            for datagram in answers(question):
                channel.sendto(datagram, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield channel.getsockname()[1]
        thread.join()


def test_the_time_is_right_within_its_error(upy: Run) -> None:
    with server(lambda question: [answer(question)]) as port:
        words = upy(ASK, str(port)).stdout.split()
    assert words[0] == "off" and abs(int(words[1])) <= int(words[3]) + 2 and int(words[3]) < 100


def test_forged_answers_are_passed_over(upy: Run) -> None:
    with server(lambda question: [answer(question, bytes(8)), b"", b"x", answer(question)]) as port:
        assert upy(ASK, str(port)).stdout.startswith("off")


def test_silence_ends_in_time(upy: Run) -> None:
    with server(lambda question: []) as port:
        assert "no answer within 300 ms" in upy(ASK, str(port)).stdout


def test_nobody_there_is_a_failure(upy: Run) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert upy(ASK, str(port)).stdout.startswith("Failed")
