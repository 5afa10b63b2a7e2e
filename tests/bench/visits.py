"""What one tap costs with a million visits in the ledger: `python -m tests.bench.visits [--visits N] [--taps N]`.

The past is written into the tables by SQL, as the ledger would have left it; the taps measured go through the ledger as they do
in the gateway. CPU is that of the thread, so a busy machine does not spoil it.
"""

import resource
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console

from edge_gateway import registry
from edge_gateway.settings import Visits
from edge_gateway.visits import codec
from edge_gateway.visits.actions import Actions
from edge_gateway.visits.ledger import Ledger
from edge_gateway.visits.records import Card, CardRole, Evidence, Grade, JudgedTap, Judgement, Ruling, State, Tap, Visit
from tests.couriers.cards import SITE, Ring

PLACES, COURIERS, S = 500, 40, 10**9
LAST = date(2026, 11, 20)
out = Console()


def main(
    visits: Annotated[int, typer.Option(help="in the ledger before")] = 1_000_000,
    taps: Annotated[int, typer.Option(help="measured")] = 1000,
    batch: Annotated[int, typer.Option(help="taps in one transaction")] = 1,
) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        devices = "".join(
            f'[[devices]]\nsite = "{SITE}"\nid = "door-{n}"\nplace = "p{n}"\nmodel = "rider_reader"\n' for n in range(PLACES)
        )
        known = registry.parse(f"[sites.{SITE}]\n{devices}")
        now = [0]
        ledger = Ledger(Path(folder) / "visits.db", Path(folder) / "key", known, Visits(), lambda: now[0])
        now[0] = ledger.calendar.midnight_ns(SITE, LAST.isoformat())
        ring = Ring(Random(1))
        cards = _enrol(ledger, ring)
        lines = [{"id": f"m{n}-{meal}", "place": f"p{n}", "opens_min": 660 + 360 * meal, "closes_min": 720 + 360 * meal,
                  "courier": f"k-{n % COURIERS}"} for n in range(PLACES) for meal in (0, 1)]  # fmt: skip
        Actions(ledger).plan(SITE, "zhang", lines, False)
        began = time.monotonic()
        _past(ledger, cards, visits)
        size = (Path(folder) / "visits.db").stat().st_size
        out.print(f"{visits:,} visits and taps written in {time.monotonic() - began:.0f} s, {size / 1e6:.0f} MB")
        _measure(ledger, ring, cards, taps, batch, now)
        ledger.close()
    out.print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def _enrol(ledger: Ledger, ring: Ring) -> list[Card]:
    cards = []
    with ledger.book.transaction():
        ledger.cards.add_meta(SITE, ring.meta, "zhang", False)
        for n in range(COURIERS):
            chip = ring.issue(f"k-{n}", CardRole.COURIER)
            kind, role = chip.card.kind, chip.card.role
            card = ledger.cards.enrol(SITE, chip.uid, kind, role, f"k-{n}", 1, {"file": chip.file}, None, "zhang", False)
            ring.by_id[card.id] = chip
            cards.append(card)
    return cards


