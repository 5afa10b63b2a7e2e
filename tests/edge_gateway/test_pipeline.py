"""Pipeline: every message ends in exactly one way, times are right or marked, and nothing pure touches the world."""

import json
from typing import Any

import pytest

from edge_gateway import events, likeness, registry, state
from edge_gateway.clock import Limits
from edge_gateway.errors import Misconfigured
from edge_gateway.events import Event, Flag, Loss, Readings, StatusChange, TimeQuality
from edge_gateway.pipeline import Pipeline
from edge_gateway.work import Outcome, Work

T0 = 1_780_000_000
NOW = T0 * 10**9
DATA = "kanhu/1/wutong/home-1/up/data"
EVENT = "kanhu/1/wutong/home-1/up/event"
STATUS = "kanhu/1/wutong/home-1/up/status"
KNOWN = registry.parse('[sites.wutong]\nname = "梧桐社区"\n[[devices]]\nsite = "wutong"\nid = "home-1"\nplace = "w3-201"\n')
LIMITS = Limits.of("2024-01-01T00:00:00Z", 30 * 86_400, 86_400)


def pack(seq: int, *records: dict[str, Any], boot: int = 1, **head: Any) -> bytes:
    """A message; times are relative to `bt`, which is T0 unless given."""
    first = {"boot": boot, "seq": seq, "clk": "ntp", "bt": T0, **head}
    if first["clk"] == "none":
        del first["bt"]
    rows = [dict(r) for r in records] or [{"n": "temperature", "v": 21.5}]
    return json.dumps([{**first, **rows[0]}, *rows[1:]]).encode()


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(KNOWN, LIMITS)


def readings(work: Work) -> list[Readings]:
    return [e for e in work.data if isinstance(e, Readings)]


def test_a_good_message_is_stored_with_the_devices_time_and_place(pipeline: Pipeline) -> None:
    assert pipeline.take(DATA, pack(1, {"n": "temperature", "v": 21.5}, {"n": "humidity", "v": 45}), NOW) is Outcome.STORED
    (entry,) = readings(pipeline.work)
    assert (entry.site, entry.device, entry.place, entry.boot, entry.seq) == ("wutong", "home-1", "w3-201", 1, 1)
    assert (entry.time_ns, entry.time_quality) == (NOW, TimeQuality.DEVICE)
    assert [(r.name, r.value) for r in entry.readings] == [("temperature", 21.5), ("humidity", 45.0)]


def test_the_same_message_twice_is_one_entry_and_owes_a_second_receipt(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1), NOW)
    pipeline.take_work()
    assert pipeline.take(DATA, pack(1), NOW + 1) is Outcome.DUPLICATE
    work = pipeline.take_work()
    assert not work.data
    assert ("wutong", "home-1", 1) in work.receipts


def test_the_same_identity_with_other_content_is_a_dead_letter_not_an_overwrite(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1, {"n": "temperature", "v": 20}), NOW)
    assert pipeline.take(DATA, pack(1, {"n": "temperature", "v": 30}), NOW) is Outcome.DEAD
    assert [d.reason for d in pipeline.work.dead] == ["identity_conflict"]
    assert len(pipeline.work.data) == 1


def test_an_unknown_device_is_held_and_gets_no_receipt_until_somebody_registers_it(pipeline: Pipeline) -> None:
    topic = "kanhu/1/wutong/new-1/up/data"
    assert pipeline.take(topic, pack(1), NOW) is Outcome.HELD
    work = pipeline.take_work()
    assert [h.device for h in work.held] == ["new-1"]
    assert not work.receipts and not work.touched
    extended = registry.parse('[sites.wutong]\n[[devices]]\nsite = "wutong"\nid = "new-1"\n')
    pipeline.expect(extended)
    assert pipeline.take(topic, pack(1), NOW, held_id=5) is Outcome.STORED
    work = pipeline.take_work()
    assert work.unheld == [5] and ("wutong", "new-1", 1) in work.receipts


