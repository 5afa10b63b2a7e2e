"""`kanhu dashboards ...` as a person calls it, against a server that answers as Grafana was seen to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import kanhu_app
from edge_gateway.errors import KanhuError, Misconfigured
from tests.grafana.scripted import TOKEN, Scripted, scripted

WECOM = "https://qyapi.example/send?key=very-secret"
SETTINGS = """
data_dir = "{folder}"
registry = "{folder}/registry.toml"
[influx]
url = "http://127.0.0.1:8086"
token_file = "{folder}/influx-gateway.token"
"""


@pytest.fixture
def there() -> Iterator[tuple[str, Scripted]]:
    with scripted() as found:
        yield found


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, there: tuple[str, Scripted], monkeypatch: pytest.MonkeyPatch) -> Path:
    for role in ("gateway", "reader"):
        (tmp_path / f"influx-{role}.token").touch(0o600)
        (tmp_path / f"influx-{role}.token").write_text(f"token-of-the-{role}\n")
    (tmp_path / "registry.toml").write_text('[sites.a]\nname = "A"\nzone = "Asia/Urumqi"\n')
    file = tmp_path / "kanhu.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    for name in ("GRAFANA_USER", "GRAFANA_PASSWORD", "KANHU_GRAFANA_INFLUX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KANHU_SETTINGS", str(file))
    monkeypatch.setenv("GRAFANA_URL", there[0])
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
    monkeypatch.setenv("KANHU_GRAFANA_WECOM_URL", WECOM)
    return file


def kanhu_says(*words: str, code: int = 0) -> str:
    result = run(*words)
    assert result.exit_code == code, result.output
    return result.output


def run(*words: str) -> Result:
    result = CliRunner().invoke(kanhu_app.app, ["dashboards", *words])
    if isinstance(result.exception, KanhuError):
        raise result.exception
    return result


def test_a_push_shows_what_differs_and_changes_nothing_before_it_is_told_to(there: tuple[str, Scripted]) -> None:
    said = kanhu_says("push", code=1)
    assert "+ data source Kanhu" in said
    assert "nothing was changed; --yes does it" in said
    assert there[1].writes() == []


def test_the_second_push_has_nothing_to_do(there: tuple[str, Scripted]) -> None:
    said = kanhu_says("push", "--yes")
    assert "made dashboard" in said
    assert "data source kanhu: datasource is working" in said
    assert "contact point kanhu-outside (email) is left out: KANHU_GRAFANA_EMAIL not set" in said
    assert "nothing to do" in kanhu_says("push")
    assert there[1].sources["kanhu"]["secureJsonData"] == {"httpHeaderValue1": "Token token-of-the-reader"}
    assert there[1].points["kanhu-wecom"]["settings"]["url"] == WECOM


def test_no_secret_is_on_the_screen(there: tuple[str, Scripted]) -> None:
    said = kanhu_says("push", "--yes") + kanhu_says("push", "--yes", "--secrets") + kanhu_says("check", code=0)
    for secret in (WECOM, "very-secret", "token-of-the", TOKEN):
        assert secret not in said
    there[1].script["PUT", "/api/datasources"] = [(400, {"message": "cannot use Token token-of-the-reader"})]
    with pytest.raises(KanhuError) as raised:
        run("push", "--yes", "--secrets")
    assert "token-of-the" not in str(raised.value)
    assert "***" in str(raised.value)


def test_days_begin_in_the_zone_of_the_registry_and_links_lead_to_the_grafana_that_people_reach(
    there: tuple[str, Scripted],
) -> None:
    kanhu_says("push", "--yes", "--public-url", "https://grafana.example.org", "--language", "zh")
    boards = [one["dashboard"] for one in there[1].dashboards.values()]
    assert {board["timezone"] for board in boards} == {"Asia/Urumqi"}
    assert all(board["uid"].endswith("-zh") for board in boards)
    links = {rule["annotations"]["runbook_url"] for rule in there[1].rules.values()}
    assert all(link.startswith("https://grafana.example.org/d/kanhu-runbook-zh") for link in links)


def test_what_was_pushed_is_taken_out_again(there: tuple[str, Scripted]) -> None:
    kanhu_says("push", "--yes")
    assert "- dashboard" in kanhu_says("remove", code=1)
    kanhu_says("remove", "--yes")
    assert (there[1].dashboards, there[1].rules, there[1].sources, there[1].folders) == ({}, {}, {}, {})
    assert "nothing to do" in kanhu_says("remove")


def test_a_check_changes_nothing_and_fails_where_something_differs_or_does_not_run(there: tuple[str, Scripted]) -> None:
    kanhu_says("push", "--yes")
    held = there[1]
    before = len(held.writes())
    said = kanhu_says("check")
    assert "without a fault" in said
    assert "0 to change" in said
    held.evaluated["A"] = {"status": 200, "frames": []}
    assert "no data kanhu-" in kanhu_says("check")
    held.evaluated["A"] = {"status": 500, "error": "error parsing query"}
    assert "failed kanhu-" in kanhu_says("check", code=1)
    held.evaluated.clear()
    next(iter(held.dashboards.values()))["dashboard"]["title"] = "changed by hand"
    assert "title: changed by hand -> " in kanhu_says("check", code=1)
    assert len(held.writes()) == before


def test_without_a_grafana_a_check_looks_at_what_would_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFANA_URL")
    assert "without a fault" in kanhu_says("check")


def test_files_are_built_once_and_left_alone_when_they_are_right(tmp_path: Path) -> None:
    folder = tmp_path / "built"
    said = kanhu_says("build", str(folder))
    assert "written provisioning/datasources/kanhu.yml" in said
    assert "left out: contact point kanhu-email, KANHU_GRAFANA_EMAIL not set" in said
    assert "is as it should be" in kanhu_says("build", str(folder))
    text = "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    assert WECOM not in text
    assert "token-of-the" not in text


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        pytest.param(["push"], {"GRAFANA_URL": ""}, "no Grafana is named", id="no address"),
        pytest.param(["push"], {"GRAFANA_TOKEN": ""}, "nothing to log in at Grafana with", id="no token"),
        pytest.param(["push"], {"KANHU_INFLUX__URL": ""}, "no influx.url", id="embedded store"),
        pytest.param(["push"], {"KANHU_INFLUX__KIND": "victoriametrics"}, "InfluxQL", id="no InfluxQL"),
        pytest.param(["push", "--language", "fr"], {}, "no language 'fr'", id="language"),
        pytest.param(["push", "--zone", "Mars/Olympus"], {}, "the zone is", id="zone"),
        pytest.param(["remove"], {"GRAFANA_TOKEN": "glsa_wrong"}, "make a new token", id="wrong token"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environment: dict[str, str], message: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=message):
        run(*words)


def test_an_older_grafana_is_told_of(there: tuple[str, Scripted]) -> None:
    assert "Grafana 12.2.1 at http" in kanhu_says("push", code=1)
    there[1].script["GET", "/api/frontend/settings"] = [(200, {"buildInfo": {"version": "11.6.0"}})]
    assert "made for Grafana 12" in kanhu_says("push", code=1)


def test_a_password_of_a_user_is_enough(there: tuple[str, Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFANA_TOKEN")
    monkeypatch.setenv("GRAFANA_USER", "admin")
    monkeypatch.setenv("GRAFANA_PASSWORD", "a-pass:word")
    assert "nothing to do" in kanhu_says("remove")


def test_a_build_says_where_grafana_has_to_find_it(tmp_path: Path) -> None:
    said = kanhu_says("build", str(tmp_path / "made"), "--files", "/srv/g", "--reader-token-file", "/srv/token")
    assert "find this folder as /srv/g (--files)" in said
    assert "as /srv/token (--reader-token-file)" in said
    assert "GF_PATHS_PROVISIONING=/srv/g/provisioning" in said


def test_a_build_without_a_database_that_grafana_could_ask_is_refused(settings: Path, tmp_path: Path) -> None:
    settings.write_text(f'data_dir = "{tmp_path}"\n')
    with pytest.raises(Misconfigured, match="the embedded store is no data source for Grafana"):
        run("build", str(tmp_path / "made"))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KANHU_GRAFANA_WECOM_URL", "qyapi.example/send?key=secret"),
        ("KANHU_GRAFANA_WEBHOOK_URL", "https:/secret"),
        ("KANHU_GRAFANA_EMAIL", "secret"),
    ],
)
def test_a_variable_that_holds_no_address_is_named_and_not_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    for words in (["push", "--yes"], ["build", str(tmp_path / "made")], ["check"]):
        with pytest.raises(Misconfigured, match=name) as raised:
            run(*words)
        assert value not in str(raised.value)
    monkeypatch.setenv(name, "https://hook.example/x" if name.endswith("_URL") else "a@b.example; c@d.example")
    assert "without a fault" in kanhu_says("check", code=1)
