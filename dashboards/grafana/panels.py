"""The kinds of panels, each the same everywhere: what is drawn and how a value looks. Words and place are the page's matter."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from dashboards.grafana.query import MIXED, InfluxQL, source
from dashboards.grafana.sdk import (
    barchart,
    builders,
    common,
    common_builders,
    models,
    stat,
    statetimeline,
    table,
    text,
    text_models,
    timeseries,
)
from dashboards.grafana.text import Language, Text

GREEN: Final = "green"
YELLOW: Final = "yellow"
ORANGE: Final = "orange"
RED: Final = "red"
GREY: Final = "text"
BLUE: Final = "blue"

LABEL: Final = 30  # characters below a bar
LONGEST_GAP_MS: Final = 26 * 3_600_000  # days follow each other by 23 to 25 hours

NO_DATA: Final = Text("没有数据", "no data")

# The SDK gives each kind of panel a class of its own and no common one; all have the methods that `Page.add` calls.
Drawn = Any


class Word(NamedTuple):
    """How a value is shown: in words and a colour."""

    text: Text
    color: str


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        name: as the query calls it: a tag, or the alias of a field.
        title: its heading.  unit: of Grafana's list (`s`, `percentunit`, `dateTimeFromNow` ...).
        words: values shown as words.  steps: (from, colour): the cell's background.
        link: where a click leads, with `${__data.fields.<name>}`.
        links: several of them, (title, address), from which a click lets choose.
        missing: what an empty cell says.  missing_color: in which colour, where the column has colours.
    """

    name: str
    title: Text
    unit: str = "string"
    words: Mapping[str, Word] | None = None
    steps: Sequence[tuple[float | None, str]] = ()
    width: int = 0
    decimals: int | None = None
    link: str = ""
    links: Sequence[tuple[Text, str]] = ()
    missing: Text = Text("–", "–")
    missing_color: str = GREY


def series(
    targets: Sequence[InfluxQL],
    unit: str,
    *,
    least: float | None = None,
    most: float | None = None,
    steps: Sequence[tuple[float | None, str]] = (),
    points: bool = False,
    bars: bool = False,
    stacked: bool = False,
    gap_ms: float = 0,
    interval: str = "1m",
) -> timeseries.Panel:
    """Lines over time, which end where nothing came for more than a day.

    Args:
        points: dots without lines.
        gap_ms: with `fill(null)` a line ends at such gaps already.
    """
    drawn = timeseries.Panel().targets(list(targets)).datasource(source_of(targets)).unit(unit).interval(interval)
    drawn.legend(_legend()).tooltip(_tooltip())
    drawn.line_width(1).fill_opacity(10 if not points else 0)
    drawn.show_points(common.VisibilityMode.ALWAYS if points else common.VisibilityMode.AUTO).point_size(6 if points else 4)
    if points:
        drawn.draw_style(common.GraphDrawStyle.POINTS)
    if bars:
        drawn.draw_style(common.GraphDrawStyle.BARS).fill_opacity(70)
    if stacked:
        drawn.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if gap_ms:
        drawn.span_nulls(gap_ms)
    if not (points or bars):
        drawn.insert_nulls(LONGEST_GAP_MS)
    if least is not None:
        drawn.min(least)
    if most is not None:
        drawn.max(most)
    if steps:
        drawn.thresholds(thresholds(steps))
        drawn.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED))
    return drawn


def number(
    targets: Sequence[InfluxQL],
    unit: str,
    *,
    steps: Sequence[tuple[float | None, str]] = (),
    words: Mapping[str, Word] | None = None,
    language: Language = Language.ZH,
    reduce: str = "lastNotNull",
    decimals: int | None = None,
    graph: bool = False,
) -> stat.Panel:
    """Large numbers, one for each series, coloured by `steps`."""
    drawn = stat.Panel().targets(list(targets)).datasource(source_of(targets)).unit(unit)
    drawn.reduce_options(common_builders.ReduceDataOptions().calcs([reduce]).values(False))
    drawn.graph_mode(common.BigValueGraphMode.AREA if graph else common.BigValueGraphMode.NONE)
    drawn.color_mode(common.BigValueColorMode.BACKGROUND if steps else common.BigValueColorMode.VALUE)
    drawn.text_mode(common.BigValueTextMode.AUTO)
    drawn.thresholds(thresholds(steps or [(None, BLUE)]))
    if decimals is not None:
        drawn.decimals(decimals)
    if words:
        drawn.mappings([mapping(words, language)])
    return drawn


