"""Which alert goes to which contact point, by labels of our rules: alerts about missing data and errors carry them too."""

from collections.abc import Collection
from typing import Any, Final

from dashboards.grafana.contact_points import GATEWAY, OUTSIDE
from dashboards.grafana.options import Options

_OURS: Final = ["kanhu", "=~", ".+"]
_WAITS: Final = {"group_wait": "30s", "group_interval": "5m"}


def routes(receivers: Collection[str]) -> list[dict[str, Any]]:
    """Our own branches, to stand before those of others.

    Args:
        receivers: names of the contact points that there are. Without one for the gateway people are told instead. Without one
            for people the gateway is not: what is told outside falls to the organisation's own default.
    """
    made = []
    if OUTSIDE in receivers:
        made.append(_route(OUTSIDE, "outside", "4h"))
    if GATEWAY in receivers or OUTSIDE in receivers:
        # The gateway keeps an alert until it ends; the repetition is for one that was away when it was told.
        receiver, again = (GATEWAY, "1h") if GATEWAY in receivers else (OUTSIDE, "12h")
        made.append(_route(receiver, "gateway", again))
    return made


def policy(options: Options, receivers: Collection[str]) -> dict[str, Any]:
    """The whole tree, for a new Grafana that is ours alone; there is at least one contact point."""
    del options  # the same at every site
    made = routes(receivers)
    assert made, receivers
    root = OUTSIDE if OUTSIDE in receivers else GATEWAY
    return {"receiver": root, "group_by": ["grafana_folder", "alertname"], **_WAITS, "repeat_interval": "4h", "routes": made}


def _route(receiver: str, via: str, again: str) -> dict[str, Any]:
    """One message for each rule, not for each device: a power cut in a street is one message."""
    matchers = [_OURS, ["via", "=", via]]
    return {"receiver": receiver, "object_matchers": matchers, "group_by": ["kanhu_rule"], **_WAITS, "repeat_interval": again}
