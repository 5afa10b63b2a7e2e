"""The runbook as a dashboard: panels and alert rules lead to its pages, also where no other page can be reached."""

from typing import Any

from dashboards.grafana.options import Options
from dashboards.grafana.page import Page
from dashboards.grafana.panels import words_only
from dashboards.grafana.runbook import PAGES
from dashboards.grafana.text import Language, Text


def build(options: Options, language: Language) -> dict[str, Any]:
    """The dashboard's JSON."""
    page = Page(
        options,
        language,
        "runbook",
        Text("看护 · 处理手册", "Kanhu · Runbook"),
        Text("出了问题怎么办, 每个问题一页。", "What to do when something is wrong, a page for each."),
        since="now-1h",
        refresh="",
    )
    for help_ in PAGES:
        page.say_only(help_.number, help_.title, words_only(help_.body(language)))
    return page.build()
