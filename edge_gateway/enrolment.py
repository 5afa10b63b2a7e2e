"""Enrolment: a device that proved a one-time code at the broker hands in the password it made for itself.

The code is the password of a broker user `_enrol/<site>/<device>`, who by the rules for every device can speak only below
`kanhu/1/_enrol/<site>/<device>/`: no site can have that name. So the broker proves the code, and the topic says for whom.
The code stays good until the device has spoken under its own name, for its power may go at any moment before.
"""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Callable, Coroutine, Iterable
from typing import Final, Protocol

from edge_gateway.broker import Incoming
from edge_gateway.errors import KanhuError, Rejected
from edge_gateway.topics import ID, ROOT

PREFIX: Final = f"{ROOT}/_enrol/"
TOPIC: Final = f"{PREFIX}+/+/up/enrol"
_PASSWORD: Final = re.compile(r"[A-Za-z0-9_-]{32,128}")
_LARGEST: Final = 1024

log = logging.getLogger(__name__)


class Keeper(Protocol):
    """Whoever owns the broker's list of users. All of it blocks for some milliseconds."""

    def take(self, site: str, device: str, password: str) -> None:
        """Make it the device's password. Raises Rejected: nobody asked for this device, or its code is too old."""
        ...

    def waiting(self) -> set[tuple[str, str]]:
        """Devices that handed in a password and have not yet spoken under their own name."""
        ...

    def used(self, site: str, device: str) -> None:
        """It has: the code is worth nothing from now on."""
        ...

    def expire(self) -> None:
        """Take codes away that are too old."""
        ...


class Enrolment:
    """The gateway's part; runs in its event loop, the keeper's work in a thread.

    Args:
        publish: of a broker session.
    """

    def __init__(self, keeper: Keeper, publish: Callable[[str, bytes], None]) -> None:
        self._keeper = keeper
        self._publish = publish
        self._waiting = keeper.waiting()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def received(self, messages: Iterable[Incoming]) -> None:
        """Requests of devices that are not yet anybody. The broker may forget them at once: a device asks again."""
        for message in messages:
            self._do(self._enrol(message.topic, bytes(message.payload)))

    def heard(self, messages: Iterable[Incoming]) -> None:
        """What devices said under their own name: a birth closes the enrolment."""
        if not self._waiting:
            return
        for message in messages:
            parts = message.topic.split("/")
            key = (parts[2], parts[3]) if len(parts) == 6 and parts[5] == "status" else None
            # A copy the broker kept, or the will of a connection with the password of before, proves nothing.
            if key in self._waiting and not message.retain and _is_birth(bytes(message.payload)):
                self._waiting.discard(key)
                self._do(self._used(*key))

    async def tick(self) -> None:
        """Now and then: codes grow old."""
        async with self._turn:
            await asyncio.to_thread(self._keeper.expire)

    def _do(self, job: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _enrol(self, topic: str, payload: bytes) -> None:
        site, device = topic.removeprefix(PREFIX).split("/")[:2]
        answer: dict[str, object] = {"ok": False}
        try:
            password = _password(site, device, payload)
            answer["of"] = hashlib.sha256(password.encode()).hexdigest()[:16]
            async with self._turn:
                await asyncio.to_thread(self._keeper.take, site, device, password)
            self._waiting.add((site, device))
            answer["ok"] = True
            log.info("%s/%s has a password of its own", site, device)
        except Rejected as error:
            answer["reason"] = error.detail
            log.warning("enrolment of %.100s refused: %s", f"{site}/{device}", error)
        except (KanhuError, OSError) as error:
            log.error("enrolment of %s/%s failed: %s", site, device, error)
            return  # no answer: the device asks again
        self._publish(f"{PREFIX}{site}/{device}/down/enrol", json.dumps(answer).encode())

    async def _used(self, site: str, device: str) -> None:
        try:
            async with self._turn:
                await asyncio.to_thread(self._keeper.used, site, device)
        except (KanhuError, OSError) as error:
            self._waiting.add((site, device))
            log.error("the code of %s/%s could not be taken away: %s", site, device, error)


def _password(site: str, device: str, payload: bytes) -> str:
    """The password in a request.

    Raises:
        Rejected: it is none.
    """
    if ID.fullmatch(site) is None or ID.fullmatch(device) is None:
        raise Rejected("bad_topic", "site and device are a-z, 0-9, - and _")
    try:
        password = json.loads(payload)["password"] if len(payload) <= _LARGEST else None
    except (ValueError, LookupError, TypeError, RecursionError):
        password = None
    if not isinstance(password, str) or _PASSWORD.fullmatch(password) is None:
        raise Rejected("bad_password", "expected a password of 32 to 128 letters, digits, - and _")
    return password


def _is_birth(payload: bytes) -> bool:
    try:
        return json.loads(payload)["online"] is True
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
