"""The rules of the contract, with a broker, a Wi-Fi and a clock under our hand."""

import asyncio
import json

from app import message, mqtt
from app.link import Link
from scaffold import run

SETTINGS = {
    "site": "s",
    "device": "d",
    "ntp": [],
    "broker": {"host": "h", "port": 1883, "tls": False, "user": "s/d", "password": "p", "keepalive_s": 30},
}
UP, DOWN = "kanhu/1/s/d/up/", "kanhu/1/s/d/down/"
EVENT, LOSS, DATA = 0, 1, 2


class Clock:
    def __init__(self):
        self.up = 1000
        self.source = "ntp"

    def uptime_ms(self):
        return self.up

    def stamp(self):
        unix = 0 if self.source == "none" else 1780000000000 + self.up
        return self.up, unix, self.source, -1 if self.source == "none" else 5

    def age_ms(self):
        return 0

    def err_ms(self):
        return 5


class Outbox:
    """In RAM, with the rules of the real one."""

    def __init__(self, boot=17):
        self.boot = boot
        self.next = 1
        self.held = {}  # (boot, seq) -> (lane, message)
        self.bulk = 0  # readings 1..bulk, made only when they are asked for

    def put(self, lane, stamp, body):
        key = (self.boot, self.next)
        self.held[key] = (lane, message.head(key[0], key[1], stamp) + body)
        self.next += 1
        return key[1]

    def batch(self, limit, skip):
        keys = sorted([(self.held[key][0], key) for key in self.held if key not in skip])
        found = [(lane, key[0], key[1], self.held[key][1]) for lane, key in keys[:limit]]
        seq = 1
        while len(found) < limit and seq <= self.bulk:
            if (self.boot, seq) not in skip:
                made = message.head(self.boot, seq, (0, 0, "none", -1)) + b'"n":"co2","v":1}]'
                found.append((DATA, self.boot, seq, made))
            seq += 1
        return found

    def receipt(self, boot, upto, events, rejected):
        named = set(events + rejected)
        gone = [key for key in self.held if key[0] == boot and (key[1] <= upto or key[1] in named)]
        return [(boot, key[1], key[1] in rejected) for key in gone if self.held.pop(key)[0] == EVENT]

    def oldest(self):
        return [(self.boot, min([key[1] for key in self.held] or [self.next]))]

    def depth(self):
        lanes = [lane for lane, _ in self.held.values()]
        return lanes.count(EVENT), lanes.count(LOSS), lanes.count(DATA)


class Wifi:
    def __init__(self):
        self.up = True
        self.calls = []

    def connected(self):
        return self.up

    async def connect(self, beat, fast=False):
        self.calls.append("fast" if fast else "connect")
        if not self.up:
            raise OSError("no access point")

    async def reopen(self):
        self.calls.append("reopen")

    async def off(self):
        self.calls.append("off")

    def keep(self, host):
        pass

    def recall(self, host):
        pass

    def forget(self):
        pass


class Broker:
    """What was published, and the clients; `holds` answers nothing, `refuses` lets nobody in."""

    def __init__(self):
        self.said = []  # (topic, payload)
        self.clients = []
        self.holds = False
        self.refuses = ""
        self.remembers = True

    def messages(self):
        return [(topic, json.loads(payload)) for topic, payload in self.said]

    def seqs(self, channel="data"):
        return [found[0]["seq"] for topic, found in self.messages() if topic == UP + channel]

    def births(self):
        return [found for topic, found in self.messages() if topic == UP + "status"]

    def say(self, channel, payload):
        payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.clients[-1].on_message(DOWN + channel, payload)

    def cut(self):
        self.clients[-1].dead = "cut"
        self.clients[-1].on_dead()


class Client:
    def __init__(self, broker, will):
        self.broker, self.will = broker, will
        self.dead = ""
        self.oversize = 0
        self.closed = False
        self.topics = []
        broker.clients.append(self)

    async def connect(self):
        if self.broker.refuses:
            raise mqtt.Failed(self.broker.refuses)
        return self.broker.remembers

    async def subscribe(self, topics):
        self.topics = topics
        self.broker.said.append(("subscribe", b"{}"))

    async def publish(self, topic, payload, qos=1, retain=False):
        assert retain and qos == 1
        self.broker.said.append((topic, payload))

    async def enqueue(self, topic, payload, token, retain=False):
        while self.broker.holds:
            await asyncio.sleep(0.001)
        if self.dead:
            raise mqtt.Failed(self.dead)
        self.broker.said.append((topic, payload))
        self.on_ack(token)
        await asyncio.sleep(0)

    async def close(self):
        self.closed = True


