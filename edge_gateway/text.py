"""Text from outside, made safe to store, log and show."""

import unicodedata
from typing import Final

from edge_gateway.errors import Rejected

# Controls, direction and zero-width marks, lone surrogates, line and paragraph separators: they break a line, hide or reorder
# what stands beside them, or cannot be encoded at all.
_ESCAPED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


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
