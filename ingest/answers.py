"""What a database's answer to a write means: held, or which lines it will never take, or an error for the caller.

InfluxDB 2 refuses the whole batch with 400 and quotes every bad line; with 422 (InfluxDB 1: 400 "partial write") it has stored
the good lines and tells of the bad ones only how many, and what the first one's trouble was. InfluxDB 3 gives line numbers.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge_gateway.errors import Misconfigured, Unavailable
from ingest.connection import Answer

DETAIL_CHARS: Final = 300
IS_IT_ONE: Final = "is influx.url a database of the kind influx.kind says?"

_QUOTED: Final = "unable to parse '"
_CONFLICT: Final = re.compile(r'input field "(.+?)" on measurement "(.+?)"')
_DROPPED: Final = re.compile(r"dropped=(\d+)")
_HINTS: Final = {
    401: "influx.token_file (or username and password_file) must hold a valid login; `kanhu ingest setup` makes one",
    403: "the token may not write to this bucket; `kanhu ingest setup` makes one that may",
    404: "create the bucket with `kanhu ingest setup`, or mend influx.bucket, influx.org or influx.url",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """At least one line of the batch was refused.

    Attributes:
        reason: a word of `Refusal`.  detail: the database's own words.
        dropped: how many lines it says it left out, 0 when it does not say. It may have left out more: it counts one kind only.
        conflict: (field, measurement) it names for a type conflict.
        explained: it speaks of lines. If not, anything might have answered, and only lines that are taken prove that a
            line that is not is to blame.
    """

    reason: str
    detail: str
    dropped: int = 0
    conflict: tuple[str, str] | None = None
    explained: bool = True


def meaning(answer: Answer) -> Trouble | None:
    """None when the database holds every line of the batch.

    Raises:
        Unavailable, Misconfigured: as `Sink.write`. A 5xx is `Unavailable`; that one batch alone may cause it is not seen here.
    """
    status, text = answer.status, message(answer)
    if status == 204:
        return None
    if status == 413:
        return Trouble("too_large", text[:DETAIL_CHARS])
    if status in (400, 422):
        conflict = _CONFLICT.search(text)
        dropped = _DROPPED.findall(text)
        words = ("partial write", _QUOTED, "retention policy", "type conflict", "line protocol")
        return Trouble(
            _reason(text),
            text[:DETAIL_CHARS],
            int(dropped[-1]) if dropped else 0,
            (conflict[1], conflict[2]) if conflict else None,
            any(word in text for word in words),
        )
    if 300 <= status < 400:
        raise Misconfigured(f"the database redirects to {answer.location[:200]!r}", "set influx.url to where it really is")
    if 400 <= status < 500 and status not in (408, 425, 429):
        hint = _HINTS.get(status, IS_IT_ONE)
        raise Misconfigured(f"the database answered {status}: {text[:DETAIL_CHARS]}", hint)
    raise Unavailable(f"the database answered {status}: {text[:DETAIL_CHARS]}", answer.retry_after_s)


def message(answer: Answer) -> str:
    """The server's words, without their JSON and on one line."""
    try:
        tree = json.loads(answer.text)
        words = tree.get("message") or tree.get("error") or answer.text
    except (ValueError, AttributeError, RecursionError):
        words = answer.text
    return " ".join(str(words).split()) or "no words"


def named(answer: Answer, lines: Sequence[bytes]) -> dict[int, tuple[str, str]]:
    """Positions of the lines that the answer names one by one -> (reason, detail); each was refused for itself."""
    try:
        tree = json.loads(answer.text)
        words = str(tree.get("message") or tree.get("error"))
        numbered = tree.get("data") if isinstance(tree.get("data"), list) else []
    except (ValueError, AttributeError, RecursionError):  # also an answer that was cut
        words, numbered = answer.text, []
    found: dict[int, tuple[str, str]] = {}
    for row in numbered:
        number = row.get("line_number") if isinstance(row, dict) else None
        if isinstance(number, int) and 1 <= number <= len(lines):
            detail = str(row.get("error_message"))[:DETAIL_CHARS]
            found[number - 1] = (_reason(detail), detail)
    if _QUOTED not in words:
        return found
    positions: dict[str, list[int]] = {}
    for position, data in enumerate(lines):
        positions.setdefault(data.decode("utf-8", "replace"), []).append(position)
    # No line of ours holds a line break, so each complaint is one line of the message.
    for complaint in words.split("\n"):
        _, quoted, rest = complaint.partition(_QUOTED)
        end = rest.find("': ") if quoted else -1
        while end >= 0:  # a text inside the line may hold the same marks
            for position in positions.get(rest[:end], ()):
                found[position] = ("malformed_line", re.sub(r" dropped=\d+$", "", rest[end + 3 :])[:DETAIL_CHARS])
            end = rest.find("': ", end + 1)
    return found


def _reason(text: str) -> str:
    if "type conflict" in text or "column type" in text:
        return "type_conflict"
    if "retention" in text:
        return "outside_retention"
    return "malformed_line"
