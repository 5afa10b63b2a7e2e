"""Addresses of our own notifiers, such as `wecom://KEY?mobile=13800001111`: read, and what is wrong with one."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from edge_gateway.errors import Misconfigured

NUMBER: Final = re.compile(r"\+?[0-9]{5,15}")
_BASE: Final = re.compile(r"https?://[^\s?#]+")


@dataclass(frozen=True, slots=True)
class Address:
    """Attributes:
    key: what stands where a host stands: a robot's key, a number.
    user: before an @.  path: its parts.
    options: name -> values, as they were given, also separated by commas.
    """

    key: str
    user: str = ""
    path: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def all(self, name: str) -> tuple[str, ...]:
        """The values of an option."""
        return self.options.get(name, ())

    def one(self, name: str, otherwise: str = "") -> str:
        """The only value of an option."""
        values = self.all(name)
        return values[0] if values else otherwise

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every part, but no switches: no reason may hold one."""
        return (self.key, self.user, *self.path, *(value for values in self.options.values() for value in values))


def read(url: str, options: Collection[str], several: Collection[str] = ()) -> Address:
    """The address.

    Args:
        options: the names it may have; `base` is checked here.
        several: those of which there may be more than one value.
    Raises:
        Misconfigured: without any of its values, which may be secrets.
    """
    try:
        parts = urlsplit(url)
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), max_num_fields=50)
    except ValueError as error:
        raise Misconfigured("the address cannot be read", "write it as scheme://KEY?name=value&name=value") from error
    found: dict[str, tuple[str, ...]] = {}
    for name, value in given:
        if name not in options:
            raise Misconfigured(f"the option {name[:30]!r} is not known", f"known are {', '.join(sorted(options))}")
        values = tuple(part.strip() for part in (value.split(",") if name in several else (value,)))
        if not all(values):
            raise Misconfigured(f"the option {name} is empty")
        found[name] = (*found.get(name, ()), *values)
    for name, values in found.items():
        if len(values) > 1 and name not in several:
            raise Misconfigured(f"the option {name} stands there {len(values)} times")
    if (base := found.get("base")) and not _BASE.fullmatch(base[0]):
        raise Misconfigured("base is no address of a server", "write base=https://host")
    user, _, key = parts.netloc.rpartition("@")
    path = tuple(unquote(part) for part in parts.path.split("/") if part)
    return Address(unquote(key), unquote(user), path, found)


def need_numbers(address: Address, *names: str) -> None:
    """Raises Misconfigured when one of these options holds something that is no telephone number."""
    for name in names:
        if any(NUMBER.fullmatch(value) is None for value in address.all(name)):
            raise Misconfigured(f"the option {name} holds something that is no telephone number", "5 to 15 digits")


def need_key(address: Address, pattern: re.Pattern[str], what: str) -> None:
    """Raises Misconfigured when the key is missing or has not this form."""
    if not address.key:
        raise Misconfigured(f"the address has no {what}")
    if pattern.fullmatch(address.key) is None:
        raise Misconfigured(f"its {what} is too short, or has a character that none has", "copy it once more")
