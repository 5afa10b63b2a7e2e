"""Every word with which a device's message, or a record of it, can be refused: the counter's name and the dead letter's reason.

The words are fixed for ever; `docs/contract.md` section 7 is this table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Word -> what was wrong, and what the device's author should do.
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # the whole message
        "bad_topic": "The topic is not `kanhu/1/<site>/<device>/up/<channel>`. Mend the topic.",
        "empty": "No payload. Send nothing rather than an empty message.",
        "too_large": "More than 65,536 bytes. Send several messages.",
        "bad_encoding": "JSON that is not UTF-8, or has a byte order mark, or is UTF-16. Write UTF-8.",
        "malformed": "No JSON or CBOR: cut short, something after the end, a CBOR tag, a CBOR key twice. Mend the encoder.",
        "too_deep": "Arrays or objects nested without end. A record is flat.",
        "not_senml": "JSON or CBOR, but no array of records, or an empty one. Send an array.",
        "too_many_records": "More than 4,096 records. Send several messages.",
        "unknown_version": "`bver` is no integer or above 10. Leave it out.",
        "mandatory_field": "A field whose name ends in `_` must be understood, and is not. Leave it out.",
        "no_identity": "`boot` or `seq` is missing in the first record, no integer, or out of range. Send both, always.",
        "wrong_device": "`bn` names another device than the topic. Leave `bn` out.",
        "not_an_event": "The first record on `up/event` is no event of the catalogue. Send readings on `up/data`.",
        "bad_status": "The birth or will is no JSON object, or a field is of the wrong type or out of range. Mend that field.",
        "identity_conflict": "`(boot, seq)` came before with other content. Take a new `boot` at every start.",
        "too_many_gaps": "More than 4,096 holes in the numbers of one boot. Count `seq` by one, and declare what is lost.",
        "internal_error": "The gateway failed on this message. Report it with the dead letter; a person may retry it.",
        # one record; its neighbours are kept
        "not_a_record": "Something in the array that is no object. Mend the encoder.",
        "no_name": "No `n`, or not a text. Name the quantity.",
        "unknown_quantity": "`n` is not in the catalogue, or its channel is not 1-24 of `a-z 0-9 _`. Mend the name.",
        "not_expected": "The registry lists what this device measures, and this is not in it. Mend either.",
        "wrong_unit": "`u` is neither the catalogue's unit nor one it converts. Send the catalogue's, or none.",
        "wrong_kind": "A number where the catalogue has a state or text, or the like. Send the kind it says.",
        "no_value": 'None of `v`, `vb`, `vs`, or more than one. `"v":null` says that there is no value.',
        "not_a_number": '`v`, `raw`, `s` or `bv` is NaN, infinite, a text or the like. Send `"v":null` instead.',
        "not_a_state": "A state that is not `true`, `false`, 0 or 1.",
        "not_a_text": "`vs` or `cal` is not a text.",
        "too_long": "A text of more than 1,024 characters (`cal`: 64). Shorten it.",
        "bad_time": "`t` or `bt` is no number, or the time is after 2242 (milliseconds instead of seconds?). Send seconds.",
        "no_uptime": "A time relative to the device's uptime, which it did not tell. Send `up`, or no `t`.",
        "same_instant": "The same name a second time at the same instant. Send it once, or with its own `t` or channel.",
        "other_instant": "A record of another time in an event. One event, one time.",
        "bad_loss": "`lost` is not `[boot, first, last]` in range and before this message, or `v` exceeds it.",
        # noted; the record is kept without it
        "bad_clock": "`clk` is no known word, or `err` or `up` is no sensible number. Taken as not sent; readings are kept.",
    }
)
