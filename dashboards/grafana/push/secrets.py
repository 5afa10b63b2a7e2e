"""Secrets kept out of whatever is printed."""

from collections.abc import Iterable
from typing import Final

_SHORT: Final = 4  # a shorter one would blacken half of a text


def hidden(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret in it replaced by `***`: what a server answers may quote what it was sent."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORT:
            text = text.replace(secret, "***")
    return text
