"""Calibrations: limits told with what was seen, a history that is only added to, a session that guides and gives up in time."""

import json
import os

from app.calibrating import CANCELLED, PLACE, SETTLE_MS, SETTLING, Session
from app.calibration import KINDS, buffer_ph, fit_ph
from app.calibrations import ACCEPTED, FACTORY, IDEAL, KEPT, REFUSED, Calibrations
from app.guide import report, text
from app.sensors.water import conductivity_25, nernst_mv
from fakes import near
from scaffold import folder

BUFFERS = [7.00, 4.01, 10.01]


def electrode(ph, celsius, offset=-3.0, acid=98.9, base=96.6):
    return offset + (7.0 - ph) * nernst_mv(celsius) * (acid if ph < 7 else base) / 100


def settle(session, raw, celsius=25.0, now_ms=0, count=6):
    for i in range(count):
        session.reading(raw, celsius, now_ms + 5000 * i)
    return now_ms + 5000 * count


def whole_session(offset=-3.0, acid=98.9, base=96.6, celsius=25.0, buffers=BUFFERS):
    session, now_ms = Session("ph", buffers, 0), 0
    for nominal in buffers:
        session.tap(now_ms)
        now_ms = settle(session, electrode(buffer_ph(nominal, celsius), celsius, offset, acid, base), celsius, now_ms)
    return session


# --- limits ---


def test_the_buffers_own_temperature_is_taken_into_account():
    assert buffer_ph(7.00, 25) == 7.00 and buffer_ph(7.00, 0) == 7.12
    assert near(buffer_ph(7.00, 5), 7.09, 1e-6) and buffer_ph(10.01, 45) == 9.89 and buffer_ph(5.5, 10) == 5.5


def test_a_good_electrode_is_accepted_with_the_published_numbers():
    fit, why = fit_ph([[7.00, -3.0, 25.0], [4.01, 172.0, 25.0], [10.01, -175.0, 25.0]])
    assert why == "" and near(fit[0], -3.0, 0.001) and near(fit[1], 98.9, 0.05) and near(fit[2], 96.6, 0.05)


def test_a_worn_electrode_is_refused_and_the_text_says_what_was_seen():
    session = whole_session(acid=79.3, base=106.2)
    assert session.state == REFUSED
    assert "slope 79.3 % below pH 7, expected 85 to 105" in session.why and "slope 106.2 % above" in session.why
    assert "old calibration stays" in session.say


def test_the_limits_themselves():
    for percent, state in ((85.1, ACCEPTED), (84.9, REFUSED), (104.9, ACCEPTED), (105.1, REFUSED)):
        assert whole_session(offset=0, acid=percent, base=95).state == state, percent
    for offset, state in ((29.9, ACCEPTED), (-29.9, ACCEPTED), (30.1, REFUSED), (-31.0, REFUSED)):
        assert whole_session(offset=offset, acid=95, base=95).state == state, offset
    assert "offset -31.0 mV" in whole_session(offset=-31.0).why


def test_one_point_fits_of_the_other_quantities():
    fit, why = KINDS["dissolved_oxygen"].fit([[100, 92.0, 18.0]])
    assert why == "" and near(fit[0], 108.7, 0.05)
    assert "gain 200.0 %, expected 70 to 130" in KINDS["dissolved_oxygen"].fit([[100, 50.0, 18.0]])[1]
    fit, why = KINDS["conductivity"].fit([[1413, 1200.0, 20.0]])
    assert why == "" and near(fit[0], 100 * 1413 / conductivity_25(1200.0, 20.0), 0.01)
    assert "cell factor" in KINDS["conductivity"].fit([[1413, 100.0, 20.0]])[1]
    assert "nothing measured" in KINDS["turbidity"].fit([[100, 0.0, 20.0]])[1]
    assert KINDS["water_level"].fit([[0.75, 2.5, 20.0]]) == ([3.25], "")
    assert KINDS["water_level"].fit([[0.0, 0.1, 20.0]])[1]


def test_what_can_be_calibrated_has_an_ideal_fit_and_a_way():
    assert set(IDEAL) == set(KINDS)


# --- history ---


def made(number, verdict=ACCEPTED):
    return {"id": "ph-17-%d" % number, "what": "ph", "verdict": verdict, "fit": [number, 100.0, 100.0]}


def test_before_the_first_calibration_the_fit_is_ideal():
    assert Calibrations(folder() + "/c").current("ph") == (FACTORY, [0.0, 100.0, 100.0])


def test_the_newest_accepted_one_counts_also_after_a_restart():
    root = folder() + "/c"
    calibrations = Calibrations(root)
    for number, verdict in ((1, ACCEPTED), (2, ACCEPTED), (3, REFUSED)):
        calibrations.add(made(number, verdict))
    assert calibrations.current("ph") == ("ph-17-2", [2, 100.0, 100.0])
    assert Calibrations(root).current("ph")[0] == "ph-17-2" and len(Calibrations(root).history("ph")) == 3


