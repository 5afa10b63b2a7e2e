"""docs/commands.md names every command and option that exists. `python -m tests.operations.test_docs_commands` makes it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import kanhu_app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
_BLOCK = re.compile(r"(<!-- commands: [^\n]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)


def commands(command: Any, path: str = "kanhu") -> Iterator[tuple[str, Any]]:
    """(`kanhu alerts list`, command) of all that do something."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from commands(child, f"{path} {name}")


def reference() -> str:
    """A heading, the sentence and the table of options of each command."""
    parts = []
    for path, command in commands(typer.main.get_command(kanhu_app.app)):
        arguments = [_metavar(p) for p in command.params if p.param_type_name == "argument"]
        parts.append(f"### `{' '.join([path, *arguments])}`\n\n{' '.join((command.help or '').split())}\n")
        options = [_option(p) for p in command.params if p.name not in ("help", "settings")]
        if options:
            parts.append("\n".join(["| | |", "|---|---|", *options]) + "\n")
    return "\n".join(parts)


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _option(parameter: Any) -> str:
    names = _metavar(parameter) if parameter.param_type_name == "argument" else ", ".join(parameter.opts)
    default = parameter.default
    shown = "" if callable(default) or default in (None, "", False, ()) else f" Default: {default}."
    told = (getattr(parameter, "help", None) or "").replace("|", "or").rstrip(".;")
    return f"| `{names}` | {told}.{shown} |".replace("]", "").replace("[", "")


def test_every_command_and_option_is_on_the_page() -> None:
    found = _BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found[2].strip() == reference().strip(), "run `python -m tests.operations.test_docs_commands`"


def test_the_commands_that_other_pages_name_exist() -> None:
    known = {path for path, _ in commands(typer.main.get_command(kanhu_app.app))}
    groups = {path.rsplit(" ", 1)[0] for path in known}
    pages = [*PAGE.parent.glob("*.md"), *PAGE.parents[1].glob("*.md")]
    for page in pages:
        for named in re.findall(r"`(?:\.venv/bin/)?(kanhu(?: [a-z][a-z-]+)+)", page.read_text(encoding="utf-8")):
            words = named.split()
            assert any(" ".join(words[:n]) in known | groups for n in (2, 3)), f"{page.name}: {named}"


def write() -> None:
    """Put the reference into the page."""
    before, begin, _, end, after = _BLOCK.split(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{begin}{reference()}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