class Rig:
    def __init__(self, **settings):
        self.clock, self.outbox, self.wifi, self.broker = Clock(), Outbox(), Wifi(), Broker()
        self.configs, self.commands, self.freed, self.beats, self.given_up = [], [], [], [], []
        self.link = Link(
            SETTINGS,
            self.wifi,
            self.clock,
            self.outbox,
            lambda: {"firmware": "t 1", "cadence": 60},
            lambda version, values: self.configs.append((version, values)),
            self.commands.append,
            self.freed.append,
            lambda: 0,
            give_up=self.given_up.append,
            **settings,
        )
        self.link._client = self._client

    def _client(self):
        client = Client(self.broker, self.outbox.boot)
        client.on_message, client.on_ack = self.link._received, self.link._flight.acknowledged
        client.on_dead = self.link._wake.set
        return client

    def put(self, lane=DATA, n=1):
        for _ in range(n):
            seq = self.outbox.put(lane, self.clock.stamp(), message.body([("sos" if lane == EVENT else "co2", 1)]))
        self.link.poke()
        return seq

    async def until(self, condition, what=""):
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0.002)
        raise AssertionError("in vain: %s %s" % (what, self.broker.said[-3:]))

    async def rest(self):
        """Until nothing more happens by itself."""
        last = -1
        while last != len(self.broker.said):
            last = len(self.broker.said)
            await asyncio.sleep(0.02)

    def go(self, ms):
        self.clock.up += ms
        self.link._wake.set()


def linked(test, prepare=None, **settings):
    """Run `test(rig)` beside the link."""

    async def main():
        rig = Rig(**settings)
        if prepare is not None:
            prepare(rig)
        task = asyncio.create_task(rig.link.run(lambda: rig.beats.append(1)))
        try:
            await test(rig)
        finally:
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass

    run(main())


def test_the_birth_comes_first_then_subscribing_then_events_losses_and_readings():
    def prepare(rig):
        rig.put(DATA)
        rig.put(LOSS)
        rig.put(EVENT)

    async def test(rig):
        await rig.rest()
        said = rig.broker.messages()
        assert [topic for topic, _ in said] == [UP + "status", "subscribe", UP + "event", UP + "data", UP + "data"]
        assert [found[0]["seq"] for _, found in said[2:]] == [3, 2, 1]
        birth = said[0][1]
        assert birth["oldest"] == [[17, 1]] and birth["firmware"] == "t 1" and birth["online"] is True
        assert rig.broker.clients[0].topics == [DOWN + "receipt", DOWN + "config", DOWN + "command"]
        assert rig.link.online

    linked(test, prepare)


def test_no_more_than_64_readings_wait_for_their_receipt_but_an_event_passes():
    async def test(rig):
        rig.put(DATA, 100)
        await rig.rest()
        assert rig.broker.seqs() == list(range(1, 65))
        seq = rig.put(EVENT)
        await rig.rest()
        assert rig.broker.seqs("event") == [seq]
        rig.broker.say("receipt", {"boot": 17, "upto": 30, "events": [seq]})
        await rig.rest()
        assert rig.broker.seqs() == list(range(1, 95))
        assert rig.freed == [[(17, seq, False)]]

    linked(test)


def test_an_event_put_amid_a_backlog_of_thousands_leaves_next():
    async def test(rig):
        await rig.until(lambda: rig.link.online)
        rig.broker.holds = True
        rig.outbox.bulk = 3000
        rig.outbox.next = 3001
        rig.link.poke()
        await rig.rest()
        seq = rig.put(EVENT)
        rig.broker.holds = False
        await rig.until(lambda: rig.broker.seqs("event") == [seq])
        sent = [found[0]["seq"] for topic, found in rig.broker.messages() if topic in (UP + "data", UP + "event")]
        assert sent.index(seq) <= 1  # after the one that was being written

    linked(test)


def test_what_is_not_receipted_is_sent_again_with_the_same_bytes():
    async def test(rig):
        rig.put()
        await rig.rest()
        first = rig.broker.said[-1]
        rig.go(29000)
        await rig.rest()
        assert rig.broker.seqs() == [1]
        for wait, times in ((2000, 2), (59000, 2), (2000, 3)):
            rig.go(wait)
            await rig.rest()
            assert rig.broker.seqs() == [1] * times, (wait, times)
        assert rig.broker.said[-1] == first and rig.link.counters["resent"] == 2
        rig.broker.say("receipt", {"boot": 17, "upto": 1})
        rig.go(1000000)
        await rig.rest()
        assert rig.broker.seqs() == [1] * 3

    linked(test)


