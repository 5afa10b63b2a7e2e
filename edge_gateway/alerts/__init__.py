"""Alerts: from what a rule found to a person who took it, and to a person who closed it."""

from edge_gateway.alerts.alert import Alert, State, pack, unpack
from edge_gateway.alerts.book import AlertBook, Changes
from edge_gateway.alerts.notice import Item, Notice

__all__ = ["Alert", "AlertBook", "Changes", "Item", "Notice", "State", "pack", "unpack"]
