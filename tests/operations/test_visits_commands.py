"""`kanhu visits` and `kanhu people` against a real gateway: what a person types, what they are told, and what is kept."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from click.testing import Result
from typer.testing import CliRunner

import kanhu_app
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from tests.operations.test_cli import Site
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess

REGISTRY = """
[sites.wutong]
name = "梧桐"
zone = "Asia/Shanghai"

[[devices]]
site = "wutong"
id = "r1"
place = "p-1"
model = "rider_reader"
measures = ["tap"]
"""
FORGED = f"https://x.example/t?picc_data={'A1' * 16}&cmac={'B2' * 8}"
TODAY = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat()
PLAN = "编号,地点,老人,星期,开始,结束,配送员\nlunch-1,p-1,e-1,每天,0:01,23:59,k-1\nlunch-2,p-2,e-2,每天,0:01,23:59,k-1\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One gateway for the whole page; every test is about dates, plans and people of its own."""
    folder = tmp_path_factory.mktemp("visits")
    mosquitto = Mosquitto(folder / "broker")
    mosquitto.start()
    broker = {"port": mosquitto.port, "password_file": str(mosquitto.password_file)}
    gateway = GatewayProcess(folder / "gateway", {"broker": broker}, REGISTRY)
    gateway.start()
    found = Site(gateway, mosquitto)
    (folder / "plan.csv").write_text(PLAN, encoding="utf-8")
    found.ok("visits", "plan", "import", str(folder / "plan.csv"), "--by", "zhang")
    eventually(lambda: len(ledger(found)) == 2, 30.0, "both visits of today are planned")
    yield found
    gateway.stop()
    mosquitto.stop()


def alone(*arguments: str) -> Result:
    """A command that needs no gateway."""
    return CliRunner().invoke(kanhu_app.app, list(arguments))


def ledger(site: Site, *more: str) -> list[dict[str, object]]:
    """Rows of today."""
    found: list[dict[str, object]] = json.loads(site.ok("visits", "list", "--json", *more))
    return found


def visit(site: Site, id: str) -> dict[str, object]:
    return next(row for row in ledger(site) if row["id"] == id)


def test_today_is_shown_without_a_command_and_a_visit_with_its_history(site: Site) -> None:
    shown = site.ok("visits")
    assert "lunch-1" in shown
    assert "未到时间" in shown
    whole = site.ok("visits", "show", f"lunch-2/{TODAY}")
    assert re.search(r"\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d gateway: 未到时间", whole)
    assert "no visit" in str(site.error("visits", "show", "lunch-9/2026-11-01"))


def test_a_person_confirms_a_visit_and_the_ledger_keeps_what_was_there(site: Site) -> None:
    id = f"lunch-1/{TODAY}"
    told = site.ok(
        "visits", "decide", id, "confirm", "--by", "zhang", "--reason", "card_forgotten", "--courier", "k-2",
        "--start", f"{TODAY}T11:20",
    )  # fmt: skip
    assert "计入 counted" in told
    row = visit(site, id)
    assert (row["state"], row["counted"], row["courier"], row["by"]) == ("on_time", True, "k-2", "zhang")
    assert datetime.fromtimestamp(int(str(row["start_ns"])) / 1e9, ZoneInfo("Asia/Shanghai")).strftime("%H:%M") == "11:20"
    history = site.ok("visits", "show", id)
    assert "未到时间 → 准时" in history
    assert "zhang" in history
    site.ok("visits", "object", id, "--courier", "k-2", "--text", "a minute [red]earlier")
    waiting = site.ok("visits", "review")
    assert id in waiting
    assert "a minute [red]earlier" in waiting
    site.ok("visits", "decide", id, "approve", "--by", "li", "--reason", "seen")
    assert id not in site.ok("visits", "review")


def test_what_is_no_decision_is_refused_with_what_would_be_right(site: Site) -> None:
    id = f"lunch-2/{TODAY}"
    assert isinstance(site.error("visits", "decide", id, "pay", "--by", "zhang", "--reason", "x"), Misconfigured)
    assert isinstance(site.error("visits", "decide", id, "change", "--by", "zhang", "--reason", "x"), Rejected)
    assert isinstance(site.error("visits", "decide", id, "approve", "--by", "gateway", "--reason", "x"), Rejected)
    assert isinstance(
        site.error("visits", "decide", id, "confirm", "--by", "z", "--reason", "x", "--start", "noon"), Misconfigured
    )


