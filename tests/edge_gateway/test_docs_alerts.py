"""docs/alerts.md and its Chinese twin name every rule, setting, state and answer; their examples can be used as they stand."""

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from edge_gateway.alerts import State
from edge_gateway.alerts.replies import REASONS, meant
from edge_gateway.duty.file import parse
from edge_gateway.duty.roster import Roster
from edge_gateway.rules import RULES
from edge_gateway.settings import Alerts

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {"en": DOCS / "alerts.md", "zh": DOCS / "alerts.zh-CN.md"}
TEXTS = {language: page.read_text(encoding="utf-8") for language, page in PAGES.items()}


def example(language: str, name: str) -> str:
    found = re.search(rf"<!-- {name}: read by the tests -->\n```toml\n(.*?)```", TEXTS[language], re.S)
    assert found is not None, f"{PAGES[language].name} has no {name}"
    return found[1]


def tables(text: str) -> list[str]:
    """All lines of tables."""
    return [line for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("language", PAGES)
def test_the_duty_list_of_the_page_is_one_that_works(language: str) -> None:
    roster = parse(tomllib.loads(example(language, "duty list")))
    unused = [name for name in Roster.__dataclass_fields__ if not getattr(roster, name)]
    assert not unused, f"not shown: {unused}"


@pytest.mark.parametrize("language", PAGES)
def test_the_settings_of_the_page_are_ones_that_work_and_say_the_defaults(language: str) -> None:
    shown = tomllib.loads(example(language, "settings"))["alerts"]
    alerts = Alerts.model_validate(shown)
    assert [person.homes_only for person in alerts.people] == [False, True]
    usual = Alerts()
    other = {name for name in shown if getattr(alerts, name) != getattr(usual, name)}
    assert other == {"people", "replies", "siren"}
    assert not (Alerts.model_fields.keys() - shown.keys()) - {"selftest", "heartbeat_url", "heartbeat_s"}


@pytest.mark.parametrize("language", PAGES)
def test_every_rule_state_and_answer_is_on_the_page(language: str) -> None:
    text = TEXTS[language]
    missing = [rule.name for rule in RULES if not re.search(rf"^\| [^|]*`{rule.name}`", text, re.M)]
    assert not missing
    assert [state for state in State if f"| `{state.value}` |" not in text] == []
    assert [reason for reason in REASONS.values() if f"`{reason}`" not in text] == []
    for word in re.findall(r"`([1-5])`", text):
        assert meant(word).act == ("accept" if word == "1" else "close")


def test_both_pages_have_the_same_sections_tables_and_names() -> None:
    headings = [len(re.findall(r"^#+ ", text, re.M)) for text in TEXTS.values()]
    assert headings[0] == headings[1]
    english, chinese = (Counter(re.findall(r"`[^`]+`", "\n".join(tables(text)))) for text in TEXTS.values())
    assert english == chinese


@pytest.mark.parametrize("language", PAGES)
def test_links_of_the_page_lead_somewhere(language: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*?)(?:#([^)]*))?\)", TEXTS[language]):
        page = DOCS / target if target else PAGES[language]
        assert page.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, anchor
