"""The topics of the contract: `kanhu/1/<site>/<device>/up/<channel>` and `.../down/<channel>`."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_gateway.errors import Rejected

ROOT: Final = "kanhu/1"
# Also the alphabet of database tags, file names and broker users: nothing in it needs escaping anywhere.
ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,46}[a-z0-9])?")


class Up(StrEnum):
    """Channels a device writes."""

    DATA = "data"
    EVENT = "event"
    STATUS = "status"
    REPLY = "reply"  # to a command; not kept anywhere, no receipt


class Down(StrEnum):
    """Channels the gateway writes."""

    RECEIPT = "receipt"
    CONFIG = "config"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Address:
    """Who speaks, as the broker's access rules vouch for it."""

    site: str
    device: str
    channel: Up


def parse(topic: str) -> Address:
    """The address of an `up` topic.

    Raises:
        Rejected: `bad_topic`, with what was seen.
    """
    parts = topic.split("/")
    if len(parts) != 6 or parts[0] != "kanhu" or parts[1] != "1" or parts[4] != "up":
        raise Rejected("bad_topic", f"{topic[:200]!r}; expected {ROOT}/<site>/<device>/up/<channel>")
    site, device, channel = parts[2], parts[3], parts[5]
    if ID.fullmatch(site) is None or ID.fullmatch(device) is None:
        raise Rejected("bad_topic", f"{topic[:200]!r}; site and device are a-z, 0-9, - and _, at most 48 characters")
    try:
        return Address(site, device, Up(channel))
    except ValueError:
        raise Rejected("bad_topic", f"{topic[:200]!r}; channel is one of {', '.join(Up)}") from None


def up(site: str, device: str, channel: Up) -> str:
    """The topic a device writes to."""
    return f"{ROOT}/{site}/{device}/up/{channel}"


def down(site: str, device: str, channel: Down) -> str:
    """The topic a device listens to."""
    return f"{ROOT}/{site}/{device}/down/{channel}"
