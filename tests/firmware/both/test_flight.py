"""Messages on their way: how many, and when again; when to try the network again."""

from app.flight import DATA, EVENT, LOSS, Flight
from app.pace import Pace


def flight(n=0, lane=DATA):
    made = Flight(lambda: 0)
    for seq in range(1, n + 1):
        made.add((7, seq), lane, 0)
    return made


def test_a_full_window_of_readings_lets_events_and_declarations_pass():
    made = flight(64)
    assert not made.room(DATA) and made.room(EVENT) and made.room(LOSS)


def test_a_receipt_makes_room():
    made = flight(64)
    assert made.receipted(7, 10, {12, 500}) == 11
    assert made.room(DATA) and len(made.entries) == 53
    assert made.receipted(8, 64, set()) == 0


def test_what_is_not_receipted_is_sent_again_after_ever_longer_waits():
    made = flight(1)
    now = 0
    for wait_s in (30, 60, 120, 240, 480, 600, 600):
        made.expire(now + wait_s * 1000 - 1)
        assert (7, 1) in made.entries
        now += wait_s * 1000
        made.expire(now)
        assert (7, 1) not in made.entries
        made.add((7, 1), DATA, now)
    assert made.resent == 7


def test_the_waits_differ_by_up_to_a_fifth():
    made = Flight(lambda: 1)
    made.add((7, 1), DATA, 0)
    made.expire(35999)
    assert (7, 1) in made.entries
    made.expire(36000)
    assert (7, 1) not in made.entries


def test_a_receipt_ends_the_waiting_also_of_what_was_to_be_sent_again():
    made = flight(1)
    made.expire(30000)
    made.receipted(7, 1, set())
    made.add((7, 1), DATA, 30000)
    assert made.resent == 0


def test_after_a_lost_connection_only_what_the_broker_lacks_is_sent_again():
    made = flight(3)
    made.acknowledged((7, 2))
    made.acknowledged((9, 9))
    made.disconnected()
    assert list(made.entries) == [(7, 2)]
    made.add((7, 1), DATA, 1000)
    made.expire(30999)  # as long as the first time
    assert (7, 1) in made.entries and (7, 2) not in made.entries


def test_a_broker_that_lost_its_memory_gets_everything_again():
    made = flight(2)
    made.acknowledged((7, 2))
    made.disconnected(forgotten=True)
    assert not made.entries


def test_a_gateway_that_lost_its_memory_gets_everything_again():
    made = flight(3)
    made.add((8, 1), DATA, 0)
    made.acknowledged((7, 1))
    made.forgotten(7)
    assert list(made.entries) == [(8, 1)]
    made.add((7, 1), DATA, 0)
    assert made.next_ms(0, 99999) == 30000


def test_the_next_that_is_due_is_known():
    made = flight(2)
    assert made.next_ms(10000, 60000) == 20000
    assert made.next_ms(10000, 5000) == 5000
    assert made.next_ms(40000, 5000) == 0
    assert flight().next_ms(0, 5000) == 5000


def test_what_is_remembered_is_bounded():
    made = Flight(lambda: 0)
    for seq in range(1000):
        made.add((7, seq), EVENT, 0)
        made.expire(30000)
    assert len(made._again) <= 128


def attempts(pace, until_ms):
    now, begun = 0, []
    while now < until_ms:
        pace.begin(now)
        begun.append(now)
        now += max(1, pace.left_ms(now))
    return begun


def gaps(begun):
    return [begun[i + 1] - begun[i] for i in range(len(begun) - 1)]


def test_tries_become_ever_more_seldom():
    begun = attempts(Pace(lambda: 0), 3600000)
    assert gaps(begun)[:8] == [5000, 10000, 20000, 40000, 80000, 160000, 300000, 300000]


def test_never_more_than_twelve_tries_a_minute_however_well_they_go():
    pace = Pace(lambda: 0)
    now, begun = 0, []
    while now < 3600000:
        pace.begin(now)
        begun.append(now)
        pace.well()
        now += 700  # it lasted so long
        pace.hurry()
        now += pace.left_ms(now)
    assert min(gaps(begun)) >= 5000
    assert len(begun) > 600


def test_devices_that_lost_the_broker_together_come_back_apart():
    first, second = Pace(lambda: 0.1), Pace(lambda: 0.9)
    first.begin(0)
    second.begin(0)
    assert second.left_ms(0) - first.left_ms(0) == 2000


def test_something_urgent_does_not_wait_for_minutes():
    pace = Pace(lambda: 0)
    attempts(pace, 3600000)
    pace.begin(4000000)
    assert pace.left_ms(4000000) == 300000
    pace.hurry()
    assert pace.left_ms(4000000) == 5000
    pace.begin(4005000)
    assert pace.left_ms(4005000) == 5000
