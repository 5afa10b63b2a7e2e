"""Receipts: what a device may forget, by the numbers of the contract, in as few messages as will do."""

import json

import pytest

from edge_gateway.pipeline import Pipeline
from edge_gateway.receipts import Owed, Receipts
from tests.edge_gateway.test_pipeline import DATA, KNOWN, LIMITS, NOW, pack

Published = list[tuple[str, dict[str, object]]]


@pytest.fixture
def published() -> Published:
    return []


@pytest.fixture
def receipts(published: Published) -> Receipts:
    return Receipts(lambda topic, payload: published.append((topic, json.loads(payload))))


def owed(
    upto: int, events: list[int] | None = None, rejected: list[int] | None = None, boot: int = 1, device: str = "a"
) -> Owed:
    return Owed("wutong", device, boot, upto, events or [], rejected or [])


def test_readings_are_gathered_and_only_the_newest_number_is_sent(receipts: Receipts, published: Published) -> None:
    for upto in range(1, 500):
        receipts.owe([owed(upto)])
    assert published == []
    receipts.send_due()
    receipts.send_due()
    assert published == [("kanhu/1/wutong/a/down/receipt", {"boot": 1, "upto": 499})]
    assert receipts.sent == 1


def test_every_device_and_boot_has_its_own_receipt(receipts: Receipts, published: Published) -> None:
    receipts.owe([owed(1), owed(2, boot=2), owed(3, device="b")])
    receipts.send_due()
    assert [(topic.split("/")[3], r["boot"], r["upto"]) for topic, r in published] == [("a", 1, 1), ("a", 2, 2), ("b", 1, 3)]


def test_an_event_is_named_at_once_with_all_that_waits_for_its_device(receipts: Receipts, published: Published) -> None:
    receipts.owe([owed(3, rejected=[2])])
    receipts.owe([owed(4, events=[9])])
    assert [r for _, r in published] == [{"boot": 1, "upto": 4, "events": [9], "rejected": [2]}]
    receipts.send_due()
    assert len(published) == 1


def test_a_refused_message_is_named_however_many_come_before_the_receipt(receipts: Receipts, published: Published) -> None:
    for n in range(1, 451):
        receipts.owe([owed(n, rejected=[n])])
    receipts.send_due()
    named = [n for _, r in published for n in r["rejected"]]  # type: ignore[attr-defined]
    assert named == list(range(1, 451))
    assert max(len(json.dumps(r)) for _, r in published) < 2000


def test_a_receipt_owed_to_a_boot_that_is_forgotten_meanwhile_is_not_sent(receipts: Receipts) -> None:

    pipeline = Pipeline(KNOWN, LIMITS)
    for boot in range(1, 100):
        pipeline.take(DATA, pack(1, boot=boot), NOW)
    snapshot = receipts.snapshot(pipeline.take_work(), pipeline)
    assert 0 < len(snapshot) < 99 and all(o.upto == 1 for o in snapshot)
