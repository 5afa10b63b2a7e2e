"""A message says how its reader accepts it, why it comes again, and never more than it must; a test says that it is one."""

import pytest

from edge_gateway.alert_desk import AlertDesk
from edge_gateway.alerts import Item, Notice
from edge_gateway.events import Event, Reading
from edge_gateway.notify import compose
from edge_gateway.registry import Device, Registry, Site
from edge_gateway.rules import Severity, words
from edge_gateway.settings import Alerts, Person

NOW_NS = 1_795_000_000 * 10**9
ALERT = "20261121-0400-sos-3f2a"
LINK = "https://visits.example.org/a/Yk3v9f-0aZ"
TEXT = "home-1: 紧急求助, 11月21日 12:00 按下。请马上打电话或上门。"


def item(severity: Severity = Severity.URGENT, **more: str | bool | int) -> Item:
    given: dict[str, object] = {"step": 1, "link": "", "reopened": "", "first": "", "test": False, "text_zh": TEXT, **more}
    text_zh = str(given.pop("text_zh"))
    step = given.pop("step")
    assert isinstance(step, int)
    english = "home-1: SOS pressed at 21 Nov 12:00. Call or go there now."
    return Item(ALERT, step, severity, text_zh, english, ("2026-11-21 12:00:00+0800 sos d-1",), ("li",), **given)  # type: ignore[arg-type]


def test_with_a_link_and_answers_a_person_needs_no_command_line() -> None:
    letter = compose(Notice("zhang", 0, (item(link=LINK),), replies=True))
    assert letter.body == (
        f"{TEXT}\n"
        "已通知: li\n"
        f"接手 (点开后确认): {LINK}\n"
        "或回复: 1 3f2a 接手; 处理完后 2 误按, 3 看过了平安, 4 已送医\n"
        "依据:\n"
        "· 11月21日 12:00:00 按了紧急按钮 [d-1]\n"
        "\n"
        "home-1: SOS pressed at 21 Nov 12:00. Call or go there now.\n"
        "Told so far: li\n"
        f"Accept (open it, then confirm): {LINK}\n"
        "Or answer: 1 3f2a to accept; when it is over 2 false press, 3 visited, fine, 4 ambulance\n"
        "Evidence:\n"
        "· 21 Nov 12:00:00 SOS pressed [d-1]\n"
        "\n"
        "20261121-0400-sos-3f2a"
    )
    assert (letter.link, letter.code) == (LINK, "3f2a")


def test_where_there_are_several_communities_a_message_names_the_one_to_go_to() -> None:
    where = item(where="梧桐社区")
    letter = compose(Notice("zhang", 0, (where,)))
    assert letter.body.startswith(f"梧桐社区 · {TEXT}\n")
    assert "\n梧桐社区 · home-1: SOS pressed" in letter.body
    assert letter.short.startswith("梧桐社区 · home-1: 紧急求助")
    assert compose(Notice("zhang", 0, (where, where))).body.count("梧桐社区 · ") == 4


@pytest.mark.parametrize(("sites", "named"), [(("wutong", "hehuan"), "梧桐社区"), (("wutong",), "")])
def test_the_desk_names_the_community_only_where_there_are_several(sites: tuple[str, ...], named: str) -> None:
    names = {"wutong": "梧桐社区", "hehuan": "合欢社区"}
    registry = Registry(
        sites={site: Site(site, names[site]) for site in sites},
        devices={(site, "home-1"): Device(site, "home-1", place="3-201") for site in sites},
    )
    people = Alerts(people=[Person(id="zhang", urls=["json://127.0.0.1:1"])])
    desk = AlertDesk(people, registry, clock_ns=lambda: NOW_NS, changed=lambda: None)
    call = Event("wutong", "home-1", "3-201", 1, 0, NOW_NS, NOW_NS, "ntp", 0, None, "sos", [Reading("sos", 1.0)])
    (notice,) = desk.rehearse(call)[1]
    assert [one.where for one in notice.items] == [named]


def test_what_the_staff_only_has_to_know_asks_nobody_to_accept() -> None:
    letter = compose(Notice("zhang", 0, (item(Severity.NOTICE, once=True),)))
    assert not [word for word in ("接手", "ccept", "kanhu alerts", "回复") if word in letter.body + letter.short]


def test_each_message_has_a_name_of_its_own_that_tells_nothing() -> None:
    names = {
        compose(Notice(person, channel, (item(step=step),))).reference
        for person in ("zhang", "li")
        for channel in (0, 1)
        for step in (1, 2)
    }
    assert len(names) == 8
    assert all(len(name) == 24 and "zhang" not in name for name in names)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("not_closed", "重新打开: wang 接手后还没有处理完毕。"),
        ("again", "重新打开: wang 接手后又按了一次。"),
        ("worse", "情况加重。"),
        ("", ""),
    ],
)
def test_a_message_that_comes_again_says_why(why: str, said: str) -> None:
    body = compose(Notice("zhang", 0, (item(reopened=why, first="wang"),))).body
    assert said in body
    assert ("重新打开" in body) == (why in ("not_closed", "again"))


@pytest.mark.parametrize("replies", [True, False])
@pytest.mark.parametrize("text", [TEXT, "很长" * 100])
def test_the_short_form_fits_one_sms_and_keeps_the_answer(text: str, replies: bool) -> None:
    short = compose(Notice("zhang", 0, (item(text_zh=text),), replies=replies)).short
    assert 0 < len(short) <= 70
    assert ("回复1 3f2a接手" in short) == replies
    assert LINK not in short


def test_the_title_of_a_link_shows_no_link_and_no_home() -> None:
    letter = compose(Notice("zhang", 0, (item(link=LINK),), replies=True))
    assert letter.title == "看护: 紧急 / Kanhu: urgent"


def test_a_digest_says_where_all_of_them_are() -> None:
    many = tuple(item(Severity.NOTICE) for _ in range(9))
    assert (
        "接手: https://visits.example.org/alerts"
        in compose(Notice("zhang", 0, many, page="https://visits.example.org/alerts")).body
    )
    assert "接手: kanhu alerts accept <id> --by zhang" in compose(Notice("zhang", 0, many)).body


def test_a_test_is_marked_and_asks_for_nothing() -> None:
    homes = tuple(item(Severity.NOTICE, test=True, text_zh=f"home-{n}: 测试") for n in range(3))
    letter = compose(Notice("zhang", 0, homes, replies=False))
    assert letter.test
    assert letter.title == "看护: 测试 / Kanhu: test"
    assert "这是测试, 不用处理。" in letter.body
    assert "home-2: 测试" in letter.body
    assert not any(word in letter.body for word in ("接手", "Accept", "求助", "kanhu alerts"))


def test_what_is_of_no_site_is_told_in_the_zone_that_all_sites_have() -> None:
    sites = {name: Site(name, name, "Asia/Shanghai") for name in ("wutong", "hehuan")}
    assert words.zh(NOW_NS, words.zone(Registry(sites=sites), "kanhu")) == "11月18日 19:06"
    several = {**sites, "urumqi": Site("urumqi", "urumqi", "Asia/Urumqi")}
    assert words.zh(NOW_NS, words.zone(Registry(sites=several), "kanhu")).endswith("UTC")
    assert words.zh(NOW_NS, words.zone(Registry(), "kanhu")).endswith("UTC")