def test_poison_is_buried_with_its_reason_and_its_identity_is_rejected_when_it_can_be_read(pipeline: Pipeline) -> None:
    assert pipeline.take(DATA, b"\xff\xfe", NOW) is Outcome.DEAD
    assert pipeline.take(DATA, pack(1, {"n": "no_such_thing", "v": 1}), NOW) is Outcome.DEAD
    work = pipeline.take_work()
    assert len(work.dead) == 2
    assert work.receipts["wutong", "home-1", 1].rejected == [1]


def test_one_bad_record_does_not_drop_its_neighbours(pipeline: Pipeline) -> None:
    payload = pack(1, {"n": "temperature", "v": 21}, {"n": "no_such_thing", "v": 1}, {"n": "humidity", "v": 40})
    assert pipeline.take(DATA, payload, NOW) is Outcome.STORED
    (entry,) = readings(pipeline.work)
    assert [r.name for r in entry.readings] == ["temperature", "humidity"]
    assert len(pipeline.work.dead) == 1
    assert pipeline.states["wutong", "home-1"].counters.refused == 1


def test_the_latest_value_is_by_measurement_time_not_by_arrival(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1, {"n": "temperature", "v": 21}), NOW)
    pipeline.take(DATA, pack(2, {"n": "temperature", "v": 5}, bt=T0 - 3600), NOW)
    assert pipeline.take_work().touched["wutong", "home-1"].latest["temperature"].value == 21
    pipeline.take(DATA, pack(3, {"n": "temperature", "v": 6}, bt=T0 - 1800), NOW)
    assert pipeline.take_work().touched["wutong", "home-1"].latest["temperature"].value == 21


def test_the_latest_value_of_a_name_is_found_whatever_it_came_with(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1, {"n": "temperature", "v": 21}, {"n": "humidity", "v": 40}), NOW)
    pipeline.take(DATA, pack(2, {"n": "temperature", "v": 22}, bt=T0 + 10), NOW)
    pipeline.take(DATA, pack(3, {"n": "temperature", "v": -300}, {"n": "humidity", "v": 41}, bt=T0 + 5), NOW)
    latest = pipeline.take_work().touched["wutong", "home-1"].latest
    assert {name: (last.time_ns - NOW, last.value, last.flag) for name, last in latest.items()} == {
        "temperature": (10 * 10**9, 22, Flag.PASS),
        "humidity": (5 * 10**9, 41, Flag.PASS),
    }


def test_two_different_readings_of_one_instant_are_kept_apart_and_marked(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1, {"n": "temperature", "v": 21}), NOW)
    pipeline.take(DATA, pack(2, {"n": "temperature", "v": 22}), NOW)
    pipeline.take(DATA, pack(3, {"n": "humidity", "v": 22}), NOW)
    entries = readings(pipeline.work)
    assert [(e.time_ns - NOW, e.time_quality) for e in entries] == [(0, 0), (1, TimeQuality.SHIFTED), (0, 0)]


def test_instants_stay_apart_over_a_restart(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1, {"n": "temperature", "v": 21}), NOW)
    pipeline.take_work()
    rows = [(*key, state.pack(known)) for key, known in pipeline.states.items()]
    again = Pipeline(KNOWN, LIMITS)
    again.restore(rows)
    again.take(DATA, pack(2, {"n": "temperature", "v": 22}), NOW)
    assert [e.time_ns - NOW for e in readings(again.work)] == [1]


