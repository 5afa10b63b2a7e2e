"""Text from outside, made safe to store, log and show."""

import re
import unicodedata
from typing import Final

from edge_gateway.errors import Rejected

# Controls, direction and zero-width marks, lone surrogates, line and paragraph separators: they break a line, hide or reorder
# what stands beside them, or cannot be encoded at all.
_ESCAPED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

# A card's number has 7 or 10 bytes; a time in ms, us or ns has as many digits as neither.
_CARD: Final = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}([:\- ]?)(?:[0-9A-Fa-f]{2}\1){5}(?:(?:[0-9A-Fa-f]{2}\1){3})?)"
                          r"[0-9A-Fa-f]{2}(?![0-9A-Fa-f])")  # fmt: skip


def masked(text: str) -> str:
    """The text with what may be the number of a card cut to its beginning: `04a7...`."""
    return _CARD.sub(lambda found: f"{found[0][:4]}...", text)


def escaped(text: str, most: int, name: str) -> str:
    r"""The text with every character of those kinds written as `\u202e`; nobody's text is lost for one of them.

    Raises:
        Rejected: `too_long`, for more than `most` characters before escaping.
    """
    if len(text) > most:
        raise Rejected("too_long", f"{name} has {len(text)} characters; at most {most}")
    if text.isprintable():
        return text
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _ESCAPED else c for c in text)