def states(
    targets: Sequence[InfluxQL],
    words: Mapping[str, Word],
    language: Language,
    *,
    unit: str = "none",
    steps: Sequence[tuple[float | None, str]] = (),
) -> statetimeline.Panel:
    """One band for each series, coloured by its state; numbers take their colour from `steps`."""
    drawn = statetimeline.Panel().targets(list(targets)).datasource(source_of(targets)).unit(unit).interval("1m")
    drawn.merge_values(True).show_value(common.VisibilityMode.AUTO).row_height(0.85).fill_opacity(80).line_width(0)
    drawn.align_value(common.TimelineValueAlignment.LEFT).legend(_legend()).tooltip(_tooltip())
    if words:
        drawn.mappings([mapping(words, language)])
    if steps:
        drawn.thresholds(thresholds(steps))
        drawn.color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    return drawn


def rows(
    targets: Sequence[InfluxQL],
    columns: Sequence[Column],
    language: Language,
    *,
    by: str | Sequence[str] = (),
    descending: bool = True,
    more: Sequence[models.DataTransformerConfig] = (),
    newest_first: bool = False,
) -> table.Panel:
    """A table of these columns, in this order, and no others; several targets are joined where their tags agree.

    With several targets `Time`, where it is a column (or what `more` makes of it, `Time (min)`), is that of the first.

    Args:
        by: the column it is sorted by at first, or several of them, the most important first.
        more: transformations before columns are named and put in order.
        newest_first: sorted by `Time`, which has to be one of the columns.
    """
    drawn = table.Panel().targets(list(targets)).datasource(source_of(targets)).unit("string")
    drawn.cell_height(common.TableCellHeight.SM)
    if len(targets) > 1:
        # Times differ from query to query and would keep rows apart.
        timed = any(column.name.startswith("Time") for column in columns)
        others = [target.ref for target in targets[1:]] if timed else []
        drawn.with_transformation(transformation("filterFieldsByName", {"exclude": {"names": ["Time"]}}, others))
        drawn.with_transformation(transformation("merge", {}))
    for one in more:
        drawn.with_transformation(one)
    drawn.with_transformation(transformation("filterFieldsByName", {"include": {"names": [column.name for column in columns]}}))
    drawn.with_transformation(
        transformation(
            "organize",
            {
                "excludeByName": {},
                "indexByName": {column.name: position for position, column in enumerate(columns)},
                "renameByName": {column.name: column.title.of(language) for column in columns},
            },
        )
    )
    for column in columns:
        drawn.override_by_name(column.title.of(language), _looks(column, language))
    first = ["Time"] if newest_first else [by] if isinstance(by, str) else by
    titles = {column.name: column.title.of(language) for column in columns}
    if first:
        drawn.sort_by([common_builders.TableSortByFieldState().display_name(titles[name]).desc(descending) for name in first])
    return drawn


def bars(
    targets: Sequence[InfluxQL],
    unit: str,
    x_field: str,
    *,
    stacked: bool = True,
    more: Sequence[models.DataTransformerConfig] = (),
    colors: Mapping[str, str] | None = None,
) -> barchart.Panel:
    """Bars over a column of words or days."""
    drawn = barchart.Panel().targets(list(targets)).datasource(source_of(targets)).unit(unit).x_field(x_field)
    drawn.legend(_legend()).tooltip(_tooltip()).fill_opacity(80).group_width(0.8).bar_width(0.9)
    drawn.stacking(common.StackingMode.NORMAL if stacked else common.StackingMode.NONE)
    # The SDK writes 0 by itself, and Grafana then cuts every label down to "...".
    drawn.x_tick_label_max_length(LABEL)
    for one in more:
        drawn.with_transformation(one)
    for name, color in (colors or {}).items():
        drawn.override_by_name(name, [fixed(color)])
    return drawn


def words_only(markdown: str) -> text.Panel:
    """A text."""
    return text.Panel().mode(text_models.TextMode.MARKDOWN).content(markdown)


