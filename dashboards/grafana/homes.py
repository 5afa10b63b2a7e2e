"""Homes (e家宜业): who waits for a person, which home nothing protects, and the day of one home. Pseudonyms only."""

from collections.abc import Sequence
from typing import Any, Final

from dashboards.grafana import runbook
from dashboards.grafana.homes_day import draw_day
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
    look,
    number,
    only_with,
    rows,
    transformation,
)
from dashboards.grafana.query import GOOD, NEWEST, InfluxQL, chosen, select, within
from dashboards.grafana.text import Help, Language, Text
from dashboards.grafana.words import ALERT_STATES, RULES, SEVERITIES

HERE: Final = chosen("site", "place")
HOME: Final = ("site", "place")

# Of the rules `heat` and `cold`: notice, warning, urgent, Celsius; a home may have limits of its own.
COLD: Final = (18.0, 16.0, 12.0)
HEAT: Final = (26.0, 30.0, 32.0)
ROOM_STEPS: Final[Sequence[tuple[float | None, str]]] = [
    (None, RED),
    (COLD[2], ORANGE),
    (COLD[1], YELLOW),
    (COLD[0], GREEN),
    (HEAT[0], YELLOW),
    (HEAT[1], ORANGE),
    (HEAT[2], RED),
]
# Where nobody lives, though it is measured: words that a channel begins with.
NO_ROOMS: Final = ("out", "balcony", "yard", "fridge", "freez", "boiler", "radiator", "heater", "window", "water", "oven")
ROOMS: Final = f'"channel" !~ /(^|_)({"|".join(NO_ROOMS)})/'

# Of people's alerts. What a technician mends is on the fleet's dashboard; the self-test tells of itself every day, and one
# that fails is the alert `unprotected`.
TECHNICAL: Final = ("silence", "sensor", "detector", "rule-failed", "grafana", "selftest")
PEOPLES: Final = ("\"place\" != ''", f'("severity" != \'notice\' OR "rule" !~ /^({"|".join(TECHNICAL)})$/)')

_HOME: Final = Text("住家", "Home")
_SITE: Final = Text("站点", "Site")
_WAITS: Final = Text("没有人接手", "Not accepted for")
_OPEN: Final = Text("未处理告警", "Open alerts")
_SOME: Final[Sequence[tuple[float | None, str]]] = [(None, GREEN), (1, RED)]
_WAITING: Final[Sequence[tuple[float | None, str]]] = [(None, GREEN), (1, ORANGE), (300, RED)]
# 0 is no promise: within its first 25 hours no self-test need have passed. When one did stands in the next column.
_NOT_PROTECTED: Final = {"1": Word(Text("未受保护", "unprotected"), RED), "0": Word(Text("–", "–"), GREY)}
_PAUSED: Final = {"1": Word(Text("已暂停", "paused"), BLUE), "0": Word(Text("–", "–"), GREY)}
_AWAY: Final = {"1": Word(Text("外出", "away"), BLUE), "0": Word(Text("–", "–"), GREY)}
_NO_HOMES: Final = Text(
    "最近 3 小时网关没有写数据, 或者没有登记住家: 先看运行仪表盘。",
    "the gateway wrote nothing for 3 hours, or no home is registered: look at Operations first.",
)


def build(options: Options, language: Language) -> dict[str, Any]:
    """The dashboard's JSON."""
    page = Page(
        options,
        language,
        "homes",
        Text("看护 · 住家 (e家宜业)", "Kanhu · Homes"),
        Text(
            "谁在等人, 哪一户未受保护, 一户的一天是怎样的。紧急求助由网关直接通知人, 不靠这里。",
            "Who waits for a person, which home is unprotected, how a home's day was. The gateway tells of an SOS, not this.",
        ),
    )
    page.places("home", device=False)
    _marks(page)
    page.row(100, Text("所有住家", "All homes"))
    _numbers(page)
    _overview(page)
    _alerts(page)
    page.row(101, Text("选中的住家 (在上面点一户)", "The chosen home (click on one above)"))
    draw_day(page, HERE, ROOMS, ROOM_STEPS)
    return page.build()


