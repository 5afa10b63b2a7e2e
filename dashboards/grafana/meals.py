"""Meals (老友记): what was planned and what became of it, by place and day; when people tapped; readers that are offline."""

from typing import Any, Final

from dashboards.grafana.meals_taps import NO_PLAN, PLACES, readers, taps
from dashboards.grafana.options import Options
from dashboards.grafana.page import Page, address, clicked
from dashboards.grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    YELLOW,
    Column,
    Word,
    fixed,
    rows,
    series,
)
from dashboards.grafana.query import DAYS_FROM_MS, FEW, ROLLUPS, InfluxQL, select
from dashboards.grafana.text import Help, Language, Text
from dashboards.grafana.words import GRADES, REASONS

HERE: Final = f'{PLACES} AND "kind" =~ /^${{service:regex}}$/'

STATES: Final = {
    "planned": Word(Text("未到时间", "planned"), BLUE),
    "on_time": Word(Text("准时", "on time"), GREEN),
    "early": Word(Text("提前", "early"), GREEN),
    "late": Word(Text("迟到", "late"), YELLOW),
    "wrong_place": Word(Text("地点不符", "wrong place"), ORANGE),
    "unplanned": Word(Text("计划外", "unplanned"), GREY),
    "missed": Word(Text("未送达", "missed"), RED),
    "unknown": Word(Text("情况不明", "unknown"), ORANGE),
    "cancelled": Word(Text("已取消", "cancelled"), GREY),
    "gone": Word(Text("已撤回", "withdrawn"), GREY),
}
SHOWN: Final = ("planned", "on_time", "early", "late", "missed", "unknown", "wrong_place", "unplanned")
_REFS: Final = "ABCDEFGHIJ"
_NOT_GONE: Final = "\"state\" != 'gone'"
_TO_DAYS: Final = f"$__interval_ms < {DAYS_FROM_MS}"
_DAYS: Final = f"$__interval_ms >= {DAYS_FROM_MS}"
_POINTS: Final = 470  # with which the table by place reads days from about seven weeks on, however wide it is


def build(options: Options, language: Language) -> dict[str, Any]:
    """The dashboard's JSON."""
    page = Page(
        options,
        language,
        "meals",
        Text("看护 · 送餐 (老友记)", "Kanhu · Meals"),
        Text(
            "计划了什么, 送到了没有。“情况不明”是打卡器离线, 不等于没有送。",
            "What was planned and what became of it. Unknown means that the reader was away, never that nobody came.",
        ),
        since="now/d",
        refresh="1m",
    )
    page.places("visit", device=False)
    page.variable("service", Text("服务", "Service"), 'SHOW TAG VALUES FROM "visit" WITH KEY = "kind"')
    _visits(page)
    taps(page)
    readers(page)
    return page.build()


def _state(name: str) -> list[str]:
    """A visit that nobody planned belongs to no service, and is not hidden by the choice of one."""
    return [PLACES if name == "unplanned" else HERE, f"\"state\" = '{name}'"]


def _visits(page: Page) -> None:
    page.row(100, Text("上门", "Visits"))
    _by_place(page)
    _by_day(page)
    _late(page)
    _in_review(page)


def _by_place(page: Page) -> None:
    where = ["site", "place"]
    counts = [
        InfluxQL(ref, select(f'count("counted") AS "{name}"', "visit", [*_state(name), _TO_DAYS], where), table=True)
        for ref, name in zip(_REFS, SHOWN, strict=False)
    ]
    review = select('sum("reviewing") AS "review"', "visit", [PLACES, '"reviewing" > 0', _TO_DAYS], where)
    planned = ", ".join(f'sum("{name}_count") AS "{name}"' for name in SHOWN if name != "unplanned")
    others = 'sum("unplanned_count") AS "unplanned", sum("reviewing_count") AS "review"'
    days = [
        InfluxQL(ref, select(what, "visit_1d", [here, _DAYS], where), ROLLUPS, table=True)
        for ref, what, here in (("Sd", planned, HERE), ("Ud", others, PLACES))
    ]
    page.add(
        1,
        Text("按地点", "By place"),
        Help(
            Text(
                "所选时间里每个地点的次数; “–”是 0。超过七个星期按天算: 从所选时间里开始的每一天, 过完的才算。",
                "How many at each place in the chosen time; “–” is 0. Over more than seven weeks: of the days that begin in "
                "it and are over.",
            ),
            NO_PLAN,
            Text(
                "未送达: 打电话给配送员和老人。情况不明: 打卡器离线, 不等于没有送: 问配送员。待核对: 在控制台处理。",
                "missed: call the courier and the elder. Unknown: the reader was away, which does not mean that nobody came: "
                "ask the courier. In review: settle it in the console.",
            ),
        ),
        rows(
            [*counts, InfluxQL("R", review, table=True), *days],
            [
                Column("site", Text("站点", "Site")),
                Column(
                    "place",
                    Text(
                        "地点",
                        "Place",
                    ),
                    link=address("homes", page.language, clicked("site", "place")),
                ),
                *(Column(name, STATES[name].text, "none", steps=[(None, GREY), (1, STATES[name].color)]) for name in SHOWN),
                Column("review", Text("待核对", "in review"), "none", steps=[(None, GREY), (1, ORANGE)]),
            ],
            page.language,
            by="missed",
        ).max_data_points(_POINTS),
        width=24,
        height=9,
        help_page="visits",
    )


