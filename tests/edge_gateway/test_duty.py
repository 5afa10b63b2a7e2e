"""Who is told follows the hour, the weekday, holidays and leave; a home's own contacts come first, strangers to it never."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_gateway.alerts import AlertBook
from edge_gateway.duty import Leave, Roster, Shift, chain
from edge_gateway.duty.chain import is_equipment
from edge_gateway.duty.check import gaps, strangers
from edge_gateway.duty.file import DutyWatch, load
from edge_gateway.duty.people import DutyDesk
from edge_gateway.errors import Misconfigured
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.registry import Registry, Site
from edge_gateway.rules import Severity
from edge_gateway.settings import Alerts, Person
from tests.edge_gateway.test_alerts import Office, sos, to
from tests.edge_gateway.test_ladder import trial

LIST = """
leads = ["chen"]
holidays = ["2026-10-01..2026-10-07"]
workdays = ["2026-10-10"]

[[shifts]]
days = "mon-fri"
from = "08:00"
to = "18:00"
people = ["zhang", "li"]

[[shifts]]
from = "18:00"
to = "08:00"
people = ["wang"]

[[shifts]]
days = ["restday"]
from = "08:00"
to = "18:00"
people = ["sun"]

[[shifts]]
days = "workday"
from = "08:00"
to = "24:00"
people = ["tech"]
about = ["equipment"]

