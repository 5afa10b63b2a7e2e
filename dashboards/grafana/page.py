"""A dashboard: its variables, its panels in their places, its links and annotations."""

from collections.abc import Sequence
from typing import Any, Final

from dashboards.grafana import panels, runbook
from dashboards.grafana.options import Options
from dashboards.grafana.query import KANHU, InfluxQL, source
from dashboards.grafana.sdk import Builder, Dataquery, as_json, builders, models
from dashboards.grafana.text import Help, Language, Text

WIDTH: Final = 24  # columns of Grafana's grid
_LINKS: Final = Text("其他仪表盘", "Other dashboards")
_RUNBOOK: Final = Text("处理手册", "Runbook")
_ALL: Final = "$__all"


class Page:
    """Collects what a dashboard is made of; `build` gives its JSON. Panels follow each other from left to right, row by row.

    Args:
        name: of the dashboard; its uid is `kanhu-<name>-<language>`.
        title, description: for people.
        since: what is shown at first, `now-24h`.
        refresh: how often it is asked anew; "" never by itself.
    """

    def __init__(
        self,
        options: Options,
        language: Language,
        name: str,
        title: Text,
        description: Text,
        since: str = "now-24h",
        refresh: str = "1m",
    ) -> None:
        self.options, self.language, self.name = options, language, name
        self._x, self._y, self._height = 0, 0, 0
        self._ids: set[int] = set()
        made = builders.Dashboard(title.of(language)).uid(uid(name, language)).description(description.of(language))
        made.tags(["kanhu", f"kanhu-{language}"]).timezone(options.zone).time(since, "now").refresh(refresh).readonly()
        made.tooltip(models.DashboardCursorSync.CROSSHAIR).week_start("monday")
        others = builders.DashboardLink(_LINKS.of(language)).type(models.DashboardLinkType.DASHBOARDS)
        others.tags([f"kanhu-{language}"]).as_dropdown(True).include_vars(True).keep_time(True).icon("external link")
        self._made = made.link(others)

    def say(self, text: Text) -> str:
        """A text in the page's language."""
        return text.of(self.language)

    def variable(self, name: str, label: Text, query: str, uid: str = KANHU) -> None:
        """A choice of one, several or all values of a tag.

        Args:
            query: `SHOW TAG VALUES ...`.
        """
        made = builders.QueryVariable(name).label(self.say(label)).datasource(source(uid)).multi(True).include_all(True)
        made.all_value(".*").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        made.sort(models.VariableSort.ALPHABETICAL_ASC).definition(query)
        made.query({"query": query, "refId": "InfluxVariableQueryEditor-VariableQuery"})
        made.current(models.VariableOption(selected=True, text=["All"], value=[_ALL]))
        self._made.with_variable(made)

    def places(self, measurement: str, device: bool = True) -> None:
        """The variables `site`, `place` and, if wanted, `device`, each narrowed by those before it."""
        show = f'SHOW TAG VALUES FROM "{measurement}" WITH KEY ='
        at_site = '"site" =~ /^${site:regex}$/'
        self.variable("site", Text("站点", "Site"), f'{show} "site"')
        self.variable("place", Text("地点", "Place"), f'{show} "place" WHERE {at_site}')
        if device:
            here = f'{at_site} AND "place" =~ /^${{place:regex}}$/'
            self.variable("device", Text("设备", "Device"), f'{show} "device" WHERE {here}')

    def row(self, number: int, title: Text) -> None:
        """A heading; the panels after it stand below."""
        self._new_line()
        self._use(number)
        made = builders.Row(self.say(title)).id(number).grid_pos(models.GridPos(h=1, w=WIDTH, x=0, y=self._y))
        self._made.with_row(made)
        self._y += 1

    def add(
        self,
        number: int,
        title: Text,
        help_: Help,
        panel: panels.Drawn,
        width: int = 12,
        height: int = 8,
        help_page: str = "",
        links: Sequence[tuple[Text, str]] = (),
    ) -> None:
        """A panel to the right of the last one, or below.

        Args:
            number: its id, which links name: it never changes.
            width: of 24.
            help_page: of the runbook, see `runbook.PAGES`.
            links: further ones, (title, address).
        """
        self._use(number)
        if self._x + width > WIDTH:
            self._new_line()
        panel.id(number).title(self.say(title)).description(help_.of(self.language))
        panel.grid_pos(models.GridPos(h=height, w=width, x=self._x, y=self._y))
        if hasattr(panel, "no_value"):
            panel.no_value(self.say(panels.NO_DATA))
        leads = [(self.say(text), address) for text, address in links]
        if help_page:
            leads.append((self.say(_RUNBOOK), runbook.address(help_page, self.language)))
        if leads:
            panel.links([builders.DashboardLink(text).type(models.DashboardLinkType.LINK).url(to) for text, to in leads])
        self._made.with_panel(panel)
        self._x += width
        self._height = max(self._height, height)

    def say_only(self, number: int, title: Text, panel: panels.Drawn, height: int = 8) -> None:
        """A panel of words, which need no explanation."""
        self._use(number)
        self._new_line()
        panel.id(number).title(self.say(title)).grid_pos(models.GridPos(h=height, w=WIDTH, x=0, y=self._y))
        self._made.with_panel(panel)
        self._height = height

    def annotation(self, name: Text, query: str, text: str, color: str, tags: str = "", on: bool = True) -> None:
        """Marks on every panel over time.

        Grafana asks for them as for series, so nothing may be grouped by tags, and a row in which anything is missing is no
        mark. The first column that is neither text nor a tag is the heading (without one it would be the time, as a number);
        further ones are not shown.

        Args:
            query: its rows are the marks.
            text, tags: the columns that hold what is said of a mark; those of tags hold words, not numbers.
        """
        made = builders.AnnotationQuery().name(self.say(name)).datasource(source()).enable(on).icon_color(color)
        self._made.annotation(made.target(_Mark(query, text, tags)))

    def build(self) -> dict[str, Any]:
        """The dashboard as Grafana reads it."""
        built: dict[str, Any] = as_json(self._made.build())
        built["templating"].setdefault("list", [])
        for mark in built.get("annotations", {}).get("list", []):
            mark.pop("placement", None)
        for one in (built, *built["panels"]):
            for link in one.get("links", []):
                # The SDK's default, with which Grafana 12.3 and later hide the link in a menu.
                link.pop("placement", None)
        return built

    def _use(self, number: int) -> None:
        assert number not in self._ids, f"{self.name}: two panels with id {number}"
        self._ids.add(number)

    def _new_line(self) -> None:
        self._x, self._y, self._height = 0, self._y + self._height, 0


