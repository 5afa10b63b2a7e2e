"""What the page behind a message's link shows: what and where, its evidence, and the one thing to press. Draws only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from dashboards.console.accept.words import say
from dashboards.console.homes import words as homes
from dashboards.console.html import Html, page, spoken, tag
from dashboards.console.language import other
from edge_gateway.alerts.alert import State
from edge_gateway.homes.round import without_place
from edge_gateway.rules import Severity

STYLES: Final = ("homes.css", "accept.css")
_EVIDENCE: Final = 3
_HISTORY: Final = 12
_GATEWAY: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Look:
    """What a link shows, as `alerts.look_link` answers it.

    Attributes:
        now_ns: wall clock.  where: the site's zone.  site: as people call it.
    """

    told: Mapping[str, Any]
    now_ns: int
    where: tzinfo
    lang: str
    site: str = ""

    @property
    def alert(self) -> Mapping[str, Any]:
        """The alert itself."""
        found: Mapping[str, Any] = self.told["alert"]
        return found

    @property
    def person(self) -> str:
        """Whom the link is bound to."""
        return str(self.told["person"])

    def when(self, at_ns: int) -> str:
        """Today 14:05."""
        return homes.moment(at_ns, self.now_ns, self.where, self.lang)

    def say(self, key: str, **values: object) -> str:
        """A text in the reader's language."""
        return say(key, self.lang, **values)


def show(request: Request, look: Look) -> Response:
    """The whole page."""
    alert = look.alert
    severity, place = Severity(alert["severity"]), str(alert["place"] or alert["device"] or alert["site"])
    text = without_place(homes.pick((alert["text_zh"], alert["text_en"]), look.lang), str(alert["place"]))
    head = tag(
        "section",
        tag("span", homes.severity(severity, look.lang), class_="badge"),
        tag("h1", place),
        tag("p", look.site, class_="facts site") if look.site and look.site != place else None,
        tag("p", text, class_="reason"),
        tag("p", " · ".join(_facts(look)), class_="facts"),
        class_=f"alert {severity.value} {alert['state']}",
    )
    return _page(request, f"{homes.severity(severity, look.lang)} {place}", head, _act(look), _evidence(look), _story(look))


def notice(request: Request, key: str, status: int) -> Response:
    """A page that has no alert to show."""
    lang = spoken(request)
    return _page(
        request, say(key, lang), tag("h1", say(key, lang)), tag("p", say(f"{key}_why", lang), class_="wrong"), status=status
    )


def _page(request: Request, title: str, *parts: Html | None, status: int = 200) -> Response:
    lang = spoken(request)
    change = tag("a", say("other_language", lang), href=f"?lang={other(lang)}", class_="language", lang=other(lang))
    bar = tag("header", tag("span", "看护 Kanhu", class_="brand"), change, class_="top")
    return page(request, title, tag("div", bar, *parts, class_="content accept"), styles=STYLES, status=status, lang=lang)


def _facts(look: Look) -> list[str]:
    alert = look.alert
    facts = [look.say("since", when=look.when(int(alert["occurred_ns"])))]
    if alert["told"]:
        facts.append(look.say("told", who=", ".join(map(str, alert["told"]))))
    if int(alert["count"]) > 1:
        facts.append(look.say("again", count=alert["count"]))
    return facts


def _act(look: Look) -> Html:
    """The one thing to press, or why there is none."""
    why, kind, alert = str(look.told["why"]), str(look.told["kind"]), look.alert
    if why == "closed" or alert["state"] == State.CLOSED:
        return _closed(look)
    if kind == "accept" and not why:
        return _accept(look)
    if kind == "close" and not why:
        return _close(look)
    if alert["state"] == State.ACCEPTED and alert["accepted_by"] != look.person:
        who = alert["accepted_by"]
        return _said(look.say("taken", who=who), look.say("taken_why", who=who), "did")
    if alert["state"] == State.ACCEPTED and why in ("accepted", "used"):
        return _said(look.say("yours"), look.say("yours_before"), "did", _until(look))
    if why == "expired":
        return _said(look.say("expired"), look.say("close_expired_why" if kind == "close" else "expired_why"), "wrong")
    return _said(look.say("used"), look.say("used_why"), "wrong")


def _accept(look: Look) -> Html:
    button = tag("button", look.say("accept"), type="submit", name="act", value="accept", class_="go")
    return tag(
        "section",
        tag("p", look.say("go_there"), class_="plain") if look.alert["severity"] == Severity.URGENT else None,
        tag("form", button, method="post", class_="one"),
        tag("p", look.say("accept_as", person=look.person)),
        tag("p", look.say("not_you", person=look.person), class_="facts"),
        class_="card",
    )


def _close(look: Look) -> Html:
    def choice(reason: str) -> Html:
        words = homes.reason(reason, look.lang)
        hidden = tag("input", type="hidden", name="reason", value=reason)
        return tag(
            "form", hidden, tag("button", words, type="submit", name="act", value="close", class_="choice"), method="post"
        )

    box = tag("textarea", name="reason", rows=2, maxlength=200, required=True, aria_label=look.say("own_words"))
    send = tag("button", look.say("send"), type="submit", name="act", value="close", class_="quiet")
    return tag(
        "section",
        tag("div", tag("strong", look.say("yours")), tag("p", look.say("yours_why")), class_="did", role="status"),
        tag("h2", look.say("close")),
        tag("div", *(choice(reason) for reason in homes.REASONS), class_="choices"),
        tag("details", tag("summary", look.say("own_words")), tag("form", box, send, method="post")),
        _until(look),
        class_="card",
    )


def _closed(look: Look) -> Html:
    alert = look.alert
    reason = next((str(line["reason"]) for line in reversed(alert["history"]) if line["state"] == State.CLOSED), "")
    by = look.say("by_gateway") if alert["closed_by"] == _GATEWAY else str(alert["closed_by"])
    return _said(look.say("closed"), look.say("closed_by", who=by, why=homes.reason(reason, look.lang)), "did")


def _until(look: Look) -> Html | None:
    due_ns = int(look.alert["close_due_ns"])
    return tag("p", look.say("close_until", when=look.when(due_ns)), class_="facts") if due_ns else None


def _said(title: str, why: str, class_: str, *more: Html | None) -> Html:
    return tag("section", tag("div", tag("strong", title), tag("p", why), class_=class_, role="status"), *more, class_="card")


def _evidence(look: Look) -> Html | None:
    lines = [tag("li", homes.evidence(str(line), look.now_ns, look.lang)) for line in look.alert["evidence"][-_EVIDENCE:]]
    return (
        tag("section", tag("h2", look.say("evidence")), tag("ul", *lines, class_="evidence"), class_="card") if lines else None
    )


def _story(look: Look) -> Html:
    lines = []
    for line in look.alert["history"][-_HISTORY:]:
        by = look.say("by_gateway") if line["by"] == _GATEWAY else str(line["by"])
        words = f"{homes.pick(homes.STATES[State(line['state'])], look.lang)} · {by}"
        lines.append(tag("li", tag("b", look.when(int(line["at_ns"]))), tag("span", words)))
    number = tag("p", str(look.alert["id"]), class_="asof")
    return tag("details", tag("summary", look.say("story")), tag("ul", *lines, class_="story"), number, class_="group")
