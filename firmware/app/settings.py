"""The device's settings: one JSON file on its flash, checked as a whole, so that every mistake is named at once.

Checked settings are plain nested dicts with every default filled in: `settings["broker"]["port"]`.
"""

import json

# Who the device is: never changed from afar, for the gateway knows it by these.
LOCAL = ("site", "device", "model")


class Misconfigured(Exception):
    """Settings nobody can run with; only a person can mend them.

    Attributes:
        problems: one line each: where, what was seen, what would be right.
    """

    def __init__(self, problems) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


# --- checks: a tuple (function, its arguments); an app's stay in memory, and a closure would take five times the room ---


def whole(low: int, high: int) -> tuple:
    """A whole number in this range."""
    return _whole, low, high


def number(low, high) -> tuple:
    """A number in this range."""
    return _number, low, high


def flag() -> tuple:
    """true or false."""
    return (_flag,)


def text(most: int, least: int = 1) -> tuple:
    """A text of so many characters."""
    return _text, least, most


def choice(*words) -> tuple:
    """One of these words."""
    return (_choice,) + words


def identifier() -> tuple:
    """A name as the contract has it: a-z 0-9 - _, at most 48 characters, first and last a letter or digit."""
    return (_identifier,)


def listed(check, least: int, most: int) -> tuple:
    """A list whose elements pass `check`."""
    return _list, check, least, most


def table(checks: dict, required=()) -> tuple:
    """An object with these keys and no others; `required` of them must be there."""
    return _table, checks, required


def problems(check: tuple, value, where: str) -> list:
    """What is wrong with this value, one line each."""
    return check[0](value, where, *check[1:])


def _whole(value, where, low, high):
    return _expect(type(value) is int and low <= value <= high, value, where, "a whole number from %d to %d" % (low, high))


def _number(value, where, low, high):
    return _expect(type(value) in (int, float) and low <= value <= high, value, where, "a number from %s to %s" % (low, high))


def _flag(value, where):
    return _expect(type(value) is bool, value, where, "true or false")


def _text(value, where, least, most):
    good = isinstance(value, str) and least <= len(value) <= most
    return _expect(good, value, where, "a text of %d to %d characters" % (least, most))


def _choice(value, where, *words):
    return _expect(value in words, value, where, "one of " + ", ".join([str(word) for word in words]))


def _identifier(value, where):
    want = "1 to 48 characters a-z 0-9 - _, first and last a letter or digit"
    return _expect(_is_identifier(value), value, where, want)


def _list(value, where, check, least, most):
    if not isinstance(value, list) or not least <= len(value) <= most:
        return _expect(False, value, where, "a list of %d to %d" % (least, most))
    return [p for i in range(len(value)) for p in problems(check, value[i], "%s[%d]" % (where, i))]


def _table(value, where, checks, required):
    if not isinstance(value, dict):
        return _expect(False, value, where or "settings", "an object")
    inside = where + "." if where else ""
    found = ["%s%s: missing" % (inside, key) for key in required if key not in value]
    for key in sorted(value):
        if key in checks:
            found += problems(checks[key], value[key], inside + key)
        else:
            found.append("%s%s: unknown, expected one of %s" % (inside, key, ", ".join(sorted(checks)) or "none"))
    return found


def _expect(good: bool, value, where: str, want: str) -> list:
    return [] if good else ["%s: seen %s, expected %s" % (where, _shown(value), want)]


def _is_identifier(value) -> bool:
    if not isinstance(value, str) or not 1 <= len(value) <= 48:
        return False
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return all(c in letters or c in "-_" for c in value) and value[0] in letters and value[-1] in letters


def _shown(value) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."


# --- what every device has ---


def wires() -> dict:
    """Kind of wire -> check of what `pins` says of it."""
    gpio = whole(0, 48)
    i2c = {"scl": gpio, "sda": gpio, "freq": whole(10_000, 400_000), "id": whole(0, 1)}
    uart = {"id": whole(0, 2), "tx": gpio, "rx": gpio, "baud": whole(300, 1_000_000)}
    return {
        "pin": gpio,
        "i2c": table(i2c, ("scl", "sda")),
        "uart": table(uart, ("id", "tx", "rx")),
        "onewire": gpio,
        # `ratio`: volts at the battery for each volt at the pin, as the divider in front of it makes it.
        "adc": table({"pin": gpio, "ratio": number(1, 100)}, ("pin",)),
    }


