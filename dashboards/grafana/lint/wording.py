"""Which language a text is in: a dashboard speaks one, and what was left untranslated is found here and not by a user."""

import re
from collections.abc import Iterator
from typing import Final

from dashboards.grafana.lint.shape import Json, short, split
from dashboards.grafana.text import Language

CHINESE: Final = re.compile(r"[\u3400-\u9fff]")
ENGLISH: Final = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")
"""Two words: pH and COD are the same in both."""

# What people read; anything else is for Grafana or the database.
_READ: Final = split("title label displayName text description noValue content axisLabel tooltip")


def wording_faults(dashboard: Json, language: Language) -> Iterator[str]:
    """Texts of a dashboard that are in the other language. A link of the dashboard may name the other one in its own words."""
    yield from _faults({key: value for key, value in dashboard.items() if key != "links"}, language, "")


def _faults(value: Json, language: Language, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            here = f"{where}.{key}" if where else str(key)
            if isinstance(one, str):
                if language is Language.EN and key not in ("query", "definition") and CHINESE.search(one):
                    yield f"{here}: {short(one)} is Chinese in an English dashboard"
                if language is Language.ZH and key in _READ and ENGLISH.search(one) and not CHINESE.search(one):
                    yield f"{here}: {short(one)} is English in a Chinese dashboard"
            else:
                yield from _faults(one, language, here)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _faults({"": one} if isinstance(one, str) else one, language, f"{where}[{at}]")
