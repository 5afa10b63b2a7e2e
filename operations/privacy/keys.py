"""The keys' own backup: everything secret in one file that opens with a passphrase; kept apart from the data's backups.

scrypt and AES-256-GCM, as for the master of the cards.
"""

import io
import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from operations.mosquitto import write_private

SHORTEST: Final = 10
_KIND: Final = "kanhu keys"
_COST: Final = {"n": 1 << 16, "r": 8, "p": 1}
_MOST_MEMORY: Final = 1 << 28
_LARGEST: Final = 16 << 20
_NAME: Final = re.compile(r"kanhu\.toml|secrets/[A-Za-z0-9_-][A-Za-z0-9._-]*")


def save(settings: Settings, file: Path, passphrase: str, settings_file: Path | None) -> list[str]:
    """Write the keys and the settings into a new file; their names.

    Raises:
        Misconfigured: the file is there already, or the passphrase is too short.
    """
    if file.exists():
        raise Misconfigured(f"{file} is there already", "give another file; an old one may be needed for an old backup")
    if len(passphrase) < SHORTEST:
        raise Misconfigured(f"a passphrase of {len(passphrase)} characters", f"at least {SHORTEST}: some words")
    sources = {f"secrets/{one.name}": one for one in sorted((settings.data_dir / "secrets").glob("*")) if one.is_file()}
    sources["secrets/visits.key"] = settings.visits_key_file
    if settings_file is not None:
        sources["kanhu.toml"] = settings_file
    found = {name: source for name, source in sources.items() if source.exists()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, source in found.items():
            tar.add(source, name, recursive=False)
    salt, nonce = os.urandom(16), os.urandom(12)
    head = {"kind": _KIND, "version": 1, "scrypt": _COST, "salt": salt.hex(), "nonce": nonce.hex()}
    sealed = _cipher(passphrase, salt, _COST).encrypt(nonce, packed.getvalue(), _bound(head))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, json.dumps({**head, "sealed": sealed.hex()}) + "\n")
    return list(found)


def restore(settings: Settings, file: Path, passphrase: str) -> list[str]:
    """Put the keys back where they were; what is there stays. The names of those that were put.

    Raises:
        Misconfigured: no such file, a wrong passphrase.
    """
    put = []
    with tarfile.open(fileobj=io.BytesIO(_opened(file, passphrase))) as tar:
        for member in tar.getmembers():
            source = tar.extractfile(member)
            target = settings.visits_key_file if member.name == "secrets/visits.key" else settings.data_dir / member.name
            if source is None or _NAME.fullmatch(member.name) is None or target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(source.read())
            put.append(member.name)
    return put


def _opened(file: Path, passphrase: str) -> bytes:
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError("too large")
        head = json.loads(file.read_text(encoding="utf-8"))
        sealed = bytes.fromhex(head.pop("sealed"))
        cost = {name: int(head["scrypt"][name]) for name in ("n", "r", "p")}
        if head["kind"] != _KIND or head["version"] != 1 or 128 * cost["n"] * cost["r"] > _MOST_MEMORY:
            raise ValueError("another kind of file")
        cipher, nonce = _cipher(passphrase, bytes.fromhex(head["salt"]), cost), bytes.fromhex(head["nonce"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Misconfigured(f"{file} holds no keys: {error}", "a file that `kanhu backup --keys` made") from error
    try:
        return cipher.decrypt(nonce, sealed, _bound(head))
    except InvalidTag:
        raise Misconfigured(f"the passphrase does not open {file}", "try again") from None


def _cipher(passphrase: str, salt: bytes, cost: dict[str, int]) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, **cost).derive(passphrase.encode()))


def _bound(head: dict[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True).encode()
