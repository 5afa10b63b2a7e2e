"""One-time codes for devices, as users of our own mosquitto: made by a command, taken and closed by the gateway.

Only PBKDF2 hashes of codes and passwords are stored, in the broker's password file; beside it lies who has until when.
"""

import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from edge_gateway import registry
from edge_gateway.errors import Misconfigured, Rejected
from edge_gateway.settings import Settings
from operations import mosquitto
from operations.install import broker_folder
from operations.supervise import running

# As firmware/app/enrol_code.py: Crockford's base 32, 13 random characters (65 bit) and one that finds a slip of the pen.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM: Final = 13
_GROUPS: Final = (5, 10)
HOURS: Final = 24.0
_MOST: Final = 5000  # open codes; each makes mosquitto's list a line longer


def user(site: str, device: str) -> str:
    """The broker user of an enrolment."""
    return f"_enrol/{site}/{device}"


def new_code() -> str:
    """14 random characters, the last of which checks the others."""
    word = "".join(secrets.choice(ALPHABET) for _ in range(_RANDOM))
    return word + check(word)


def check(characters: str) -> str:
    """Luhn's rule with 32 instead of 10."""
    total = 0
    for n, c in enumerate(reversed(characters)):
        value = ALPHABET.index(c) * (2 - n % 2)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]


def shown(code: str) -> str:
    """In groups, as people read it."""
    return f"{code[: _GROUPS[0]]}-{code[_GROUPS[0] : _GROUPS[1]]}-{code[_GROUPS[1] :]}"


class BrokerUsers:
    """Enrolments of the mosquitto that `kanhu up` runs in this installation.

    Args:
        clock: wall clock, seconds since 1970.
        tell_broker: makes the broker read its users again; False: it does not run.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.time, tell_broker: Callable[[], bool] | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._passwords = broker_folder(settings) / "passwords"
        self._file = broker_folder(settings) / "enrolments.json"
        self._tell = tell_broker or (lambda: reload_users(settings))

    def create(self, devices: Iterable[tuple[str, str]], hours: float = HOURS) -> dict[tuple[str, str], str]:
        """A new code for each of these registered devices; an older code of it ends. (site, device) -> code.

        Raises:
            Misconfigured: the broker is not ours, or a device is not registered.
        """
        if not self._passwords.exists():
            hint = "make its password with `kanhu device add` and put it into your broker, or start the broker with `kanhu up`"
            raise Misconfigured("this broker is not ours, so no code can be made", hint)
        wanted, known = list(devices), registry.load(self._settings.registry)
        if missing := [f"{site}/{device}" for site, device in wanted if known.find(site, device) is None]:
            raise Misconfigured(f"{', '.join(missing[:5])} is not registered", "register it first: kanhu device add SITE ID")
        codes = {key: new_code() for key in wanted}
        with mosquitto.locked(self._passwords):
            records = self._load()
            ends = int(self._clock() + hours * 3600)
            records.update({"/".join(key): {"ends": ends, "taken": False} for key in codes})
            if len(records) > _MOST:
                raise Misconfigured(f"{len(records)} codes would be open", f"at most {_MOST} at a time")
            mosquitto.set_passwords(self._passwords, {user(*key): code for key, code in codes.items()})
            self._save(records)
        self._tell()
        return codes

    def take(self, site: str, device: str, password: str) -> None:
        """See `edge_gateway.enrolment.Keeper`."""
        with mosquitto.locked(self._passwords):
            records = self._load()
            record = records.get(f"{site}/{device}")
            if record is None or record["ends"] < self._clock():
                raise Rejected("no_enrolment", "this code was used or is too old; a new one: kanhu device enrol")
            mosquitto.set_passwords(self._passwords, {f"{site}/{device}": password})
            record["taken"] = True
            self._save(records)
        self._tell()

    def waiting(self) -> set[tuple[str, str]]:
        """See `edge_gateway.enrolment.Keeper`."""
        found = set()
        for name, record in self._load().items():
            site, _, device = name.partition("/")
            if record["taken"]:
                found.add((site, device))
        return found

    def used(self, site: str, device: str) -> None:
        """See `edge_gateway.enrolment.Keeper`."""
        self._end([f"{site}/{device}"])

    def expire(self) -> None:
        """See `edge_gateway.enrolment.Keeper`."""
        now = self._clock()
        if old := [name for name, record in self._load().items() if record["ends"] < now]:
            self._end(old)

    def _end(self, names: list[str]) -> None:
        with mosquitto.locked(self._passwords):
            records = self._load()
            mosquitto.remove_users(self._passwords, [user(*name.split("/", 1)) for name in names])
            self._save({name: record for name, record in records.items() if name not in names})
        self._tell()

    def _load(self) -> dict[str, Any]:
        with suppress(FileNotFoundError, ValueError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
            return {name: record for name, record in found.items() if {"ends", "taken"} <= record.keys()}
        return {}

    def _save(self, records: Mapping[str, Any]) -> None:
        mosquitto.write_private(self._file, json.dumps(records))


def keeper(settings: Settings) -> BrokerUsers | None:
    """For the gateway: None where the broker's users are not ours to change."""
    return BrokerUsers(settings) if (broker_folder(settings) / "passwords").exists() else None


def reload_users(settings: Settings) -> bool:
    """Make our mosquitto read its password file again; False: it does not run, and reads it when it starts."""
    broker = next((part for part in running(settings.data_dir) or [] if part.name == "mosquitto"), None)
    if broker is None or broker.pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(broker.pid, signal.SIGHUP)
        return True
    return False


def from_csv(file: Path) -> list[tuple[str, str]]:
    """The devices of a spreadsheet with columns `site` and `id`, as `kanhu device import` reads it.

    Raises:
        Misconfigured: it cannot be read, or a column is missing.
    """
    import csv

    try:
        with file.open(encoding="utf-8-sig", newline="") as rows:
            return [(row["site"].strip(), row["id"].strip()) for row in csv.DictReader(rows)]
    except (OSError, UnicodeDecodeError, KeyError, AttributeError, csv.Error) as error:
        raise Misconfigured(f"cannot read {file}: {error!r}", "a CSV file in UTF-8 with the columns site and id") from error