@pytest.mark.parametrize(
    ("head", "received", "expected", "quality"),
    [
        pytest.param({"bt": T0}, NOW, NOW, TimeQuality.DEVICE, id="good clock"),
        pytest.param({"bt": T0 + 3600}, NOW, NOW + 3600 * 10**9, TimeQuality.DEVICE, id="an hour ahead is kept"),
        pytest.param({"bt": T0 + 2 * 86400}, NOW, NOW, TimeQuality.RECEIPT, id="two days ahead"),
        pytest.param({"bt": 946_684_800}, NOW, NOW, TimeQuality.RECEIPT, id="year 2000"),
        pytest.param({"bt": 4_102_444_800}, NOW, NOW, TimeQuality.RECEIPT, id="year 2100"),
        pytest.param({"bt": T0 - 40 * 86400}, NOW, NOW - 40 * 86400 * 10**9, TimeQuality.LATE, id="forty days late"),
        pytest.param({"clk": "none", "up": 10}, NOW, NOW, TimeQuality.RECEIPT, id="no clock"),
    ],
)
def test_the_time_of_a_reading(
    pipeline: Pipeline, head: dict[str, Any], received: int, expected: int, quality: TimeQuality
) -> None:
    pipeline.take(DATA, pack(1, **head), received)
    (entry,) = readings(pipeline.work)
    assert (entry.time_ns, entry.time_quality) == (expected, quality)


def test_a_time_without_a_clock_is_repaired_from_uptime_once_the_boot_knows_the_time(pipeline: Pipeline) -> None:
    birth = {"online": True, "boot": 1, "clk": "ntp", "time": T0, "up": 1000}
    pipeline.take(STATUS, json.dumps(birth).encode(), NOW)
    pipeline.take(DATA, pack(1, clk="none", up=400), NOW)
    (entry,) = readings(pipeline.work)
    assert (entry.time_ns, entry.time_quality) == (NOW - 600 * 10**9, TimeQuality.REPAIRED)


def test_without_a_clock_the_spacing_of_one_boot_is_kept_from_uptime(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1, clk="none", up=100), NOW)
    pipeline.take(DATA, pack(2, clk="none", up=70), NOW)
    assert [e.time_ns - NOW for e in readings(pipeline.work)] == [0, -30 * 10**9]


def test_an_unclocked_backlog_of_an_older_boot_gets_the_time_of_receipt_not_a_guess(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1, clk="none", up=5000, boot=1), NOW)
    pipeline.take(DATA, pack(1, boot=2), NOW)
    pipeline.take(DATA, pack(2, clk="none", up=4000, boot=1), NOW + 9)
    last = readings(pipeline.work)[-1]
    assert (last.time_ns, last.time_quality) == (NOW + 9, TimeQuality.RECEIPT)


def test_a_reboot_counts_from_one_again_and_is_no_duplicate(pipeline: Pipeline) -> None:
    assert pipeline.take(DATA, pack(1, boot=1), NOW) is Outcome.STORED
    assert pipeline.take(DATA, pack(1, boot=2, bt=T0 + 60), NOW) is Outcome.STORED


def test_two_devices_with_one_name_are_noticed_and_a_backlog_after_a_reboot_is_not(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1, boot=1, bt=T0), NOW)
    pipeline.take(DATA, pack(1, boot=2, bt=T0 + 100), NOW)
    pipeline.take(DATA, pack(2, boot=1, bt=T0 + 50), NOW)
    assert pipeline.states["wutong", "home-1"].counters.two_devices == 0
    pipeline.take(DATA, pack(3, boot=1, bt=T0 + 200), NOW)
    assert pipeline.states["wutong", "home-1"].counters.two_devices == 1


def test_a_declared_loss_closes_the_gap_and_is_told_to_the_database(pipeline: Pipeline) -> None:
    for seq in (1, 2, 6):
        pipeline.take(DATA, pack(seq, {"n": "temperature", "v": seq}, bt=T0 + seq), NOW)
    pipeline.take(DATA, pack(1, {"n": "lost", "v": 3, "lost": [1, 3, 5]}, boot=2), NOW)
    boot = pipeline.states["wutong", "home-1"].find(1)
    assert boot is not None and (boot.upto, boot.lost) == (6, 3)
    (loss,) = [e for e in pipeline.work.data if isinstance(e, Loss)]
    assert (loss.lost_boot, loss.first, loss.last) == (1, 3, 5)
    assert ("wutong", "home-1", 1) in pipeline.work.receipts


def test_a_gateway_without_memory_lets_the_device_go_on_from_what_it_still_holds(pipeline: Pipeline) -> None:
    pipeline.take(STATUS, json.dumps({"online": True, "boot": 1, "oldest": [[1, 5000]]}).encode(), NOW)
    pipeline.take(DATA, pack(5000), NOW)
    boot = pipeline.states["wutong", "home-1"].find(1)
    assert boot is not None and (boot.upto, boot.forgiven) == (5000, 4999)


