"""Whatever arrives on a topic ends as stored or refused with a known word; one bad record never takes its neighbours along.

A new case is a new line. The numbers are those of the project's bad-input list: payloads 1-28, topics 29-35, times 47-54.
"""

import gzip
import json
import zlib
from pathlib import Path
from time import process_time
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_gateway import quick as quick_way
from edge_gateway import topics, validate
from edge_gateway.decoders import senml
from edge_gateway.decoders.status import decode_status
from edge_gateway.errors import Rejected
from edge_gateway.message import Birth, Message
from edge_gateway.reasons import REASONS
from edge_gateway.registry import Device

DATA = "kanhu/1/village/home-1/up/data"
EVENT = "kanhu/1/village/home-1/up/event"
STATUS = "kanhu/1/village/home-1/up/status"

HEAD = b'[{"boot":17,"seq":1440,"clk":"ntp","up":86400.5,"bt":1780000000,"n":"temperature","v":21.5},'
TAIL = b',{"n":"humidity","v":45}]'
CBOR_HEAD = {"boot": 17, "seq": 1440, "clk": "ntp", "up": 86400.5, -3: 1780000000, 0: "temperature", 2: 21.5}
CBOR_TAIL = {0: "humidity", 2: 45}


def among(record: bytes) -> bytes:
    """A JSON record between two good ones."""
    return HEAD + record + TAIL


def first(fields: bytes) -> bytes:
    """A good record with other head fields."""
    return b"[{" + fields + b',"n":"temperature","v":21.5},{"n":"humidity","v":45}]'


def cbor_among(item: bytes) -> bytes:
    """A CBOR item between two good records."""
    return b"\x83" + cbor2.dumps(CBOR_HEAD) + item + cbor2.dumps(CBOR_TAIL)


def cbor(record: dict[Any, Any]) -> bytes:
    """A CBOR record between two good ones."""
    return cbor_among(cbor2.dumps(record))


def take(topic: str, payload: bytes, device: Device | None = None) -> Message | Birth:
    """What the gateway does with a message before it looks at the sequence."""
    address = topics.parse(topic)
    if address.channel is topics.Up.STATUS:
        return decode_status(payload)
    return validate.validate(senml.decode(payload), address, device)


def names(message: Message) -> set[str]:
    return {reading.name for instant in message.instants for reading in instant.readings}


IDENTITY = b'"boot":17,"seq":1440,"clk":"ntp","up":86400.5'

