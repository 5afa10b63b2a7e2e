"""Plans, exceptions and holidays from a CSV or XLSX file: all problems at once, and nothing is taken when one is bad."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import Rejected
from edge_gateway.visits.codec import plain as as_row
from edge_gateway.visits.plan import check, check_exception
from edge_gateway.visits.records import Plan, PlanException
from operations.visits import cells
from operations.visits.tables import Problems, Row, Sheet, plain, read, sheets, value

# Column -> headers it is known by; the first is that of the template.
PLAN: Final[Mapping[str, Sequence[str]]] = {
    "id": ("编号", "计划", "计划编号", "plan"),
    "place": ("地点", "住家", "住户", "home"),
    "person": ("老人", "长者", "服务对象", "elder"),
    "service": ("服务", "服务项目", "项目", "类型"),
    "weekdays": ("星期", "周几", "周", "weekday", "days"),
    "opens": ("开始", "开始时间", "最早", "start", "from"),
    "closes": ("结束", "结束时间", "最晚", "end", "to", "until"),
    "window": ("时段", "时间", "时间段", "time"),
    "courier": ("配送员", "骑手", "志愿者", "服务人员", "volunteer"),
    "grace_min": ("宽限", "宽限时间", "grace"),
    "early_min": ("可提前", "提前", "early"),
    "late_min": ("可推迟", "推迟", "late"),
    "first": ("生效", "生效日期", "开始日期", "first day", "valid from"),
    "last": ("失效", "失效日期", "结束日期", "last day", "valid to"),
    "holidays": ("节假日", "holiday"),
    "ends": ("结束打卡", "两次打卡", "second tap"),
}
EXCEPTION: Final[Mapping[str, Sequence[str]]] = {
    "id": ("编号",),
    "date": ("日期", "day"),
    "kind": ("变更", "变动", "类型", "change"),
    "plan": ("计划", "计划编号"),
    "place": ("地点", "住家", "住户", "home"),
    "person": ("老人", "长者", "服务对象", "elder"),
    "opens": ("开始", "开始时间", "start", "from"),
    "closes": ("结束", "结束时间", "end", "to", "until"),
    "window": ("时段", "时间", "时间段", "time"),
    "reason": ("原因", "说明", "why", "note"),
}
HOLIDAY: Final[Mapping[str, Sequence[str]]] = {
    "date": ("日期", "day"),
    "name": ("名称", "节日", "节假日", "holiday"),
}
SHEETS: Final[Mapping[str, Sequence[str]]] = {
    "plans": ("计划", "plans", "plan"),
    "exceptions": ("例外", "exceptions", "exception"),
    "holidays": ("节假日", "holidays", "holiday"),
}
_KINDS: Final = {
    "cancelled": ("cancelled", "canceled", "cancel", "取消", "停", "停送", "不送"),
    "moved": ("moved", "move", "改时间", "改期", "调整"),
}
_BAD_ID: Final = re.compile(r"[^a-z0-9_-]+")


@dataclass(slots=True)
class PlanFile:
    """What a file holds."""

    plans: list[Plan] = field(default_factory=list)
    exceptions: list[PlanException] = field(default_factory=list)
    holidays: dict[str, str] = field(default_factory=dict)


def read_file(path: Path, site: str, only: str = "") -> PlanFile:
    """Read a whole file.

    Args:
        only: `plans`, `exceptions` or `holidays`: what a file with a single table holds. "" reads the sheets by their
            names, and a single table as plans.
    Raises:
        Misconfigured: every problem with sheet and row; then nothing is to be imported.
    """
    problems, found = Problems(), PlanFile()
    tables = sheets(path)
    for sheet in tables:
        kind = _kind(sheet, only, single=len(tables) == 1)
        if kind == "plans":
            _plans(sheet, site, found.plans, problems)
        elif kind == "exceptions":
            _exceptions(sheet, site, found.exceptions, problems)
        elif kind == "holidays":
            _holidays(sheet, found.holidays, problems)
    if not problems.lines and not (found.plans or found.exceptions or found.holidays):
        wanted = " / ".join(names[0] for names in SHEETS.values()) if len(tables) > 1 else "a header and rows"
        problems.add(str(path.name), f"nothing to import was found; wanted: {wanted}")
    problems.end(path.name)
    return found


def _kind(sheet: Sheet, only: str, single: bool) -> str:
    """What a table holds by its name; "" for a sheet of explanations."""
    named = next((kind for kind, names in SHEETS.items() if plain(sheet.name) in names), "")
    if only:
        return only if single or named == only else ""
    if not sheet.rows:
        return ""
    return named or ("plans" if single else "")


def _plans(sheet: Sheet, site: str, found: list[Plan], problems: Problems) -> None:
    seen: dict[str, str] = {}
    for row in read(sheet, PLAN, problems):
        before = len(problems.lines)
        plan = _plan(row, site, problems)
        if len(problems.lines) == before:
            _checked(check, plan, row, problems)
        if plan.id in seen and len(problems.lines) == before:
            problems.add(row.where, f"the plan {plan.id!r} is there twice (also {seen[plan.id]}); give each its own 编号 (id)")
        seen.setdefault(plan.id, row.where.rsplit(", ", 1)[-1])
        found.append(plan)


def _checked(rule: Callable[[Mapping[str, Any]], object], found: Plan | PlanException, row: Row, problems: Problems) -> None:
    """The same check as the gateway's, so that it refuses nothing that was read here."""
    try:
        rule(as_row(found))
    except Rejected as error:
        problems.add(row.where, error.detail)


