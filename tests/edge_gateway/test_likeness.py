"""A message read after one before says the same as one that is looked at record by record, or it is not read that way."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_gateway import likeness, topics, validate
from edge_gateway.decoders import senml
from edge_gateway.errors import Rejected
from edge_gateway.events import Flag, Reading
from edge_gateway.likeness import Likenesses
from edge_gateway.message import Message

ADDRESS = topics.parse("kanhu/1/village/home-1/up/data")
HEAD: dict[str, Any] = {"boot": 17, "seq": 1440, "clk": "ntp", "err": 0.05, "up": 86400.5, "bt": 1780000000.25}
FIVE: list[dict[str, Any]] = [
    {**HEAD, "n": "temperature", "u": "Cel", "v": 21.5},
    {"n": "motion.kitchen", "vb": True},
    {"n": "battery_voltage", "u": "mV", "v": 3310},
    {"n": "ph", "v": 7.02, "raw": 6.875, "cal": "ph-2026-05-20"},
    {"n": "humidity", "v": None},
]


def as_json(pack: list[dict[str, Any]]) -> bytes:
    return json.dumps(pack, separators=(",", ":")).encode()


def carefully(payload: bytes) -> Message | None:
    """As it is without any memory; None: refused."""
    try:
        return validate._carefully(senml.decode(payload), ADDRESS, frozenset())
    except Rejected:
        return None


def teach(alike: Likenesses, payload: bytes) -> None:
    """Show it this message as often as it takes."""
    try:
        records = senml.plain(payload) or senml.decode(payload)
        message = validate.validate(records, ADDRESS)
    except Rejected:
        return
    for _ in range(likeness.ONE_OF):
        alike.learn(payload, records, message)


def taught(*payloads: bytes) -> Likenesses:
    """Likenesses of a device that sent these, each many times."""
    alike = Likenesses()
    for payload in payloads:
        teach(alike, payload)
    return alike


def changed(at: int, **fields: Any) -> bytes:
    """`FIVE` with other fields in one record."""
    pack = [dict(record) for record in FIVE]
    pack[at] |= fields
    return as_json(pack)


def test_a_message_like_one_before_is_read_at_once() -> None:
    alike = taught(as_json(FIVE))
    found = alike.read(changed(0, v=-3, seq=1441, bt=1780000060))
    assert found is not None
    [instant] = found.instants
    assert (found.boot, found.seq, found.clock, found.error_s) == (17, 1441, "ntp", 0.05)
    assert (instant.time_ns, instant.uptime_ns) == (1780000060 * 10**9, 86400_500_000_000)
    assert instant.readings == [
        Reading("temperature", -3.0, Flag.PASS),
        Reading("motion.kitchen", 1.0, Flag.PASS),
        Reading("battery_voltage", 3.31, Flag.PASS, 3310.0),
        Reading("ph", 7.02, Flag.PASS, 6.875, "ph-2026-05-20"),
        Reading("humidity", None, Flag.MISSING),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(changed(0, v=85.1), id="out of range"),
        pytest.param(changed(2, v=9e9), id="out of range once converted"),
        pytest.param(changed(0, v=None), id="missing"),
        pytest.param(changed(4, v=40), id="not missing any more"),
        pytest.param(changed(0, u="K"), id="another unit"),
        pytest.param(changed(1, n="motion.hall"), id="another channel"),
        pytest.param(changed(3, cal="ph-2026-06-01"), id="calibrated anew"),
        pytest.param(changed(0, clk="rtc"), id="another clock"),
        pytest.param(changed(0, clk="none"), id="no clock"),
        pytest.param(changed(0, seq=0), id="no number"),
        pytest.param(changed(0, seq=2**32), id="a number too large"),
        pytest.param(changed(0, boot=17.0), id="a number with a fraction"),
        pytest.param(changed(0, bt=1000), id="a time relative to now"),
        pytest.param(changed(0, bt=2**33), id="a time too late"),
        pytest.param(changed(0, err=-1), id="a negative error"),
        pytest.param(changed(1, t=-60), id="another instant"),
        pytest.param(changed(1, bt=1780000000), id="another base time"),
        pytest.param(changed(1, lost=[17, 1, 2]), id="a loss"),
        pytest.param(changed(0, bu="K"), id="a base unit"),
        pytest.param(changed(1, x_=1), id="a field that must be understood"),
        pytest.param(as_json(FIVE[:4]), id="one fewer"),
        pytest.param(as_json([*FIVE, FIVE[1]]), id="one twice"),
        pytest.param(as_json([FIVE[0], *FIVE[:0:-1]]), id="another order"),
        pytest.param(as_json(FIVE).replace(b"21.5", b"NaN"), id="NaN"),
        pytest.param(as_json(FIVE).replace(b"21.5", b"1e999"), id="infinity"),
        pytest.param(as_json(FIVE).replace(b"21.5", b"021.5"), id="a leading zero"),
        pytest.param(as_json(FIVE).replace(b"21.5", b"+21.5"), id="a plus"),
        pytest.param(as_json(FIVE).replace(b"21.5", b"2_1.5"), id="an underscore"),
        pytest.param(as_json(FIVE).replace(b"21.5", b'"21.5"'), id="a text"),
        pytest.param(as_json(FIVE).replace(b"21.5", b"true"), id="a state"),
        pytest.param(as_json(FIVE).replace(b"21.5", b"21.5,22"), id="two numbers"),
        pytest.param(as_json(FIVE)[:-1], id="cut"),
        pytest.param(as_json(FIVE) + b" " * senml.MAX_BYTES, id="too long"),
        pytest.param(b"\xef\xbb\xbf" + as_json(FIVE), id="a byte order mark"),
    ],
)
def test_what_differs_in_more_than_its_numbers_is_looked_at(payload: bytes) -> None:
    assert taught(as_json(FIVE)).read(payload) is None


_ODD = [
    "0",
    "1",
    "-0",
    "-0.0",
    "01",
    "1.",
    ".5",
    "+1",
    "1e5",
    "1E-3",
    "1e400",
    "NaN",
    "null",
    "true",
    '"1"',
    "[1]",
    "1,2",
    " 7 ",
]
_numbers = st.one_of(
    *(st.integers(-5, 120).map(str), st.floats(-200, 200).map(repr), st.integers(-(10**30), 10**30).map(str)),
    *(
        st.floats(allow_nan=True).map(repr),
        st.sampled_from(_ODD),
        st.sampled_from(["4294967295", "4294967296", "1780000000.5"]),
    ),
)
_records = st.one_of(
    st.fixed_dictionaries({"n": st.sampled_from(["temperature", "humidity", "co2", "energy", "ph"]), "v": _numbers}),
    st.fixed_dictionaries(
        {
            "n": st.sampled_from(["battery_voltage", "water_level", "uptime"]),
            "u": st.sampled_from(['"V"', '"mV"', '"cm"', '""']),
        }
    ).flatmap(lambda some: _numbers.map(lambda v: {**some, "v": v})),
    st.fixed_dictionaries(
        {"n": st.sampled_from(["motion.a", "occupancy", "sos"]), "vb": st.sampled_from(["true", "false", "1"])}
    ),
    st.fixed_dictionaries(
        {
            "n": st.just("ph"),
            "v": _numbers,
            "raw": _numbers,
            "cal": st.sampled_from(['"a"', '"b"', '"\\u202e"', '"\\ud800"', "1"]),
        }
    ),
    st.fixed_dictionaries({"n": st.just("activity"), "vs": st.sampled_from(['"asleep"', '""'])}),
    st.fixed_dictionaries({"n": st.just("temperature"), "v": _numbers, "t": _numbers}),
)
_heads = st.fixed_dictionaries(
    {"boot": st.sampled_from(["0", "1", "17", "-1"]), "seq": st.integers(0, 99).map(str)},
    optional={
        "clk": st.sampled_from(['"ntp"', '"rtc"', '"none"', '"x"']),
        "bt": st.one_of(st.sampled_from(["1780000000", "1780000000.123456", "1000"]), _numbers),
        "err": _numbers,
        "up": st.one_of(st.just("86400.5"), _numbers),
        "bn": st.just('"village:home-1:"'),
    },
)


def written(pack: list[dict[str, str]]) -> bytes:
    """Records whose values are JSON already, but for the names."""
    records = [{**record, "n": json.dumps(record["n"])} for record in pack]
    return ("[" + ",".join("{" + ",".join(f'"{k}":{v}' for k, v in record.items()) + "}" for record in records) + "]").encode()


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A message, and another that was made of it: other numbers, another field here and there, other bytes."""
    records = draw(st.lists(_records, min_size=1, max_size=5))
    records[0] = {**draw(_heads), **records[0]}
    others = [dict(record) for record in records]
    for record in others:
        for key in record:
            if key not in ("n", "u", "clk", "cal") and draw(st.integers(0, 2)) == 0:
                record[key] = draw(_numbers)
    if draw(st.integers(0, 3)) == 0:
        others[draw(st.integers(0, len(others) - 1))] |= draw(_records)
    payload = bytearray(written(others))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(payload)))
        payload[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b"0", b"-", b",", b" ", b"}", b"{", b'"', b"\xff"])
        )
    return written(records), bytes(payload)


