"""What a courier reads on his pages, in Chinese and English; reasons and states are in `edge_gateway.visits.words`."""

from datetime import date, datetime, timedelta
from typing import Final

from dashboards.console.html import Html, join, tag

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # my record
    "my_record": ("我的上门记录", "My visits"),
    "other_language": ("English", "中文"),
    "this_month": ("本月", "this month"),
    "last_month": ("上月", "last month"),
    "valid_until": (
        "此链接有效至 {when}。请勿转发: 有此链接的人都能看到你的记录。",
        "This link works until {when}. Do not pass it on: whoever has it sees your record.",
    ),
    "counted": ("已计入", "counted"),
    "counted_n": ("已计入的上门", "visits counted"),
    "undecided": ("尚未计入; 会有人决定", "not counted yet; a person decides"),
    "in_review_n": ("其中待核对", "of these in review"),
    "not_counted": ("未计入", "not counted"),
    "not_counted_n": ("未计入", "not counted"),
    "refused_n": ("未接受的打卡", "taps refused"),
    "counted_in_review": ("已计入; 会有人核对", "counted; a person will look at it"),
    "what_review_means": (
        "“待核对”: 这次上门已经计入, 之后由工作人员核对。机器不会扣除任何一次上门; 如有更改, 会写明是谁、何时、为什么。",
        "“In review”: the visit is counted, and a person will look at it. No machine takes a visit away; "
        "a change always says who, when and why.",
    ),
    "nothing_yet": ("这个月还没有记录。", "Nothing is recorded for this month yet."),
    "more": ("记录太多, 此处只显示最近 {n} 条。", "There are more; these are the last {n}."),
    "proof": ("证据", "proof"),
    "no_tap": ("没有打卡", "no tap"),
    "planned_at": ("计划 {window}", "planned {window}"),
    "refused_tap": ("未接受的打卡", "tap refused"),
    "not_yours": ("此打卡未计入你的上门", "this tap is in no visit of yours"),
    "kept": ("这次打卡没有丢, 已留存。", "It is not lost: it is kept."),
    "history": ("更正与申诉", "Corrections and objections"),
    "waiting": ("申诉已提交, 等待答复", "your objection is waiting for an answer"),
    "gateway": ("系统", "the system"),
    "you": ("你", "you"),
    "reason_is": ("原因", "why"),
    "object_to": ("有误? 申诉", "Not right? Object"),
    "your_words": ("请写明哪里不对", "What is not right"),
    "send": ("提交", "Send"),
    "missing": ("这里少了一次上门?", "Is a visit missing here?"),
    "missing_date": ("日期", "Date"),
    "missing_time": ("大约几点", "About when"),
    "missing_place": ("地点编号", "Place code"),
    "objection_sent": (
        "申诉已提交。会有人核对并答复, 答复会显示在这里。",
        "Your objection is with us. A person will look at it; the answer will be shown here.",
    ),
    "objection_kept": (
        "系统暂时联系不上, 申诉还没有提交。你写的内容在下面, 请稍后再按一次“提交”。",
        "The system cannot be reached just now; your objection has not been sent. Your words are below: press “Send” later.",
    ),
    "objection_bad": ("请写几个字说明 (最多 500 字)。", "Please say it in a few words (at most 500 characters)."),
    "objection_bad_date": (
        "请填写本月或上月的日期和地点编号。",
        "Please give a date of this or last month, and the place code.",
    ),
    "objection_refused": (
        "系统没有接受这条申诉, 请联系工作人员。",
        "The system did not take this objection; please speak to the staff.",
    ),
    "form_old": ("页面已过期, 请重新打开后再提交。", "This page is too old. Open it again and send it once more."),
    "too_often": (
        "打开次数太多, 请一分钟后再看。你的记录不受影响。",
        "Too many requests. Look again in a minute; your record is not affected.",
    ),
    "link_bad": ("此链接无效", "This link does not work"),
    "link_bad_why": (
        "链接可能已到期、已停用或不完整。请向工作人员要一个新链接。你的记录不受影响。",
        "It may have ended, been withdrawn, or be incomplete. Ask the staff for a new one. Your record is not affected.",
    ),
    "no_ledger": (
        "台账暂时打不开, 请稍后再看。你的记录不受影响。",
        "The ledger cannot be read just now. Look again later; your record is not affected.",
    ),
    "my_phone": ("这是我的手机", "This is my phone"),
    "my_phone_why": (
        "在这台手机上用它碰标签打卡时, 就知道是你。别人的手机请不要按。",
        "Taps that this phone makes at a tag are then yours. Do not press it on another person's phone.",
    ),
    "my_phone_done": ("已记住: 这台手机的打卡算你的。", "Remembered: this phone's taps are yours."),
    "my_phone_failed": ("这个浏览器存不下, 请换用 Chrome。", "This browser cannot keep it. Use Chrome."),
    "forget_phone": ("这不再是我的手机", "This is no longer my phone"),
    # phone tap
    "tap_title": ("手机打卡", "Tap by phone"),
    "recorded": ("已记录", "Recorded"),
    "recorded_why": (
        "已存在这台手机里, 有网络时自动送出。你可以走了。",
        "It is kept on this phone and goes out by itself when there is a network. You can go.",
    ),
    "delivered": ("已送到", "Delivered"),
    "delivered_why": ("系统已收到这次打卡。", "The system has this tap."),
    "already": ("这次打卡之前已记录", "This tap was recorded before"),
    "tap_refused": ("已送到, 请联系工作人员", "Delivered; please speak to the staff"),
    "tap_refused_why": (
        "系统收到了, 但读不懂这次打卡。请告诉工作人员。",
        "The system has it but cannot read it. Please tell the staff.",
    ),
    "not_kept": ("没有存下", "Not kept"),
    "not_kept_why": (
        "这个浏览器不能保存, 也没有送到。请用 Chrome 打开, 或在读卡器上打卡, 并告诉工作人员。",
        "This browser cannot keep it, and it was not delivered. Use Chrome, or tap at the reader, and tell the staff.",
    ),
    "no_tag": ("把手机靠近墙上的标签", "Hold the phone to the tag on the wall"),
    "no_tag_why": (
        "手机会打开此页面并记录打卡, 没有网络也可以。",
        "The phone opens this page and records the tap, also without a network.",
    ),
    "odd_tag": ("这不是我们的标签", "This is not one of our tags"),
    "odd_tag_why": (
        "地址里没有标签的内容。请再靠近标签一次。",
        "The address has nothing of a tag in it. Hold the phone to the tag once more.",
    ),
    "ready_offline": ("没有网络也能打卡", "Works without a network"),
    "not_ready_offline": (
        "这个浏览器没有网络时打不开此页面, 请改用 Chrome",
        "Without a network this browser cannot open this page; use Chrome",
    ),
    "who_are_you": ("你是谁?", "Who are you?"),
    "who_why": (
        "贴上你的个人链接, 或输入链接最后的那串编号。只需一次。",
        "Paste your personal link, or type the code at its end. Once only.",
    ),
    "save": ("记住", "Remember"),
    "not_now": ("先不填", "Not now"),
    "code_bad": ("编号不完整, 请再看一下链接。", "The code is not complete; look at the link again."),
    "where_ask": ("附上这次的位置?", "Send where you are?"),
    "where_why": (
        "只在打卡时取一次位置, 不跟踪。不附也可以, 打卡一样有效。",
        "One position at the tap only, no tracking. You need not: the tap is just as good.",
    ),
    "where_yes": ("每次打卡附一次", "Yes, once at each tap"),
    "where_no": ("不附", "No"),
    "where_change": ("更改位置设置", "Change what is sent about where I am"),
    "where_given": ("已附位置", "with position"),
    "where_refused": ("未附位置", "without position"),
    "where_failed": ("没有取到位置", "no position found"),
    "waiting_taps": ("还在手机里的打卡", "Taps still on this phone"),
    "none_waiting": ("没有, 都已送到。", "None: all are delivered."),
    "recent_taps": ("最近送到的", "Delivered lately"),
    "on_phone": ("在手机里, 待送出", "on this phone, still to be sent"),
    # desk
    "desk_title": ("我的记录", "My record"),
    "desk_how": (
        "把你的卡在读卡器上连续碰两次, 这里显示你的记录 30 秒。",
        "Tap your card twice at the reader: your record is shown here for 30 seconds.",
    ),
    "desk_weak": (
        "这张卡只有编号, 谁都能复制, 所以这里不显示记录。请用你的个人链接。",
        "This card has only a number that anybody can copy, so no record is shown. Use your personal link.",
    ),
    "desk_away": ("暂时读不到台账。打卡照常记录。", "The ledger cannot be read just now. Taps are recorded all the same."),
    "desk_none": ("没有设置前台读卡器 ([console] desk_readers)。", "No desk reader is set ([console] desk_readers)."),
    "desk_gone": ("本页马上自动关闭", "This goes away by itself"),
    "last_visits": ("最近 20 次", "Last 20 visits"),
}

