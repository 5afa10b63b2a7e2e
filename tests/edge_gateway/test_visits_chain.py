"""The chain: whatever is changed, left out, put in or moved is found at the first entry that is wrong."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edge_gateway.visits import chain, codec
from edge_gateway.visits.chain import Broken, LogEntry
from edge_gateway.visits.records import Grade, Reason, State, Visit
from tests.edge_gateway.visits_world import World

words = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc梧", max_size=3), inner, max_size=3),
    max_leaves=8,
)


def written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def made(bodies: list[dict[str, Any]]) -> list[LogEntry]:
    """A chain, written by arithmetic of its own."""
    entries, previous = [], bytes(32)
    for n, body in enumerate(bodies, 1):
        text = written(body)
        head = written([n, 1000 + n, "visit", "s|v", "zhang", hashlib.sha256(text.encode()).hexdigest()])
        previous = hashlib.sha256(previous + head.encode()).digest()
        entries.append(LogEntry(n, 1000 + n, "visit", "s|v", "zhang", text, previous.hex()))
    return entries


@given(st.lists(st.dictionaries(st.text("abc", max_size=2), plain, max_size=3), max_size=5))
def test_a_chain_written_elsewhere_holds(bodies: list[dict[str, Any]]) -> None:
    entries = made(bodies)
    n, head = chain.verify(entries)
    assert (n, head.hex()) == ((len(entries), entries[-1].hash) if entries else (0, "00" * 32))


CHANGES = {
    "a word of a body": lambda e: [*e[:2], replace(e[2], text=e[2].text.replace("2", "3")), *e[3:]],
    "who did it": lambda e: [*e[:2], replace(e[2], by="li"), *e[3:]],
    "when": lambda e: [*e[:2], replace(e[2], at_ns=e[2].at_ns + 1), *e[3:]],
    "what it was about": lambda e: [*e[:2], replace(e[2], subject="s|w"), *e[3:]],
    "left out": lambda e: [*e[:2], *e[3:]],
    "two changed places": lambda e: [*e[:2], e[3], e[2], *e[4:]],
    "put in again": lambda e: [*e[:3], e[2], *e[3:]],
    "its own hash made to fit": lambda e: [*e[:2], *made([{"v": n} for n in (0, 1, 9)])[2:], *e[3:]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found(change: str) -> None:
    entries = made([{"v": n} for n in range(6)])
    with pytest.raises(Broken) as broken:
        chain.verify(CHANGES[change](entries))
    assert broken.value.n in (3, 4)


def test_a_part_is_verified_by_what_was_before_it() -> None:
    entries = made([{"v": n} for n in range(6)])
    assert chain.verify(entries[3:], (3, bytes.fromhex(entries[2].hash)))[0] == 6
    with pytest.raises(Broken, match="entry 4"):
        chain.verify(entries[3:], (3, bytes(32)))


def test_nan_is_written_nowhere() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        chain.canonical({"late_s": float("nan")})


def test_a_ledger_with_everything_in_it_verifies_and_a_visit_comes_back_as_it_was(tmp_path: Path) -> None:
    world = World(tmp_path)
    card = world.card("k-1")
    world.plan()
    world.take(world.tap(world.read(card), "11:20"))
    world.actions.revoke(card.id, "zhang", "lost", None)
    world.ledger.saved(lambda one: one.people.set("e-1", "elder", "futian", {"name": "王"}, "zhang"))
    visit = world.visit()
    with world.look() as ledger:
        assert chain.verify(ledger.log()) == (ledger.head()[0], bytes.fromhex(ledger.head()[1]))
        last = [entry for entry in ledger.log() if entry.kind == "visit"][-1]
    assert codec.visit_of(last.body) == visit
    world.close()


def test_what_is_plain_becomes_the_same_record_again_also_of_a_version_that_knew_less() -> None:
    visit = Visit(
        *("m/2026-11-20", "s", "p", "e", "meal", "2026-11-20", "k", State.LATE),
        late_s=90,
        grade=Grade.WEAK,
        reasons=(Reason.LATE, Reason.SUBSTITUTE),
        taps=("s/d/1/1",),
    )
    body = codec.plain(visit)
    assert codec.visit_of(json.loads(chain.canonical(body))) == visit
    del body["comment"], body["by"]
    assert codec.visit_of(body) == visit
