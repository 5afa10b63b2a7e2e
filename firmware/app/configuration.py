"""Settings from afar: taken on trial, kept once the device is connected with them, else undone; the answer is in the birth.

What the gateway sends (`down/config`) is laid over the device's own settings file. It counts as a whole: what a newer version
leaves out goes back to the file. The file itself, with which the device was set up, is never changed.
"""

import json

from app import files, settings
from app.log import log

# So many starts of a trial without a connection: it does not even run long enough to be timed.
_MOST_STARTS = 4
_LONGEST_ERROR = 200


class Configuration:
    """
    Args:
        path: file for what was sent; survives a power cut at any time.
        document: the device's own settings, as `settings.read` gives them.
        app: the module of its model.
        continued: woke from a planned sleep, which is no new start.
    Raises:
        Misconfigured: the device's own settings are wrong.
    """

    def __init__(self, path: str, document: dict, app, continued: bool = False) -> None:
        self._path = path
        self._document = document
        self._app = app
        self._good: tuple | None = None  # (version, values)
        self._trial: tuple | None = None
        self._refused: tuple | None = None  # (version, why)
        self._starts = 0
        self.apply = lambda reason: None  # called when new settings wait for a reset
        self.told = lambda: None  # called when the birth has something new to tell
        self._load()
        if self._trial is not None and not continued:
            self._starts += 1
            if self._starts > _MOST_STARTS:
                self._refuse(self._trial[0], "was never connected in %d starts" % _MOST_STARTS)
            self._save()
        self.settings = self._in_use()

    @property
    def version(self):
        """The version in use; None: only the device's own file."""
        used = self._trial or self._good
        return None if used is None else used[0]

    @property
    def on_trial(self) -> bool:
        """In use, but not yet connected with it."""
        return self._trial is not None

    def status(self) -> dict:
        """Keys for the birth."""
        told = {}
        if self.version is not None:
            told["config"] = self.version
        if self._refused is not None:
            told["config_error"] = "version %d: %s" % self._refused
        return told

    def offered(self, version: int, values: dict) -> None:
        """Settings came. The same ones come again at every connect, since they are retained."""
        if version == self.version or (self._refused is not None and version == self._refused[0]):
            return
        problems = ["%s: cannot be changed from afar" % key for key in settings.LOCAL if key in values]
        if not problems:
            try:
                checked = settings.checked(settings.merged(self._document, values), self._app)
            except settings.Misconfigured as error:
                problems = error.problems
        if problems:
            self._refuse(version, "; ".join(problems))
            self._save()
            self.told()
        elif checked == self.settings and not self.on_trial:
            self._refused, self._good = None, (version, values)
            self._save()
            self.told()
        else:
            self._refused, self._trial, self._starts = None, (version, values), 0
            if self._save():
                self.apply("settings version %d" % version)
            else:
                self._refuse(version, "the flash cannot be written")
                self.told()

    def connected(self) -> None:
        """The gateway's broker is reached with the settings in use: they are good."""
        if self._trial is not None:
            log("info", "settings version %d are good" % self._trial[0])
            self._good, self._trial, self._starts = self._trial, None, 0
            self._save()

    def missed(self) -> None:
        """A device that sleeps has tried to connect, in vain."""
        if self._trial is not None:
            self._starts += 1
            if self._starts > _MOST_STARTS:
                self.undo("not connected in %d tries" % _MOST_STARTS)
            else:
                self._save()

    def undo(self, why: str) -> None:
        """The settings on trial do not do: back to the last good ones, with a reset."""
        if self._trial is not None:
            self._refuse(self._trial[0], why)
            self._save()
            self.apply("settings undone: " + why)

    def _refuse(self, version: int, why: str) -> None:
        log("warning", "settings version %d refused: %s" % (version, why))
        self._refused, self._starts = (version, why[:_LONGEST_ERROR]), 0
        if self._trial is not None and self._trial[0] == version:
            self._trial = None

    def _in_use(self) -> dict:
        """The newest settings that can be run with; another firmware may refuse what the one before took."""
        for name in ("_trial", "_good"):
            used = getattr(self, name)
            if used is None:
                continue
            try:
                return settings.checked(settings.merged(self._document, used[1]), self._app)
            except settings.Misconfigured as error:
                setattr(self, name, None)
                self._refuse(used[0], "; ".join(error.problems))
                self._save()
        return settings.checked(self._document, self._app)

    def _load(self) -> None:
        kept = files.read(self._path)
        if kept is None:
            return
        try:
            found = json.loads(kept)
            pairs = [None if pair is None else (pair[0], pair[1]) for pair in found[:3]]
            self._good, self._trial, self._refused = pairs
            self._starts = found[3]
        except (ValueError, TypeError, IndexError, KeyError):
            log("error", "%s is none of ours; the device's own settings are used" % self._path)

    def _save(self) -> bool:
        """False: the flash cannot be written. Nobody may fail for that: the device runs on with what it has."""
        try:
            files.write(self._path, json.dumps([self._good, self._trial, self._refused, self._starts]).encode())
        except OSError as error:
            log("error", "%s: %s" % (self._path, error))
            return False
        return True
