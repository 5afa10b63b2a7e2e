"""The score that is published is the score that comes out. `python -m tests.operations.test_docs_eldercare` writes it anew."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_gateway.homes.setting import KEYS
from operations.homes import habits, recordings, table
from operations.homes.prepared import PERSONAL, exchanged, prepare
from operations.homes.score import Run, Scenario, score, shorter

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"en": ROOT / "docs" / "eldercare.md", "zh": ROOT / "docs" / "eldercare.zh-CN.md"}
SEED = 1


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: [^\n]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)


def published(page: Path, name: str) -> list[list[str]]:
    """The cells of the rows of a published table, without its head."""
    found = _block(name).search(page.read_text(encoding="utf-8"))
    assert found is not None, f"{page.name} has no table {name!r}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found[2].strip().splitlines()[2:]]


@pytest.mark.parametrize("language", PAGES)
def test_the_page_names_every_setting_of_a_home(language: str) -> None:
    page = PAGES[language].read_text(encoding="utf-8")
    assert [key for key in KEYS if f"`{key}`" not in page] == []


@pytest.mark.parametrize("name", ["score", "score by home", "second look", "habits"])
def test_both_languages_publish_the_same_numbers(name: str) -> None:
    english, chinese = (published(page, name) for page in PAGES.values())
    assert len(english) == len(chinese) > 0
    skip = 1 if name == "habits" else 2  # words
    assert [row[skip:] for row in english] == [row[skip:] for row in chinese]


@pytest.mark.slow
def test_the_published_score_of_the_recorded_days_is_what_comes_out(data: Path) -> None:
    runs: list[Run] = []
    for home in map(prepare, recordings.load(data / "homes")):
        runs += score(home, (PERSONAL,), seed=SEED, scenarios=(Scenario.RECORDED,))
    told = table.markdown_homes(table.by_home(runs), "en").splitlines()[2:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in told]
    wanted = [row for row in published(PAGES["en"], "score by home") if row[1] == PERSONAL.name]
    assert rows == wanted, "run `python -m tests.operations.test_docs_eldercare`"


def write(data: Path) -> None:
    """Score all recorded homes, some minutes, and put the tables into both pages."""
    homes = recordings.load(data / "homes")
    runs: list[Run] = []
    again: list[Run] = []
    for home in map(prepare, homes):
        runs += score(home, seed=SEED) + shorter(home, seed=SEED)
        again += score(exchanged(home), seed=SEED, scenarios=(Scenario.RECORDED,))
    found: Sequence[habits.Habit] = [habit for home in homes for habit in habits.accuracy(home)[0]]
    for language, page in PAGES.items():
        tables = {
            "score": table.markdown(table.lines(runs), language),
            "score by home": table.markdown_homes(table.by_home(runs), language),
            "second look": table.markdown(table.lines(again), language),
            "habits": table.markdown_habits(found, language),
        }
        text = page.read_text(encoding="utf-8")
        for name, made in tables.items():
            before, begin, _, end, after = _block(name).split(text)
            text = f"{before}{begin}{made}\n{end}{after}"
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(os.environ.get("KANHU_DATA", ROOT.parent / "shared" / "data")))
