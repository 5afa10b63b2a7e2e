"""The gateway understands every golden message as `index.json` says; the firmware's tests read the same files.

In `index.json` each case names a file and its topic, and one of: `message` (a reading is [name, value, flag, raw, calibration];
of a refused record only the reason is told), `birth`, `reply`, or `means` (for what goes down to the device, all defaults too).
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_gateway import topics
from edge_gateway.decoders import senml
from edge_gateway.decoders.status import decode_status
from edge_gateway.validate import validate
from edge_gateway.visits.live import parse_reply

FOLDER = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
UP = [case for case in CASES if "/up/" in case["topic"]]


def understood(topic: str, payload: bytes) -> dict[str, Any]:
    """What the gateway makes of a message, in the words of `index.json`."""
    address = topics.parse(topic)
    if address.channel is topics.Up.STATUS:
        return {"birth": json.loads(msgspec.json.encode(decode_status(payload)))}
    if address.channel is topics.Up.REPLY:
        reply = parse_reply(payload)
        return {"reply": {**asdict(reply), "answer": reply.answer.hex()}}
    found = validate(senml.decode(payload), address)
    message = json.loads(msgspec.json.encode(found))
    message["instants"] = [
        {"time_ns": i.time_ns, "uptime_ns": i.uptime_ns, "values": json.loads(msgspec.json.encode(i.readings))}
        for i in found.instants
    ]
    message["refused"] = [refused["reason"] for refused in message["refused"]]
    return {"message": message}


@pytest.mark.parametrize("case", UP, ids=lambda case: case["file"])
def test_the_gateway_understands(case: dict[str, Any]) -> None:
    expected = {key: case[key] for key in ("message", "birth", "reply") if key in case}
    assert understood(case["topic"], (FOLDER / case["file"]).read_bytes()) == expected


def test_every_file_is_in_the_index_and_every_entry_has_its_file() -> None:
    files = {file.name for file in FOLDER.iterdir() if file.suffix in (".json", ".cbor")} - {"index.json"}
    assert files == {case["file"] for case in CASES}


def test_every_channel_of_the_contract_has_a_golden_message() -> None:
    seen = {tuple(case["topic"].split("/")[4:]) for case in CASES}
    assert seen == {("up", channel) for channel in topics.Up} | {("down", channel) for channel in topics.Down}
