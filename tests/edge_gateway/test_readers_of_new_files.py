"""A file that is looked at in the very moment in which it is made is not there yet: no other version, and no reason to end."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.homes.look import open_homes
from edge_gateway.registry import Registry
from edge_gateway.store import Store
from edge_gateway.view import snapshot
from edge_gateway.visits.look import open_ledger
from ingest.embedded_file import open_for_reading, open_for_writing

Look = Callable[[Path], object]


def homes(file: Path) -> None:
    with open_homes(file):
        pass


LOOKS: dict[str, Look] = {
    "the gateway's store": lambda file: snapshot(file, Registry()),
    "its homes": homes,
    "the ledger": lambda file: open_ledger(file).close(),
    "the readings": lambda file: open_for_reading(file).close(),
}
each = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)


@each
def test_an_empty_file_is_just_being_made(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    file.touch()
    with pytest.raises(Unavailable, match="just being made"):
        look(file)


@each
def test_a_file_without_tables_is_just_being_made(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    db = sqlite3.connect(file)
    db.execute("PRAGMA journal_mode = WAL")
    try:
        with pytest.raises(Unavailable, match="just being made"):
            look(file)
    finally:
        db.close()


@each
def test_tables_without_a_version_are_of_another_program(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE other (n INTEGER)")
    db.close()
    with pytest.raises(Misconfigured, match=r"version 0|schema 0"):
        look(file)


@pytest.mark.parametrize("made_by", [lambda file: Store(file).close(), lambda file: open_for_writing(file).close()])
def test_who_looks_all_the_time_while_files_are_made_sees_none_or_all(
    made_by: Callable[[Path], None], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    look = LOOKS["the gateway's store" if request.node.callspec.indices["made_by"] == 0 else "the readings"]
    seen: list[BaseException] = []
    files = [tmp_path / f"{number}.db" for number in range(40)]
    at = [0]

    def watch() -> None:
        while at[0] < len(files):
            try:
                look(files[at[0]])
            except Unavailable:
                pass
            except BaseException as error:
                seen.append(error)
                return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for file in files:
            made_by(file)
            at[0] += 1
    finally:
        at[0] = len(files)
        watching.join()
    assert not seen
