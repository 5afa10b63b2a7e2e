"""`kanhu duty` says who is told now and what is wrong with the list; `kanhu alerts` says what comes next."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import kanhu_app
from edge_gateway.alerts import pack
from edge_gateway.store import Store
from edge_gateway.transaction import Commit
from tests.edge_gateway.test_alerts import LI, NOON, Office, sos

LIST = """
leads = ["chen"]
[[people]]
id = "wang"
urls = ["json://127.0.0.1:9/wang"]
[[shifts]]
days = "workday"
from = "08:00"
to = "18:00"
people = ["li"]
[[shifts]]
from = "18:00"
to = "08:00"
people = ["wang"]
[[leave]]
person = "li"
from = 2026-11-26
to = 2026-11-26
instead = "wang"
"""


class Here:
    """A folder with settings, registry and perhaps a duty list; commands run on it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "var"
        self.data.mkdir(mode=0o700)
        self.settings = folder / "kanhu.toml"
        registry = folder / "registry.toml"
        registry.write_text('[sites.wutong]\nname = "梧桐"\n')
        self.settings.write_text(
            f'data_dir = "{self.data}"\nregistry = "{registry}"\n'
            '[[alerts.people]]\nid = "li"\nurls = ["json://127.0.0.1:9/s3cr3t"]\n'
        )

    def duty(self, text: str) -> None:
        (self.data / "duty.toml").write_text(text, encoding="utf-8")
        (self.data / "duty.toml").chmod(0o600)

    def run(self, *arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(kanhu_app.app, [*arguments, "--settings", str(self.settings)])
        assert done.exit_code == code, (done.exit_code, done.output, done.exception)
        return " ".join(done.output.split())


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_without_a_list_everybody_is_told_in_order(here: Here) -> None:
    said = here.run("duty", "show")
    assert "no shifts" in said
    assert "urgent: li" in said


def test_the_list_is_shown_for_any_time_with_holidays_and_leave(here: Here) -> None:
    here.duty(LIST)
    friday = here.run("duty", "show", "--at", "2026-11-20T12:00")
    assert "urgent: li → wang" in friday
    assert "warning: li" in friday
    assert "2026-11-21 周六 休" in friday
    assert "00:00 wang · 08:00 nobody · 18:00 wang" in friday, "a Saturday"
    assert "leave: li 2026-11-26 - 2026-11-26, instead wang" in friday
    assert "warning: wang" in here.run("duty", "show", "--at", "2026-11-26T12:00")
    assert "s3cr3t" not in friday


def test_the_check_names_what_is_wrong_and_ends_with_one(here: Here) -> None:
    here.duty(LIST)
    said = here.run("duty", "check", code=1)
    assert "leads: chen is nobody" in said
    assert "wutong: nobody is on duty from" in said
    here.duty(LIST.replace('leads = ["chen"]', "").replace('days = "workday"\n', ""))
    assert "in order" in here.run("duty", "check")
    (here.data / "duty.toml").chmod(0o644)
    assert "chmod 600" in here.run("duty", "check", code=1)


def test_an_alert_is_shown_with_this_round_and_what_comes_next(here: Here) -> None:
    office = Office()
    alert_id = office.raised(sos())
    office.fail(office.wait(0))
    store = Store(here.data / "gateway.db", 10, 10, 1 << 30)
    store.commit(Commit(alerts=[(alert_id, True, NOON, pack(office.book.find(alert_id)))]))
    store.close()
    said = here.run("alerts", "show", alert_id)
    assert "people: zhang → li → wang (first 1 told in a round)" in said
    assert "round 1: zhang, channel 1: failed, will be tried again (error=500)" in said
    assert "li is told too" in said
    assert "li is told too" in here.run("alerts", "list")
    assert LI.id in said
