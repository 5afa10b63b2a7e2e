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


# --- checks: function(value, where) -> list of problems ---


def _check(ok, want: str):
    def problems(value, where):
        return [] if ok(value) else ["%s: seen %s, expected %s" % (where, _shown(value), want)]

    return problems


def whole(low: int, high: int):
    """A whole number in this range."""
    return _check(lambda v: type(v) is int and low <= v <= high, "a whole number from %d to %d" % (low, high))


def number(low, high):
    """A number in this range."""
    return _check(lambda v: type(v) in (int, float) and low <= v <= high, "a number from %s to %s" % (low, high))


def flag():
    """true or false."""
    return _check(lambda v: type(v) is bool, "true or false")


def text(most: int, least: int = 1):
    """A text of so many characters."""
    return _check(lambda v: isinstance(v, str) and least <= len(v) <= most, "a text of %d to %d characters" % (least, most))


def choice(*words):
    """One of these words."""
    return _check(lambda v: v in words, "one of " + ", ".join(str(word) for word in words))


def identifier():
    """A name as the contract has it: a-z 0-9 - _, at most 48 characters, first and last a letter or digit."""
    return _check(_is_identifier, "1 to 48 characters a-z 0-9 - _, first and last a letter or digit")


def listed(check, least: int, most: int):
    """A list whose elements pass `check`."""

    def problems(value, where):
        if not isinstance(value, list) or not least <= len(value) <= most:
            return ["%s: seen %s, expected a list of %d to %d" % (where, _shown(value), least, most)]
        return [p for i in range(len(value)) for p in check(value[i], "%s[%d]" % (where, i))]

    return problems


def table(checks: dict, required=()):
    """An object with these keys and no others; `required` of them must be there."""

    def problems(value, where):
        if not isinstance(value, dict):
            return ["%s: seen %s, expected an object" % (where or "settings", _shown(value))]
        inside = where + "." if where else ""
        found = ["%s%s: missing" % (inside, key) for key in required if key not in value]
        for key in sorted(value):
            if key in checks:
                found += checks[key](value[key], inside + key)
            else:
                known = ", ".join(sorted(checks)) or "none"
                found.append("%s%s: unknown, expected one of %s" % (inside, key, known))
        return found

    return problems


def _is_identifier(value) -> bool:
    if not isinstance(value, str) or not 1 <= len(value) <= 48:
        return False
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return all(c in letters or c in "-_" for c in value) and value[0] in letters and value[-1] in letters


def _shown(value) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."


# --- what every device has ---

_GPIO = whole(0, 48)
_WIRES = {
    "pin": _GPIO,
    "i2c": table({"scl": _GPIO, "sda": _GPIO, "freq": whole(10_000, 400_000), "id": whole(0, 1)}, ("scl", "sda")),
    "uart": table({"id": whole(0, 2), "tx": _GPIO, "rx": _GPIO, "baud": whole(300, 1_000_000)}, ("id", "tx", "rx")),
    "onewire": _GPIO,
    # `ratio`: volts at the battery for each volt at the pin, as the divider in front of it makes it.
    "adc": table({"pin": _GPIO, "ratio": number(1, 100)}, ("pin",)),
}
_PINS = {"led": "pin", "battery": "adc"}

_WIFI = listed(table({"ssid": text(32), "password": text(64, 0)}, ("ssid", "password")), 1, 8)
_BROKER = {
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
_CHECKS = {
    "site": identifier(),
    "device": identifier(),
    "model": identifier(),
    "wifi": _WIFI,
    "broker": table(_BROKER, ("host",)),
    "ntp": listed(text(128), 0, 4),
    "cadence_s": whole(1, 86_400),
    "health_s": whole(60, 86_400),
    "crystal": flag(),  # a 32 kHz crystal: the clock stays right in deep sleep
    "watchdog_s": whole(0, 3600),  # 0: none, for the work bench
    "config_trial_s": whole(60, 86_400),  # settings from afar with which it is not connected for so long are undone
    "battery_empty_v": number(0, 60),  # below it sleeps instead of starting; 0: never
}
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
    wires = dict(_PINS)
    wires.update(getattr(app, "PINS", {}))
    checks = dict(_CHECKS)
    checks["pins"] = table({name: _WIRES[kind] for name, kind in wires.items()})
    if app is not None and isinstance(model, str):
        checks[model] = table(app.CHECKS)
    problems = table(checks, _REQUIRED)(document, "")
    if problems:
        raise Misconfigured(problems)
    settings = merged(_DEFAULTS, document)
    broker = merged(_BROKER_DEFAULTS, settings["broker"])
    broker.setdefault("port", 8883 if broker["tls"] else 1883)
    broker.setdefault("user", "%s/%s" % (settings["site"], settings["device"]))
    settings["broker"] = broker
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
