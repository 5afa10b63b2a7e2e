"""The sealed map of names: one entry for one id, whoever writes it."""

from pathlib import Path

import pytest

from edge_gateway.errors import Rejected
from edge_gateway.privacy import names
from tests.edge_gateway.visits_world import World


def test_a_text_that_somebody_typed_keeps_no_name_of_the_map(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        with world.ledger.book.transaction():
            people = world.ledger.people
            people.set("e-1", "elder", "futian", {"name": "欧阳兰", "phone": "13900417263", "address": "梧桐里3-201"}, "zhang")
            people.set("e-2", "elder", "futian", {"name": "欧", "phone": "120", "address": ""}, "zhang")
            people.set("p-1", "place", "futian", {"address": "欧阳兰家, 梧桐里3-201"}, "zhang")
        asked = {
            "reason": "欧阳兰不在, 打13900417263, 欧阳好",
            "rows": [{"comment": "到欧阳兰家, 梧桐里3-201", "id": "欧阳兰"}],
            "by": "li",
            "n": 3,
        }
        assert names.changed(asked, people.struck) == {
            "reason": "e-1不在, 打e-1, 欧阳好",
            "rows": [{"comment": "到p-1", "id": "欧阳兰"}],
            "by": "li",
            "n": 3,
        }
    finally:
        world.close()


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


def test_who_asks_for_one_site_gets_and_forgets_nobody_of_another(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        with world.ledger.book.transaction():
            people = world.ledger.people
            people.set("3-201", "place", "futian", {"address": "A 3-201"}, "zhang")
            assert people.reveal(["3-201"], "zhang", "export", "nanshan") == {}
            assert not people.forget("3-201", "zhang", "nanshan")
            assert people.reveal(["3-201"], "zhang", "export", "futian") == {"3-201": {"address": "A 3-201"}}
            assert people.forget("3-201", "zhang", "futian")
            assert people.reveal(["3-201"], "zhang", "claim") == {}
    finally:
        world.close()
