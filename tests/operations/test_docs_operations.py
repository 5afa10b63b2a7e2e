"""docs/operations.md knows every setting, file and line of the broker that exists, and none that does not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from edge_gateway import registry
from edge_gateway.settings import Settings
from operations import mosquitto

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> dict[str, list[str]]:
    """First cell -> the other cells, of the section's table."""
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip(" `|"): row[1:] for row in cells}


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and default of every setting; of a list of tables also the keys of one."""
    for name, field in model.model_fields.items():
        inner = next(
            (a for a in (field.annotation, *get_args(field.annotation)) if isinstance(a, type) and issubclass(a, BaseModel)),
            None,
        )
        if inner is None or get_args(field.annotation):
            yield prefix + name, field.default
        if inner is not None:
            yield from keys(inner, f"{prefix}{name}.")


@pytest.mark.parametrize(("key", "default"), list(keys(Settings)))
def test_every_setting_is_documented_with_its_default(key: str, default: Any) -> None:
    row = rows("Settings").get(key)
    assert row is not None, f"{key} is not in the table of docs/operations.md"
    assert len(row) == 2
    shown = "required" if default is PydanticUndefined else "none" if default in (None, "", []) else f"`{default}`"
    assert row[0].strip() == shown, f"{key}: documented {row[0]}, is {default!r}"
    assert row[1], f"{key} has no explanation"


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(rows("Settings")) == {key for key, _ in keys(Settings)}


def test_the_registry_of_the_page_can_be_read_and_shows_every_key() -> None:
    toml = re.findall(r"```toml\n(.*?)```", section("Registry"), re.S)[0]
    known = registry.parse(toml)
    assert known.sites["yunhe"].zone == "Asia/Shanghai"
    assert known.devices["yunhe", "reader-k-012"].holder == "k-012"
    for key in ("site", "id", "place", "model", "cadence_s", "silence_s", "measures", "note", "holder", "lat", "lon"):
        assert re.search(rf"^{key} = ", toml, re.M), key
    csv = re.findall(r"```csv\n(.*?)```", section("Registry"), re.S)[0]
    assert registry.from_csv(csv, known)[0].measures == {"temperature", "humidity", "motion.kitchen", "sos"}


def test_every_line_of_the_brokers_configuration_has_its_reason() -> None:
    tls = mosquitto.Tls(Path("/a"), Path("/b"), Path("/c"), clients_need_certificate=False)
    conf = mosquitto.conf(Path("/f"), [mosquitto.Listener(8883, tls=tls)])
    named = " ".join(re.findall(r"^\| (.*?) \|", section("mosquitto"), re.M))
    # where files are and what is logged needs no reason
    plain = {
        "persistence_location",
        "log_dest",
        "log_type",
        "log_timestamp_format",
        "connection_messages",
        "per_listener_settings",
    }
    used = {line.split()[0] for line in conf.splitlines() if line and not line.startswith("#")}
    assert not [option for option in used - plain if option not in named]


def test_the_files_of_the_data_folder_are_named() -> None:
    named = "".join(rows("Files"))
    settings = Settings()
    for file in (settings.store_file, settings.readings_file, settings.command_socket, settings.console_file):
        assert file.name in named
    for name in ("ballast", "secrets/", "mosquitto/", "log/", "supervisor.json"):
        assert name in named


def test_links_and_files_that_the_page_names_are_there() -> None:
    for anchor in re.findall(r"\]\(#([a-z-]+)\)", TEXT):
        assert re.search(rf"^## {anchor.replace('-', '[- ]')}$", TEXT, re.M | re.I), anchor
    for path in re.findall(r"`((?:deploy|docker|scripts)/[\w./-]+)`", TEXT):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
        assert (ROOT / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / page).read_text(encoding="utf-8"), re.M))
    assert named
    assert named <= targets
