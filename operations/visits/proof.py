"""What a sheet says of itself, and the entries of the ledger that prove it."""

from dataclasses import dataclass
from typing import IO, Final
from zoneinfo import ZoneInfo

import msgspec

from edge_gateway.visits.chain import LogEntry
from edge_gateway.visits.look import Ledger, subject
from operations.visits import chain_file, columns, meals
from operations.visits.columns import Cell


def about(head: chain_file.Head) -> list[tuple[str, Cell]]:
    """What stands above the totals: the same for making and for verifying."""
    local = columns.LocalTime(ZoneInfo(head.zone))
    return [
        ("站点 site", head.site),
        ("月份 month", head.month),
        ("地点 places", " ".join(head.places) or "全部 all"),
        ("配送员 couriers", " ".join(head.couriers) or "全部 all"),
        ("时区 zone", head.zone),
        ("制表时间 made", local.text(head.made_ns)),
        ("台账条目 ledger entries", f"{head.after + 1} - {head.last}"),
        ("链首 chain begins after", head.previous),
        ("链尾 chain ends with", head.head),
        ("核对 verify", f"kanhu visits verify --head {head.head[:16]}"),
    ]


@dataclass(slots=True)
class Chosen:
    """Which bodies of the chain belong to the sheet: visits (None: all of the month), corrections by number, taps."""

    visits: set[str] | None
    corrections: set[int]
    taps: set[str]


class _Opens(msgspec.Struct):
    """Of a visit's body, what decides whether it belongs to the month."""

    date: str = ""


_opens: Final = msgspec.json.Decoder(_Opens)


def write_chain(ledger: Ledger, head: chain_file.Head, chosen: Chosen, file: IO[bytes]) -> None:
    """The entries from the sheet's first to the newest, with the bodies that belong to it."""
    writer = chain_file.Writer(file, head)
    mine = subject(head.site, "")
    near = meals.neighbours(head.month) if head.meals else ("", "")
    for entry in ledger.log(head.after + 1, head.last):
        writer.add(entry, _belongs(entry, head, mine, near, chosen))
    writer.flush()


def _belongs(entry: LogEntry, head: chain_file.Head, mine: str, near: tuple[str, str], chosen: Chosen) -> bool:
    """Whether an entry's body is shown. near: the dates beside the month, where its meals need them."""
    if entry.kind == "served":
        on = entry.subject[len(mine) : len(mine) + 10]
        return head.meals and entry.subject.startswith(mine) and (on.startswith(head.month) or on in near)
    if entry.kind == "visit":
        if not entry.subject.startswith(mine) or (chosen.visits is not None and entry.subject not in chosen.visits):
            return False
        # One that was not planned has no date in its name: it is always open, so that a sealed one is seen to be hidden.
        undated = chosen.visits is None and not chain_file.date_of(entry.subject)
        on = _opens.decode(entry.text).date
        return undated or on.startswith(head.month) or on in near
    return entry.n in chosen.corrections or (entry.kind == "tap" and entry.subject in chosen.taps)
