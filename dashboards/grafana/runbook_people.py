"""The runbook's pages about devices, homes, visits and rivers."""

from typing import Final

from dashboards.grafana.runbook_entry import Entry
from dashboards.grafana.text import Text

PEOPLE: Final = (
    Entry(
        9,
        "battery",
        Text("电池电量低", "Batteries are low"),
        Text(
            "设备自己报的电量低于 20%。没有电以后就是失联。",
            "The device itself reports less than 20 %. Without power it falls silent.",
        ),
        (
            Text(
                "按地点排一次路线, 一次换完。",
                "Plan one round by place and replace them all.",
            ),
            Text(
                "换了还低: 电池坏了, 或者信号太差一直重发 (看信号)。",
                "Low again soon: a bad battery, or a weak signal that makes it send again and again (see the signal).",
            ),
        ),
    ),
    Entry(
        10,
        "device-silent",
        Text("设备失联", "A device is silent"),
        Text(
            "超过登记的时间没有消息。住家的设备失联时, 那里的按钮可能没有用; 网关已经告诉值班的人。",
            (
                "No message for longer than the registry allows. Where a home's device is silent its button may not w"
                "ork; the gateway has told those on duty."
            ),
        ),
        (
            Text(
                "同一时间很多台: 是站点或接收器, 先查那里的电源和网络。",
                "Many at one moment: the site or a receiver; look at its power and network first.",
            ),
            Text(
                "一台: 电源、电池、Wi-Fi、被拿走了。带紧急按钮的先打电话给住家。",
                ("One: power, battery, Wi-Fi, or somebody took it away. If it carries an SOS button call the home first."),
            ),
            Text(
                "`kanhu status --device 站点/设备` 看最后一次消息; 不再用的设备从登记表里删掉。",
                (
                    "`kanhu status --device SITE/ID` shows the last message; take a device that is no longer used out of "
                    "the registry."
                ),
            ),
        ),
    ),
    Entry(
        11,
        "unaccepted",
        Text("告警没有人接手", "Nobody accepts an alert"),
        Text(
            "有人收到了通知, 但是没有人说“我去”。网关会继续叫下一位; 这里是第二道提醒。",
            ("Somebody was told and nobody said “I go”. The gateway goes on to the next person; this is the second reminder."),
        ),
        (
            Text(
                "打开控制台的告警页或 `kanhu alerts list`, 看是哪一条, 谁被叫过。",
                "Open the console's alerts or `kanhu alerts list`: which one is it, who was called.",
            ),
            Text(
                "打电话给值班的人; 没有人接就自己接手 (`kanhu alerts accept`) 并找人去看。",
                (
                    "Telephone those on duty; if nobody answers accept it yourself (`kanhu alerts accept`) and find someb"
                    "ody to go."
                ),
            ),
            Text(
                "事后 `kanhu duty check`: 值班表有没有空档, `kanhu channels try`: 渠道通不通。",
                "Afterwards `kanhu duty check` for gaps in the duty list, `kanhu channels try` for the channels.",
            ),
        ),
    ),
    Entry(
        12,
        "river",
        Text("水质超出限值", "A river value is beyond its limit"),
        Text(
            "一项合格的读数超出了站点选定类别的限值。一项不能说明水质类别, 只能说“不优于”。",
            (
                "A reading that passed all checks is beyond the limit of the class that the site watches. One item ma"
                "kes no water class; it only says “no better than”."
            ),
        ),
        (
            Text(
                "看同一站别的项和上下游的站: 是一个点还是一片。",
                ("Compare the other quantities of the station and stations up and down the river: one point or an area."),
            ),
            Text(
                "看校准和维护标记; 刚校准过的要复测。",
                "See the marks of calibration and maintenance; measure again after a calibration.",
            ),
            Text(
                "复测也超: 按规定上报, 写明是哪一项、多少、什么时候、仪器和校准。",
                (
                    "Beyond it again: report it as your rules say, with the item, the value, the time, instrument and cal"
                    "ibration."
                ),
            ),
        ),
    ),
    Entry(
        13,
        "selftest",
        Text("未受保护的住家", "Homes without a passed self-test"),
        Text(
            "25 小时内没有通过自检: 不知道那里的按钮能不能叫到人。",
            "No self-test passed within 25 hours: nobody knows whether the button there reaches a person.",
        ),
        (
            Text(
                "`kanhu homes show` 看卡在哪一步: 设备没有回答, 还是通知没有确认。",
                "`kanhu homes show` says which step failed: the device did not answer, or no channel confirmed.",
            ),
            Text(
                "`kanhu homes test` 再试一次; 老人那里不响也不亮。",
                "`kanhu homes test` tries once more; the elder hears and sees nothing of it.",
            ),
            Text(
                "还不行: 打电话给住家, 派人去, 那天多走访一次。",
                "Still not: call the home, send somebody, and visit once more that day.",
            ),
        ),
    ),
    Entry(
        14,
        "visits",
        Text("送达异常", "Visits that are late, missed or unknown"),
        Text(
            "“未送达”: 打卡器一直在线, 没有人打卡。“情况不明”: 打卡器离线, 补传以后会变; 不要当成没有送。",
            (
                "Missed: the reader was there all the time and nobody tapped. Unknown: the reader was away, and it wi"
                "ll change once it has sent what it keeps; never take it for missed."
            ),
        ),
        (
            Text(
                "未送达: 打电话给配送员和老人; 老人不接就派人去看。",
                "Missed: call the courier and the elder; if the elder does not answer send somebody.",
            ),
            Text(
                "情况不明: 问配送员送了没有, 没有送或者问不到就打电话给老人; 同时让打卡器上线 (看“打卡器离线”)。",
                "Unknown: ask the courier; if it was not brought, or nobody can say, call the elder. Bring the reader back as "
                "well (see “A reader is offline”).",
            ),
            Text(
                "待核对的在控制台的核对页处理; 更正和申诉都留下是谁、什么时候、为什么。",
                (
                    "What is in review is settled on the console's review page; each correction and objection keeps who, "
                    "when and why."
                ),
            ),
        ),
    ),
    Entry(
        15,
        "readers",
        Text("打卡器离线", "A reader is offline"),
        Text(
            "打卡器离线时照样打卡, 亮“已记录”的灯, 回来以后补传, 按打卡的时间算。没有一次送餐会因此被拒。",
            (
                "An offline reader goes on taking taps, shows the lamp for “recorded”, and sends them when it is back"
                "; they count at the time of the tap. Nobody's visit is refused."
            ),
        ),
        (
            Text(
                "给它电和网络; 待发数变成 0 就补完了。",
                "Give it power and network; it is done when its queue is 0.",
            ),
            Text(
                "一直离线: Wi-Fi 信号、密码、电池; `kanhu status --device 站点/设备` 有它最后的消息和读数。",
                "It stays away: Wi-Fi signal, password, battery; `kanhu status --device SITE/ID` has its last message and "
                "readings.",
            ),
            Text(
                "读卡器复位很多: 接线松了或者天线坏了。",
                "Many resets of the reader: a loose wire or a bad antenna.",
            ),
        ),
    ),
    Entry(
        16,
        "completeness",
        Text("数据不完整", "Data is incomplete"),
        Text(
            "可用的读数少于按上报间隔应有的条数。缺了、可疑和不合格的都不算可用。",
            ("Fewer usable readings than the cadence makes. What is missing, suspect or failed does not count as usable."),
        ),
        (
            Text(
                "先看缺的是消息 (设备失联, 缺口) 还是质量 (可疑、不合格)。",
                "See first whether messages are missing (silence, gaps) or quality is (suspect, failed).",
            ),
            Text(
                "消息: 补传以后这里会自己变好; “已声明丢失”的不会。",
                "Messages: once they are sent later this mends itself; what was declared lost stays lost.",
            ),
            Text(
                "质量: 校准、清洗、换探头; 维护时段写在记录里。",
                "Quality: calibrate, clean or replace the probe; write maintenance down.",
            ),
        ),
    ),
    Entry(
        18,
        "home",
        Text("住家的一天", "The day of a home"),
        Text(
            "房间的动静、门、床和温度。只有编号, 没有名字; 姓名在控制台里, 谁看过会留下记录。",
            (
                "Movement, doors, bed and temperature of the rooms. Codes only, no names; names are in the console, w"
                "hich writes down who looked."
            ),
        ),
        (
            Text(
                "空白的时段先看设备是否失联、是否暂停或外出。",
                "Where it is blank see first whether a device is silent, or the home is paused or away.",
            ),
            Text(
                "动静少了不等于出事, 动静多也不等于平安: 有疑问就打电话。",
                "Little movement is no accident, and much is no proof that all is well: in doubt telephone.",
            ),
            Text(
                (
                    "暂停、外出和看过了在控制台里记。"
                    "老人自己也能暂停 (按住“我没事”5 秒): 那是老人的决定, 不用去催; 到时间自动恢复。"
                ),
                "Pauses, absences and “seen, fine” are written down in the console. The elder may pause too, by holding “I am "
                "well” for 5 s: that is the elder's decision; it ends by itself.",
            ),
        ),
    ),
    Entry(
        19,
        "sensor-silent",
        Text("传感器没有数据", "A sensor is silent"),
        Text(
            "设备还在, 但是它的一项读数没有了: 传感器坏了、线松了, 或者被关掉了。",
            ("The device is there, but one of its readings is not: a broken sensor, a loose wire, or it was turned off."),
        ),
        (
            Text(
                "`kanhu status --device 站点/设备` 看这台设备最后的读数, 各是什么时候的。",
                "`kanhu status --device SITE/ID` shows the last readings of the device and when each was measured.",
            ),
            Text(
                "换传感器或接线; 不再测的从登记表的 `measures` 里删掉。",
                "Replace the sensor or the wire; take what is no longer measured out of `measures` in the registry.",
            ),
            Text(
                "住家里少一个传感器, 判断“长时间没有动静”就少一个依据: 尽快修。",
                "A home with one sensor less is watched with one reason less: mend it soon.",
            ),
        ),
    ),
)
