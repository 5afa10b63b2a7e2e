"""Where it lies in a home's memory what persons said of it, and which alerts a person who is well does not end. Pure."""

from typing import Final

SEEN: Final = "seen"
SEEN_AT: Final = "seen.at"  # in `timers`
SEEN_BY: Final = "seen.by"  # in `notes`
SEEN_FINE: Final = "seen_fine"  # why it ended an alert
AWAY_KINDS: Final = ("out", "daughter", "long")
EMERGENCIES: Final = ("heat", "cold", "flood", "outage")
ELDER: Final = "elder"  # who paused, when it was a button at home
PAUSE_SAID: Final = "pause.said"  # in `timers`: when anybody last said something of a pause
# In the notes of the site's own memory; seconds, because what a person wrote down is a date and moves with no clock.
EMERGENCY_KIND: Final = "emergency.kind"
EMERGENCY_UNTIL: Final = "emergency.until_s"
EMERGENCY_SINCE: Final = "emergency.since_s"
EMERGENCY_BY: Final = "emergency.by"
# The person is fine; the device is still dead.
EQUIPMENT: Final = frozenset(
    {"silence", "sensor", "detector", "deaf", "unprotected", "selftest", "rule-failed", "damaged", "grafana"}
)