@settings(max_examples=1500, deadline=None)
@given(_pairs())
@example((as_json(FIVE), as_json(FIVE)))
@example((as_json([{"n": "occupancy", "v": 1, **HEAD}]), as_json([{"n": "occupancy", "v": 0.5, **HEAD}])))
@example((as_json([{"n": "ph", "v": 1, "cal": "\ud800", **HEAD}]), as_json([{"n": "ph", "v": 1, "cal": "\ud800", **HEAD}])))
@example((as_json([{"n": "ph", "v": None, "u": "\ud800", **HEAD}]), as_json([{"n": "ph", "v": None, "u": "", **HEAD}])))
@example((as_json([{"n": "humidity", "v": 1, **HEAD}]), b'[{"n":"humidity","v":101,"v":2,' + as_json([HEAD])[2:]))
def test_whatever_comes_after_whatever_means_what_it_means_alone(pair: tuple[bytes, bytes]) -> None:
    alike = taught(pair[0])
    for payload in pair:
        found = alike.read(payload)
        if found is not None:
            alone = carefully(payload)
            # repr tells 1 from 1.0 and 0.0 from -0.0.
            assert repr(found) == repr(alone)


@given(
    st.lists(
        st.tuples(st.sampled_from([21.5, 85.0, -40, 0, 7.25]), st.booleans(), st.sampled_from([3310, 12.5, 0])), max_size=9
    )
)
def test_messages_with_other_numbers_are_read_at_once(numbers: list[tuple[float, bool, float]]) -> None:
    alike = taught(as_json(FIVE))
    for number, (temperature, motion, voltage) in enumerate(numbers):
        pack = [dict(record) for record in FIVE]
        pack[0] |= {"v": temperature, "seq": number + 1}
        pack[1]["vb"], pack[2]["v"] = motion, voltage
        payload = as_json(pack)
        assert alike.read(payload) == carefully(payload) is not None


