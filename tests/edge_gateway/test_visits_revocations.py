"""Readers know which cards are reported lost: at once, again when they come back, and never as a list of numbers."""

import json
from typing import Any

import pytest

from edge_gateway.visits.revocations import MOST, Revocations, command, digest

SALT = bytes(range(16))
UIDS = [bytes([4, 0, 0, 0, 0, 0, n]) for n in range(5)]


class Site:
    """What is published, and a clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.readers = {"wutong": ["reader-1", "reader-2"]}
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.revocations = Revocations(
            lambda topic, payload: self.told.append((topic, json.loads(payload))),
            lambda site: SALT,
            lambda site: self.readers.get(site, []),
            lambda: self.now_s,
        )

    def heard(self) -> list[tuple[str, int]]:
        """Which reader was told of how many cards."""
        told = [(topic.split("/")[3], len(command["cards"]) // 16) for topic, command in self.told]
        self.told.clear()
        return told


def test_a_revoked_card_is_told_to_every_reader_of_its_site_at_once() -> None:
    site = Site()
    site.revocations.set("wutong", UIDS[:1])
    assert [topic for topic, _ in site.told] == [f"kanhu/1/wutong/reader-{n}/down/command" for n in (1, 2)]
    assert site.heard() == [("reader-1", 1), ("reader-2", 1)]
    site.revocations.set("elsewhere", UIDS)
    assert site.heard() == []


def test_only_what_is_new_is_told() -> None:
    site = Site()
    site.revocations.set("wutong", UIDS)
    site.heard()
    site.revocations.set("wutong", reversed(UIDS))
    assert site.heard() == []
    site.revocations.set("wutong", [])  # all were found again
    assert site.heard() == [("reader-1", 0), ("reader-2", 0)]


def test_a_reader_that_was_offline_is_told_after_its_birth_once_it_listens() -> None:
    site = Site()
    site.revocations.set("wutong", UIDS)
    site.heard()
    site.revocations.born("wutong", "reader-2")
    site.revocations.tick()
    assert site.heard() == []
    site.now_s += 2
    site.revocations.tick()
    assert site.heard() == [("reader-2", 5)]
    site.revocations.tick()
    assert site.heard() == []


def test_only_who_reads_cards_is_told() -> None:
    site = Site()
    site.revocations.born("wutong", "reader-1")  # before anything is known
    site.revocations.set("wutong", UIDS)
    site.heard()
    site.revocations.born("wutong", "home-7")
    site.revocations.born("elsewhere", "reader-1")
    site.now_s += 10
    site.revocations.tick()
    assert site.heard() == []


def test_a_reader_gets_digests_that_only_the_salt_makes_comparable() -> None:
    told = json.loads(command(SALT, UIDS))
    assert told["salt"] == SALT.hex()
    assert digest(SALT, UIDS[3]).hex() in told["cards"]
    other = json.loads(command(bytes(16), UIDS))
    assert other["cards"] != told["cards"] and other["id"] != told["id"]
    assert not any(uid.hex() in json.dumps(told) for uid in UIDS)
    with pytest.raises(ValueError, match="salt"):
        command(b"short", UIDS)


def test_a_reader_keeps_the_cards_revoked_last_when_there_are_too_many() -> None:
    site = Site()
    many = [n.to_bytes(7, "big") for n in range(MOST + 50)]
    site.revocations.set("wutong", many)
    [cards, _] = [command["cards"] for _, command in site.told]
    assert len(cards) == MOST * 16
    assert digest(SALT, many[0]).hex() in cards and digest(SALT, many[-1]).hex() not in cards
    assert len(json.dumps(site.told[0][1])) < 16_384