def test_a_plan_with_one_bad_row_imports_nothing(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "plan.csv"
    file.write_text("地点,星期,开始,结束\np-8,每天,11:00,12:00\np-9,每天,11:00,noon\n", encoding="utf-8")
    error = site.error("visits", "plan", "import", str(file), "--by", "zhang")
    assert "plan.csv, row 3, closes" in str(error)
    assert "p-8" not in site.ok("visits", "plan", "list")
    file.write_text("地点,星期,开始,结束\np-8,每天,11:00,12:00\n", encoding="utf-8")
    assert "nothing was imported" in site.ok("visits", "plan", "import", str(file), "--by", "zhang", "--dry-run")
    assert "p-8" not in site.ok("visits", "plan", "list")


def test_a_workbook_brings_plans_exceptions_and_holidays_and_the_same_again_changes_nothing(site: Site, tmp_path: Path) -> None:
    form = tmp_path / "form.xlsx"
    assert alone("visits", "plan", "template", str(form)).exit_code == 0
    book = openpyxl.load_workbook(form)
    titles = {sheet.title: [cell.value for cell in sheet[1]] for sheet in book.worksheets}

    def put(page: str, **cells: str) -> None:
        for title, value in cells.items():
            book[page].cell(2, titles[page].index(title) + 1, value)

    put("计划", 编号="bath-7", 地点="p-7", 服务="助浴", 星期="周三", 开始="14:00", 结束="16:00", 结束打卡="是")
    put("例外", 日期="2027-01-06", 变更="取消", 计划="bath-7", 原因="体检")
    put("节假日", 日期="2027-01-01", 名称="元旦")
    book.save(form)
    assert "saved 1" in site.ok("visits", "plan", "import", str(form), "--by", "zhang")
    assert "unchanged 1" in site.ok("visits", "plan", "import", str(form), "--by", "zhang")
    assert "bath-7" in site.ok("visits", "plan", "list", "--place", "p-7")
    assert "2027-01-06 cancelled bath-7" in site.ok("visits", "except", "list")
    assert "2027-01-01 元旦" in site.ok("visits", "holidays", "list")
    site.ok("visits", "except", "add", "2027-01-13", "--plan", "bath-7", "--moved", "9:00-10:00", "--by", "zhang")
    shown = site.ok("visits", "except", "list")
    assert "2027-01-13 moved 09:00-10:00 bath-7" in shown
    ids = re.findall(r"2027\d{4}-bath-7", shown)
    assert "2 removed" in site.ok("visits", "except", "remove", *ids, "--by", "zhang")
    assert "没有" in site.ok("visits", "except", "list")
    assert "1 removed" in site.ok("visits", "plan", "remove", "bath-7", "--by", "zhang")


def test_names_are_sealed_shown_to_who_says_why_and_every_look_is_kept(site: Site) -> None:
    site.ok("people", "set", "e-1", "--by", "zhang", "--name", "王秀英", "--phone", "13800000000", "--address", "3 号楼 201")
    assert "e-1" in site.ok("people", "list")
    assert "王秀英" not in site.ok("people", "list")
    assert "e-1: 王秀英 · 13800000000 · 3 号楼 201" in site.ok(
        "people", "reveal", "e-1", "e-x", "--by", "li", "--why", "no answer"
    )
    looked = site.ok("people", "looked", "--id", "e-1").splitlines()
    assert re.search(r"li 看过 looked at e-1: no answer", looked[0])
    for file in (site.gateway.folder / "var").iterdir():
        if file.is_file():
            assert "王秀英".encode() not in file.read_bytes(), file
    assert "deleted" in site.ok("people", "forget", "e-1", "--by", "zhang")
    assert "没有登记" in site.ok("people", "reveal", "e-1", "--by", "li", "--why", "again")
    assert isinstance(site.error("people", "set", "e-2", "--by", "zhang"), Misconfigured)


def test_a_courier_gets_a_personal_link_and_it_can_be_taken_back(site: Site) -> None:
    shown = site.ok("visits", "link", "k-1", "--by", "zhang")
    token = re.search(r"/me/(\S+)", shown)
    assert token is not None
    assert token[1].encode() not in (site.gateway.folder / "var" / "visits.db").read_bytes()
    assert "1 removed" in site.ok("visits", "unlink", "k-1", "--by", "zhang")


def test_refused_taps_are_listed(site: Site) -> None:
    # Where no card was made yet there is no key by which to tell a forgery.
    made = {"uid": "04a1b2c3d4e5f6", "kind": "ntag424", "role": "staff", "holder": "zhang", "counter": 1, "by": "zhang"}
    site.gateway.call("cards.enrol", site="wutong", keys={"file": "0f" * 16}, meta="1e" * 16, **made)
    tap = {"phone": 7, "seq": 1, "time_ns": int(datetime.now(UTC).timestamp()) * 10**9, "text": FORGED}
    site.gateway.call("visits.tap", site="wutong", **tap)
    eventually(lambda: "wutong/phone" in site.ok("visits", "refused"), 30.0, "the tap was judged")
    assert "not accepted" in site.ok("visits", "refused", "--from", "today")
    assert site.ok("visits", "refused", "--to", "2026-01-01").strip() == "没有 none"


def test_the_month_sheet_is_made_with_names_and_holds_on_a_machine_without_a_gateway(site: Site, tmp_path: Path) -> None:
    month = TODAY[:7]
    site.ok("people", "set", "k-2", "--role", "courier", "--by", "zhang", "--name", "李师傅")
    assert isinstance(site.error("visits", "sheet", month, "--names"), Misconfigured)
    told = site.ok("visits", "sheet", month, "--folder", str(tmp_path), "--names", "--by", "zhang", "--why", "claim", "--zip")
    head = re.search(r"head ([0-9a-f]{64})", told)
    assert head is not None
    assert "claim" in site.ok("people", "looked", "--id", "k-2")
    (packed,) = tmp_path.glob("*.zip")
    checked = alone("visits", "verify", str(packed), "--head", head[1][:16])
    assert checked.exit_code == 0, checked.output
    assert "相符" in checked.output
    assert "异常 exceptions: 1" in checked.output  # the refused tap
    wrong = alone("visits", "verify", str(packed), "--head", "0" * 16)
    assert wrong.exit_code == 1
    assert "不符 1 difference" in wrong.output


def test_which_site_is_asked_where_there_are_several_and_no_ledger_is_told(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text("[sites.a]\n[sites.b]\n", encoding="utf-8")
    settings = tmp_path / "kanhu.toml"
    settings.write_text(f'data_dir = "{tmp_path}/var"\nregistry = "{tmp_path}/registry.toml"\n', encoding="utf-8")
    assert "add --site" in str(alone("visits", "list", "-s", str(settings)).exception)
    error = alone("visits", "list", "--site", "a", "-s", str(settings)).exception
    assert isinstance(error, Unavailable)
