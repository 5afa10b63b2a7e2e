"""What to do when something on a dashboard or in a message of Grafana is wrong: a page for each, in both languages.

`docs/runbook.md` and `docs/runbook.zh-CN.md` are made from it, and so is the dashboard that panels and rules lead to.
"""

from typing import Final

from dashboards.grafana.runbook_machines import MACHINES
from dashboards.grafana.runbook_people import PEOPLE
from dashboards.grafana.text import Language, Text

PAGES: Final = tuple(sorted((*MACHINES, *PEOPLE)))
BY_NAME: Final = {page.name: page for page in PAGES}

_TITLE: Final = Text("处理手册", "Runbook")
_ABOUT: Final = Text(
    "仪表盘和 Grafana 的告警指向这里; Grafana 里的“看护 · 处理手册”是同样的内容。",
    "Dashboards and alert rules of Grafana lead here; “Kanhu · Runbook” in Grafana holds the same.",
)


def address(name: str, language: Language) -> str:
    """Of a page within Grafana. Raises KeyError: there is no such page."""
    return f"/d/kanhu-runbook-{language}?viewPanel={panel_id(name)}"


def panel_id(name: str) -> int:
    """Of a page's panel on the runbook's dashboard. Raises KeyError: there is no such page."""
    return BY_NAME[name].number


def document(language: Language) -> str:
    """The whole runbook as one Markdown page."""
    pages = [f"## {page.title.of(language)}\n\n{page.body(language)}\n" for page in PAGES]
    return f"# {_TITLE.of(language)}\n\n{_ABOUT.of(language)}\n\n" + "\n".join(pages)
