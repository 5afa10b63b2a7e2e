"""`kanhu homes score`: how often watching over a home would have called for nothing, and how late when it had to."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from edge_gateway.errors import Misconfigured
from edge_gateway.homes import model
from operations.commands.common import AsJson, SettingsFile, bar, err, out
from operations.commands.visits_common import Site, registry, settings_of, site_of
from operations.homes import own, recordings, table
from operations.homes.prepared import MODEL, PERSONAL, Prepared, exchanged, prepare, taught
from operations.homes.score import Run, score, shorter

Place = Annotated[
    str | None, typer.Argument(metavar="[PLACE]", help="A home of yours, scored on its own past; without it: recorded homes.")
]


def score_homes(
    place: Place = None,
    settings: SettingsFile = None,
    site: Site = None,
    data: Annotated[Path, typer.Option(envvar="KANHU_DATA", help="Folder of the recorded data; `homes` is in it.")] = Path(
        "data"
    ),
    days: Annotated[int, typer.Option(min=20, max=400, help="With PLACE: so many of the last days.")] = own.DAYS,
    falls: Annotated[float, typer.Option(min=0.0, max=100.0, help="Simulated falls a day, at random moments.")] = 12.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same falls, absences and broken sensors.")] = 1,
    second_look: Annotated[
        bool, typer.Option("--second-look", help="Learn from the later days, score the earlier ones.")
    ] = False,
    markdown: Annotated[Literal["en", "zh"] | None, typer.Option(help="As tables for a document, in this language.")] = None,
    as_json: AsJson = False,
) -> None:
    """False alarms and delay of the fixed limit, the personal limit and the model, on a home's own past. Changes nothing."""
    homes = [_own(place, settings, site, days)] if place else _recorded(data / "homes")
    homes = [exchanged(home) for home in homes] if second_look else homes
    runs: list[Run] = []
    with bar("scoring") as progress:
        for done, home in enumerate(homes):
            progress(done, len(homes))
            runs += score(home, seed=seed, falls_a_day=falls)
            runs += shorter(home, seed=seed, falls_a_day=falls)
    if as_json:
        typer.echo(json.dumps({"seed": seed, "falls_a_day": falls, "runs": [asdict(run) for run in runs]}, ensure_ascii=False))
    elif markdown:
        typer.echo(f"{table.markdown(table.lines(runs), markdown)}\n\n{table.markdown_homes(table.by_home(runs), markdown)}")
    else:
        _show(homes, runs)
        if place:
            _say_what_it_means(homes[0], table.lines(runs))


def _recorded(folder: Path) -> list[Prepared]:
    found = recordings.load(folder)
    for recording in found:
        for row in recording.refused:
            err.print(f"[dim]{recording.name}: refused {row}[/dim]", soft_wrap=True)
    return [prepare(recording) for recording in found]


def _own(place: str, settings_file: Path | None, site: str | None, days: int) -> Prepared:
    settings = settings_of(settings_file)
    where, known = site_of(settings, site), registry(settings)
    setting = known.homes.get((where, place))
    if setting is None:
        homes = sorted(home for at, home in known.homes if at == where)
        raise Misconfigured(f"{where} has no home {place!r}", f"it has {', '.join(homes) or 'none'}; see `kanhu homes list`")
    recording = own.read(settings, where, place, time.time_ns(), days)
    return prepare(recording, setting, known.sites[where].zone)


def _show(homes: Sequence[Prepared], runs: Sequence[Run]) -> None:
    for home in homes:
        again = f", played {home.rounds} times," if home.rounds > 1 else ""
        out.print(
            f"{home.recording.title}: learned from {home.learned_days} days{again} scored on {home.days:.0f}", markup=False
        )
    shown = Table(
        "days", "rule", "home-days", "false alarms", "a home-month", "95 %", "median by day", "90 %", "missed", "at night"
    )
    for line in table.lines(runs):
        day, night = line.day, line.night
        shown.add_row(
            table.scenario(line.scenario, "en"),
            line.way,
            f"{line.days:.0f}",
            str(line.false),
            f"{line.rate:.2f}",
            f"{line.low:.2f} - {line.high:.2f}",
            table.hours(day.median_h),
            table.hours(day.late_h),
            f"{day.missed} / {day.count}" if day.count else "-",
            table.hours(night.median_h),
        )
    out.print(shown)


def _say_what_it_means(home: Prepared, lines: Sequence[table.Line]) -> None:
    """What the model learned, and whether it did better here; a person decides."""
    learned = taught(home, MODEL).past.model
    if (told := model.words(learned)) is None:
        out.print("[yellow]no model yet[/yellow]: it needs 14 complete days")
        return
    out.print(f"{told[0]}\n{told[1]}", markup=False, soft_wrap=True)
    recorded = {line.way: line for line in lines if line.scenario == "recorded"}
    by_model, personal = recorded[MODEL.name], recorded[PERSONAL.name]
    if None in (by_model.day.median_h, personal.day.median_h):
        return
    better = by_model.false <= personal.false and (by_model.day.median_h or 0) <= (personal.day.median_h or 0)
    if better and by_model.night.median_h is not None and by_model.night.median_h <= (personal.night.median_h or 0):
        out.print("no worse than the personal limit here; to let it decide: model = true in this home's \\[\\[homes]]")
    else:
        out.print("the personal limit did better here; leave the model off")