_DAYS: Final = (
    ("周一", "Mon"),
    ("周二", "Tue"),
    ("周三", "Wed"),
    ("周四", "Thu"),
    ("周五", "Fri"),
    ("周六", "Sat"),
    ("周日", "Sun"),
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def column(language: str) -> int:
    """0 Chinese, 1 English."""
    return 1 if language.lower().startswith("en") else 0


def text(key: str, language: str, **values: object) -> str:
    """One text in one language, its places filled in."""
    return TEXTS[key][column(language)].format(**values)


def both(key: str) -> Html:
    """One text in both languages; the style sheet shows that of the page."""
    chinese, english = TEXTS[key]
    return join([tag("span", chinese, lang="zh-CN"), tag("span", english, lang="en")])


def clock(at: datetime) -> str:
    """14:05."""
    return f"{at:%H:%M}"


def day(on: date, language: str) -> str:
    """11月21日 周六, or Sat 21 Nov."""
    name = _DAYS[on.weekday()][column(language)]
    return f"{name} {on.day} {_MONTHS[on.month - 1]}" if column(language) else f"{on.month}月{on.day}日 {name}"


def moment(at: datetime, now: datetime, language: str) -> str:
    """今天 14:05, 昨天 22:10, 11月20日 08:30."""
    ago = now.date() - at.date()
    if timedelta(0) <= ago <= timedelta(days=1):
        words = (("今天", "today"), ("昨天", "yesterday"))[ago.days]
        return f"{words[column(language)]} {clock(at)}"
    plain = f"{at.day} {_MONTHS[at.month - 1]}" if column(language) else f"{at.month}月{at.day}日"
    return f"{plain} {clock(at)}"


def month(first: date, language: str) -> str:
    """11月, or Nov."""
    return _MONTHS[first.month - 1] if column(language) else f"{first.month}月"


def preferred(accept: str) -> str:
    """The first of our languages that a browser's Accept-Language names; Chinese where it names none."""
    for part in accept.lower().split(","):
        name = part.partition(";")[0].strip()
        if name.startswith("zh"):
            return "zh-CN"
        if name.startswith("en"):
            return "en"
    return "zh-CN"
