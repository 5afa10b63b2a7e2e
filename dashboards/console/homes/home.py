"""One home: how it stands, its days as bands, what is usual there, pause, away, consent, and who looked."""

from datetime import date as date_
from datetime import datetime, time
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from dashboards.console.homes import days, frame, home_log
from dashboards.console.homes.frame import Visit, button, link
from dashboards.console.homes.people import names, names_link
from dashboards.console.homes.rounds import buttons, facts_of, known
from dashboards.console.homes.words import moment, pick, rank, severity
from dashboards.console.html import Html, form, tag
from dashboards.console.roles import Right
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.homes import selftest
from edge_gateway.homes.home import Home, Past
from edge_gateway.homes.round import AWAY, Facts, Row, morning_round, without_place
from edge_gateway.homes.said import ELDER
from edge_gateway.homes.setting import HomeSetting

if TYPE_CHECKING:
    from edge_gateway.homes.look import HomesLook

router = APIRouter()
Text = Annotated[str, Form()]
_DAY_NS: Final = 86_400 * 10**9
_SHOWN_DAYS: Final = 7
_HOURS: Final = (2, 4, 8, 24, 72)
_AWAY: Final = ("out", "daughter", "long")
_LONG: Final = 30 * _DAY_NS  # alerts of so long are listed


@router.get("/home")
async def show(request: Request, site: str = "", place: str = "", names: str = "") -> Response:
    """`/home?site=wutong&place=3-201`."""
    of = frame.visit(request)
    setting = of.registry.homes.get((site, place))
    if setting is None or not of.sees(site, place):
        return await frame.page(of, of.say("no_home"), tag("p", of.say("no_home"), class_="empty"))
    await of.console.reach.looked(of.session, site, place, "home", again=of.look)
    facts = await facts_of(of, site)
    if facts is None:
        return await frame.page(of, place, tag("h1", place), tag("p", of.say("no_store"), class_="empty"), where=of.zone(site))
    row = next(row for row in morning_round(facts) if row.place == place)
    home, past = await _whole(of, site, place)
    here = link("/home", site=site, place=place)
    return await frame.page(
        of,
        f"{place} · {rank(row.rank, of.lang)}",
        tag("a", f"‹ {of.say('round')}", href=link("/round", site=site), class_="step"),
        _head(of, facts, row, home, here),
        await _person(of, setting, bool(names), here),
        days.bands(of, home, past, facts, setting),
        days.usual(of, past, setting, facts.now_ns, facts.zone),
        await _now(of, facts, setting, home, here),
        _alerts(of, facts, place),
        _pause(of, facts, home, setting, here),
        _away(of, facts, home, setting, here),
        _consent(of, facts, home, setting, here),
        await home_log.section(of, facts, place),
        where=facts.zone,
    )


@router.post("/home/pause")
async def pause(request: Request, site: Text, place: Text, hours: Text = "", reason: Text = "") -> Response:
    """The elder does not want to be watched for so long."""
    of = frame.visit(request, Right.CARE)
    if hours not in map(str, _HOURS):
        raise Rejected("bad_argument", of.say("pause_for"))
    until_ns = of.now_ns + int(hours) * 3600 * 10**9
    return await _ask(of, "homes.pause", "pause", site, place, until_ns=until_ns, reason=reason[:200])


@router.post("/home/resume")
async def resume(request: Request, site: Text, place: Text) -> Response:
    """Watch again."""
    return await _ask(frame.visit(request, Right.CARE), "homes.resume", "resume", site, place)


@router.post("/home/away")
async def away(request: Request, site: Text, place: Text, kind: Text = "", last: Text = "") -> Response:
    """Nobody is at home, until the end of a day.

    Raises:
        Rejected: no such day.
    """
    of = frame.visit(request, Right.CARE)
    try:
        end = datetime.combine(date_.fromisoformat(last), time(23, 59), of.zone(site))
    except ValueError:
        raise Rejected("bad_argument", of.say("last_day")) from None
    return await _ask(of, "homes.away", "away", site, place, kind=kind, until_ns=int(end.timestamp()) * 10**9)


@router.post("/home/back")
async def back(request: Request, site: Text, place: Text) -> Response:
    """Somebody is at home again."""
    return await _ask(frame.visit(request, Right.CARE), "homes.back", "back", site, place)


@router.post("/home/consent")
async def consent(request: Request, site: Text, place: Text, version: Text = "", date: Text = "", given: Text = "") -> Response:
    """What the person said to which text, on which day."""
    of = frame.visit(request, Right.CARE)
    return await _ask(of, "homes.consent", "consent", site, place, version=version, date=date, given=given == "yes")


@router.post("/home/test")
async def test(request: Request, site: Text, place: Text) -> Response:
    """Try the way of an alarm now."""
    return await _ask(frame.visit(request, Right.CARE), "homes.test", "test", site, place)


