"""Finds what is wrong with an installation and names the next step; every check is one line of `CHECKS`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import load
from operations.doctor import broker, channels, database, files, gateway, machine, outside, privacy
from operations.doctor.result import Check, Outcome, Result, fail, ok

__all__ = ["CHECKS", "Check", "Outcome", "Result", "examine"]

CHECKS: Final[tuple[Check, ...]] = (
    Check("secrets", files.secrets),
    Check("registry", files.registry),
    Check("people", files.people),
    Check("channels", channels.channels),
    Check("answers", channels.answers),
    Check("watcher outside", outside.watcher),
    Check("data folder", files.data_folder),
    Check("erasings", privacy.erasings),
    Check("backups", privacy.backups),
    Check("disk space", machine.disk_space),
    Check("SQLite", machine.sqlite),
    Check("clock", machine.clock),
    Check("certificates", machine.certificates),
    Check("broker login", broker.login),
    Check("broker access rules", broker.access_rules),
    Check("broker limits", broker.limits),
    Check("database", database.database),
    Check("gateway", gateway.running),
    Check("ports", gateway.ports),
)


def examine(settings_file: Path | None = None) -> Iterator[tuple[str, Result]]:
    """Every check's name and result, one by one as they are found; only the first when the settings cannot be read."""
    try:
        settings = load(settings_file)
    except Misconfigured as error:
        yield "settings", fail(error.detail, error.hint)
        return
    yield "settings", ok(f"{settings_file or 'defaults and kanhu.toml'}: every key is known")
    for check in CHECKS:
        try:
            yield check.name, check.run(settings)
        except Exception as error:  # the other checks still help
            yield check.name, fail(f"the check itself broke: {error!r}", "report this with the line above")
