"""Everything that Kanhu has in a Grafana, for provisioning files and for a push alike."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from dashboards.grafana import alert_rules, fleet, homes, meals, operations, river, runbook_page
from dashboards.grafana.options import Options
from dashboards.grafana.page import folder
from dashboards.grafana.query import KANHU, ROLLUPS
from dashboards.grafana.text import Language

ALERTS_FOLDER: Final = "kanhu-alerts"

DASHBOARDS: Final[tuple[Callable[[Options, Language], dict[str, Any]], ...]] = (
    operations.build,
    fleet.build,
    homes.build,
    meals.build,
    river.build,
    runbook_page.build,
)


class Placed(NamedTuple):
    """A dashboard and the folder it belongs to."""

    folder_uid: str
    dashboard: dict[str, Any]


def dashboards(options: Options) -> list[Placed]:
    """Every dashboard in every language."""
    return [Placed(folder(language)[0], build(options, language)) for language in options.languages for build in DASHBOARDS]


def folders(options: Options) -> list[dict[str, str]]:
    """uid and title of each folder."""
    made = [{"uid": uid, "title": title.of(language)} for language in options.languages for uid, title in [folder(language)]]
    return [*made, {"uid": ALERTS_FOLDER, "title": "看护告警 Kanhu alerts"}]


def rule_groups(options: Options) -> list[dict[str, Any]]:
    """The groups of alert rules, as Grafana's API takes them."""
    return alert_rules.rule_groups(options)


def data_sources(options: Options) -> list[dict[str, Any]]:
    """The two data sources, as Grafana's API takes them, without their secret."""
    return [
        _influx(KANHU, "Kanhu", options.bucket, options),
        _influx(ROLLUPS, "Kanhu roll-ups", f"{options.bucket}_rollups", options),
    ]


def _influx(uid: str, name: str, database: str, options: Options) -> dict[str, Any]:
    # InfluxQL runs on InfluxDB 1, 2 and 3 alike; each bucket is a database of its own name.
    settings: dict[str, Any] = {"version": "InfluxQL", "dbName": database, "httpMode": "POST"}
    if options.token_file:
        settings["httpHeaderName1"] = "Authorization"
    about = {"uid": uid, "name": name, "type": "influxdb", "access": "proxy", "url": options.influx_url}
    # Never the default: a second file that names one keeps Grafana from starting, and all our queries name their source.
    return {**about, "isDefault": False, "jsonData": settings}
