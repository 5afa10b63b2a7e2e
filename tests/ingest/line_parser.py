"""An independent, strict reader of the line protocol, written from its specification; it shares nothing with what writes it."""

import re

Value = float | int | str
Line = tuple[str, dict[str, str], dict[str, Value], int]

_NAME = r"(?:\\[ ,=]|[^\\ ,=\n])+"
_STRING = r'"(?:\\["\\]|[^"\\\n])*"'
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_TAG = re.compile(f",({_NAME})=({_NAME})")
_FIELD = re.compile(f"({_NAME})=({_STRING}|-?\\d+i|{_NUMBER})(,|$| )")


def parse(data: bytes) -> Line:
    """(measurement, tags, fields, time in ns) of one line; fails on whatever is not exactly one line."""
    text = data.decode("utf-8")
    measurement = re.match(_NAME, text)
    assert measurement and not text.startswith("#"), text
    at = measurement.end()
    tags: dict[str, str] = {}
    while tag := _TAG.match(text, at):
        assert tag[1] not in tags, f"tag {tag[1]} is there twice"
        tags[tag[1]] = re.sub(r"\\([ ,=])", r"\1", tag[2])
        at = tag.end()
    assert text[at] == " ", f"no fields after {text[:at]!r}"
    at += 1
    fields: dict[str, Value] = {}
    while True:
        field = _FIELD.match(text, at)
        assert field, f"no field at {text[at:]!r}"
        assert field[1] not in fields, f"field {field[1]} is there twice"
        fields[field[1]] = _value(field[2])
        at = field.end()
        if field[3] != ",":
            break
    assert re.fullmatch(r"-?\d+", text[at:]), f"no time at {text[at:]!r}"
    return measurement[0], tags, fields, int(text[at:])


def _value(text: str) -> Value:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return int(text[:-1]) if text.endswith("i") else float(text)
