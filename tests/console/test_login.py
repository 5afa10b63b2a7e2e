"""Who comes in, who does not, and when it ends: the console as a real process, asked by a plain client."""

import re
import signal
from pathlib import Path

import pytest

from dashboards.console.address import first_code_file
from dashboards.console.audit import Audit
from dashboards.console.roles import Role
from dashboards.console.store import Store
from dashboards.console.users import User, Users, hashed
from tests.console.staff import PASSWORD, ConsoleProcess, Village


def csrf_of(console: ConsoleProcess, cookie: str) -> str:
    found = re.search(r'"csrf".{0,60}?"([\w-]{22})"', console.get("/plan", cookie).text, re.S)
    assert found is not None
    return found[1]


def test_whoever_is_not_logged_in_sees_only_the_log_in(console: ConsoleProcess) -> None:
    for path in ("/", "/ledger", "/review?site=yunhe", "/visit?site=yunhe&id=x", "/plan", "/desk", "/nowhere"):
        answer = console.get(path)
        assert answer.status == 303, path
        assert answer.headers["location"].startswith("/login"), path


def test_the_cookie_is_for_the_server_alone_and_no_file_holds_it(console: ConsoleProcess) -> None:
    answer = console.post("/login", {"name": "anna", "password": PASSWORD})
    kept = answer.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=lax" in kept
    value = kept.split("=", 1)[1].split(";")[0]
    assert len(value) >= 22
    assert value.encode() not in (console.village.data_dir / "console.db").read_bytes()
    assert console.get("/ledger", value).status == 200
    again = console.log_in("anna")
    assert again != value, "each log-in makes a new session"


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(console: ConsoleProcess) -> None:
    wrong = console.post("/login", {"name": "ben", "password": "not this one"})
    unknown = console.post("/login", {"name": "nobody", "password": "not this one"})
    assert wrong.status == unknown.status == 403
    assert wrong.text == unknown.text
    assert "set-cookie" not in wrong.headers


def test_a_session_that_was_ended_is_dead_on_the_server(console: ConsoleProcess) -> None:
    cookie = console.log_in("anna")
    answer = console.post("/logout", {"csrf": csrf_of(console, cookie)}, cookie)
    assert answer.headers["location"] == "/login"
    assert console.get("/ledger", cookie).status == 303


@pytest.mark.parametrize(
    ("fields", "origin"),
    [
        pytest.param({}, None, id="without the token"),
        pytest.param({"csrf": "A" * 22}, None, id="with another token"),
        pytest.param({"csrf": "right"}, "https://evil.example", id="from another page"),
        pytest.param({"csrf": "right"}, "", id="from nowhere"),
        pytest.param({"csrf": "right"}, "null", id="from a hidden page"),
    ],
)
def test_a_form_that_is_not_ours_changes_nothing(console: ConsoleProcess, fields: dict[str, str], origin: str | None) -> None:
    cookie = console.log_in("anna")
    token = csrf_of(console, cookie)
    fields = {name: token if value == "right" else value for name, value in fields.items()}
    assert console.post("/logout", fields, cookie, origin).status == 403
    assert console.get("/ledger", cookie).status == 200, "still logged in"


def test_a_name_that_is_not_ours_is_no_way_to_this_machine(console: ConsoleProcess) -> None:
    from tests.web import ask

    assert ask(console.url + "/login", headers={"Host": f"evil.example:{console.port}"}).status == 421


def test_the_socket_of_clicks_opens_for_the_page_of_the_session_alone(console: ConsoleProcess) -> None:
    cookie = console.log_in("anna")
    page = console.get("/ledger", cookie).text
    client = re.search(r"'client_id': '([0-9a-f-]{36})'", page)
    assert client is not None
    path = f"/_nicegui_ws/socket.io/?client_id={client[1]}&EIO=4&transport=websocket"
    own = {"cookie": f"kanhu={cookie}", "origin": console.url}
    assert upgrade(console, path, own) == 101
    assert upgrade(console, path, {**own, "origin": "https://evil.example"}) == 403
    assert upgrade(console, path, {"cookie": own["cookie"]}) == 403
    assert upgrade(console, path, {"origin": console.url}) == 403
    other = console.log_in("tom")
    assert upgrade(console, path, {**own, "cookie": f"kanhu={other}"}) == 403, "another one's page"


def upgrade(console: ConsoleProcess, path: str, headers: dict[str, str]) -> int:
    """The status of a WebSocket's opening request."""
    from tests.web import ask

    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    asked |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    return ask(console.url + path, headers={**asked, **headers}).status


