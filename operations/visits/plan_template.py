"""An empty form for a plan: XLSX with a sheet of explanations, or CSV. Examples stand beside it, so none is ever imported."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import Misconfigured
from operations.visits.plan_file import EXCEPTION, HOLIDAY, PLAN, SHEETS

_LEFT_OUT: Final = {"window"}  # two columns for a time are enough in a form
_NOTES: Final[Mapping[str, str]] = {
    "id": "可空。同一编号再次导入即为修改 May be empty; the same id again is a change",
    "place": "必填。地点代号, 不写姓名住址 Needed: code of the home, never a name or address",
    "person": "可空。老人代号 Code of the elder",
    "service": "送餐 meal / 助浴 bath / 探访 call; 空为送餐 empty is meal",
    "weekdays": "必填。每天 / 一至五 / 周一,周三 / 1-5 Needed",
    "opens": "必填。11:00 Needed",
    "closes": "必填。12:00; 过了午夜写 25:00 Needed; after midnight 25:00",
    "courier": "可空。配送员代号; 空为任何人 Code of the courier; empty is anybody",
    "grace_min": "分钟, 空为 30。过后才算未送达 Minutes after the end before it counts as missed; 30",
    "early_min": "分钟, 空为 60。提前多久的打卡仍算这一次 Minutes before that still belong to it; 60",
    "late_min": "分钟, 空为 180。推迟多久的打卡仍算这一次 Minutes after that still belong to it; 180",
    "first": "可空。从这天起 2026-11-01 From this day",
    "last": "可空。到这天止 Until this day",
    "holidays": "照常 / 不送 / 仅节假日; 空为照常 as_usual, none, only; empty is as_usual",
    "ends": "是 / 否。是: 离开时再打一次卡 yes: a second tap when leaving",
    "date": "必填。2026-11-21 Needed",
    "kind": "取消 / 改时间 cancelled or moved",
    "plan": "计划编号, 或填地点或老人 Id of the plan; or place, or person",
    "reason": "可空 May be empty",
    "name": "可空。元旦 May be empty",
}
_EXAMPLES: Final[Mapping[str, str]] = {
    "id": "wutong-3-201-meal",
    "place": "wutong-3-201",
    "person": "e-0317",
    "service": "送餐",
    "weekdays": "一至五",
    "opens": "11:00",
    "closes": "12:00",
    "courier": "k-012",
    "grace_min": "30",
    "early_min": "60",
    "late_min": "180",
    "first": "2026-11-01",
    "last": "2027-01-31",
    "holidays": "不送",
    "ends": "否",
    "date": "2026-11-23",
    "kind": "改时间",
    "plan": "wutong-3-201-meal",
    "reason": "去医院",
    "name": "元旦",
}
COLUMNS: Final = {"plans": PLAN, "exceptions": EXCEPTION, "holidays": HOLIDAY}


def write(path: Path, kind: str = "plans") -> None:
    """Write the form: an .xlsx with a sheet each, or a .csv of one kind. Never over a file that is there.

    Raises:
        Misconfigured: the file is there, or its ending is neither.
    """
    if path.exists():
        raise Misconfigured(f"{path} is there already", "choose another name")
    if path.suffix.lower() == ".csv":
        with path.open("x", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerow(_titles(kind))
    elif path.suffix.lower() == ".xlsx":
        _xlsx(path)
    else:
        raise Misconfigured(f"{path} is neither .csv nor .xlsx", "give it one of these endings")


def _titles(kind: str) -> list[str]:
    """地点, 服务, ..."""
    return [names[0] for column, names in COLUMNS[kind].items() if column not in _LEFT_OUT]


def _xlsx(path: Path) -> None:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    bold = book.add_format({"bold": True, "bg_color": "#DDEBE6", "border": 1, "num_format": "@"})
    # Text: of what is typed here Excel would make a date of 1-5 and 13 of 1,3.
    typed = book.add_format({"num_format": "@"})
    for kind, names in SHEETS.items():
        sheet = book.add_worksheet(names[0])
        for n, title in enumerate(_titles(kind)):
            sheet.set_column(n, n, 14, typed)
            sheet.write_string(0, n, title, bold)
        sheet.freeze_panes(1, 0)
    _help(book.add_worksheet("说明 help"), bold, typed)
    book.close()


def _help(sheet: Any, bold: Any, typed: Any) -> None:
    sheet.set_column(0, 3, 20, typed)
    sheet.set_column(4, 4, 100)
    sheet.write_row(0, 0, ("表 sheet", "列", "column", "例 example", "填写 what to write"), bold)
    at = 0
    for kind, names in SHEETS.items():
        for column, titles in COLUMNS[kind].items():
            if column in _LEFT_OUT:
                continue
            at += 1
            for n, told in enumerate((names[0], titles[0], column, _EXAMPLES[column], _NOTES[column])):
                sheet.write_string(at, n, told)
