"""The morning round: one list of a community, whom to visit first and why, with one tap for who is well."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from dashboards.console.homes import frame
from dashboards.console.homes.frame import Visit, button, link
from dashboards.console.homes.words import emergency, moment, pick, rank, sensor
from dashboards.console.html import Html, form, tag
from dashboards.console.roles import Forbidden, Right
from edge_gateway.alerts.alert import Alert
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.homes.round import EMERGENCY, Facts, Rank, Row, everywhere, morning_round

if TYPE_CHECKING:
    pass

router = APIRouter()
Text = Annotated[str, Form()]
Then = Annotated[str, Form(alias="next")]
FIRST: Final = (Rank.NOW, Rank.ASKING, Rank.WORRY, Rank.WEATHER, Rank.TAKEN, Rank.CHECK)
_FOLDED: Final = (Rank.FINE, Rank.SEEN, Rank.AWAY, Rank.PAUSED)
_URGE: Final = frozenset({Rank.NOW, Rank.ASKING, Rank.WORRY, Rank.WEATHER})
_OPEN_UP_TO: Final = 8  # so many homes are not folded away
_HOURS: Final = (12, 24, 48, 72)


@router.get("/round")
async def show(request: Request, site: str = "") -> Response:
    """`/round?site=wutong`."""
    of = frame.visit(request)
    waiting = await frame.urgent(of)
    site = frame.choose(of, site, waiting)
    if not site:
        return await frame.page(of, of.say("round"), tag("p", of.say("no_homes"), class_="empty"))
    title = of.say("round_of", site=frame.site_name(of, site))
    facts = await facts_of(of, site)
    where = of.zone(site)
    if facts is None:
        return await frame.page(of, title, tag("h1", title), tag("p", of.say("no_store"), class_="empty"), where=where)
    rows = [row for row in morning_round(facts) if of.sees(site, row.place)]
    here = link("/round", site=site)
    return await frame.page(
        of,
        _counted(rows, title),
        frame.chips(of, site, lambda one: link("/round", site=one), waiting),
        tag("h1", title),
        _summary(of, rows),
        _mode(of, facts),
        *(_banner(of, alert) for alert in everywhere(facts.alerts, site)),
        *(_card(of, facts, row, here) for row in rows if row.rank in FIRST),
        *(_group(of, facts, kind, [row for row in rows if row.rank is kind], len(rows), here) for kind in _FOLDED),
        _emergency_form(of, facts, here),
        where=where,
    )


@router.post("/round/emergency")
async def set_emergency(request: Request, site: Text, kind: Text = "", hours: Text = "", next_: Then = "") -> Response:
    """A whole site: heat wave, cold, flood, outage; or its end.

    Raises:
        Rejected: no such time.
    """
    of = frame.visit(request, Right.CARE)
    if kind and hours not in map(str, _HOURS):
        raise Rejected("bad_argument", of.say("how_long"))
    until_ns = of.now_ns + int(hours) * 3600 * 10**9 if kind else 0

    async def work() -> str:
        await of.console.reach.call(of.session, "homes.emergency", site=site, kind=kind, until_ns=until_ns)
        return "emergency"

    return await frame.done(of, work, next_ or link("/round", site=site))


@router.post("/home/seen")
async def seen(request: Request, site: Text, place: Text, note: Text = "", next_: Then = "") -> Response:
    """One tap: somebody saw the elder, and all is well."""
    of = frame.visit(request, Right.CARE)

    async def work() -> str:
        found = await of.console.reach.call(of.session, "homes.seen", site=site, place=place, note=note)
        return "seen_open" if found["open"] else "seen"

    return await frame.done(of, work, next_ or link("/round", site=site), place)


@router.post("/home/unseen")
async def unseen(request: Request, site: Text, place: Text, next_: Then = "") -> Response:
    """It was another home."""
    of = frame.visit(request, Right.CARE)

    async def work() -> str:
        await of.console.reach.call(of.session, "homes.unseen", site=site, place=place)
        return "unseen"

    return await frame.done(of, work, next_ or link("/round", site=site), place)


async def facts_of(of: Visit, site: str) -> Facts | None:
    """What the gateway has on disk of a site, everything of one moment; None: nothing yet."""
    registry, zone, required = of.registry, of.zone(site), of.console.settings.privacy.consent_required
    try:
        return await of.console.reach.look(lambda look: look.facts(site, registry, zone, of.now_ns, required))
    except (Unavailable, Misconfigured):
        return None


def _counted(rows: Sequence[Row], title: str) -> str:
    """How many are urgent stands in the tab's title."""
    urgent = sum(row.rank is Rank.NOW for row in rows)
    return f"({urgent}) {title}" if urgent else title


def _summary(of: Visit, rows: Iterable[Row]) -> Html:
    first = sum(row.rank in _URGE for row in rows)
    return tag("p", of.say("to_visit", count=first) if first else of.say("all_well"), class_="total" if first else "total well")


def _mode(of: Visit, facts: Facts) -> Html | None:
    return (
        tag("p", f"☀ {of.say('emergency')}: {emergency(facts.emergency, of.lang)}", class_="mode") if facts.emergency else None
    )