class _Mark(Builder[Dataquery], Dataquery):
    """The target of InfluxQL's annotations: the SDK knows it only with the keys that all data sources share."""

    def __init__(self, query: str, text: str, tags: str) -> None:
        self._written = {
            **InfluxQL("annotation", query, table=True).to_json(),
            "fromAnnotations": True,
            "textEditor": True,
            "textColumn": text,
            "tagsColumn": tags,
            "titleColumn": "",
            "timeEndColumn": "",
        }

    def build(self) -> Dataquery:
        """Itself."""
        return self

    def dataquery_type(self) -> str:
        """As the SDK asks."""
        return "influxdb"

    def to_json(self) -> dict[str, Any]:
        """As it stands in a dashboard."""
        return self._written


def uid(name: str, language: Language) -> str:
    """Of a dashboard."""
    return f"kanhu-{name}-{language}"


def folder(language: Language) -> tuple[str, Text]:
    """uid and title of the folder of a language's dashboards."""
    return f"kanhu-{language}", Text("看护", "Kanhu")


def clicked(*names: str) -> str:
    """For `address`: sets variables to what stands in the row that was clicked.

    A place or device needs its site: two communities may both have a home `3-2-701`.
    """
    return "&".join(f"var-{name}=${{__data.fields.{name}}}" for name in names)


def address(name: str, language: Language, query: str = "") -> str:
    """A dashboard's address within Grafana; `query` such as `var-device=${__data.fields.device}`."""
    return f"/d/{uid(name, language)}" + (f"?{query}&${{__url_time_range}}" if query else "")
