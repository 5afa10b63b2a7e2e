"""A scale from codes to grams: zero, steadiness, a load that is taken once, calibration with a known weight."""

from app.calibrations import ACCEPTED, REFUSED
from app.scale import Scale, Window
from app.scale_session import CANCELLED, EMPTY, LOAD, STEP_MS, Session
from fakes import near

SECTION = {"cell_g": 10_000, "cell_mv_v": 2.0, "least_g": 50, "most_g": 5000, "steady_g": 3, "track_g": 5}
PER_G = 429.4967296  # of a cell of 10 kg and 2 mV/V, whatever the supply
ZERO = 81_000


def scale(zero=ZERO, **section):
    merged = dict(SECTION)
    merged.update(section)
    return Scale(merged, zero)


def feed(made, grams, count=5, noise=0):
    for i in range(count):
        made.sample(round(ZERO + grams * PER_G) + (noise if i % 2 else -noise))
    return made


def test_readings_are_steady_when_all_but_one_agree():
    window = Window(5)
    for code in (1000, 1002, 998, 1001):
        window.add(code)
    assert not window.steady(5)  # not full
    window.add(90_000)
    assert not window.steady(5)  # the newest may be the first of others
    window.add(1003)
    assert window.steady(5) and window.median() == 1002
    for code in (90_001, 90_002):
        window.add(code)
        assert not window.steady(5)
    for code in (90_002, 90_003):
        window.add(code)
    assert window.steady(5) and window.median() == 90_002
    window.clear()
    assert window.median() is None and not window.steady(5)


def test_the_cell_s_data_sheet_says_how_many_counts_a_gram_has():
    assert near(scale().per_g, PER_G, 1e-3)
    assert near(scale(cell_g=5000).per_g, 2 * PER_G, 1e-3)
    assert near(feed(scale(), 512.5).grams, 512.5, 0.01)


def test_the_first_calm_reading_is_the_zero_of_a_scale_that_has_none():
    made = feed(scale(zero=None), 0, count=4)
    assert made.zero is None and made.grams is None and not made.fresh
    feed(made, 0, count=1)
    assert made.zero == ZERO
    assert near(feed(made, 300).grams, 300, 0.01)


def test_a_meal_is_there_when_it_is_calm_and_until_it_is_taken():
    made = feed(scale(), 0)
    assert not made.fresh
    feed(made, 480, count=2)
    assert not made.fresh  # it swings
    feed(made, 480, count=3, noise=100)
    assert made.fresh
    made.take()
    feed(made, 480, count=9)
    assert not made.fresh
    feed(made, 0, count=2)
    feed(made, 520)
    assert made.fresh and near(made.grams, 520, 0.01)


def test_one_wild_reading_takes_nothing_off_the_scale():
    made = feed(scale(), 480)
    made.take()
    feed(made, -300, count=1)
    feed(made, 480)
    assert not made.fresh


def test_too_light_too_heavy_and_restless_are_no_meal():
    assert not feed(scale(), 49).fresh
    assert feed(scale(), 51).fresh
    assert not feed(scale(), 5001).fresh
    assert not feed(scale(), 480, noise=2000).fresh


def test_an_empty_scale_follows_slow_changes_and_a_load_does_not_move_its_zero():
    made = feed(scale(), 0)
    for step in range(1, 40):
        feed(made, step)  # a gram at a time, in the end eight times what it would bear at once
    assert near(made.grams, 0, 1.5)
    before = made.zero
    feed(made, 40 + 300, count=50)
    assert made.zero == before and near(made.grams, 301, 2.5)


def test_what_is_put_down_at_once_is_never_taken_for_a_slow_change():
    made = feed(scale(), 0)
    feed(made, 20, count=100)
    assert near(made.grams, 20, 0.1)


def test_tracking_can_be_switched_off():
    made = feed(scale(track_g=0), 2, count=50)
    assert near(made.grams, 2, 0.01)


def test_zero_is_what_lies_on_it_but_only_when_that_is_calm():
    made = feed(scale(), 120)
    assert made.tare() and near(made.grams, 0, 0.01)
    assert not feed(made, 300, count=2).tare()
    assert near(feed(made, 420).grams, 300, 0.01)


def test_three_failed_readings_in_a_row_are_a_broken_scale_and_one_good_one_mends_it():
    made = feed(scale(), 480)
    made.sample(None)
    made.sample(None)
    assert not made.broken and not made.fresh and made.grams is None
    made.sample(None)
    assert made.broken
    feed(made, 480, count=1)
    assert not made.broken and not made.fresh
    assert feed(made, 480).fresh


def test_the_calibration_is_the_only_difference_between_raw_and_grams():
    made = feed(scale(), 500)
    made.percent = 102.0
    assert near(made.raw, 500, 0.01) and near(made.grams, 510, 0.01)


# --- calibration ---


def test_an_empty_scale_and_then_a_known_weight_are_a_calibration():
    session = Session(2000, 0)
    assert session.state == EMPTY and "take everything off" in session.say
    session.reading(0.5, False, 100)
    session.reading(900.0, True, 200)
    assert session.state == EMPTY
    session.reading(0.5, True, 300)
    assert session.state == LOAD and session.say == "mass: put 2000 g on the scale"
    session.reading(400.0, True, 400)  # a hand
    session.reading(1950.5, False, 500)
    assert session.state == LOAD
    session.reading(1960.5, True, 600)
    assert session.state == ACCEPTED and session.done
    assert near(session.fit[0], 102.04, 0.01)
    assert session.points == [[0, 0.5], [2000, 1960.5]]


def test_a_wrong_weight_or_a_cell_that_is_wired_backwards_is_refused_with_what_was_seen():
    session = Session(2000, 0)
    session.reading(0, True, 1)
    session.reading(1100.0, True, 2)
    assert session.state == REFUSED and "181.8 %" in session.why and "is this 2000 g?" in session.why
    session = Session(2000, 0)
    session.reading(0, True, 1)
    session.reading(-2000.0, True, 2)
    assert session.state == REFUSED and "A+ and A-" in session.why


def test_nobody_there_or_no_reading_ends_it_after_two_minutes():
    session = Session(2000, 0)
    session.reading(None, False, STEP_MS)
    assert not session.done
    session.reading(None, False, STEP_MS + 1)
    assert session.state == CANCELLED and "take everything off" in session.why
