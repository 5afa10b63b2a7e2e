"""Meals of the counters, beside the taps they stand on: written anew when a tap is judged again; used within a transaction."""

from edge_gateway.visits import codec, served
from edge_gateway.visits.book import GATEWAY, Book
from edge_gateway.visits.calendar import Calendar
from edge_gateway.visits.records import JudgedTap, Served


class MealBook:
    """The table of meals. Each state of one is an entry of the chain: kind `served`, or `served_gone` with what was there."""

    def __init__(self, book: Book, calendar: Calendar) -> None:
        self._book = book
        self._calendar = calendar

    def write(self, judged: JudgedTap) -> None:
        """What the tap of a counter is by its newest judgement; nothing when that is what stands there."""
        meal = served.served(judged, self._calendar.zone(judged.tap.site))
        row = self._book.db.execute("SELECT body FROM served WHERE tap = ?", (judged.tap.id,)).fetchone()
        before = codec.unpack_served(row[0]) if row else None
        if meal == before:
            return
        if before is not None and (meal is None or meal.date != before.date):
            self._book.write("served_gone", served.subject(before), GATEWAY, codec.plain(before))
            self._book.db.execute("DELETE FROM served WHERE tap = ?", (before.tap,))
        if meal is not None:
            self._save(meal)

    def _save(self, meal: Served) -> None:
        self._book.write("served", served.subject(meal), GATEWAY, codec.plain(meal))
        self._book.db.execute(
            "INSERT OR REPLACE INTO served (tap, site, place, holder, date, time_ns, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (meal.tap, meal.site, meal.place, meal.holder, meal.date, meal.time_ns, codec.pack(meal)),
        )
