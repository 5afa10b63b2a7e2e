"""What `kanhu visits` prints to be copied can be copied, with several sites and with settings that were named."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import Result
from typer.testing import CliRunner

import kanhu_app
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess

REGISTRY = '[sites.wutong]\nname = "梧桐"\nzone = "Asia/Shanghai"\n\n[sites.yulan]\nname = "玉兰"\n'
TODAY = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat()
PLAN = "编号,地点,老人,星期,开始,结束,配送员\nlunch-1,p-1,e-1,每天,0:01,23:59,k-1\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with two sites; one has a visit today, which waits for a person."""
    folder = tmp_path_factory.mktemp("hints")
    mosquitto = Mosquitto(folder / "broker")
    mosquitto.start()
    broker = {"port": mosquitto.port, "password_file": str(mosquitto.password_file)}
    gateway = GatewayProcess(folder / "gateway", {"broker": broker}, REGISTRY)
    gateway.start()
    file = str(gateway.settings_file)
    (folder / "plan.csv").write_text(PLAN, encoding="utf-8")
    assert (
        run("visits", "plan", "import", str(folder / "plan.csv"), "--by", "li", "-s", file, "--site", "wutong").exit_code == 0
    )
    visit = f"lunch-1/{TODAY}"
    eventually(lambda: visit in run("visits", "list", "-s", file, "--site", "wutong").output, 30.0, "the visit is planned")
    objected = run("visits", "object", visit, "--courier", "k-1", "--text", "x", "-s", file, "--site", "wutong")
    assert objected.exit_code == 0, objected.output
    yield file
    gateway.stop()
    mosquitto.stop()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(kanhu_app.app, list(arguments))


def hinted(output: str, before: str) -> list[str]:
    """The command behind these words, without the program's name."""
    line = next(line for line in output.splitlines() if before in line)
    return shlex.split(line.split(before, 1)[1])[1:]


def test_settings_and_site_may_stand_before_or_after_the_commands_own_word(settings: str) -> None:
    for words in (
        ("visits", "-s", settings, "--site", "wutong", "list"),
        ("visits", "list", "-s", settings, "--site", "wutong"),
        ("visits", "--site", "wutong", "list", "-s", settings),
    ):
        assert f"lunch-1/{TODAY}" in run(*words).output
    assert "lunch-1" in run("visits", "-s", settings, "--site", "wutong", "plan", "list").output
    after = run("visits", "--site", "wutong", "list", "-s", settings, "--site", "yulan").output
    assert "lunch-1" not in after, "the nearer word is meant"


def test_what_is_printed_to_be_copied_works_as_it_is(settings: str) -> None:
    today = run("visits", "-s", settings, "--site", "wutong").output
    review = run(*hinted(today, "look: ")).output
    decided = run(*hinted(review, "decide: "))
    assert decided.exit_code == 0, decided.output
    assert "nothing waits" in run("visits", "review", "-s", settings, "--site", "wutong").output


def test_which_site_is_asked_with_what_there_is(settings: str, tmp_path: Path) -> None:
    assert "wutong, yulan" in str(run("visits", "-s", settings).exception)
    (tmp_path / "kanhu.toml").write_text(f'data_dir = "{tmp_path}"\n')
    nothing = run("visits", "-s", str(tmp_path / "kanhu.toml")).exception
    assert "There is none in" in str(nothing)
    assert "-s FILE" in str(nothing)


def test_an_exception_that_is_about_nothing_in_the_plan_says_so(settings: str) -> None:
    add = ("visits", "except", "add", TODAY, "--by", "li", "-s", settings, "--site", "wutong", "--place")
    assert "no line of the plan is about p-99" in run(*add, "p-99").output
    assert "no line" not in run(*add, "p-1").output
