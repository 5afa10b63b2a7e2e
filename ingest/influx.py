"""The writer for InfluxDB 2, 3 and 1 and VictoriaMetrics: post, and forget only what the database answered that it holds."""

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlencode

from isal import igzip

from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.events import Entry
from edge_gateway.settings import Influx, secret
from edge_gateway.sink import Refusal
from ingest.answers import IS_IT_ONE, Trouble, meaning, named
from ingest.connection import Answer, Connection, authorization, basic
from ingest.forgetting import Forgetting
from ingest.line_protocol import line, numbers_of
from ingest.line_protocol import lines as lines_of
from ingest.points import Point, RefusedPoint

MAX_BATCH_BYTES: Final = 8 << 20  # before compression; InfluxDB 1 takes 25 MB
STUCK_AFTER: Final = 3  # so many times 5xx for one batch, and the batch itself is suspected

_Why = tuple[str, str]  # reason and detail of a Refusal


class InfluxSink:
    """One connection to one bucket; see `Sink`."""

    def __init__(self, settings: Influx) -> None:
        token = secret(settings.token_file)
        if settings.kind in ("influxdb2", "influxdb3"):
            path, query = "/api/v2/write", {"org": settings.org, "bucket": settings.bucket, "precision": "ns"}
        else:
            path, query = "/write", {"db": settings.bucket, "precision": "ns"}
        scheme = "Bearer" if settings.kind == "victoriametrics" else "Token"
        login = authorization(scheme, token) or basic(settings.username, secret(settings.password_file))
        self.name: str = settings.kind
        self._target = f"{path}?{urlencode(query)}"
        self._connection = Connection(settings.url, login, settings.timeout_s)
        self._forgetting = Forgetting(settings)
        self._batch_lines = settings.batch_lines
        self._witness: bytes | None = None  # a line the database has taken; writing it again is harmless
        self._stuck: tuple[bytes, int] = (b"", 0)  # first line of the batch that got 5xx, and how often in a row

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        """See `Sink.write`. An entry of several lines is refused when one of them is; the others are stored."""
        lines: list[bytes] = []
        owners: list[int] = []  # position of the entry a line belongs to
        refused: dict[int, _Why] = {}
        for position, (entry, numbers) in enumerate(zip(entries, numbers_of(entries), strict=True)):
            try:
                own = lines_of(entry, numbers)
            except Rejected as error:
                refused[position] = (error.reason, error.detail)
                continue
            lines += own
            owners += [position] * len(own)
        for number, why in self._store(lines):
            refused.setdefault(owners[number], why)
        return [Refusal(entries[position], *refused[position]) for position in sorted(refused)]

    def write_points(self, batch: Sequence[Point]) -> list[RefusedPoint]:
        """As `write`, for points that come from no entry, such as roll-ups."""
        lines: list[bytes] = []
        owners: list[int] = []
        refused: list[RefusedPoint] = []
        for position, point in enumerate(batch):
            try:
                lines.append(line(point))
                owners.append(position)
            except Rejected as error:
                refused.append(RefusedPoint(point, error.reason, error.detail))
        return refused + [RefusedPoint(batch[owners[number]], *why) for number, why in self._store(lines)]

    def erase(self, site: str, place: str, devices: Sequence[str]) -> int:
        """See `Eraser.erase`."""
        self._witness = None  # it may be one of these lines
        return self._forgetting.erase(site, place, devices)

    def forget(self, measurement: str, before_ns: int) -> int:
        """See `Eraser.forget`."""
        return self._forgetting.forget(measurement, before_ns)

    def close(self) -> None:
        """See `Sink.close`."""
        self._connection.close()

    def _store(self, lines: Sequence[bytes]) -> Iterator[tuple[int, _Why]]:
        """Numbers of the refused lines; when it is through, the database holds all others."""
        for batch in batches(lines, self._batch_lines):
            yield from self._store_batch(lines, batch)

    def _store_batch(self, lines: Sequence[bytes], batch: Sequence[int]) -> Iterator[tuple[int, _Why]]:
        """Send; on a refusal take out the lines it names, and halve what remains until each bad line stands alone."""
        parts = [batch]
        suspected = False  # of making the database answer 5xx
        while parts:
            part = parts.pop()
            chosen = [lines[number] for number in part]
            answer, trouble = self._send(chosen, suspected)
            if trouble is None:
                continue
            if not trouble.explained:
                self._require_witness(chosen, answer, trouble)
                suspected = True
            bad = {part[position]: why for position, why in named(answer, chosen).items()}
            if not bad and (len(part) == 1 or trouble.dropped >= len(part)):
                bad = dict.fromkeys(part, (trouble.reason, trouble.detail))
            yield from bad.items()
            if not bad:
                parts += reversed(split(part, lines, trouble))
            elif rest := [number for number in part if number not in bad]:
                parts.append(rest)

    def _send(self, chosen: Sequence[bytes], suspected: bool) -> tuple[Answer, Trouble | None]:
        """One request; the trouble is None when the database holds all lines. Raises as `Sink.write`."""
        # Level 1 of ISA-L: 0.18 us a line of five readings and an eighth of its size; zlib's level 1 takes seven times as long.
        body = igzip.compress(b"\n".join(chosen), 1)
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
        answer = self._connection.post(self._target, body, headers)
        try:
            trouble = meaning(answer)
        except Unavailable as error:
            if answer.status in (429, 503) or not (suspected or self._is_stuck(chosen[0])):
                raise
            return answer, Trouble("malformed_line", error.detail, explained=False)
        if trouble is None:
            self._witness = chosen[-1]
        return answer, trouble

    def _is_stuck(self, first: bytes) -> bool:
        """Whether the batch that begins with this line has now got 5xx so often that the batch itself may be to blame."""
        self._stuck = (first, self._stuck[1] + 1 if self._stuck[0] == first else 1)
        return self._stuck[1] >= STUCK_AFTER

    def _require_witness(self, chosen: Sequence[bytes], answer: Answer, trouble: Trouble) -> None:
        """Return only if the database takes some line right now: then a line it does not take is itself to blame.

        Raises:
            Unavailable, Misconfigured: it takes nothing, so nothing may be refused.
        """
        for one in [self._witness] if self._witness else [chosen[0], chosen[len(chosen) // 2], chosen[-1]]:
            if self._send([one], suspected=True)[1] is None:
                return
        told = f"the database takes no line at all, {answer.status}: {trouble.detail}"
        raise Unavailable(told) if answer.status >= 500 else Misconfigured(told, IS_IT_ONE)


def batches(lines: Sequence[bytes], most: int) -> Iterator[list[int]]:
    """Numbers of the lines of each request: at most so many lines, and 8 MiB."""
    batch: list[int] = []
    size = 0
    for number, data in enumerate(lines):
        if len(batch) == most or size + len(data) >= MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(number)
        size += len(data) + 1
    if batch:
        yield batch


def split(part: Sequence[int], lines: Sequence[bytes], trouble: Trouble) -> tuple[Sequence[int], Sequence[int]]:
    """A part that holds a bad line in two; bad lines are kept together, so that few requests find many.

    After an outage thousands of lines may be older than the retention: they are neighbours once the part is in the order of
    time. A field of another type is wrong in every line that has it.
    """
    ordered = list(part)
    if trouble.conflict:
        field, measurement = (word.encode() for word in trouble.conflict)
        alike = [n for n in part if lines[n].startswith(measurement + b",") and field + b"=" in lines[n]]
        if 0 < len(alike) < len(part):
            chosen = set(alike)
            return alike, [n for n in part if n not in chosen]
    elif trouble.reason == "outside_retention":
        ordered.sort(key=lambda number: int(lines[number].rpartition(b" ")[2]))
    middle = len(ordered) // 2
    return ordered[:middle], ordered[middle:]
