"""Alerts: the open ones, and one with evidence and ladder; a named person accepts it, and closes it with a reason."""

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from dashboards.console.homes import frame
from dashboards.console.homes.frame import Visit, button, link
from dashboards.console.homes.people import names, names_link
from dashboards.console.homes.words import REASONS, STATES, evidence, moment, pick, reason, severity
from dashboards.console.html import Html, form, tag
from dashboards.console.roles import Forbidden, Right, sees_some_of
from edge_gateway.alerts import story
from edge_gateway.alerts.alert import Alert, State
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.homes.round import without_place

router = APIRouter()
Text = Annotated[str, Form()]
Then = Annotated[str, Form(alias="next")]
_LATELY_NS: Final = 7 * 86_400 * 10**9
_EVIDENCE: Final = 3
_MOST: Final = 200


@router.get("/alerts")
async def show_all(request: Request) -> Response:
    """Open ones first, then what was closed in the last week."""
    of = frame.visit(request)
    try:
        found = await of.console.reach.look(lambda look: look.alerts(open_only=False, since_ns=of.now_ns - _LATELY_NS))
    except (Unavailable, Misconfigured):
        return await frame.page(of, of.say("alerts"), tag("p", of.say("no_store"), class_="empty"))
    mine = [alert for alert in found if _visible(of, alert) and not alert.test][:_MOST]
    still = [alert for alert in mine if alert.state is not State.CLOSED]
    over = [alert for alert in mine if alert.state is State.CLOSED]
    title = of.say("open_alerts", count=len(still))
    return await frame.page(
        of,
        title,
        tag("h1", title),
        *(_item(of, alert) for alert in still),
        None if still else tag("p", of.say("no_open_alerts"), class_="empty"),
        tag("details", tag("summary", f"{of.say('closed_lately')} {len(over)}"), *(_item(of, a) for a in over), class_="group",
            id="closed") if over else None,
    )  # fmt: skip


@router.get("/alert")
async def show(request: Request, id: str = "", names: str = "") -> Response:
    """`/alert?id=20261121-1405-sos-3f2a`."""
    of = frame.visit(request)
    alert = await _find(of, id)
    if alert is None:
        return await frame.page(of, of.say("alert"), tag("p", of.say("no_alert"), class_="empty"))
    if alert.place:
        await of.console.reach.looked(of.session, alert.site, alert.place, "alert", again=of.look)
    where = of.zone(alert.site)
    text = pick((alert.text_zh, alert.text_en), of.lang)
    title = alert.place or alert.device or frame.site_name(of, alert.site)
    return await frame.page(
        of,
        f"{severity(alert.severity, of.lang)} {title}",
        tag("a", f"‹ {of.say('round')}", href=link("/round", site=alert.site), class_="step"),
        tag(
            "section",
            tag(
                "div",
                tag("h1", _place(of, alert) or title),
                tag("span", severity(alert.severity, of.lang), class_="badge"),
                class_="top",
            ),
            tag("p", frame.site_name(of, alert.site), class_="facts site") if alert.place or alert.device else None,
            tag("p", without_place(text, alert.place), class_="reason"),
            tag("p", of.say("a_test"), class_="also") if alert.test else None,
            _steps(of, alert),
            class_=f"alert {alert.severity} {alert.state}",
        ),
        _act(of, alert),
        await _who(of, alert, bool(names)),
        _evidence(of, alert),
        _story(of, alert),
        tag("p", f"{of.say('number')} {alert.id}", class_="asof"),
        where=where,
    )


@router.post("/alert/accept")
async def accept(request: Request, id: Text) -> Response:
    """He deals with it: the messages stop."""
    of = frame.visit(request, Right.CARE)
    alert = await _his(of, id)

    async def work() -> str:
        try:
            found = await of.console.reach.call(of.session, "alerts.accept", site=alert.site, place=alert.place, id=alert.id)
        except Rejected as error:
            return _too_late(error)
        return "accept" if found["accepted_by"] == of.session.user.id else "other"

    return await frame.done(of, work, link("/alert", id=alert.id))