[[leave]]
person = "zhang"
from = 2026-11-23
to = "2026-11-27"
instead = "zhao"
"""
IDS = ("zhang", "li", "wang", "sun", "chen", "zhao", "tech")
PEOPLE = [Person(id=name, urls=[f"json://{name}"]) for name in IDS]
DAUGHTER = Person(id="daughter", urls=["json://daughter"], homes_only=True)
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    return written(tmp_path, LIST)


def written(folder: Path, text: str) -> Roster:
    (folder / "duty.toml").write_text(text, encoding="utf-8")
    return load(folder / "duty.toml")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def told(
    roster: Roster, when: str, severity: Severity = Severity.URGENT, contacts: tuple[str, ...] = (), equipment: bool = False
) -> list[str]:
    return [person.id for person in chain([*PEOPLE, DAUGHTER], roster, contacts, "wutong", severity, at(when), equipment)]


@pytest.mark.parametrize(
    ("when", "on_duty"),
    [
        pytest.param("2026-11-20 08:00", ["zhang", "li"], id="friday-begins"),
        pytest.param("2026-11-20 17:59", ["zhang", "li"], id="friday-ends"),
        pytest.param("2026-11-20 18:00", ["wang"], id="evening"),
        pytest.param("2026-11-21 07:59", ["wang"], id="the-night-shift-ends-the-next-day"),
        pytest.param("2026-11-21 12:00", ["sun"], id="saturday"),
        pytest.param("2026-10-01 12:00", ["sun"], id="a-holiday-on-a-thursday"),
        pytest.param("2026-10-10 12:00", ["zhang", "li"], id="a-saturday-that-is-worked"),
        pytest.param("2026-11-23 12:00", ["zhao", "li"], id="leave-with-a-stand-in"),
        pytest.param("2026-11-27 12:00", ["zhao", "li"], id="the-last-day-of-leave"),
        pytest.param("2026-11-30 12:00", ["zhang", "li"], id="back-from-leave"),
    ],
)
def test_who_is_on_duty_follows_hour_weekday_holiday_and_leave(roster: Roster, when: str, on_duty: list[str]) -> None:
    assert roster.on_duty("wutong", Severity.URGENT, at(when)) == on_duty


def test_a_homes_contacts_come_before_those_on_duty_then_the_leads_then_everybody_else(roster: Roster) -> None:
    assert told(roster, "2026-11-20 12:00", contacts=("daughter", "sun")) == [
        *("daughter", "sun", "zhang", "li", "chen", "wang", "zhao", "tech"),
    ]


def test_what_is_not_urgent_wakes_only_those_on_duty(roster: Roster) -> None:
    assert told(roster, "2026-11-20 23:00", Severity.WARNING, ("daughter",)) == ["daughter", "wang"]
    assert told(roster, "2026-11-20 12:00", Severity.NOTICE, ("daughter",)) == ["daughter", "zhang", "li"]


def test_what_a_technician_mends_is_told_to_him_and_never_to_a_homes_contacts(roster: Roster) -> None:
    assert told(roster, "2026-11-20 12:00", Severity.NOTICE, ("daughter",), equipment=True) == ["zhang", "li", "tech"]
    only_staff = Roster(shifts=(Shift(("zhang",), equipment=False), Shift(("tech",), care=False)))
    assert told(only_staff, "2026-11-20 12:00", Severity.WARNING, equipment=True) == ["tech"]
    assert told(only_staff, "2026-11-20 12:00", Severity.WARNING) == ["zhang"]
    nobody_mends = Roster(shifts=(Shift(("zhang",), equipment=False),))
    assert told(nobody_mends, "2026-11-20 12:00", Severity.WARNING, equipment=True) == ["zhang"], "somebody is there"


@pytest.mark.parametrize(
    ("rule", "severity", "equipment"),
    [
        ("silence", Severity.WARNING, True),
        ("sensor", Severity.NOTICE, True),
        ("medication", Severity.NOTICE, False),
        ("detector", Severity.WARNING, False),
        ("damaged", Severity.URGENT, False),
        ("sos", Severity.URGENT, False),
    ],
)
def test_what_is_urgent_or_about_a_person_is_never_only_for_the_technician(
    rule: str, severity: Severity, equipment: bool
) -> None:
    assert is_equipment(rule, severity) == equipment


def test_who_is_told_of_certain_homes_only_is_never_told_of_another(roster: Roster) -> None:
    assert "daughter" not in told(roster, "2026-11-20 12:00")
    assert "daughter" not in told(Roster(), "2026-11-20 12:00")
    only = chain([DAUGHTER], Roster(), (), "wutong", Severity.URGENT, at("2026-11-20 12:00"))
    assert only == []


def test_without_a_list_everybody_is_told_in_order_and_a_homes_contacts_first() -> None:
    assert told(Roster(), "2026-11-20 03:00") == list(IDS)
    assert told(Roster(), "2026-11-20 03:00", Severity.NOTICE, ("sun",)) == ["sun", *(name for name in IDS if name != "sun")]


@pytest.mark.parametrize("severity", list(Severity))
def test_somebody_is_told_whatever_the_list_lacks(severity: Severity) -> None:
    nobody = Roster(shifts=(Shift(people=("nobody",)),))
    assert told(nobody, "2026-11-20 12:00", severity) == list(IDS)
    everybody_away = Roster(leave=tuple(Leave(name, date(2026, 11, 1), date(2026, 11, 30)) for name in IDS))
    assert told(everybody_away, "2026-11-20 12:00", severity) == list(IDS)
    no_address = chain([Person(id="zhang")], Roster(), (), "wutong", severity, at("2026-11-20 12:00"))
    assert no_address == []


def test_a_stand_in_who_is_away_too_is_not_told() -> None:
    away = [
        Leave(name, date(2026, 11, 20), date(2026, 11, 20), instead) for name, instead in (("zhang", "li"), ("li", "zhang"))
    ]
    roster = Roster(shifts=(Shift(("zhang", "wang")),), leave=tuple(away))
    assert roster.on_duty("wutong", Severity.URGENT, at("2026-11-20 12:00")) == ["wang"]


def test_a_shift_of_a_site_is_told_of_no_other_site() -> None:
    roster = Roster(shifts=(Shift(("zhang",), sites=frozenset({"wutong"})), Shift(("li",))))
    assert roster.on_duty("wutong", Severity.URGENT, at("2026-11-20 12:00")) == ["zhang", "li"]
    assert roster.on_duty("bailu", Severity.URGENT, at("2026-11-20 12:00")) == ["li"]


# in the ladder


def desk(roster: Roster, contacts: tuple[str, ...] = ()) -> DutyDesk:
    home = HomeSetting("wutong", "home-1", contacts=contacts)
    registry = Registry(sites={"wutong": Site("wutong", "梧桐"), "w": Site("w", "w")}, homes={home.key: home})
    found = DutyDesk(Alerts(people=[*PEOPLE, DAUGHTER]), registry)
    found.use(roster)
    return found


def on_duty_office(roster: Roster, contacts: tuple[str, ...] = ()) -> Office:
    office = Office(Alerts(people=PEOPLE, repeat_s=60, next_person_s=180))
    office.book = AlertBook(office.people, desk(roster, contacts).tell)  # noon UTC+8 of Saturday 2026-11-21
    return office


def test_what_the_staff_only_has_to_know_is_not_told_to_a_daughter_and_ends_with_the_first_confirmation(roster: Roster) -> None:
    office = on_duty_office(roster, ("daughter",))
    office.raised(replace(sos(), key="paused-by-elder", rule="paused", severity=Severity.NOTICE, returns=True, once=True))
    (notice,) = office.book.due(office.now_ns)
    assert notice.person != "daughter" and notice.items[0].link == ""
    office.book.delivered(notice, office.now_ns)
    assert office.book.open_alerts() == []
    assert office.book.ended[-1].history[-1].reason == "told"


def test_the_ladder_climbs_from_the_daughter_over_those_on_duty_to_the_lead(roster: Roster) -> None:
    office = on_duty_office(roster, ("daughter",))
    office.raised(sos())
    first: list[str] = []
    for _, notices in office.until(600, step=10):
        first += [n.person for n in office.deliver(notices) if n.person not in first]
    assert first[:3] == ["daughter", "sun", "chen"]


def test_when_the_shift_changes_the_next_round_goes_to_those_who_are_on_duty_then(roster: Roster) -> None:
    office = on_duty_office(roster)
    office.now_ns += (5 * 3600 + 59 * 60) * 10**9  # 17:59
    office.raised(sos())
    assert to(office.deliver(office.wait(0))) == ["sun/0"]
    assert to(office.deliver(office.wait(60))) == ["wang/0"]


def test_a_test_goes_to_who_would_be_told_of_an_sos_but_to_no_contact_and_to_those_the_list_names(roster: Roster) -> None:
    for named, expected in ((roster, ["sun/0"]), (replace(roster, tests=("tech",)), ["tech/0"])):
        office = on_duty_office(named, ("daughter",))
        office.raised(trial())
        assert to(office.wait(0)) == expected


def test_a_name_that_only_the_list_knows_is_told_and_one_of_the_settings_is_replaced(tmp_path: Path) -> None:
    roster = written(
        tmp_path, '[[people]]\nid = "zhang"\nurls = ["json://new"]\n[[people]]\nid = "neu"\nurls = ["json://neu"]\n'
    )
    people = {person.id: person.urls for person in desk(roster).alerts().people}
    assert (people["zhang"], people["neu"], people["li"]) == (["json://new"], ["json://neu"], ["json://li"])


# the file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shifts = 3", r"shifts should be tables \[\[shifts\]\]"),
        ("[[shifts]]\n", "people is empty"),
        ('[[shifts]]\npeople = ["zhang"]\nfrom = "25:00"', "from is '25:00'"),
        ('[[shifts]]\npeople = ["zhang"]\ndays = "monday"', "days 'monday'"),
        ('[[shifts]]\npeople = ["zhang"]\nseverities = ["loud"]', "severities is"),
        ('[[shifts]]\npeople = ["zhang"]\nabout = []', "about is"),
        ('[[shifts]]\npeople = ["Zhang Wei"]', "a list of ids"),
        ('[[shifts]]\npeople = ["zhang"]\nhours = 8', "unknown hours; known are people, days"),
        ('holidays = ["2026-13-01"]', "holidays is '2026-13-01'"),
        ('holidays = ["2026-10-07..2026-10-01"]', "should be 0 to 400 days"),
        ('[[leave]]\nperson = "zhang"\nfrom = 2026-11-20\nto = 2026-11-19', "0 to 400 days after"),
        ('[[leave]]\nperson = "zhang"', "a day such as"),
        ('zone = "Mars/Olympus"', "zone is 'Mars/Olympus'"),
        ('[[people]]\nid = "siren"', "siren is no person"),
        ('[[people]]\nid = "a"\n[[people]]\nid = "a"', "a is there twice"),
        ("what = 1", "unknown what; known are people, shifts"),
        ("[[", "is not TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        written(tmp_path, text)


def test_an_address_in_a_bad_line_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as seen:
        written(tmp_path, '[[people]]\nid = "UPPER"\nurls = ["wecom://s3cr3t"]\n')
    assert "s3cr3t" not in str(seen.value)


def test_a_changed_file_is_taken_up_and_a_bad_or_missing_one_leaves_the_last_good_list(tmp_path: Path) -> None:
    file = tmp_path / "duty.toml"
    watch = DutyWatch(file)
    assert watch.changed() is None, "no file, no list"
    file.write_text('leads = ["zhang"]')
    assert watch.changed() is None, "somebody may still be writing"
    taken = watch.changed()
    assert taken is not None
    assert taken.leads == ("zhang",)
    assert watch.changed() is None
    file.write_text("leads = 7")
    watch.changed()
    with pytest.raises(Misconfigured, match="leads is 7"):
        watch.changed()
    assert watch.changed() is None, "told once"
    file.unlink()
    watch.changed()
    with pytest.raises(Misconfigured, match="last good duty list"):
        watch.changed()


def test_at_the_start_a_list_that_lies_there_is_taken_at_once(tmp_path: Path) -> None:
    (tmp_path / "duty.toml").write_text('leads = ["zhang"]')
    found = DutyWatch(tmp_path / "duty.toml").changed()
    assert found is not None
    assert found.leads == ("zhang",)


# what is wrong with a list that can be read


def test_the_check_names_strangers_people_without_address_and_hours_without_anybody(roster: Roster) -> None:
    people = [person for person in PEOPLE if person.id != "sun"] + [Person(id="sun")]
    said = strangers(people, roster, {"wutong/home-1": ("mei",)})
    assert said == [
        "shifts[2]: sun has no urls and cannot be told",
        "contacts of wutong/home-1: mei is nobody in [[people]] or [[alerts.people]]",
    ]
    found = gaps(people, roster, "wutong", at("2026-11-21 00:00"), 7)
    assert [(f"{gap.start:%a %H:%M}", f"{gap.end:%a %H:%M}") for gap in found] == [
        ("Sat 08:00", "Sat 18:00"),
        ("Sun 08:00", "Sun 18:00"),
    ]
    assert gaps(PEOPLE, Roster(), "wutong", at("2026-11-21 00:00"), 7) == []
