"""The address of the service outside that misses us when we stay away; asked with a GET that says nothing about anybody."""

from typing import Final
from urllib.parse import urlsplit

from edge_gateway.notify import web
from edge_gateway.notify.letter import Letter
from edge_gateway.notify.notifier import Outcome

SCHEME: Final = "heartbeat+"  # before http:// or https://


class HeartbeatNotifier:
    """The last step of a heartbeat takes the way of every message: the same lane, thread and time-out."""

    name = "heartbeat"

    def handles(self, url: str) -> bool:
        """Only what the gateway made of `alerts.heartbeat_url`."""
        return url.startswith((f"{SCHEME}http://", f"{SCHEME}https://"))

    def problem(self, url: str) -> str:
        """Whether there is a host in it."""
        try:
            return "" if urlsplit(url.removeprefix(SCHEME)).hostname else "there is no host in it"
        except ValueError:
            return "it is no address"

    def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
        """Delivered with 200 to 299. A page that sends us elsewhere is no answer of the service."""
        answer = web.ask(url.removeprefix(SCHEME), None, {}, timeout_s, "GET")
        if isinstance(answer, Outcome):
            return answer
        return Outcome(True) if answer.good else Outcome(False, f"answered {answer.status}")
