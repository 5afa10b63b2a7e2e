"""Before people are called a home asks whether all is well. One question at a time, whichever rule it was that had to ask."""

from edge_gateway.homes.home import Watched
from edge_gateway.registry import ELDER_HOME
from edge_gateway.rules.rule import Prewarn, View


def asked(watched: Watched, view: View, key: str, since_ns: int = 0) -> Prewarn | bool:
    """Whether people may be called about `key` now.

    Args:
        since_ns: when what it is about began; a question from before that was about something else.
    Returns:
        True: nobody answered, or the alert is open already, or this home cannot ask. False: it is being asked, wait.
        A `Prewarn`, to be yielded: ask now. An answer (any sign of life) clears `home.asked`: it is for the rule to see
        that it no longer has a reason.
    """
    home, setting = watched.home, watched.setting
    if key in view.open or not setting.prewarn_s:
        return True
    if home.asked is not None and home.asked.asked_ns >= since_ns:
        return view.now_ns >= home.asked.ends_ns
    return Prewarn(home.site, home.place, key, setting.prewarn_s) if _has_voice(watched, view) else True


def _has_voice(watched: Watched, view: View) -> bool:
    """Whether a device at home can ask; to wait for an answer to a question nobody heard would only cost time."""
    devices = view.registry.devices.values()
    return any(device.model == ELDER_HOME and (device.site, device.place) == watched.home.key for device in devices)
