"""All that is kept about one home and who lives there, in one archive: tables, and a page that explains them."""

import csv
import io
import json
import os
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_gateway import alerts, commands
from edge_gateway.errors import KanhuError, Rejected, Unavailable
from edge_gateway.homes.home import unpack_home, unpack_past
from edge_gateway.privacy.raw import opened
from edge_gateway.privacy.subject import Subject
from edge_gateway.settings import Settings
from edge_gateway.store_file import read_only
from edge_gateway.visits import codec
from edge_gateway.visits.look import open_ledger
from ingest.cells import guard, written
from ingest.export import WINDOW_NS
from ingest.query import open_reader
from ingest.rows import ROLLED, Reader, Row
from ingest.tables import TABLES, Kind, Table, iso, table_rows

_SERIES: Final = ("device", "channel", "kind")
_EXPLAINED: Final = """\
{place}: 保存的全部资料 / all that is kept

readings.csv, events.csv, losses.csv, statuses.csv  设备读数和事件 / what the devices told
silence.csv         每分钟: 设备和读数多久没有消息, 住家是否外出或暂停 / each minute: how silent, who was away
sums.csv            每小时、每天的汇总 / hourly and daily sums
alerts.csv, alerts_in_words.csv  告警及处理经过 / alerts and who dealt with them
home_log.csv        谁看过、谁改过 / who looked and who changed something
home.json           系统学到的作息、暂停、知情同意 / what was learned, pauses, consent
visits.csv          上门服务 / visits and services
waiting.csv         未能识别的消息 / messages that could not be taken in
name.json           姓名、电话、地址 / name, telephone, address

时间为 UTC。 Times are UTC. What a database's own backup holds is not in here.
"""
Counts = dict[str, int]