def test_the_history_is_bounded_and_never_loses_the_one_in_use():
    calibrations = Calibrations(folder() + "/c")
    calibrations.add(made(1))
    for number in range(2, 3 * KEPT):
        calibrations.add(made(number, REFUSED))
    assert len(calibrations.history("ph")) == KEPT and calibrations.current("ph")[0] == "ph-17-1"


def test_a_damaged_history_is_the_factorys_fit_and_not_the_end():
    root = folder() + "/c"
    calibrations = Calibrations(root)
    calibrations.add(made(1))
    with open(root + "/ph", "r+b") as file:
        file.seek(3)
        file.write(b"\xff\xff")
    assert Calibrations(root).current("ph")[0] == FACTORY


def test_a_leftover_of_a_power_cut_is_cleared_away():
    root = folder() + "/c"
    Calibrations(root).add(made(1))
    with open(root + "/ph~", "wb") as file:
        file.write(b"half")
    assert Calibrations(root).current("ph")[0] == "ph-17-1"
    assert "ph~" not in os.listdir(root)


# --- session ---


def test_it_guides_through_three_buffers():
    session, now_ms = Session("ph", BUFFERS, 0), 0
    for number, name in ((1, "pH 7.00"), (2, "pH 4.01"), (3, "pH 10.01")):
        assert session.state == PLACE and name in session.say and "%d/3" % number in session.say
        session.tap(now_ms)
        assert session.state == SETTLING
        now_ms = settle(session, electrode(buffer_ph(BUFFERS[number - 1], 20.0), 20.0), 20.0, now_ms)
    assert session.state == ACCEPTED and session.done and "accepted" in session.say
    assert [point[0] for point in session.points] == BUFFERS and near(session.fit[1], 98.9, 0.05)


def test_a_reading_that_still_moves_is_waited_for():
    session = Session("ph", BUFFERS, 0)
    session.tap(0)
    for i in range(20):
        session.reading(20.0 - i, 25.0, 5000 * i)
    assert session.state == SETTLING and "not yet steady" in session.say
    settle(session, 0.5)
    assert session.state == PLACE and len(session.points) == 1


def test_a_temperature_that_still_moves_is_waited_for():
    session = Session("ph", BUFFERS, 0)
    session.tap(0)
    for i in range(10):
        session.reading(0.0, 15.0 + i / 5, 5000 * i)
    assert session.state == SETTLING


def test_a_probe_that_never_gets_steady_is_refused_with_its_spread():
    session = Session("ph", BUFFERS, 0)
    session.tap(0)
    for i in range(60):
        session.reading(i % 2 * 4.1, 25.0, 5000 * i)
    session.tick(SETTLE_MS + 1)
    assert session.state == REFUSED and "spread by 4.1 mV" in session.why and "expected 1.0 mV" in session.why


def test_the_wrong_bottle_is_noticed_and_can_be_mended():
    session = Session("ph", BUFFERS, 0)
    session.tap(0)
    settle(session, electrode(4.01, 25.0))
    assert session.state == PLACE and "is this pH 7.00?" in session.say and not session.points
    session.tap(60_000)
    settle(session, electrode(7.0, 25.0), now_ms=60_000)
    assert len(session.points) == 1


def test_a_failed_sensor_is_said_and_starts_the_window_again():
    session = Session("ph", BUFFERS, 0)
    session.tap(0)
    settle(session, 0.0, count=5)
    session.reading(None, 25.0, 30_000)
    assert "no reading of the probe" in session.say
    session.reading(0.0, None, 35_000)
    assert "thermometer" in session.say
    settle(session, 0.0, count=5)
    assert session.state == SETTLING


def test_nobody_taps_and_it_ends():
    session = Session("ph", BUFFERS, 0)
    session.tick(600_001)
    assert session.state == CANCELLED and "nobody tapped for 10 minutes" in session.say


def test_it_can_be_cancelled_and_then_nothing_moves_it():
    session = Session("conductivity", [1413], 0)
    session.tap(0)
    session.cancel("from the console")
    session.tap(1)
    settle(session, 1413.0)
    session.tick(10**7)
    assert session.state == CANCELLED and session.done and session.fit is None


def test_the_report_is_a_text_the_contract_takes():
    session = whole_session()
    made_of_it = report(session, "ph-17-99", (99_500, 1_790_000_000_000, "ntp", 20), "P-7", {"who": "tag"})
    told = json.loads(text(made_of_it))
    assert told["verdict"] == ACCEPTED and told["time"] == 1_790_000_000 and told["up"] == 99 and told["who"] == "tag"
    assert len(told["points"]) == 3 and near(told["fit"][0], -3.0, 0.01)
    assert len(text(made_of_it)) < 1024


def test_a_report_of_the_longest_texts_still_fits():
    session = whole_session(offset=-45.0, acid=70.0, base=110.0)
    longest = {"who": "w" * 100, "lot": "l" * 100}
    assert len(text(report(session, "i" * 48, (2**40, 2**42, "none", -1), "p" * 40, longest))) < 1000
