"""The homes' pages in a real browser, on a cheap phone and at a desk: what is tapped is done, by a named person alone."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.console.audit import Audit
from dashboards.console.homes import words
from dashboards.console.store import Store
from edge_gateway.alerts.alert import Alert, State
from edge_gateway.errors import Unavailable
from edge_gateway.homes.home import Home
from edge_gateway.homes.look import open_homes
from edge_gateway.rules import Severity
from tests.console.homes import EVIL, Morning, at, registry
from tests.console.staff import ConsoleProcess
from tests.home_gateway import HOUR, HomeGateway
from tests.servers import eventually
from tests.web import ask

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1440, "height": 900}
LONG = 60_000  # ms: the machine is slow and shared
expect.set_options(timeout=LONG)


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Morning, ConsoleProcess]]:
    folder = tmp_path_factory.mktemp("homes")
    with Morning(folder / "g") as found, ConsoleProcess(folder, found, registry=registry()) as console:
        yield found, console


@pytest.fixture
def morning(_served: tuple[Morning, ConsoleProcess]) -> Morning:
    return _served[0].begin()


@pytest.fixture
def console(_served: tuple[Morning, ConsoleProcess], morning: Morning) -> ConsoleProcess:
    return _served[1]


def opened(browser: Browser, size: dict[str, int] = PHONE) -> Page:
    page = browser.new_context(viewport=size, locale="zh-CN").new_page()  # type: ignore[arg-type]
    page.set_default_timeout(LONG)
    return page


def alert(gateway: HomeGateway, id_: str) -> Alert:
    with open_homes(gateway.settings.store_file) as look:
        found = look.alert(id_)
    assert found is not None
    return found


def home(gateway: HomeGateway, place: str) -> Home:
    with open_homes(gateway.settings.store_file) as look:
        found = look.home("yunhe", place)
    assert found is not None
    return found


def log(gateway: HomeGateway, place: str) -> list[tuple[str, str]]:
    with open_homes(gateway.settings.store_file) as look:
        return [(note.who, note.what) for note in look.log("yunhe", place)]


def card(page: Page, place: str) -> str:
    return f'article[data-place="{place}"]'


def csrf_of(console: ConsoleProcess, cookie: str) -> str:
    found = re.search(r'name="csrf" value="([\w-]{22})"', console.get("/alerts", cookie).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("size", [pytest.param(PHONE, id="phone"), pytest.param(DESK, id="desk")])
def test_every_page_fits_its_screen_its_buttons_a_finger_and_text_is_text(
    browser: Browser, console: ConsoleProcess, morning: Morning, size: dict[str, int], tmp_path: Path
) -> None:
    page = opened(browser, size)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    console.enter(page, "anna", "/")
    assert page.url == f"{console.url}/round", "who looks after homes begins with the round"
    worry = morning.open("w3-202", "inactivity")
    paths = (
        "/round", "/alerts", f"/alert?id={worry}", "/home?site=yunhe&place=w7-301", "/home?site=yunhe&place=w7-302",
        "/home?site=yunhe&place=w7-303", "/wall",
    )  # fmt: skip
    for number, path in enumerate(paths):
        page.goto(console.url + path)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        page.screenshot(path=tmp_path / f"{number}-{size['width']}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        small = page.evaluate(
            "[...document.querySelectorAll('button, select, input:not([type=hidden]), summary, .act, .chip')]"
            ".map(e => [e.innerText, e.getBoundingClientRect().height]).filter(([_, height]) => height > 0 && height < 43.5)"
        )
        assert small == [], f"{path}: too small for a finger"
        letters = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
        assert letters >= 20, "large type"
        assert page.evaluate("window.hacked") is None
    page.goto(f"{console.url}/alert?id={worry}")
    expect(page.get_by_text(EVIL)).to_be_visible()
    assert faults == []
    page.context.close()


def test_the_round_begins_with_who_is_in_danger_and_folds_away_who_is_well(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/round")
    places = page.locator("article.home").evaluate_all("found => found.map(e => e.dataset.place)")
    assert places == ["w3-201", "w5-101", "w3-202", "w5-102"]
    expect(page.locator(".total")).to_have_text("3 户要先看")
    assert page.title().startswith("(1) ")
    expect(page.locator(card(page, "w3-201"))).to_contain_text("! 紧急")
    expect(page.locator(card(page, "w3-202"))).to_contain_text("厨房和客厅 5 小时没有动静")
    folded = {group: page.locator(f"#group-{group} summary").inner_text() for group in ("fine", "seen", "away", "paused")}
    assert folded == {"fine": "✓ 和平时一样 5", "seen": "✓ 今天看过了 1", "away": "→ 外出 1", "paused": "‖ 不看护 1"}
    assert "x-1" not in page.content(), "another site's"
    page.get_by_role("button", name="English").click()
    expect(page.locator(".total")).to_have_text("3 homes first")
    expect(page.locator(card(page, "w5-101"))).to_contain_text("the home is asking whether all is well")
    page.get_by_role("button", name="中文").click()
    expect(page.locator(".total")).to_have_text("3 户要先看")  # a browser that is closed on its way to a page may hang
    page.context.close()


def test_seen_and_fine_is_one_tap_and_says_what_it_did(browser: Browser, console: ConsoleProcess, morning: Morning) -> None:
    soft = morning.open("w3-202", "inactivity")
    page = opened(browser)
    console.enter(page, "anna", "/round")
    page.locator(card(page, "w3-202")).get_by_role("button", name="看过了，平安").click()
    expect(page.locator("#did p")).to_have_text("✓ 已记下：w3-202 看过了，平安。")
    expect(page.locator(card(page, "w3-202"))).to_have_count(0)
    expect(page.locator("#group-seen summary")).to_have_text("✓ 今天看过了 2")
    found = alert(morning, soft)
    assert (found.state, found.closed_by, found.history[-1].reason) == (State.CLOSED, "anna", "seen_fine")
    assert home(morning, "w3-202").life_name == "seen"
    assert log(morning, "w3-202")[0] == ("anna", "seen")
    expect(page.locator(card(page, "w3-201")).get_by_role("button")).to_have_count(0)
    page.reload()
    expect(page.locator("#did")).to_have_count(0)
    page.context.close()


def test_a_slip_of_the_finger_is_taken_back(browser: Browser, console: ConsoleProcess, morning: Morning) -> None:
    before = home(morning, "w5-101")
    page = opened(browser)
    console.enter(page, "anna", "/round")
    page.locator(card(page, "w5-101")).get_by_role("button", name="看过了，平安").click()
    page.locator("#did").get_by_role("button", name="点错了，撤销").click()
    expect(page.locator("#did")).to_have_text("✓ 已撤销：w5-101 没有记为看过。")
    assert (home(morning, "w5-101").life_ns, home(morning, "w5-101").signs) == (before.life_ns, before.signs)
    page.context.close()


def test_an_sos_is_accepted_by_one_tap_and_closed_with_a_reason_by_who_is_logged_in(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    sos = morning.open("w3-201", "sos")
    page = opened(browser)
    console.enter(page, "anna", "/round")
    page.locator(card(page, "w3-201")).get_by_role("link", name="查看告警").click()
    expect(page.locator(".steps li.on")).to_have_count(2)
    expect(page.locator(".evidence")).to_contain_text("按了紧急按钮 [d-w3-201")
    assert alert(morning, sos).state is State.RAISED, "looking accepts nothing"
    page.get_by_role("button", name="我来接手").click()
    expect(page.locator("#did")).to_contain_text("您已接手")
    assert (alert(morning, sos).state, alert(morning, sos).accepted_by) == (State.ACCEPTED, "anna")
    other = opened(browser)
    console.enter(other, "eve", f"/alert?id={sos}")
    expect(other.locator(".card .total")).to_contain_text("anna 已接手")
    other.context.close()
    page.get_by_role("button", name="看过了, 平安").click()
    expect(page.locator("#live .did")).to_contain_text("anna · 看过了, 平安")
    expect(page.locator(".steps li.on")).to_have_count(4)
    closed = alert(morning, sos)
    assert (closed.state, closed.closed_by, closed.history[-1].reason) == (State.CLOSED, "anna", "visited_fine")
    expect(page.get_by_role("button", name="我来接手")).to_have_count(0)
    page.context.close()


def test_it_may_be_closed_in_ones_own_words_which_stay_words(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    sos = morning.open("w3-201", "sos")
    page = opened(browser)
    console.enter(page, "anna", f"/alert?id={sos}")
    page.get_by_text("不接手，直接处理完毕").click()
    page.locator("summary", has_text="其他原因").click()
    page.locator("[name=words]").fill(f"女儿接走了 {EVIL}")
    page.get_by_role("button", name="按这个原因处理完毕").click()
    expect(page.locator("#live .did")).to_contain_text(EVIL)
    assert page.evaluate("window.hacked") is None
    assert alert(morning, sos).history[-1].reason.startswith("女儿接走了")
    page.context.close()


@pytest.mark.parametrize("who", ["tom", "vera", "screen", "mei", "nobody"])
def test_whoever_may_not_cannot_accept_close_or_say_anything_however_he_asks(
    console: ConsoleProcess, morning: Morning, who: str
) -> None:
    sos = morning.open("w3-201", "sos")
    cookie = console.cookie(who) if who != "nobody" else ""
    token = csrf_of(console, cookie) if who == "mei" else console_token(console, cookie)
    before = home(morning, "w3-201")
    for path, fields in (
        ("/alert/accept", {"id": sos}),
        ("/alert/close", {"id": sos, "reason": "test"}),
        ("/home/seen", at("w3-201")),
        ("/home/pause", {**at("w3-201"), "hours": "8"}),
        ("/home/away", {**at("w3-201"), "kind": "long", "last": "2027-01-01"}),
        ("/home/consent", {**at("w3-201"), "version": "1", "date": "2026-11-21", "given": "no"}),
        ("/home/test", at("w3-201")),
        ("/round/emergency", {"site": "yunhe", "kind": "heat", "hours": "24"}),
    ):
        answer = console.post(path, {**fields, "csrf": token}, cookie)
        assert answer.status == (303 if who == "nobody" else 403), path
        if who == "nobody":
            assert answer.headers["location"].startswith("/login")
    assert alert(morning, sos).state is State.RAISED
    after = home(morning, "w3-201")
    assert (after.pause, after.away, after.consents, after.signs) == (before.pause, before.away, before.consents, before.signs)


def console_token(console: ConsoleProcess, cookie: str) -> str:
    """The token of a session, from whatever page it may see."""
    found = re.search(r'name="csrf" value="([\w-]{22})"', console.get("/", cookie).text + console.get("/wall", cookie).text)
    return found[1] if found else "A" * 22


def test_a_get_a_form_without_its_token_and_another_page_change_nothing(console: ConsoleProcess, morning: Morning) -> None:
    sos = morning.open("w3-201", "sos")
    cookie = console.cookie("anna")
    assert console.get(f"/alert/accept?id={sos}", cookie).status in (404, 405)
    assert console.post("/alert/accept", {"id": sos}, cookie).status == 403
    assert console.post("/alert/accept", {"id": sos, "csrf": "A" * 22}, cookie).status == 403
    token = csrf_of(console, cookie)
    assert console.post("/alert/accept", {"id": sos, "csrf": token}, cookie, origin="https://evil.example").status == 403
    assert alert(morning, sos).state is State.RAISED
    assert console.post("/alert/accept", {"id": sos, "csrf": token}, cookie).status == 303
    assert alert(morning, sos).accepted_by == "anna"
    assert console.post("/alert/close", {"id": sos, "csrf": token}, cookie).status == 400, "no reason"
    assert alert(morning, sos).state is State.ACCEPTED


def test_who_comes_second_is_told_and_changes_nothing(console: ConsoleProcess, morning: Morning) -> None:
    sos = morning.open("w3-201", "sos")
    anna, eve = console.cookie("anna"), console.cookie("eve")
    for cookie, did in ((anna, "accept"), (eve, "other")):
        answer = console.post("/alert/accept", {"id": sos, "csrf": csrf_of(console, cookie)}, cookie)
        assert f"did={did}" in answer.headers["location"]
    for cookie, did in ((eve, "close"), (anna, "over")):
        given = {"id": sos, "reason": "visited_fine", "csrf": csrf_of(console, cookie)}
        answer = console.post("/alert/close", given, cookie)
        assert f"did={did}" in answer.headers["location"]
    assert (alert(morning, sos).accepted_by, alert(morning, sos).closed_by) == ("anna", "eve")


def test_whoever_has_to_log_in_first_comes_to_the_alert_he_asked_for(console: ConsoleProcess, morning: Morning) -> None:
    there = f"/alert?id={morning.open('w3-201', 'sos')}"
    answer = console.get(there)
    assert answer.status == 303
    login = console.get(answer.headers["location"])
    assert f'name="next" value="{there}"' in login.text


def test_who_has_several_sites_begins_where_somebody_calls_for_help_and_sees_it_from_the_others(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    page = opened(browser)
    console.enter(page, "admin", "/round")
    expect(page.locator(".chip.here")).to_have_text("别处 ! 1")
    expect(page.locator(".chip.urgent")).to_have_count(2)
    morning.call("alerts.accept", id=morning.open("x-1", "sos", "other"), by="zhang")
    for path in ("/round", "/wall"):
        page.goto(console.url + path)
        expect(page.locator(".chip.here")).to_have_text("运河社区 ! 1")
        page.goto(f"{console.url}{path}?site=other")
        expect(page.locator(".chip.here")).to_have_text("别处")
        expect(page.locator(".chip.urgent")).to_have_text("运河社区 ! 1")
    page.context.close()


def test_who_has_one_home_sees_that_home_alone(browser: Browser, console: ConsoleProcess, morning: Morning) -> None:
    page = opened(browser)
    console.enter(page, "mei", "/round")
    expect(page.locator("article.home")).to_have_count(1)
    assert "w3-201" not in page.content()
    expect(page.locator("#emergency")).to_have_count(0)
    for path in ("/alerts", f"/alert?id={morning.open('w3-201', 'sos')}", "/home?site=yunhe&place=w7-306", "/round?site=other"):
        page.goto(console.url + path)
        assert "w7-306 ·" not in page.content(), path
        assert "d-w3-201" not in page.content(), path
    page.goto(f"{console.url}/home?site=yunhe&place=w7-306")
    expect(page.locator(".empty")).to_have_text("没有这一户，或者不在您的范围内。")
    assert log(morning, "w7-306") == []
    page.context.close()


def test_who_looked_at_a_home_is_written_down_once_and_the_page_itself_looks_without_a_word(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/home?site=yunhe&place=w7-307")
    eventually(lambda: log(morning, "w7-307") == [("anna", "looked")], 30, "the look is written down")
    for _ in range(3):
        with page.expect_response(lambda answer: "/home" in answer.url):
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    store = Store(morning.data_dir / "console.db")
    looks = [e for e in Audit(store).entries(limit=100_000) if (e.what, e.subject) == ("looked", "yunhe/w7-307")]
    store.close()
    assert {entry.who for entry in looks} == {"anna"}
    assert len(looks) == 1
    page.reload()
    page.locator("#log summary").click()
    expect(page.locator("#log")).to_contain_text("anna · 看过 · 看这一户")
    page.context.close()


@pytest.mark.parametrize("path", ["/home?site=yunhe&place={place}", "/alert?id={alert}"])
def test_who_says_that_a_page_only_draws_itself_anew_is_written_down_all_the_same(
    console: ConsoleProcess, morning: Morning, path: str
) -> None:
    cookie, place = console.cookie("anna"), "w5-102"
    before = len(log(morning, place))
    address = console.url + path.format(place=place, alert=morning.open(place, "silence"))
    for _ in range(3):
        assert place in ask(address, headers={"Cookie": f"kanhu={cookie}", "x-look": "1"}).text
    store = Store(morning.data_dir / "console.db")
    what = path[1:].partition("?")[0]
    looks = [e for e in Audit(store).entries(limit=100_000) if e.subject == f"yunhe/{place}" and f'"{what}"' in str(e.detail)]
    store.close()
    assert [(entry.who, entry.what) for entry in looks] == [("anna", "looked")]
    eventually(lambda: len(log(morning, place)) == before + 1, 30, "the look is in the home's log")


def test_a_name_is_shown_when_somebody_asks_and_the_asking_is_written_down(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    who = {"id": "e-1", "role": "elder", "site": "yunhe", "name": "王秀英", "phone": "138 0000 1111", "address": "3 栋 201"}
    eventually(lambda: "visits" not in morning.gateway.troubles.now, 30, "the ledger of names")
    eventually(lambda: set_(morning, who), 30, "the ledger of names is open")
    page = opened(browser)
    sos = morning.open("w3-201", "sos")
    console.enter(page, "anna", f"/alert?id={sos}")
    assert "王秀英" not in page.content()
    page.get_by_role("link", name="显示姓名和电话").click()
    expect(page.locator(".person")).to_contain_text("王秀英")
    assert page.locator(".person .call").get_attribute("href") == "tel:13800001111"
    drawn = page.locator("#as-of").inner_text()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#as-of")).not_to_have_text(drawn)  # the page has drawn itself anew
    expect(page.locator(".person")).to_contain_text("王秀英")
    store = Store(morning.data_dir / "console.db")
    asked = [e for e in Audit(store).entries(limit=100_000) if e.what == "looked" and "e-1" in e.detail]
    store.close()
    assert [(entry.who, entry.subject) for entry in asked] == [("anna", f"alert {sos}")]
    page.context.close()


def set_(morning: Morning, who: dict[str, str]) -> bool:
    """A name is in the gateway's sealed map."""
    try:
        morning.call("people.set", by="zhang", **who)
    except Unavailable:
        return False
    return True


