"""Sessions, the brake on guessing, accounts and the log of what was done, without a web server; the time is moved."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.console import users as people
from dashboards.console.access import Access, Throttle
from dashboards.console.audit import Audit
from dashboards.console.html import tag
from dashboards.console.language import LANGUAGES, TEXTS, of_browser, say
from dashboards.console.roles import RIGHTS, Right, Role, may_see
from dashboards.console.store import Store
from dashboards.console.users import User, Users
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.settings import Console

MINUTE = 60 * 10**9


class World:
    def __init__(self, file: Path) -> None:
        self.now = 1_800_000_000 * 10**9
        self.store = Store(file)
        self.audit = Audit(self.store)
        self.users = Users(self.store, self.audit)
        self.access = Access(self.store, self.users, self.audit, Console(), lambda: self.now)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path / "console.db")
    found.users.add(User("boss", Role.ADMIN, ("*",)), people.NOBODY, "test")
    found.users.add(User("anna", Role.STAFF, ("yunhe",)), people.NOBODY, "test")
    yield found
    found.store.close()


def enter(world: World, name: str = "anna") -> str:
    user = world.users.find(name)
    assert user is not None
    return world.access.begin(user, "127.0.0.1")[0]


async def test_a_session_ends_after_half_an_hour_without_a_click(world: World) -> None:
    cookie = enter(world)
    for _ in range(4):
        world.now += 29 * MINUTE
        assert await world.access.find(cookie) is not None
    world.now += 31 * MINUTE
    assert await world.access.find(cookie) is None


async def test_a_page_that_only_looks_keeps_nobody_logged_in(world: World) -> None:
    cookie = enter(world)
    session = await world.access.find(cookie)
    assert session is not None
    for minutes in (10, 20, 29):
        assert await world.access.still(session, touch=False) is not None, minutes
        world.now += 10 * MINUTE
    assert await world.access.still(session, touch=False) is None


async def test_a_page_that_draws_itself_anew_keeps_nobody_logged_in(world: World) -> None:
    cookie = enter(world)
    for _ in range(3):
        world.now += 10 * MINUTE - MINUTE // 10
        assert await world.access.find(cookie, touch=False) is not None
    world.now += MINUTE
    assert await world.access.find(cookie, touch=False) is None


async def test_a_session_ends_after_twelve_hours_whatever_is_clicked(world: World) -> None:
    cookie = enter(world)
    for _ in range(35):
        world.now += 20 * MINUTE
        assert await world.access.find(cookie) is not None
    world.now += 21 * MINUTE
    assert await world.access.find(cookie) is None


async def test_a_screen_at_the_desk_stays_for_a_month_and_may_do_nothing_else(world: World) -> None:
    world.users.add(User("desk", Role.KIOSK, ("yunhe",)), people.NOBODY, "test")
    cookie = enter(world, "desk")
    world.now += 29 * 24 * 60 * MINUTE
    found = await world.access.find(cookie)
    assert found is not None
    assert RIGHTS[found.user.role] == {Right.KIOSK, Right.WALL}, "look, and nothing else"
    world.now += 2 * 24 * 60 * MINUTE
    assert await world.access.find(cookie) is None


async def test_a_clock_that_was_set_back_makes_no_session_immortal(world: World) -> None:
    cookie = enter(world)
    world.now -= 60 * MINUTE
    assert await world.access.find(cookie) is None


@pytest.mark.parametrize("change", ["password", "role", "removed"])
async def test_another_password_or_role_ends_every_session(world: World, change: str) -> None:
    cookie = enter(world)
    if change == "password":
        world.users.set_password("anna", people.NOBODY, "boss")
    elif change == "role":
        world.users.set_role("anna", Role.TECHNICIAN, ("*",), "boss")
    else:
        world.users.remove("anna", "boss")
    assert await world.access.find(cookie) is None


def test_the_last_administrator_stays(world: World) -> None:
    with pytest.raises(Rejected, match="last_admin"):
        world.users.remove("boss", "boss")
    with pytest.raises(Rejected, match="last_admin"):
        world.users.set_role("boss", Role.STAFF, (), "boss")
    assert world.users.find("boss") is not None


def test_no_second_first_administrator(world: World) -> None:
    with pytest.raises(Rejected, match="not_first"):
        world.users.add(User("late", Role.ADMIN, ("*",)), people.NOBODY, "code", first=True)


@pytest.mark.parametrize(
    "user",
    [
        User("Anna", Role.STAFF, ()),
        User("../x", Role.STAFF, ()),
        User("x" * 49, Role.STAFF, ()),
        User("x", Role.STAFF, ("a/b/c",)),
        User("x", Role.STAFF, ("",)),
        User("x", Role.STAFF, (), "fr"),
    ],
)
def test_an_impossible_account_is_refused_with_what_would_be_right(world: World, user: User) -> None:
    with pytest.raises(Rejected):
        world.users.add(user, people.NOBODY, "boss")


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa", "x" * 201, ""])
def test_a_password_that_is_guessed_at_once_is_refused(password: str) -> None:
    with pytest.raises(Rejected, match="bad_password"):
        people.check_password(password, "anna")


def test_a_hash_fits_its_password_alone() -> None:
    stored = people.hashed("correct horse 7")
    assert stored.startswith("scrypt$17$8$1$")
    assert people.fits("correct horse 7", stored)
    assert not people.fits("correct horse 8", stored)
    assert not people.fits("", people.NOBODY)


def test_five_failures_in_a_minute_make_wait_and_each_round_twice_as_long() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    waits = []
    for _ in range(6):
        for _ in range(5):
            assert throttle.wait_s("a") == 0
            throttle.failed("a")
        waits.append(throttle.wait_s("a"))
        now[0] += waits[-1]
    assert waits == [60, 120, 240, 480, 900, 900]
    assert throttle.wait_s("somebody else") == 0


def test_slow_mistakes_never_lock() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(50):
        throttle.failed("a")
        now[0] += 16
    assert throttle.wait_s("a") == 0


def test_a_million_guessers_take_bounded_memory() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(30_000):
        throttle.failed(f"address {number}")
    assert len(throttle._failures) <= 10_000


async def test_a_flood_of_tries_is_refused_before_it_takes_the_memory(world: World) -> None:
    world.access._waiting = 8
    with pytest.raises(Unavailable, match="too many"):
        await world.access.log_in("anna", "x", "127.0.0.1")


def test_what_was_done_cannot_be_changed_or_removed_without_a_trace(world: World) -> None:
    for n in range(5):
        world.audit.write("anna", "looked", f"e-{n}")
    assert world.audit.trouble() == ""
    with pytest.raises(sqlite3.Error, match="stays"), world.store.write() as db:
        db.execute("DELETE FROM audit WHERE n = 3")
    with pytest.raises(sqlite3.Error, match="stays"), world.store.write() as db:
        db.execute("UPDATE audit SET who = 'nobody'")
    last = world.audit.head()[0]
    for damage, words in (
        ("UPDATE audit SET who = 'nobody' WHERE n = 3", "entry 3 is not what was written"),
        ("DELETE FROM audit WHERE n = 4", "entry 3 is not"),
        (f"DELETE FROM audit WHERE n = {last}", "entry 3 is not"),
    ):
        with world.store.write() as db:
            db.execute("DROP TRIGGER IF EXISTS audit_stays")
            db.execute("DROP TRIGGER IF EXISTS audit_kept")
            db.execute(damage)
        assert words in world.audit.trouble()


def test_a_log_whose_end_was_cut_off_is_told(world: World) -> None:
    for n in range(5):
        world.audit.write("anna", "looked", f"e-{n}")
    with world.store.write() as db:
        db.execute("DROP TRIGGER audit_kept")
        db.execute("DELETE FROM audit WHERE n > 5")
    assert world.audit.trouble() == "entries 6 to 7 are missing"


@pytest.mark.parametrize(
    ("places", "seen"),
    [(("*",), True), (("yunhe",), True), (("yunhe/p-1",), True), (("yunhe/p-2",), False), (("other",), False), ((), False)],
)
def test_places_bound_what_is_seen(places: tuple[str, ...], seen: bool) -> None:
    assert may_see(User("x", Role.STAFF, places), "yunhe", "p-1") is seen


def test_a_place_is_not_the_whole_site() -> None:
    assert not may_see(User("x", Role.STAFF, ("yunhe/p-1",)), "yunhe")


def test_everything_in_a_page_is_text() -> None:
    evil = '"><script>x</script>'
    made = tag("p", evil, tag("b", evil), title=evil)
    assert "<script" not in made
    assert made.count("&lt;script&gt;") == 3
    assert '="">' not in made


def test_every_text_is_there_in_both_languages() -> None:
    assert len(LANGUAGES) == 2
    for key, pair in TEXTS.items():
        assert all(pair), key
    assert say("wait", "en", minutes=2) == "Too many tries. Please try again in 2 min."


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("en-US,en;q=0.9,zh;q=0.8", "en"), ("zh-CN,en;q=0.8", "zh-CN"), ("", "zh-CN"), ("fr", "zh-CN")],
)
def test_a_browser_is_spoken_to_in_its_language_and_else_in_chinese(accepted: str, language: str) -> None:
    assert of_browser(accepted) == language
