"""What persons do to the ledger: decide about visits, change the plan, revoke a card. Each is one transaction, told by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from edge_gateway.errors import Rejected
from edge_gateway.visits import codec, corrections, judge, plan
from edge_gateway.visits.calendar import days
from edge_gateway.visits.ledger import Ledger
from edge_gateway.visits.look import subject
from edge_gateway.visits.records import Card, Correction, Grade, JudgedTap, Plan, PlanException, Reason, Ruling, State, Visit
from edge_gateway.visits.visit_book import CLAIM, Touched

Row = Mapping[str, object]
R = TypeVar("R")

_DAY_NS: Final = 86_400 * 10**9
# A new line of the plan is matched with what was tapped so many days before it was written down.
_LATE_PLAN: Final = timedelta(days=31)
_CLAIM_DAYS: Final = 62  # as far back as somebody may say that a visit is missing
_LATE_NS: Final = 40 * _DAY_NS  # what a reader may have kept; older taps are not looked at when a card is revoked
_PROBLEMS: Final = 20


class Actions:
    """Lives in the ledger's thread. `by` is checked by who calls."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._book = ledger.book

    # --- visits

    def decide(self, site: str, visit: str, by: str, action: str, reason: str, changes: Mapping[str, Any]) -> tuple[int, Visit]:
        """A person's word about a visit: its number in the chain, and the visit after it.

        Raises:
            Rejected: `unknown_visit`, `bad_correction`.
        """
        corrections.check(action, reason, changes)
        found = self._visit(site, visit)
        with self._book.transaction():
            n = self._say(found.id, found.site, found.place, found.date, action, by, reason, changes)
            changed = self._derive({(site, found.place, found.date)})
        return n, next((one for one in changed if (one.site, one.id) == (site, visit)), found)

    def object(self, site: str, visit: str, courier: str, text: str) -> tuple[int, Visit]:
        """A courier does not agree. Raises as `decide`, and Rejected: `not_yours`."""
        found = self._visit(site, visit)
        if found.courier not in ("", courier):
            raise Rejected("not_yours", "this visit is another courier's")
        return self.decide(site, visit, courier, corrections.OBJECT, text, {})

    def miss(self, site: str, courier: str, day: str, place: str, text: str, service: str) -> tuple[int, Visit]:
        """A courier says that a visit is missing: it is put before a person, and counts when he confirms it.

        Raises:
            Rejected: `bad_correction`, `bad_argument`.
        """
        corrections.check(corrections.OBJECT, text, {})
        today = date.fromisoformat(self._today(site))
        try:
            age = (today - date.fromisoformat(day)).days
        except ValueError:
            age = -1
        if not 0 <= age <= _CLAIM_DAYS:
            raise Rejected("bad_argument", f"date is {day[:20]!r}; a day of the last two months, such as {today}")
        with self._book.transaction():
            claim = f"{CLAIM}{self._book.n + 1}"
            n = self._say(claim, site, place, day, corrections.OBJECT, courier, text, {"service": service} if service else {})
            changed = self._derive({(site, place, day)})
        return n, next(one for one in changed if one.id == claim)

    def _say(
        self, visit: str, site: str, place: str, day: str, action: str, by: str, reason: str, changes: Mapping[str, Any]
    ) -> int:
        said = Correction(self._book.n + 1, visit, self._book.clock_ns(), action, by, reason, dict(changes))
        self._book.write(
            "correction", subject(site, visit), by, {**codec.plain(said), "site": site, "place": place, "date": day}
        )
        self._book.db.execute(
            "INSERT INTO correction (n, site, visit, place, date, body) VALUES (?, ?, ?, ?, ?, ?)",
            (said.n, site, visit, place, day, codec.pack(said)),
        )
        return said.n

    def _visit(self, site: str, visit: str) -> Visit:
        row = self._book.db.execute("SELECT body FROM visit WHERE site = ? AND id = ?", (site, visit)).fetchone()
        if row is None:
            raise Rejected("unknown_visit", f"there is no visit {visit[:80]!r} at {site}; `kanhu visits list` shows them")
        return codec.unpack_visit(row[0])

    # --- the plan

    def plan(self, site: str, by: str, rows: Sequence[Row], replace_all: bool) -> dict[str, int]:
        """New and changed lines, all or none of them; with `replace_all` others leave the plan today.

        Raises:
            Rejected: `bad_plan`, with the problems of all rows.
        """
        lines: list[Plan] = _checked(rows, site, plan.check, "bad_plan")
        today = self._today(site)
        with self._book.transaction():
            before = {line.id: line for line in self._lines(site)}
            touched: Touched = set()
            saved = [line for line in lines if self._ledger.calendar.put(line, by, today)]
            removed = sorted(before.keys() - {line.id for line in lines}) if replace_all else []
            for plan_id in removed:
                self._ledger.calendar.remove(site, plan_id, by, today)
            for line in (*saved, *(before[line.id] for line in saved if line.id in before), *(before[one] for one in removed)):
                touched |= self._late(line, today, new=line.id not in before)
            self._derive(touched)
        return {"saved": len(saved), "unchanged": len(lines) - len(saved), "removed": len(removed)}

    def plan_remove(self, site: str, ids: Iterable[str], by: str) -> int:
        """Take lines out from today on; how many there were."""
        today = self._today(site)
        with self._book.transaction():
            gone = [line for one in ids if (line := self._ledger.calendar.remove(site, one, by, today)) is not None]
            self._derive({(site, line.place, today) for line in gone})
        return len(gone)

    def exceptions(self, site: str, by: str, rows: Sequence[Row], remove: Sequence[str]) -> dict[str, int]:
        """Days that are different. Raises Rejected: `bad_exception`."""
        wanted: list[PlanException] = _checked(rows, site, plan.check_exception, "bad_exception")
        with self._book.transaction():
            touched: Touched = set()
            for one in wanted:
                touched |= self._expected_on(site, one.date)
                self._book.db.execute(
                    "INSERT INTO exception (site, id, date, body) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (site, id) DO UPDATE SET date = excluded.date, body = excluded.body",
                    (site, one.id, one.date, codec.pack(one)),
                )
                self._book.write("exception", subject(site, one.id), by, codec.plain(one))
            gone = [one for one in remove if self._remove_exception(site, one, by, touched)]
            self._ledger.calendar.forget()
            for one in wanted:
                touched |= self._expected_on(site, one.date)
            self._derive(touched, fill=True)
        return {"saved": len(wanted), "removed": len(gone)}

    def _remove_exception(self, site: str, exception: str, by: str, touched: Touched) -> bool:
        row = self._book.db.execute("SELECT date FROM exception WHERE site = ? AND id = ?", (site, exception)).fetchone()
        if row is None:
            return False
        touched |= self._expected_on(site, row[0])
        self._book.db.execute("DELETE FROM exception WHERE site = ? AND id = ?", (site, exception))
        self._book.write("exception_removed", subject(site, exception), by, {"date": row[0]})
        return True

    def holidays(self, site: str, by: str, dates: Mapping[str, str]) -> int:
        """Name days as holidays; a name of "" takes one away.

        Raises:
            Rejected: `bad_argument`, a date is none.
        """
        for day in dates:
            try:
                date.fromisoformat(day)
            except ValueError:
                raise Rejected("bad_argument", f"{day[:20]!r} is no date such as 2026-10-01") from None
        with self._book.transaction():
            touched = {key for day in dates for key in self._expected_on(site, day)}
            for day, name in sorted(dates.items()):
                self._book.db.execute("DELETE FROM holiday WHERE site = ? AND date = ?", (site, day))
                if name:
                    self._book.db.execute("INSERT INTO holiday (site, date, name) VALUES (?, ?, ?)", (site, day, name))
                self._book.write("holiday", subject(site, day), by, {"date": day, "name": name})
            self._ledger.calendar.forget()
            touched |= {key for day in dates for key in self._expected_on(site, day)}
            self._derive(touched, fill=True)
        return len(dates)

    def _lines(self, site: str) -> list[Plan]:
        rows = self._book.db.execute("SELECT body FROM plan WHERE site = ? AND until_date = ''", (site,))
        return [codec.unpack_plan(body) for (body,) in rows]

    def _late(self, line: Plan, today: str, new: bool) -> Touched:
        """Days to derive again: today, and for a new line the last ones on which something is known of the place."""
        touched = {(line.site, line.place, today)}
        if new:
            since = max(line.first, (date.fromisoformat(today) - _LATE_PLAN).isoformat())
            rows = self._book.db.execute(
                "SELECT DISTINCT date FROM visit WHERE site = ? AND place = ? AND date BETWEEN ? AND ?",
                (line.site, line.place, since, today),
            )
            touched |= {(line.site, line.place, day) for (day,) in rows}
        # A tap at another door may have been meant for this line, or not any more.
        since = (date.fromisoformat(today) - _LATE_PLAN).isoformat() if new else today
        states = State.WRONG_PLACE, State.UNPLANNED
        return touched | self._ledger.visits.elsewhere(line.site, line.courier, since, today, states)

    def _expected_on(self, site: str, day: str) -> Touched:
        """Places of a day that is not in the future: one that is will be derived when it comes."""
        if day > self._today(site):
            return set()
        there = self._book.db.execute("SELECT DISTINCT place FROM visit WHERE site = ? AND date = ?", (site, day))
        places = {place for (place,) in there} | set(self._ledger.calendar.places(site, day))
        return {(site, place, near) for place in places for near in days(day, day)}

    # --- cards

    def revoke(self, card_id: str, by: str, reason: str, since_ns: int | None) -> Card:
        """A card is lost: taps that came since are put before a person. Raises Rejected: `unknown_card`."""
        card = self._ledger.cards.get(card_id)
        now_ns = self._book.clock_ns()
        with self._book.transaction():
            card = self._ledger.cards.revoke(card, min(since_ns if since_ns is not None else now_ns, now_ns), reason, by)
            assert card.revoked_ns is not None
            self._derive(self._since_revoked(card, card.revoked_ns))
        return card

    def _since_revoked(self, card: Card, since_ns: int) -> Touched:
        touched: Touched = set()
        rows = self._book.db.execute(
            "SELECT t.body FROM fact f JOIN tap t ON t.id = f.tap WHERE f.chip = ? AND f.time_ns >= ?",
            (self._ledger.cards.chip(card.id), since_ns - _LATE_NS),
        ).fetchall()
        for (body,) in rows:
            old = codec.unpack_judged(body)
            if old.evidence.card is None or old.evidence.card.id != card.id:
                continue
            if judge.after_revocation(old.tap, card, self._ledger.rules):
                touched |= self._ledger.think_again(_looked_at(old, Reason.REVOKED_CARD), old, "doubt", "card revoked")
        return touched

    def live(self, tap_id: str, ok: bool, sign: Reason | None, worst_ms: int) -> None:
        """How the question to the card ended that made a tap: proved that it was there, or a sign against it."""
        row = self._book.db.execute("SELECT body FROM tap WHERE id = ?", (tap_id,)).fetchone()
        if row is None or not (ok or sign):
            return
        old = codec.unpack_judged(row[0])
        new = old
        if ok and old.judgement.ruling in (Ruling.COUNTED, Ruling.REVIEW):
            new = replace(
                old,
                evidence=replace(old.evidence, live=True, grade=Grade.STRONG),
                judgement=replace(old.judgement, grade=Grade.STRONG),
            )
        if sign is not None:
            new = _looked_at(new, sign)
        with self._book.transaction():
            self._derive(
                self._ledger.think_again(new, old, "live", f"{'answered' if ok else 'did not prove it'}, {worst_ms} ms")
            )

    def _derive(self, touched: Touched, fill: bool = False) -> list[Visit]:
        return self._ledger.visits.derive(touched, self._book.clock_ns(), fill=fill)

    def _today(self, site: str) -> str:
        return self._ledger.calendar.date_of(site, self._book.clock_ns())