def test_a_device_that_sends_this_and_that_is_known_by_both() -> None:
    several, one = as_json(FIVE), as_json([{**HEAD, "n": "motion.kitchen", "vb": False}])
    alike = taught(several, one)
    assert alike.read(several) is not None
    assert alike.read(one) is not None


def test_what_somebody_invents_does_not_fill_the_memory() -> None:
    alike = Likenesses()
    for number in range(2 * likeness.MOST):
        teach(alike, as_json([{**HEAD, "n": f"motion.c{number}", "vb": True}, *FIVE[2:4]][: number % 3 + 1]))
    for count in range(1, 2 * likeness.MOST_RECORDS):
        teach(alike, as_json([{**(HEAD if n == 0 else {}), "n": f"motion.c{n}", "vb": True} for n in range(count)]))
    assert likeness._likeness.cache_info().currsize <= likeness.MOST
    assert 0 < len(alike._known) <= likeness.MOST_OF_ONE


def test_who_never_sends_the_same_twice_is_learned_from_now_and_then_only() -> None:
    before = likeness._likeness.cache_info().misses
    alike = Likenesses()
    for number in range(10 * likeness.ONE_OF):
        payload = as_json([{**HEAD, "n": f"motion.once{number}", "vb": True}])
        records = senml.decode(payload)
        alike.learn(payload, records, validate.validate(records, ADDRESS))
    assert likeness._likeness.cache_info().misses - before == 10