def broker() -> dict:
    """The checks of the section `broker`."""
    return {
        "host": text(128),
        "port": whole(1, 65535),
        "tls": flag(),
        "ca": text(128, 0),  # file with the authority that signed the broker's certificate
        "cert": text(128, 0),
        "key": text(128, 0),
        "user": text(128, 0),
        "password": text(128, 0),
        "keepalive_s": whole(10, 600),
    }


def device() -> dict:
    """The checks of what every device has, but for `pins`."""
    return {
        "site": identifier(),
        "device": identifier(),
        "model": identifier(),
        "wifi": listed(table({"ssid": text(32), "password": text(64, 0)}, ("ssid", "password")), 1, 8),
        "broker": table(broker(), ("host",)),
        "ntp": listed(text(128), 0, 4),
        "cadence_s": whole(1, 86_400),
        "health_s": whole(60, 86_400),
        "crystal": flag(),  # a 32 kHz crystal: the clock stays right in deep sleep
        "watchdog_s": whole(0, 3600),  # 0: none, for the work bench
        "config_trial_s": whole(60, 86_400),  # settings from afar with which it is not connected for so long are undone
        "battery_empty_v": number(0, 60),  # below it sleeps instead of starting; 0: never
    }


PINS = {"led": "pin", "battery": "adc"}
_REQUIRED = ("site", "device", "model", "wifi", "broker")
_DEFAULTS = {
    "ntp": ["ntp.aliyun.com", "pool.ntp.org"],
    "cadence_s": 60,
    "health_s": 900,
    "crystal": False,
    "watchdog_s": 120,
    "config_trial_s": 600,
    "battery_empty_v": 0,
    "pins": {},
}
_BROKER_DEFAULTS = {"tls": False, "ca": "", "cert": "", "key": "", "password": "", "keepalive_s": 30}


def checked(document, app=None) -> dict:
    """The settings of this document with all defaults.

    Args:
        app: the module of the device's model: its `DEFAULTS` and `CHECKS` are those of the section named like the model, its
            `PINS` (name -> kind of wire: pin, i2c, uart, onewire, adc) those it knows.
    Raises:
        Misconfigured: with every problem found.
    """
    model = document.get("model") if isinstance(document, dict) else None
    named = dict(PINS)
    named.update(getattr(app, "PINS", {}))
    kinds, checks = wires(), device()
    checks["pins"] = table({name: kinds[kind] for name, kind in named.items()})
    if app is not None and isinstance(model, str):
        checks[model] = table(app.CHECKS)
    found = problems(table(checks, _REQUIRED), document, "")
    if found:
        raise Misconfigured(found)
    settings = merged(_DEFAULTS, document)
    where = merged(_BROKER_DEFAULTS, settings["broker"])
    where.setdefault("port", 8883 if where["tls"] else 1883)
    where.setdefault("user", "%s/%s" % (settings["site"], settings["device"]))
    settings["broker"] = where
    if app is not None:
        settings[model] = merged(app.DEFAULTS, settings.get(model, {}))
    return settings


def merged(under: dict, over: dict) -> dict:
    """`over` laid over `under`: objects key by key, everything else as a whole. Neither is changed."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def read(path: str) -> dict:
    """The document in this file.

    Raises:
        Misconfigured: there is none, or it is no JSON object.
    """
    try:
        with open(path) as file:
            found = file.read()
    except OSError as error:
        raise Misconfigured(["%s: cannot be read (%s)" % (path, error)])
    try:
        # MicroPython reads `{"a":{"b":1` without a word: a file cut short would run with defaults for what is missing.
        if not _is_whole(found):
            raise ValueError("cut short")
        document = json.loads(found)
    except ValueError as error:
        raise Misconfigured(["%s: is no JSON (%s)" % (path, error)])
    if not isinstance(document, dict):
        raise Misconfigured(["%s: seen %s, expected an object" % (path, _shown(document))])
    return document


def _is_whole(document: str) -> bool:
    """Whether everything that was opened is closed again."""
    depth, quoted, escaped = 0, False, False
    for c in document:
        if quoted:
            quoted = escaped or c != '"'
            escaped = c == "\\" and not escaped
        elif c == '"':
            quoted = True
        elif c in "{[":
            depth += 1
        elif c in "}]":
            depth -= 1
    return depth == 0 and not quoted