def thresholds(steps: Sequence[tuple[float | None, str]]) -> builders.ThresholdsConfig:
    """Colours from values on; the first step's value is None."""
    made = [models.Threshold(value=value, color=color) for value, color in steps]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def mapping(words: Mapping[str, Word], language: Language) -> models.ValueMap:
    """Values shown as words."""
    results = {
        value: models.ValueMappingResult(text=word.text.of(language), color=word.color, index=position)
        for position, (value, word) in enumerate(words.items())
    }
    return models.ValueMap(options=results)


def transformation(name: str, options: Mapping[str, Any], refs: Sequence[str] = ()) -> models.DataTransformerConfig:
    """One step between the database's answer and the panel; `refs`: of the answers to these queries only."""
    only = models.MatcherConfig(id_val="byRefId", options=f"/^(?:{'|'.join(refs)})$/") if refs else None
    return models.DataTransformerConfig(id_val=name, filter_val=only, options=dict(options))


def apart(drawn: timeseries.Panel, ending: str, color: str, *, bars: bool = False) -> None:
    """Draw the series whose names end so as dots, or as bars on an axis of their own at the right, in one colour."""
    looks = [fixed(color), _custom("drawStyle", "bars" if bars else "points"), _custom("lineWidth", 0), _custom("pointSize", 7)]
    if bars:
        looks += [
            _custom("axisPlacement", "right"),
            _custom("fillOpacity", 40),
            models.DynamicConfigValue(id_val="unit", value="none"),
        ]
    drawn.override_by_regexp(f"/{ending}$/", looks)


def line(drawn: timeseries.Panel, names: str, color: str) -> None:
    """Draw the series whose names match thin, in one colour, and leave them out of the legend."""
    hidden = {"legend": True, "tooltip": False, "viz": False}
    looks = [fixed(color), _custom("fillOpacity", 0), _custom("lineStyle", {"fill": "dot"}), _custom("hideFrom", hidden)]
    drawn.override_by_regexp(names, looks)


def look(unit: str, steps: Sequence[tuple[float | None, str]]) -> list[models.DynamicConfigValue]:
    """Unit and colours of one of several values of a panel."""
    made = [{"value": value, "color": color} for value, color in steps]
    colored = models.DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": made})
    return [models.DynamicConfigValue(id_val="unit", value=unit), colored]


def only_with(name: str) -> models.DataTransformerConfig:
    """Of a joined table the rows in which this column is not empty."""
    one = {"fieldName": name, "config": {"id": "isNotNull", "options": {}}}
    return transformation("filterByValue", {"filters": [one], "type": "include", "match": "any"})


def _custom(name: str, value: object) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=f"custom.{name}", value=value)


def fixed(color: str) -> models.DynamicConfigValue:
    """One colour, whatever the value."""
    return models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def source_of(targets: Sequence[InfluxQL]) -> common.DataSourceRef:
    """The data source of a panel whose targets ask these."""
    uids = {target.source for target in targets}
    return MIXED if len(uids) > 1 else source(uids.pop())


def _legend() -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().show_legend(True)
    return legend.display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)


def _tooltip() -> common_builders.VizTooltipOptions:
    return common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)


def _nothing(column: Column, language: Language) -> models.SpecialValueMap:
    """An empty cell, which would have the colour of the lowest value: red for a battery that nobody measured."""
    result = models.ValueMappingResult(
        text=column.missing.of(language), color=column.missing_color, index=len(column.words or ())
    )
    return models.SpecialValueMap(
        options=models.DashboardSpecialValueMapOptions(match=models.SpecialValueMatch.NULL, result=result)
    )


def _looks(column: Column, language: Language) -> list[models.DynamicConfigValue]:
    looks = look(column.unit, column.steps) if column.steps else [models.DynamicConfigValue(id_val="unit", value=column.unit)]
    looks.append(models.DynamicConfigValue(id_val="noValue", value=column.missing.of(language)))
    if column.decimals is not None:
        looks.append(models.DynamicConfigValue(id_val="decimals", value=column.decimals))
    if column.width:
        looks.append(models.DynamicConfigValue(id_val="custom.width", value=column.width))
    if column.steps or column.words:
        shown = [mapping(column.words, language)] if column.words else []
        looks.append(models.DynamicConfigValue(id_val="mappings", value=[*shown, _nothing(column, language)]))
        looks.append(models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}))
    leads = [*([(column.title, column.link)] if column.link else []), *column.links]
    if leads:
        made = [{"title": title.of(language), "url": to} for title, to in leads]
        looks.append(models.DynamicConfigValue(id_val="links", value=made))
    return looks