def _marks(page: Page) -> None:
    # What was raised and told in one moment is one point, the later of the two.
    raised = [HERE, *PEOPLES, "\"state\" != 'closed'", '"waited_s" <= 0', "\"severity\" != 'notice'"]
    page.annotation(
        Text("告警", "Alerts"),
        select('"rule", "state", "severity", "place"', "alert", raised, tail=NEWEST),
        "severity",
        ORANGE,
        "place",
    )
    pressed = select('"kind", "sos", "device", "place"', "event", [HERE, "\"kind\" = 'sos'", '"sos" > 0'], tail=NEWEST)
    page.annotation(Text("紧急求助", "SOS"), pressed, "device", RED, "place")


def _numbers(page: Page) -> None:
    latest = select(
        'last("home_alerts") AS "alerts", last("home_unprotected") AS "unprotected", last("home_unaccepted_age") AS "waits"',
        "home",
        [HERE],
        HOME,
    )
    names = {
        f'max("waits") AS "{page.say(_WAITS)}"': ("s", _WAITING, _WAITS),
        f'sum("alerts") AS "{page.say(_OPEN)}"': ("none", _SOME, _OPEN),
        f'sum("unprotected") AS "{page.say(_UNPROTECTED)}"': ("none", _SOME, _UNPROTECTED),
        f'count("alerts") AS "{page.say(_HOMES)}"': ("none", [(None, BLUE)], _HOMES),
    }
    drawn = number([InfluxQL("A", within(", ".join(names), latest), table=True)], "none", steps=_SOME)
    for unit, steps, title in names.values():
        drawn.override_by_name(page.say(title), look(unit, steps))
    page.add(
        1,
        Text("现在", "Now"),
        Help(
            Text(
                "最久没有人接手的告警等了多久, 多少条未处理, 多少户未受保护, 共多少户。",
                "How long the alert waits that nobody accepted, how many are open, homes unprotected, homes in all.",
            ),
            Text("最近 1 小时网关没有写数据。", "the gateway wrote nothing for an hour."),
            Text("没有人接手: 马上打电话。", "nobody accepts: telephone now."),
        ),
        drawn.time_from("1h"),
        width=24,
        height=4,
        help_page="unaccepted",
    )


_UNPROTECTED: Final = Text("未受保护", "Unprotected")
_HOMES: Final = Text("住家", "Homes")


def _overview(page: Page) -> None:
    fields = ("home_unprotected", "selftest_age", "home_paused", "home_away", "home_unaccepted_age")
    home = 'last("home_alerts") AS "home_alerts", ' + ", ".join(f'"{name}"' for name in fields)
    devices = select('last("overdue") AS "each"', "fleet", [HERE], [*HOME, "device"])
    good = [HERE, f'"temperature_flag" {GOOD}', ROOMS]
    warm = select('last("temperature") AS "each"', "climate", good, [*HOME, "device", "channel"])
    page.add(
        2,
        Text("每户一行, 最要紧的在前", "One row a home, the worst first"),
        Help(
            Text(
                "未处理的告警, 最久没有人接手的等了多久, 自检, 失联最久的设备, 最冷和最热的房间。",
                "Open alerts, how long the oldest of them waits for a person, the self-test, the most overdue device, the "
                "coldest and the warmest room.",
            ),
            _NO_HOMES,
            Text(
                "没有人接手: 打电话给值班的人。未受保护, 或者自检“从未”通过: 再做一次自检。点住家看它的一天。",
                "nobody accepts: call who is on duty. Unprotected, or a self-test that never passed: run it again. A click on "
                "a home shows its day.",
            ),
        ),
        rows(
            [
                InfluxQL("A", select(home, "home", [HERE], HOME), table=True),
                InfluxQL("B", within('max("each") AS "overdue"', devices, group=HOME), table=True),
                InfluxQL("C", within('min("each") AS "coldest", max("each") AS "warmest"', warm, group=HOME), table=True),
            ],
            _home_columns(page),
            page.language,
            by=("home_unaccepted_age", "home_alerts", "home_unprotected"),
            # Devices also stand where nobody lives.
            more=[only_with("home_alerts")],
        ).time_from("3h"),
        width=24,
        height=11,
        help_page="selftest",
    )