def test_an_event_goes_in_its_own_lane_and_is_named_in_the_receipt(pipeline: Pipeline) -> None:
    assert pipeline.take(EVENT, pack(9, {"n": "sos", "vb": True}), NOW) is Outcome.STORED
    (event,) = [e for e in pipeline.work.events if isinstance(e, Event)]
    assert (event.kind, event.seq) == ("sos", 9)
    assert pipeline.work.receipts["wutong", "home-1", 1].events == [9]


def test_a_retained_birth_does_not_make_a_silent_device_look_alive(pipeline: Pipeline) -> None:
    pipeline.take(DATA, pack(1), NOW)
    pipeline.take(STATUS, b'{"online":true,"boot":1}', NOW + 10**12, retained=True)
    assert pipeline.states["wutong", "home-1"].heard_ns == NOW


def test_birth_and_will_are_told_once_per_change(pipeline: Pipeline) -> None:
    for payload in (b'{"online":true,"boot":1}', b'{"online":true,"boot":1}', b'{"online":false,"boot":1}'):
        pipeline.take(STATUS, payload, NOW)
    assert [e.online for e in pipeline.work.events if isinstance(e, StatusChange)] == [True, False]


def test_every_message_is_counted_once(pipeline: Pipeline) -> None:
    from edge_gateway.committer import totals

    for payload in (pack(1), pack(1), pack(2), b"poison", pack(3, {"n": "nonsense", "v": 1})):
        pipeline.take(DATA, payload, NOW)
    pipeline.take("kanhu/1/wutong/stranger/up/data", pack(1), NOW)
    pipeline.take("other/topic", pack(1), NOW)
    found = totals(pipeline.take_work())
    assert found["messages_received"] == 7
    assert {k: found[k] for k in ("messages_stored", "messages_duplicate", "messages_held", "messages_dead")} == {
        "messages_stored": 2,
        "messages_duplicate": 1,
        "messages_held": 1,
        "messages_dead": 3,
    }


def test_a_refused_message_is_rejected_by_name_even_when_it_cannot_be_decoded(pipeline: Pipeline) -> None:
    payload = b'[{"boot":1,"seq":7,"n":"temperature","v":21.5'
    assert pipeline.take(DATA, payload, NOW) is Outcome.DEAD
    assert pipeline.work.receipts["wutong", "home-1", 1].rejected == [7]
    assert pipeline.take(DATA, payload, NOW) is Outcome.DUPLICATE


def test_an_sos_in_the_wrong_lane_is_still_an_event(pipeline: Pipeline) -> None:
    judged: list[object] = []
    again = Pipeline(KNOWN, LIMITS, judged.append)
    again.take(DATA, pack(1, {"n": "sos", "vb": True}), NOW)
    assert [e.kind for e in again.work.events if isinstance(e, Event)] == ["sos"]
    assert len(judged) == 1 and again.work.receipts["wutong", "home-1", 1].events == [1]


def test_every_time_quality_has_a_word_in_the_database() -> None:
    from ingest.points import TIME_QUALITY

    assert set(TIME_QUALITY) == set(TimeQuality) - {TimeQuality.DEVICE}


def test_a_fault_of_ours_buries_its_message_and_not_its_neighbours(pipeline: Pipeline) -> None:
    pipeline.bury_unexpected(DATA, b"payload", NOW, ZeroDivisionError("x"))
    assert [(d.reason, d.payload) for d in pipeline.work.dead] == [("internal_error", b"payload")]
    assert pipeline.take(DATA, pack(1), NOW) is Outcome.STORED


