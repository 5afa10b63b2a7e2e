"""Times, numbers and texts for screens, as a tired person reads them."""

import shutil
import sys
import unicodedata
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final

from edge_gateway.rules.words import local, span_en

_CONTROL: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def program() -> str:
    """How a person types our program here: `kanhu` when it is on the PATH, else as it was called, `.venv/bin/kanhu`."""
    called = sys.argv[0]
    return "kanhu" if shutil.which("kanhu") or Path(called).name != "kanhu" else called


def moment(time_ns: int, now_ns: int, where: tzinfo | None = None) -> str:
    """今天 14:05, 昨天 22:10, 11月20日 08:30, 2025年11月20日 08:30; in the machine's zone unless told otherwise."""
    zone = where or datetime.now().astimezone().tzinfo
    assert zone is not None
    then, now = local(time_ns, zone), local(now_ns, zone)
    if then.date() == now.date():
        return f"今天 {then:%H:%M}"
    if then.date() == (now - timedelta(days=1)).date():
        return f"昨天 {then:%H:%M}"
    year = "" if then.year == now.year else f"{then.year}年"
    return f"{year}{then.month}月{then.day}日 {then:%H:%M}"


def ago(time_ns: int, now_ns: int) -> str:
    """12 s ago, 3 min ago."""
    seconds = (now_ns - time_ns) / 1e9
    return "just now" if seconds < 1 else f"{span_en(seconds)} ago"


def clock(seconds: float) -> str:
    """0:42, 1:02:05."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def size(count: float) -> str:
    """512 B, 3.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def of(came: int, lost: int, missing: int) -> str:
    """1,438 of 1,440."""
    return f"{came:,} of {came + lost + missing:,}"


def number(value: float | str | None) -> str:
    """A value as short as it is exact enough to look at."""
    if value is None:
        return "missing"
    return printable(value)[:60] if isinstance(value, str) else f"{value:.6g}"


def printable(text: str) -> str:
    r"""Text from outside with everything that a terminal would obey written out, as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _CONTROL else c for c in text)


def hexdump(payload: bytes, most: int = 1024) -> list[str]:
    """Lines of `00000000  5b 7b ...  |[{...|`, safe to print whatever the bytes are."""
    lines = []
    for at in range(0, min(len(payload), most), 16):
        row = payload[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row.hex(' '):<47}  |{text}|")
    if len(payload) > most:
        lines.append(f"... {len(payload) - most:,} more bytes")
    return lines


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65_536 else f"\\U{code:08x}"
