"""Minutes as a gateway writes them, for alert rules in simulated time: in a real database, asked up to a simulated now."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dashboards.grafana.alert_rules import rule_groups
from dashboards.grafana.options import Options
from tests.databases import Database, InfluxQLServer
from tests.grafana.asking import Asked
from tests.grafana.expand import expand
from tests.grafana.model import Ask, Series

MINUTE: Final = 60
DAY: Final = 86_400
BEGIN_S: Final = 1_780_272_000  # 2026-06-01 00:00 UTC: a start of a day, an hour and ten minutes

Fields = Mapping[str, float | None]


@dataclass
class Minutes:
    """Line protocol in the making."""

    lines: list[str] = field(default_factory=list)

    def add(self, measurement: str, tags: Mapping[str, str], at_s: float, fields: Fields) -> None:
        """A value that is None is not written, as the gateway leaves out what nobody can say."""
        said = ",".join(f"{name}={float(value)}" for name, value in fields.items() if value is not None and "_flag" not in name)
        flags = ",".join(f"{name}={int(value)}i" for name, value in fields.items() if value is not None and "_flag" in name)
        written = ",".join(part for part in (said, flags) if part)
        if written:
            keys = "".join(f",{name}={value}" for name, value in sorted(tags.items()))
            self.lines.append(f"{measurement}{keys} {written} {int(at_s)}")

    def write(self, database: Database) -> None:
        """All of them at once."""
        for begin in range(0, len(self.lines), 5000):
            body = "\n".join(self.lines[begin : begin + 5000]).encode()
            database.server.http("/write", body, db=database.name, precision="s")


def asker(database: Database) -> Ask:
    """How a rule asks this database. The end of the range is the simulated now: what is later was not written yet."""
    assert isinstance(database.server, InfluxQLServer)
    asked = Asked(database.server.url, database.name, database.server.headers())

    @functools.cache
    def ask(query: str, from_s: float, to_s: float) -> Sequence[Series]:
        found = asked.ask(expand(query, int(from_s * 1000), int(to_s * 1000), 60_000))
        return [_series(one.tags, one.rows) for one in found]

    return ask


def _series(tags: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Series:
    assert all(len(row) == 2 for row in rows), "a rule asks for one value"
    return Series(tuple(sorted((name, value) for name, value in tags.items() if value)), tuple(row[1] for row in rows))


def api_rules(options: Options | None = None) -> dict[str, tuple[dict[str, Any], int]]:
    """Name of each rule -> the rule as it is pushed, and its interval, s."""
    groups = rule_groups(options or Options())
    return {rule["labels"]["kanhu"]: (rule, group["interval"]) for group in groups for rule in group["rules"]}


def filed(rule: Mapping[str, Any]) -> dict[str, Any]:
    """As Grafana has it from a file, which cannot say everything."""
    return {key: value for key, value in rule.items() if key not in ("keep_firing_for", "missingSeriesEvalsToResolve")}