def test_a_clock_that_stands_still_never_puts_two_readings_on_one_instant(pipeline: Pipeline) -> None:
    for seq in range(1, 201):
        pipeline.take(DATA, pack(seq, {"n": "temperature", "v": seq}), NOW)
    times = [e.time_ns for e in readings(pipeline.work)]
    assert len(set(times)) == 200
    assert pipeline.states["wutong", "home-1"].counters.shifted == 199
    pipeline.take_work()
    again = Pipeline(KNOWN, LIMITS)
    again.restore([(*key, state.pack(known)) for key, known in pipeline.states.items()])
    again.take(DATA, pack(201, {"n": "temperature", "v": 201}), NOW)
    assert [e.time_ns for e in readings(again.work)] == [max(times) + 1]


def test_what_became_of_an_update_is_known_also_of_a_device_in_safe_mode_which_has_no_boot_to_tell(pipeline: Pipeline) -> None:
    said = {"online": True, "firmware": "elder_home 1.4.0 safe", "update": "refused: older: 1.3.0, and 1.4.0 was here"}
    assert pipeline.take(STATUS, json.dumps(said).encode(), NOW) is Outcome.STORED
    known = pipeline.states["wutong", "home-1"]
    assert (known.firmware, known.update) == (said["firmware"], said["update"])
    pipeline.take(STATUS, b'{"online":false}', NOW)
    assert known.update


def test_what_is_stored_does_not_depend_on_the_messages_before(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[dict[str, Any]] = [
        {"n": "temperature", "u": "Cel", "v": 21.5},
        {"n": "battery_voltage", "u": "mV", "v": 3310},
        {"n": "ph", "v": 7, "raw": 6.9, "cal": "a"},
        {"n": "motion.hall", "vb": True},
    ]
    rows = []
    for one_of in (1, 10**9):  # learns from every message; never learns
        monkeypatch.setattr(likeness, "ONE_OF", one_of)
        pipeline = Pipeline(KNOWN, LIMITS)
        for seq in range(1, 40):
            records[0]["v"] = 80 + seq % 7  # some are out of range
            records[3]["vb"] = seq % 3 == 0
            told = [*records[: seq % 3 + 2], *([{"n": "sos", "vb": True}] if seq % 5 == 0 else [])]
            pipeline.take(DATA, pack(seq, *told, up=seq, clk="none" if seq % 4 == 0 else "ntp"), NOW)
        work = pipeline.take_work()
        rows.append((events.pack(work.data), events.pack(work.events), state.pack(pipeline.states["wutong", "home-1"])))
    assert rows[0] == rows[1]


def test_an_sos_behind_other_values_is_an_event_however_its_name_is_written(pipeline: Pipeline) -> None:
    for seq, name in enumerate([b"sos", b"s\\u006fs", b"sos.bath"], 1):
        payload = pack(seq, {"n": "temperature", "v": 21.5}, {"n": "NAME", "vb": True}, bt=T0 - seq).replace(b"NAME", name)
        assert pipeline.take(DATA, payload, NOW) is Outcome.STORED
    assert [entry.kind for entry in pipeline.work.events if isinstance(entry, Event)] == ["sos", "sos", "sos.bath"]
    assert not pipeline.work.data


# Taps


def tap(seq: int, text: str, *more: dict[str, Any], **head: Any) -> bytes:
    return pack(seq, {"n": "tap", "vs": text}, {"n": "proof", "vs": "uid"}, *more, **head)


def test_a_tap_waits_for_its_judge_and_only_its_number_travels_on(pipeline: Pipeline) -> None:
    assert pipeline.take(EVENT, tap(7, "04a1b2c3d4e5f6", {"n": "battery_level", "v": 80}), NOW + 5) is Outcome.STORED
    work = pipeline.take_work()
    (queued,) = work.taps
    assert (queued.id, queued.place, queued.text, queued.proof) == ("wutong/home-1/1/7", "w3-201", "04a1b2c3d4e5f6", "uid")
    assert (queued.time_ns, queued.received_ns, queued.clock) == (NOW, NOW + 5, "ntp")
    (event,) = work.events
    assert isinstance(event, Event)
    assert [(r.name, r.value) for r in event.values] == [("tap", "1-7"), ("proof", "uid"), ("battery_level", 80.0)]
    assert work.receipts["wutong", "home-1", 1].events == [7]
    kept = [events.pack(work.events), *(state.pack(known) for known in work.touched.values())]
    assert not [body for body in kept if b"04a1b2c3d4e5f6" in body]
    assert work.touched["wutong", "home-1"].latest["tap"].value == "1-7"


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([{"n": "battery_level", "v": 80}, {"n": "tap", "vs": "04a1b2c3d4e5f6"}], id="behind-a-reading"),
        pytest.param([{"n": "tap.left", "vs": "04a1b2c3d4e5f6"}], id="with-a-channel"),
        pytest.param([{"n": "sos", "vb": True}, {"n": "tap", "vs": "04a1b2c3d4e5f6"}], id="beside-an-sos"),
    ],
)
@pytest.mark.parametrize("topic", [DATA, EVENT])
def test_a_tap_is_hidden_wherever_it_stands_in_a_message(pipeline: Pipeline, topic: str, records: list[dict[str, Any]]) -> None:
    outcome = pipeline.take(topic, pack(1, *records), NOW)
    work = pipeline.take_work()
    assert [queued.text for queued in work.taps] == (["04a1b2c3d4e5f6"] if outcome is Outcome.STORED else [])
    assert b"04a1b2c3d4e5f6" not in events.pack([*work.events, *work.data])
    assert not [known for known in work.touched.values() if b"04a1b2c3d4e5f6" in state.pack(known)]


