"""Every text of the homes' pages in Chinese and English, and times as a tired person reads them. Pure."""

from collections.abc import Mapping
from datetime import UTC, timedelta, tzinfo
from typing import Final

from edge_gateway.alerts.alert import State
from edge_gateway.alerts.story import reason_words
from edge_gateway.evidence_words import read
from edge_gateway.homes.round import EMERGENCY, RANKS, Rank
from edge_gateway.rules.rule import Severity
from edge_gateway.rules.words import local, span_en, span_zh
from edge_gateway.sensor_words import sign

Words = tuple[str, str]

TEXTS: Final[Mapping[str, Words]] = {
    # frame
    "round": ("今日走访", "Round"),
    "alerts": ("告警", "Alerts"),
    "ledger": ("台账", "Ledger"),
    "wall": ("大屏", "Wall"),
    "log_out": ("退出", "Log out"),
    "other_language": ("English", "中文"),
    "as_of": ("更新于 {clock}", "as of {clock}"),
    "lost": (
        "连接断了：这里不是最新情况。请查看手机消息。",
        "The connection is lost: this is not the latest. Watch your phone's messages.",
    ),
    "gateway_away": (
        "网关没有应答：可以查看，暂时不能接手或更改。请直接打电话或上门。",
        "The gateway does not answer: you can look, but accept or change nothing now. Call or go there.",
    ),
    "no_store": ("还没有数据：网关在这里还没有运行过。", "No data yet: the gateway has not run here."),
    "no_homes": ("您的账号还没有住家，请找管理员。", "Your account has no homes yet; ask the administrator."),
    "no_home": ("没有这一户，或者不在您的范围内。", "There is no such home, or it is not yours to see."),
    "no_alert": ("没有这条告警，或者不在您的范围内。", "There is no such alert, or it is not yours to see."),
    "back": ("返回", "Back"),
    "site": ("社区", "Site"),
    "show_names": ("显示姓名和电话（会留下查看记录）", "Show name and phone (who looked is written down)"),
    "name": ("姓名", "Name"),
    "phone": ("电话", "Phone"),
    "address": ("地址", "Address"),
    "no_names": ("没有登记姓名，或者网关没有应答。", "No name is kept, or the gateway does not answer."),
    # what was done
    "done_seen": ("已记下：{place} 看过了，平安。", "Noted: {place} was seen, fine."),
    "done_seen_open": (
        "已记下：{place} 看过了。但还有告警要单独处理，请看下面。",
        "Noted: {place} was seen. An alert there has to be dealt with by itself, see below.",
    ),
    "done_unseen": ("已撤销：{place} 没有记为看过。", "Taken back: {place} is not noted as seen."),
    "take_back": ("点错了，撤销", "Wrong home, take it back"),
    "done_accept": ("您已接手。消息不再催促。", "You have it. The messages stop."),
    "done_other": ("已有人接手，没有改动。", "Somebody had accepted it; nothing was changed."),
    "done_over": ("已经有人处理完毕，没有改动。", "Somebody had closed it; nothing was changed."),
    "done_close": ("已处理完毕。", "Closed."),
    "done_pause": ("{place} 已暂停。", "{place} is paused."),
    "done_resume": ("{place} 已恢复看护。", "{place} is watched again."),
    "done_away": ("{place} 已记为外出。", "{place} is noted as away."),
    "done_back": ("{place} 已记为在家。", "{place} is noted as at home."),
    "done_consent": ("知情同意已记录。", "The consent is recorded."),
    "done_test": ("自检已开始，结果几分钟后显示在这里。", "The self-test has begun; its result is here in some minutes."),
    "done_emergency": ("应急状态已更改。", "The emergency is changed."),
    "no_answer": (
        "网关没有应答，可能没有保存。请直接打电话或上门，过一分钟再试。",
        "The gateway does not answer; this may not be saved. Call or go there, and try again in a minute.",
    ),
    # round
    "round_of": ("{site} · 今日走访", "{site} · round"),
    "to_visit": ("{count} 户要先看", "{count} homes first"),
    "all_well": ("现在没有要先看的住家", "No home needs you first just now"),
    "seen_fine": ("看过了，平安", "Seen, fine"),
    "open_alert": ("查看告警", "Open the alert"),
    "call_place": ("看这一户", "This home"),
    "life": ("最后动静 {when} {where}", "last life {when} {where}"),
    "seen_by": ("{when} {who} 看过", "seen {when} by {who}"),
    "taken_by": ("{who} 已接手", "{who} has it"),
    "since": ("{when} 起", "since {when}"),
    "temperature": ("{celsius} °C", "{celsius} °C"),
    "whole_site": ("整个社区", "The whole site"),
    "emergency": ("应急", "Emergency"),
    "emergency_why": (
        "开启后，排序会变，12 小时没人看过的住家排到前面。",
        "It changes the order: homes nobody looked in for 12 h come first.",
    ),
    "how_long": ("多久", "For how long"),
    "emergency_end": ("结束应急", "End it"),
    "until_when": ("到 {when}", "until {when}"),
    # alert
    "alert": ("告警", "Alert"),
    "open_alerts": ("未处理 {count}", "{count} open"),
    "no_open_alerts": ("没有未处理的告警。", "No open alert."),
    "closed_lately": ("最近 7 天已处理", "Closed in the last 7 days"),
    "accept": ("我来接手", "I take it"),
    "accepted_by_you": ("您已接手。处理完后请在下面写明结果。", "You have it. When it is over, say how it ended."),
    "accepted_by": ("{who} 已接手（{when}）", "{who} has it ({when})"),
    "close": ("处理完毕", "Close"),
    "close_without": ("不接手，直接处理完毕", "Close without accepting"),
    "close_why": ("怎么结束的？", "How did it end?"),
    "own_words": ("其他原因，请写明", "Another reason, in your words"),
    "close_with": ("按这个原因处理完毕", "Close with this reason"),
    "nobody_told": ("还没有人收到通知", "Nobody was told yet"),
    "evidence": ("依据", "Evidence"),
    "story": ("经过", "What happened"),
    "times": ("已发现 {count} 次", "found {count} times"),
    "by_gateway": ("系统", "the system"),
    "place": ("地点", "Place"),
    "number": ("编号", "Id"),
    "later": ("接下来", "Next"),
    "a_test": ("这是自检，不是真的求助。", "This is a test: nobody calls for help."),
    "step_happened": ("发生", "Happened"),
    "step_pressed": ("已按下", "Pressed"),
    "step_raised": ("已收到", "At the gateway"),
    "step_notified": ("已通知", "Person told"),
    "step_accepted": ("有人接手", "Accepted"),
    "step_closed": ("已处理", "Closed"),
    # home
    "the_day": ("这几天", "The days"),
    "legend_life": ("有动静", "life"),
    "legend_bed": ("在床、在座", "in bed or chair"),
    "legend_away": ("外出", "away"),
    "today": ("今天", "today"),
    "no_days": ("还没有记录。", "Nothing was recorded yet."),
    "usual": ("平时", "As a rule"),
    "limits": (
        "没有动静，最早这么久后询问：白天 {day}，傍晚 {evening}，夜里 {night}；平时睡得久的钟点更晚",
        "Asked after a silence of at least {day} by day, {evening} in the evening, {night} at night; later in hours of sleep",
    ),
    "not_learned": (
        "还在学习这一户的习惯（要 14 天），现在满 {limit}没有动静会询问。",
        "Its habits are still being learned (14 days); until then it is asked after {limit}.",
    ),
    "hints": ("给工作人员的提示（不是诊断）", "Hints for the staff (no diagnosis)"),
    "now": ("现在", "Now"),
    "sensors": ("传感器", "Sensors"),
    "heard": ("{when} 有消息", "heard {when}"),
    "never_heard": ("没有收到过消息", "never heard"),
    "silent": ("失联", "silent"),
    "self_test": ("报警自检", "Test of the alarm path"),
    "test_running": ("正在自检，{when} 开始", "a test is running since {when}"),
    "test_button": ("现在自检", "Test now"),
    "pressed": ("真正按过按钮 {when}", "the real button was pressed {when}"),
    "press_due": ("下次走访请老人真正按一次按钮。", "At the next visit ask for a real press of the button."),
    "paused_until": ("已暂停到 {when}", "paused until {when}"),
    "paused_by": ("{who} 登记", "noted by {who}"),
    "paused_by_elder": ("老人自己按键", "by the elder's own button"),
    "the_elder": ("老人", "the elder"),
    "pause_over": ("暂停 {when} 已结束", "the pause ended {when}"),
    "pause": ("暂停看护", "Pause"),
    "pause_why": (
        "老人不想被看护时用。紧急按钮和烟雾、燃气、漏水仍然有效。",
        "When the elder does not want to be watched. SOS, smoke, gas and leak still work.",
    ),
    "pause_for": ("暂停多久", "For how long"),
    "hours": ("{count} 小时", "{count} h"),
    "days": ("{count} 天", "{count} days"),
    "reason": ("原因（可不填）", "Why (may be left out)"),
    "resume": ("恢复看护", "Watch again"),
    "away": ("外出", "Away"),
    "away_until": ("到 {when}", "until {when}"),
    "away_note": (
        "谁不在家、到哪天。门窗、烟雾、漏水仍然有效。",
        "Nobody is at home until then. Door, smoke and leak still work.",
    ),
    "away_save": ("记为外出", "Note as away"),
    "away_where": ("去哪里", "Where"),
    "back_home": ("已经回家", "Back at home"),
    "last_day": ("最后一天", "Last day"),
    "consent": ("知情同意", "Consent"),
    "consent_given": ("{date} 同意，第 {version} 版，{who} 登记", "agreed {date}, version {version}, noted by {who}"),
    "consent_withdrawn": ("{date} 撤回，第 {version} 版，{who} 登记", "withdrawn {date}, version {version}, noted by {who}"),
    "consent_none": ("还没有登记知情同意。", "No consent is recorded yet."),
    "consent_version": ("文本版本", "Version of the text"),
    "consent_date": ("日期", "Date"),
    "consent_yes": ("登记：同意", "Record: agreed"),
    "consent_no": ("登记：撤回", "Record: withdrawn"),
    "who_looked": ("谁看过，谁改过", "Who looked, who changed"),
    "person": ("老人", "Person"),
    "nothing_yet": ("还没有。", "Nothing yet."),
    "log_looked": ("看过", "looked"),
    "log_seen": ("看过了，平安", "seen, fine"),
    "log_unseen": ("撤销“看过了”", "took back “seen”"),
    "log_paused": ("暂停", "paused"),
    "log_pause_refused": ("要求暂停，没有改变", "asked for a pause, nothing changed"),
    "log_resumed": ("恢复看护", "watched again"),
    "log_away": ("外出", "away"),
    "log_back": ("回家", "back"),
    "log_consent": ("知情同意", "consent"),
    "log_test": ("自检", "test"),
    "log_emergency": ("应急", "emergency"),
    "log_exported": ("导出", "exported"),
    "log_erased": ("删除", "erased"),
    # wall
    "wall_of": ("{site} · 看护大屏", "{site} · wall"),
    "wall_none": ("现在没有要先看的住家", "Nothing needs somebody first"),
}
SIGNS: Final[Mapping[Rank, str]] = {
    Rank.NOW: "!",
    Rank.ASKING: "?",
    Rank.WORRY: "▲",
    Rank.WEATHER: "☀",
    Rank.TAKEN: "↻",
    Rank.CHECK: "•",
    Rank.FINE: "✓",
    Rank.SEEN: "✓",
    Rank.AWAY: "→",
    Rank.PAUSED: "‖",
}
SEVERITIES: Final[Mapping[Severity, tuple[str, Words]]] = {
    Severity.URGENT: ("!", ("紧急", "urgent")),
    Severity.WARNING: ("▲", ("警告", "warning")),
    Severity.NOTICE: ("•", ("提醒", "notice")),
}
STATES: Final[Mapping[State, Words]] = {
    State.RAISED: ("已收到，还没有通知到人", "at the gateway, nobody told yet"),
    State.NOTIFIED: ("已通知，还没有人接手", "told, nobody has accepted"),
    State.ACCEPTED: ("有人接手", "accepted"),
    State.CLOSED: ("已处理", "closed"),
}
REASONS: Final = ("visited_fine", "false_press", "ambulance", "test")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def say(key: str, lang: str, **values: object) -> str:
    """One text in one language, its places filled in."""
    text = TEXTS[key][lang == "en"]
    return text.format(**values) if values else text


