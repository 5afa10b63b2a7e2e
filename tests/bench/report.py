"""The tables of a bench run: medians and ranges, for the screen and as Markdown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from rich.table import Table

from tests.bench.backlog import Backlog, Sos
from tests.bench.throughput import Run


@dataclass(frozen=True, slots=True)
class Case:
    """The runs of one consumer with one load."""

    name: str
    message_bytes: int
    instants: int
    runs: list[Run]

    def median(self, value: Callable[[Run], float]) -> float:
        return median(map(value, self.runs))


HEADINGS: Final = (
    *("", "message", "messages/s", "its CPU, us/message", "broker CPU", "database CPU", "peak memory, MiB", "lost"),
)


def rows(cases: Iterable[Case]) -> list[tuple[str, ...]]:
    """One for each case, under `HEADINGS`."""
    return [
        (
            case.name + (f", packs of {case.instants} instants" if case.instants > 1 else ""),
            f"{case.message_bytes} B",
            _spread(case, lambda run: run.rate, 0),
            _spread(case, lambda run: run.consumer_us, 1),
            f"{case.median(lambda run: run.broker_us):.1f}",
            f"{case.median(lambda run: run.database_us):.1f}",
            _spread(case, lambda run: run.peak_mib, 0),
            str(sum(run.lost for run in case.runs)),
        )
        for case in cases
    ]


def ratios(ours: Case, others: Iterable[Case]) -> list[str]:
    """Ours beside each of the others, from medians of the same run."""
    return [
        f"{ours.median(lambda run: run.rate) / other.median(lambda run: run.rate):.1f} times the rate of {other.name}"
        f" at {ours.median(lambda run: run.consumer_us) / other.median(lambda run: run.consumer_us):.2f} of its CPU a message"
        for other in others
    ]


def told(backlog: Backlog, sos: Sos) -> list[str]:
    """What the two backlogs showed, as sentences."""
    return [
        f"Database away, {backlog.readings:,} readings in the outbox ({backlog.outbox_mib:.0f} MiB on disk): the gateway's peak"
        f" memory was {backlog.loading_mib:.0f} MiB while they came and {backlog.peak_mib:.0f} MiB until they were stored;"
        f" drained at {backlog.drained_per_s:,.0f} readings a second; {backlog.lost} lost.",
        f"SOS behind {sos.readings:,} readings that waited in the broker for a gateway that was stopped: told"
        f" {sos.broker_s:.1f} s after the start of its process (imports included).",
        f"SOS behind {sos.readings:,} readings in the outbox, at the moment the database came back: told after"
        f" {sos.draining_s:.2f} s.",
    ]


def screen(table: Sequence[tuple[str, ...]]) -> Table:
    """For a terminal."""
    shown = Table(show_lines=False)
    for number, heading in enumerate(HEADINGS):
        shown.add_column(heading, justify="right" if number else "left")
    for row in table:
        shown.add_row(*row)
    return shown


def markdown(table: Sequence[tuple[str, ...]]) -> str:
    """For a page."""
    lines = [HEADINGS, ("---", *("---:" for _ in HEADINGS[1:])), *table]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _spread(case: Case, value: Callable[[Run], float], digits: int) -> str:
    values = [value(run) for run in case.runs]
    middle = f"{median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"