@router.post("/alert/close")
async def close(request: Request, id: Text, reason: Text = "", words: Text = "") -> Response:
    """It is over, and why: one of the fixed reasons, or his own words.

    Raises:
        Rejected: no reason.
    """
    of = frame.visit(request, Right.CARE)
    alert = await _his(of, id)
    given = reason if reason in REASONS else words.strip()[:200]
    if not given:
        raise Rejected("no_reason", of.say("close_why"))

    async def work() -> str:
        about = {"site": alert.site, "place": alert.place, "id": alert.id}
        try:
            await of.console.reach.call(of.session, "alerts.close", **about, reason=given)
        except Rejected as error:
            return _too_late(error)
        return "close"

    return await frame.done(of, work, link("/alert", id=alert.id))


def _too_late(error: Rejected) -> str:
    """Somebody was faster; anything else that was refused is raised."""
    if error.reason != "unknown_alert":
        raise error
    return "over"


async def _find(of: Visit, id_: str) -> Alert | None:
    """An alert he may see."""
    try:
        found = await of.console.reach.look(lambda look: look.alert(id_[:100]))
    except (Unavailable, Misconfigured):
        return None
    return found if found is not None and _visible(of, found) else None


async def _his(of: Visit, id_: str) -> Alert:
    """An alert he may decide about. Raises Forbidden: there is none, or it is not his; the answer is the same."""
    found = await _find(of, id_)
    if found is None or not of.sees(found.site, found.place):
        raise Forbidden(id_[:60])
    return found


def _visible(of: Visit, alert: Alert) -> bool:
    """What concerns a whole site is seen by everybody who has a part of it; what concerns the gateway, by all."""
    if alert.place:
        return of.sees(alert.site, alert.place)
    return not alert.site or sees_some_of(of.session.user, alert.site)


def _item(of: Visit, alert: Alert) -> Html:
    words = without_place(pick((alert.text_zh, alert.text_en), of.lang), alert.place)
    when = moment(alert.raised_ns, of.now_ns, of.zone(alert.site), of.lang)
    state = of.say("taken_by", who=alert.accepted_by) if alert.state is State.ACCEPTED else pick(STATES[alert.state], of.lang)
    return tag(
        "a",
        tag("span", tag("span", severity(alert.severity, of.lang), class_="badge"), class_="top"),
        tag("b", frame.where(of, alert.site, alert.place or alert.device)),
        tag("span", words, class_="reason"),
        tag("span", f"{when} · {state}", class_="facts"),
        href=link("/alert", id=alert.id),
        class_=f"item {alert.severity} {alert.state}",
    )


def _place(of: Visit, alert: Alert) -> Html | None:
    """Leads to the home, where there is one."""
    if (alert.site, alert.place) not in of.registry.homes:
        return None
    return tag("a", alert.place, href=link("/home", site=alert.site, place=alert.place))


def _steps(of: Visit, alert: Alert) -> Html:
    """How far it is: each step with its time, as the elder is shown it too."""
    told_ns = next((change.at_ns for change in reversed(alert.history) if change.state is State.NOTIFIED), 0)
    accepted, closed = alert.state in (State.ACCEPTED, State.CLOSED), alert.state is State.CLOSED
    reached = {
        "happened": alert.occurred_ns,
        "raised": alert.raised_ns,
        "notified": told_ns or alert.raised_ns if alert.told else 0,
        # Who had accepted an alert that was opened again has it no more.
        "accepted": alert.accepted_ns if accepted else 0,
        "closed": alert.closed_ns if closed else 0,
    }
    who = {"notified": ", ".join(alert.told), "accepted": alert.accepted_by, "closed": alert.closed_by}
    steps = []
    for step in ("happened", "raised", "notified", "accepted", "closed"):
        name = of.say("step_pressed" if step == "happened" and alert.rule == "sos" else f"step_{step}")
        at_ns = reached[step]
        told = [moment(at_ns, of.now_ns, of.zone(alert.site), of.lang)] if at_ns else []
        told += [_who_is(of, who[step])] if at_ns and who.get(step) else []
        steps.append(tag("li", tag("b", name), tag("span", " ".join(told)), class_="on" if at_ns else None))
    return tag("ol", *steps, class_="steps")