@pytest.mark.parametrize("hours", ["\u00b2", "9" * 5000, "-1", "0", "", "1e9", "8760"])
def test_hours_that_no_form_offers_are_refused_with_a_word(console: ConsoleProcess, morning: Morning, hours: str) -> None:
    cookie = console.cookie("anna")
    token = csrf_of(console, cookie)
    about = {"site": "yunhe", "hours": hours, "csrf": token}
    for path, fields in (("/home/pause", {"place": "w5-103"}), ("/round/emergency", {"kind": "heat"})):
        assert console.post(path, {**about, **fields}, cookie).status == 400, path
    assert morning.home("w5-103").pause is None


def test_a_look_of_the_pages_own_timer_is_no_click(console: ConsoleProcess, morning: Morning) -> None:
    cookie = console.cookie("anna")
    store = Store(morning.data_dir / "console.db")
    long_ago = time.time_ns() - 20 * 60 * 10**9
    with store.write() as db:
        db.execute("UPDATE session SET seen_ns = ?", (long_ago,))

    def seen_ns() -> int:
        return max(int(row[0]) for row in store.rows("SELECT seen_ns FROM session WHERE user = 'anna'"))

    answer = ask(f"{console.url}/round", headers={"Cookie": f"kanhu={cookie}", "x-look": "1"})
    assert (answer.status, seen_ns()) == (200, long_ago)
    shown = re.search(r'data-shown="(\w+)"', answer.text)
    assert shown is not None
    again = ask(f"{console.url}/round", headers={"Cookie": f"kanhu={cookie}", "x-look": shown[1]})
    assert (again.status, again.content, seen_ns()) == (204, b"", long_ago), "nothing new: nothing is sent"
    morning.say("yunhe/d-w7-306", "sos", True, event=True)
    assert ask(f"{console.url}/round", headers={"Cookie": f"kanhu={cookie}", "x-look": shown[1]}).status == 200
    assert console.get("/round", cookie).status == 200
    assert seen_ns() > long_ago
    store.close()


