"""One cell of a plan, as people type it or as Excel keeps it, as a value. An error says what was seen and what is right.

Excel turns `1-5` into a date and `1,3` into 1.3 or 13 without asking; such a cell is refused or read for what it can only mean.
"""

import re
import unicodedata
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from edge_gateway.topics import ID

DAY_MIN: Final = 1440
_DAYS: Final = "一二三四五六日"
_ENGLISH: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_EVERY: Final = {"每天", "每日", "天天", "daily", "every day", "everyday", "all", "1-7"}
_WORKDAYS: Final = {"工作日", "平日", "weekdays", "workdays"}
_WEEKEND: Final = {"周末", "weekend", "weekends"}
_YES: Final = {"1", "true", "yes", "y", "是", "要", "需要", "有"}
_NO: Final = {"", "0", "false", "no", "n", "否", "不", "不要", "不需要", "无"}
_HOLIDAYS: Final = {
    "as_usual": {"as_usual", "as usual", "usual", "照常", "照送", "同平日"},
    "none": {"none", "no", "休", "休息", "不送", "停", "停送"},
    "only": {"only", "仅节假日", "只在节假日"},
}
_SERVICES: Final = {
    "meal": {"meal", "餐", "送餐", "助餐", "午餐", "晚餐", "早餐"},
    "bath": {"bath", "助浴", "洗澡"},
    "call": {"call", "探访", "走访", "看望"},
}
_CLOCK: Final = re.compile(r"(\d{1,2})[:点时h.](?:(\d{1,2})分?(?::00)?)?(半)?")


class Bad(ValueError):
    """A cell that cannot be read; the text says what was seen and what would be right."""


def text(cell: Any) -> str:
    """What stands there as text, full-width forms made plain: `１１：００` is `11:00`."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # Excel knows no whole numbers: 301 is 301.0
    return unicodedata.normalize("NFKC", str(cell)).strip()


def pseudonym(cell: Any) -> str:
    """An id; "" for an empty cell."""
    found = text(cell).lower()
    if found and ID.fullmatch(found) is None:
        raise Bad(f"saw {found[:40]!r}; write the code of the person or place (a-z, 0-9, - and _), never a name")
    return found


def minutes(cell: Any) -> int:
    """Minutes of the local day: `11:00`, `11点半`, `25:30`, or what Excel keeps for a time."""
    if isinstance(cell, datetime):
        if cell.year > 1901:
            raise Bad(f"saw the date {cell:%Y-%m-%d}; write a time such as 11:00")
        # Excel's day 0 and day 1: [h]:mm above 24:00 comes as a date of January 1900.
        return _whole((cell - datetime.combine(cell.date(), time())) + timedelta(days=cell.day if cell.year == 1900 else 0))
    if isinstance(cell, time):
        return cell.hour * 60 + cell.minute
    if isinstance(cell, timedelta):
        return _whole(cell)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if 0 < cell < 2 and not float(cell).is_integer():
            return _whole(timedelta(days=float(cell)))  # a part of a day
        raise Bad(f"saw the number {text(cell)}; write a time such as 11:00")
    return _clock(text(cell))


def _clock(found: str) -> int:
    match = _CLOCK.fullmatch(found.replace(" ", ""))
    if match is None or (match[2] and match[3]):
        raise Bad(f"saw {found[:40]!r}; write a time such as 11:00")
    hour, minute = int(match[1]), 30 if match[3] else int(match[2] or 0)
    if hour > 47 or minute > 59:
        raise Bad(f"saw {found[:40]!r}; hours are 0 to 47 (25:30 is half past one of the next day), minutes 0 to 59")
    return hour * 60 + minute


def _whole(span: timedelta) -> int:
    """Nearest minute; Excel's parts of a day are some microseconds off."""
    return round(span / timedelta(minutes=1))


def window(cell: Any) -> tuple[int, int]:
    """`11:00-12:00`."""
    parts = re.split(r"\s*(?:-|–|—|~|至|到)\s*", text(cell))
    if len(parts) != 2:
        raise Bad(f"saw {text(cell)[:40]!r}; write a window such as 11:00-12:00")
    return ordered(_clock(parts[0]), _clock(parts[1]))


def ordered(opens: int, closes: int) -> tuple[int, int]:
    """The window with its end after its beginning; 22:00 to 01:00 goes over midnight."""
    if closes > opens:
        return opens, closes
    if closes + DAY_MIN - opens > DAY_MIN // 2 or closes == opens:
        raise Bad(f"it ends ({clock(closes)}) before it begins ({clock(opens)}); after midnight is 25:00 and so on")
    return opens, closes + DAY_MIN