@dataclass
class _Archive:
    """The file that is being written."""

    zip: zipfile.ZipFile
    counts: Counts

    def table(self, name: str, titles: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """A CSV for spreadsheets: UTF-8 with a mark, CRLF."""
        self.counts[name] = 0
        with self.zip.open(name, "w") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
            writer = csv.writer(text, lineterminator="\r\n")
            writer.writerow(titles)
            for row in rows:
                writer.writerow(row)
                self.counts[name] += 1

    def tree(self, name: str, value: Any) -> None:
        """JSON."""
        self.counts[name] = len(value)
        self.zip.writestr(name, json.dumps(value, ensure_ascii=False, indent=1, default=str))


def export(settings: Settings, subject: Subject, file: Path, by: str) -> Counts:
    """Write everything into a new file, mode 0600; rows of each table. That the name was looked at is written down.

    Raises:
        Unavailable, Misconfigured: something cannot be read; then there is no file, for half would be taken for all.
    """
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    counts: Counts = {}
    try:
        with (
            os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as out,
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            to = _Archive(archive, counts)
            archive.writestr("README.txt", _EXPLAINED.format(place=subject.place))
            _from_database(settings, subject, to)
            _from_store(settings, subject, to)
            _from_ledger(settings, subject, to)
            to.tree("name.json", _names(settings, subject, by))
        _looked(settings, subject, by)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return counts


def _from_database(settings: Settings, subject: Subject, to: _Archive) -> None:
    if not settings.influx.url and not settings.readings_file.exists():
        return
    reader = open_reader(settings)
    try:
        for kind in (Kind.READINGS, Kind.SILENCE, Kind.EVENTS, Kind.LOSSES, Kind.STATUSES, Kind.ALERTS):
            table = TABLES[kind]
            to.table(f"{kind.value}.csv", table.columns, _cells(reader, table, subject))
        rows = (
            (iso(row.time_ns), measurement, *(row.tags.get(tag, "") for tag in _SERIES), name, value)
            for measurement in ROLLED
            for row in _rows(reader, measurement, subject)
            for name, value in row.fields.items()
        )
        to.table("sums.csv", ("time", "of", *_SERIES, "what", "value"), rows)
    finally:
        reader.close()


def _cells(reader: Reader, table: Table, subject: Subject) -> Iterator[list[Any]]:
    types = tuple(table.columns.values())
    for measurement in table.measurements:
        for row in _rows(reader, measurement, subject):
            for cells in table_rows(table, row):
                yield [written(cell, column) for cell, column in zip(cells, types, strict=True)]


def _rows(reader: Reader, measurement: str, subject: Subject) -> Iterator[Row]:
    """Of this place alone, week by week."""
    span = reader.span(measurement)
    start, end = (span[0], span[1] + 1) if span else (0, 0)
    while start < end:
        stop = min(end, start - start % WINDOW_NS + WINDOW_NS)
        for row in reader.rows(measurement, start, stop, subject.site):
            if row.tags.get("place") == subject.place:
                yield row
        start = stop


def _from_store(settings: Settings, subject: Subject, to: _Archive) -> None:
    where = (subject.site, subject.place)
    with closing(read_only(settings.store_file)) as db:
        memory = {}
        for part, body in db.execute("SELECT part, body FROM home WHERE site = ? AND place = ?", where):
            memory[part] = msgspec.to_builtins((unpack_past if part == "past" else unpack_home)(body))
        to.tree("home.json", memory)
        log = db.execute("SELECT at_ns, who, what, detail FROM home_log WHERE site = ? AND place = ? ORDER BY id", where)
        to.table("home_log.csv", ("time", "who", "what", "detail"), (_harmless([iso(at_ns), *rest]) for at_ns, *rest in log))
        titles = ("id", "rule", "severity", "raised", "text_zh", "text_en", "evidence", "history")
        to.table("alerts_in_words.csv", titles, _alerts(db, subject))
        to.table("waiting.csv", ("kind", "time", "device", "why", "message"), _waiting(settings, db, subject))


def _harmless(cells: Iterable[Any]) -> list[Any]:
    """Cells that no spreadsheet takes for a formula, whoever typed or sent them."""
    return [guard(cell) if isinstance(cell, str) else cell for cell in cells]


def _alerts(db: sqlite3.Connection, subject: Subject) -> Iterator[list[Any]]:
    for (body,) in db.execute("SELECT body FROM alert ORDER BY raised_ns"):
        try:
            one = alerts.unpack(body)
        except msgspec.MsgspecError:
            continue  # nobody can say whose it is
        if subject.owns(one.site, one.place, one.device):
            history = "; ".join(f"{iso(step.at_ns)} {step.state.value} {step.by} {step.reason}" for step in one.history)
            words = (one.text_zh, one.text_en, "; ".join(one.evidence), history)
            yield _harmless([one.id, one.rule, one.severity.value, iso(one.raised_ns), *words])


def _waiting(settings: Settings, db: sqlite3.Connection, subject: Subject) -> Iterator[list[Any]]:
    letters = "SELECT 'refused', first_ns, device, reason, payload FROM dead_letter WHERE site = ?"
    held = "SELECT 'held', received_ns, device, '', payload FROM held WHERE site = ?"
    for query in (letters, held):
        for kind, at_ns, device, why, payload in db.execute(query, (subject.site,)):
            if device in subject.devices:
                message = opened(settings.store_file, payload).decode("utf-8", "backslashreplace")
                yield _harmless([kind, iso(at_ns), device, why, message])


def _from_ledger(settings: Settings, subject: Subject, to: _Archive) -> None:
    if not settings.visits_file.exists():
        return
    with open_ledger(settings.visits_file) as ledger:
        found = ledger.each_visit(site=subject.site)
        rows = [codec.plain(v) for v in found if v.place == subject.place or (v.person and v.person == subject.person)]
    titles = list(rows[0]) if rows else ["id"]
    flat = ([json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict) else v for v in row.values()] for row in rows)
    to.table("visits.csv", titles, map(_harmless, flat))


def _looked(settings: Settings, subject: Subject, by: str) -> None:
    """Into the home's log, where there is still a home.

    Raises:
        Unavailable: the gateway does not run; nobody takes anything out unseen.
        Rejected: `by` is nobody.
    """
    try:
        commands.call(settings.command_socket, "homes.looked", site=subject.site, place=subject.place, by=by, what="export")
    except Rejected as error:
        if error.reason != "unknown_home":
            raise


def _names(settings: Settings, subject: Subject, by: str) -> dict[str, Any]:
    """The gateway alone opens the map of names, and writes down who asked."""
    if not settings.visits.enabled or not settings.visits_file.exists():
        return {}
    try:
        ids = list(subject.words)
        found: dict[str, Any] = commands.call(
            settings.command_socket, "people.reveal", 60.0, ids=ids, site=subject.site, by=by,
            why="export of all data about a person",
        )  # fmt: skip
    except KanhuError as error:
        raise Unavailable(f"the name cannot be added: {error}") from error
    return found
