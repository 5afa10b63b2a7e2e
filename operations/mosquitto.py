"""The broker's own files: mosquitto.conf, access rules and passwords, and where the program is.

Every line of the configuration that is not a default has its reason beside it; most were paid for with lost messages.
"""

import base64
import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured
from edge_gateway.topics import ROOT

# One user who speaks for all devices of a demo or a replay. Never on a site: it could speak for any home.
ANY_DEVICE: Final = (f"write {ROOT}/+/+/up/#", f"read {ROOT}/+/+/down/#")

_ITERATIONS: Final = 101  # mosquitto 2's own; a guesser gets 11,000 tries a second, so secrets are random and long
_SECRET_BYTES: Final = 24  # 192 bit; 128 is the least
_SALT_BYTES: Final = 12

STANDARD_FOLDERS: tuple[str, ...] = ("/usr/sbin", "/usr/local/sbin")  # where Debian puts servers, not always on PATH


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of a TLS listener. With `clients_need_certificate` a client's common name is its user name, no password."""

    authority: Path
    certificate: Path
    key: Path
    clients_need_certificate: bool = True
    revoked: Path | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """An address the broker listens on; without `tls` bind it to this machine or to the devices' own network."""

    port: int = 1883
    host: str = "127.0.0.1"
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """How to start mosquitto: the beginning of the command, and the environment it needs."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def conf(
    folder: Path, listeners: Sequence[Listener], user: str | None = None, log: Path | None = None, sys_interval_s: int = 10
) -> str:
    """The text of mosquitto.conf for mosquitto 2.0, all of whose files are in `folder`.

    Args:
        user: the account mosquitto changes to when root starts it; None leaves its default, `mosquitto`.
        log: a file; None logs to standard output.
        sys_interval_s: how often the broker publishes its own counters.
    """
    lines = [
        "# Written by kanhu; a change made here is overwritten.",
        "per_listener_settings false",
        "allow_anonymous false",
        f"password_file {folder / 'passwords'}",
        f"acl_file {folder / 'acl'}",
        *([f"user {user}"] if user else []),
        "# An orderly stop keeps queued messages and sessions; without it, none.",
        "persistence true",
        f"persistence_location {folder}/",
        "# Bounds what a kill takes (default: half an hour). It does not make the broker's acknowledgement durable.",
        "autosave_interval 60",
        "# Defaults lose: 1000 queued, the newest dropped; 20 in flight, which also caps a group commit. Never 0.",
        "max_queued_messages 100000",
        "max_queued_bytes 268435456",
        "max_inflight_messages 1000",
        "max_packet_size 65536",
        "# No message_size_limit (drops and acknowledges), no persistent_client_expiration (uses the wall clock),",
        "# no set_tcp_nodelay (costs 30-60 % of the broker's speed).",
        "connection_messages true",
        f"log_dest file {log}" if log else "log_dest stdout",
        *(f"log_type {kind}" for kind in ("error", "warning", "notice", "information")),
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
        "# $SYS holds the only counter of messages the broker dropped; the gateway watches it.",
        f"sys_interval {sys_interval_s}",
    ]
    for listener in listeners:
        lines += ["", f"listener {listener.port} {listener.host}", *_tls_lines(listener.tls)]
    return "\n".join(lines) + "\n"


def _tls_lines(tls: Tls | None) -> list[str]:
    if tls is None:
        return []
    lines = [f"cafile {tls.authority}", f"certfile {tls.certificate}", f"keyfile {tls.key}", "tls_version tlsv1.2"]
    if tls.clients_need_certificate:
        lines += ["require_certificate true", "use_identity_as_username true"]
    if tls.revoked is not None:
        lines.append(f"crlfile {tls.revoked}")
    return lines


def acl(gateway: str = "gateway", others: Mapping[str, Sequence[str]] | None = None, gateway_reads: Sequence[str] = ()) -> str:
    """Access rules: a device is its user name `<site>/<device>` and speaks only below its own topic.

    Args:
        others: more users and their rules, `{"simulator": ANY_DEVICE}`, `{"zigbee2mqtt": ("write zigbee2mqtt/#",)}`.
        gateway_reads: topic filters of third-party devices that the gateway decodes.
    """
    lines = [
        f"pattern write {ROOT}/%u/up/#",
        f"pattern read  {ROOT}/%u/down/#",
        "",
        f"user {gateway}",
        f"topic read  {ROOT}/+/+/up/#",
        f"topic write {ROOT}/+/+/down/#",
        # Its own message to itself, by which it sees that the broker delivers (`heartbeat.TOPIC`).
        f"topic write {ROOT}/_gateway/pulse/up/event",
        # Devices that enrol are users `_enrol/<site>/<device>`, whom the patterns keep below their own topic too.
        f"topic read  {ROOT}/_enrol/+/+/up/enrol",
        f"topic write {ROOT}/_enrol/+/+/down/enrol",
        "topic read  $SYS/#",
        *(f"topic read  {topic}" for topic in gateway_reads),
    ]
    for user, rules in (others or {}).items():
        lines += ["", f"user {user}", *(f"topic {rule}" for rule in rules)]
    return "\n".join(lines) + "\n"


def password_line(user: str, password: str, salt: bytes | None = None) -> str:
    """One line of mosquitto 2's password file: `user:$7$101$<salt>$<PBKDF2-HMAC-SHA512>`.

    Raises:
        Misconfigured: the name cannot stand in that file.
    """
    if not user or any(c in user for c in ":\n\r\0+#") or user != user.strip():
        raise Misconfigured(f"{user!r} cannot be a broker user", "use <site>/<device>, or letters, digits, - and _")
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"{user}:$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def set_passwords(file: Path, passwords: Mapping[str, str]) -> None:
    """Add these users to a password file or change them; the others stay. mosquitto reads it again at SIGHUP."""
    lines = {user: password_line(user, password) for user, password in passwords.items()}
    write_private(file, "".join(f"{line}\n" for line in {**_users(file), **lines}.values()))


def remove_users(file: Path, users: Iterable[str]) -> None:
    """Take users out of a password file. A connection that is open stays open: disconnect it too."""
    gone = set(users)
    write_private(file, "".join(f"{line}\n" for user, line in _users(file).items() if user not in gone))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Alone with a password file: commands and the gateway read, change and write it. Not for nesting."""
    own = file.with_name(f"{file.name}.lock")
    own.touch(mode=0o600)
    with own.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _users(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {line.partition(":")[0]: line for line in lines if line}


def prepare(
    folder: Path,
    listeners: Sequence[Listener],
    passwords: Mapping[str, str],
    others: Mapping[str, Sequence[str]] | None = None,
    log: Path | None = None,
    sys_interval_s: int = 10,
) -> Path:
    """Write everything mosquitto needs into `folder`, readable by the caller's account only; returns mosquitto.conf.

    Started by root, mosquitto would change to user `mosquitto`, who may not read these files; so it is told to stay who we are.

    Args:
        passwords: user -> password; users already in the folder's password file stay.
        others: as for `acl`.
    """
    folder = folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else None
    with locked(folder / "passwords"):
        set_passwords(folder / "passwords", passwords)
    write_private(folder / "acl", acl(others=others))
    file = folder / "mosquitto.conf"
    write_private(file, conf(folder, listeners, user, log, sys_interval_s))
    return file


def keep_secret(file: Path) -> str:
    """The secret in `file`; at the first call a new random one, mode 0600."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, new_secret() + "\n")
    return file.read_text(encoding="utf-8").rstrip("\n")


def new_secret() -> str:
    """A random password, 192 bit, safe in a URL, a shell and a TOML file."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def write_private(file: Path, text: str) -> None:
    """Replace a file at once, mode 0600 from its first byte on."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    with draft.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)


def find_mosquitto() -> Program:
    """mosquitto from PATH, from where Debian puts it, or from the launchers that `make setup` wrote without root.

    Raises:
        Misconfigured: it is nowhere.
    """
    launchers = os.environ.get("KANHU_SERVERS") or str(Path(__file__).resolve().parent.parent / ".cache/servers/bin")
    folders = [os.environ.get("PATH", ""), *STANDARD_FOLDERS, launchers]
    program = shutil.which("mosquitto", path=os.pathsep.join(folders))
    if program is None:
        raise Misconfigured("mosquitto is not installed", "run `make setup`, or: apt install mosquitto")
    return Program((program,), dict(os.environ))
