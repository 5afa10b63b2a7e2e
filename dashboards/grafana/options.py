"""What differs from site to site; the rest of the dashboards is the same everywhere."""

import re
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from dashboards.grafana.text import Language
from edge_gateway.errors import Misconfigured
from edge_gateway.topics import ID

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_URL: Final = re.compile(r"https?://[^\s\"'<>]+")


@dataclass(frozen=True, slots=True)
class Options:
    """How the dashboards of one site are built.

    Attributes:
        bucket: InfluxDB's bucket or database of readings; roll-ups lie in `<bucket>_rollups`.
        influx_url: of the database, as Grafana reaches it.
        files: where Grafana's machine finds the folder that was built.
        token_file: of the reader's token, as Grafana's machine sees it; "": no token (InfluxDB 1).
        zone: IANA zone in which times are shown and days begin.
        grafana_url: of Grafana as people reach it, for links in messages; "": links are without a host.
        tiles: address of map tiles with {z}, {x} and {y}; "": the map has no background and nothing outside is asked.
        languages: one set of dashboards for each.
        gateways: `gateway.id` of every gateway that writes into the database; each has its own rule that it is silent.
        river_class: 1 to 5, the class of GB 3838 whose limits the rules about rivers watch.

    Raises:
        Misconfigured: a value that would make dashboards that do not work; says which and what would be right.
    """

    bucket: str = "kanhu"
    influx_url: str = "http://influxdb:8086"
    files: str = "/run/kanhu/grafana"
    token_file: str = "/run/kanhu/grafana/influx-reader.token"  # noqa: S105 (a path)
    zone: str = "Asia/Shanghai"
    grafana_url: str = ""
    tiles: str = ""
    languages: tuple[Language, ...] = (Language.ZH, Language.EN)
    gateways: tuple[str, ...] = ("gateway",)
    river_class: int = 3

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.bucket) is None:
            raise Misconfigured(f"the bucket is {self.bucket!r}", "letters, digits, _ . and -, at most 64")
        if _URL.fullmatch(self.influx_url) is None:
            raise Misconfigured(f"the database's address is {self.influx_url!r}", "http://host:8086, as Grafana reaches it")
        if self.grafana_url and _URL.fullmatch(self.grafana_url) is None:
            raise Misconfigured(
                f"Grafana's address is {self.grafana_url!r}", "http://host:3000 or https://host, as people reach it"
            )
        if self.tiles and not all(part in self.tiles for part in ("{z}", "{x}", "{y}")):
            raise Misconfigured(f"the tiles' address is {self.tiles!r}", "it needs {z}, {x} and {y}")
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError) as error:
            raise Misconfigured(f"the zone is {self.zone!r}", "an IANA zone such as Asia/Shanghai") from error
        if not self.languages:
            raise Misconfigured("no language is asked for", "zh, en or both")
        if not self.gateways or any(ID.fullmatch(one) is None for one in self.gateways):
            raise Misconfigured(f"the gateways are {self.gateways!r}", "ids of at least one: a-z, 0-9, - and _")
        if self.river_class not in range(1, 6):
            raise Misconfigured(f"the class of the river is {self.river_class!r}", "1 to 5 (Ⅰ to Ⅴ)")

    def link(self, path: str) -> str:
        """A page of Grafana, for links that are followed from outside it."""
        return self.grafana_url.rstrip("/") + path
