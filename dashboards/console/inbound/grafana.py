"""Grafana's webhook: its alerts, as the gateway's command `alerts.watched` takes them.

Written after the source and the documentation of Grafana 12: `alerts[]` with `status`, `labels`, `annotations`, `startsAt`,
`endsAt`, `generatorURL`; labels and annotations in double underscores are not sent. "resolved" means that it is over only where
no annotation `grafana_state_reason` says why else the alert ended. DatasourceNoData and DatasourceError are alerts of their own
without the labels of a series, and end with `MissingSeries` when the data is back.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from dashboards.console.inbound.messages import Answer, Call, Told, Watch, at, key_of, plain
from edge_gateway.errors import Rejected
from edge_gateway.settings import Inbound

_MOST: Final = 1000  # alerts in one request; the console takes 256 kB
_FRESH_S: Final = 600.0
# What Grafana calls the header when nobody names it has changed between versions.
_SIGNATURES: Final = ("x-grafana-alerting-signature", "x-grafana-alert-signature")
_SIGNED_AT: Final = "x-grafana-alerting-timestamp"
_RULE: Final = re.compile(r"/alerting/grafana/([^/]+)/view")
_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")  # as Grafana allows it
_NO_DATA: Final = {"DatasourceNoData": "no-data", "DatasourceError": "error"}
_TEST: Final = "TestAlert"
_WARNINGS: Final = ("warning", "critical", "error", "urgent", "high", "page")
# Labels of the rule, not of the series: they may change while it is the same thing that is wrong.
_STATIC: Final = frozenset(
    {"alertname", "rulename", "grafana_folder", "severity", "datasource_uid", "ref_id", "kanhu", "kanhu_rule", "via"}
)
_PLACE: Final = ("site", "device", "place", "channel")
_TEXT: Final = 400
_NAME: Final = 150
_ID: Final = 48  # characters of an id of ours
_LATEST_NS: Final = 2**63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Grafana:
    """Besides the secret address: credentials in the Authorization header, and a signature, as far as they are set."""

    def read(self, call: Call, setting: Inbound, now_s: float) -> Told:
        """Everything that can be understood, and a line for each alert that cannot."""
        if setting.token_file is not None:
            _check_credentials(call, key_of(setting.token_file, "console.inbound.token_file (the Authorization credentials)"))
        if setting.key_file is not None:
            _check_signature(call, key_of(setting.key_file, "console.inbound.key_file (the HMAC secret)"), now_s)
        if not call.body:  # somebody opened the address in a browser: nothing of Grafana's was lost
            raise Rejected("unreadable", "there is nothing in it; Grafana's webhook sends JSON by POST")
        try:
            data = json.loads(call.body)
        except (ValueError, RecursionError):
            return Told((Watch(unread=(f"this is no JSON: {call.body[:60]!r}",)),))
        alerts = at(data, "alerts")
        if not isinstance(alerts, list) or len(alerts) > _MOST:
            return Told((Watch(unread=(f"expected `alerts`, a list of at most {_MOST}, as Grafana's webhook sends it",)),))
        left_out = at(data, "truncatedAlerts")
        return Told((_watch(alerts, left_out if type(left_out) is int and 0 < left_out < 10**6 else 0),))

    def say(self, setting: Inbound, call: Call, words: str, now_s: float) -> Answer:
        """Grafana reads the status alone."""
        return Answer(f"{words}\n")


def _watch(alerts: list[Any], left_out: int) -> Watch:
    read: list[Mapping[str, Any]] = []
    unread: list[str] = []
    tests = 0
    for alert in alerts:
        labels = _texts(at(alert, "labels"))
        try:
            uid = _uid(alert, labels)
            if uid:
                read.append(_said(alert, labels, uid))
            elif labels.get("alertname") == _TEST:
                tests += 1
            else:
                raise Rejected("unreadable", "no uid of its rule in the label kanhu_rule, in ruleUID or in generatorURL")
        except Rejected as error:
            unread.append(f"alert {labels.get('alertname', '')[:60]!r}: {error.detail}")
    return Watch(tuple(read), left_out, tests, tuple(unread))


def _said(alert: Any, labels: Mapping[str, str], uid: str) -> dict[str, Any]:
    annotations = _texts(at(alert, "annotations"))
    status, reason = plain(at(alert, "status")), annotations.get("grafana_state_reason", "").strip()
    if status not in ("firing", "resolved"):
        raise Rejected("unreadable", f"status is {status[:60]!r}; firing or resolved")
    # The instance that stands for "no data" has no series: that it goes missing means that there is data again.
    ends = not reason or (reason == "MissingSeries" and _is_no_data(labels))
    word = "firing" if status == "firing" else "resolved" if ends else "unknown"
    zh, en = _words(labels, annotations)
    return {
        "rule": uid,
        "instance": _instance(labels),
        "word": word,
        "at_ns": _time_ns(alert, "startsAt" if status == "firing" else "endsAt"),
        "reason": "" if ends else reason[:_NAME],
        "warning": labels.get("severity", "").lower() in _WARNINGS,
        "site": labels.get("site", "")[:_NAME],
        "device": labels.get("device", "")[:_NAME],
        "text_zh": zh,
        "text_en": en,
    }


def _uid(alert: Any, labels: Mapping[str, str]) -> str:
    """The rule's uid; "" nothing names it."""
    path = _RULE.search(_path(plain(at(alert, "generatorURL"))))
    for found in (labels.get("kanhu_rule", ""), plain(at(alert, "ruleUID")), path[1] if path else ""):
        if _UID.fullmatch(found):
            return found
    return ""


