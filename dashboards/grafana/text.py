"""Texts in both languages, from one place."""

from enum import StrEnum
from typing import Final, NamedTuple


class Language(StrEnum):
    """What a built dashboard is written in."""

    ZH = "zh"
    EN = "en"


class Text(NamedTuple):
    """One text for people, in simplified Chinese and in English."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        """In one of the two."""
        return self.zh if language is Language.ZH else self.en


class Help(NamedTuple):
    """What a panel says of itself behind its (i): what it shows, what it means when it is empty, what to do."""

    shows: Text
    empty: Text
    act: Text

    def of(self, language: Language) -> str:
        """As Markdown."""
        empty, act = _EMPTY.of(language), _ACT.of(language)
        return f"{self.shows.of(language)}\n\n**{empty}** {self.empty.of(language)}\n\n**{act}** {self.act.of(language)}"


_EMPTY: Final = Text("空白表示:", "Empty means:")
_ACT: Final = Text("怎么办:", "What to do:")
