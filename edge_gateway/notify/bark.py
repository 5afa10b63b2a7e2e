"""Bark: a push to an iPhone. `barks://api.day.app/KEY`, `bark://` without TLS; one key an address.

Urgent ones ring through silence and "do not disturb" for half a minute, warnings break through a focus. The answer's own code
counts: some servers say 400 in an answer 200.
"""

import base64
import json
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from edge_gateway.notify import web
from edge_gateway.notify.fitting import fitted
from edge_gateway.notify.letter import Letter
from edge_gateway.notify.notifier import Outcome
from edge_gateway.notify.robot import code_of, text_of
from edge_gateway.rules import Severity

_LEVELS: Final = {Severity.URGENT: "critical", Severity.WARNING: "timeSensitive", Severity.NOTICE: "active"}
_LONGEST: Final = 3000  # Apple takes 4096 bytes for everything
_PORTS: Final = range(1, 65536)


class BarkNotifier:
    """One push by POST to the server's /push."""

    name = "bark"

    def handles(self, url: str) -> bool:
        """`bark://`, `barks://`, and the address that the app shows."""
        return url.startswith(("bark://", "barks://", "https://api.day.app/"))

    def problem(self, url: str) -> str:
        """What is wrong with the address."""
        try:
            parts = urlsplit(url)
            good = parts.port is None or parts.port in _PORTS
        except ValueError:
            good = False
        if not good or not parts.hostname:
            return "the address has no host (write barks://api.day.app/KEY)"
        keys = [part for part in parts.path.split("/") if part]
        if len(keys) != 1:
            return f"there are {len(keys)} keys behind the host, one was expected (write an address for each key)"
        if parts.query:
            return "a Bark address has no options"
        return ""

    def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
        """Delivered when the server's own code is 200."""
        if problem := self.problem(url):
            return Outcome(False, problem)
        parts = urlsplit(url)
        key = unquote(parts.path.strip("/"))
        push = {
            "device_key": key, "title": letter.title, "body": fitted(letter.body, _LONGEST, letter.link), "group": "kanhu",
            "level": "passive" if letter.test else _LEVELS[letter.severity],
        }  # fmt: skip
        if letter.severity is Severity.URGENT and not letter.test:
            push |= {"call": "1", "volume": "8"}
        if letter.link:
            push["url"] = letter.link
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        where = f"{'http' if parts.scheme == 'bark' else 'https'}://{parts.netloc.rpartition('@')[2]}/push"
        answer = web.ask(where, json.dumps(push, ensure_ascii=False).encode("utf-8", "replace"), headers, timeout_s)
        if isinstance(answer, Outcome):
            return answer
        code = code_of(answer.data(), "code")
        if answer.good and code == 200:
            return Outcome(True)
        said = f"{code} {text_of(answer.data(), 'message')}" if code is not None else "this is no answer of a Bark server"
        return web.refused(answer, said, (key, quote(key), parts.username or "", parts.password or ""))
