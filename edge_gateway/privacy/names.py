"""Keeps names out of what people type: where a reason or a note holds one of the sealed map, its pseudonym stands instead.

What is typed is stored as it is, told to others, exported and put into month sheets; nobody should have to remember that. Only
names that are in the map can be found, in the way they are written there.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from edge_gateway.commands import Handler
from edge_gateway.errors import KanhuError

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

# Arguments that people type freely; in `people.set` they are the name itself.
_TYPED: Final = frozenset({"reason", "note", "text", "comment", "why"})
# What a card showed, answers that are looked at for a keyword and not kept, and what no person typed: none waits for the map.
_NOT_KEPT: Final = frozenset({"visits.tap", "alerts.reply", "alerts.heard", "alerts.report", "alerts.watched"})
_PATIENCE_S: Final = 3.0


def guarded(gateway: "Gateway", handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    """The same commands, whose free texts hold no names of the map any more."""
    return {name: handler if name in _NOT_KEPT else _guarded(gateway, handler) for name, handler in handlers.items()}


def _guarded(gateway: "Gateway", handler: Handler) -> Handler:
    async def handle(arguments: Mapping[str, Any]) -> Any:
        if gateway.settings.visits.enabled and _any_typed(arguments):
            arguments = await _struck(gateway, arguments)
        return await handler(arguments)

    return handle


async def _struck(gateway: "Gateway", arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """As it was typed when the map cannot be asked soon: what somebody says of an alert does not wait for a ledger."""
    with suppress(KanhuError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            struck: Mapping[str, Any] = await gateway.visits.do(lambda p: changed(arguments, p.ledger.people.struck))
            if struck != arguments:
                log.info("a name was taken out of a text that somebody typed")
            return struck
    return arguments


def changed(value: Any, change: Callable[[str], str], typed: bool = False) -> Any:
    """The same arguments with every text that was typed changed, however deep it stands."""
    if isinstance(value, str):
        return change(value) if typed and value.strip() else value
    if isinstance(value, Mapping):
        return {name: changed(one, change, name in _TYPED) for name, one in value.items()}
    return [changed(one, change, typed) for one in value] if isinstance(value, list) else value


def _any_typed(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any((name in _TYPED and bool(one)) or _any_typed(one) for name, one in value.items())
    return isinstance(value, list) and any(_any_typed(one) for one in value)