def _by_day(page: Page) -> None:
    days = [
        InfluxQL(
            ref,
            select(
                f'count("counted") AS "{page.say(STATES[name].text)}"',
                "visit",
                _state(name),
                ["time(1d)"],
                "0",
                f"tz('{page.options.zone}')",
            ),
            alias="$col",
        )
        for ref, name in zip(_REFS, SHOWN, strict=False)
    ]
    drawn = series(days, "none", least=0, bars=True, stacked=True)
    for name in SHOWN:
        drawn.override_by_name(page.say(STATES[name].text), [fixed(STATES[name].color)])
    page.add(
        2,
        Text("按天", "By day"),
        Help(
            Text(
                "每天的次数, 至少 30 天; 每次上门算在计划的那一天。",
                "Visits a day, over 30 days; each counts on the day for which it was planned.",
            ),
            NO_PLAN,
            Text("红色 (未送达) 要逐个问。", "ask about every red one."),
        ),
        drawn.time_from("30d"),
        height=9,
        help_page="visits",
    )


def _late(page: Page) -> None:
    alias, at = "$tag_site/$tag_place", ["site", "place"]
    where = [HERE, '"late_s" > 0', _NOT_GONE, _TO_DAYS]
    late = select('max("late_s") AS "late"', "visit", where, ["time($__interval)", *at], "none")
    days = select(
        'max("late_s_max") AS "late"',
        "visit_1d",
        [HERE, '"late_s_max" > 0', _DAYS],
        ["time(1d)", *at],
        "none",
        f"tz('{page.options.zone}')",
    )
    page.add(
        3,
        Text("迟到多久", "How late"),
        Help(
            Text(
                "每个点是一次迟到, 画在计划的时间; 时间长了是每段里最久的一次。",
                "Each dot is a late visit, at the time for which it was planned; over long times the longest of each span.",
            ),
            Text("没有迟到, 或者网关没有写数据。", "nobody was late, or the gateway wrote nothing."),
            Text("同一个地点一直迟到: 改计划或者改路线。", "when one place is always late, change the plan or the round."),
        ),
        series([InfluxQL("A", late, alias=alias), InfluxQL("Ad", days, ROLLUPS, alias)], "s", least=0, points=True),
        height=9,
        help_page="visits",
    )


def _in_review(page: Page) -> None:
    waiting = select(
        '"state", "grade", "courier", "late_s", "reasons"',
        "visit",
        [PLACES, '"reviewing" = 1'],
        ["site", "place"],
        tail=f"LIMIT {FEW}",
    )
    page.add(
        4,
        Text("待核对", "In review"),
        Help(
            Text("要有人看一眼的上门; 它们照样算数。", "Visits that a person should look at; they count all the same."),
            Text("没有待核对的, 或者网关没有写数据。", "nothing is in review, or the gateway wrote nothing."),
            Text(
                "在控制台的“核对”页处理, 那里有每一条的证据。",
                "settle them on the console's review page, which shows the evidence.",
            ),
        ),
        rows(
            [InfluxQL("A", waiting, table=True)],
            [
                Column("Time", Text("计划时间", "Planned for"), "dateTimeAsLocal", width=170),
                Column("place", Text("地点", "Place")),
                Column("state", Text("情况", "State"), words=STATES),
                Column("grade", Text("证据", "Proof"), words=GRADES),
                Column("courier", Text("配送员", "Courier")),
                Column("late_s", Text("迟到", "Late"), "s"),
                Column("reasons", Text("原因", "Reasons"), words=REASONS),
                Column("site", Text("站点", "Site")),
            ],
            page.language,
            newest_first=True,
        ),
        width=24,
        height=8,
        help_page="visits",
    )