def test_after_a_new_connection_the_birth_comes_again_and_what_the_broker_has_is_not_repeated():
    async def test(rig):
        rig.put()
        await rig.rest()
        rig.broker.cut()
        await rig.until(lambda: not rig.link.online)
        rig.put()
        rig.go(5000)
        await rig.until(lambda: rig.broker.seqs() == [1, 2])
        assert len(rig.broker.births()) == 2 and rig.broker.clients[0].closed
        assert rig.link.counters["drops"] == 1 and rig.link.counters["connects"] == 2

    linked(test)


def test_a_broker_that_lost_its_memory_gets_at_once_what_it_had_acknowledged():
    async def test(rig):
        rig.put()
        await rig.rest()
        rig.broker.remembers = False
        rig.broker.cut()
        rig.go(5000)
        await rig.until(lambda: rig.broker.seqs() == [1, 1])

    linked(test)


class Time:
    """A timekeeper; remembers how many connections there had been when it was asked."""

    def __init__(self, broker):
        self.broker, self.asked, self.wanted = broker, [], True

    def due(self):
        return self.wanted

    async def ask(self, beat):
        self.wanted = False
        self.asked.append(len(self.broker.clients))

    def doubt(self):
        self.wanted = True

    def tend(self):
        pass

    def stop(self):
        pass


def test_the_time_is_asked_before_tls_and_again_when_a_certificate_is_not_valid():
    def prepare(rig):
        rig.link._time = Time(rig.broker)
        rig.link._broker = dict(rig.link._broker, tls=True)
        rig.broker.refuses = "write: ValueError The certificate validity starts in the future"

    async def test(rig):
        await rig.rest()
        rig.go(5000)
        await rig.until(lambda: len(rig.broker.clients) == 2)
        assert rig.link._time.asked == [0, 1]
        rig.broker.refuses = "no connection"
        rig.go(10000)
        await rig.until(lambda: len(rig.broker.clients) == 3)
        rig.go(20000)
        await rig.until(lambda: len(rig.broker.clients) == 4)
        assert rig.link._time.asked == [0, 1, 2]

    linked(test, prepare)


def test_when_upto_falls_the_birth_is_written_again_and_everything_sent_again():
    async def test(rig):
        rig.put(DATA, 4)
        await rig.rest()
        rig.broker.say("receipt", {"boot": 17, "upto": 2})
        await rig.rest()
        assert len(rig.broker.births()) == 1
        rig.broker.say("receipt", {"boot": 17, "upto": 0})
        rig.go(10000)
        await rig.rest()
        assert [birth["oldest"] for birth in rig.broker.births()] == [[[17, 1]], [[17, 3]]]
        assert rig.broker.seqs() == [1, 2, 3, 4, 3, 4]

    linked(test)


def test_a_clock_that_becomes_known_is_told_with_a_new_birth():
    def prepare(rig):
        rig.clock.source = "none"

    async def test(rig):
        await rig.rest()
        assert "time" not in rig.broker.births()[0]
        rig.clock.source = "gnss"
        rig.go(10000)
        await rig.rest()
        assert rig.broker.births()[1]["clk"] == "gnss" and "time" in rig.broker.births()[1]
        assert len(rig.broker.births()) == 2

    linked(test, prepare)


def test_news_of_the_settings_are_announced():
    async def test(rig):
        await rig.rest()
        rig.link.announce()
        rig.go(10000)
        await rig.rest()
        assert len(rig.broker.births()) == 2

    linked(test)


def test_settings_and_commands_reach_who_takes_them_and_nonsense_nobody():
    async def test(rig):
        await rig.until(lambda: rig.link.online)
        rig.broker.say("config", {"version": 8, "settings": {"cadence": 30}})
        rig.broker.say("config", b"")
        rig.broker.say("config", b"{")
        rig.broker.say("command", {"id": "c1", "name": "reboot"})
        rig.broker.say("command", b"\xff")
        rig.broker.say("receipt", b'{"boot":"17"}')
        assert rig.configs == [(8, {"cadence": 30})] and rig.commands == [{"id": "c1", "name": "reboot"}]
        assert rig.link.counters["bad_messages"] == 2 and rig.link.counters["bad_receipts"] == 1

    linked(test)


