"""The wall: how the homes of a site stand, in large tiles, for a screen at which anybody may stand. Reads, shows, asks nothing.

Pseudonyms of places only; no evidence, no person, no link, no button.
"""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dashboards.console.homes import frame
from dashboards.console.homes.frame import Visit, link
from dashboards.console.homes.rounds import facts_of
from dashboards.console.homes.words import SIGNS, clock, emergency, moment, rank
from dashboards.console.html import Html, tag
from dashboards.console.roles import Right
from edge_gateway.homes.round import Rank, Row, everywhere, morning_round

router = APIRouter()
_TILES = (Rank.NOW, Rank.ASKING, Rank.WORRY, Rank.WEATHER, Rank.TAKEN)


@router.get("/wall")
async def show(request: Request, site: str = "") -> Response:
    """`/wall?site=wutong`."""
    of = frame.visit(request, Right.WALL)
    waiting = await frame.urgent(of)
    site = frame.choose(of, site, waiting)
    if not site:
        return await frame.page(of, of.say("wall"), tag("p", of.say("no_homes"), class_="empty"))
    title = of.say("wall_of", site=frame.site_name(of, site))
    facts = await facts_of(of, site)
    if facts is None:
        return await frame.page(of, title, tag("h1", title), tag("p", of.say("no_store"), class_="empty"))
    rows = [row for row in morning_round(facts) if of.sees(site, row.place)]
    shown = [row for row in rows if row.rank in _TILES]
    mode = (
        tag("p", f"☀ {of.say('emergency')}: {emergency(facts.emergency, of.lang)}", class_="mode") if facts.emergency else None
    )
    calm = tag("p", f"✓ {of.say('wall_none')}", class_="calm")
    tiles = tag("div", *(_tile(of, row) for row in shown), class_="tiles") if shown else calm
    troubles = [tag("p", of.say("whole_site"), class_=f"banner {a.severity}") for a in everywhere(facts.alerts, site)[:1]]
    return await frame.page(
        of,
        title,
        frame.chips(of, site, lambda one: link("/wall", site=one), waiting),
        tag("h1", title, tag("span", clock(of.now_ns, facts.zone)[:5], class_="clock asof")),
        mode,
        *troubles,
        tiles,
        frame.facts_line(_rest(of, [row for row in rows if row.rank not in _TILES])),
        where=facts.zone,
    )  # fmt: skip


def _tile(of: Visit, row: Row) -> Html:
    since = of.say("since", when=moment(row.since_ns, of.now_ns, of.zone(row.site), of.lang)) if row.since_ns else None
    return tag(
        "div",
        tag("b", row.place),
        tag("span", rank(row.rank, of.lang)),
        tag("span", since) if since else None,
        class_=f"tile {row.rank.name.lower()}",
        data_place=row.place,
    )


def _rest(of: Visit, rows: Sequence[Row]) -> list[str]:
    """✓ 28, • 2, → 3."""
    counted = {kind: sum(row.rank is kind for row in rows) for kind in SIGNS}
    return [f"{rank(kind, of.lang)} {count}" for kind, count in counted.items() if count]
