"""When time servers are asked: at once, every few hours, and ever more seldom where nobody answers."""

import asyncio

from app import ntp
from app.timekeeper import Timekeeper
from scaffold import run

NOW = 1780000000000


class Clock:
    def __init__(self):
        self.up, self.age, self.err = 1000, -1, -1
        self.taken = []

    def uptime_ms(self):
        return self.up

    def age_ms(self):
        return self.age

    def err_ms(self):
        return self.err

    def set(self, unix_ms, source, err_ms):
        self.taken.append((unix_ms, source, err_ms))
        self.age, self.err = 0, err_ms


def asking(keeper, answers):
    """Ask with servers that answer so: host -> (unix_ms, err_ms) or None; the hosts that were asked."""
    asked = []

    async def query(host, timeout_ms, port=123):
        asked.append(host)
        if answers.get(host) is None:
            raise ntp.Failed(host + ": no answer")
        return answers[host]

    real, ntp.query = ntp.query, query
    try:
        run(keeper.ask())
    finally:
        ntp.query = real
    return asked


def test_an_unknown_time_is_asked_for_and_the_second_server_stands_in():
    clock = Clock()
    keeper = Timekeeper(["a", "b", "c"], clock)
    assert keeper.due()
    assert asking(keeper, {"b": (NOW, 20)}) == ["a", "b"]
    assert clock.taken == [(NOW, "ntp", 20)] and not keeper.due()


def test_the_time_is_asked_again_after_hours_or_when_it_has_become_uncertain():
    clock = Clock()
    keeper = Timekeeper(["a"], clock)
    asking(keeper, {"a": (NOW, 20)})
    clock.up += 4 * 3600000 - 1
    clock.age = 4 * 3600000 - 1
    assert not keeper.due()
    clock.age += 1
    assert keeper.due()
    clock.age, clock.err = 60000, 3000  # after a sleep
    assert keeper.due()


def test_where_nobody_answers_the_questions_become_seldom():
    clock = Clock()
    keeper = Timekeeper(["a"], clock)
    waits = []
    for _ in range(7):
        asking(keeper, {})
        begin = clock.up
        while not keeper.due():
            clock.up += 60000
        waits.append((clock.up - begin) // 60000)
    assert waits == [2, 4, 8, 16, 30, 30, 30]


def test_a_clock_in_doubt_is_asked_for_at_once():
    clock = Clock()
    keeper = Timekeeper(["a"], clock)
    asking(keeper, {})
    assert not keeper.due()
    keeper.doubt()
    assert keeper.due()


def test_a_full_heap_while_asking_is_no_answer_and_not_the_last_question():
    clock = Clock()
    keeper = Timekeeper(["a"], clock)

    async def query(host, timeout_ms, port=123):
        raise MemoryError

    async def tended():
        keeper.tend()
        for _ in range(3):
            await asyncio.sleep(0)

    real, ntp.query = ntp.query, query
    try:
        run(tended())
    finally:
        ntp.query = real
    assert keeper._task is None and not keeper.due()


def test_without_servers_nobody_is_asked():
    assert not Timekeeper([], Clock()).due()


def test_good_gnss_time_asks_nobody():
    clock = Clock()
    clock.age, clock.err = 60000, 100
    assert not Timekeeper(["a"], clock).due()
