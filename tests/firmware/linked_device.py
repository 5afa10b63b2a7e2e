"""A device of nothing but outbox and link, for MicroPython: it does what its standard input says and prints what happens.

argv: folder that outlives it, JSON settings {"port", "password", "tls", "ca", "ntp"}. Lines: `run`, `data N`, `event`,
`upload MS`, `depth`, `counters`.
"""

import asyncio
import gc
import json
import select
import sys
import time

from app import message, rtc_memory
from app.clock import Clock
from app.link import Link
from app.outbox import Outbox
from app.wifi import Wifi

FOLDER, GIVEN = sys.argv[1], json.loads(sys.argv[2])


class Nvs:
    """Outlives a power cut in a file."""

    def __init__(self):
        try:
            with open(FOLDER + "/nvs") as file:
                self.values = json.load(file)
        except OSError:
            self.values = {}

    def _get(self, key):
        if key not in self.values:
            raise OSError(-4354)
        return self.values[key]

    def get_i32(self, key):
        return self._get(key)

    def get_blob(self, key, buffer):
        data = bytes.fromhex(self._get(key))
        buffer[: len(data)] = data
        return len(data)

    def set_i32(self, key, value):
        self.values[key] = value

    def set_blob(self, key, value):
        self.values[key] = bytes(value).hex()

    def erase_key(self, key):
        self._get(key)
        del self.values[key]

    def commit(self):
        with open(FOLDER + "/nvs", "w") as file:
            json.dump(self.values, file)


class Memory:
    """RTC memory, gone with the process: each end is a power cut."""

    def __init__(self):
        self.data = b""

    def __call__(self, data=None):
        if data is None:
            return self.data
        self.data = bytes(data)
        return None


class Network:
    """Wi-Fi that is always there."""

    STA_IF = 0

    def WLAN(self, interface):
        return self

    def isconnected(self):
        return True

    def active(self, on=None):
        return True

    def disconnect(self):
        pass

    def config(self, what=None, **settings):
        return 6

    def ifconfig(self, address=None):
        return ("127.0.0.1",) * 4


async def main():
    gc.collect()
    gc.threshold(
        2048,
    )  # as in `app.main`
    memory = Memory()
    nvs = Nvs()
    clock = Clock(rtc_memory.Region(memory, *rtc_memory.CLOCK), 1700000000, False, nvs)
    if not GIVEN.get("ntp"):
        clock.set(time.time_ns() // 1000000, "ntp", 5)
    outbox = Outbox(FOLDER + "/outbox", rtc_memory.Region(memory, *rtc_memory.STAGE), nvs, False)
    settings = {"site": "s", "device": "d0", "ntp": GIVEN.get("ntp", [])}
    settings["broker"] = {
        "host": "127.0.0.1",
        "port": GIVEN["port"],
        "tls": GIVEN.get("tls", False),
        "ca": GIVEN.get("ca", ""),
        "cert": "",
        "key": "",
        "user": "s/d0",
        "password": GIVEN["password"],
        "keepalive_s": 10,
    }
    link = Link(
        settings,
        Wifi([], None, Network()),
        clock,
        outbox,
        lambda: {"firmware": "linked 1.0", "cadence": 60},
        lambda version, values: print("config", json.dumps([version, values])),
        lambda command: print("command", command["name"]),
        lambda freed: [print("freed", seq, rejected, outbox.depth()[2]) for _, seq, rejected in freed],
    )
    link.on_online = lambda: print("online")
    print("boot", outbox.boot, "next", outbox.oldest()[-1][1])
    value = 0
    tasks = []
    ask = select.poll()
    ask.register(sys.stdin, select.POLLIN)
    while True:
        while not ask.poll(0):
            await asyncio.sleep_ms(10)
        words = sys.stdin.readline().split()
        if not words:
            return
        if words[0] == "run":
            tasks.append(asyncio.create_task(link.run()))
        elif words[0] == "upload":
            print("uploaded", await link.upload(int(words[1])))
        elif words[0] == "data":
            for _ in range(int(words[1])):
                value += 1
                stamp = clock.stamp()
                # A millisecond each: no two readings at one instant.
                stamp = (stamp[0] + value, stamp[1] + value if stamp[1] else 0, stamp[2], stamp[3])
                seq = outbox.put(2, stamp, message.body([("temperature", value / 8), ("humidity", 45)]))
                print("put", seq, stamp[1], value)
                link.poke()
                if value % 50 == 0:
                    await asyncio.sleep_ms(0)
        elif words[0] == "event":
            print("event", outbox.put(0, clock.stamp(), message.body([("sos", True)])))
            link.poke()
        elif words[0] == "depth":
            print("depth", outbox.depth())
        elif words[0] == "counters":
            print("counters", json.dumps(link.counters))


asyncio.run(main())
