"""What devices sent lies sealed in the gateway's file, is found again by the same bytes, and is opened for who may."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_gateway import view
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.privacy import raw
from edge_gateway.store import Store
from edge_gateway.text import masked
from edge_gateway.transaction import Commit, DeadLetter, Held

CARD = b'[{"n":"tap","vs":"04d9e2715c0b33"}]'


def letter(payload: bytes) -> DeadLetter:
    return DeadLetter("decode", "malformed", "seen 04d9e2715c0b33", "t", "s", "d", None, None, 1, payload)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


def test_a_cards_number_is_in_no_file_and_is_shown_to_who_looks_at_the_letter(file: Path) -> None:
    seal = raw.load(raw.key_file(file), make=True)
    with closing(Store(file, raw=seal)) as store:
        for _ in range(3):
            held = [Held("t", "s", "new", 1, CARD)]
            store.commit(Commit(dead=[letter(CARD)], held=held, taps=[(False, CARD)]))
        assert [row.body for row in store.taps(10)] == [CARD] * 3
        assert all(row.intact for row in store.taps(10))
        assert not any(b"04d9e2715c0b33" in each.read_bytes() for each in file.parent.glob("gateway.db*"))
        (found,) = view.letters(file)
        assert (found.payload, found.times, found.detail) == (CARD, 3, "seen 04d9...")
        store.delete_dead([found.id])
        store.forget_taps([row.id for row in store.taps(10)])
        with closing(sqlite3.connect(file)) as db:
            assert db.execute("SELECT count(*) FROM held").fetchone() == (1,)
            sizes = dict(db.execute("SELECT what, bytes FROM size").fetchall())
        assert (sizes["dead"], sizes["tap"]) == (0, 0) and sizes["held"] > len(CARD)


def test_rows_of_an_older_version_are_read_as_they_are(file: Path) -> None:
    with closing(Store(file)) as store:
        store.commit(Commit(taps=[(False, CARD)]))
    with closing(Store(file, raw=raw.RawSeal(os.urandom(64)))) as store:
        assert [row.body for row in store.taps(10)] == [CARD]


def test_with_another_key_a_tap_stays_shut_and_nothing_stops(file: Path) -> None:
    with closing(Store(file, raw=raw.RawSeal(os.urandom(64)))) as store:
        store.commit(Commit(taps=[(False, CARD)], dead=[letter(CARD)]))
    with closing(Store(file, raw=raw.RawSeal(os.urandom(64)))) as store:
        (row,) = store.taps(10)
        assert CARD not in row.body
        (found,) = view.letters(file)
        assert CARD not in found.payload


@pytest.mark.parametrize("plain", [b"", b"\x00", b"\x00kh1", CARD, os.urandom(70_000)])
def test_what_is_sealed_is_opened_again(plain: bytes) -> None:
    seal = raw.RawSeal(os.urandom(64))
    assert seal.open(seal.seal(plain)) == plain
    assert seal.seal(plain) == seal.seal(plain)
    with pytest.raises(Unavailable, match=r"store\.key"):
        raw.RawSeal(os.urandom(64)).open(seal.seal(plain))


def test_a_key_that_others_may_read_is_refused(file: Path) -> None:
    raw.load(raw.key_file(file), make=True)
    raw.key_file(file).chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        raw.load(raw.key_file(file))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("n is '04d9e2715c0b33'", "n is '04d9...'"),
        ("04:D9:E2:71:5C:0B:33 and 04d9e2715c0b33aabbcc", "04:D... and 04d9..."),
        ("1780000000123, 1780000000123456 and 1780000000123456789", "1780000000123, 1780000000123456 and 1780000000123456789"),
        ("picc_data=EF963FF7828658A599F3041510671E88", "picc_data=EF963FF7828658A599F3041510671E88"),
    ],
)
def test_only_a_cards_number_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
