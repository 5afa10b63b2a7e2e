"""The runbook: the same in Grafana and in the docs, and what it tells people to type exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import kanhu_app
from dashboards.grafana import alert_rules, runbook
from dashboards.grafana.objects import dashboards
from dashboards.grafana.options import Options
from dashboards.grafana.text import Language

DOCS = Path(__file__).resolve().parents[2] / "docs"
FILES = {Language.EN: DOCS / "runbook.md", Language.ZH: DOCS / "runbook.zh-CN.md"}


def commands() -> set[str]:
    """`alerts accept`, `status` ...: everything that can follow the word kanhu."""

    def below(group: object, path: str) -> Iterator[str]:
        for name, command in getattr(group, "commands", {}).items():
            yield f"{path} {name}".strip()
            yield from below(command, f"{path} {name}")

    assert isinstance(kanhu_app.app, typer.Typer)
    return set(below(get_command(kanhu_app.app), ""))


@pytest.mark.parametrize("language", Language)
def test_the_docs_hold_the_same(language: Language) -> None:
    assert FILES[language].read_text(encoding="utf-8") == runbook.document(language), "run `python -m tests.test_docs`"


def test_every_command_it_names_is_one_of_ours() -> None:
    known, told = commands(), re.findall(r"`kanhu ([a-z][a-z -]*)`", runbook.document(Language.EN))
    assert len(told) > 15
    assert not [command for command in told if command not in known]
    assert sorted(told) == sorted(re.findall(r"`kanhu ([a-z][a-z -]*)`", runbook.document(Language.ZH)))


def test_names_and_numbers_of_pages_are_used_once() -> None:
    assert len(runbook.BY_NAME) == len(runbook.PAGES) == len({page.number for page in runbook.PAGES})


def test_every_link_to_it_from_a_panel_or_a_rule_finds_its_page() -> None:
    numbers = {str(page.number) for page in runbook.PAGES}
    placed = dashboards(Options())
    links = [link for p in placed for panel in p.dashboard["panels"] for link in panel.get("links", ())]
    told = [link["url"] for link in links if "kanhu-runbook" in link["url"]]
    told += [rule["annotations"]["runbook_url"] for group in alert_rules.rule_groups(Options()) for rule in group["rules"]]
    assert len(told) > 50
    assert {url.partition("viewPanel=")[2] for url in told} <= numbers


def test_every_page_is_led_to() -> None:
    used = {link["url"] for p in dashboards(Options()) for panel in p.dashboard["panels"] for link in panel.get("links", ())}
    used |= {rule["annotations"]["runbook_url"] for group in alert_rules.rule_groups(Options()) for rule in group["rules"]}
    led = {url.partition("viewPanel=")[2] for url in used if "kanhu-runbook" in url}
    assert not [page.name for page in runbook.PAGES if str(page.number) not in led]