def test_tries_are_spaced_and_the_heart_beats_meanwhile():
    def prepare(rig):
        rig.broker.refuses = "refused: server unavailable"

    async def test(rig):
        for wait in (5000, 10000, 20000):
            before = len(rig.broker.clients)
            await rig.rest()
            rig.go(wait - 1)
            await asyncio.sleep(0.02)
            assert len(rig.broker.clients) == max(1, before)
            rig.go(1)
            await rig.until(lambda before=before: len(rig.broker.clients) > max(1, before))
        assert len(rig.beats) > 4 and rig.link.counters["failures"] >= 3

    linked(test, prepare)


def test_a_new_event_does_not_wait_for_minutes_and_an_old_one_hurries_nobody():
    def prepare(rig):
        rig.broker.refuses = "refused"

    async def test(rig):
        for _ in range(8):
            before = len(rig.broker.clients)
            rig.go(300000)
            await rig.until(lambda before=before: len(rig.broker.clients) > before)
        tries = len(rig.broker.clients)
        rig.put(DATA)
        rig.go(5001)
        await asyncio.sleep(0.02)
        assert len(rig.broker.clients) == tries
        rig.put(EVENT)
        await rig.until(lambda: len(rig.broker.clients) == tries + 1)
        for _ in range(4):
            rig.go(1000)
            await asyncio.sleep(0.01)
        assert len(rig.broker.clients) == tries + 1

    linked(test, prepare)


def test_lost_wifi_is_noticed_and_joined_again():
    async def test(rig):
        await rig.until(lambda: rig.link.online)
        rig.wifi.up = False
        rig.go(0)
        await rig.until(lambda: not rig.link.online)
        rig.wifi.up = True
        rig.go(5000)
        await rig.until(lambda: rig.link.online)

    linked(test)


def test_a_network_that_stays_away_is_reopened_and_at_last_given_up():
    def prepare(rig):
        rig.wifi.up = False

    async def test(rig):
        for _ in range(20):
            if rig.given_up:
                break
            before = rig.link.counters["failures"]
            rig.go(300000)
            await rig.until(lambda before=before: rig.link.counters["failures"] > before)
        assert rig.wifi.calls.count("reopen") >= 1
        assert len(rig.given_up) == 1 and rig.clock.up >= 1800000

    linked(test, prepare)


def test_patience_doubles_how_long_it_takes_to_give_up():
    def prepare(rig):
        rig.wifi.up = False

    async def test(rig):
        while not rig.given_up:
            before = rig.link.counters["failures"]
            rig.go(300000)
            await rig.until(lambda before=before: rig.link.counters["failures"] > before)
        assert rig.clock.up >= 4 * 1800000

    linked(test, prepare, patience=2)


def answering(rig):
    """A gateway that receipts at once what it gets."""
    enqueue = Client.enqueue

    async def receipted(client, topic, payload, token, retain=False):
        await enqueue(client, topic, payload, token, retain)
        rig.broker.say("receipt", {"boot": token[0], "upto": token[1]})

    return receipted


def uploaded(rig, timeout_ms):
    async def main():
        task = asyncio.create_task(rig.link.upload(timeout_ms))
        while not task.done():
            await asyncio.sleep(0.001)
            rig.go(20)
        return await task

    return run(main())


def test_an_upload_ends_when_everything_is_receipted():
    rig = Rig()
    rig.put(DATA, 80)
    Client.enqueue, kept = answering(rig), Client.enqueue
    try:
        assert uploaded(rig, 10000) is True
    finally:
        Client.enqueue = kept
    assert rig.wifi.calls == ["fast"] and rig.broker.seqs() == list(range(1, 81))
    assert rig.clock.up < 11000 and rig.broker.clients[0].closed and not rig.link.online


def test_an_upload_without_receipts_ends_in_time_and_keeps_everything():
    rig = Rig()
    rig.put(DATA, 10)
    assert uploaded(rig, 3000) is False
    assert rig.outbox.depth() == (0, 0, 10) and 3500 < rig.clock.up < 6000


def test_an_upload_whose_remembered_addresses_fail_tries_once_with_new_ones():
    rig = Rig()
    rig.broker.refuses = "no connection"
    assert uploaded(rig, 3000) is True  # nothing was to be sent
    assert rig.wifi.calls == ["fast", "off", "connect", "off"]
    rig.put()
    assert uploaded(rig, 3000) is False