def _path(url: str) -> str:
    """The path of an address, readable; "" when it is none."""
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""


def _is_no_data(labels: Mapping[str, str]) -> bool:
    return labels.get("alertname") in _NO_DATA or {"ref_id", "datasource_uid"} <= labels.keys()


def _instance(labels: Mapping[str, str]) -> str:
    """What tells the instances of a rule apart; the same after the labels of the rule itself were changed."""
    if (kind := _NO_DATA.get(labels.get("alertname", ""))) is not None:
        return kind
    named = [labels[name][:_ID] for name in _PLACE if name in labels]
    rest = sorted((name, text) for name, text in labels.items() if name not in (*_PLACE, *_STATIC))
    if rest or any(len(labels[name]) > _ID for name in _PLACE if name in labels):
        whole = sorted((name, text) for name, text in labels.items() if name not in _STATIC)
        named.append(hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:8])
    return "/".join(named)


def _words(labels: Mapping[str, str], annotations: Mapping[str, str]) -> tuple[str, str]:
    """What people are told, in both languages."""
    name = labels.get("rulename") or labels.get("alertname", "")
    kind = _NO_DATA.get(labels.get("alertname", ""))
    if kind == "no-data":
        zh, en = f"Grafana 规则 «{name}» 查不到任何数据", f"Grafana's rule {name!r} finds no data at all"
    elif kind == "error":
        why = annotations.get("Error", "")[: _TEXT // 2]
        zh, en = f"Grafana 规则 «{name}» 查询出错: {why}", f"Grafana's rule {name!r} fails: {why}"
    else:
        plainly = annotations.get("summary") or annotations.get("description") or name
        zh, en = annotations.get("summary_zh") or plainly, annotations.get("summary_en") or plainly
    link = annotations.get("runbook_url", "")
    more_zh, more_en = (
        (f" 处理办法: {link}", f" What to do: {link}") if link.startswith("http") and len(link) < _NAME else ("", "")
    )
    return _short(zh, more_zh), _short(en, more_en)


def _short(text: str, more: str) -> str:
    flat = " ".join(text.split()) or "Grafana"
    return (flat if len(flat) <= _TEXT else f"{flat[: _TEXT - 1]}…")[: 450 - len(more)] + more


def _time_ns(alert: Any, name: str) -> int:
    text = plain(at(alert, name))
    try:
        moment = datetime.fromisoformat(text)
        found = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, TypeError, OverflowError) as error:
        raise Rejected("unreadable", f"{name} is {text[:60]!r}; a time with its zone") from error
    if not 0 < found < _LATEST_NS:
        raise Rejected("unreadable", f"{name} is {text[:60]!r}, before 1970 or after 2262")
    return found


def _texts(value: Any) -> dict[str, str]:
    """Labels or annotations, without what is private to Grafana; what is no text is left out."""
    if not isinstance(value, Mapping):
        return {}
    named = ((name, text) for name, text in value.items() if isinstance(text, str))
    return {name: text for name, text in named if not (name.startswith("__") and name.endswith("__"))}


def _check_credentials(call: Call, wanted: str) -> None:
    """Scheme Bearer (or any other), or the password of Basic."""
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("utf-8", "replace").partition(":")[2]
        except ValueError:
            given = ""
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
        raise Rejected("not_theirs", "the header Authorization is missing or holds other credentials")


def _check_signature(call: Call, key: str, now_s: float) -> None:
    """HMAC-SHA256 of the body, or of the time, a colon and the body, where a header for the time is set."""
    stamp = call.headers.get(_SIGNED_AT, "")
    if stamp and (not stamp.isdecimal() or len(stamp) > 15 or abs(int(stamp) - now_s) > _FRESH_S):
        raise Rejected("not_theirs", f"the header {_SIGNED_AT} is {stamp[:20]!r}, more than {_FRESH_S / 60:.0f} minutes off")
    signed = f"{stamp}:".encode() + call.body if stamp else call.body
    good = hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()
    given = next((call.headers[name] for name in _SIGNATURES if name in call.headers), "")
    if not hmac.compare_digest(good.encode(), given.strip().lower().encode("utf-8", "replace")):
        raise Rejected("not_theirs", f"the header {_SIGNATURES[0]} is missing or not made with the HMAC secret")
