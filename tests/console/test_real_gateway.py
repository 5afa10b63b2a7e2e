"""The console beside a real gateway: what is decided in the browser is in the gateway's chain, and the gateway never waits."""

import os
import signal
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from playwright.sync_api import Browser, Page, expect

from edge_gateway import commands
from edge_gateway.errors import KanhuError, Unavailable
from edge_gateway.visits import chain
from edge_gateway.visits.look import open_ledger
from edge_gateway.visits.records import State, Visit
from tests.console.staff import REGISTRY, ZONE, ConsoleProcess, live
from tests.servers import eventually, free_port
from tests.spine import GatewayProcess

LONG = 60_000
expect.set_options(timeout=LONG)


class Home(msgspec.Struct):
    """Where gateway and console keep their files."""

    data_dir: Path


def answers(gateway: GatewayProcess) -> bool:
    try:
        return bool(commands.call(gateway.socket, "ping") == "pong")
    except KanhuError:
        return False


def said(gateway: GatewayProcess, claim: dict[str, str]) -> bool:
    """A courier's word, taken."""
    with suppress(Unavailable):
        gateway.call("visits.object", **claim)
        return True
    return False


def ledger_of(gateway: GatewayProcess) -> tuple[list[Visit], int]:
    """The visits, and how long the chain is that holds."""
    with open_ledger(gateway.folder / "var" / "visits.db") as ledger:
        return ledger.visits(), chain.verify(ledger.log())[0]


def test_a_visit_that_a_courier_missed_is_confirmed_in_the_browser_and_stands_in_the_chain(
    browser: Browser, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path / "gateway", {"broker": {"port": free_port()}}, REGISTRY)
    gateway.start(wait=False)
    try:
        eventually(lambda: answers(gateway), 60, "the gateway")
        day = (datetime.now(ZONE) - timedelta(days=1)).date().isoformat()
        claim = {"site": "yunhe", "visit": "", "courier": "r-17", "date": day, "place": "p-1"}
        eventually(lambda: said(gateway, {**claim, "text": "<b>送到了</b>，卡忘带了"}), 60, "the ledger to be open")
        (before,), _ = ledger_of(gateway)
        assert before.reviewing
        assert not before.counted
        (tmp_path / "console").mkdir()
        with ConsoleProcess(tmp_path / "console", Home(tmp_path / "gateway" / "var")) as console:
            page = browser.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN").new_page()
            page.set_default_timeout(LONG)
            console.enter(page, "anna", "/review")
            live(page)
            expect(page.get_by_text("<b>送到了</b>，卡忘带了").first).to_be_visible()
            page.get_by_role("button", name="确认来过").click()
            page.get_by_label("打卡时间").fill("11:40")
            page.get_by_role("button", name="保存").click()
            expect(page.locator(".total")).to_have_text("都核对完了。")
            (after,), whole = ledger_of(gateway)
            assert (after.state, after.counted, after.reviewing, after.by) == (State.ON_TIME, True, False, "anna")
            assert after.courier == "r-17"
            assert after.start_ns == int(datetime.fromisoformat(f"{day}T11:40:00+08:00").timestamp()) * 10**9
            assert whole >= 4, "claim and decision, each with the visit it made"
            cancel_a_day(page, gateway, console.url)
            # The console is frozen, then dead: nobody waits for it.
            assert console.process is not None
            os.kill(console.process.pid, signal.SIGSTOP)
            assert answers(gateway)
            console.process.kill()
            assert answers(gateway)
            page.context.close()
        assert gateway.running
    finally:
        gateway.kill()


def cancel_a_day(page: Page, gateway: GatewayProcess, url: str) -> None:
    """In the browser; and take it back."""
    monday = datetime.now(ZONE).date() + timedelta(days=7 - datetime.now(ZONE).weekday())
    line = {"id": "m" * 48, "site": "yunhe", "place": "p-1", "weekdays": [1], "first": monday.isoformat()}
    gateway.call("visits.plan", site="yunhe", by="test", rows=[line], replace=False)
    page.goto(f"{url}/plan?date={monday}")
    live(page)
    page.get_by_role("link", name="这天取消").click()
    live(page)
    page.get_by_label("原因").fill("家人来访")
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".slot.cancelled")).to_contain_text("家人来访")
    with open_ledger(gateway.folder / "var" / "visits.db") as ledger:
        (found,) = ledger.exceptions("yunhe")
    assert (found.date, found.kind, found.plan, found.reason) == (monday.isoformat(), "cancelled", "m" * 48, "家人来访")
    page.get_by_role("link", name="恢复").click()
    live(page)
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".slot.cancelled")).to_have_count(0)
    with open_ledger(gateway.folder / "var" / "visits.db") as ledger:
        assert ledger.exceptions("yunhe") == []


def test_a_browser_that_sends_nothing_takes_nothing_from_the_others(console: ConsoleProcess) -> None:
    import socket

    idle = []
    try:
        for _ in range(150):
            one = socket.create_connection(("127.0.0.1", console.port), 5)
            one.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            idle.append(one)
        began = time.monotonic()
        assert console.get("/login").status == 200
        assert time.monotonic() - began < 60, "an answer at all, whatever the machine does besides"
    finally:
        for one in idle:
            one.close()
