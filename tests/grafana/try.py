"""For authors of dashboards: run every query of one dashboard on a filled InfluxDB 1.6 and see what comes back.

`python -m tests.grafana.try operations` (or `rules`); `--range 24h|30d|365d` one of the three; `--rows` shows rows.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboards.grafana import objects
from dashboards.grafana.options import Options
from edge_gateway.settings import Influx
from tests.databases import InfluxDB1, find
from tests.grafana import asking, seed
from tests.grafana.asking import Asked, Query
from tests.grafana.expand import Range, Variable

RANGES = {"24h": 86_400_000, "30d": 30 * 86_400_000, "365d": 365 * 86_400_000}
END_MS = seed.NOW_NS // 1_000_000


@contextmanager
def filled(fresh: bool) -> Iterator[Asked]:
    """A server of our own with the story in it. It is filled once a day of work; `fresh` fills it anew."""
    folder = Path(tempfile.gettempdir()) / "kanhu-grafana-try"
    new = fresh or not (folder / "filled").exists()
    if new:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    (folder / "influxdb.conf").unlink(missing_ok=True)  # it names last time's ports
    server = InfluxDB1(folder, find("influxd", "influxdb"))
    server.start()
    try:
        if new:
            for name in ("kanhu", "kanhu_rollups"):
                server.http("/query", b"", q=f'CREATE DATABASE "{name}"')
            data = Path(os.environ.get("KANHU_DATA", seed.ROOT.parent / "shared" / "data"))
            seed.load(seed.story(data), Influx(url=server.url, kind="influxdb1", bucket="kanhu"), folder / "marks")
            (folder / "filled").touch()
        yield Asked(server.url, "kanhu")
    finally:
        server.stop()


def main() -> None:
    """Print a line for each query."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="operations, fleet, homes, meals, river ... or rules")
    parser.add_argument("--range", choices=RANGES)
    parser.add_argument("--fresh", action="store_true", help="fill the database anew: the gateway or the story has changed")
    parser.add_argument("--all", action="store_true", help="also those of the other lengths, which must be empty")
    parser.add_argument("--language", default="zh")
    parser.add_argument("--rows", type=int, default=0, help="show so many rows of each series")
    wanted = parser.parse_args()
    with filled(wanted.fresh) as asked:
        if wanted.name == "rules":
            for group in objects.rule_groups(Options()):
                for query, span in asking.rule_queries(group):
                    _tell(asked, query, Range(END_MS + span.from_ms, END_MS + span.to_ms, span.points), None, wanted.rows)
            return
        uid = f"kanhu-{wanted.name}-{wanted.language}"
        dashboard = next(one.dashboard for one in objects.dashboards(Options()) if one.dashboard["uid"] == uid)
        for name, length_ms in RANGES.items():
            if wanted.range in (None, name):
                shown = Range(END_MS - length_ms, END_MS)
                print(f"\n=== {name}: interval {shown.interval_ms()} ms")
                set_ = asking.set_to_all(asked, dashboard, shown)
                for variable, value in set_.items():
                    print(f"${variable}: {len(value.options)} values, {', '.join(value.options[:8])}")
                for query in (*asking.panel_queries(dashboard), *asking.annotation_queries(dashboard)):
                    _tell(asked, query, shown, set_, wanted.rows, wanted.all)


def _tell(
    asked: Asked, query: Query, shown: Range, variables: dict[str, Variable] | None, rows: int, every: bool = True
) -> None:
    try:
        found = asked.run(query, shown, variables)
    except AssertionError as error:
        print(f"ERROR  {query.where}: {error}")
        return
    count = sum(len(one.rows) for one in found)
    if not count and query.grows() and not every:
        return
    empty = [name for name in query.columns() if found and not any(one.column(name) for one in found if name in one.columns)]
    tags = [tag for tag in query.tags() if found and not any(one.tags.get(tag) for one in found)]
    said = (
        f"{len(found)} series, {count} rows"
        + (f", EMPTY COLUMNS {empty}" if empty else "")
        + (f", NO TAG {tags}" if tags else "")
    )
    mark = "      " if count else "EMPTY " if not query.grows() else "  -   "
    print(f"{mark} {query.where}: {said}")
    for one in found[:5] if rows else []:
        print(f"         {dict(one.tags)} {list(one.columns)}", *[f"\n           {row}" for row in list(one.rows)[:rows]])


if __name__ == "__main__":
    main()
