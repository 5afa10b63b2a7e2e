"""Before people are called a home asks whether all is well. One question at a time, whichever rule it was that had to ask."""

from edge_gateway.homes.home import Watched
from edge_gateway.rules.rule import Prewarn, View


def asked(watched: Watched, view: View, key: str) -> Prewarn | bool:
    """Whether people may be called about `key` now.

    Returns:
        True: nobody answered, or the alert is open already, or this home does not ask. False: it is being asked, wait.
        A `Prewarn`, to be yielded: ask now. An answer (any sign of life) clears `home.asked`: it is for the rule to see
        that it no longer has a reason.
    """
    home, setting = watched.home, watched.setting
    if key in view.open or not setting.prewarn_s:
        return True
    if home.asked is None:
        return Prewarn(home.site, home.place, key, setting.prewarn_s)
    return view.now_ns >= home.asked.ends_ns