def names(person: str, page: str) -> bool:
    """Whether a page speaks of a person; a random id of the page's own may well hold `e-2` by chance."""
    return re.search(rf"(?<![\w-]){person}(?![\w-])", page) is not None


@pytest.mark.parametrize("path", ["/ledger", "/review", "/plan", "/visit?site=yunhe&id=meal-1/2026-11-20"])
def test_a_technician_is_refused_by_the_server_and_learns_nothing(console: ConsoleProcess, path: str) -> None:
    answer = console.get(path, console.log_in("tom"))
    assert answer.status == 403
    assert "meal" not in answer.text
    assert not names("e-1", answer.text)


def test_staff_see_the_places_that_are_theirs(console: ConsoleProcess) -> None:
    ben = console.log_in("ben")
    page = console.get("/ledger?date=2026-11-20", ben).text
    assert "p-1" in page
    assert "p-2" not in page
    assert not names("e-2", console.get("/visit?site=yunhe&id=meal-2/2026-11-20", ben).text)
    assert console.get("/ledger?site=other", ben).status == 403


def test_the_headers_forbid_what_the_page_does_not_need(console: ConsoleProcess) -> None:
    own = console.get("/login").headers
    assert "script-src 'self';" in own["content-security-policy"]
    assert "unsafe" not in own["content-security-policy"]
    live = console.get("/ledger", console.log_in("anna"))
    policy = live.headers["content-security-policy"]
    nonce = re.search(r"'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    scripts = re.findall(r"<script[^>]*>", live.text)
    assert scripts
    assert all(nonce[1] in script for script in scripts)
    for headers in (own, live.headers):
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_what_is_too_large_is_not_read(console: ConsoleProcess) -> None:
    assert console.post("/login", {"name": "x" * 300_000, "password": "y"}).status == 413


def test_the_way_back_after_log_in_never_leads_elsewhere(console: ConsoleProcess) -> None:
    for bad in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        answer = console.post("/login", {"name": "anna", "password": PASSWORD, "next": bad})
        assert answer.headers["location"] == "/", bad


def test_guessing_is_stopped_for_the_account_and_everybody_hears_the_same(tmp_path: Path) -> None:
    with Village(tmp_path / "var") as village, ConsoleProcess(tmp_path, village) as console:
        answers = [console.post("/login", {"name": "anna", "password": f"guess {n} x"}).status for n in range(5)]
        assert answers == [403, 403, 403, 403, 429]
        locked = console.post("/login", {"name": "anna", "password": PASSWORD})
        assert locked.status == 429, "also with the right one, or the wait would tell"
        assert "set-cookie" not in locked.headers


def test_whom_the_command_line_made_logs_in_at_once_and_the_code_of_the_first_start_is_over(tmp_path: Path) -> None:
    with Village(tmp_path / "var") as village, ConsoleProcess(tmp_path, village, accounts=False) as console:
        store = Store(village.data_dir / "console.db")
        users = Users(store, Audit(store))
        users.add(User("anna", Role.STAFF, ("yunhe",)), hashed(PASSWORD), "terminal")
        assert console.get("/login").status == 200, "anna is no administrator, and has a password all the same"
        assert console.get("/first").status == 200, "an administrator is still to be made"
        users.add(User("chen", Role.ADMIN, ("*",)), hashed(PASSWORD), "terminal")
        store.close()
        assert console.get("/first").headers["location"] == "/login"
        assert console.post("/login", {"name": "chen", "password": PASSWORD}).status == 303
        assert not first_code_file(village.data_dir).exists()


def test_the_first_start_makes_one_administrator_by_the_code_on_the_terminal(tmp_path: Path) -> None:
    with Village(tmp_path / "var") as village, ConsoleProcess(tmp_path, village, accounts=False) as console:
        code = first_code_file(village.data_dir).read_text().strip()
        assert code not in console.log.read_text(), "a log is read by others"
        assert console.get("/login").headers["location"] == "/first"
        person = {"name": "zhang", "password": PASSWORD, "again": PASSWORD}
        assert console.post("/first", {**person, "code": "AAAA-AAAA-AAAA"}).status == 403
        assert console.post("/first", {**person, "code": code, "password": "short"}).status == 403
        answer = console.post("/first", {**person, "code": code.lower()})
        assert answer.status == 303, answer.text
        assert not first_code_file(village.data_dir).exists()
        again = console.post("/first", {**person, "code": code, "name": "second"})
        assert again.headers["location"] == "/login"
        console.end(signal.SIGTERM)
        store = Store(village.data_dir / "console.db")
        log = Audit(store)
        assert [entry.what for entry in log.entries()] == ["user_added", "logged_in"]
        assert log.trouble() == ""
        store.close()