def _home_columns(page: Page) -> list[Column]:
    language, here = page.language, clicked("site", "place")
    leads = (
        (Text("这一户的一天", "The day of this home"), address("homes", language, here)),
        (Text("它的设备", "Its devices"), address("fleet", language, here)),
        (Text("它的上门", "Its visits"), address("meals", language, here)),
        (Text("处理手册: 未受保护", "Runbook: unprotected"), runbook.address("selftest", language)),
    )
    overdue: Sequence[tuple[float | None, str]] = [(None, GREEN), (0.5, YELLOW), (1, RED)]
    tested: Sequence[tuple[float | None, str]] = [(None, GREEN), (90_000, RED)]  # 25 h
    return [
        Column("place", _HOME, links=leads),
        Column("home_alerts", _OPEN, "none", steps=_SOME),
        Column("home_unaccepted_age", _WAITS, "s", steps=_WAITING),
        Column("home_unprotected", _UNPROTECTED, "none", _NOT_PROTECTED),
        Column(
            "selftest_age",
            Text("上次自检通过", "Self-test passed"),
            "s",
            steps=tested,
            missing=Text("从未", "never"),
            missing_color=RED,
        ),
        Column("overdue", Text("设备失联程度", "Device overdue"), "suffix:×", steps=overdue, decimals=1),
        Column("coldest", Text("最冷", "Coldest"), "celsius", steps=ROOM_STEPS, decimals=1),
        Column("warmest", Text("最热", "Warmest"), "celsius", steps=ROOM_STEPS, decimals=1),
        Column("home_paused", Text("暂停", "Paused"), "none", _PAUSED),
        Column("home_away", Text("外出", "Away"), "none", _AWAY),
        Column("site", _SITE),
        Column("Time", Text("截至", "As of"), "dateTimeFromNow"),
    ]


def _alerts(page: Page) -> None:
    here = [HERE, *PEOPLES]
    tags = [*HOME, "rule", "severity"]
    accepted = '"alert", "by" AS "accepted_by", "waited_s" AS "accepted_after"'
    late: Sequence[tuple[float | None, str]] = [(None, GREEN), (300, YELLOW), (1800, RED)]
    kept = {"operation": "groupby", "aggregations": []}
    taken = {
        **dict.fromkeys(("alert", "site", "place", "rule"), kept),
        **{
            name: {"operation": "aggregate", "aggregations": [how]}
            for name, how in (
                ("Time", "firstNotNull"),
                ("severity", "lastNotNull"),
                ("state", "lastNotNull"),
                ("waited_s", "lastNotNull"),
                ("accepted_by", "lastNotNull"),
                ("accepted_after", "firstNotNull"),
            )
        },
    }
    page.add(
        3,
        Text("告警: 谁接手, 过了多久", "Alerts: who accepted them, and after how long"),
        Help(
            Text(
                "这段时间里住家的每条告警, 新的在前: 现在的状态, 谁在多久以后接手。",
                "Every alert of homes in this time, the newest first: its state now, who accepted it and after how long.",
            ),
            Text(
                "这段时间没有告警, 或者网关没有写数据; 更早的要选更长的时间。",
                "no alert in this time, or the gateway wrote nothing; choose a longer one for those before it.",
            ),
            Text(
                "没有人接手的: 打电话给值班的人, 在控制台接手; 去看过、知道怎么回事以后再写“已处理”。",
                "nobody accepted it: call who is on duty and accept it in the console; close it once somebody has looked.",
            ),
        ),
        rows(
            [
                InfluxQL("A", select('"alert", "state", "waited_s"', "alert", here, tags, tail=NEWEST), table=True),
                InfluxQL("B", select(accepted, "alert", [*here, "\"state\" = 'accepted'"], tags, tail=NEWEST), table=True),
            ],
            [
                Column("Time (firstNotNull)", Text("时间", "Raised"), "dateTimeAsLocal"),
                Column("place", _HOME, link=address("homes", page.language, clicked("site", "place"))),
                Column("rule", Text("什么事", "What"), words=RULES),
                Column("severity (lastNotNull)", Text("级别", "Severity"), words=SEVERITIES),
                Column("state (lastNotNull)", Text("状态", "State"), words=ALERT_STATES),
                Column("accepted_by (lastNotNull)", Text("接手", "Accepted by")),
                Column("accepted_after (firstNotNull)", Text("多久接手", "After"), "s", steps=late),
                Column("waited_s (lastNotNull)", Text("到现在的状态", "Until this state"), "s"),
                Column("site", _SITE),
            ],
            page.language,
            by="Time (firstNotNull)",
            more=[
                transformation("sortBy", {"fields": {}, "sort": [{"field": "Time", "desc": False}]}),
                transformation("groupBy", {"fields": taken}),
            ],
        ),
        width=24,
        height=10,
        help_page="unaccepted",
    )
