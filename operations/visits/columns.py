"""The columns of the month sheet: what stands in each, and how a visit becomes a row. The same for making and for verifying.

The first seven are the six elements of electronic visit verification (service, receiver, date, place, provider, begin and end).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from edge_gateway.visits import words
from edge_gateway.visits.records import Grade, Reason, State, Visit
from operations.words import printable

Cell = str | int
Row = tuple[Cell, ...]
Names = Mapping[str, Mapping[str, str]]  # pseudonym -> name, address


@dataclass(frozen=True, slots=True)
class Column:
    """One column. width: in characters, for XLSX; element: of the six; number: shown as one there."""

    key: str
    zh: str
    width: int
    element: bool = False
    number: bool = False

    @property
    def title(self) -> str:
        """`地点 place`."""
        return f"{self.zh} {self.key}"


COLUMNS: Final = (
    Column("date", "日期", 11, True),
    Column("place", "地点", 15, True),
    Column("person", "服务对象", 12, True),
    Column("service", "服务", 8, True),
    Column("courier", "配送员", 12, True),
    Column("start", "开始", 19, True),
    Column("end", "结束", 19, True),
    Column("planned", "计划时段", 12),
    Column("state", "状态", 10),
    Column("early_min", "早到分钟", 8, number=True),
    Column("late_min", "迟到分钟", 8, number=True),
    Column("counted", "计入", 6),
    Column("in_review", "待核对", 8),
    Column("proof", "证据", 8),
    Column("reasons", "原因", 30),
    Column("corrections", "更正", 40),
    Column("comment", "备注", 20),
    Column("received", "到达网关", 19),
    Column("taps", "打卡编号", 24),
    Column("visit", "编号", 28),
    Column("code", "代码", 28),
)
NAMES: Final = (
    Column("place_address", "地址", 24),
    Column("person_name", "服务对象姓名", 14),
    Column("courier_name", "配送员姓名", 14),
)
EXCEPTIONS: Final = (
    Column("kind", "类别", 10),
    Column("date", "日期", 11),
    Column("place", "地点", 15),
    Column("person", "服务对象", 12),
    Column("service", "服务", 8),
    Column("courier", "配送员", 12),
    Column("planned", "计划时段", 12),
    Column("tapped", "打卡时间", 19),
    Column("reasons", "原因", 40),
    Column("id", "编号", 30),
)
YES: Final = {"zh-CN": ("否", "是"), "en": ("no", "yes")}
_NO_SERVICE: Final = {"zh-CN": "未填", "en": "none"}
_REFUSED: Final = {"zh-CN": "不予采信的打卡", "en": "refused tap"}
_REVIEW: Final = {"zh-CN": "待核对", "en": "in review"}


class LocalTime:
    """`2026-11-21 11:20:33` of a site's zone, fast: offsets are looked up once for each quarter of an hour."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._offsets: dict[int, int] = {}
        self._days: dict[int, str] = {}
        self._minutes = [f"{n // 60:02}:{n % 60:02}" for n in range(1440)]
        self._seconds = [f":{n:02}" for n in range(60)]

    def _parts(self, time_ns: int) -> tuple[int, int]:
        second = time_ns // 1_000_000_000
        quarter = second // 900
        offset = self._offsets.get(quarter)
        if offset is None:
            if len(self._offsets) > 20_000:
                self._offsets.clear()
            found = datetime.fromtimestamp(quarter * 900, UTC).astimezone(self._zone).utcoffset()
            offset = self._offsets[quarter] = int(found.total_seconds()) if found else 0
        return divmod(second + offset, 86_400)

    def text(self, time_ns: int | None) -> str:
        """Date and time; "" for None or 0."""
        if not time_ns:
            return ""
        day, second = self._parts(time_ns)
        date = self._days.get(day)
        if date is None:
            if len(self._days) > 20_000:
                self._days.clear()
            date = self._days[day] = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
        return f"{date} {self._minutes[second // 60]}{self._seconds[second % 60]}"

    def minute(self, time_ns: int) -> str:
        """`11:20`."""
        return self._minutes[self._parts(time_ns)[1] // 60]

    def date(self, time_ns: int) -> str:
        """`2026-11-21`."""
        return self.text(time_ns)[:10]


class Rows:
    """Makes the rows of one sheet.

    Args:
        language: of states, grades, reasons: `zh-CN` or `en`.
        names: what the sealed map told; empty without names.
    """

    def __init__(self, zone: tzinfo, language: str, names: Names | None = None) -> None:
        self.local, self.language = LocalTime(zone), language
        self._names = names
        # Apart: `late` is a state and a reason, and both are the same key.
        self._states = {state: words.state(state, language) for state in State}
        self._grades = {grade: words.grade(grade, language) for grade in Grade}
        self._words = {reason: words.reason(reason, language) for reason in Reason}
        self._reasons: dict[tuple[Reason, ...], str] = {}
        self._services: dict[str, str] = {}
        self.columns: tuple[Column, ...] = COLUMNS if names is None else (*COLUMNS, *NAMES)

    def visit(self, visit: Visit, corrections: str = "") -> Row:
        """One row of `COLUMNS`."""
        local, yes = self.local, YES[self.language]
        late_s = visit.late_s
        row: Row = (
            visit.date,
            visit.place,
            printable(visit.person),
            self._service(visit.service),
            printable(visit.courier),
            local.text(visit.start_ns),
            local.text(visit.end_ns),
            self.window(visit),
            self._states[visit.state],
            -(late_s // 60) if late_s < 0 else 0,
            late_s // 60 if late_s > 0 else 0,
            yes[visit.counted],
            yes[visit.reviewing],
            self._grades[visit.grade],
            self.reasons(visit.reasons),
            corrections,
            clean(visit.comment),
            local.text(visit.received_ns),
            " ".join(visit.taps),
            visit.id,
            code(visit),
        )
        return row if self._names is None else row + self._named(visit, self._names)

    def _named(self, visit: Visit, names: Names) -> Row:
        place, person, courier = (names.get(id, {}) for id in (visit.place, visit.person, visit.courier))
        address = place.get("address") or person.get("address") or ""
        return clean(address), clean(person.get("name") or ""), clean(courier.get("name") or "")

    def window(self, visit: Visit) -> str:
        """`11:00-12:00`; "" when nothing was planned."""
        if not visit.closes_ns:
            return ""
        return f"{self.local.minute(visit.opens_ns)}-{self.local.minute(visit.closes_ns)}"

    def reasons(self, reasons: tuple[Reason, ...]) -> str:
        """In words."""
        found = self._reasons.get(reasons)
        if found is None:
            mark = "; " if self.language == "en" else "；"
            found = self._reasons[reasons] = mark.join(self._words[reason] for reason in reasons)
        return found

    def exception(self, visit: Visit) -> Row | None:
        """A row of `EXCEPTIONS`, or None: there is nothing to look at."""
        if visit.reviewing:
            kind = _REVIEW[self.language]
        elif visit.state in (State.MISSED, State.UNKNOWN):
            kind = self._states[visit.state]
        else:
            return None
        # An objection of a visit that is settled otherwise stands among the corrections of its row.
        return (
            kind,
            visit.date,
            visit.place,
            visit.person,
            self._service(visit.service),
            visit.courier,
            self.window(visit),
            self.local.text(visit.start_ns),
            self.reasons(visit.reasons),
            visit.id,
        )

    def refused(self, tap: str, time_ns: int, place: str, courier: str, reasons: tuple[Reason, ...]) -> Row:
        """A row of `EXCEPTIONS` for a tap that is no visit; `tap` is its id."""
        local, why = self.local, self.reasons(reasons)
        return (_REFUSED[self.language], local.date(time_ns), place, "", "", courier, "", local.text(time_ns), why, tap)

    def _service(self, name: str) -> str:
        found = self._services.get(name)
        if found is None:
            # One that nobody planned is of no service until a person says so.
            found = self._services[name] = words.service(name, self.language) if name else _NO_SERVICE[self.language]
        return found


def code(visit: Visit) -> str:
    """State, grade, counted, review and reasons as the fixed words of `records`: the same in every language."""
    parts = [visit.state.value, visit.grade.value, "counted" if visit.counted else "not_counted"]
    if visit.reviewing:
        parts.append("review")
    return " ".join([*parts, *visit.reasons])


def clean(text: str) -> str:
    """Text of people for one cell: nothing that a program obeys, no line breaks, no blanks around."""
    return printable(" ".join(text.split()))


def neutral(text: str) -> str:
    """Text that no spreadsheet takes for a formula when it opens a CSV file: an apostrophe before what begins like one."""
    return f"'{text}" if text[:1] in _DANGEROUS else text


_DANGEROUS: Final = frozenset("=+-@\t\r\n＝＋－＠")


def titles(columns: Sequence[Column]) -> tuple[str, ...]:
    """The header."""
    return tuple(column.title for column in columns)
