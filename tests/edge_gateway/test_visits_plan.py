"""The plan: rows are checked with all their problems at once, slots are its lines on dates."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_gateway.errors import Rejected
from edge_gateway.visits import plan
from edge_gateway.visits.records import Plan, PlanException, Slot

SHANGHAI = ZoneInfo("Asia/Shanghai")
LUNCH = Plan("lunch", "futian", "wutong-3", person="p1")
HOUR_NS = 3_600_000_000_000


def days(
    plans: list[Plan], first: str, last: str, exceptions: tuple[PlanException, ...] = (), off: tuple[str, ...] = ()
) -> list[Slot]:
    return plan.slots(plans, exceptions, off, SHANGHAI, first, last)


def local(ns: int, zone: ZoneInfo = SHANGHAI) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, zone):%m-%d %H:%M}"


def test_a_row_of_a_spreadsheet_becomes_a_line_of_the_plan() -> None:
    row = {"id": "bath-1", "site": "futian", "place": "wutong-3", "person": "p1", "service": "bath", "weekdays": "1,3-5"}
    times = {
        "opens_min": "14:00",
        "closes_min": 900.0,
        "last": date(2026, 12, 31),
        "ends": "yes",
        "courier": None,
        "holidays": " none ",
    }
    found = plan.check(row | times)
    assert (found.weekdays, found.opens_min, found.closes_min, found.last) == ((1, 3, 4, 5), 840, 900, "2026-12-31")
    assert (found.ends, found.holidays, found.courier, found.grace_min) == (True, "none", "", 30)


def test_what_a_line_says_of_itself_is_accepted_again() -> None:
    line = Plan("a", "s", "p", "e", "bath", (2, 7), 1380, 1500, 10, 5, 6, "c", "2026-01-01", "2026-12-31", "only", True)
    row = {name: getattr(line, name) for name in Plan.__struct_fields__}
    assert plan.check(row) == line
    assert plan.check(msgspec.json.decode(msgspec.json.encode(row))) == line


def test_every_problem_of_a_row_is_told_at_once() -> None:
    row = {
        "id": "Bad Id",
        "site": "",
        "place": "王伟家",
        "weekdays": "0-9",
        "opens_min": "25:99",
        "first": "2026-02-30",
        "colour": 1,
        "ends": "maybe",
    }
    with pytest.raises(Rejected) as caught:
        plan.check(row)
    told = str(caught.value)
    for part in (
        "unknown colour",
        "id is 'Bad Id'",
        "site is missing",
        "place is ",
        "weekdays is '0-9'",
        "'25:99'",
        "'2026-02-30'",
        "'maybe'",
    ):
        assert part in told
    assert caught.value.reason == "bad_plan"
    assert "王伟" not in told  # a name in the wrong column reaches no log


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"opens_min": 720, "closes_min": 720}, "closes after it opens", id="no width"),
        pytest.param({"opens_min": 0, "closes_min": 1441}, "within 24 hours", id="longer than a day"),
        pytest.param({"first": "2026-03-01", "last": "2026-02-01"}, "is before first", id="ends before it begins"),
        pytest.param({"grace_min": -1}, "minutes from 0 to 1440", id="negative"),
        pytest.param({"grace_min": True}, "grace_min is True", id="a state for a number"),
        pytest.param({"grace_min": float("nan")}, "grace_min is nan", id="nan"),
        pytest.param({"weekdays": []}, "weekdays is []", id="no weekday"),
        pytest.param({"weekdays": "6-2 4"}, "weekdays is '6-2 4'", id="days that run backwards are not dropped"),
        pytest.param({"weekdays": [1, 8]}, "numbers 1 (Monday) to 7", id="an eighth day"),
        pytest.param({"holidays": "never"}, "as_usual, none, only", id="unknown word"),
        pytest.param({"opens_min": "١١:٠٠"}, "or a time such as 11:00", id="other digits"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(Rejected, match="bad_plan") as caught:
        plan.check({"id": "a", "site": "s", "place": "p"} | change)
    assert told in str(caught.value)


def test_an_exception_names_what_it_is_about() -> None:
    good = {
        "id": "e1",
        "site": "s",
        "date": "2026-10-01",
        "kind": "moved",
        "place": "p",
        "opens_min": "12:00",
        "closes_min": "13:00",
    }
    assert plan.check_exception(good) == PlanException(
        "e1", "s", "2026-10-01", "moved", place="p", opens_min=720, closes_min=780
    )
    with pytest.raises(Rejected, match="name at least one") as caught:
        plan.check_exception({"id": "e1", "site": "s", "date": "soon", "kind": "moved"})
    for part in ("date is 'soon'", "opens_min is missing", "closes_min is missing"):
        assert part in str(caught.value)


def test_a_line_of_weekdays_has_a_slot_on_each_of_them_and_a_tap_window_around_it() -> None:
    found = days([msgspec.structs.replace(LUNCH, weekdays=(1, 5))], "2026-11-16", "2026-11-22")
    assert [slot.id for slot in found] == ["lunch/2026-11-16", "lunch/2026-11-20"]
    slot = found[0]
    assert [local(t) for t in (slot.from_ns, slot.opens_ns, slot.closes_ns, slot.due_ns, slot.to_ns)] == [
        "11-16 10:00",
        "11-16 11:00",
        "11-16 12:00",
        "11-16 12:30",
        "11-16 15:00",
    ]


def test_first_and_last_are_the_last_days_on_which_it_counts() -> None:
    line = msgspec.structs.replace(LUNCH, first="2026-11-17", last="2026-11-18")
    assert [slot.date for slot in days([line], "2026-11-01", "2026-11-30")] == ["2026-11-17", "2026-11-18"]


@pytest.mark.parametrize(("holidays", "dates"), [("as_usual", ["16", "17"]), ("none", ["16"]), ("only", ["17"])])
def test_holidays(holidays: str, dates: list[str]) -> None:
    line = msgspec.structs.replace(LUNCH, holidays=holidays)
    assert [slot.date[-2:] for slot in days([line], "2026-11-16", "2026-11-17", off=("2026-11-17",))] == dates


def test_a_line_for_holidays_only_asks_for_no_weekday() -> None:
    line = msgspec.structs.replace(LUNCH, holidays="only", weekdays=(1,))
    assert [slot.date for slot in days([line], "2026-11-16", "2026-11-22", off=("2026-11-20",))] == ["2026-11-20"]


def test_a_cancelled_day_stays_visible_and_a_moved_one_has_its_own_window() -> None:
    away = PlanException("e1", "futian", "2026-11-16", "cancelled", person="p1", reason="在女儿家")
    moved = PlanException("e2", "futian", "2026-11-17", "moved", place="wutong-3", opens_min=780, closes_min=840)
    other = PlanException("e3", "futian", "2026-11-17", "cancelled", plan="dinner")
    elsewhere = PlanException("e4", "luohu", "2026-11-17", "cancelled", person="p1")
    first, second = days([LUNCH], "2026-11-16", "2026-11-17", (away, moved, other, elsewhere))
    assert first.cancelled == "在女儿家"
    assert (local(second.opens_ns), local(second.closes_ns), second.cancelled) == ("11-17 13:00", "11-17 14:00", "")


def test_a_day_both_moved_and_cancelled_is_cancelled() -> None:
    moved = PlanException("e1", "futian", "2026-11-16", "moved", plan="lunch", opens_min=780, closes_min=840)
    away = PlanException("e2", "futian", "2026-11-16", "cancelled", plan="lunch")
    assert days([LUNCH], "2026-11-16", "2026-11-16", (moved, away))[0].cancelled == "cancelled"


def test_a_window_over_midnight_belongs_to_the_day_it_opens_on() -> None:
    night = msgspec.structs.replace(LUNCH, id="night", service="call", opens_min=1380, closes_min=1500)
    slot = days([night], "2026-11-16", "2026-11-16")[0]
    assert (slot.date, local(slot.opens_ns), local(slot.closes_ns)) == ("2026-11-16", "11-16 23:00", "11-17 01:00")


def test_a_late_lunch_ends_where_dinner_opens_and_an_early_dinner_begins_after_lunch() -> None:
    lunch = msgspec.structs.replace(LUNCH, late_min=600)
    dinner = msgspec.structs.replace(LUNCH, id="dinner", opens_min=1020, closes_min=1080, early_min=600)
    bath = msgspec.structs.replace(LUNCH, id="bath", service="bath", opens_min=840, closes_min=900)
    found = {slot.plan.id: slot for slot in days([lunch, dinner, bath], "2026-11-16", "2026-11-16")}
    assert local(found["lunch"].to_ns) == "11-16 17:00"
    assert local(found["dinner"].from_ns) == "11-16 12:00"
    assert local(found["bath"].to_ns) == "11-16 18:00"  # another service cuts nothing


def test_windows_of_two_people_that_overlap_do_not_cut_each_other() -> None:
    second = msgspec.structs.replace(LUNCH, id="lunch2", person="p2", opens_min=690, closes_min=750)
    found = days([LUNCH, second], "2026-11-16", "2026-11-16")
    assert [local(slot.to_ns) for slot in found] == ["11-16 15:00", "11-16 15:30"]


def test_a_cancelled_dinner_cuts_no_lunch() -> None:
    lunch = msgspec.structs.replace(LUNCH, late_min=600)
    dinner = msgspec.structs.replace(LUNCH, id="dinner", opens_min=1020, closes_min=1080)
    off = PlanException("e1", "futian", "2026-11-16", "cancelled", plan="dinner")
    assert local(days([lunch, dinner], "2026-11-16", "2026-11-16", (off,))[0].to_ns) == "11-16 22:00"


def test_in_a_zone_that_moves_its_clocks_a_window_follows_the_wall_clock() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = msgspec.structs.replace(LUNCH, opens_min=60, closes_min=240)
    spring = plan.slots([night], (), (), berlin, "2026-03-29", "2026-03-29")[0]  # 02:00 becomes 03:00
    autumn = plan.slots([night], (), (), berlin, "2026-10-25", "2026-10-25")[0]  # 03:00 becomes 02:00
    assert (spring.closes_ns - spring.opens_ns, autumn.closes_ns - autumn.opens_ns) == (2 * HOUR_NS, 4 * HOUR_NS)
    assert (local(spring.opens_ns, berlin), local(spring.closes_ns, berlin)) == ("03-29 01:00", "03-29 04:00")


def test_a_window_inside_the_hour_that_is_left_out_still_has_its_length() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    gap = msgspec.structs.replace(LUNCH, opens_min=150, closes_min=185)  # 02:30 to 03:05 on the night of the change
    slot = plan.slots([gap], (), (), berlin, "2026-03-29", "2026-03-29")[0]
    assert slot.closes_ns - slot.opens_ns == 35 * 60_000_000_000


def test_in_the_hour_that_comes_twice_a_window_is_open_at_both() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    twice = msgspec.structs.replace(LUNCH, opens_min=125, closes_min=150)  # 02:05 to 02:30
    slot = plan.slots([twice], (), (), berlin, "2026-10-25", "2026-10-25")[0]
    assert slot.closes_ns - slot.opens_ns == 85 * 60_000_000_000


lines = st.builds(
    lambda number, place, service, opens, length, early, late, week: Plan(
        f"l{number}", "s", place, "", service, week, opens, opens + length, early_min=early, late_min=late
    ),
    st.integers(0, 99),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["meal", "bath"]),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.integers(0, 1440),
    st.integers(0, 1440),
    st.sampled_from([(1, 2, 3, 4, 5, 6, 7), (1,), (6, 7)]),
)


@given(
    st.lists(lines, max_size=5, unique_by=lambda one: one.id),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns"]),
)
def test_a_slot_is_the_same_whatever_range_is_asked_for(plans: list[Plan], zone: str) -> None:
    where = ZoneInfo(zone)
    dates = [(date(2026, 3, 26) + timedelta(n)).isoformat() for n in range(8)]
    whole = plan.slots(plans, (), (), where, dates[0], dates[-1])
    single = [slot for day in dates for slot in plan.slots(plans, (), (), where, day, day)]
    assert sorted(whole, key=lambda slot: slot.id) == sorted(single, key=lambda slot: slot.id)
    for slot in whole:
        assert slot.from_ns <= slot.opens_ns < slot.closes_ns <= slot.to_ns
        assert slot.closes_ns <= slot.due_ns


def test_a_fixed_offset_is_a_zone_too() -> None:
    slot = plan.slots([LUNCH], (), (), timezone(timedelta(hours=8)), "2026-11-16", "2026-11-16")[0]
    assert slot.opens_ns == int(datetime(2026, 11, 16, 3, tzinfo=UTC).timestamp()) * 1_000_000_000