async def _ask(of: Visit, command: str, did: str, site: str, place: str, **arguments: Any) -> Response:
    async def work() -> str:
        await of.console.reach.call(of.session, command, site=site, place=place, **arguments)
        return did

    return await frame.done(of, work, link("/home", site=site, place=place), place)


async def _whole(of: Visit, site: str, place: str) -> tuple[Home, Past]:
    """Everything that is remembered of one home; empty when it cannot be read now."""
    try:
        found = await of.console.reach.look(lambda look: (look.home(site, place), look.past(site, place)))
    except (Unavailable, Misconfigured):
        return Home(site, place), Past()
    return found[0] or Home(site, place), found[1]


def _head(of: Visit, facts: Facts, row: Row, home: Home, here: str) -> Html:
    why = [pick(words, of.lang) for words in row.why]
    return tag(
        "section",
        tag("div", tag("h1", row.place), tag("span", rank(row.rank, of.lang), class_="badge"), class_="top"),
        tag("p", frame.site_name(of, row.site), class_="facts site"),
        tag("p", why[0], class_="reason") if why else None,
        *(tag("p", one, class_="also") for one in why[1:]),
        frame.facts_line(known(of, facts, row)),
        buttons(of, row, here, True),
        class_=f"home {row.rank.name.lower()}",
    )


async def _person(of: Visit, setting: HomeSetting, wanted: bool, here: str) -> Html | None:
    if not setting.person or not of.may(Right.NAMES):
        return None
    if wanted:
        return await names(of, setting.site, [setting.person], f"home {setting.place}")
    return names_link(of, f"{here}&names=1")


async def _now(of: Visit, facts: Facts, setting: HomeSetting, home: Home, here: str) -> Html:
    """Its devices, and whether an alarm would reach somebody."""
    devices = [d for d in of.registry.devices.values() if (d.site, d.place) == setting.key]

    def read(look: "HomesLook") -> dict[str, int]:
        states = look.devices(setting.site)
        return {d.id: states[d.id].heard_ns for d in devices if d.id in states}

    try:
        heard = await of.console.reach.look(read)
    except (Unavailable, Misconfigured):
        heard = {}
    lines = []
    for device in devices:
        at_ns = heard.get(device.id, 0)
        silent = bool(at_ns and device.silence_s and facts.now_ns - at_ns > device.silence_s * 1e9)
        words = of.say("heard", when=moment(at_ns, of.now_ns, facts.zone, of.lang)) if at_ns else of.say("never_heard")
        mark = tag("b", f"▲ {of.say('silent')} ") if silent or not at_ns else None
        lines.append(tag("li", tag("span", f"{device.id} · "), mark, tag("span", words)))
    return tag(
        "section",
        tag("h2", of.say("sensors")),
        tag("ul", *lines, class_="plain"),
        tag("h2", of.say("self_test")),
        *_tested(of, facts, home, setting),
        button(of, "/home/test", of.say("test_button"), "quiet", here, site=setting.site, place=setting.place)
        if of.may(Right.CARE)
        else None,
        class_="card",
    )


def _tested(of: Visit, facts: Facts, home: Home, setting: HomeSetting) -> list[Html]:
    """Whether an alarm would reach a person, the test under way, the last real press."""
    test = home.test

    def when(at_ns: int) -> str:
        return moment(at_ns, of.now_ns, facts.zone, of.lang)

    stands = selftest.standing(home, facts.now_ns, setting)
    since = f" · {when(stands.since_ns)}" if stands.since_ns else ""
    bad = stands.state == "unprotected"
    found = [tag("p", pick((stands.why_zh, stands.why_en), of.lang) + since, class_="away" if bad else "facts")]
    if test.asked_ns:
        found.append(tag("p", of.say("test_running", when=when(test.asked_ns)), class_="facts"))
    if test.pressed_ns:
        found.append(tag("p", of.say("pressed", when=when(test.pressed_ns)), class_="facts"))
    if stands.press_due:
        found.append(tag("p", of.say("press_due"), class_="facts"))
    return found


def _alerts(of: Visit, facts: Facts, place: str) -> Html | None:
    """Those that are open; a link to the others."""
    mine = [alert for alert in facts.alerts if (alert.site, alert.place) == (facts.site, place) and not alert.test]
    if not mine:
        return None
    items = [
        tag(
            "li",
            tag("a", f"{severity(a.severity, of.lang)} {without_place(pick((a.text_zh, a.text_en), of.lang), place)}",
                href=link("/alert", id=a.id)),
        )
        for a in mine
    ]  # fmt: skip
    return tag("section", tag("h2", of.say("alerts")), tag("ul", *items, class_="plain"), class_="card")