def test_the_band_of_a_day_shows_life_bed_and_absence(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/home?site=yunhe&place=w7-301")
    expect(page.locator(".day")).to_have_count(8)
    yesterday = page.locator(".day svg").nth(1)
    assert yesterday.locator(".bed").count() == 2
    assert yesterday.locator(".away").count() == 1
    assert yesterday.locator(".life").count() > 10
    assert yesterday.get_attribute("aria-label") is not None
    expect(page.get_by_text("最早这么久后询问：白天 5 小时")).to_be_visible()
    expect(page.get_by_text(re.compile(r"通常 2\d:\d\d 左右睡下, 06:30 左右起床"))).to_be_visible()
    page.context.close()


def test_a_pause_by_the_elders_own_button_is_shown_as_that(console: ConsoleProcess, morning: Morning) -> None:
    morning.say("yunhe/d-w7-306", "pause", True, event=True)
    morning.tick()
    cookie = console.cookie("anna")
    page = console.get("/home?site=yunhe&place=w7-306", cookie).text
    assert "老人自己按键暂停到" in page and "· 老人自己按键<" in page
    assert "老人 · 暂停 · 到" in page, "in the log"
    told = console.get(f"/alert?id={morning.open('w7-306', 'paused')}", cookie).text
    assert "老人自己暂停看护" in told


def test_evidence_is_in_the_readers_language_and_a_place_has_its_community(console: ConsoleProcess, morning: Morning) -> None:
    cookie, worry = console.cookie("anna"), morning.open("w3-202", "inactivity")
    page = console.get(f"/alert?id={worry}", cookie).text
    assert "05:12:00 厨房 有动静 [d-w3-202]" in page and "运河社区" in page
    kept, noon_ns = "2026-11-21 05:12:00+0800 motion.kitchen d-1", 1_795_233_600 * 10**9
    assert words.evidence(kept, noon_ns, "en") == "today 05:12:00 kitchen motion [d-1]"
    assert words.evidence(kept, noon_ns, "zh-CN") == "今天 05:12:00 厨房 有动静 [d-1]"
    assert words.evidence("an error without a time", noon_ns, "en") == "an error without a time"
    listed = console.get("/alerts", cookie).text
    assert "运河社区 · w3-202" in listed and "运河社区 · w3-201" in listed


def test_pause_away_consent_and_emergency_are_said_on_the_page_and_stand_in_the_log(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/home?site=yunhe&place=w7-305")
    page.locator("#pause summary").click()
    page.locator("#pause select").select_option("24")
    page.locator("[name=reason]").fill("回老家前收拾")
    page.get_by_role("button", name="暂停看护").click()
    expect(page.locator("#did")).to_have_text("✓ w7-305 已暂停。")
    expect(page.locator("section.home")).to_contain_text("(anna 登记)")
    paused = home(morning, "w7-305").pause
    assert paused is not None
    assert (paused.by, paused.reason) == ("anna", "回老家前收拾")
    assert abs(paused.until_ns - time.time_ns() - 24 * HOUR) < HOUR // 10
    page.get_by_role("button", name="恢复看护").click()
    expect(page.locator("#did")).to_contain_text("恢复看护")
    assert home(morning, "w7-305").pause is None
    page.locator("#away summary").click()
    page.locator("#away select").select_option("daughter")
    page.get_by_role("button", name="记为外出").click()
    expect(page.locator("section.home")).to_contain_text("在女儿家")
    page.get_by_role("button", name="已经回家").click()
    expect(page.locator("#did")).to_contain_text("记为在家")
    page.locator("[name=version]").fill("2026-2")
    page.get_by_role("button", name="登记：同意").click()
    expect(page.locator("#consent")).to_contain_text("同意，第 2026-2 版，anna 登记")
    page.locator("#log summary").click()
    expect(page.locator("#log")).to_contain_text("anna · 暂停 · 到 明天")
    said = [what for _, what in log(morning, "w7-305") if what != "looked"]
    assert said == ["consent", "back", "away", "resumed", "paused"]
    page.goto(f"{console.url}/round")
    page.locator("#emergency summary").click()
    page.get_by_role("button", name="高温").click()
    expect(page.locator(".mode")).to_have_text("☀ 应急: 高温")
    first = page.locator("article.weather").first
    expect(first).to_contain_text("高温期间 12 小时内没有人看过, 室温 32 °C")
    page.locator("#emergency summary").click()
    page.get_by_role("button", name="结束应急").click()
    expect(page.locator(".mode")).to_have_count(0)
    page.context.close()


def test_what_the_gateway_refuses_is_said_and_a_home_without_a_button_is_no_test(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    cookie = console.cookie("anna")
    token = csrf_of(console, cookie)
    answer = console.post("/home/away", {**at("w7-305"), "kind": "long", "last": "soon", "csrf": token}, cookie)
    assert answer.status == 400
    assert "最后一天" in answer.text
    answer = console.post("/home/seen", {"site": "yunhe", "place": "nowhere", "csrf": token}, cookie)
    assert answer.status == 400
    assert "no home of the registry" in answer.text


def test_while_the_gateway_is_away_everything_is_seen_and_nobody_believes_he_has_accepted(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    sos = morning.open("w3-201", "sos")
    page = opened(browser)
    console.enter(page, "anna", f"/alert?id={sos}")
    morning.go()
    try:
        page.get_by_role("button", name="我来接手").click()
        expect(page.locator("#did")).to_contain_text("可能没有保存。请直接打电话或上门")
        expect(page.locator("#live .away").first).to_contain_text("网关没有应答")
        page.goto(f"{console.url}/round")
        expect(page.locator(card(page, "w3-201"))).to_be_visible()
    finally:
        morning.come()
    assert alert(morning, sos).state is State.RAISED
    page.context.close()


def test_an_open_page_shows_a_new_sos_without_a_tap_but_never_under_a_finger(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/round")
    page.locator("#group-fine summary").click()
    page.mouse.wheel(0, 1)
    morning.say("yunhe/d-w7-306", "sos", True, event=True)
    with page.expect_response(lambda answer: "/round" in answer.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(card(page, "w7-306"))).to_have_count(0)
    expect(page.locator(card(page, "w7-306"))).to_have_count(1)  # some seconds after the last touch
    assert page.locator("#group-fine").get_attribute("open") is not None, "what was unfolded stays so"
    page.context.close()


def test_a_page_that_cannot_be_drawn_anew_says_that_it_is_old(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "screen", "/wall")
    page.route("**/wall", lambda route: route.abort())
    for _ in range(2):
        with page.expect_event("requestfailed"):
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#lost")).to_be_visible()
    page.unroute("**/wall")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#lost")).to_be_hidden()
    page.context.close()


def test_the_wall_shows_pseudonyms_and_states_and_can_do_nothing(
    browser: Browser, console: ConsoleProcess, morning: Morning
) -> None:
    page = opened(browser, DESK)
    console.enter(page, "screen", "/")
    assert page.url == f"{console.url}/wall"
    tiles = page.locator(".tile").evaluate_all("found => found.map(e => e.dataset.place)")
    assert tiles == ["w3-201", "w5-101", "w3-202"]
    assert page.locator("#live a, #live form, #live button").count() == 0
    assert "没有动静" not in page.content(), "no evidence where anybody may stand"
    assert re.search(r"(?<![\w-])e-1(?![\w-])", page.content()) is None  # a random id of the page may well hold it
    cookie = page.context.cookies()[0]["value"]
    sos = morning.open("w3-201", "sos")
    for path in ("/round", "/alerts", f"/alert?id={sos}", "/home?site=yunhe&place=w3-201", "/ledger"):
        assert console.get(path, cookie).status == 403, path
    page.context.close()


def test_a_trouble_of_the_whole_site_is_above_all_homes(browser: Browser, console: ConsoleProcess, morning: Morning) -> None:
    morning.find("", "silence", Severity.WARNING, "yunhe: 12 台设备一起失联, 多半是停电。")
    page = opened(browser)
    console.enter(page, "anna", "/round")
    expect(page.locator(".banner")).to_contain_text("12 台设备一起失联")
    page.locator(".banner").get_by_role("link").click()
    expect(page.get_by_role("button", name="我来接手")).to_be_visible()
    page.context.close()
    other = opened(browser)
    console.enter(other, "mei", "/round")
    expect(other.locator(".banner")).to_contain_text("12 台设备一起失联")
    expect(other.locator(".banner a")).to_have_count(0)
    other.context.close()
