"""Plans from the tables that offices have: what is read, and that one bad row stops all with every problem told at once."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from edge_gateway.errors import Misconfigured
from edge_gateway.visits.records import Plan, PlanException
from operations.visits import cells
from operations.visits.plan_file import EXCEPTION, HOLIDAY, PLAN, read_file
from operations.visits.plan_template import COLUMNS, write

wall = partial(datetime, tzinfo=None)  # what Excel keeps has no zone
HEADER = ("地点", "服务", "星期", "开始", "结束", "配送员")


def book(path: Path, *tables: tuple[str, Sequence[Sequence[Any]]]) -> Path:
    found = openpyxl.Workbook()
    assert found.active is not None
    found.remove(found.active)
    for name, rows in tables:
        sheet = found.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    found.save(path)
    return path


def table(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def problems(path: Path, **more: Any) -> list[str]:
    with pytest.raises(Misconfigured) as error:
        read_file(path, "wutong", **more)
    return [line.strip() for line in error.value.detail.split("\n")[1:]]


@pytest.mark.parametrize(
    ("cell", "days"),
    [
        ("1-5", (1, 2, 3, 4, 5)),
        ("一至五", (1, 2, 3, 4, 5)),
        ("周一至周五", (1, 2, 3, 4, 5)),
        ("周一,周三", (1, 3)),
        ("星期一、星期三、星期日", (1, 3, 7)),
        ("周一三五", (1, 3, 5)),
        ("每天", (1, 2, 3, 4, 5, 6, 7)),
        ("工作日", (1, 2, 3, 4, 5)),
        ("周末", (6, 7)),
        ("周六、周天", (6, 7)),
        ("六至一", (1, 6, 7)),
        ("mon-fri", (1, 2, 3, 4, 5)),
        ("Monday, Wednesday", (1, 3)),
        ("１，３", (1, 3)),
        (135, (1, 3, 5)),
        (3.0, (3,)),
    ],
)
def test_weekdays_are_read_as_people_write_them(cell: Any, days: tuple[int, ...]) -> None:
    assert cells.weekdays(cell) == days


@pytest.mark.parametrize("cell", ["1-8", "0", "八", "1-2-3", "monkey", 1.3, 531, wall(2026, 1, 5), "一至", "-"])
def test_what_is_no_weekday_is_refused_with_what_was_seen(cell: Any) -> None:
    with pytest.raises(cells.Bad, match="saw "):
        cells.weekdays(cell)


def test_a_weekday_that_excel_made_a_date_of_says_so() -> None:
    with pytest.raises(cells.Bad, match="Excel made it"):
        cells.weekdays(wall(2026, 1, 5))


@pytest.mark.parametrize(
    ("cell", "minute"),
    [
        ("11:00", 660),
        ("11：05", 665),
        ("9:30:00", 570),
        ("11点", 660),
        ("11点半", 690),
        ("11点15分", 675),
        ("25:30", 1530),
        (time(11, 30), 690),
        (0.458333333333333, 660),
        (wall(1900, 1, 1, 1, 30), 1530),
        (wall(1899, 12, 31, 1, 30), 90),
        (timedelta(hours=25, minutes=30), 1530),
    ],
)
def test_times_are_read_as_text_and_as_excel_keeps_them(cell: Any, minute: int) -> None:
    assert cells.minutes(cell) == minute


@pytest.mark.parametrize("cell", ["noon", "24:75", "48:00", 11, "11", wall(2026, 11, 21, 11), "11点半30", True])
def test_what_is_no_time_is_refused(cell: Any) -> None:
    with pytest.raises(cells.Bad):
        cells.minutes(cell)


@pytest.mark.parametrize(
    "cell", ["2026-11-21", "2026/11/21", "2026年11月21日", "20261121", 20261121, date(2026, 11, 21), wall(2026, 11, 21)]
)
def test_dates_are_read_as_people_write_them(cell: Any) -> None:
    assert cells.day(cell) == "2026-11-21"


def test_a_workbook_with_chinese_headers_title_row_and_excel_times_is_read(tmp_path: Path) -> None:
    path = book(
        tmp_path / "plan.xlsx",
        ("说明", [("怎么填",)]),
        (
            "计划",
            [
                ("11 月送餐计划",),
                ("地点", "老人", "服务", "星期", "开始 (时:分)", "结束 (时:分)", "配送员", "节假日", "结束打卡", "生效"),
                ("p-301", "e-1", "送餐", "一至五", time(11), time(12), "k-1", "不送", "", date(2026, 11, 1)),
                (None,) * 10,
                ("p-302", None, "助浴", 3, "14:00", 0.6666666667, None, None, "是", None),
            ],
        ),
        ("例外", [("日期", "变更", "地点", "开始", "结束", "原因"), (date(2026, 11, 23), "取消", "p-301", None, None, "住院")]),
        ("节假日", [("日期", "名称"), ("2027-01-01", "元旦")]),
    )
    found = read_file(path, "wutong")
    assert found.plans == [
        Plan(
            "p-301-e-1-meal-1100", "wutong", "p-301", "e-1", "meal", (1, 2, 3, 4, 5), 660, 720, courier="k-1",
            first="2026-11-01", holidays="none",
        ),
        Plan("p-302-bath-1400", "wutong", "p-302", "", "bath", (3,), 840, 960, ends=True),
    ]  # fmt: skip
    assert found.exceptions == [
        PlanException("20261123-p-301", "wutong", "2026-11-23", "cancelled", place="p-301", reason="住院")
    ]
    assert found.holidays == {"2027-01-01": "元旦"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_in_every_encoding_that_office_programs_write(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = [HEADER, ("p-301", "送餐", "周一至周五", "11:00", "12:00", "k-1")]
    path = table(tmp_path / "plan.csv", "\r\n".join(delimiter.join(row) for row in rows), encoding)
    (plan,) = read_file(path, "wutong").plans
    assert (plan.place, plan.service, plan.weekdays, plan.courier) == ("p-301", "meal", (1, 2, 3, 4, 5), "k-1")


def test_english_headers_and_a_window_in_one_column_are_read(tmp_path: Path) -> None:
    path = table(tmp_path / "plan.csv", "id,home,days,time,volunteer\nlunch-1,p-1,mon-fri,11:00-12:30,k-2\n")
    (plan,) = read_file(path, "wutong").plans
    assert (plan.id, plan.opens_min, plan.closes_min, plan.courier) == ("lunch-1", 660, 750, "k-2")


def test_a_window_over_midnight_is_read_and_one_that_ends_before_it_begins_is_not(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "place,weekdays,opens,closes\np-1,1-7,22:00,1:00\n")
    assert read_file(path, "wutong").plans[0].closes_min == 1500
    path = table(tmp_path / "b.csv", "place,weekdays,opens,closes\np-1,1-7,12:00,11:00\n")
    assert problems(path) == ["b.csv, row 2: it ends (11:00) before it begins (12:00); after midnight is 25:00 and so on"]


def test_every_problem_is_told_at_once_with_sheet_and_row(tmp_path: Path) -> None:
    path = book(
        tmp_path / "plan.xlsx",
        (
            "计划",
            [
                HEADER,
                ("p-301", "送餐", "一至五", "11:00", "12:00", "张三"),
                ("p-302", "送餐", wall(2026, 1, 5), "11:00", "noon", None),
                (None, "送餐", "每天", "11:00", "12:00", None),
                ("p-303", "送餐", "每天", "11:00", "12:00", None),
                ("p-303", "送餐", "每天", "11:00", "12:30", None),
            ],
        ),
        ("节假日", [("日期", "名称"), ("13月1日", "?")]),
    )
    told = problems(path)
    assert [line.split(": ")[0] for line in told] == [
        "plan.xlsx, sheet 计划, row 2, courier",
        "plan.xlsx, sheet 计划, row 3, weekdays",
        "plan.xlsx, sheet 计划, row 3, closes",
        "plan.xlsx, sheet 计划, row 4",
        "plan.xlsx, sheet 计划, row 6",
        "plan.xlsx, sheet 节假日, row 2, date",
    ]
    assert "never a name" in told[0]
    assert "also row 5" in told[4]


def test_what_the_gateway_would_refuse_is_told_with_the_row(tmp_path: Path) -> None:
    rows = "place,weekdays,opens,closes,first,last\np-1,1-7,11:00,12:00,,\np-2,1-7,11:00,12:00,2026-11-30,2026-11-01\n"
    (told,) = problems(table(tmp_path / "plan.csv", rows))
    assert told.startswith("plan.csv, row 3: p-2-meal-1100: ")
    assert "last 2026-11-01 is before first 2026-11-30" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("place,weekdays,opens,closes,colour\np-1,1-7,11:00,12:00,red\n", "'colour' is not known"),
        ("place,地点,weekdays,opens,closes\np-1,p-1,1-7,11:00,12:00\n", "place is there twice"),
        ("place,weekdays,opens,closes\np-1,1-7,11:00,12:00,13:00\n", "column without a name"),
        ("place,weekdays,opens\np-1,1-7,11:00\n", "结束 (closes) is empty"),
        ("place,weekdays,window,opens\np-1,1-7,11:00-12:00,11:00\n", "either"),
        ("one,two\n1,2\n", "no row of column names"),
        ("", "nothing to import"),
        ("place,weekdays,opens,closes\n=HYPERLINK(1),1-7,11:00,12:00\n", "never a name"),
    ],
)
def test_a_table_that_is_not_understood_says_why(tmp_path: Path, text: str, told: str) -> None:
    assert any(told in line for line in problems(table(tmp_path / "plan.csv", text)))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("plan.xls", b"\xd0\xcf\x11\xe0"),
        ("plan.csv", b"PK\x03\x04"),
        ("plan.xlsx", b"no zip"),
        ("plan.csv", b"\xff\xff\xff\x80\x81"),
        ("plan.xlsx", b"PK\x03\x04 broken"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Misconfigured):
        read_file(tmp_path / name, "wutong")


def test_exceptions_and_holidays_are_read_from_a_csv_of_their_own(tmp_path: Path) -> None:
    path = table(tmp_path / "e.csv", "日期,变更,计划,时段,原因\n2026-11-23,改时间,lunch-1,13:00-14:00,体检\n")
    (moved,) = read_file(path, "wutong", only="exceptions").exceptions
    assert (moved.kind, moved.plan, moved.opens_min, moved.closes_min, moved.reason) == ("moved", "lunch-1", 780, 840, "体检")
    path = table(tmp_path / "h.csv", "date,name\n2027-01-01,New Year\n")
    assert read_file(path, "wutong", only="holidays").holidays == {"2027-01-01": "New Year"}
    path = table(tmp_path / "bad.csv", "date,kind,place,window\n2026-11-23,取消,p-1,13:00-14:00\n2026-11-24,取消,,\n")
    assert len(problems(path, only="exceptions")) == 2


def test_the_template_is_an_empty_form_whose_every_column_is_known_and_explained(tmp_path: Path) -> None:
    write(tmp_path / "form.xlsx")
    with pytest.raises(Misconfigured, match="nothing to import"):
        read_file(tmp_path / "form.xlsx", "wutong")
    form = openpyxl.load_workbook(tmp_path / "form.xlsx")
    explained = {str(row[2]) for row in form["说明 help"].iter_rows(min_row=2, values_only=True)}
    assert explained == {*PLAN, *EXCEPTION, *HOLIDAY} - {"window"}
    examples = {(row[0], row[1]): row[3] for row in form["说明 help"].iter_rows(min_row=2, values_only=True)}
    for name in ("计划", "例外", "节假日"):
        for cell in form[name][1]:
            form[name].cell(2, cell.column, examples[name, cell.value])
    form.save(tmp_path / "filled.xlsx")
    found = read_file(tmp_path / "filled.xlsx", "wutong")
    assert (len(found.plans), len(found.exceptions), len(found.holidays)) == (1, 1, 1)


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_csv_template_is_read_as_what_it_is_for(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "form.csv", kind)
    assert any("nothing to import" in line for line in problems(tmp_path / "form.csv", only=kind))
    with pytest.raises(Misconfigured, match="is there already"):
        write(tmp_path / "form.csv", kind)
