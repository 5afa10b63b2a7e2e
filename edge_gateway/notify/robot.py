"""Robots of chat groups: one JSON message by POST, with a real mention; the answer is 200 also when it is a refusal.

What differs from chat to chat is a `Kind`: `wecom`, `dingtalk`, `feishu`.
"""

import json
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from edge_gateway.errors import Misconfigured
from edge_gateway.notify import address, web
from edge_gateway.notify.address import Address
from edge_gateway.notify.letter import Letter
from edge_gateway.notify.notifier import Outcome
from edge_gateway.notify.quota import Quota
from edge_gateway.rules import Severity

KEY: Final = re.compile(r"[A-Za-z0-9_-]{3,128}")
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a channel's answer says. `code` 0 is a yes; None: it is no answer of this channel."""

    code: int | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One chat.

    Attributes:
        schemes: of its addresses.  options, several: as `address.read` wants them.
        page: the address as people copy it from the chat -> our own; "" when it is none of this chat.
        request: (address, letter, seconds since 1970) -> where to and what.
        said: an answer's JSON in words.
        limited: codes that mean too many messages.
        per_minute: messages a robot may send.
    """

    name: str
    schemes: tuple[str, ...]
    options: Collection[str]
    several: Collection[str]
    page: Callable[[str], str]
    request: Callable[[Address, Letter, float], tuple[str, dict[str, Any]]]
    said: Callable[[Any], Said]
    limited: frozenset[int]
    per_minute: int


class Robot:
    """The notifier of one kind.

    Args:
        clock_s: seconds since 1970; signatures hold it.
    """

    def __init__(self, kind: Kind, clock_s: Callable[[], float] = time.time) -> None:
        self.name = kind.name
        self._kind = kind
        self._clock_s = clock_s
        self._quota = Quota(kind.per_minute)

    def handles(self, url: str) -> bool:
        """Its own scheme, or the address as the chat shows it."""
        return url.partition("://")[0].lower() in self._kind.schemes or bool(self._kind.page(url))

    def problem(self, url: str) -> str:
        """What is wrong with the address."""
        try:
            self.read(url)
        except Misconfigured as error:
            return str(error)
        return ""

    def read(self, url: str) -> Address:
        """Raises Misconfigured."""
        kind = self._kind
        found = address.read(kind.page(url) or url, kind.options, kind.several)
        address.need_key(found, KEY, "key of a robot")
        address.need_numbers(found, *({"mobile"} & set(kind.options)))
        return found

    def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
        """Delivered when the robot's own code is 0."""
        try:
            to = self.read(url)
        except Misconfigured as error:
            return Outcome(False, str(error))
        urgent = letter.severity is Severity.URGENT
        if not self._quota.take(to.key, urgent):
            return Outcome(False, f"{self._kind.per_minute} messages a minute is all this robot may send; kept for urgent ones")
        where, message = self._kind.request(to, letter, self._clock_s())
        answer = web.ask(where, json.dumps(message, ensure_ascii=False).encode("utf-8", "replace"), _JSON, timeout_s)
        return answer if isinstance(answer, Outcome) else self._judge(answer, to)

    def _judge(self, answer: web.Answer, to: Address) -> Outcome:
        said = self._kind.said(answer.data())
        if said.code == 0 and answer.good:
            return Outcome(True)
        if said.code in self._kind.limited:
            self._quota.spent(to.key)
        if said.code is None:
            # A captive portal answers 200 as well.
            return web.refused(answer, f"this is no answer of {self.name}: {answer.text[:60]}", to.secrets)
        return web.refused(answer, f"{said.code} {said.text}", to.secrets)


def code_of(answer: Any, name: str) -> int | None:
    """A code of an answer; None when there is none."""
    found = answer.get(name) if isinstance(answer, dict) else None
    return found if type(found) is int else None


def text_of(answer: Any, name: str) -> str:
    """A text of an answer, without what follows of hints and links."""
    found = answer.get(name) if isinstance(answer, dict) else None
    return re.split(r",? hint:|, more", found)[0].strip() if isinstance(found, str) else ""


def whole(letter: Letter) -> str:
    """Title and text: a chat has no other place for the title."""
    return f"{letter.title}\n{letter.body}"
