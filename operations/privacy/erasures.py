"""Who was erased, as keyed hashes: what comes back out of an old backup is known again and erased again.

`erasures.jsonl` lies in the data folder and in each backup; without `secrets/store.key` it tells nothing.
"""

import json
import os
import time
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured
from edge_gateway.privacy import raw
from edge_gateway.privacy.raw import RawSeal
from edge_gateway.privacy.subject import Subject

NAME: Final = "erasures.jsonl"


class Erasures:
    """Those of one installation.

    Args:
        folder: that of its data.
    """

    def __init__(self, folder: Path, seal: RawSeal | None = None) -> None:
        self.file = folder / NAME
        self._seal = seal or raw.load(raw.key_file(folder / "gateway.db"))
        self._known: set[str] = set()
        for line in lines(self.file):
            self._known.update(line["who"])

    def add(self, subject: Subject, by: str) -> str:
        """Write it down; the line, for the backups' own files.

        Not why: what a person types may name who is to be named nowhere. The reason is in the log of the site, struck.
        """
        who = [self._hash(subject.site, word) for word in subject.words]
        line = json.dumps({"at": int(time.time()), "by": by, "who": who}, ensure_ascii=False)
        append(self.file, line)
        self._known.update(who)
        return line

    def take(self, file: Path) -> None:
        """Also those that a backup knows of."""
        have = set(self.file.read_text(encoding="utf-8").splitlines()) if self.file.exists() else set()
        for line in lines(file):
            self._known.update(line["who"])
            if (text := json.dumps(line, ensure_ascii=False)) not in have:
                append(self.file, text)

    def has(self, site: str, word: str) -> bool:
        """Whether this place or person was erased."""
        return bool(word) and self._hash(site, word) in self._known

    def _hash(self, site: str, word: str) -> str:
        return self._seal.index(f"{site}/{word}")


def lines(file: Path) -> list[dict[str, list[str]]]:
    """What a file holds; none where there is none.

    Raises:
        Misconfigured: it cannot be read, and erased people would come back.
    """
    if not file.exists():
        return []
    try:
        found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
        if not all(isinstance(line["who"], list) for line in found):
            raise ValueError("a line without `who`")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}", "it says who was erased: restore it from a backup") from error
    return found


def append(file: Path, line: str) -> None:
    """One line more, on disk when this returns."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as out:
        out.write(line + "\n")
        out.flush()
        os.fsync(out.fileno())
