"""Whom Grafana tells: the gateway by a webhook, people by channels that need no gateway. Secrets are names of variables here.

`$KANHU_...` in a provisioning file is filled in by Grafana from its own environment; a push fills it in from ours. A channel
whose variable is not set is left out, since an empty address in a file keeps Grafana from starting.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from dashboards.grafana.options import Options
from edge_gateway.errors import Misconfigured

GATEWAY: Final = "kanhu-gateway"
OUTSIDE: Final = "kanhu-outside"
TOKEN: Final = "KANHU_GRAFANA_WEBHOOK_TOKEN"  # noqa: S105 (the name of a variable)

_VARIABLE: Final = re.compile(r"\$(KANHU_[A-Z0-9_]+)")

# No `$` in these: Grafana takes it for a variable of its environment. Robots of DingTalk and Feishu may want a keyword: 看护.
TITLE: Final = (
    "看护 Kanhu: {{ if .Alerts.Firing }}告警 alerts {{ len .Alerts.Firing }} {{ end }}"
    "{{ if .Alerts.Resolved }}结束 ended {{ len .Alerts.Resolved }}{{ end }}"
)
# A robot of WeCom takes 4,096 bytes and says that it refused more in an answer which Grafana does not read.
MOST: Final = 7
# An alert that ended with a reason did not recover: its series is missing, its rule was changed or taken away.
_ONE: Final = (
    '{{ if eq .Status "firing" }}告警 Alert'
    "{{ else if .Annotations.grafana_state_reason }}情况不明, 不算恢复 Unknown, not recovered"
    "{{ else }}已恢复 Recovered{{ end }}: {{ .Annotations.summary }}\n{{ .Annotations.runbook_url }}\n\n"
)
MESSAGE: Final = (
    f"{{{{ if gt (len .Alerts) {MOST} }}}}{{{{ range slice .Alerts 0 {MOST} }}}}{_ONE}{{{{ end }}}}还有更多 More: Grafana"
    f"{{{{ else }}}}{{{{ range .Alerts }}}}{_ONE}{{{{ end }}}}{{{{ end }}}}"
)
_TEXT: Final = f"(tmpl.Inline `{TITLE}\n{MESSAGE}` .)"
_FEISHU: Final = '{{ coll.Dict "msg_type" "text" "content" (coll.Dict "text" ' + _TEXT + ") | data.ToJSON }}"


class _Form(NamedTuple):
    """What a variable has to hold."""

    what: str
    example: str
    pattern: re.Pattern[str]


_FORMS: Final = {
    "_URL": _Form("address", "https://..., as the group's robot or the console shows it", re.compile(r"https?://[^\s/]+\S*")),
    "_EMAIL": _Form(
        "e-mail address", "wang@example.org;li@example.org", re.compile(r"[^\s;@]+@[^\s;@]+([;,\s]+[^\s;@]+@[^\s;@]+)*;?")
    ),
}


class LeftOut(NamedTuple):
    """A contact point whose variables are not all set."""

    uid: str
    missing: tuple[str, ...]


def contact_points(options: Options, environment: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """All of them, as the provisioning API takes them; several of one name are one contact point with several ways.

    Args:
        environment: where the webhook's token is set in it, the webhook shows it.
    """
    del options  # the same at every site
    token = bool((environment or {}).get(TOKEN, "").strip())
    return [
        _point("kanhu-webhook", GATEWAY, "webhook", _webhook(token)),
        _point("kanhu-email", OUTSIDE, "email", {"addresses": "$KANHU_GRAFANA_EMAIL", "subject": TITLE, "message": MESSAGE}),
        _point(
            "kanhu-wecom",
            OUTSIDE,
            "wecom",
            {"url": "$KANHU_GRAFANA_WECOM_URL", "msgtype": "markdown", "title": TITLE, "message": MESSAGE},
        ),
        _point(
            "kanhu-dingtalk",
            OUTSIDE,
            "dingding",
            {"url": "$KANHU_GRAFANA_DINGTALK_URL", "msgType": "actionCard", "title": TITLE, "message": MESSAGE},
        ),
        # Grafana knows no Feishu: a webhook with the body its robots want, which needs Grafana 12.
        _point(
            "kanhu-feishu",
            OUTSIDE,
            "webhook",
            {"url": "$KANHU_GRAFANA_FEISHU_URL", "httpMethod": "POST", "payload": {"template": _FEISHU}},
        ),
    ]


def _webhook(token: bool) -> dict[str, Any]:
    # The console takes 256 kB a request, an alert of ours has 3 kB; what is beyond 50 alerts is told as "more".
    about = {"url": "$KANHU_GRAFANA_WEBHOOK_URL", "httpMethod": "POST", "maxAlerts": 50, "title": "kanhu", "message": "-"}
    shown = {"authorization_scheme": "Bearer", "authorization_credentials": f"${TOKEN}"}
    return {**about, **shown} if token else about


def _point(uid: str, name: str, kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {"uid": uid, "name": name, "type": kind, "settings": settings, "disableResolveMessage": False}


def variables(value: object) -> tuple[str, ...]:
    """Names of the variables in a contact point, or in any part of it, in the order of the alphabet."""
    if isinstance(value, str):
        return tuple(sorted(set(_VARIABLE.findall(value))))
    parts: Iterable[object] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, Sequence):
        parts = value
    return tuple(sorted({name for part in parts for name in variables(part)}))


def chosen(options: Options, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Those whose variables are all set and not empty.

    Raises:
        Misconfigured: a variable holds no address; its value is not quoted, since a robot's address is a secret.
    """
    gone = {one.uid for one in left_out(options, environment)}
    found = [point for point in contact_points(options, environment) if point["uid"] not in gone]
    for name in variables(found):
        form = next((form for ending, form in _FORMS.items() if name.endswith(ending)), None)
        if form is not None and form.pattern.fullmatch(environment[name].strip()) is None:
            raise Misconfigured(
                f"{name} holds no {form.what}", f"{form.example}; or leave it unset, and this channel is left out"
            )
    return found


def left_out(options: Options, environment: Mapping[str, str]) -> list[LeftOut]:
    """The others, with what they miss."""
    missing = {p["uid"]: tuple(n for n in variables(p) if not environment.get(n, "").strip()) for p in contact_points(options)}
    return [LeftOut(uid, names) for uid, names in missing.items() if names]


def filled(value: Any, environment: Mapping[str, str]) -> Any:
    """The same with the values of its variables.

    Raises:
        KeyError: a variable is not set; `chosen` has left such points out.
    """
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: environment[found.group(1)], value)
    if isinstance(value, dict):
        return {key: filled(part, environment) for key, part in value.items()}
    return [filled(part, environment) for part in value] if isinstance(value, list) else value


def file_form(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As they stand in a provisioning file: one entry for each name."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for point in points:
        ways = by_name.setdefault(point["name"], [])
        ways.append({key: point[key] for key in ("uid", "type", "settings", "disableResolveMessage")})
    return [{"orgId": 1, "name": name, "receivers": ways} for name, ways in by_name.items()]
