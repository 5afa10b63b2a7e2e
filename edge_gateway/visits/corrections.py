"""What people said about a visit: the newest word decides, and all of them are kept."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from edge_gateway.errors import Rejected
from edge_gateway.topics import ID
from edge_gateway.visits.records import DONE, Correction, JudgedTap, Reason, Ruling, State, Visit

APPROVE: Final = "approve"
DECLINE: Final = "decline"
CONFIRM: Final = "confirm"
CHANGE: Final = "change"
OBJECT: Final = "object"
NOTE: Final = "note"
ACTIONS: Final = (APPROVE, DECLINE, CONFIRM, CHANGE, OBJECT, NOTE)
FIELDS: Final = ("state", "person", "service", "courier", "start_ns", "end_ns", "counted")
LONGEST_TEXT: Final = 500
_WORDS: Final = frozenset(Reason)
_NAMES: Final = ("person", "service", "courier")
_TIMES: Final = ("start_ns", "end_ns")
_COUNTING: Final = frozenset({"state", "counted"})
_LAST_NS: Final = 8_600_000_000_000_000_000  # 2242


def check(action: str, reason: str, changes: Mapping[str, object]) -> None:
    """That a correction can be applied.

    Raises:
        Rejected: `bad_correction`, with every problem.
    """
    problems: list[str] = []
    if action not in ACTIONS:
        problems.append(f"action is {action!a}; {', '.join(ACTIONS)}")
    if len(reason) > LONGEST_TEXT:
        problems.append(f"reason has {len(reason)} characters; at most {LONGEST_TEXT}")
    elif not reason.strip():
        problems.append("reason is missing; a word such as card_forgotten, or own words")
    if changes and action not in (CHANGE, CONFIRM):
        problems.append(f"{action} changes no fields; use change or confirm")
    elif not changes and action == CHANGE:
        problems.append(f"change names no field; {', '.join(FIELDS)}")
    problems += [f"{name} cannot be {str(value)[:60]!a}" for name, value in changes.items() if not _fits(name, value)]
    if problems:
        raise Rejected("bad_correction", "; ".join(problems))


def _fits(name: str, value: object) -> bool:
    if name == "state":
        return isinstance(value, str) and value in frozenset(State)
    if name in _NAMES:
        return value == "" or (isinstance(value, str) and ID.fullmatch(value) is not None)
    if name in _TIMES:
        return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LAST_NS)
    return name == "counted" and isinstance(value, bool)


def apply(visit: Visit, corrections: Sequence[Correction], taps: Sequence[JudgedTap] = ()) -> Visit:
    """The visit after everything that was said about it.

    Args:
        corrections: those about this visit, in any order.
        taps: those of the visit. One that arrived after the last decision asks for another if it is doubtful, and also if the
            visit is not counted: it was declined by somebody who could not know of the tap.
    """
    decided_ns: int | None = None
    spoken_ns: int | None = None  # also by a change of what counts
    for one in sorted(corrections, key=lambda one: one.n):
        visit = _one(visit, one)
        if one.action in (APPROVE, DECLINE, CONFIRM):
            decided_ns = spoken_ns = one.at_ns
        elif counts(one):
            spoken_ns = one.at_ns
    doubtful = [one for one in taps if one.judgement.ruling is Ruling.REVIEW]
    if _after(decided_ns, doubtful) or (not visit.counted and _after(spoken_ns, taps)):
        return msgspec.structs.replace(visit, reviewing=True)
    return visit


def counts(one: Correction) -> bool:
    """Whether it changes what counts, and is no decision of the review."""
    return one.action == CHANGE and not _COUNTING.isdisjoint(one.changes)


def _after(moment_ns: int | None, taps: Sequence[JudgedTap]) -> bool:
    return moment_ns is not None and any(one.tap.received_ns > moment_ns for one in taps)


def _one(visit: Visit, one: Correction) -> Visit:
    reason = Reason(one.reason) if one.reason in _WORDS else None
    reasons = list(visit.reasons)
    if one.action == OBJECT:
        reasons.append(Reason.OBJECTION)
    elif one.action == CONFIRM and visit.state not in DONE:
        reasons.append(Reason.VISIT_WITHOUT_TAP)
    if reason is not None and one.action != NOTE:
        reasons.append(reason)
    visit = msgspec.structs.replace(
        visit,
        reasons=tuple(dict.fromkeys(reasons)),
        by=one.by,
        comment=one.reason if reason is None or one.action == NOTE else visit.comment,
    )
    return _acted(visit, one)


def _acted(visit: Visit, one: Correction) -> Visit:
    match one.action:
        case "approve":
            return msgspec.structs.replace(visit, reviewing=False, counted=visit.state in DONE)
        case "decline":
            return msgspec.structs.replace(visit, reviewing=False, counted=False)
        case "confirm":
            state = visit.state if visit.state in DONE else State.ON_TIME
            return _changed(msgspec.structs.replace(visit, state=state, reviewing=False, counted=True), one)
        case "change":
            return _changed(visit, one)
        case "object":
            return msgspec.structs.replace(visit, reviewing=True)
    return visit


def _changed(visit: Visit, one: Correction) -> Visit:
    """With the fields of a correction; what `check` would refuse is passed over, so that no old line stops a day."""
    fields: dict[str, object] = {name: value for name, value in one.changes.items() if _fits(name, value)}
    if "state" in fields:
        fields["state"] = State(str(fields["state"]))
        if fields["state"] not in DONE:
            fields.setdefault("counted", False)
        elif visit.state not in DONE:  # it took place after all
            fields.setdefault("counted", True)
    return msgspec.structs.replace(visit, **fields) if fields else visit
