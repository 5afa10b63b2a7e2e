"""`kanhu visits meals`: what a day's counter served, what was handed over, what is claimed, and where these differ."""

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from edge_gateway.visits import codec, words
from edge_gateway.visits.meal_day import MealDay, meal_day
from edge_gateway.visits.served import difference_words
from operations.commands.common import AsJson, SettingsFile, out
from operations.commands.visits_common import Site, a_date, ledger, safe, settings_of, site_of, zone_of
from operations.words import printable

_NUMBERS = {"served": "取餐", "grams": "克", "handed_over": "送达", "claimed": "计入"}
# Shown only where there is something: most days have none.
_RARE = {"unweighed": "没有重量", "confirmed": "人工确认", "shared_meals": "同点另一餐", "shared_visits": "同点另一次"}


def meals(
    date: Annotated[str, typer.Argument(metavar="[DATE]", help="2026-11-21, today or yesterday.")] = "today",
    settings: SettingsFile = None,
    site: Site = None,
    json: AsJson = False,
) -> None:
    """Meals of a day: served, handed over, claimed, and each difference in words. Works also while the gateway is down."""
    found = settings_of(settings)
    found_site = site_of(found, site)
    where = zone_of(found, found_site)
    on = a_date(date, where)
    with ledger(found) as opened:
        day = meal_day(opened, found_site, on, where)
    if json:
        out.print(msgspec.json.format(msgspec.json.encode(_tree(day)), indent=1).decode(), markup=False, soft_wrap=True)
        return
    if not day.totals and not day.differences:
        out.print(f"{on} 没有取餐, 也没有送餐记录 no meal was served or handed over")
        return
    out.print(_table(day))
    for one in day.differences:
        told = f"{difference_words(one, 'zh-CN')} / {difference_words(one, 'en')}"
        out.print(f"不符 differs: {printable(told)}", markup=False, soft_wrap=True)
    if not day.differences:
        out.print("[green]相符 everything fits[/green]")


def _tree(day: MealDay) -> dict[str, object]:
    told = [
        codec.plain(one) | {"words": difference_words(one, "en"), "words_zh": difference_words(one, "zh-CN")}
        for one in day.differences
    ]
    return {"site": day.site, "date": day.date, "totals": [codec.plain(one) for one in day.totals], "differences": told}


def _table(day: MealDay) -> Table:
    numbers = _NUMBERS | {name: zh for name, zh in _RARE.items() if day.sum(name)}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("谁 who", "身份 role"):
        table.add_column(title, overflow="fold")
    for name, zh in numbers.items():
        table.add_column(f"{zh} {name}", justify="right")
    for total in day.totals:
        role = f"{words.role(total.role, 'zh-CN')} {words.role(total.role, 'en')}"
        who = safe(total.holder) if total.holder else "没有刷卡 nobody's card"
        table.add_row(who, role, *(f"{getattr(total, name):,.0f}" for name in numbers))
    table.add_section()
    table.add_row("合计 total", day.date, *(f"{day.sum(name):,}" for name in numbers), style="bold")
    return table
