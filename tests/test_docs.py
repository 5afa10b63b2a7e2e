"""What exists is documented: the tables of `docs/` are those of the code. `python -m tests.test_docs` writes them anew."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.grafana import runbook
from dashboards.grafana.text import Language
from edge_gateway.catalog import QUANTITIES, Quantity
from edge_gateway.events import Flag, TimeQuality
from edge_gateway.reasons import REASONS
from ingest import points

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def catalogue_table() -> str:
    """Every quantity with unit, kind, range, measurement and what is converted to it."""
    lines = ["| name | unit | kind | from | to | measurement | also taken | meaning |", "|---|---|---|---|---|---|---|---|"]
    lines += [_quantity_line(quantity) for quantity in QUANTITIES.values()]
    return "\n".join(lines)


def _quantity_line(q: Quantity) -> str:
    low, high = ("" if limit is None else f"{limit:,.15g}" for limit in (q.low, q.high))
    unit = f"`{q.unit}`" if q.unit else ""
    also = " ".join(f"`{unit}`" for unit in q.also)
    return f"| `{q.name}` | {unit} | {q.kind} | {low} | {high} | `{q.group}` | {also} | {q.en}, {q.zh} |"


def reasons_table() -> str:
    """Every reason word with its meaning and what to do."""
    return "\n".join(
        ["| reason | meaning, and what to do |", "|---|---|", *(f"| `{word}` | {text} |" for word, text in REASONS.items())]
    )


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "catalogue": ("data-model.md", catalogue_table),
    "reasons": ("contract.md", reasons_table),
}


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: [^\n]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_docs_is_that_of_the_code(name: str) -> None:
    file, table = TABLES[name]
    found = _block(name).search((DOCS / file).read_text(encoding="utf-8"))
    assert found is not None, f"docs/{file} has no {name} table"
    assert found[2].strip() == table(), "run `python -m tests.test_docs`"


def test_every_reason_a_message_can_be_refused_for_is_in_the_table() -> None:
    files = [ROOT / "edge_gateway" / f"{name}.py" for name in ("topics", "text", "validate", "value", "pipeline")]
    files += (ROOT / "edge_gateway/decoders").glob("*.py")
    source = "\n".join(file.read_text(encoding="utf-8") for file in files)
    used = set(re.findall(r'Rejected\(\s*"(\w+)"', source))
    assert used <= REASONS.keys(), f"not in edge_gateway/reasons.py: {used - REASONS.keys()}"
    unused = {word for word in REASONS if f'"{word}"' not in source}
    assert not unused, f"no code gives these reasons: {unused}"


def test_every_flag_time_quality_tag_and_measurement_is_explained() -> None:
    page = (DOCS / "data-model.md").read_text(encoding="utf-8")
    words = [f"| {flag.value} | {flag.name.lower().replace('_', ' ')} |" for flag in Flag]
    words += [f"| `{quality.name.lower()}` |" for quality in TimeQuality if quality is not TimeQuality.DEVICE]
    words += [f"`{tag}`" for tag in points.TAGS]
    words += [f"`{quantity.group}`" for quantity in QUANTITIES.values()]
    words += [f"`<quantity>{suffix}`" for suffix in (points.FLAG, points.RAW, points.CALIBRATION)]
    assert [word for word in words if word not in page] == []


def write() -> None:
    """Put the tables of the code into the docs, and the pages that are nothing else."""
    for name, (file, table) in TABLES.items():
        path = DOCS / file
        before, begin, _, end, after = _block(name).split(path.read_text(encoding="utf-8"))
        path.write_text(f"{before}{begin}{table()}\n{end}{after}", encoding="utf-8")
    for language, file in {Language.EN: "runbook.md", Language.ZH: "runbook.zh-CN.md"}.items():
        (DOCS / file).write_text(runbook.document(language), encoding="utf-8")


if __name__ == "__main__":
    write()
