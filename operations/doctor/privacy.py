"""Checks of what a person is owed: an erasing that was begun is ended, and there is a backup that can be reached."""

import time
from typing import Final

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from operations.doctor.result import Result, fail, ok, warn
from operations.privacy import backup
from operations.privacy.erase import begun

_DAY_S: Final = 86_400.0
_OLD_D: Final = 7.0


def erasings(settings: Settings) -> Result:
    """No erasing stopped in the middle."""
    try:
        subject = begun(settings)
    except Misconfigured as error:
        return fail(error.detail, error.hint)
    if subject is not None:
        again = f"kanhu privacy erase {subject.site} {subject.place} --by YOU --reason WHY"
        return fail(f"the erasing of {subject.site}/{subject.place} is not complete", f"do it again: {again}")
    return ok("none is under way")


def backups(settings: Settings) -> Result:
    """The newest backup is some days old at most, and where it was put."""
    store = settings.store_file
    if not store.exists():
        return ok("nothing to back up yet")
    try:
        known = backup.known(settings)
    except Misconfigured as error:
        return fail(error.detail, error.hint)
    every_night = "let a timer run `kanhu backup FOLDER` every night, onto another disk: docs/privacy.md"
    if not known:
        return warn("there is no backup of this gateway", every_night)
    age_d = (time.time() - known[-1].made_s) / _DAY_S
    if age_d > _OLD_D:
        return warn(f"the newest backup is {age_d:.0f} days old", every_night)
    if away := [one.folder for one in known if not one.reachable]:
        hint = "that is good for a stick in a drawer; remove its line from backups.json when it was thrown away"
        return ok(f"{len(known)}, the newest {age_d:.1f} days old; out of reach: {away[-1]} ({hint})")
    return ok(f"{len(known)}, the newest {age_d:.1f} days old")