def _who_is(of: Visit, by: str) -> str:
    return of.say("by_gateway") if by == "gateway" else by


def _act(of: Visit, alert: Alert) -> Html | None:
    """What he can do now: accept; then, when it is over, close."""
    if alert.state is State.CLOSED:
        why = alert.history[-1].reason if alert.history else ""
        words = " · ".join(part for part in (_who_is(of, alert.closed_by), reason(why, of.lang)) if part)
        return tag("p", f"✓ {of.say('step_closed')}: {words}", class_="did")
    if not of.may(Right.CARE) or not of.sees(alert.site, alert.place):
        return None
    if alert.state is State.ACCEPTED:
        mine = alert.accepted_by == of.session.user.id
        when = moment(alert.accepted_ns, of.now_ns, of.zone(alert.site), of.lang)
        words = of.say("accepted_by_you") if mine else of.say("accepted_by", who=alert.accepted_by, when=when)
        return tag("section", tag("p", words, class_="total"), _closing(of, alert), class_="card")
    return tag(
        "section",
        button(of, "/alert/accept", of.say("accept"), "go", id=alert.id),
        tag("details", tag("summary", of.say("close_without")), _closing(of, alert), id="close"),
        class_="card act-card",
    )


def _closing(of: Visit, alert: Alert) -> Html:
    choices = [
        tag("button", reason(word, of.lang), type="submit", name="reason", value=word, class_="choice") for word in REASONS
    ]
    own = tag(
        "details",
        tag("summary", of.say("own_words")),
        form(
            of.request,
            "/alert/close",
            *frame.fields(id=alert.id),
            tag("label", tag("span", of.say("own_words")), tag("input", name="words", maxlength=200, required=True)),
            tag("button", of.say("close_with"), type="submit"),
        ),
        id="own-words",
    )
    quick = form(of.request, "/alert/close", *frame.fields(id=alert.id), tag("div", *choices, class_="choices"))
    return tag("div", tag("h2", of.say("close_why")), quick, own)


async def _who(of: Visit, alert: Alert, wanted: bool) -> Html | None:
    """Whom to call, for who wants to know."""
    setting = of.registry.homes.get((alert.site, alert.place))
    if setting is None or not setting.person or not of.may(Right.NAMES):
        return None
    if wanted:
        return await names(of, alert.site, [setting.person], f"alert {alert.id}")
    return names_link(of, link("/alert", id=alert.id, names="1"))


def _evidence(of: Visit, alert: Alert) -> Html:
    lines = [tag("li", evidence(line, of.now_ns, of.lang)) for line in alert.evidence[-_EVIDENCE:]]
    more = tag("p", of.say("times", count=alert.count), class_="facts") if alert.count > 1 else None
    return tag("section", tag("h2", of.say("evidence")), tag("ul", *lines, class_="evidence"), more, class_="card")


def _story(of: Visit, alert: Alert) -> Html:
    """What happened, what is under way, what comes next."""
    where = of.zone(alert.site)
    lines = []
    for line in story.story(alert):
        when = moment(line.at_ns, of.now_ns, where, of.lang)
        next_ = tag("em", f"{of.say('later')} ") if line.when == story.NEXT else None
        lines.append(tag("li", next_, tag("b", when), tag("span", pick((line.zh, line.en), of.lang))))
    nobody = tag("p", of.say("nobody_told"), class_="wrong") if alert.unanswered and not alert.told else None
    return tag("section", tag("h2", of.say("story")), nobody, tag("ol", *lines, class_="story"), class_="card")