def _looked_at(judged: JudgedTap, reason: Reason) -> JudgedTap:
    """The tap under review for one more reason; a refused one stays refused."""
    old = judged.judgement
    if old.ruling not in (Ruling.COUNTED, Ruling.REVIEW) or reason in old.reasons:
        return judged
    return replace(judged, judgement=replace(old, ruling=Ruling.REVIEW, reasons=(*old.reasons, reason)))


def _checked(rows: Sequence[Row], site: str, check: Callable[[Row], R], word: str) -> list[R]:
    """All rows, or all problems at once."""
    found: list[R] = []
    problems: list[str] = []
    ids: set[object] = set()
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            problems.append(f"row {number} is {str(row)[:40]!r} and no object")
            continue
        try:
            if row.get("site", site) not in ("", None, site):
                raise Rejected(word, f"it is of site {str(row.get('site'))[:40]!r}, not {site}")
            if row.get("id") in ids:
                raise Rejected(word, f"id {str(row.get('id'))[:40]!r} is there twice")
            ids.add(row.get("id"))
            found.append(check({**row, "site": site}))
        except Rejected as error:
            problems.append(f"row {number}: {error.detail}")
    if problems:
        more = f"; and {len(problems) - _PROBLEMS} more" if len(problems) > _PROBLEMS else ""
        raise Rejected(word, "; ".join(problems[:_PROBLEMS]) + more)
    return found