def _plan(row: Row, site: str, problems: Problems) -> Plan:
    def get(column: str, read_cell: Callable[[Any], Any], default: Any) -> Any:
        return value(row, column, read_cell, default, problems)

    place, person = get("place", cells.pseudonym, ""), get("person", cells.pseudonym, "")
    if "place" not in row.cells:
        problems.add(row.where, "地点 (place) is empty")
    if "weekdays" not in row.cells:
        problems.add(row.where, "星期 (weekdays) is empty; write 每天 or 1-5")
    service = get("service", cells.service, "meal")
    weekdays = get("weekdays", cells.weekdays, (1,))
    opens, closes = _window(row, problems)
    return Plan(
        id=get("id", cells.pseudonym, "") or _id(place, person, service, cells.clock(opens).replace(":", "")),
        site=site,
        place=place,
        person=person,
        service=service,
        weekdays=weekdays,
        opens_min=opens,
        closes_min=closes,
        courier=get("courier", cells.pseudonym, ""),
        grace_min=get("grace_min", cells.number, 30),
        early_min=get("early_min", cells.number, 60),
        late_min=get("late_min", cells.number, 180),
        first=get("first", cells.day, "2000-01-01"),
        last=get("last", cells.day, ""),
        holidays=get("holidays", cells.holidays, "as_usual"),
        ends=get("ends", cells.yes, False),
    )


def _id(*parts: str) -> str:
    """The same row gives the same id again, so that a corrected file changes its plans and does not double them."""
    return _BAD_ID.sub("-", "-".join(part for part in parts if part))[:48].strip("-_")


def _window(row: Row, problems: Problems, needed: bool = True) -> tuple[int, int]:
    """(opens, closes) of one column `window` or two; (0, 1) when it cannot be read, which then is a problem."""
    nothing = (0, 1)
    if "window" in row.cells and not ("opens" in row.cells or "closes" in row.cells):
        return tuple(value(row, "window", cells.window, nothing, problems))
    if "window" in row.cells:
        problems.add(row.where, "write either 时段 (window) or 开始 and 结束 (opens, closes)")
        return nothing
    missing = [name for name in ("opens", "closes") if name not in row.cells]
    if missing:
        if needed or len(missing) == 1:
            problems.add(row.where, f"{PLAN[missing[0]][0]} ({missing[0]}) is empty; write a time such as 11:00")
        return nothing
    before = len(problems.lines)
    opens, closes = (value(row, name, cells.minutes, 0, problems) for name in ("opens", "closes"))
    if len(problems.lines) > before:
        return nothing
    try:
        return cells.ordered(opens, closes)
    except cells.Bad as error:
        problems.add(row.where, str(error))
        return nothing


def _exceptions(sheet: Sheet, site: str, found: list[PlanException], problems: Problems) -> None:
    seen: dict[str, str] = {}
    for row in read(sheet, EXCEPTION, problems):
        before = len(problems.lines)
        entry = _exception(row, site, problems)
        if len(problems.lines) == before:
            _checked(check_exception, entry, row, problems)
        if entry.id in seen and len(problems.lines) == before:
            problems.add(row.where, f"the same day and home are there twice (also {seen[entry.id]}); say it once")
        seen.setdefault(entry.id, row.where.rsplit(", ", 1)[-1])
        found.append(entry)


def _exception(row: Row, site: str, problems: Problems) -> PlanException:
    def get(column: str, read_cell: Callable[[Any], Any], default: Any) -> Any:
        return value(row, column, read_cell, default, problems)

    day = get("date", cells.day, "")
    if "date" not in row.cells:
        problems.add(row.where, "日期 (date) is empty")
    plan, place, person = (get(name, cells.pseudonym, "") for name in ("plan", "place", "person"))
    if not row.cells.keys() & {"plan", "place", "person"}:
        problems.add(row.where, "write what it is about: 计划, 地点 or 老人 (plan, place or person)")
    timed = bool(row.cells.keys() & {"opens", "closes", "window"})
    kind = get("kind", _exception_kind, "moved" if timed else "cancelled")
    opens, closes = _window(row, problems, needed=kind == "moved") if timed or kind == "moved" else (0, 0)
    if kind == "cancelled" and timed:
        problems.add(row.where, "it is cancelled and has a time; leave one of them out")
    return PlanException(
        id=get("id", cells.pseudonym, "") or exception_id(day, plan, place, person),
        site=site,
        date=day,
        kind=kind,
        plan=plan,
        place=place,
        person=person,
        opens_min=opens if kind == "moved" else 0,
        closes_min=closes if kind == "moved" else 0,
        reason=cells.text(row.cells.get("reason"))[:200],
    )


def exception_id(day: str, plan: str, place: str, person: str) -> str:
    """The id of an exception that was given none; the same one again is the same exception."""
    return _id(day.replace("-", ""), plan, place, person)


def _exception_kind(cell: Any) -> str:
    found = cells.text(cell).lower()
    for kind, names in _KINDS.items():
        if found in names:
            return kind
    raise cells.Bad(f"saw {found[:40]!r}; write 取消 or 改时间 (cancelled, moved)")


def _holidays(sheet: Sheet, found: dict[str, str], problems: Problems) -> None:
    for row in read(sheet, HOLIDAY, problems):
        day = value(row, "date", cells.day, "", problems)
        if "date" not in row.cells:
            problems.add(row.where, "日期 (date) is empty")
        elif day in found:
            problems.add(row.where, f"{day} is there twice")
        elif day:
            found[day] = cells.text(row.cells.get("name"))[:60]
