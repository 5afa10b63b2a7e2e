"""Commands from the gateway: each id is done once, also when the broker delivers it again after the reset it asked for."""

import json

from app import files
from app.log import log

_KEPT = 32  # ids


class Commands:
    """
    Args:
        path: file for the ids done; survives a power cut.
        functions: name -> function of the command as a dict; may grow later.
        repeatable: names of those that may be done again without harm: no flash is worn for their ids.
    """

    def __init__(self, path: str, functions: dict, repeatable) -> None:
        self._path = path
        self._functions = functions
        self._repeatable = repeatable
        self._done = self._load()

    def take(self, command: dict) -> bool:
        """Do it, unless its name is unknown or its id was done; whether it was done now."""
        name, identity = command["name"], command["id"][:64]
        function = self._functions.get(name)
        if function is None or identity in self._done:
            return False
        if name not in self._repeatable:
            self._done.append(identity)
            del self._done[:-_KEPT]
            # Before it is done: a reset on the way must not make it a second one.
            files.write(self._path, json.dumps(self._done).encode())
        try:
            function(command)
        except Exception as error:
            log("error", "command %s: %s: %s" % (name, type(error).__name__, error))
            return False
        return True

    def _load(self) -> list:
        try:
            kept = json.loads(files.read(self._path) or b"[]")
            return [identity for identity in kept if isinstance(identity, str)]
        except (ValueError, TypeError):
            return []