def clock(minute: int) -> str:
    """11:05; after midnight 25:30."""
    return f"{minute // 60:02}:{minute % 60:02}"


def number(cell: Any) -> int:
    """Whole minutes, from 0."""
    found = text(cell)
    if not found.isascii() or not found.isdigit():
        raise Bad(f"saw {found[:40]!r}; write whole minutes such as 30")
    return int(found)


def weekdays(cell: Any) -> tuple[int, ...]:
    """ISO numbers of `1-5`, `一至五`, `周一,周三`, `mon-fri`, `每天`, 135."""
    if isinstance(cell, date | datetime):
        raise Bad(
            f"saw the date {cell:%Y-%m-%d}: Excel made it of what was typed; write 一至五 or mon-fri, or set the cell to text"
        )
    found = text(cell).lower().replace("星期", "").replace("礼拜", "").replace("每周", "")
    if found in _EVERY:
        return (1, 2, 3, 4, 5, 6, 7)
    if found in _WORKDAYS:
        return (1, 2, 3, 4, 5)
    if found in _WEEKEND:
        return (6, 7)
    found = found.replace("周", "")
    days: set[int] = set()
    for part in re.split(r"[,，、;；/和\s]+", found):
        days |= _days(part, text(cell))
    return tuple(sorted(days))


def _days(part: str, seen: str) -> set[int]:
    ends = re.split(r"[-–—~至到]", part)
    if len(ends) == 2:
        first, last = _day(ends[0], seen), _day(ends[1], seen)
        return {(first - 1 + n) % 7 + 1 for n in range((last - first) % 7 + 1)}
    if len(ends) == 1 and len(part) > 1 and not part.isascii():
        return {_day(letter, seen) for letter in part}  # 一三五
    if len(ends) == 1 and part.isdigit() and len(part) > 1:
        if sorted(set(part)) != list(part):
            raise Bad(_no_days(seen))
        return {_day(letter, seen) for letter in part}  # Excel's number for 1,3,5
    if len(ends) == 1:
        return {_day(part, seen)}
    raise Bad(_no_days(seen))


def _day(word: str, seen: str) -> int:
    if len(word) == 1 and word in "1234567":
        return int(word)
    if len(word) == 1 and word in _DAYS + "天":
        return 7 if word == "天" else _DAYS.index(word) + 1
    for number, name in enumerate(_ENGLISH, 1):
        if len(word) >= 3 and name.startswith(word):
            return number
    raise Bad(_no_days(seen))


def _no_days(seen: str) -> str:
    return f"saw {seen[:40]!r}; write days such as 1-5, 一至五, 周一,周三 or 每天 (1 is Monday)"


def day(cell: Any) -> str:
    """`2026-11-21` of a date cell, 2026-11-21, 2026/11/21, 2026.11.21, 2026年11月21日 or 20261121; "" for an empty cell."""
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    found = text(cell)
    if not found:
        return ""
    match = re.fullmatch(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?", found) or re.fullmatch(
        r"(\d{4})(\d\d)(\d\d)", found
    )
    try:
        if match is None:
            raise ValueError
        return date(int(match[1]), int(match[2]), int(match[3])).isoformat()
    except ValueError:
        raise Bad(f"saw {found[:40]!r}; write a date such as 2026-11-21") from None


def yes(cell: Any) -> bool:
    """是 or 否."""
    found = text(cell).lower()
    if found not in _YES | _NO:
        raise Bad(f"saw {found[:40]!r}; write 是 or 否 (yes or no)")
    return found in _YES


def holidays(cell: Any) -> str:
    """as_usual, none or only."""
    found = text(cell).lower()
    for meaning, names in _HOLIDAYS.items():
        if found in names:
            return meaning
    raise Bad(f"saw {found[:40]!r}; write 照常, 不送 or 仅节假日 (as_usual, none, only)")


def service(cell: Any) -> str:
    """meal, bath, call, or another id."""
    found = text(cell).lower()
    for meaning, names in _SERVICES.items():
        if found in names:
            return meaning
    if ID.fullmatch(found) is None:
        raise Bad(f"saw {found[:40]!r}; write 送餐, 助浴, 探访 (meal, bath, call) or a code of a-z, 0-9, - and _")
    return found
