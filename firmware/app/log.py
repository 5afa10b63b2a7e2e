"""The last lines of what happened, kept in memory and printed; a trouble is one line when it comes and one when it goes."""

from app import ticks

KEPT = 60  # lines; about 6 KiB
_LONGEST = 160

_lines = []


def log(level: str, text: str) -> None:
    """Keep and print one line; `level` is `info`, `warning` or `error`."""
    line = "%d %s %s" % (ticks.now() // 1000, level, str(text)[:_LONGEST])
    _lines.append(line)
    if len(_lines) > KEPT:
        del _lines[0]
    print(line)


def lines() -> list:
    """The lines kept, oldest first: seconds since the start, level, text."""
    return list(_lines)


class Trouble:
    """Something that is out of order or not, said once each time that changes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.now = ""
        self.count = 0  # how often it came

    def set(self, text: str = "") -> None:
        """It is out of order, and how; "": it is well."""
        if bool(text) != bool(self.now):
            if text:
                self.count += 1
                log("warning", "%s: %s" % (self.name, text))
            else:
                log("info", "%s: well again" % self.name)
        self.now = text
