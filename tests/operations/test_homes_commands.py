"""`kanhu homes` beside a real gateway: what a person types, what he is told, and what is kept."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import kanhu_app
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.homes.home import Home
from edge_gateway.homes.look import open_homes
from edge_gateway.rules import Finding, Severity
from tests.home_gateway import HOUR, SECOND, HomeGateway

REGISTRY = """
[sites.wutong]
name = "梧桐"
[[devices]]
site = "wutong"
id = "h1"
place = "3-201"
model = "elder_home"
[[homes]]
site = "wutong"
place = "3-202"
"""
Run = Callable[..., str]


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeGateway]:
    with HomeGateway(tmp_path_factory.mktemp("g"), REGISTRY, time.time_ns()) as found:
        found.say("wutong/h1", "motion.kitchen", True, found.now_ns - 60 * SECOND)
        yield found


@pytest.fixture
def run(gateway: HomeGateway, tmp_path: Path) -> Run:
    """`kanhu homes ...`; what was printed. What it raises is raised."""
    file = tmp_path / "kanhu.toml"
    file.write_text(f'data_dir = "{gateway.data_dir}"\nregistry = "{gateway.settings.registry}"\n', encoding="utf-8")

    def homes(*arguments: str) -> str:
        result = CliRunner().invoke(kanhu_app.app, ["homes", "-s", str(file), *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return homes


def home(gateway: HomeGateway) -> Home:
    with open_homes(gateway.settings.store_file) as look:
        found = look.home("wutong", "3-201")
    assert found is not None
    return found


def find(gateway: HomeGateway, rule: str, severity: Severity) -> str:
    finding = Finding(
        f"{rule}/wutong/3-201", rule, severity, "wutong", "", "3-201", gateway.now_ns, "3-201: 请上门", "3-201: go there"
    )
    gateway.do(lambda: gateway.gateway.desk.book.apply([finding], gateway.now_ns))
    gateway.do(gateway.gateway.committer.settle)
    return next(str(a.id) for a in gateway.do(gateway.gateway.desk.book.open_alerts) if a.rule == rule)


def test_the_list_is_the_round_and_works_while_the_gateway_is_down(gateway: HomeGateway, run: Run) -> None:
    find(gateway, "sos", Severity.URGENT)
    gateway.go()
    lines = run().splitlines()
    first = next(number for number, line in enumerate(lines) if "3-201" in line)
    second = next(number for number, line in enumerate(lines) if "3-202" in line)
    assert first < second
    assert "紧急 urgent" in lines[first]
    assert "请上门 go there" in lines[first]
    rows = json.loads(run("list", "--json"))
    assert [(row["place"], row["rank"], row["soft"]) for row in rows] == [("3-201", 0, False), ("3-202", 5, True)]


def test_one_home_is_told_in_full(gateway: HomeGateway, run: Run) -> None:
    run("pause", "3-201", "--by", "zhang", "--hours", "8", "--reason", "家里来客")
    run("consent", "3-201", "--by", "zhang", "--version", "2", "--given")
    said = run("show", "3-201")
    for words in ("不看护 not watched", "zhang 家里来客", "motion.kitchen", "12 小时 12 h", "not learned yet", "同意 given"):
        assert words in said, words
    with pytest.raises(Misconfigured, match="its homes: 3-201, 3-202"):
        run("show", "9-999")


def test_a_pause_and_an_absence_need_an_end_that_can_be(gateway: HomeGateway, run: Run) -> None:
    with pytest.raises(Misconfigured, match="until when"):
        run("pause", "3-201", "--by", "zhang")
    with pytest.raises(Rejected, match="within 31 days"):
        run("pause", "3-201", "--by", "zhang", "--until", "2020-01-01")
    with pytest.raises(Misconfigured, match=r"needs an end.*--until"):
        run("away", "3-201", "--by", "zhang", "--kind", "daughter")
    assert "在女儿家" in run("away", "3-201", "--by", "zhang", "--kind", "daughter", "--hours", "48")
    away = home(gateway).away
    assert away is not None
    assert abs(away.until_ns - time.time_ns() - 48 * HOUR) < 600 * SECOND
    assert "back at home" in run("back", "3-201", "--by", "li")
    assert "was not away" in run("back", "3-201", "--by", "li")
    assert "was not paused" in run("resume", "3-201", "--by", "li")
    assert home(gateway).pause is None


def test_a_mistake_in_the_registry_is_named_where_a_site_is_asked_for(gateway: HomeGateway, run: Run) -> None:
    file = gateway.settings.registry
    text = file.read_text(encoding="utf-8")
    file.write_text(text + '[[homes]]\nsite = "yunhe"\nplace = "x"\nmeals = "08:00-09:30"\n', encoding="utf-8")
    try:
        with pytest.raises(Misconfigured, match="meals is '08:00-09:30'; a list such as"):
            run("list")
    finally:
        file.write_text(text, encoding="utf-8")


def test_a_date_alone_is_that_whole_day(gateway: HomeGateway, run: Run) -> None:
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600 + 2 * 86_400))
    run("away", "3-201", "--by", "zhang", "--kind", "long", "--until", day)
    away = home(gateway).away
    assert away is not None
    assert time.strftime("%Y-%m-%d %H:%M", time.gmtime(away.until_ns // SECOND + 8 * 3600)) == f"{day} 23:59"
    told = run("log", "3-201")
    assert "until=" not in told, "a person reads this"
    assert re.search(r"zhang away long until .*23:59", told), told


def test_seen_and_fine_says_what_it_ended_and_what_it_did_not(gateway: HomeGateway, run: Run) -> None:
    soft, hard = find(gateway, "inactivity", Severity.WARNING), find(gateway, "sos", Severity.URGENT)
    said = run("seen", "3-201", "--by", "zhang", "--note", "在晒太阳")
    assert f"已处理 closed {soft}" in said
    assert f"still open {hard}" in said
    assert home(gateway).life_name == "seen"
    assert "zhang seen 在晒太阳" in run("log", "3-201")
    assert json.loads(run("log", "3-201", "--json"))[0]["who"] == "zhang"


def test_an_emergency_is_shown_above_the_list_until_it_is_over(gateway: HomeGateway, run: Run) -> None:
    assert "高温 heat wave" in run("emergency", "heat", "--by", "zhang", "--hours", "24")
    listed = run("list")
    assert "应急 emergency: 高温 heat wave" in listed
    assert "应急走访 emergency round" in listed
    assert "it is over" not in run("emergency", "off", "--by", "zhang")
    assert "应急" not in run("list")
    with pytest.raises(Misconfigured, match="one of heat, cold, flood, outage, or off"):
        run("emergency", "war", "--by", "zhang")


def test_nothing_is_said_to_a_gateway_that_is_away(gateway: HomeGateway, run: Run) -> None:
    gateway.go()
    with pytest.raises(Unavailable, match="no gateway answers"):
        run("seen", "3-201", "--by", "zhang")
    assert home(gateway).life_name == "motion.kitchen"
