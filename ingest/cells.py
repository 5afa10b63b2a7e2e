"""CSV cells: exact, and harmless when a spreadsheet opens them.

A spreadsheet runs a cell that begins with = + - @ as a formula. Text cells that begin so (or with a tab, a carriage return or
an apostrophe) get an apostrophe in front; reading takes it away, so nothing is changed on the way there and back. Numbers
stay numbers, `-5.2` included.
"""

from typing import Final

from ingest.tables import Cell, Type, iso

_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "'")


def guard(text: str) -> str:
    """`text` as a cell no spreadsheet will run."""
    return "'" + text if text.startswith(_DANGEROUS) else text


def unguard(cell: str) -> str:
    """What `guard` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_DANGEROUS) else cell


def written(cell: Cell, column: Type) -> Cell:
    """A cell as it goes to CSV. Also a number or time that is none, of a refused row, is guarded."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell if column in _NUMBERS and _is_number(cell) else guard(cell)
    return iso(cell) if column is Type.TIME and isinstance(cell, int) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_NUMBERS: Final = (Type.NUMBER, Type.WHOLE)