def _past(ledger: Ledger, cards: list[Card], visits: int) -> None:
    db = ledger.book.db
    db.execute("PRAGMA synchronous = OFF")
    days = visits // (2 * PLACES)
    counters = [0] * COURIERS
    for day in range(days, 0, -1):
        when = (LAST - timedelta(days=day)).isoformat()
        noon_ns = ledger.calendar.midnight_ns(SITE, when) + 11 * 3600 * S
        rows, facts, done, links = [], [], [], []
        for n in range(PLACES):
            for meal in (0, 1):
                time_ns = noon_ns + meal * 6 * 3600 * S + n * 7 * S
                counters[n % COURIERS] += 1
                card, seq = cards[n % COURIERS], (days - day) * 2 + meal + 1
                tap = Tap(SITE, f"door-{n}", f"p{n}", 1, seq, time_ns, time_ns + S, "ntp", 0, 0.5, "sun", "")
                judgement = Judgement(Ruling.COUNTED, Grade.STRONG)
                judged = JudgedTap(tap, Evidence(Grade.STRONG, card, "", counters[n % COURIERS]), judgement)
                rows.append((tap.id, SITE, f"p{n}", f"door-{n}", 1, seq, time_ns, when, time_ns + S, "visit", card.id,
                             counters[n % COURIERS], card.holder, "counted", bytes(32), codec.pack(judged),
                             bytes(60)))  # fmt: skip
                facts.append((card.id, tap.id, SITE, f"door-{n}", f"p{n}", 1, seq, counters[n % COURIERS], time_ns, S))
                visit = Visit(f"m{n}-{meal}/{when}", SITE, f"p{n}", "", "meal", when, card.holder, State.ON_TIME,
                              f"m{n}-{meal}/{when}", noon_ns, noon_ns, time_ns, counted=True, taps=(tap.id,))  # fmt: skip
                done.append((SITE, visit.id, f"p{n}", when, "", "meal", card.holder, "on_time", 0, 1, noon_ns, 1, 1,
                             codec.pack(visit)))  # fmt: skip
                links.append((tap.id, SITE, visit.id))
        with ledger.book.transaction():
            db.executemany(f"INSERT INTO tap VALUES ({', '.join('?' * 17)})", rows)
            db.executemany(f"INSERT INTO fact VALUES ({', '.join('?' * 10)})", facts)
            db.executemany(f"INSERT INTO visit VALUES ({', '.join('?' * 14)})", done)
            db.executemany("INSERT INTO visit_tap VALUES (?, ?, ?)", links)
            for link in links:
                ledger.book.write("visit", f"{SITE}|{link[2]}", "gateway", {"tap": link[0], "filler": "x" * 300})
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("PRAGMA synchronous = FULL")


def _measure(ledger: Ledger, ring: Ring, cards: list[Card], taps: int, batch: int, now: list[int]) -> None:
    chance, base_ns = Random(2), now[0] + 11 * 3600 * S
    counters = dict(ledger.book.db.execute("SELECT chip, max(counter) FROM fact GROUP BY chip").fetchall())
    for card in cards:
        ring.by_id[card.id].counter = counters[card.id]
    made, seqs = [], [10**6] * PLACES
    for n in range(taps):
        # The plan's day: each courier at his places, one tap in twenty at another door.
        meal, own = divmod(n, PLACES)
        place = chance.randrange(PLACES) if n % 20 == 19 else own
        seqs[place] += 1
        time_ns = base_ns + (meal * 6 * 3600 + own * 7) * S
        text = ring.by_id[cards[own % COURIERS].id].read()
        made.append(Tap(SITE, f"door-{place}", f"p{place}", 1, seqs[place], time_ns, time_ns + S, "ntp", 0, 0.5, "sun", text))
    cpu, wall = [], []
    for at in range(0, taps, batch):
        some = made[at : at + batch]
        now[0] = some[-1].received_ns
        began, began_cpu = time.perf_counter(), time.thread_time()
        taken = ledger.take(some)
        cpu.append((time.thread_time() - began_cpu) / len(some) * 1e3)
        wall.append((time.perf_counter() - began) / len(some) * 1e3)
        assert len(taken.judged) == len(some)
    cpu.sort()
    wall.sort()
    out.print(
        f"{taps} taps, {batch} at once: CPU {sum(cpu) / len(cpu):.2f} ms a tap, median {cpu[len(cpu) // 2]:.2f},"
        f" 99 % below {cpu[int(len(cpu) * 0.99)]:.2f}; with the disk {sum(wall) / len(wall):.2f} ms,"
        f" 99 % below {wall[int(len(wall) * 0.99)]:.2f}"
    )


if __name__ == "__main__":
    typer.run(main)