PAYLOADS = [
    pytest.param(b"", "empty", id="1-empty"),
    pytest.param(b"null", "not_senml", id="2-null"),
    pytest.param(b"[]", "not_senml", id="3-empty-array"),
    pytest.param(b'"x"', "not_senml", id="3-text"),
    pytest.param(b"1", "not_senml", id="3-number"),
    pytest.param(b"{}", "not_senml", id="3-object"),
    pytest.param(b"[null]", "no_identity", id="3-array-of-null"),
    pytest.param(b" \n\t" + among(b'{"n":"co2","v":612}'), "stored", id="3-white-space-before"),
    pytest.param(among(b'{"n":"co2","v":612}')[:-1], "malformed", id="4-truncated"),
    pytest.param(HEAD[:30], "malformed", id="4-truncated-in-a-key"),
    pytest.param(among(b'{"n":"co2","v":612}') + b"{}", "malformed", id="5-trailing-object"),
    pytest.param(among(b'{"n":"co2","v":612}') + b"\x00", "malformed", id="5-trailing-nul"),
    pytest.param(among(b'{"n":"co2","v":NaN}'), "not_a_number", id="6-nan"),
    pytest.param(among(b'{"n":"co2","v":Infinity}'), "not_a_number", id="6-infinity"),
    pytest.param(among(b'{"n":"co2","v":-Infinity}'), "not_a_number", id="6-minus-infinity"),
    pytest.param(among(b'{"n":"co2","v":nan}'), "not_a_number", id="6-nan-as-microcontrollers-write-it"),
    pytest.param(among(b'{"n":"co2","v":-inf}'), "not_a_number", id="6-infinity-as-microcontrollers-write-it"),
    pytest.param(among(b'{"n":"co2","v":nano}'), "malformed", id="6-a-bare-word"),
    pytest.param(among(b'{"n":"co2","v":1e400}'), "not_a_number", id="7-overflow"),
    pytest.param(among(b'{"n":"co2","v":1e-400}'), "stored", id="7-underflow"),
    pytest.param(among(b'{"n":"co2","v":-0.0}'), "stored", id="8-minus-zero"),
    pytest.param(among(b'{"n":"co2","v":9223372036854775808}'), "stored", id="9-2-to-63"),
    pytest.param(among(b'{"n":"co2","v":18446744073709551616}'), "stored", id="9-2-to-64"),
    pytest.param(among(b'{"n":"co2","v":' + b"9" * 400 + b"}"), "not_a_number", id="9-400-digits"),
    pytest.param(among(b'{"n":"co2","v":' + b"9" * 4301 + b"}"), "not_a_number", id="9-4301-digits"),
    pytest.param(first(b'"boot":17,"seq":' + b"9" * 4301), "no_identity", id="9-4301-digits-of-seq"),
    pytest.param(b"[" * 100_000, "too_large", id="10-depth-100000"),
    pytest.param(b"[" * 60_000, "too_deep", id="10-depth-60000"),
    pytest.param(among(b'{"n":' * 10_000), "too_deep", id="10-depth-of-objects"),
    pytest.param(
        among(b'{"n":"co2","v":1,"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}"), "too_deep", id="10-depth-unknown-field"
    ),
    pytest.param(among(b"{%s}" % b",".join(b'"k%d":1' % n for n in range(100_000))), "too_large", id="11-100000-keys"),
    pytest.param(among(b'{"n":"co2","v":1,%s}' % b",".join(b'"%x":1' % n for n in range(6000))), "stored", id="11-6000-keys"),
    pytest.param(among(b'{"n":"co2","v":1,"v":2}'), "stored", id="12-duplicate-key"),
    pytest.param(b"\xef\xbb\xbf" + among(b'{"n":"co2","v":1}'), "bad_encoding", id="13-byte-order-mark"),
    pytest.param(among(b'{"n":"co2","v":1}').decode().encode("utf-16"), "bad_encoding", id="14-utf-16"),
    pytest.param(among(b'{"n":"co2","v":1}').decode().encode("utf-16-le"), "bad_encoding", id="14-utf-16-le"),
    pytest.param(among(b'{"n":"co2","v":1}').decode().encode("utf-16-be"), "bad_encoding", id="14-utf-16-be"),
    pytest.param(among(b'{"n":"co2","v":1}').decode().encode("utf-32-le"), "bad_encoding", id="14-utf-32-le"),
    pytest.param(among(b'{"n":"activity","vs":"\xff"}'), "bad_encoding", id="15-invalid-utf-8"),
    pytest.param(among(b'{"n":"activity","vs":"\xc0\x80"}'), "bad_encoding", id="15-overlong-nul"),
    pytest.param(among(b'{"n":"activity","vs":"\xed\xa0\x80"}'), "bad_encoding", id="15-utf-8-surrogate"),
    pytest.param(among(b'{"n":"activity","vs":"\\ud800"}'), "stored", id="16-lone-surrogate-in-a-text"),
    pytest.param(among(b'{"n":"\\ud800","v":1}'), "unknown_quantity", id="16-lone-surrogate-in-a-name"),
    pytest.param(among(b'{"n":"activity","vs":"a\x00b"}'), "malformed", id="17-raw-nul"),
    pytest.param(among(b'{"n":"activity","vs":"a\\u0000b"}'), "stored", id="17-nul-in-a-text"),
    pytest.param(among(b'{"n":"co2","v":1,"\\u0000":1}'), "stored", id="17-nul-in-an-unknown-key"),
    pytest.param(among(b'{"n":"co2\\u0000","v":1}'), "unknown_quantity", id="17-nul-in-a-name"),
    pytest.param(among(b'{"n":"co2","v":true}'), "not_a_number", id="18-true-for-a-number"),
    pytest.param(among(b'{"n":"co2","vb":true}'), "wrong_kind", id="18-state-for-a-number"),
    pytest.param(first(b'"boot":true,"seq":1'), "no_identity", id="18-true-for-boot"),
    pytest.param(among(b'{"n":"motion","vb":1}'), "not_a_state", id="18-number-in-vb"),
    pytest.param(among(b'{"n":"motion","v":2}'), "not_a_state", id="18-two-for-a-state"),
    pytest.param(among(b'{"n":"co2","v":"7.1"}'), "not_a_number", id="19-text-7.1"),
    pytest.param(among('{"n":"co2","v":"７"}'.encode()), "not_a_number", id="19-text-fullwidth"),
    pytest.param(among(b'{"n":"co2","v":" 1_2 "}'), "not_a_number", id="19-text-underscore"),
    pytest.param(among(b'{"n":"co2","v":7},{"n":"co2","v":7.0,"t":1}'), "stored", id="20-int-and-float"),
    pytest.param(among(b'{"n":"co2","vs":"7"}'), "wrong_kind", id="21-text-into-a-number"),
    pytest.param(among(b'{"n":"activity","v":7}'), "wrong_kind", id="21-number-into-a-text"),
    pytest.param(among(b'{"n":"co2","v":7,"colour":"red"}'), "stored", id="22-unknown-field"),
    pytest.param(among(b'{"n":"co2","v":7,"colour_":"red"}'), "mandatory_field", id="22-mandatory-field"),
    pytest.param(among(b'{"v":7}'), "no_name", id="22-no-name"),
    pytest.param(among(b'{"n":"","v":7}'), "no_name", id="22-empty-name"),
    pytest.param(among(b'{"n":"co2"}'), "no_value", id="22-no-value"),
    pytest.param(among(b"{}"), "no_name", id="22-empty-record"),
    pytest.param(first(b'"seq":1'), "no_identity", id="22-no-boot"),
    pytest.param(first(b'"boot":1'), "no_identity", id="22-no-seq"),
    pytest.param(HEAD + b" " * 256_000 + TAIL[1:], "too_large", id="23-256-kB"),
    pytest.param(b"[" + b" " * 2_000_000, "too_large", id="23-2-MB"),
    pytest.param(bytes(20_000_000), "too_large", id="23-20-MB"),
    pytest.param(gzip.compress(among(b"{}")), "not_senml", id="24-gzip"),
    pytest.param(zlib.compress(bytes(10_000_000)), "not_senml", id="24-zip-bomb"),
    pytest.param(among('{"n":"\u202eerutarepmet","v":1}'.encode()), "unknown_quantity", id="25-right-to-left"),
    pytest.param(among('{"n":"co2\u200b","v":1}'.encode()), "unknown_quantity", id="25-zero-width"),
    pytest.param(among('{"n":"😀","v":1}'.encode()), "unknown_quantity", id="25-emoji"),
    pytest.param(among('{"n":"motion.cafe\u0301","vb":true}'.encode()), "unknown_quantity", id="25-combining"),
    pytest.param(among('{"n":"activity","vs":"a\u202eb\u200bc"}'.encode()), "stored", id="25-direction-mark-in-a-text"),
    pytest.param(among(b'{"n":"<script>alert(1)</script>","v":1}'), "unknown_quantity", id="26-script"),
    pytest.param(among(b'{"n":"motion.<b>","vb":true}'), "unknown_quantity", id="26-html-in-a-channel"),
    pytest.param(among(b'{"n":"=1+1","v":1}'), "unknown_quantity", id="27-formula"),
    pytest.param(among(b'{"n":"../../etc","v":1}'), "unknown_quantity", id="28-path"),
    pytest.param(among(b'{"n":"motion.../..","vb":true}'), "unknown_quantity", id="28-path-in-a-channel"),
    # names, units, kinds
    pytest.param(among(b'{"n":"motion.","vb":true}'), "unknown_quantity", id="empty-channel"),
    pytest.param(among(b'{"n":"motion.Kitchen","vb":true}'), "unknown_quantity", id="capital-in-a-channel"),
    pytest.param(among(b'{"n":"motion.%s","vb":true}' % (b"k" * 25)), "unknown_quantity", id="channel-of-25"),
    pytest.param(among(b'{"n":"motion.a.b","vb":true}'), "unknown_quantity", id="two-channels"),
    pytest.param(among(b'{"n":"co2","u":"Cel","v":1}'), "wrong_unit", id="foreign-unit"),
    pytest.param(among(b'{"n":"co2","u":5,"v":1}'), "wrong_unit", id="number-for-a-unit"),
    pytest.param(among(b'{"n":"motion","u":"Cel","vb":true}'), "wrong_unit", id="unit-of-a-state"),
    pytest.param(among(b'{"n":"co2","v":1,"vb":true}'), "no_value", id="two-values"),
    pytest.param(among(b'{"n":"co2","v":null,"vs":"x"}'), "no_value", id="null-and-a-text"),
    pytest.param(among(b'{"n":"energy","s":5}'), "wrong_kind", id="a-sum"),
    pytest.param(among(b'{"n":"activity","vd":"aGk"}'), "wrong_kind", id="binary-data"),
    pytest.param(among(b'{"n":["co2"],"v":1}'), "no_name", id="array-for-a-name"),
    pytest.param(among(b'{"n":"co2","v":[1]}'), "not_a_number", id="array-for-a-number"),
    pytest.param(among(b'{"n":"co2","v":{"v":1}}'), "not_a_number", id="object-for-a-number"),
    pytest.param(among(b'{"n":"activity","vs":5}'), "not_a_text", id="number-for-a-text"),
    pytest.param(among(b'{"n":"activity","vs":"%s"}' % (b"x" * 1025)), "too_long", id="text-of-1025"),
    pytest.param(among(b'{"n":"co2","v":1,"cal":"%s"}' % (b"x" * 65)), "too_long", id="calibration-of-65"),
    pytest.param(among(b'{"n":"co2","v":1,"raw":"x"}'), "not_a_number", id="text-for-raw"),
    pytest.param(among(b'{"n":"co2","v":null}'), "stored", id="null-is-missing"),
    pytest.param(among(b'{"n":"co2","v":-999}'), "stored", id="error-value-is-flagged"),
    pytest.param(among(b'{"n":"temperature","v":1}'), "same_instant", id="a-name-twice"),
    pytest.param(among(b'{"n":"temperature","v":1,"t":1e-7}'), "same_instant", id="a-name-twice-in-a-microsecond"),
    pytest.param(among(b'[{"n":"co2","v":1}]'), "not_a_record", id="array-for-a-record"),
    pytest.param(among(b'{"__class__":1,"n":"co2","v":1}'), "mandatory_field", id="python-name"),
    pytest.param(b"[" + b"{}," * 5000 + b"{}]", "too_many_records", id="5000-records"),
    pytest.param(b"[" + b"1," * 5000 + b"1]", "too_many_records", id="5000-numbers"),
    # the head
    pytest.param(first(b'"boot":17,"seq":1440,"bver":11'), "unknown_version", id="version-11"),
    pytest.param(first(b'"boot":17,"seq":1440,"bver":"1"'), "unknown_version", id="version-text"),
    pytest.param(first(b'"boot":-1,"seq":1'), "no_identity", id="negative-boot"),
    pytest.param(first(b'"boot":4294967296,"seq":1'), "no_identity", id="boot-2-to-32"),
    pytest.param(first(b'"boot":1,"seq":0'), "no_identity", id="54-seq-0"),
    pytest.param(first(b'"boot":1,"seq":4294967296'), "no_identity", id="54-seq-2-to-32"),
    pytest.param(first(b'"boot":4294967295,"seq":4294967295'), "stored", id="54-the-last-seq-of-the-last-boot"),
    pytest.param(first(b'"boot":1,"seq":1.5'), "no_identity", id="seq-1.5"),
    pytest.param(first(b'"boot":1,"seq":"1"'), "no_identity", id="seq-text"),
    pytest.param(first(b'"boot":17,"seq":1440,"clk":"gps"'), "bad_clock", id="unknown-clock"),
    pytest.param(first(b'"boot":17,"seq":1440,"clk":5'), "bad_clock", id="number-for-a-clock"),
    pytest.param(first(b'"boot":17,"seq":1440,"clk":"ntp","err":-1'), "bad_clock", id="negative-error"),
    pytest.param(first(b'"boot":17,"seq":1440,"clk":"none","up":-5'), "bad_clock", id="negative-uptime"),
    pytest.param(first(b'"boot":17,"seq":1440,"clk":"none","up":"5 s"'), "bad_clock", id="text-for-uptime"),
    pytest.param(first(IDENTITY + b',"bn":"village:home-2:"'), "wrong_device", id="31-another-device"),
    pytest.param(first(IDENTITY + b',"bn":5'), "wrong_device", id="31-number-for-a-device"),
    pytest.param(first(IDENTITY + b',"bn":"village:home-1:"'), "stored", id="31-the-same-device"),
    pytest.param(among(b'{"bn":"village:home-2:","n":"co2","v":1}'), "wrong_device", id="31-another-device-later"),
    pytest.param(
        among(b'{"bu":"ppm","n":"co2","v":1}').replace(b'"humidity"', b'"humidity","u":"%RH"'), "stored", id="base-unit"
    ),
    pytest.param(among(b'{"bu":[],"n":"co2","v":1}'), "wrong_unit", id="array-for-a-base-unit"),
    pytest.param(among(b'{"bv":1e308,"n":"co2","v":1e308},{"bv":0,"n":"rssi","v":-1}'), "not_a_number", id="base-overflow"),
    # times
    pytest.param(first(IDENTITY + b',"bt":0'), "stored", id="47-zero"),
    pytest.param(first(IDENTITY + b',"bt":-1780000000'), "stored", id="47-negative"),
    pytest.param(first(IDENTITY + b',"bt":86400'), "stored", id="47-1970"),
    pytest.param(first(IDENTITY + b',"bt":946684800'), "stored", id="47-2000"),
    pytest.param(first(IDENTITY + b',"bt":4102444800'), "stored", id="48-2100"),
    pytest.param(first(IDENTITY + b',"bt":1780000000000'), "bad_time", id="49-milliseconds"),
    pytest.param(first(IDENTITY + b',"bt":1780000000000000'), "bad_time", id="49-microseconds"),
    pytest.param(first(IDENTITY + b',"bt":1780000000000000000'), "bad_time", id="49-nanoseconds"),
    pytest.param(first(IDENTITY + b',"bt":1780000000.123456789'), "stored", id="50-float"),
    pytest.param(first(IDENTITY + b',"bt":"1780000000"'), "bad_time", id="50-text"),
    pytest.param(first(IDENTITY + b',"bt":"2026-05-28T12:26:40+08:00"'), "bad_time", id="50-iso"),
    pytest.param(first(IDENTITY + b',"bt":"2016-12-31T23:59:60Z"'), "bad_time", id="50-leap-second"),
    pytest.param(first(IDENTITY + b',"bt":1e400'), "bad_time", id="50-infinite"),
    pytest.param(first(IDENTITY), "stored", id="50-no-time"),
    pytest.param(first(IDENTITY + b',"bt":1300000000'), "stored", id="51-fifteen-years-old"),
    pytest.param(among(b'{"n":"co2","v":1,"t":0.0001},{"n":"co2","v":2,"t":0.0009}'), "stored", id="52-two-in-a-millisecond"),
    pytest.param(among(b'{"n":"co2","v":1,"t":1e300}'), "bad_time", id="49-t-of-1e300"),
    pytest.param(among(b'{"n":"co2","v":1,"t":1780000000000}'), "bad_time", id="49-t-in-milliseconds"),
    pytest.param(among(b'{"n":"co2","v":1,"t":8000000000}'), "bad_time", id="48-sum-after-2242"),
    pytest.param(among(b'{"n":"co2","v":1,"t":"-60"}'), "bad_time", id="50-t-text"),
    pytest.param(among(b'{"n":"co2","v":1,"bt":"x"}'), "bad_time", id="50-bt-text-later"),
    pytest.param(among(b'{"n":"co2","v":1,"bt":1e300}'), "bad_time", id="49-bt-of-1e300-later"),
    pytest.param(
        b'[{"boot":1,"seq":1,"clk":"none","n":"temperature","v":1},{"n":"humidity","v":45},{"n":"co2","v":1,"t":-60}]',
        "no_uptime",
        id="relative-to-an-unknown-uptime",
    ),
    # losses
    pytest.param(among(b'{"n":"lost","v":1,"lost":[17,1439,1439]}'), "stored", id="loss"),
    pytest.param(among(b'{"n":"lost","v":1,"lost":[17,1440,1440]}'), "bad_loss", id="loss-of-this-very-message"),
    pytest.param(among(b'{"n":"lost","lost":[17,1,4294967295]}'), "bad_loss", id="loss-of-messages-to-come"),
    pytest.param(among(b'{"n":"lost","lost":[16,2,1]}'), "bad_loss", id="loss-backwards"),
    pytest.param(among(b'{"n":"lost","lost":[16,0,1]}'), "bad_loss", id="loss-of-seq-0"),
    pytest.param(among(b'{"n":"lost","lost":[16,1,4294967296]}'), "bad_loss", id="loss-beyond-2-to-32"),
    pytest.param(among(b'{"n":"lost","lost":[16,1]}'), "bad_loss", id="loss-of-two-numbers"),
    pytest.param(among(b'{"n":"lost","lost":[16,1.5,2]}'), "bad_loss", id="loss-of-a-fraction"),
    pytest.param(among(b'{"n":"lost","lost":"all"}'), "bad_loss", id="loss-text"),
    pytest.param(among(b'{"n":"lost","v":5}'), "bad_loss", id="loss-without-range"),
    pytest.param(among(b'{"n":"lost","v":3,"lost":[16,1,2]}'), "bad_loss", id="loss-of-more-than-the-range"),
    # CBOR
    pytest.param(cbor({0: "co2", 2: 612}), "stored", id="cbor"),
    pytest.param(cbor({0: "co2", 2: float("nan")}), "not_a_number", id="cbor-nan"),
    pytest.param(cbor({0: "co2", 2: float("inf")}), "not_a_number", id="cbor-infinity"),
    pytest.param(cbor({0: "energy", 2: float("inf")}), "not_a_number", id="cbor-infinity-without-upper-limit"),
    pytest.param(cbor_among(b"\xa2\x00\x63co2\x02\xf9\x7c\x01"), "not_a_number", id="cbor-nan-of-16-bits"),
    pytest.param(cbor({0: "co2", 2: 1, 6: float("nan")}), "bad_time", id="cbor-nan-time"),
    pytest.param(cbor({0: "co2", 2: 1, -3: float("nan")}), "bad_time", id="cbor-nan-base-time"),
    pytest.param(cbor({0: "co2", 2: 1, "raw": float("nan")}), "not_a_number", id="cbor-nan-raw"),
    pytest.param(cbor({0: "co2", 2: 1, "raw": float("-inf")}), "not_a_number", id="cbor-infinite-raw"),
    pytest.param(cbor({0: "co2", 2: b"1"}), "not_a_number", id="cbor-bytes-for-a-number"),
    pytest.param(cbor({0: b"co2", 2: 1}), "no_name", id="cbor-bytes-for-a-name"),
    pytest.param(cbor_among(b"\xa2\x00\x63co2\x02\xf7"), "not_a_number", id="cbor-undefined"),
    pytest.param(cbor_among(b"\xa2\x00\x63co2\x02\xe0"), "not_a_number", id="cbor-simple-value"),
    pytest.param(cbor_among(b"\xbf\x00\x7f\x62co\x612\xff\x02\x01\xff"), "stored", id="cbor-indefinite-map-and-text"),
    pytest.param(b"\x9f" + cbor_among(b"\xa0")[1:] + b"\xff", "no_name", id="cbor-indefinite-array"),
    pytest.param(b"\x9f" + cbor2.dumps(CBOR_HEAD), "malformed", id="cbor-indefinite-without-end"),
    pytest.param(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "malformed", id="cbor-array-of-2-to-64"),
    pytest.param(b"\x9a\x7f\xff\xff\xff\xa0", "malformed", id="cbor-array-of-2-to-31"),
    pytest.param(cbor_among(b"\xbb\x00\x00\x00\x10\x00\x00\x00\x00"), "malformed", id="cbor-map-of-2-to-36"),
    pytest.param(cbor_among(b"\xa1\x00\x7b\x00\x00\x00\x10\x00\x00\x00\x00"), "malformed", id="cbor-text-of-64-GiB"),
    pytest.param(cbor_among(b"\xa1\x00\xc2\x48" + b"\xff" * 8), "malformed", id="cbor-bignum"),
    pytest.param(
        cbor_among(b"\xa1\x02\xc4\x82\x1a\x3f\xff\xff\xff\x01"), "malformed", id="cbor-decimal-fraction-of-a-gigadigit"
    ),
    pytest.param(cbor_among(b"\xa1\x02\xc5\x82\x1a\x3f\xff\xff\xff\x01"), "malformed", id="cbor-bigfloat-of-a-gigabit"),
    pytest.param(b"\x81\xd8\x1c\x81\xd8\x1d\x00", "malformed", id="cbor-list-that-contains-itself"),
    pytest.param(cbor_among(b"\xd8\x23\x67(a+)+b$"), "malformed", id="cbor-regular-expression"),
    pytest.param(cbor_among(b"\xd8\x24\x60"), "malformed", id="cbor-mail"),
    pytest.param(cbor_among(b"\xd9\xd9\xf7\xa0"), "malformed", id="cbor-self-described"),
    pytest.param(cbor_among(b"\xd9\x01\x00\x80"), "malformed", id="cbor-string-references"),
    pytest.param(cbor_among(b"\xa2\x00\x61a\x00\x61b"), "malformed", id="cbor-duplicate-key"),
    pytest.param(cbor_among(b"\xa2\x00\x63co2\x81\x00\x01"), "no_value", id="cbor-array-for-a-key"),
    pytest.param(cbor_among(b"\xa1\x00\x62\xff\xff"), "malformed", id="cbor-invalid-utf-8"),
    pytest.param(cbor({0: "co2", 2: 1}) + b"\x00", "malformed", id="cbor-trailing-item"),
    pytest.param(cbor({0: "co2", 2: 1}) + b"\xff", "malformed", id="cbor-trailing-break"),
    pytest.param(cbor({0: "co2", 2: 1})[:-1], "malformed", id="cbor-truncated"),
    pytest.param(b"\x81" * 60_000, "malformed", id="cbor-depth-60000"),
    pytest.param(cbor_among(b"\xa1\x00" * 5000 + b"\x00"), "malformed", id="cbor-depth-of-maps"),
    pytest.param(cbor({0: "co2", 2: -(2**64)}), "stored", id="cbor-minus-2-to-64"),
    pytest.param(cbor_among(b"\x00"), "not_a_record", id="cbor-number-for-a-record"),
    pytest.param(b"\x80", "not_senml", id="cbor-empty-array"),
    pytest.param(b"\xa0", "not_senml", id="cbor-map"),
    pytest.param(b"\x99\x27\x10" + b"\xa0" * 10_000, "too_many_records", id="cbor-10000-records"),
]


@pytest.mark.parametrize(("payload", "expected"), PAYLOADS)
def test_a_payload_is_stored_or_refused_with_its_word_and_its_neighbours_are_kept(payload: bytes, expected: str) -> None:
    try:
        message = take(DATA, payload)
    except Rejected as error:
        assert (error.reason, len(error.detail) < 300, error.detail.isascii()) == (expected, True, True)
        return
    assert isinstance(message, Message)
    assert [refused.reason for refused in message.refused] == ([] if expected == "stored" else [expected])
    assert all(refused.detail.isascii() and len(refused.detail) < 300 for refused in message.refused)
    assert {"temperature", "humidity"} <= names(message)


TOPICS = [
    pytest.param("kanhu/1/+/home-1/up/data", id="29-plus"),
    pytest.param("kanhu/1/village/#", id="29-hash"),
    pytest.param("", id="29-empty"),
    pytest.param("kanhu/1//home-1/up/data", id="29-empty-level"),
    pytest.param("//", id="29-slashes"),
    pytest.param("/kanhu/1/village/home-1/up/data", id="29-leading-slash"),
    pytest.param("kanhu/1/village/" + "h" * 65_500 + "/up/data", id="29-65535-bytes"),
    pytest.param("/".join(["kanhu"] * 201), id="29-201-levels"),
    pytest.param("$SYS/broker/uptime", id="30-sys"),
    pytest.param("kanhu/1/village/home-1/down/receipt", id="30-our-own-receipt"),
    pytest.param("kanhu/2/village/home-1/up/data", id="30-another-version"),
    pytest.param("kanhu/1/village/home-1/up/alert", id="30-unknown-channel"),
    pytest.param("kanhu/1/village/home-1/up/data\n", id="33-newline"),
    pytest.param("kanhu/1/village/home\x00/up/data", id="33-nul"),
    pytest.param("kanhu/1/village/home 1/up/data", id="33-space"),
    pytest.param("kanhu/1/village/home\u202e/up/data", id="33-direction-mark"),
    pytest.param("kanhu/1/village/caf\u00e9/up/data", id="34-composed"),
    pytest.param("kanhu/1/village/cafe\u0301/up/data", id="34-decomposed"),
    pytest.param("kanhu/1/village/\uff48ome/up/data", id="34-fullwidth"),
    pytest.param("kanhu/1/village/Home-1/up/data", id="35-capital"),
    pytest.param("kanhu/1/village/home-1/up/Data", id="35-capital-in-the-channel"),
    pytest.param("kanhu/1/village/../up/data", id="28-path"),
    pytest.param("kanhu/1/village/-home/up/data", id="28-option"),
    pytest.param("kanhu/1/village/" + "h" * 49 + "/up/data", id="29-49-characters"),
]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_bad_topic_is_refused(topic: str) -> None:
    with pytest.raises(Rejected, match="bad_topic"):
        take(topic, among(b'{"n":"co2","v":1}'))


# A person pressed: the event rings whatever else is wrong with its message; the word says what was.
SOS = b'[{"boot":1,"seq":1,"clk":"ntp","bt":1780000000,'
EVENTS = [
    pytest.param(SOS + b'"n":"sos","vb":true}]', "sos", "stored", id="sos"),
    pytest.param(SOS + b'"n":"sos","v":1}]', "sos", "stored", id="number-for-a-state"),
    pytest.param(SOS + b'"n":"sos"}]', "sos", "no_value", id="no-value"),
    pytest.param(SOS + b'"n":"sos","vb":"true"}]', "sos", "not_a_state", id="text-for-a-state"),
    pytest.param(SOS + b'"n":"sos","v":NaN}]', "sos", "not_a_number", id="nan"),
    pytest.param(SOS + b'"n":"sos","vb":true,"u":"V"}]', "sos", "wrong_unit", id="unit"),
    pytest.param(SOS + b'"n":"sos.bedroom","vb":true}]', "sos.bedroom", "stored", id="channel"),
    pytest.param(SOS + b'"n":"sos.Bedroom!","vb":true}]', "sos", "unknown_quantity", id="bad-channel"),
    pytest.param(SOS + b'"n":"sos","vb":true,"t":1e300}]', "sos", "bad_time", id="bad-t"),
    pytest.param(SOS + b'"n":"sos","vb":true,"t":"now"}]', "sos", "bad_time", id="text-for-t"),
    pytest.param(
        b'[{"boot":1,"seq":1,"clk":"ntp","bt":1780000000000,"n":"sos","vb":true}]', "sos", "bad_time", id="milliseconds"
    ),
    pytest.param(b'[{"boot":1,"seq":1,"clk":"gps","bt":1780000000,"n":"sos","vb":true}]', "sos", "bad_clock", id="clock"),
    pytest.param(b'[{"boot":1,"seq":1,"n":"sos","vb":true}]', "sos", "stored", id="no-clock"),
    pytest.param(SOS + b'"n":"tap","vs":"%s"}]' % (b"x" * 2000), "tap", "too_long", id="tap-with-a-long-text"),
    pytest.param(SOS + b'"n":"sos","vb":true},{"n":"co2","v":"x"}]', "sos", "not_a_number", id="bad-detail"),
    pytest.param(SOS + b'"n":"sos","vb":true},{"n":"co2","v":1,"t":-5}]', "sos", "other_instant", id="detail-of-another-time"),
    pytest.param(SOS + b'"n":"sos","vb":true},{"n":"lost","lost":[0,1,1]}]', "sos", "unknown_quantity", id="loss"),
    pytest.param(SOS + b'"n":"temperature","v":1}]', None, "not_an_event", id="reading"),
    pytest.param(SOS + b'"n":"lost","lost":[0,1,1]}]', None, "not_an_event", id="only-a-loss"),
    pytest.param(SOS + b'"n":5,"vb":true}]', None, "not_an_event", id="number-for-a-name"),
    pytest.param(b'[{"n":"sos","vb":true}]', None, "no_identity", id="no-identity"),
]


@pytest.mark.parametrize(("payload", "kept", "expected"), EVENTS)
def test_an_event_rings_whatever_else_is_wrong_with_it(payload: bytes, kept: str | None, expected: str) -> None:
    try:
        message = take(EVENT, payload)
    except Rejected as error:
        assert (kept, error.reason) == (None, expected)
        return
    assert isinstance(message, Message)
    assert [instant.readings[0].name for instant in message.instants] == [kept]
    assert [refused.reason for refused in message.refused] == ([] if expected == "stored" else [expected])


def test_a_bad_time_costs_an_event_its_time_and_not_its_value() -> None:
    for t in (b'"now"', b"1e300", b"1e400"):
        message = take(EVENT, SOS + b'"n":"sos","vb":true,"t":%s}]' % t)
        assert isinstance(message, Message)
        [instant] = message.instants
        assert (instant.time_ns, instant.readings[0].value) == (None, 1.0)


STATUSES = [
    pytest.param(b"", "empty", id="empty"),
    pytest.param(b"{", "malformed", id="truncated"),
    pytest.param(b'{"online":true}{}', "malformed", id="trailing"),
    pytest.param(b'\xef\xbb\xbf{"online":true}', "malformed", id="byte-order-mark"),
    pytest.param(b'{"online":true,"up":NaN}', "malformed", id="nan"),
    pytest.param(b'{"online":true,"firmware":"\xff"}', "malformed", id="invalid-utf-8"),
    pytest.param(b'{"a":' * 10_000, "malformed", id="deep"),
    pytest.param(b'{"online":true,"x":"%s"}' % (b"x" * 70_000), "too_large", id="large"),
    pytest.param(b"[]", "bad_status", id="array"),
    pytest.param(b"true", "bad_status", id="bare-true"),
    pytest.param(b"{}", "bad_status", id="no-online"),
    pytest.param(b'{"online":1}', "bad_status", id="online-1"),
    pytest.param(b'{"online":true,"boot":-1}', "bad_status", id="negative-boot"),
    pytest.param(b'{"online":true,"boot":true}', "bad_status", id="true-for-boot"),
    pytest.param(b'{"online":true,"clk":"gps"}', "bad_status", id="unknown-clock"),
    pytest.param(b'{"online":true,"time":1780000000000}', "bad_status", id="milliseconds"),
    pytest.param(b'{"online":true,"cadence":0}', "bad_status", id="cadence-0"),
    pytest.param(b'{"online":true,"cadence":"60"}', "bad_status", id="text-for-cadence"),
    pytest.param(b'{"online":true,"firmware":"%s"}' % (b"x" * 65), "bad_status", id="long-firmware"),
    pytest.param(b'{"online":true,"oldest":[[1,0]]}', "bad_status", id="oldest-seq-0"),
    pytest.param(b'{"online":true,"oldest":[[1]]}', "bad_status", id="oldest-of-one-number"),
    pytest.param(b'{"online":true,"oldest":%s}' % json.dumps([[1, 1]] * 300).encode(), "bad_status", id="300-boots"),
    pytest.param(b'{"online":true,"firmware":"a\\u0000b\\u202e","colour":{}}', "stored", id="unknown-key"),
]


@pytest.mark.parametrize(("payload", "expected"), STATUSES)
def test_a_status_is_taken_or_refused_with_its_word(payload: bytes, expected: str) -> None:
    try:
        take(STATUS, payload)
    except Rejected as error:
        assert error.reason == expected
    else:
        assert expected == "stored"


def test_a_name_the_registry_does_not_list_is_refused_but_never_an_event() -> None:
    device = Device("village", "home-1", measures=frozenset({"temperature", "motion.kitchen"}))
    records = b'{"n":"motion.kitchen","vb":true},{"n":"motion.hall","vb":true},{"n":"lost","lost":[1,1,2]}]'
    message = take(DATA, HEAD + records, device)
    assert isinstance(message, Message)
    assert names(message) == {"temperature", "motion.kitchen"}
    assert [refused.reason for refused in message.refused] == ["not_expected"]
    assert message.losses == [(1, 1, 2)]
    event = take(EVENT, SOS + b'"n":"sos","vb":true},{"n":"co2","v":1}]', device)
    assert isinstance(event, Message)
    assert (names(event), event.refused) == ({"sos", "co2"}, [])


def test_a_text_is_kept_with_its_dangerous_characters_written_out() -> None:
    message = take(DATA, among('{"n":"activity","vs":"看\\u202e湖\\u0000\\n\\ud800😀"}'.encode()))
    assert isinstance(message, Message)
    values = [reading.value for instant in message.instants for reading in instant.readings]
    assert values == [21.5, "看\\u202e湖\\u0000\\u000a\\ud800😀", 45.0]


# Anything at all

WORST = [
    b"[" + b'{"n":"x"},' * 4000 + b'{"n":"x"}]',
    b'[{"boot":1,"seq":1,"n":"temperature","v":1}' + b',{"n":"y","v":[]}' * 3800 + b"]",
    b'[{"boot":1,"seq":1,"clk":"none","up":1,"n":"temperature","v":1}'
    + b"".join(b',{"n":"co2","v":1,"t":%d}' % n for n in range(2200))
    + b"]",
    b"[" * 65_536,
    b'[{"x":"' + b"\\ud800" * 10_000 + b'"}]',
    b'[{"boot":1,"seq":1,"n":"activity","vs":"' + "\u202e".encode() * 1024 + b'"}]',
    cbor2.dumps([{0: "x", 2: []}] * 4000),
    b"\x81" * 65_536,
    b"\x9f" * 65_536,
]


@pytest.mark.parametrize("payload", WORST, ids=range(len(WORST)))
def test_the_worst_payload_costs_a_fraction_of_a_second(payload: bytes) -> None:
    started = process_time()
    _outcome(DATA, payload)
    assert process_time() - started < 1.0


def _outcome(topic: str, payload: bytes) -> str:
    """Take it; anything but a result or a Rejected with a known word is a failure."""
    try:
        message = take(topic, payload)
    except Rejected as error:
        assert error.reason in REASONS
        assert error.detail.isascii()
        return error.reason
    msgspec.msgpack.encode(message)  # no lone surrogate, no integer beyond 64 bits
    if isinstance(message, Message):
        assert {refused.reason for refused in message.refused} <= REASONS.keys()
        for records in (senml.plain(payload), senml.decode(payload)):
            quick = quick_way.quickly(records, topics.parse(topic), frozenset()) if records is not None else None
            if quick is not None and topic == DATA:
                assert quick == validate._carefully(senml.decode(payload), topics.parse(topic), frozenset())
    return "stored"


FOLDER = Path(__file__).parent.parent / "contract"
GOLDEN = [(case["topic"], (FOLDER / case["file"]).read_bytes()) for case in json.loads((FOLDER / "index.json").read_bytes())]
UP = [(topic, payload) for topic, payload in GOLDEN if "/up/" in topic]

fuzz = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
channels = st.sampled_from([DATA, EVENT, STATUS])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([1780000000, -60, 21.5, 2**32, 1e300, "ntp", "none", "Cel", "village:home-1:"]),
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.text(max_size=3), scalars, max_size=2))
some_names = st.sampled_from(
    ["temperature", "motion", "motion.kitchen", "activity", "lost", "sos", "conductivity", "energy", "x"]
)
likely = {
    "n": some_names,
    "v": st.one_of(st.none(), st.floats(), st.integers(-5, 100)),
    "vb": st.booleans(),
    "vs": st.text(max_size=20),
    "u": st.sampled_from(["Cel", "uS/cm", "mS/cm", "", "J"]),
    "t": st.one_of(st.floats(), st.integers(-100, 100)),
    "bt": st.one_of(st.floats(), st.just(1780000000.25)),
    "bv": st.floats(),
    "bu": st.sampled_from(["Cel", "J", ""]),
    "raw": st.floats(),
    "cal": st.text(max_size=5),
    "lost": st.lists(st.integers(-1, 50), max_size=4),
    "clk": st.sampled_from(["ntp", "none", "gps"]),
    "up": st.floats(),
    "err": st.floats(),
}
unlikely = st.dictionaries(
    st.sampled_from([*likely, "boot", "seq", "bn", "bver", "bs", "s", "vd", "ut", "x", "x_"]), values, max_size=4
)
records = st.one_of(
    st.fixed_dictionaries({}, optional=likely),
    st.fixed_dictionaries({"n": some_names}, optional={k: v for k, v in likely.items() if k != "n"}),
    unlikely,
)


