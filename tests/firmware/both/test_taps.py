"""A card counts once until it is taken away, and once within the folding time; a different card always counts."""

from app.sensors.pn532 import Target
from app.taps import Taps, keys

A, B, C = "04a1", "04b2", "04c3"


def taps(fold_ms=30_000, tries=3):
    return Taps(fold_ms, tries)


def tap(reader, key, now_ms):
    """One poll with this card alone: `recorded`, `double`, or None when there is nothing to do."""
    visits, _ = reader.seen([key], now_ms)
    for visit in visits:
        if reader.is_double(visit, now_ms):
            visit.settled = True
            return "double"
        reader.recorded(visit, now_ms)
        return "recorded"
    return None


def away(reader, polls=2):
    for _ in range(polls):
        reader.seen([], 0)


def test_a_card_that_lies_there_counts_once():
    reader = taps()
    assert [tap(reader, A, ms) for ms in range(0, 5000, 250)] == ["recorded"] + [None] * 19


def test_one_missed_poll_is_no_removal():
    reader = taps(fold_ms=0)
    assert tap(reader, A, 0) == "recorded"
    away(reader, 1)
    assert tap(reader, A, 500) is None
    away(reader, 2)
    assert tap(reader, A, 1250) == "recorded"


def test_the_same_card_again_soon_is_shown_and_not_recorded():
    reader = taps()
    assert tap(reader, A, 0) == "recorded"
    away(reader)
    assert tap(reader, A, 29_999) == "double"
    assert tap(reader, A, 30_200) is None
    away(reader)
    assert tap(reader, A, 30_500) == "recorded"


def test_doubles_do_not_put_off_the_next_recording():
    reader = taps()
    results = []
    for ms in range(0, 65_000, 5000):
        results.append(tap(reader, A, ms))
        away(reader)
    assert results.count("recorded") == 3


def test_a_different_card_is_recorded_at_once_however_fast_they_change():
    reader = taps()
    for now_ms, card in enumerate((A, B, C, A, B)):
        result = tap(reader, card, now_ms * 100)
        away(reader)
        assert result == ("recorded" if now_ms < 3 else "double"), card


def test_a_card_that_replaces_another_without_a_gap_is_recorded():
    reader = taps()
    assert tap(reader, A, 0) == "recorded"
    assert tap(reader, B, 250) == "recorded"


def test_two_cards_at_once_are_two_taps():
    reader = taps()
    visits, left = reader.seen([A, B], 7)
    assert [visit.key for visit in visits] == [A, B]
    assert [visit.first for visit in visits] == [7, 7]
    assert left == []
    assert reader.waiting
    for visit in visits:
        reader.recorded(visit, 7)
    assert not reader.waiting
    assert reader.seen([A, B], 250) == ([], [])


def test_the_moment_is_that_of_the_first_sighting():
    reader = taps()
    reader.seen([A], 100)
    (visit,), _ = reader.seen([A], 350)
    assert (visit.first, visit.sightings) == (100, 2)


def test_sightings_count_only_in_a_row():
    reader = taps()
    reader.seen([A], 0)
    reader.seen([], 1)
    (visit,), _ = reader.seen([A], 2)
    assert visit.sightings == 1


def test_a_card_that_cannot_be_read_is_said_once_and_tried_on():
    reader = taps(tries=3)
    said = []
    for ms in range(5):
        (visit,), _ = reader.seen([A], ms)
        said.append((reader.is_last_try(visit), reader.failed(visit)))
    assert said == [(False, False), (False, False), (True, True), (True, False), (True, False)]
    assert not reader.waiting
    (visit,), _ = reader.seen([A], 9)
    reader.recorded(visit, 9)
    assert reader.seen([A], 10) == ([], [])


def test_a_card_that_left_before_it_was_read_is_told_so_once():
    reader = taps()
    (visit,), _ = reader.seen([A], 0)
    reader.failed(visit)
    assert reader.seen([], 1) == ([], [])
    _, left = reader.seen([], 2)
    assert [v.key for v in left] == [A]
    assert reader.seen([], 3) == ([], [])


def test_after_a_card_was_not_read_the_next_try_begins_anew():
    reader = taps(tries=2)
    for ms in range(3):
        (visit,), _ = reader.seen([A], ms)
        reader.failed(visit)
    away(reader)
    (visit,), _ = reader.seen([A], 9)
    assert (visit.failures, visit.given_up) == (0, False)


def test_who_is_remembered_is_bounded():
    reader = taps()
    for i in range(200):
        tap(reader, "card%d" % i, i)
        away(reader)
    assert len(reader._recorded) <= 32
    assert tap(reader, "card199", 250) == "double"


def target(uid, number=1):
    return Target(number, 0x20, bytes.fromhex(uid))


def test_a_card_with_a_random_uid_is_no_double_of_another_courier_s():
    reader = taps()
    (key,) = keys([target("08123456")])
    assert tap(reader, key, 0) == "recorded"
    assert tap(reader, key, 250) is None
    away(reader)
    assert tap(reader, key, 5000) == "recorded"


def test_cards_with_random_uids_are_told_apart_by_their_number():
    assert keys([target("08123456")]) == keys([target("08abcdef")])
    assert keys([target("04a2b3c4d5e680"), target("08123456", 2)]) == ["04a2b3c4d5e680", "random 1/1"]
    one, two = keys([target("08123456")]), keys([target("08123456"), target("08abcdef", 2)])
    assert len(set(one + two)) == 3
