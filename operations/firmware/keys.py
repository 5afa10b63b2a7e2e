"""The keys that sign releases: RSA-3072, made once, kept away from the gateway."""

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_gateway.errors import Misconfigured
from operations.mosquitto import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BITS: Final = 3072
MOST: Final = 4  # public keys in a firmware; each costs a fraction of a second when an update is checked
PASSPHRASE: Final = "KANHU_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
INSTALL: Final = "run `make setup`, which installs all that kanhu needs"


def make(folder: Path, passphrase: str) -> list[Path]:
    """`present` and `next`, each a private .pem and a public .pub; returns the files.

    Raises:
        Misconfigured: keys are there already.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            NoEncryption,
            PrivateFormat,
            PublicFormat,
        )
    except ImportError as error:
        raise Misconfigured("the package `cryptography` is missing", INSTALL) from error
    files = [folder / f"{name}.{kind}" for name in ("present", "next") for kind in ("pem", "pub")]
    if there := [file for file in files if file.exists()]:
        raise Misconfigured(f"{there[0]} is there already", "a lost key cannot be made again; give another folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("present", "next"):
        key = rsa.generate_private_key(65537, BITS)
        lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_private(folder / f"{name}.pem", private.decode())
        (folder / f"{name}.pub").write_bytes(public)
    return files


def public(folder: Path) -> list[int]:
    """The moduli of all *.pub in a folder, sorted by name.

    Raises:
        Misconfigured: there are none, too many, or one is no RSA-3072 key.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    files = sorted(folder.glob("*.pub"))
    if not 1 <= len(files) <= MOST:
        raise Misconfigured(f"{len(files)} public keys (*.pub) in {folder}", f"1 to {MOST}; make them: kanhu firmware keys")
    found = []
    for file in files:
        try:
            key = load_pem_public_key(file.read_bytes())
        except ValueError as error:
            raise Misconfigured(f"{file} is no key: {error}", "a PEM file that `kanhu firmware keys` made") from error
        if not isinstance(key, RSAPublicKey) or key.key_size != BITS or key.public_numbers().e != 65537:
            raise Misconfigured(f"{file} is no RSA key of {BITS} bit", "make it with `kanhu firmware keys`")
        found.append(key.public_numbers().n)
    return found


def load(file: Path) -> "RSAPrivateKey":
    """A private key; asks for its passphrase on the terminal unless the environment has it.

    Raises:
        Misconfigured: it cannot be read.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        content = file.read_bytes()
        word = os.environ.get(PASSPHRASE, "")
        if b"ENCRYPTED" in content and not word:
            word = getpass.getpass(f"passphrase of {file.name}: ")
        key = load_pem_private_key(content, word.encode() if b"ENCRYPTED" in content else None)
    except (OSError, ValueError, TypeError) as error:
        raise Misconfigured(f"cannot use {file}: {error}", "the private key (.pem) that `kanhu firmware keys` made") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size != BITS:
        raise Misconfigured(f"{file} is no RSA key of {BITS} bit", "make it with `kanhu firmware keys`")
    return key


def sign(key: "RSAPrivateKey", message: bytes) -> bytes:
    """PKCS#1 v1.5 over SHA-256, 384 bytes: what `firmware/app/sign.py` checks."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return key.sign(message, PKCS1v15(), SHA256())
