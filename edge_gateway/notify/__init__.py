"""The ways to reach a person. A new one is one file and one line in `NOTIFIERS`."""

from typing import Final

from edge_gateway.notify import dingtalk, feishu, wecom
from edge_gateway.notify.apprise_notifier import AppriseNotifier
from edge_gateway.notify.bark import BarkNotifier
from edge_gateway.notify.gateway import GatewayNotifier
from edge_gateway.notify.heartbeat import HeartbeatNotifier
from edge_gateway.notify.letter import Letter, compose
from edge_gateway.notify.notifier import Notifier, Outcome
from edge_gateway.notify.robot import KEY, Robot

__all__ = ["NOTIFIERS", "Letter", "Notifier", "Outcome", "compose", "notifier_for"]

# The first that handles an address sends it; apprise handles all that have no notifier of their own.
NOTIFIERS: Final[tuple[Notifier, ...]] = (
    Robot(wecom.KIND),
    Robot(dingtalk.KIND),
    Robot(feishu.FEISHU),
    Robot(feishu.LARK),
    BarkNotifier(),
    GatewayNotifier("sms"),
    GatewayNotifier("voice"),
    GatewayNotifier("webhook", KEY, "name of who is told"),
    HeartbeatNotifier(),
    AppriseNotifier(),
)


def notifier_for(url: str, notifiers: tuple[Notifier, ...] = NOTIFIERS) -> Notifier | None:
    """Who sends to this address; None: nobody can."""
    return next((notifier for notifier in notifiers if notifier.handles(url)), None)
