"""Runs in MicroPython: the real driver on a serial port, one command a line on stdin, one JSON answer a line on stdout.

poll               cards in the field: [[sak, uid], ...]
read               what each card proves: [[text, grade], ...], or ["error"]
exchange HEX       an APDU for the first card found last
stats              {resets, resent, bad_frames}
"""

import asyncio
import json
import select
import sys
import time

from app.sensors import cards
from app.sensors.pn532 import PN532, CardError, Silent


class Uart:
    """A serial port read without waiting, as a machine.UART with timeout 0."""

    def __init__(self, path):
        self._file = open(path, "r+b")  # noqa: SIM115 (for as long as the process)
        self._ears = select.poll()
        self._ears.register(self._file, select.POLLIN)

    def write(self, data):
        self._file.write(data)

    def read(self, size):
        data = b""
        while len(data) < size and self._ears.poll(0):
            more = self._file.read(1)
            if not more:
                break
            data += more
        return data or None


class Line:
    def __init__(self, path):
        self._file = open(path, "r+b")  # noqa: SIM115

    def value(self, level):
        self._file.write(b"1" if level else b"0")


async def obey(reader, found, words):
    if words[0] == "poll":
        found[:] = await reader.poll()
        return [[target.sak, target.uid.hex()] for target in found]
    if words[0] == "read":
        found[:] = await reader.poll()
        texts = []
        for target in found:
            try:
                texts.append(await cards.read(reader, target))
            except CardError as error:
                texts.append(["error", str(error)])
        return texts
    if words[0] == "exchange":
        return (await reader.exchange(found[0], bytes.fromhex(words[1]), again=False)).hex()
    return {"resets": reader.resets, "resent": reader.resent, "bad_frames": reader.bad_frames}


def main(path, reset_path):
    reader = PN532(Uart(path), Line(reset_path))
    found = []
    while True:
        words = sys.stdin.readline().split()
        if not words:
            return
        began = time.ticks_ms()
        try:
            answer = asyncio.run(obey(reader, found, words))
        except (Silent, CardError) as error:
            answer = [type(error).__name__, str(error)]
        asyncio.new_event_loop()
        print(json.dumps([time.ticks_diff(time.ticks_ms(), began), answer]))


main(*sys.argv[1:])
