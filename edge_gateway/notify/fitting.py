"""Text cut to what a channel takes, at the end of a line; the link with which somebody accepts is never cut off. Pure."""

from typing import Final

_MORE: Final = "…"


def fitted(text: str, longest: int, link: str = "") -> str:
    """`text` in at most `longest` bytes of UTF-8."""
    if len(text.encode("utf-8", "replace")) <= longest:
        return text
    kept = _head(text, longest - len(f"\n{_MORE}".encode()))
    if link and link not in kept:
        # The whole address: half of one opens nothing.
        kept = _head(text, longest - len(f"\n{_MORE}\n{link}".encode()))
        return f"{kept}\n{_MORE}\n{link}"
    return f"{kept}\n{_MORE}"


def short(text: str, longest: int) -> str:
    """The first line in at most `longest` characters."""
    line = next(iter(text.splitlines()), "").strip()
    return line if len(line) <= longest else line[: max(longest - 1, 0)] + _MORE


def _head(text: str, longest: int) -> str:
    """Whole lines; of a first line that is too long alone, its beginning."""
    lines: list[str] = []
    left = longest
    for line in text.splitlines():
        size = len(line.encode("utf-8", "replace")) + 1
        if size > left:
            break
        lines.append(line)
        left -= size
    if lines:
        return "\n".join(lines).rstrip()
    return text.encode("utf-8", "replace")[: max(longest, 0)].decode("utf-8", "ignore")