def _pause(of: Visit, facts: Facts, home: Home, setting: HomeSetting, here: str) -> Html | None:
    """The elder's own wish, which everybody sees with its end."""
    paused = home.pause
    if not of.may(Right.CARE) and paused is None:
        return None
    parts: list[Html | None] = [tag("summary", of.say("pause"))]
    if paused is not None:
        over = paused.until_ns <= facts.now_ns
        key = "pause_over" if over else "paused_until"
        words = of.say(key, when=moment(paused.until_ns, of.now_ns, facts.zone, of.lang))
        who = of.say("paused_by_elder") if paused.by == ELDER else of.say("paused_by", who=paused.by)
        parts.append(tag("p", " · ".join(part for part in (words, who, paused.reason) if part), class_="facts"))
        if of.may(Right.CARE):
            parts.append(button(of, "/home/resume", of.say("resume"), "", here, site=setting.site, place=setting.place))
    if of.may(Right.CARE):
        hours = [tag("option", _hours(of, count), value=count, selected=count == 8) for count in _HOURS]
        parts += [
            tag("p", of.say("pause_why"), class_="facts"),
            form(
                of.request,
                "/home/pause",
                *frame.fields(site=setting.site, place=setting.place),
                tag("label", tag("span", of.say("pause_for")), tag("select", *hours, name="hours")),
                tag("label", tag("span", of.say("reason")), tag("input", name="reason", maxlength=200)),
                tag("button", of.say("pause"), type="submit"),
            ),
        ]
    return tag("details", *parts, class_="card", id="pause", open=paused is not None)


def _hours(of: Visit, count: int) -> str:
    return of.say("days", count=count // 24) if count >= 48 else of.say("hours", count=count)


def _away(of: Visit, facts: Facts, home: Home, setting: HomeSetting, here: str) -> Html | None:
    gone = home.away if home.away is not None and not 0 < home.away.until_ns <= facts.now_ns else None
    if not of.may(Right.CARE) and gone is None:
        return None
    parts: list[Html | None] = [tag("summary", of.say("away"))]
    if gone is not None:
        since = of.say("since", when=moment(gone.since_ns, of.now_ns, facts.zone, of.lang))
        end = of.say("away_until", when=moment(gone.until_ns, of.now_ns, facts.zone, of.lang)) if gone.until_ns else ""
        words = " · ".join(part for part in (pick(AWAY[gone.kind], of.lang), since, end) if part)
        parts.append(tag("p", words, class_="facts"))
        if of.may(Right.CARE):
            parts.append(button(of, "/home/back", of.say("back_home"), "", here, site=setting.site, place=setting.place))
    elif of.may(Right.CARE):
        kinds = [tag("option", pick(AWAY[kind], of.lang), value=kind) for kind in _AWAY]
        today = datetime.fromtimestamp(of.now_ns / 1e9, facts.zone).date().isoformat()
        parts += [
            tag("p", of.say("away_note"), class_="facts"),
            form(
                of.request,
                "/home/away",
                *frame.fields(site=setting.site, place=setting.place),
                tag("label", tag("span", of.say("away_where")), tag("select", *kinds, name="kind")),
                _field(of, "last_day", type="date", name="last", value=today, min=today),
                tag("button", of.say("away_save"), type="submit"),
            ),
        ]  # fmt: skip
    return tag("details", *parts, class_="card", id="away", open=gone is not None)


def _consent(of: Visit, facts: Facts, home: Home, setting: HomeSetting, here: str) -> Html:
    lines = [
        tag("li", of.say("consent_given" if one.given else "consent_withdrawn", date=one.date, version=one.version, who=one.by))
        for one in reversed(home.consents)
    ]
    told = tag("ul", *lines, class_="plain") if lines else tag("p", of.say("consent_none"), class_="facts")
    if not of.may(Right.CARE):
        return tag("details", tag("summary", of.say("consent")), told, class_="card", id="consent")
    today = datetime.fromtimestamp(of.now_ns / 1e9, facts.zone).date().isoformat()
    version = home.consents[-1].version if home.consents else "1"
    ask = form(
        of.request,
        "/home/consent",
        *frame.fields(site=setting.site, place=setting.place),
        _field(of, "consent_version", name="version", value=version, maxlength=40),
        _field(of, "consent_date", type="date", name="date", value=today, max=today),
        tag("div", tag("button", of.say("consent_yes"), type="submit", name="given", value="yes", class_="choice"),
            tag("button", of.say("consent_no"), type="submit", name="given", value="no", class_="choice"), class_="choices"),
    )  # fmt: skip
    return tag("details", tag("summary", of.say("consent")), told, ask, class_="card", id="consent", open=not home.consents)


def _field(of: Visit, label: str, **attributes: str | int) -> Html:
    return tag("label", tag("span", of.say(label)), tag("input", required=True, **attributes))
