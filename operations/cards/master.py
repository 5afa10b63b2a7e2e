"""The master of all cards' keys: 16 random bytes that a person holds, in a file that opens with a passphrase only.

scrypt and AES-256-GCM over a small JSON file. A backup code on paper is the same 16 bytes with a check sum; it is shown once.
"""

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import Misconfigured
from operations.mosquitto import write_private

PASSPHRASE: Final = "KANHU_CARDS_PASSPHRASE"  # noqa: S105 - the name of a variable
SHORTEST: Final = 10  # characters; a phrase of a few words, for the file may be stolen
_KIND: Final = "kanhu cards master"
_BYTES: Final = 16
_CHECK_BYTES: Final = 4
# 64 MiB and a quarter of a second for each guess.
_COST: Final = {"n": 1 << 16, "r": 8, "p": 1}
_MOST_MEMORY: Final = 1 << 28


def make(file: Path, passphrase: str, master: bytes | None = None) -> bytes:
    """A new master, or the one given, into a new file.

    Raises:
        Misconfigured: the file is there already, or the passphrase is too short.
    """
    if file.exists():
        raise Misconfigured(f"{file} is there already", "cards made with a lost master cannot be changed; give another file")
    if len(passphrase) < SHORTEST:
        raise Misconfigured(f"a passphrase of {len(passphrase)} characters", f"at least {SHORTEST}: some words")
    master = secrets.token_bytes(_BYTES) if master is None else master
    salt, nonce = os.urandom(16), os.urandom(12)
    head = {"kind": _KIND, "version": 1, "scrypt": _COST, "salt": salt.hex(), "nonce": nonce.hex()}
    sealed = _cipher(passphrase, salt, _COST).encrypt(nonce, master, _bound(head))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, json.dumps({**head, "sealed": sealed.hex()}, indent=1) + "\n")
    return master


def read(file: Path, passphrase: str) -> bytes:
    """
    Raises:
        Misconfigured: no such file, no master in it, or a wrong passphrase.
    """
    from cryptography.exceptions import InvalidTag

    try:
        head = json.loads(file.read_text(encoding="utf-8"))
        sealed, salt, nonce = (
            bytes.fromhex(head.pop(name)) if name == "sealed" else bytes.fromhex(head[name])
            for name in ("sealed", "salt", "nonce")
        )
        cost = {name: int(head["scrypt"][name]) for name in ("n", "r", "p")}
        if head["kind"] != _KIND or head["version"] != 1 or 128 * cost["n"] * cost["r"] > _MOST_MEMORY:
            raise ValueError("another kind of file")
        cipher = _cipher(passphrase, salt, cost)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Misconfigured(f"{file} holds no master of cards: {error}", "a file that `kanhu cards master new` made") from error
    try:
        return bytes(cipher.decrypt(nonce, sealed, _bound(head)))
    except InvalidTag:
        raise Misconfigured(f"the passphrase does not open {file}", "try again; or restore it from the paper") from None


def backup(master: bytes) -> str:
    """The code for paper: eight groups of four letters and digits."""
    text = base64.b32encode(master + _check(master)).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def restored(code: str) -> bytes:
    """The master of a backup code, as a person types it.

    Raises:
        Misconfigured: a letter is wrong or missing.
    """
    # The alphabet has neither 0 nor 1 nor 8: who reads them means these.
    text = "".join(code.upper().split()).replace("-", "").translate(str.maketrans("018", "OIB"))
    try:
        data = base64.b32decode(text)
    except ValueError:
        data = b""
    if len(data) != _BYTES + _CHECK_BYTES or _check(data[:_BYTES]) != data[_BYTES:]:
        raise Misconfigured(f"{len(text)} letters that are no backup code", "32 letters and digits, as on the paper")
    return data[:_BYTES]


def fingerprint(master: bytes) -> str:
    """Tells two masters apart, and nothing else about them."""
    return hashlib.sha256(b"kanhu cards fingerprint" + master).hexdigest()[:8]


def passphrase_from(file: Path | None) -> str | None:
    """For scripts: from a file, else from the environment; None: ask a person."""
    if file is None:
        return os.environ.get(PASSPHRASE) or None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"cannot read {file}: {error}", "a file with the passphrase as its only line") from error


def _cipher(passphrase: str, salt: bytes, cost: dict[str, int]) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return AESGCM(Scrypt(salt=salt, length=32, **cost).derive(passphrase.encode()))


def _bound(head: dict[str, Any]) -> bytes:
    """What may not be changed without the passphrase: all that is not sealed."""
    return json.dumps(head, sort_keys=True).encode()


def _check(master: bytes) -> bytes:
    return hashlib.sha256(b"kanhu cards backup" + master).digest()[:_CHECK_BYTES]
