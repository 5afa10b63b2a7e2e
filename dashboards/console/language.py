"""Every text of the console's frame and staff pages in Chinese and English; words of visits are in `visits/words`."""

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final = ("zh-CN", "en")

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    # frame
    "kanhu": ("看护", "Kanhu"),
    "log_in": ("登录", "Log in"),
    "log_out": ("退出", "Log out"),
    "user_name": ("账号", "Name"),
    "password": ("密码", "Password"),
    "password_again": ("再输一次密码", "Password again"),
    "wrong": ("账号或密码不对，请再试一次。", "Name or password is wrong. Please try again."),
    "wait": ("试得太多了，请 {minutes} 分钟后再试。", "Too many tries. Please try again in {minutes} min."),
    "busy": ("系统正忙", "Busy at this moment"),
    "not_allowed": ("您的账号不能做这件事", "Your account may not do this"),
    "refused": ("没有完成", "This was not done"),
    "refused_because": ("没有完成：{why}", "Not done: {why}"),
    "home": ("回首页", "Back to the start"),
    "first_title": ("第一次使用：设置管理员", "First start: the administrator"),
    "first_text": (
        "请输入启动时屏幕上显示的一次性口令（也在数据目录的 secrets/console-first-code 里），并为管理员取一个账号。",
        "Type the one-time code that the terminal shows (it is also in secrets/console-first-code of the data folder), "
        "and choose the administrator's name.",
    ),
    "code": ("一次性口令", "One-time code"),
    "make_admin": ("建立管理员", "Make the administrator"),
    "code_wrong": ("口令不对，或者已经用过。", "The code is wrong or was used."),
    "passwords_differ": ("两次输入的密码不一样。", "The two passwords differ."),
    "bad_password": (
        "密码至少 10 个字符，其中至少 4 种不同的，并且不能和账号相同。",
        "A password has at least 10 characters, 4 of them different, and is not the name.",
    ),
    "bad_id": ("账号只能用小写字母、数字、- 和 _ 。", "A name has only a-z, 0-9, - and _."),
    "nothing_here": (
        "您好，{name}。这里暂时没有您的页面。",
        "Hello {name}. There is no page for you here yet.",
    ),
    "gateway_away": (
        "网关没有应答：现在只能查看，不能更改。",
        "The gateway does not answer: you can look, but change nothing now.",
    ),
    # An answer that did not come says nothing about what was done before.
    "no_answer": (
        "网关没有应答，可能没有保存。请过一分钟再试。",
        "The gateway does not answer; this may not be saved. Please try again in a minute.",
    ),
    "no_ledger": ("还没有台账：网关还没有记录过打卡。", "There is no ledger yet: the gateway has not recorded a tap."),
    "other_language": ("English", "中文"),
    # navigation
    "round": ("走访", "Round"),
    "ledger": ("台账", "Ledger"),
    "review": ("待核对", "To review"),
    "meals": ("用餐", "Meals"),
    "plan": ("计划", "Plan"),
    # ledger
    "today": ("今天", "Today"),
    "previous_day": ("前一天", "Day before"),
    "next_day": ("后一天", "Day after"),
    "all": ("全部", "All"),
    "site": ("社区", "Site"),
    "place": ("地点", "Place"),
    "person": ("老人", "Person"),
    "service": ("服务", "Service"),
    "person_service": ("老人、服务", "Person, service"),
    "date": ("日期", "Date"),
    "window": ("约定时间", "Window"),
    "state": ("状态", "State"),
    "courier": ("配送员", "Courier"),
    "start": ("打卡时间", "Tapped at"),
    "end": ("结束", "End"),
    "grade": ("证据", "Proof"),
    "reasons": ("原因", "Reasons"),
    "counted": ("计入申领", "Counted"),
    "not_counted": ("不计入", "Not counted"),
    "day_total": (
        "共 {count} 次，计入 {counted} 次，待核对 {reviewing} 次",
        "{count} visits, {counted} counted, {reviewing} to review",
    ),
    "no_visits": ("这一天没有记录。", "Nothing on this day."),
    "more_than_shown": ("只显示前 {count} 条，请按状态筛选。", "Only the first {count} shown; filter by state."),
    "no_site": ("您的账号还没有社区，请找管理员。", "Your account has no site yet; ask the administrator."),
    "day_number": ("{year}年{month}月{day}日 星期{weekday}", "{weekday} {year}-{month:02}-{day:02}"),
    "show_names": ("显示姓名（会留下查看记录）", "Show names (who looked is written down)"),
    "hide_names": ("不显示姓名", "Hide names"),
    # history
    "visit": ("一次上门", "Visit"),
    "history": ("经过", "History"),
    "taps": ("打卡记录", "Taps"),
    "no_taps": ("没有打卡。", "No tap."),
    "who_when": ("{when} · {who}", "{when} · {who}"),
    "by_gateway": ("系统", "the system"),
    "before": ("原来：{value}", "before: {value}"),
    "back": ("返回", "Back"),
    "late_by": ("晚 {minutes} 分钟", "{minutes} min late"),
    "early_by": ("早 {minutes} 分钟", "{minutes} min early"),
    "received_later": ("{time} 收到（读卡器离线过）", "received {time} (the reader was offline)"),
    "reader": ("读卡器 {device}", "reader {device}"),
    "phone": ("手机", "phone"),
    "substitute_for": ("原定 {courier}", "planned: {courier}"),
    "comment": ("备注", "Note"),
    "objected": ("配送员申诉", "The courier objected"),
    "no_visit": ("没有这条记录，或者不在您的范围内。", "There is no such visit, or it is not yours to see."),
    # review
    "queue_left": ("还有 {count} 条待核对", "{count} to review"),
    "queue_empty": ("都核对完了。", "Everything is reviewed."),
    "approve": ("确认有效", "Approve"),
    "confirm": ("确认来过", "It took place"),
    "decline": ("不予计入", "Decline"),
    "skip": ("下一条", "Next"),
    "note": ("加备注", "Add a note"),
    "change": ("更正", "Change"),
    "reason_wanted": ("请写明原因（配送员会看到）", "Say why (the courier will read it)"),
    "nothing_changed": ("还没有改动任何内容。", "Nothing was changed yet."),
    "bad_time": ("时间请写成 11:20 这样。", "Write a time as 11:20."),
    "changed_meanwhile": ("这条记录刚刚有了变化，请再看一遍。", "This visit has just changed; please look again."),
    "reason_missing": ("没有原因不能这样决定。", "This needs a reason."),
    "save": ("保存", "Save"),
    "cancel": ("取消", "Cancel"),
    "decided": ("已保存：{what}", "Saved: {what}"),
    "decided_already": ("已经有人核对过了：{who}", "Somebody has decided it: {who}"),
    "keys": ("键盘：A 确认，D 不予计入，N 下一条", "Keys: A approve, D decline, N next"),
    "looked_fine": ("核对过，没有问题", "looked at it, it is fine"),
    "default_rule": (
        "核对之前一律先计入。决定以后，原来的记录仍然保留。",
        "Until you decide it counts. What was recorded before is kept.",
    ),
    "other_state": ("更正为", "Change to"),
    # meals
    "meals_total": (
        "取餐 {served}，送达 {handed_over}，计入 {claimed}，不符 {differences} 处",
        "{served} served, {handed_over} handed over, {claimed} claimed, differences: {differences}",
    ),
    "no_meals": ("这一天没有取餐，也没有送餐记录。", "No meal was served or handed over on this day."),
    "whole_site_only": (
        "用餐要整个社区一起核对，您的账号只管其中一部分。",
        "Meals are compared for a whole site; your account has a part of it.",
    ),
    "ask_first": ("请先问清楚。不因此扣任何东西。", "Please ask first. Nothing is deducted for it."),
    "nobodys_card": ("没有刷卡", "nobody's card"),
    "meals_served": ("取餐", "served"),
    "meals_handed_over": ("送达", "handed over"),
    "meals_claimed": ("计入", "claimed"),
    "grams": ("{grams} 克", "{grams} g"),
    "meals_unweighed": ("没有重量 {count}", "without a weight: {count}"),
    "meals_confirmed": ("人工确认送达 {count}", "confirmed by a person: {count}"),
    "meals_shared_meals": ("同一处的另一餐 {count}", "second meal of a stop: {count}"),
    "meals_shared_visits": ("同一处的另一次 {count}", "second visit of a stop: {count}"),
    "meals_uncompared": ("无法核对 {count}", "cannot be compared: {count}"),
    # plan
    "week_of": ("{first} 起的一周", "Week of {first}"),
    "previous_week": ("上一周", "Week before"),
    "next_week": ("下一周", "Week after"),
    "no_plan": ("这一周没有计划。", "Nothing is planned in this week."),
    "no_plan_yet": (
        "还没有计划。请用 kanhu visits plan import 从表格导入。",
        "No plan yet. Import one from a spreadsheet: kanhu visits plan import",
    ),
    "exceptions": ("例外", "Exceptions"),
    "cancelled_day": ("取消", "cancelled"),
    "moved_to": ("改到 {window}", "moved to {window}"),
    "holiday": ("节假日：{name}", "Holiday: {name}"),
    "cancel_day": ("这天取消", "Cancel this day"),
    "undo": ("恢复", "Undo"),
    "why": ("原因", "Why"),
    "anybody": ("任何人", "anybody"),
}
WEEKDAYS: Final = (("一", "Mon"), ("二", "Tue"), ("三", "Wed"), ("四", "Thu"), ("五", "Fri"), ("六", "Sat"), ("日", "Sun"))


def say(key: str, language: str, **words: object) -> str:
    """The text of this key; unknown languages get Chinese."""
    text = TEXTS[key][language == "en"]
    return text.format(**words) if words else text


def of_browser(accepted: str) -> str:
    """From Accept-Language: English only where it is wanted more than Chinese."""
    for entry in accepted.lower().split(","):
        tag = entry.split(";")[0].strip()
        if tag.startswith("zh"):
            return "zh-CN"
        if tag.startswith("en"):
            return "en"
    return "zh-CN"


def other(language: str) -> str:
    """The one it is not."""
    return "zh-CN" if language == "en" else "en"
