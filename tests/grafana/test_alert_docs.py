"""The pages about alert rules hold those of the code. `python -m tests.grafana.test_alert_docs` writes their tables anew."""

import re
from pathlib import Path
from typing import Final

import pytest

from dashboards.grafana.alert_rule import Rule, span
from dashboards.grafana.alert_rules import RULES
from dashboards.grafana.contact_points import contact_points, variables
from dashboards.grafana.options import Options
from dashboards.grafana.text import Language
from edge_gateway.catalog import QUANTITIES

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGES: Final = {Language.EN: "grafana-alerts.md", Language.ZH: "grafana-alerts.zh-CN.md"}
_BLOCK: Final = re.compile(r"(<!-- rules: [^\n]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)
_HEADS: Final = {
    Language.EN: "| rule | fires when | after | severity | via |",
    Language.ZH: "| 规则 | 何时告警 | 持续 | 级别 | 途径 |",
}
_WORDS: Final = {
    "warning": {Language.EN: "warning", Language.ZH: "警告"},
    "notice": {Language.EN: "notice", Language.ZH: "提醒"},
    "gateway": {Language.EN: "gateway", Language.ZH: "网关"},
    "outside": {Language.EN: "outside", Language.ZH: "外部"},
}


def table(language: Language) -> str:
    """Every rule, with its limit from the code."""
    lines = [_HEADS[language], "|---|---|---|---|---|"]
    for rule in RULES:
        title, severity, via = rule.title.of(language), _WORDS[rule.severity][language], _WORDS[rule.via][language]
        lines.append(f"| {title} `{rule.uid}` | {_when(rule, language)} | {span(rule.for_s)} | {severity} | {via} |")
    return "\n".join(lines)


def _when(rule: Rule, language: Language) -> str:
    zh = language is Language.ZH
    field = next(name for name in re.findall(r'\("(\w+)"\)', rule.query) if name != "worst")
    if rule.no_data == "Alerting":
        return f"{span(rule.window_s)} 没有数据" if zh else f"no data for {span(rule.window_s)}"
    if rule.reducer == "sum":
        return f"`{field}` {span(rule.window_s)} 内增加" if zh else f"`{field}` grew within {span(rule.window_s)}"
    if rule.reducer == "min":
        return f"`{field}` 的 10 分钟最小值一直增加" if zh else f"the least `{field}` of each 10 minutes grows"
    kind, limits = rule.threshold
    unit = {"%EL": " %", "/": "", "pH": "", "s": " s", "mg/l": " mg/L", "": ""}[QUANTITIES[field].unit]
    if kind == "outside_range":
        return f"`{field}` < {limits[0]:,g} / > {limits[1]:,g}"
    return f"`{field}` {'>' if kind == 'gt' else '<'} {limits[0]:,.10g}{unit}"


@pytest.mark.parametrize("language", PAGES)
def test_the_page_holds_every_rule_with_its_limit(language: Language) -> None:
    found = _BLOCK.search((DOCS / PAGES[language]).read_text(encoding="utf-8"))
    assert found is not None
    assert found[2].strip() == table(language), "run `python -m tests.grafana.test_alert_docs`"


@pytest.mark.parametrize("language", PAGES)
def test_the_page_names_every_variable_of_a_contact_point(language: Language) -> None:
    page = (DOCS / PAGES[language]).read_text(encoding="utf-8")
    assert [name for name in variables(contact_points(Options())) if f"`{name}`" not in page] == []


def write() -> None:
    """Put the tables of the code into the pages."""
    for language, name in PAGES.items():
        page = DOCS / name
        text = _BLOCK.sub(rf"\g<1>{table(language)}\n\g<3>", page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
