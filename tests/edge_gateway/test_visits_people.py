"""The sealed map of names: one entry for one id, whoever writes it."""

from pathlib import Path

import pytest

from edge_gateway.errors import Rejected
from tests.edge_gateway.visits_world import World


def test_an_id_of_another_site_is_refused_until_its_entry_is_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        with world.ledger.book.transaction():
            people = world.ledger.people
            people.set("p-301", "place", "futian", {"address": "A 3-301"}, "zhang")
            people.set("p-301", "place", "futian", {"address": "B 3-301"}, "zhang")
            with pytest.raises(Rejected, match="place of futian"):
                people.set("p-301", "place", "nanshan", {"address": "C 3-301"}, "li")
            assert people.reveal(["p-301"], "zhang", "claim") == {"p-301": {"address": "B 3-301"}}
            people.forget("p-301", "zhang")
            people.set("p-301", "place", "nanshan", {"address": "C 3-301"}, "li")
            assert people.reveal(["p-301"], "zhang", "claim") == {"p-301": {"address": "C 3-301"}}
    finally:
        world.close()
