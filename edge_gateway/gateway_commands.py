"""What a running gateway does on request: tell its state, retry or remove dead letters, and what its other desks do."""

import json
import logging
import secrets
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from edge_gateway import alert_commands, events
from edge_gateway.commands import Handler
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.homes import commands as home_commands
from edge_gateway.notify import inbound, watched
from edge_gateway.privacy import commands as privacy_commands
from edge_gateway.privacy.raw import opened
from edge_gateway.store_file import read_only
from edge_gateway.text import escaped
from edge_gateway.topics import Down, down
from edge_gateway.visits import desk_commands
from edge_gateway.work import Outcome

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

_LARGEST_CONFIG: Final = 16_384  # a device keeps it in flash and in memory at once
_LARGEST_COMMAND: Final = 4096


def handlers(gateway: "Gateway") -> Mapping[str, Handler]:
    """Command name -> function of its JSON arguments; each raises Rejected for arguments it cannot use."""

    versions: dict[tuple[str, str], int] = {}

    async def ping(arguments: Mapping[str, Any]) -> str:
        return "pong"

    async def state(arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "connected": gateway.connected(),
            "troubles": dict(gateway.troubles.now),
            "database": {"name": gateway.sink.name, "trouble": gateway.uplink.state.trouble, "sent": gateway.uplink.state.sent},
            "totals": gateway.totals(),
            "numbers": gateway.health.numbers(),
            "notices": gateway.desk.notices(),
            "grafana": dict(gateway.watched.counts),
            "metrics_port": gateway.health.port,
            "full": gateway.full,
            "alerts": gateway.settings.alerts.digest(),
        }

    async def retry_dead(arguments: Mapping[str, Any]) -> dict[str, str]:
        return {str(number): await _retry(gateway, number) for number in _numbers(arguments)}

    async def remove_dead(arguments: Mapping[str, Any]) -> int:
        numbers = _numbers(arguments)
        return int(await gateway.in_store(lambda: gateway.store.delete_dead(numbers)))

    async def configure(arguments: Mapping[str, Any]) -> int:
        return _configure(gateway, arguments, versions)

    async def command(arguments: Mapping[str, Any]) -> str:
        return _command(gateway, arguments)

    return {
        "ping": ping,
        "state": state,
        "dead.retry": retry_dead,
        "dead.remove": remove_dead,
        "device.configure": configure,
        "device.command": command,
        **alert_commands.handlers(gateway),
        **inbound.handlers(gateway),
        **watched.handlers(gateway),
        **desk_commands.handlers(gateway),
        **privacy_commands.handlers(gateway),
        **home_commands.handlers(gateway),
    }


async def _retry(gateway: "Gateway", number: int) -> str:
    """Give one dead letter another chance; its row goes in the transaction that takes it, if it is taken."""
    with closing(read_only(gateway.settings.store_file)) as db:
        row = db.execute("SELECT stage, topic, payload, first_ns FROM dead_letter WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise Rejected("unknown_dead_letter", f"there is no dead letter {number}; see `kanhu dead-letters list`")
    stage, topic, stored, first_ns = row
    payload = opened(gateway.settings.store_file, stored)
    if gateway.committer.halted:
        raise Unavailable("the store cannot be read now")
    if stage == "decode":
        try:
            outcome = gateway.pipeline.take(topic, payload, first_ns, retained=True, retry=True)
        except Exception as error:
            log.exception("retrying dead letter %d", number)
            gateway.pipeline.bury_unexpected(topic, payload, first_ns, error)
            outcome = Outcome.DEAD
    else:
        entries = events.unpack(payload)
        gateway.pipeline.work.data += entries
        outcome = Outcome.STORED
    if outcome is Outcome.STORED:
        gateway.pipeline.work.undead.append(number)
    await gateway.committer.settle()
    return outcome.value


def _configure(gateway: "Gateway", arguments: Mapping[str, Any], versions: dict[tuple[str, str], int]) -> int:
    """Publish a device's settings, retained, under a version above the one it last reported; the version."""
    site, device, wanted = _text(arguments, "site"), _text(arguments, "device"), arguments.get("settings")
    if gateway.pipeline.registry.find(site, device) is None:
        raise Rejected("unknown_device", f"{site}/{device} is not in the registry")
    if not isinstance(wanted, dict):
        raise Rejected("bad_argument", f"settings is {wanted!r}; expected names and values")
    known = gateway.pipeline.states.get((site, device))
    # Seconds since 1970 rise by themselves, also when this gateway's memory is gone; the device's own word wins.
    last = max(versions.get((site, device), 0), (known.config or 0) if known else 0)
    version = versions[site, device] = max(last + 1, gateway.clock_ns() // 1_000_000_000)
    payload = json.dumps({"version": version, "settings": wanted}, ensure_ascii=False, allow_nan=False).encode()
    if len(payload) > _LARGEST_CONFIG:
        raise Rejected("too_large", f"{len(payload)} bytes of settings; at most {_LARGEST_CONFIG}")
    gateway.events.publish(down(site, device, Down.CONFIG), payload, retain=True)
    return version


def _command(gateway: "Gateway", arguments: Mapping[str, Any]) -> str:
    """Publish a command to a device, once; its id. One that is away gets it when it comes back, if its session lives on."""
    site, device, name = _text(arguments, "site"), _text(arguments, "device"), _text(arguments, "name")
    details = arguments.get("arguments", {})
    if gateway.pipeline.registry.find(site, device) is None:
        raise Rejected("unknown_device", f"{site}/{device} is not in the registry")
    if not isinstance(details, dict) or {"id", "name"} & details.keys():
        raise Rejected("bad_argument", f"arguments is {details!r}; expected names (other than id and name) and values")
    identity = secrets.token_hex(4)
    payload = json.dumps({"id": identity, "name": name, **details}, ensure_ascii=False, allow_nan=False).encode()
    if len(payload) > _LARGEST_COMMAND:
        raise Rejected("too_large", f"a command of {len(payload)} bytes; at most {_LARGEST_COMMAND}")
    gateway.events.publish(down(site, device, Down.COMMAND), payload)
    return identity


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > 500:
        raise Rejected("bad_argument", f"{name} is {value!r}; expected a text of 1 to 500 characters")
    # Half a surrogate pair, as a terminal of another encoding sends it, could not be saved.
    return escaped(value.strip(), 500, name)


def _numbers(arguments: Mapping[str, Any]) -> list[int]:
    numbers = arguments.get("ids")
    if not isinstance(numbers, list) or not all(type(n) is int for n in numbers) or not numbers:
        raise Rejected("bad_argument", f"ids is {numbers!r}; expected a list of numbers")
    return numbers
