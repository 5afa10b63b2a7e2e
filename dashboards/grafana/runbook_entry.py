"""One page of the runbook: what it means, and what to do step by step."""

from typing import Final, NamedTuple

from dashboards.grafana.text import Language, Text

_DO: Final = Text("怎么办", "What to do")


class Entry(NamedTuple):
    """One page; `number` is its panel's id and never changes."""

    number: int
    name: str
    title: Text
    means: Text
    steps: tuple[Text, ...]

    def body(self, language: Language) -> str:
        """As Markdown, without the title."""
        steps = "\n".join(f"{number}. {step.of(language)}" for number, step in enumerate(self.steps, 1))
        return f"{self.means.of(language)}\n\n**{_DO.of(language)}**\n\n{steps}"