@fuzz
@given(channels, st.binary(max_size=200))
def test_arbitrary_bytes_never_raise_anything_but_rejected(topic: str, payload: bytes) -> None:
    for start in (b"", b"[", b"\x82", b"\x9f"):
        _outcome(topic, start + payload)


@fuzz
@given(channels, st.lists(st.one_of(records, records, records, values), max_size=5))
def test_arbitrary_records_never_raise_anything_but_rejected(topic: str, pack: list[Any]) -> None:
    if pack and isinstance(pack[0], dict):
        pack[0] = {"boot": 17, "seq": 40, "clk": "ntp", "bt": 1780000000} | pack[0]
    as_json = json.dumps(pack).encode()
    labels = {name: label for label, name in senml._LABELS.items()}
    as_cbor = cbor2.dumps(
        [{labels.get(k, k): v for k, v in record.items()} if isinstance(record, dict) else record for record in pack]
    )
    outcomes = _outcome(topic, as_json), _outcome(topic, as_cbor)
    if "malformed" not in outcomes and topic == DATA:
        assert (outcomes[0] == "stored") == (outcomes[1] == "stored")


@fuzz
@given(st.data())
def test_damaged_golden_messages_never_raise_anything_but_rejected(data: st.DataObject) -> None:
    topic, payload = data.draw(st.sampled_from(UP))
    damaged = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    _outcome(topic, bytes(damaged))


@fuzz
@given(st.text())
def test_an_arbitrary_topic_is_parsed_or_refused(topic: str) -> None:
    try:
        topics.parse(topic)
    except Rejected as error:
        assert error.reason == "bad_topic"
        error.detail.encode()