def pick(words: Words, lang: str) -> str:
    """One of the two."""
    return words[lang == "en"]


def rank(of: Rank, lang: str) -> str:
    """! 紧急: sign and word, colour never speaks alone."""
    return f"{SIGNS[of]} {pick(RANKS[of], lang)}"


def severity(of: Severity, lang: str) -> str:
    """! 紧急."""
    sign, words = SEVERITIES[of]
    return f"{sign} {pick(words, lang)}"


def emergency(kind: str, lang: str) -> str:
    """高温."""
    return pick(EMERGENCY[kind], lang)


def reason(text: str, lang: str) -> str:
    """A fixed word in words; a person's own words as they are."""
    return pick(reason_words(text), lang)


def sensor(name: str, lang: str) -> str:
    """厨房 有动静, of `motion.kitchen`; what was seen last in a home."""
    return pick(sign(name), lang)


def evidence(line: str, now_ns: int, lang: str) -> str:
    """今天 14:05:10 厨房 有动静 [home-1]: a line that a rule wrote, in words."""
    piece = read(line)
    said = pick((piece.zh, piece.en), lang)
    if piece.at_ns is None:
        return said
    label = " UTC" if piece.zone is UTC else ""
    return f"{moment(piece.at_ns, now_ns, piece.zone, lang)}:{local(piece.at_ns, piece.zone):%S}{label} {said}"


