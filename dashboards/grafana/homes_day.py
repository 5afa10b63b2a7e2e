"""The day of one home: movement in its rooms, how warm they were, who came."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from dashboards.grafana.meals import STATES
from dashboards.grafana.page import Page
from dashboards.grafana.panels import BLUE, GREEN, GREY, ORANGE, YELLOW, Column, Word, line, mapping, rows, series, states
from dashboards.grafana.query import DAYS_FROM_MS, GOOD, HOURS_FROM_MS, KANHU, NEWEST, ROLLUPS, InfluxQL, leveled, select
from dashboards.grafana.sdk import models
from dashboards.grafana.text import Help, Text
from dashboards.grafana.words import GRADES

ROOM: Final = ("site", "place", "channel")  # without the site, homes of two communities with one code would be one
NAME: Final = "$tag_site/$tag_place $tag_channel $col"
# Homes tell every state at their cadence, minutes; a band that went on would show a dead sensor as a quiet room.
UNKNOWN_AFTER_MS: Final = 2 * 3_600_000
QUIET: Final = "dark-blue"  # a band all the same: nothing at all is no data
BANDS: Final = 24  # at once; more are on further pages
WEEKS_FROM_MS: Final = 43_200_000
POINTS: Final = 300  # a series: a day in steps of five minutes, also where fifty homes are shown on a phone


class Sign(NamedTuple):
    """A state of a room: its quantity, what its band is called, what 1 and 0 are called."""

    quantity: str
    title: Text
    yes: Word
    no: Word


SIGNS: Final = (
    Sign("motion", Text("动静", "motion"), Word(Text("有动静", "motion"), GREEN), Word(Text("没有动静", "none"), QUIET)),
    Sign("presence", Text("有人", "presence"), Word(Text("有人", "somebody"), GREEN), Word(Text("没有人", "nobody"), QUIET)),
    Sign("contact", Text("门窗", "door"), Word(Text("开着", "open"), ORANGE), Word(Text("关着", "closed"), QUIET)),
    Sign("bed", Text("床", "bed"), Word(Text("在床", "in bed"), "purple"), Word(Text("不在床", "out of bed"), QUIET)),
)


def draw_day(page: Page, here: str, rooms: str, room_steps: Sequence[tuple[float | None, str]]) -> None:
    """The three panels of the chosen homes.

    Args:
        here: the condition that a point belongs to them.  rooms: that it is a room where somebody lives.
        room_steps: (from, colour) of its temperature.
    """
    _bands(page, here)
    _warmth(page, here, rooms, room_steps)
    _visits(page, here)


def _bands(page: Page, here: str) -> None:
    drawn = states(
        [target for ref, sign in zip("ABCD", SIGNS, strict=True) for target in _sign(page, ref, sign, here, page.options.zone)],
        {},
        page.language,
    )
    for sign in SIGNS:
        shown = mapping({"1": sign.yes, "0": sign.no}, page.language)
        drawn.override_by_regexp(f"/ {page.say(sign.title)}$/", [models.DynamicConfigValue(id_val="mappings", value=[shown])])
    page.add(
        10,
        Text("房间: 动静, 门窗, 床", "Rooms: motion, doors, bed"),
        Help(
            Text(
                "一个房间一条: 这段时间里有没有动静, 门窗开没开, 在不在床。",
                "One band a room: whether anybody moved, a door was open, the bed was used.",
            ),
            Text(
                "空白的一段: 超过 2 小时没有数据, 不等于没有动静; 五周以上每天只有一个标记。"
                "全空: 没有同意记录, 或者没有传感器。",
                "a gap: nothing was told for over 2 hours, which is not the same as no movement; over five weeks there is "
                "one mark a day, over four months one a week. All empty: no consent, or no sensors.",
            ),
            Text(
                "长时间没有动静: 打电话; 空白: 看它的设备。",
                "no movement for long: telephone. A gap: look at its devices.",
            ),
        ),
        drawn.insert_nulls(UNKNOWN_AFTER_MS).per_page(BANDS).max_data_points(POINTS),
        width=24,
        height=11,
        help_page="home",
    )


def _sign(page: Page, ref: str, sign: Sign, here: str, zone: str) -> list[InfluxQL]:
    """Readings; hours up to five weeks; then a mark a day, over four months a week: five hundred rooms are very many rows."""
    name, title = sign.quantity, page.say(sign.title)
    few = f"$__interval_ms < {HOURS_FROM_MS}"
    hours = f"$__interval_ms >= {HOURS_FROM_MS} AND $__interval_ms < {DAYS_FROM_MS}"
    raw = select(
        f'max("{name}") AS "{title}"',
        "presence",
        [here, f'"{name}_flag" {GOOD}', few],
        ["time($__interval)", *ROOM],
        "none",
    )
    most, zoned = f'max("{name}_max") AS "{title}"', f"tz('{zone}')"
    days = f"$__interval_ms >= {DAYS_FROM_MS} AND $__interval_ms < {WEEKS_FROM_MS}"
    weeks = f"$__interval_ms >= {WEEKS_FROM_MS}"
    rolled = select(most, "presence_1h", [here, hours], ["time($__interval)", *ROOM], "none")
    daily = select(most, "presence_1d", [here, days], ["time(1d)", *ROOM], "none", zoned)
    weekly = select(most, "presence_1d", [here, weeks], ["time(7d)", *ROOM], "none", zoned)
    rolled_up = (("h", rolled), ("d", daily), ("w", weekly))
    return [InfluxQL(ref, raw, KANHU, NAME), *(InfluxQL(ref + level, query, ROLLUPS, NAME) for level, query in rolled_up)]


def _warmth(page: Page, here: str, rooms: str, room_steps: Sequence[tuple[float | None, str]]) -> None:
    low, mean, high = (page.say(text) for text in (Text("最低", "min"), Text("平均", "mean"), Text("最高", "max")))

    def what(ending: str) -> str:
        return ", ".join(
            f'{function}("temperature{ending and "_" + function}") AS "{name}"'
            for function, name in (("min", low), ("mean", mean), ("max", high))
        )

    drawn = series(
        leveled(
            "A",
            "climate",
            what(""),
            what("rolled"),
            [here, rooms],
            ROOM,
            NAME,
            page.options.zone,
            raw_where=[f'"temperature_flag" {GOOD}'],
            fill="null",
        ),
        "celsius",
        steps=room_steps,
        gap_ms=UNKNOWN_AFTER_MS,
    )
    line(drawn, f"/ {low}$/", BLUE)
    line(drawn, f"/ {high}$/", ORANGE)
    page.add(
        11,
        Text("室温", "Room temperature"),
        Help(
            Text(
                "每个房间的平均, 以及最低 (蓝) 和最高 (橙)。虚线是高温和低温告警的默认限值; 住家可以有自己的。",
                "The mean of each room, its lowest (blue) and highest (orange). Dashed: the default limits of heat and cold; "
                "a home may have its own.",
            ),
            Text("这段时间没有可信的温度。", "no temperature in this time that can be believed."),
            Text("橙线或红线以外: 打电话问冷热。", "beyond an orange or red line: call and ask."),
        ),
        drawn.max_data_points(POINTS),
        width=24,
        height=9,
        help_page="home",
    )


def _visits(page: Page, here: str) -> None:
    what = '"state", "late_s", "grade", "reviewing"'
    words = {"1": Word(Text("待核对", "in review"), YELLOW), "0": Word(Text("–", "–"), GREY)}
    page.add(
        12,
        Text("上门", "Visits"),
        Help(
            Text("计划的和实际的上门, 新的在前。", "Visits planned and made, the newest first."),
            Text(
                "这段时间没有计划也没有打卡, 或者网关没有写数据。",
                "nothing was planned or tapped, or the gateway wrote nothing.",
            ),
            Text(
                "未送达: 打电话给配送员和老人。情况不明: 打卡器离线, 不等于没有来: 问配送员。",
                "missed: call the courier and the elder. Unknown: the reader was away, which does not mean that nobody came: "
                "ask the courier.",
            ),
        ),
        rows(
            [
                InfluxQL(
                    "A",
                    select(what, "visit", [here, "\"state\" != 'gone'"], ["site", "place", "kind"], tail=NEWEST),
                    table=True,
                )
            ],
            [
                Column("Time", Text("应到", "Due"), "dateTimeAsLocal"),
                Column("place", Text("住家", "Home")),
                Column("kind", Text("服务", "Service")),
                Column("state", Text("情况", "State"), words=STATES),
                Column("late_s", Text("晚了", "Late by"), "s"),
                Column("grade", Text("证据", "Proof"), words=GRADES),
                Column("reviewing", Text("核对", "Review"), "none", words),
                Column("site", Text("站点", "Site")),
            ],
            page.language,
            newest_first=True,
        ),
        width=24,
        height=8,
        help_page="visits",
    )
