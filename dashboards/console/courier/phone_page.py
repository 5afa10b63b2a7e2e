"""The page behind a tag's address. The same for every tag and courier: what is in the address stays on the phone."""

from typing import Final

from dashboards.console.courier import answers
from dashboards.console.courier.words import both
from dashboards.console.html import Html, tag

STATES: Final = (
    ("none", "no_tag", "no_tag_why"),
    ("odd", "odd_tag", "odd_tag_why"),
    ("recorded", "recorded", "recorded_why"),
    ("delivered", "delivered", "delivered_why"),
    ("refused", "tap_refused", "tap_refused_why"),
    ("not_kept", "not_kept", "not_kept_why"),
)


def show() -> str:
    """The page, in both languages; its script chooses."""
    head = (
        tag("link", rel="stylesheet", href=answers.static("courier.css")),
        tag("link", rel="stylesheet", href=answers.static("tap.css")),
        tag("script", src=answers.static("queue.js"), defer=True),
        tag("script", src=answers.static("tap.js"), defer=True),
    )
    body = tag(
        "main",
        tag("button", tag("span", "English", lang="zh-CN"), tag("span", "中文", lang="en"), type="button", id="language"),
        tag("h1", both("tap_title")),
        tag("noscript", tag("p", both("not_kept_why"), class_="notice")),
        tag("div", *(_state(*state) for state in STATES), id="state", data_state="none", role="status"),
        tag("p", both("already"), id="already", class_="explain", hidden=True),
        _where(),
        _who(),
        _lists(),
        _foot(),
    )
    return answers.document("打卡 Tap", "zh-CN", body, head)


def _state(name: str, title: str, why: str) -> Html:
    return tag("div", tag("p", both(title)), tag("p", both(why)), class_=name)


def _where() -> Html:
    buttons = (
        tag("button", both("where_yes"), type="button", id="where-yes"),
        tag("button", both("where_no"), type="button", id="where-no", class_="soft"),
    )
    return tag(
        "section",
        tag("h3", both("where_ask")),
        tag("p", both("where_why"), class_="facts"),
        tag("div", *buttons, class_="buttons"),
        id="where",
        hidden=True,
    )


def _who() -> Html:
    return tag(
        "form",
        tag("h3", both("who_are_you")),
        tag("label", both("who_why"), tag("input", id="code", autocomplete="off", autocapitalize="none", spellcheck="false")),
        tag("p", both("code_bad"), id="code-bad", class_="badge wait", hidden=True),
        tag(
            "div",
            tag("button", both("save"), type="submit"),
            tag("button", both("not_now"), type="button", id="not-now", class_="soft"),
            class_="buttons",
        ),
        id="who",
        hidden=True,
    )


def _lists() -> Html:
    spans = (
        tag("span", both("on_phone"), class_="waiting"),
        tag("span", both("delivered"), class_="delivered"),
        tag("span", both("tap_refused"), class_="refused"),
        tag("span", both("where_given"), class_="given"),
        tag("span", both("where_failed"), class_="failed"),
    )
    return tag(
        "section",
        tag("h2", both("waiting_taps")),
        tag("p", both("none_waiting"), id="none", class_="facts"),
        tag("ul", id="waiting", class_="taps"),
        tag("h2", both("recent_taps"), id="lately", hidden=True),
        tag("ul", id="gone", class_="taps"),
        tag("template", tag("li", tag("time"), *spans), id="row"),
    )


def _foot() -> Html:
    return tag(
        "footer",
        tag("p", tag("a", both("my_record"), id="record-link", href="/t"), id="record", hidden=True),
        tag("p", both("ready_offline"), id="offline-yes", class_="badge good", hidden=True),
        tag("p", both("not_ready_offline"), id="offline-no", class_="badge wait", hidden=True),
        tag(
            "div",
            tag("button", both("where_change"), type="button", id="where-change", class_="soft", hidden=True),
            tag("button", both("forget_phone"), type="button", id="forget", class_="soft", hidden=True),
            class_="buttons",
        ),
    )
