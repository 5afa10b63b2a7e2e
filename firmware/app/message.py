"""The bytes of docs/contract.md: what goes up (SenML as JSON, birth, will) and what comes down (receipts, settings, commands).

A message is written by hand, key by key: a dict has no order on MicroPython, and `(device, boot, seq)` names the same bytes for
ever. Every number of the head is printed from integers, since a float of 32 bits cannot hold a time.
"""

import json

NONE = "none"

_U32 = 0xFFFFFFFF
# What the gateway takes at most (docs/contract.md, section 7); a longer text is cut, a birth is never lost for one.
_FIRMWARE_LENGTH = 64
_CONFIG_ERROR_LENGTH = 200


def fixed(scaled: int, places: int) -> str:
    """`scaled` / 10**places as a decimal, all digits kept: fixed(-60500, 3) is "-60.500"."""
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**places)
    return "%s%d.%0*d" % (sign, whole, places, part) if places else "%s%d" % (sign, whole)


def decimal(value: float, digits: int = 4) -> str:
    """A float as JSON, rounded to `digits` places, without exponent and trailing zeros; NaN and infinities are `null`."""
    if value != value or value in (float("inf"), float("-inf")):
        return "null"
    if abs(value) >= 1e9:  # beyond what a float of 32 bits tells apart by ones
        return str(int(value))
    text = "%.*f" % (digits, value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def number(value) -> str:
    """`value` as a JSON number: int, float, None, or `(scaled, places)` for what has more digits than a float of 32 bits."""
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return fixed(value[0], value[1])
    return decimal(value) if isinstance(value, float) else "%d" % value


def head(boot: int, seq: int, stamp: tuple) -> bytes:
    """The beginning of a message, up to where its first record goes on (`body`).

    Args:
        stamp: (up_ms, unix_ms, clk, err_ms) of `Clock.stamp`.
    """
    up_ms, unix_ms, clk, err_ms = stamp
    parts = ['[{"boot":%d,"seq":%d,"clk":"%s"' % (boot, seq, clk)]
    if clk != NONE and err_ms >= 0:
        parts.append('"err":' + fixed(err_ms, 3))
    parts.append('"up":' + fixed(up_ms, 3))
    if clk != NONE:
        parts.append('"bt":' + fixed(unix_ms, 3))
    return (",".join(parts) + ",").encode()


def body(items) -> bytes:
    """The records of a message without the head of the first.

    Args:
        items: `(name, value)` or `(name, value, extra)`. The value is a state (bool), text (str), number (int, float,
            `(scaled, places)`) or None: measured, but there is no value. `extra` may hold `u` (unit), `raw` (number before
            calibration), `cal` (id of the calibration) and `t_ms` (int, relative to the message's stamp).
    """
    return ("{".join([_record(item) for item in items])[:-1] + "]").encode()


def _record(item) -> str:
    name, value = item[0], item[1]
    parts = ['"n":"%s"' % name]
    extra = item[2] if len(item) > 2 else {}
    if "u" in extra:
        parts.append('"u":' + json.dumps(extra["u"]))
    if value is True or value is False:
        parts.append('"vb":' + ("true" if value else "false"))
    elif isinstance(value, str):
        parts.append('"vs":' + json.dumps(value))
    else:
        parts.append('"v":' + number(value))
    if extra.get("raw") is not None:
        raw = number(extra["raw"])
        if raw != "null":  # a raw value that is no number would spoil the record at the gateway
            parts.append('"raw":' + raw)
    if "cal" in extra:
        parts.append('"cal":' + json.dumps(extra["cal"]))
    if extra.get("t_ms"):
        parts.append('"t":' + fixed(extra["t_ms"], 3))
    return ",".join(parts) + "},"


def loss_body(boot: int, first: int, last: int, v: int = 0) -> bytes:
    """The declaration that `v` (0: unknown) messages of `boot`, first..last, had to be dropped (contract, section 4)."""
    return ('"n":"lost",%s"lost":[%d,%d,%d]}]' % ('"v":%d,' % v if v else "", boot, first, last)).encode()


def birth(boot: int, stamp: tuple, oldest, extra=None) -> bytes:
    """What the device says of itself after each connect.

    Args:
        oldest: (boot, seq) pairs of `Outbox.oldest`.
        extra: further keys, as `Link`'s status() gives them: `firmware`, `cadence`, `config`, `config_error`.
    """
    up_ms, unix_ms, clk, _ = stamp
    parts = ['{"online":true,"boot":%d,"clk":"%s"' % (boot, clk)]
    if clk != NONE:
        parts.append('"time":' + fixed(unix_ms, 3))
    parts.append('"up":' + fixed(up_ms, 3))
    extra = extra or {}
    for key in sorted(extra):
        value = extra[key]
        if key == "firmware":
            value = value[:_FIRMWARE_LENGTH]
        elif key == "config_error":
            value = value[:_CONFIG_ERROR_LENGTH]
        parts.append(json.dumps(key) + ":" + json.dumps(value))
    parts.append('"oldest":[%s]}' % ",".join(["[%d,%d]" % (pair[0], pair[1]) for pair in oldest]))
    return ",".join(parts).encode()


def will(boot: int) -> bytes:
    """The last will, which the broker publishes when the device is gone."""
    return ('{"online":false,"boot":%d}' % boot).encode()


def parse_receipt(payload: bytes):
    """`(boot, upto, events, rejected)` of a receipt, None when it is none."""
    found = _object(payload)
    if found is None:
        return None
    boot, upto = found.get("boot"), found.get("upto")
    events, rejected = found.get("events", []), found.get("rejected", [])
    numbers = isinstance(events, list) and isinstance(rejected, list)
    if not (numbers and _is_u32(boot) and _is_u32(upto) and all(_is_u32(seq) for seq in events + rejected)):
        return None
    return boot, upto, events, rejected


def parse_config(payload: bytes):
    """`(version, settings dict)` of new settings, None when they are none."""
    found = _object(payload)
    if found is None or not _is_u32(found.get("version")) or not isinstance(found.get("settings"), dict):
        return None
    return found["version"], found["settings"]


def parse_command(payload: bytes):
    """The command as a dict with at least `id` and `name`, both text; None when it is none."""
    found = _object(payload)
    if found is None or not all(isinstance(found.get(key), str) and found[key] for key in ("id", "name")):
        return None
    return found


def _object(payload: bytes):
    try:
        found = json.loads(payload)
    except ValueError:  # also UnicodeError
        return None
    return found if isinstance(found, dict) else None


def _is_u32(value) -> bool:
    # A bool is an int for CPython, and none for MicroPython.
    return isinstance(value, int) and value is not True and value is not False and 0 <= value <= _U32
