"""What a provider tells us: somebody answered, or a message arrived or will not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from edge_gateway.errors import Rejected
from edge_gateway.settings import Inbound, secret

_MS_FROM: Final = 10_000_000_000  # more seconds than any clock says


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a person.

    Attributes:
        sender: number or user id.
        id: the same when the provider sends it again; "" the provider has none.
        at_s: when it was sent, seconds since 1970; None: the provider does not say.
        about: ids of our message that it answers: a key pressed in a call; empty: the provider does not know.
    """

    sender: str
    text: str
    id: str = ""
    at_s: float | None = None
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a message; `references`: the ids by which it may be known."""

    references: tuple[str, ...]
    arrived: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """What another watcher says of what it watches; each alert as the gateway's command `alerts.watched` takes it.

    Attributes:
        left_out: alerts that it did not hand in because they are too many.
        tests: somebody tried whether we are there.
        unread: why an alert of it could not be understood, one line each.
    """

    alerts: tuple[Mapping[str, Any], ...] = ()
    left_out: int = 0
    tests: int = 0
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a provider.

    Attributes:
        headers: names in lower case.
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider wants to hear."""

    body: str
    kind: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Told:
    """What a request says.

    Attributes:
        answer: to be given instead of the usual one: a provider tries whether we are there.
    """

    messages: tuple[Reply | Report | Watch, ...] = ()
    answer: Answer | None = None


class Provider(Protocol):
    """How one kind speaks."""

    def read(self, call: Call, setting: Inbound, now_s: float) -> Told:
        """What a request says.

        Raises:
            Rejected: `not_theirs`, a proof is missing or wrong; `unreadable`.
            Misconfigured: a key's file is missing.
        """
        ...

    def say(self, setting: Inbound, call: Call, words: str, now_s: float) -> Answer:
        """The answer to a good request.

        Args:
            words: for the person who wrote; "" there is nothing to say.
        """
        ...


def key_of(file: Path | None, what: str) -> str:
    """A key from its file.

    Raises:
        Misconfigured: the file cannot be read.
        Rejected: none is set.
    """
    found = secret(file).strip()
    if not found:
        raise Rejected("no_key", f"{what} is not set")
    return found


def at(data: Any, path: str) -> Any:
    """What stands there: `data.0.sid`; "" the whole; None: nothing does."""
    for part in path.split(".") if path else ():
        if isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, Mapping):
            data = data.get(part)
        else:
            return None
    return data


def seconds(value: Any) -> float | None:
    """Seconds since 1970 of a number in seconds or milliseconds; None: it is no time."""
    try:
        number = float(plain(value))
    except (ValueError, OverflowError):
        return None
    number = number / 1000 if number > _MS_FROM else number
    return number if 0 < number < _MS_FROM else None


def plain(value: Any) -> str:
    """A value as people write it."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