def _banner(of: Visit, alert: Alert) -> Html:
    """What is of no single home: the whole site is concerned."""
    words = pick((alert.text_zh, alert.text_en), of.lang)
    head = tag("b", frame.where(of, alert.site, of.say("whole_site")) if alert.site else alert.device or of.say("by_gateway"))
    opened = tag("a", of.say("open_alert"), href=link("/alert", id=alert.id), class_="act")
    return tag("section", head, tag("p", words), opened if of.sees(alert.site) else None, class_=f"banner {alert.severity}")


def _card(of: Visit, facts: Facts, row: Row, here: str) -> Html:
    """One home that somebody has to look at."""
    why = [pick(words, of.lang) for words in row.why]
    return tag(
        "article",
        tag(
            "div",
            tag("a", row.place, href=link("/home", site=row.site, place=row.place), class_="place"),
            tag("span", rank(row.rank, of.lang), class_="badge"),
            class_="top",
        ),
        tag("p", why[0], class_="reason") if why else None,
        *(tag("p", one, class_="also") for one in why[1:3]),
        frame.facts_line(known(of, facts, row)),
        buttons(of, row, here, not row.device or row.rank is Rank.WEATHER),
        class_=f"home {row.rank.name.lower()}",
        data_place=row.place,
    )


def known(of: Visit, facts: Facts, row: Row) -> list[str]:
    """Since when, last life, who has it, who saw him."""
    found = []
    if row.accepted_by:
        found.append(of.say("taken_by", who=row.accepted_by))
    if row.life_ns:
        when, where = moment(row.life_ns, of.now_ns, facts.zone, of.lang), sensor(row.life_name, of.lang)
        found.append(of.say("life", when=when, where=where).strip())
    if row.seen_ns and row.life_name != "seen":
        found.append(of.say("seen_by", when=moment(row.seen_ns, of.now_ns, facts.zone, of.lang), who=row.seen_by))
    if row.celsius is not None:
        found.append(of.say("temperature", celsius=f"{row.celsius:.0f}"))
    return found


def buttons(of: Visit, row: Row, here: str, seen: bool) -> Html | None:
    """An urgent alert is taken from its own page, where it can be read; what is soft ends by one tap.

    Args:
        seen: "seen, fine" is of use here.
    """
    found = []
    if row.alerts:
        there, go = link("/alert", id=row.alerts[0]), " go" if row.rank is Rank.NOW else ""
        found.append(tag("a", of.say("open_alert"), href=there, class_=f"act{go}"))
    if of.may(Right.CARE) and row.soft and seen:
        found.append(button(of, "/home/seen", f"✓ {of.say('seen_fine')}", "good", here, site=row.site, place=row.place))
    return tag("div", *found, class_="buttons") if found else None


def _group(of: Visit, facts: Facts, kind: Rank, rows: Sequence[Row], total: int, here: str) -> Html | None:
    """Homes of which nothing is to be said, folded away where they are many."""
    if not rows:
        return None
    lines = [_line(of, facts, row, here) for row in rows]
    head = tag("summary", f"{rank(kind, of.lang)} {len(rows)}")
    opened = total <= _OPEN_UP_TO
    return tag("details", head, *lines, id=f"group-{kind.name.lower()}", class_=f"group {kind.name.lower()}", open=opened)


def _line(of: Visit, facts: Facts, row: Row, here: str) -> Html:
    words = known(of, facts, row)
    if row.rank in (Rank.AWAY, Rank.PAUSED):
        words = [pick(one, of.lang) for one in row.why[:1]] + words
    place = tag("a", row.place, href=link("/home", site=row.site, place=row.place), class_="place")
    told = frame.facts_line(words)
    care = of.may(Right.CARE) and row.rank is Rank.FINE
    tap = button(of, "/home/seen", f"✓ {of.say('seen_fine')}", "small", here, site=row.site, place=row.place) if care else None
    return tag("div", tag("div", place, told), tap, class_="line", data_place=row.place)


def _emergency_form(of: Visit, facts: Facts, here: str) -> Html | None:
    """Only who has the whole site may change the order of everybody."""
    if not (of.may(Right.CARE) and of.sees(facts.site)):
        return None
    if facts.emergency:
        end = button(of, "/round/emergency", of.say("emergency_end"), "quiet", here, site=facts.site, kind="")
        return tag("details", tag("summary", of.say("emergency")), end, class_="group", id="emergency")
    kinds = [
        tag("button", emergency(kind, of.lang), type="submit", name="kind", value=kind, class_="choice") for kind in EMERGENCY
    ]
    hours = [tag("option", of.say("hours", count=count), value=count, selected=count == 24) for count in _HOURS]
    return tag(
        "details",
        tag("summary", of.say("emergency")),
        tag("p", of.say("emergency_why")),
        form(
            of.request,
            "/round/emergency",
            *frame.fields(site=facts.site, next=here),
            tag("label", tag("span", of.say("how_long")), tag("select", *hours, name="hours")),
            tag("div", *kinds, class_="choices"),
        ),
        class_="group",
        id="emergency",
    )


def forbidden(of: Visit, site: str, place: str) -> None:
    """Raises Forbidden: the place is not his."""
    if not of.sees(site, place):
        raise Forbidden(f"{site}/{place}")
