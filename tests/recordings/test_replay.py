"""A replayed recording is, message by message, what the file holds; on a real broker and through two kills of it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import split_name
from simulator.fleet import Summary
from simulator.link import Access
from simulator.recordings import RECORDINGS, Recording, Row
from simulator.replay import pack, replay, shift_to, survey
from simulator.senml import Encoding, Value
from tests.recordings.expected import EXPECTED, Expected
from tests.servers import Mosquitto
from tests.simulator.gateway import read
from tests.simulator.live import LiveStandIn

S = 10**9
# Twenty rows a message; each of the seven areas ends with one that is not full.
MESSAGES = sum(-(-rows // 20) for rows in (13_208, 9_468, 8_942, 2_308, 2_212, 1_872, 1_758))


def row(device: str, second: int, err_s: float | None = None) -> Row:
    return Row(device, second * S, (Value("temperature", float(second)),), err_s)


def test_rows_share_a_message_only_with_their_own_device_and_uncertainty() -> None:
    rows = [row("a", 1), row("b", 2), row("a", 3), row("a", 4, 60.0), row("a", 5, 60.0), row("b", 6)]
    packed = [(p.key[1], [i.time_ns // S for i in p.instants], p.err_s) for p in pack(rows, "s", per_message=2)]
    assert packed == [("a", [1, 3], None), ("a", [4, 5], 60.0), ("b", [2, 6], None)]


def test_a_message_does_not_wait_for_more_rows_than_its_span() -> None:
    rows = [row("a", 1), row("b", 5), row("a", 12)]
    assert [(p.key[1], p.at_s) for p in pack(rows, "s", span_s=10)] == [("a", 12.0), ("b", 12.0), ("a", 12.0)]


def test_a_step_back_in_time_is_written_later_and_never_earlier() -> None:
    rows = [row("a", 10), row("a", 2), row("b", 4), row("a", 11)]
    packed = list(pack(rows, "s", per_message=1))
    assert [p.at_s for p in packed] == [10, 10, 10, 11]
    assert [p.instants[0].time_ns // S for p in packed] == [10, 2, 4, 11]


def test_shifted_to_now_nothing_lies_in_the_future() -> None:
    found = survey([row("a", 100), row("a", 400)])
    assert found.first_ns + shift_to(found, 5000.0, 1.0) == 5000 * S
    assert found.last_ns + shift_to(found, 5000.0, 100.0) == 5000 * S
    assert found.last_ns + shift_to(found, 5000.0, None) == 5000 * S
    with pytest.raises(ValueError, match="empty"):
        survey([])


def received(gateway: LiveStandIn, site: str) -> list[Expected]:
    """What a database would hold of it: values in the catalogue's unit, times from base and offset."""
    found: list[Expected] = []
    for (_, device), stand_in in gateway.devices.items():
        for payload in stand_in.held.values():
            pack = read(payload)
            found += [_stored(device, record, pack[0].get("bt", 0)) for record in pack]
    assert {key[0] for key in gateway.devices} == {site}
    return found


def _stored(device: str, record: dict[str, Any], base: float) -> Expected:
    quantity = QUANTITIES[split_name(record["n"])[0]]
    value = record.get("vs", record.get("v"))
    if "vb" in record:
        value = float(record["vb"])
    if value is not None and "u" in record and record["u"] != quantity.unit:
        value *= quantity.also[record["u"]][0]
    return device, record["n"], round((base + record.get("t", 0)) * 1e6) * 1000, value


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("logan-tony-grove-2014", Encoding.CBOR), ("cn-stations", Encoding.JSON)],
)
def test_what_arrives_is_what_the_file_holds(name: str, encoding: Encoding, data: Path, mosquitto: Mosquitto) -> None:
    recording, (path, expected) = RECORDINGS[name], EXPECTED[name]
    access = Access(port=mosquitto.port, password=mosquitto.passwords["simulator"])
    seen: list[Summary] = []
    with LiveStandIn(mosquitto) as gateway:
        summary = replay(recording, data / recording.path, access, deadline_s=300, encoding=encoding, on_progress=seen.append)
        assert summary.plan_done
        assert summary.total.generated == summary.total.receipted
        assert Counter(received(gateway, recording.site)) == Counter(expected(data / path))
    assert seen


def test_a_home_replayed_through_a_killed_broker_arrives_whole(data: Path, mosquitto: Mosquitto) -> None:
    recording, (path, expected) = RECORDINGS["casas-al"], EXPECTED["casas-al"]
    access = Access(port=mosquitto.port, password=mosquitto.passwords["simulator"])
    gateways = [LiveStandIn(mosquitto)]

    killed: list[int] = []

    def progress(summary: Summary) -> None:
        if summary.total.receipted > 100 and not killed:
            killed.append(summary.total.receipted)
            mosquitto.kill()
            mosquitto.start()
            gateways[-1].__exit__(None, None, None)
            gateways.append(LiveStandIn(mosquitto, held=gateways[-1].devices))

    summary = replay(recording, data / recording.path, access, deadline_s=300, on_progress=progress)
    assert killed
    gateways[-1].__exit__(None, None, None)
    assert summary.total.generated == summary.total.receipted == MESSAGES
    assert Counter(received(gateways[-1], recording.site)) == Counter(expected(data / path))


def test_a_deadline_ends_a_replay_and_the_rest_stays_pending(mosquitto: Mosquitto, tmp_path: Path) -> None:
    def rows(_path: Path) -> Any:
        return (row("a", n) for n in range(100))

    short = Recording("short", "a hundred rows", "x", "wutong", rows, lambda _path: "")
    access = Access(port=mosquitto.port, password=mosquitto.passwords["simulator"])
    summary = replay(short, tmp_path, access, per_message=10, deadline_s=1.0)
    assert (summary.plan_done, summary.total.pending, summary.total.receipted) == (True, 10, 0)