def span(seconds: float, lang: str) -> str:
    """5 小时."""
    return span_en(seconds) if lang == "en" else span_zh(seconds)


def moment(time_ns: int, now_ns: int, where: tzinfo, lang: str) -> str:
    """今天 14:05, 昨天 22:10, 11月20日 08:30, 2025年11月20日 08:30; also 明天 08:00."""
    then, now = local(time_ns, where), local(now_ns, where)
    near = {timedelta(0): ("今天", "today"), timedelta(-1): ("昨天", "yesterday"), timedelta(1): ("明天", "tomorrow")}
    words = near.get(then.date() - now.date())
    if words is not None:
        return f"{pick(words, lang)} {then:%H:%M}"
    if lang == "en":
        return f"{then.day} {_MONTHS[then.month - 1]}{'' if then.year == now.year else f' {then.year}'} {then:%H:%M}"
    return f"{'' if then.year == now.year else f'{then.year}年'}{then.month}月{then.day}日 {then:%H:%M}"


def day(date: str, today: str, lang: str) -> str:
    """11月20日, of 2026-11-20; 今天."""
    if date == today:
        return say("today", lang)
    _, month, number = (int(part) for part in date.split("-"))
    return f"{number} {_MONTHS[month - 1]}" if lang == "en" else f"{month}月{number}日"


def clock(time_ns: int, where: tzinfo) -> str:
    """14:05:10."""
    return f"{local(time_ns, where):%H:%M:%S}"
