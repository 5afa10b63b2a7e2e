"""SenML as RFC 8428 writes it, with the RFC's own examples."""

import json
from pathlib import Path

import cbor2
import pytest
from msgspec import UNSET

from edge_gateway.decoders.senml import Faulty, Record, decode, identity, resolve
from edge_gateway.errors import Rejected

NOW_S = 1498780179.0  # the moment at which the RFC resolved examples 1 and 2, which have no time


EXAMPLES = ["ex1.gen", "ex2.gen", *(f"ex{n}.gen{form}" for n in (3, 4, 5, 6) for form in ("", ".wrap"))]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_rfc_resolves_to_the_rfcs_answer(data: Path, example: str) -> None:
    file = data / f"mqtt/senml/{example}.json"
    expected = json.loads((data / f"mqtt/senml/{example[:3]}.gen.resolved.json").read_bytes())
    records = resolve(decode(file.read_bytes()), NOW_S)
    assert [{"n": r.n, "u": r.u, "t": r.t, "v": r.v} for r in records] == expected


@pytest.mark.parametrize("number", [3, 5])
def test_the_rfcs_cbor_says_the_same_as_its_json(data: Path, number: int) -> None:
    folder = data / "mqtt/senml"
    from_cbor = decode((folder / f"ex{number}.gen.cbor").read_bytes())
    from_json = decode((folder / f"ex{number}.gen.json").read_bytes())
    assert resolve(from_cbor, NOW_S) == resolve(from_json, NOW_S)


def test_the_rfcs_hex_dump_is_the_same_message(data: Path) -> None:
    folder = data / "mqtt/senml"
    lines = (folder / "ex3.gen.cbor.hex").read_text(encoding="ascii").splitlines()
    dump = bytes.fromhex("".join(line[4:].split("|")[0][:49] for line in lines))
    assert decode(dump) == decode((folder / "ex3.gen.cbor").read_bytes())


def test_base_values_and_relative_times_are_worked_in() -> None:
    records = decode(b'[{"bn":"a:","bt":-10,"bv":20,"n":"x","v":1.5},{"n":"y","v":-1,"t":4},{"n":"z","vb":true}]')
    found = resolve(records, 1000.0)
    assert [(r.n, r.t, r.v, r.vb) for r in found] == [
        ("a:x", 990.0, 21.5, UNSET),
        ("a:y", 994.0, 19.0, UNSET),
        ("a:z", 990.0, UNSET, True),
    ]


def test_a_null_value_is_told_from_no_value() -> None:
    assert decode(b'[{"n":"a","v":null},{"n":"b"}]') == [Record(n="a", v=None), Record(n="b")]
    assert decode(cbor2.dumps([{0: "a", 2: None}, {0: "b"}])) == [Record(n="a", v=None), Record(n="b")]


def test_unknown_fields_are_passed_over_unless_they_must_be_understood() -> None:
    assert decode(b'[{"n":"a","v":1,"foo":[{}]}]') == [Record(n="a", v=1.0)]
    assert decode(cbor2.dumps([{0: "a", 2: 1, "foo": [{}], 99: 1, "n": "b"}])) == [Record(n="a", v=1.0)]
    for payload in (
        b'[{"n":"a","v":1,"foo_":1}]',
        b'[{"n":"a","v":1,"foo\\u005f":1}]',
        b'[{"n":"a","v":1,"foo\\u005F" :1}]',
        cbor2.dumps([{0: "a", 2: 1, "foo_": 1}]),
    ):
        with pytest.raises(Rejected, match="mandatory_field"):
            decode(payload)


def test_a_value_that_ends_in_an_underscore_is_no_mandatory_field() -> None:
    assert decode(b'[{"n":"activity","vs":"a_"},{"n":"b_","v":1}]')[0].vs == "a_"


def test_a_later_version_of_senml_is_refused() -> None:
    assert decode(b'[{"bver":10,"n":"a","v":1}]')[0].bver == 10
    with pytest.raises(Rejected, match="unknown_version"):
        decode(b'[{"bver":11,"n":"a","v":1}]')


def test_a_field_of_the_wrong_type_spoils_its_record_only() -> None:
    good, bad, last = decode(b'[{"n":"a","v":1,"bt":5},{"n":"b","v":"7.1"},{"n":"c","v":2}]')
    assert (good, last) == (Record(n="a", v=1.0, bt=5.0), Record(n="c", v=2.0))
    assert isinstance(bad, Faulty)
    assert (bad.n, bad.name, [fault[:2] for fault in bad.faults]) == (UNSET, "b", [("v", "not_a_number")])


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(b'[{"boot":17,"seq":1440,"n":"a","v":}]', (17, 1440), id="json"),
        pytest.param(b'[{"boot" : 0, "seq" : 4294967295}', (0, 4294967295), id="json-with-spaces"),
        pytest.param(b'[{"boot":17,"seq":14', None, id="json-cut-in-the-number"),
        pytest.param(b'[{"boot":17,"seq":4294967296,', None, id="json-out-of-range"),
        pytest.param(b'[{"boot":17,"seq":1.5,', None, id="json-fraction"),
        pytest.param(cbor2.dumps([{"boot": 17, "seq": 1440}])[:-1], None, id="cbor-cut"),
        pytest.param(cbor2.dumps([{"boot": 2**32 - 1, "seq": 3}]) + b"\x00", (2**32 - 1, 3), id="cbor-trailing"),
        pytest.param(cbor2.dumps([{"boot": 200, "seq": 2**32}]), None, id="cbor-out-of-range"),
        pytest.param(cbor2.dumps([{"boot": -1, "seq": 2}]), None, id="cbor-negative"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_the_identity_of_a_refused_message_is_read_where_it_can_be(payload: bytes, expected: tuple[int, int] | None) -> None:
    assert identity(payload) == expected