def test_a_tap_at_a_reader_that_is_carried_names_who_carries_it_and_at_a_door_nobody() -> None:
    carried = '[[devices]]\nsite = "wutong"\nid = "reader-1"\nholder = "k-1"\n'
    door = '[[devices]]\nsite = "wutong"\nid = "reader-2"\nplace = "w3-202"\n'
    pipeline = Pipeline(registry.parse(f"[sites.wutong]\n{carried}{door}"), LIMITS)
    for device in ("reader-1", "reader-2"):
        pipeline.take(f"kanhu/1/wutong/{device}/up/event", tap(1, "04aa"), NOW)
    assert [(queued.place, queued.courier) for queued in pipeline.work.taps] == [("", "k-1"), ("w3-202", "")]
    pipeline.expect(registry.parse(f"[sites.wutong]\n{carried.replace('k-1', 'k-2')}"))
    pipeline.take("kanhu/1/wutong/reader-1/up/event", tap(2, "04bb"), NOW)
    assert pipeline.work.taps[-1].courier == "k-2"


@pytest.mark.parametrize(
    ("line", "problem"),
    [("holder = 7", "holder is 7"), ('holder = "k-1"\nplace = "w3-201"', "only what is carried about has a holder")],
)
def test_a_holder_that_cannot_be_is_told_with_what_was_seen(line: str, problem: str) -> None:
    with pytest.raises(Misconfigured, match=problem):
        registry.parse(f'[sites.wutong]\n[[devices]]\nsite = "wutong"\nid = "reader-1"\n{line}\n')


def test_a_tap_without_words_is_queued_all_the_same(pipeline: Pipeline) -> None:
    pipeline.take(EVENT, pack(1, {"n": "tap", "v": None}), NOW)
    (queued,) = pipeline.work.taps
    assert (queued.text, queued.proof) == ("", "")
    (event,) = pipeline.work.events
    assert isinstance(event, Event) and event.values[0].value is None


def test_a_tap_that_comes_again_is_queued_once_and_a_retried_letter_keeps_its_identity(pipeline: Pipeline) -> None:
    pipeline.take(EVENT, tap(1, "04aa"), NOW)
    assert pipeline.take(EVENT, tap(1, "04aa"), NOW + 1) is Outcome.DUPLICATE
    assert len(pipeline.work.taps) == 1
    pipeline.take(EVENT, tap(1, "04aa"), NOW + 1, retry=True)
    assert {queued.id for queued in pipeline.work.taps} == {"wutong/home-1/1/1"}
    assert {e.time_ns for e in pipeline.work.events if isinstance(e, Event)} == {NOW}
