"""Providers of SMS and calls: records of fields, as JSON or as a form. Those we know, and any other by its table of fields."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus
from zoneinfo import ZoneInfo

from dashboards.console.inbound.messages import Answer, Call, Reply, Report, Told, at, plain, seconds
from edge_gateway.errors import Rejected
from edge_gateway.settings import Fields, Inbound

RECORDS: Final = 500  # in one request; providers hand in 100 at most
_LONGEST: Final = 500
# Where a provider writes a time without a zone.
_ZONE: Final = ZoneInfo("Asia/Shanghai")
_TIMES: Final = ("%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S")

KNOWN: Final[Mapping[str, Fields]] = {
    "aliyun": Fields(
        id=["biz_id", "out_id"], state="success", yes=["true"], reason="err_code", sender="phone_number", text="content",
        at="send_time", answer='{"code": 0, "msg": "OK"}',
    ),
    "tencent": Fields(
        id=["sid"], state="report_status", yes=["SUCCESS"], reason="errmsg", sender="mobile", text="text", at="time",
        answer='{"result": 0, "errmsg": "OK"}',
    ),
    "yunpian": Fields(
        wrapped=["sms_status", "sms_reply", "voice_status"], id=["sid", "uid"], state="report_status", yes=["SUCCESS"],
        reason="error_msg", sender="mobile", text="text", at="reply_time", answer="SUCCESS",
    ),
    "twilio": Fields(
        id=["MessageSid", "SmsSid", "CallSid"], yes=["delivered", "read", "in-progress", "completed"],
        no=["undelivered", "failed", "busy", "no-answer", "canceled"], reason="ErrorCode", text="Body", digits="Digits",
        answer="",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldsProvider:
    """Of one kind; "" takes the table of the setting."""

    kind: str = ""

    def read(self, call: Call, setting: Inbound, now_s: float) -> Told:
        """Everything in it that is an answer or the end of a message."""
        fields = KNOWN.get(self.kind, setting.fields)
        data = at(_data(call, fields), fields.records)
        records = data if isinstance(data, list) else [data]
        if len(records) > RECORDS or not all(isinstance(record, Mapping) for record in records):
            raise Rejected("unreadable", f"expected 1 to {RECORDS} records")
        found = [message for record in records for message in _messages(record, fields, self.kind)]
        return Told(tuple(found))

    def say(self, setting: Inbound, call: Call, words: str, now_s: float) -> Answer:
        """They want one word; nothing of it reaches the person."""
        answer = KNOWN.get(self.kind, setting.fields).answer
        return Answer(answer, "application/json" if answer.startswith("{") else "text/plain")


def _data(call: Call, fields: Fields) -> Any:
    text = call.body.decode("utf-8", "replace").strip()
    if text[:1] in ("{", "["):
        return _json(text)
    form = dict(parse_qsl(text, keep_blank_values=True)) if text else dict(call.query)
    inner = next((form[name] for name in fields.wrapped if name in form), None)
    if inner is None:
        return form
    # Encoded once more than a form needs, by some.
    return _json(inner if inner.lstrip()[:1] in ("{", "[") else unquote_plus(inner))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejected("unreadable", "this is no JSON") from error


def _messages(record: Mapping[str, Any], fields: Fields, kind: str) -> list[Reply | Report]:
    found: list[Reply | Report] = []
    state = plain(at(record, fields.state)) if fields.state else plain(record.get("MessageStatus") or record.get("CallStatus"))
    references = tuple(plain(at(record, path))[:200] for path in fields.id if plain(at(record, path)))
    text, digits = (plain(at(record, path)).strip() if path else "" for path in (fields.text, fields.digits))
    ends = state in fields.yes or state in fields.no or (state != "" and not fields.no)
    # A key pressed in a call says that somebody listens, whatever its state is called; a mailbox listens to nothing.
    machine = kind == "twilio" and plain(record.get("AnsweredBy")).startswith(("machine", "fax"))
    if references and (ends or digits or machine):
        arrived = bool(digits) or (state in fields.yes and not machine)
        found.append(Report(references, arrived, "" if arrived else _reason(record, fields, "machine" if machine else state)))
    sender = _twilio_person(record) if kind == "twilio" else plain(at(record, fields.sender)) if fields.sender else ""
    at_s = _time(at(record, fields.at)) if fields.at else None
    if text and sender:
        # With the name that the provider has for it: "1" again on another day is no repeat.
        found.append(Reply(sender[:100], text[:_LONGEST], references[0] if references else "", at_s))
    if digits and sender:
        found.append(Reply(sender[:100], digits[:_LONGEST], at_s=at_s, about=references))
    return found


def _reason(record: Mapping[str, Any], fields: Fields, state: str) -> str:
    return " ".join(part for part in (state, plain(at(record, fields.reason)) if fields.reason else "") if part)[:100]


def _twilio_person(record: Mapping[str, Any]) -> str:
    """Who it is about: he was called, or he wrote."""
    outbound = plain(record.get("Direction")).startswith("outbound")
    return plain(record.get("To" if outbound else "From")).removeprefix("whatsapp:")


def _time(value: Any) -> float | None:
    """Seconds since 1970 of what a provider writes; None: it cannot be read."""
    text = plain(value).strip()
    for form in _TIMES:
        if len(text) == (14 if form == _TIMES[1] else 19):
            try:
                return datetime.strptime(text, form).replace(tzinfo=_ZONE).timestamp()
            except ValueError:
                continue
    return seconds(text)
