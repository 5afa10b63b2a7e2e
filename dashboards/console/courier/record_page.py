"""How a courier's record looks: a month, day by day, with a form to object under each visit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from dashboards.console.courier import answers
from dashboards.console.courier.month import OBJECT, Month, Row, Word, first_of_month, last_of_month
from dashboards.console.courier.parts import cause, numbers, reasons, visit_head
from dashboards.console.courier.ports import LANGUAGES, Local
from dashboards.console.courier.words import clock, column, day, moment, month, text
from dashboards.console.html import Html, join, tag
from edge_gateway.visits import words as spoken
from edge_gateway.visits.look import CourierLink
from edge_gateway.visits.records import JudgedTap, Reason, Ruling

LONGEST_WORDS = 500


@dataclass(frozen=True)
class Draft:
    """An objection that could not be taken: what was typed is shown again."""

    visit: str = ""
    text: str = ""
    date: str = ""
    time: str = ""
    place: str = ""


@dataclass(frozen=True)
class Record:
    """Everything the page shows.

    Attributes:
        csrf: what each form carries.
        rows: the month's visits with what was said about them.
        notice: key of a text to show above.
    """

    link: CourierLink
    token: str
    csrf: str
    month: Month
    rows: Sequence[Row]
    notice: str = ""
    draft: Draft | None = None


def show(record: Record, local: Local, language: str) -> str:
    """The page."""
    now = local.now()
    body = [
        _header(record, now.date(), language),
        tag("p", text(record.notice, language), class_="notice", role="status") if record.notice else "",
        numbers(record.month.totals, language),
        tag("p", text("what_review_means", language), class_="explain"),
        _days(record, local, language),
        tag("p", text("more", language, n=len(record.rows)), class_="explain") if record.month.cut else "",
        _missing(record, local, language),
        _this_phone(language),
        tag("p", text("valid_until", language, when=moment(local.time(record.link.until_ns), now, language)), class_="explain"),
    ]
    head = (
        tag("link", rel="stylesheet", href=answers.static("courier.css")),
        tag("script", src=answers.static("queue.js"), defer=True),
        tag("script", src=answers.static("me.js"), defer=True),
    )
    return answers.document(text("my_record", language), language, tag("main", *body), head)


def show_bad_link(language: str) -> str:
    """The one answer to every link that does not work, whatever is wrong with it."""
    return plain(text("link_bad", language), text("link_bad_why", language), language)


def plain(title: str, words: str, language: str) -> str:
    """A page that only says something."""
    head = (tag("link", rel="stylesheet", href=answers.static("courier.css")),)
    return answers.document(title, language, tag("main", tag("h1", title), tag("p", words)), head)


def _header(record: Record, today: date, language: str) -> Html:
    other = LANGUAGES[1 - column(language)]
    shown = f"{record.month.first:%Y-%m}"
    months = (("this_month", first_of_month(today)), ("last_month", first_of_month(today, 1)))
    links = (
        tag("a", f"{text(key, language)} · {month(first, language)}", href=f"?m={first:%Y-%m}&lang={language}",
            aria_current="page" if first == record.month.first else None)
        for key, first in months
    )  # fmt: skip
    return tag(
        "header",
        tag("a", text("other_language", language), href=f"?m={shown}&lang={other}", class_="language", lang=other),
        tag("h1", text("my_record", language)),
        tag("p", record.link.courier, class_="who"),
        tag("nav", *links),
    )


def _days(record: Record, local: Local, language: str) -> Html:
    rows: list[tuple[str, int, Html]] = [
        (row.visit.date, row.visit.start_ns or row.visit.opens_ns, _visit(row, record, local, language)) for row in record.rows
    ]
    rows += [
        (f"{local.time(tap.tap.time_ns):%Y-%m-%d}", tap.tap.time_ns, _stray(tap, local, language))
        for tap in record.month.strays
    ]
    if not rows:
        return tag("p", text("nothing_yet", language), class_="explain")
    rows.sort(key=lambda row: row[:2], reverse=True)
    days = groupby(rows, key=lambda row: row[0])
    return join(
        [
            tag("section", tag("h2", day(date.fromisoformat(on), language)), *(html for _, _, html in group))
            for on, group in days
        ]
    )


def _visit(row: Row, record: Record, local: Local, language: str) -> Html:
    visit = row.visit
    draft = record.draft if record.draft is not None and record.draft.visit == visit.id else None
    return tag(
        "article",
        visit_head(row, local, language),
        tag("p", visit.comment, class_="comment") if _own_comment(row) else "",
        _history(row.words, record.link.courier, local, language),
        tag("p", text("waiting", language), class_="badge wait") if row.waits else "",
        tag(
            "details",
            tag("summary", text("object_to", language)),
            _form(record, language, _words(draft.text if draft else "", language), visit=visit.id),
            open=draft is not None,
        ),
        class_="visit" if visit.counted else "visit off",
        data_visit=visit.id,
    )


def _own_comment(row: Row) -> bool:
    """Whether the comment says something that is not said below already, or was said by somebody else for the staff alone."""
    return bool(row.visit.comment) and all(row.visit.comment != word.reason for word in row.words)


def _stray(tap: JudgedTap, local: Local, language: str) -> Html:
    refused = tap.judgement.ruling is Ruling.REFUSED
    return tag(
        "article",
        tag(
            "p",
            tag("b", clock(local.time(tap.tap.time_ns)), class_="time"),
            " ",
            tag("span", tap.tap.place, class_="place"),
            tag("span", text("refused_tap" if refused else "not_yours", language), class_="badge off"),
            class_="line",
        ),
        reasons(tap.judgement.reasons, language),
        tag("p", text("kept", language), " ", tag("a", text("object_to", language), href="#missing"), class_="facts"),
        class_="tap off",
    )


def _history(words: Iterable[Word], courier: str, local: Local, language: str) -> Html:
    """Who, when, why; another courier's words are not for this one's eyes."""
    lines = [_said(word, courier, local, language) for word in words if word.action != OBJECT or word.by == courier]
    if not lines:
        return join([])
    return tag("div", tag("h3", text("history", language)), tag("ul", *lines), class_="history")


def _said(word: Word, courier: str, local: Local, language: str) -> Html:
    by = text("you", language) if word.by == courier else text("gateway", language) if word.by == "gateway" else word.by
    at = moment(local.time(word.at_ns), local.now(), language)
    why = cause(Reason(word.reason), language) if word.reason in set(Reason) else word.reason
    return tag("li", tag("b", spoken.action(word.action, language)), f" · {by} · {at}", tag("q", why) if why else "")


def _missing(record: Record, local: Local, language: str) -> Html:
    draft = record.draft if record.draft is not None and not record.draft.visit else None
    typed = draft or Draft()
    fields = [
        _field("date", text("missing_date", language), typed.date, type="date", required=True,
               min=f"{first_of_month(local.now().date(), 1)}", max=f"{last_of_month(local.now().date().replace(day=1))}"),
        _field("time", text("missing_time", language), typed.time, type="time"),
        _field("place", text("missing_place", language), typed.place, maxlength=64, required=True, autocapitalize="off"),
        _words(typed.text, language),
    ]  # fmt: skip
    entry = _form(record, language, join(fields), visit="")
    summary = tag("summary", text("missing", language))
    return tag("details", summary, entry, open=draft is not None, class_="missing", id="missing")


def _form(record: Record, language: str, fields: Html, visit: str) -> Html:
    hidden = {"csrf": record.csrf, "visit": visit, "lang": language, "m": f"{record.month.first:%Y-%m}"}
    return tag(
        "form",
        *(tag("input", type="hidden", name=name, value=value) for name, value in hidden.items()),
        fields,
        tag("button", text("send", language), type="submit"),
        method="post",
        action=f"/me/{record.token}",
        autocomplete="off",
    )


def _field(name: str, label: str, value: str, **attributes: str | int | bool) -> Html:
    return tag("label", label, tag("input", name=name, value=value, **attributes))


def _words(value: str, language: str) -> Html:
    area = tag("textarea", value, name="text", maxlength=LONGEST_WORDS, rows=3, required=True)
    return tag("label", text("your_words", language), area)


def _this_phone(language: str) -> Html:
    """Shown by the script; what it does is in `static/me.js`."""
    return tag(
        "section",
        tag("button", text("my_phone", language), type="button", id="my-phone"),
        tag("p", text("my_phone_why", language), class_="facts"),
        tag("p", text("my_phone_done", language), id="my-phone-done", class_="badge good", hidden=True),
        tag("p", text("my_phone_failed", language), id="my-phone-failed", class_="badge wait", hidden=True),
        class_="phone",
        id="phone",
        hidden=True,
    )
