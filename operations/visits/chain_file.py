"""The chain file beside a month sheet: the ledger's entries from the month's first to the newest, as JSON lines.

First line: what the sheet is about. Then the entries: [n, at_ns, kind, subject, by, hash, body]. The body is an object; where
it does not belong into this sheet (other months, places, taps) its SHA-256 as text: the chain holds all the same.
"""

import gzip
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from edge_gateway.errors import Misconfigured
from edge_gateway.visits import chain

FORMAT: Final = "kanhu-visits-chain/1"
_LONGEST_LINE: Final = 1 << 22
_DATED: Final = re.compile(r"\|[^/]+/(\d{4}-\d\d-\d\d)$")
_MEAL: Final = re.compile(r"\|(\d{4}-\d\d-\d\d)/.+$")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the sheet is about.

    Attributes:
        places, couriers: only these; empty: all.  zone: IANA.  language: of the words in the sheet.
        after, previous: number and hash of the entry before the first line.  last, head: those of the last one.
        made_ns: wall clock of the machine that made it.
        meals: there is a page of meals; the days before and after the month are then here as well.
    """

    format: str = FORMAT
    site: str
    month: str
    zone: str
    language: str
    places: tuple[str, ...] = ()
    couriers: tuple[str, ...] = ()
    after: int
    previous: str
    last: int
    head: str
    made_ns: int = 0
    meals: bool = False


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry as it stands in the file."""

    n: int
    at_ns: int
    kind: str
    subject: str
    by: str
    hash: str
    body: msgspec.Raw

    @property
    def sealed(self) -> bool:
        """Whether only the body's hash is here."""
        return bytes(self.body).startswith(b'"')

    @property
    def body_hash(self) -> str:
        """SHA-256 of the body, hex."""
        if self.sealed:
            return str(msgspec.json.decode(self.body, type=str))
        return chain.body_hash(bytes(self.body).decode())


_line: Final = msgspec.json.Decoder(Line)
_encoder: Final = msgspec.json.Encoder()


class Writer:
    """Writes head and entries to a binary file."""

    def __init__(self, file: IO[bytes], head: Head) -> None:
        self._file = file
        self._buffer = bytearray(_encoder.encode(head) + b"\n")
        self.open = self.sealed = 0

    def add(self, entry: chain.LogEntry, visible: bool) -> None:
        """One entry, with its body or with the body's hash."""
        if visible:
            self.open += 1
            body = msgspec.Raw(entry.text)
        else:
            self.sealed += 1
            body = msgspec.Raw(f'"{chain.body_hash(entry.text)}"')
        line = Line(entry.n, entry.at_ns, entry.kind, entry.subject, entry.by, entry.hash, body)
        _encoder.encode_into(line, self._buffer, -1)
        self._buffer += b"\n"
        if len(self._buffer) > 1 << 20:
            self.flush()

    def flush(self) -> None:
        """Hand over what is gathered."""
        self._file.write(self._buffer)
        self._buffer.clear()


def date_of(about: str) -> str:
    """The date in the name of a planned visit (`lunch-1/2026-11-04`); "" in that of another."""
    match = _DATED.search(about)
    return match[1] if match else ""


def date_of_meal(about: str) -> str:
    """The date in the name of a meal (`2026-11-04/wutong/counter-1/3/7`)."""
    match = _MEAL.search(about)
    return match[1] if match else ""


class Reader:
    """Reads a chain file, plain or gzipped.

    Raises:
        Misconfigured: it is no chain file.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        start = file.read(2)
        whole = io.BufferedReader(_Joined(start, file), 1 << 20)
        self._file: Any = gzip.GzipFile(fileobj=whole) if start == b"\x1f\x8b" else whole
        try:
            self.head = msgspec.json.decode(self._file.readline(_LONGEST_LINE), type=Head)
        except (msgspec.MsgspecError, OSError, EOFError) as error:
            raise Misconfigured(f"{name} is no chain file: {error}", "give the .chain.jsonl that came with the sheet") from None
        if self.head.format != FORMAT:
            raise Misconfigured(f"{name} has the format {self.head.format!r}, this program knows {FORMAT!r}", "use its program")

    def lines(self) -> Iterator[Line]:
        """The entries.

        Raises:
            chain.Broken: a line that is none, with the number it should have.
        """
        n = self.head.after
        while True:
            n += 1
            try:
                text = self._file.readline(_LONGEST_LINE)
                if not text:
                    return
                line = _line.decode(text)
            except (msgspec.MsgspecError, OSError, EOFError) as error:
                raise chain.Broken(n, f"its line cannot be read: {error}") from None
            yield line
            n = line.n


class _Joined(io.RawIOBase):
    """Some bytes, then the rest of a file."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        found = self._start[: len(buffer)] or self._rest.read(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)


def check(lines: Iterator[Line], head: Head, tell: Callable[[int, str], None]) -> Iterator[Line]:
    """Pass the lines on and recompute every hash on the way; what does not fit is told with the entry's number."""
    n, previous = head.after, head.previous
    try:
        for line in lines:
            if line.n != n + 1:
                many = f"entries {n + 1} to {line.n - 1} are" if line.n > n + 2 else f"entry {n + 1} is"
                tell(n + 1, f"{many} missing" if line.n > n + 1 else f"entry {line.n} stands where {n + 1} should")
            elif (found := _hash(previous, line)) != line.hash:
                tell(line.n, f"it was changed: its hash is {line.hash[:16]}, its content has {found[:16]}")
            n, previous = line.n, line.hash
            yield line
    except chain.Broken as error:
        tell(error.n, error.why)
    if n < head.last:
        tell(n + 1, f"the end is missing: the file should go to {head.last}")
    elif n > head.last or previous != head.head:
        tell(n, f"the chain ends with {n} {previous[:16]}, the file's first line says {head.last} {head.head[:16]}")


def _hash(previous: str, line: Line) -> str:
    try:
        before = bytes.fromhex(previous)
        return chain.link(before, line.n, line.at_ns, line.kind, line.subject, line.by, line.body_hash).hex()
    except ValueError:
        return "nothing that can be read"


def named(folder: Path, stem: str) -> Path:
    """Where a sheet's chain file is."""
    return folder / f"{stem}.chain.jsonl"
