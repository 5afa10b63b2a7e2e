"""What a person who runs the gateway should know now: one line a trouble, logged once when it begins and once when it ends."""

import logging
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Troubles:
    """Troubles by their cause: `broker`, `database`, `store`, `registry`, `metrics`, ..."""

    now: dict[str, str] = field(default_factory=dict)

    def set(self, cause: str, detail: str) -> None:
        """Say what is wrong with `cause`; "" when it is well. Any thread may call."""
        before = self.now.get(cause, "")
        if detail == before:
            return
        if detail:
            self.now[cause] = detail
            if not before:
                log.warning("%s: %s", cause, detail)
        else:
            self.now.pop(cause, None)
            log.info("%s: well again", cause)
