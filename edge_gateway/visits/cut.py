"""Cuts the beginning off the ledger when its time is over: visits, taps and the links of the chain that tell of them.

The last link of what went stays and holds the rest: every month after it is proved as before. That a card's counter was used
stays too, without where and when, for a recorded code must never count again.
"""

from datetime import UTC, datetime
from typing import Final

from edge_gateway.visits.book import GATEWAY, Book

_DAY_NS: Final = 86_400 * 10**9
AT_ONCE: Final = 20_000  # links in one transaction; taps wait for it
_BY_DATE: Final = ("tap", "visit", "correction", "served", "exception")


def cut(book: Book, now_ns: int, days: int) -> dict[str, int]:
    """Delete what is older than so many days, at most some thousands of links; how many rows of each kind, `log` of links.

    Raises:
        Unavailable: the disk; nothing of it happened.
    """
    before_ns = (now_ns // _DAY_NS - days) * _DAY_NS  # whole days, or every hour would leave a link that says what went
    before = datetime.fromtimestamp(before_ns // 10**9, UTC).date().isoformat()
    with book.transaction():
        last = _last(book, before_ns, before)
        gone = {table: book.db.execute(f"DELETE FROM {table} WHERE date < ?", (before,)).rowcount for table in _BY_DATE}
        book.db.execute("DELETE FROM visit_tap WHERE NOT EXISTS (SELECT 1 FROM tap WHERE tap.id = visit_tap.tap)")
        book.db.execute("DELETE FROM plan WHERE until_date <> '' AND until_date < ?", (before,))
        book.db.execute("DELETE FROM outage WHERE to_ns < ?", (before_ns,))
        book.db.execute("DELETE FROM personal_link WHERE until_ns < ?", (before_ns,))
        book.db.execute(
            "UPDATE fact SET tap = '', site = '', device = '', place = '', boot = 0, seq = 0, time_ns = 0"
            " WHERE time_ns < ? AND time_ns > 0",
            (before_ns,),
        )
        gone["log"] = book.db.execute("DELETE FROM log WHERE n < ?", (last,)).rowcount
        if any(gone.values()):
            book.write("cut", before, GATEWAY, {"links": gone["log"], "visits": gone["visit"], "taps": gone["tap"]})
    for forget in book.forget:
        forget()
    return gone


def _last(book: Book, before_ns: int, before: str) -> int:
    """The link that holds the rest: older than that, told to the database, and before all of each visit that stays."""
    one = "SELECT min(n) FROM log WHERE at_ns >= ?"
    (fresh,) = book.db.execute(one, (before_ns,)).fetchone()
    (begun,) = book.db.execute("SELECT min(first_n) FROM visit WHERE date >= ?", (before,)).fetchone()
    (first,) = book.db.execute("SELECT min(n) FROM log").fetchone()
    told = book.meta("told_upto")
    # Times of the links rise but where somebody set the clock back; then more stays than has to.
    last = min(n for n in (fresh, begun, book.n + 1) if n is not None) - 1
    if told is not None:
        last = min(last, int(told))
    return min(last, (first or 1) + AT_ONCE)
