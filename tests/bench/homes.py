"""What the rules of a home cost, and how long a restart takes: `python -m tests.bench.homes [--homes N] [--minutes N]`.

Readings go in as the pipeline hands them over, the rules look once a second as in the gateway. CPU is that of the thread, so a
busy machine does not spoil it.
"""

import random
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_gateway import registry
from edge_gateway.alerts import AlertBook
from edge_gateway.events import Reading, Readings
from edge_gateway.homes.home import Home, pack
from edge_gateway.homes.watch import HomeWatch
from edge_gateway.rules import Finding, Severity
from edge_gateway.rules.rule import View
from edge_gateway.settings import Alerts, Person
from edge_gateway.store import Store
from edge_gateway.transaction import Commit

S = 1_000_000_000
BEGIN = 1_790_000_000 * S
SITE = "village"
# One home: what it measures, and how often it says so without a change, seconds.
SENSORS = (
    *(f"motion.{room}" for room in ("kitchen", "bathroom", "bedroom", "living", "hall", "balcony")),
    *(f"contact.{door}" for door in ("front", "fridge", "window", "cupboard")),
    *("bed", "chair", "presence.bedroom", "presence.living"),
    *(f"temperature.{room}" for room in ("kitchen", "bedroom", "living")),
    *(f"humidity.{room}" for room in ("kitchen", "bedroom", "living")),
)
CADENCE_S = 60
out = Console()


def main(
    homes: Annotated[int, typer.Option(help="on one gateway, 20 sensors each")] = 1000,
    minutes: Annotated[int, typer.Option(help="of readings")] = 10,
    timers: Annotated[int, typer.Option(help="open when the gateway is started again")] = 10_000,
) -> None:
    """Measure and print."""
    text = f"[sites.{SITE}]\n" + "".join(
        f'[[devices]]\nsite = "{SITE}"\nid = "h{n}"\nplace = "p{n}"\nmodel = "elder_home"\ncadence_s = {CADENCE_S}\n'
        for n in range(homes)
    )
    known = registry.parse(text)
    _pass(known, homes, minutes)
    _restart(timers)


def _pass(known: registry.Registry, homes: int, minutes: int) -> None:
    dice = random.Random(1)
    watch, seq, readings, findings = HomeWatch(known), 0, 0, 0
    watch.restore([])
    observe_s = look_s = save_s = 0.0
    longest_s = 0.0
    for second in range(minutes * 60):
        now_ns = BEGIN + second * S
        entries = []
        for n in range(second % CADENCE_S, homes, CADENCE_S):
            seq += 1
            values = [Reading(name, _value(name, dice), 1) for name in SENSORS]
            entries.append(Readings.of(SITE, f"h{n}", f"p{n}", 1, seq, now_ns, now_ns, "ntp", 0, None, values))
        readings += len(entries) * len(SENSORS)
        began = time.thread_time()
        for entry in entries:
            watch.observe(entry)
        observed = time.thread_time()
        found = watch.look(View(now_ns, known, second * S, listening_since_ns=0))
        looked = time.thread_time()
        watch.take(now_ns)
        findings += len(found)
        observe_s += observed - began
        look_s += looked - observed
        save_s += time.thread_time() - looked
        longest_s = max(longest_s, looked - began)
    out.print(
        f"{homes} homes, {len(SENSORS)} sensors each, {minutes} min: {readings:,} readings, {findings} verdicts\n"
        f"a reading: observed {observe_s / readings * 1e6:.1f} us, looked at {look_s / readings * 1e6:.1f} us, "
        f"packed to be saved {save_s / readings * 1e6:.1f} us; together {(observe_s + look_s) / readings * 1e6:.1f} us of CPU\n"
        f"longest second {longest_s * 1e3:.0f} ms"
    )


def _value(name: str, dice: random.Random) -> float:
    if name.startswith("temperature"):
        return 21.0 + dice.random()
    if name.startswith("humidity"):
        return 50.0 + dice.random()
    return float(dice.random() < 0.3)


def _restart(timers: int) -> None:
    """Homes with what they remember, and alerts whose ladders run: from the file to the first round of looks."""
    people = Alerts(people=[Person(id="zhang", urls=["json://127.0.0.1:9"])])
    text = f"[sites.{SITE}]\n" + "".join(f'[[homes]]\nsite = "{SITE}"\nplace = "p{n}"\n' for n in range(timers // 2))
    known = registry.parse(text)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "gateway.db")
        book = AlertBook(people)
        book.apply([_finding(n) for n in range(timers // 2)], BEGIN)
        book.due(BEGIN)
        homes = [Home(SITE, f"p{n}", BEGIN, life_ns=BEGIN, timers={"climate.cold": BEGIN}) for n in range(timers // 2)]
        store.commit(Commit(alerts=list(book.take().alerts), homes=[(*home.key, "now", pack(home)) for home in homes]))
        store.close()
        began = time.monotonic()
        store = Store(Path(folder) / "gateway.db")
        opened = time.monotonic()
        book, watch = AlertBook(people), HomeWatch(known)
        assert book.restore(store.open_alerts(), BEGIN + S) == 0
        assert watch.restore(store.homes()) == 0
        restored = time.monotonic()
        book.due(BEGIN + 61 * S)
        watch.look(View(BEGIN + 61 * S, known))
        ended = time.monotonic()
        store.close()
    out.print(
        f"a restart with {timers:,} open timers (half alerts, half homes): file {opened - began:.2f} s, "
        f"read {restored - opened:.2f} s, first round {ended - restored:.2f} s; together {ended - began:.2f} s"
    )


def _finding(n: int) -> Finding:
    where = f"p{n}"
    return Finding(f"sos/{SITE}/{where}", "sos", Severity.URGENT, SITE, f"h{n}", where, BEGIN, "zh", "en", ("seen",), anew=True)


if __name__ == "__main__":
    typer.run(main)
