"""Stands in for the gateway's own minute series until the gateway writes them: plain values, the right names."""

from typing import TYPE_CHECKING

from edge_gateway.events import Flag, Reading, Readings, TimeQuality

if TYPE_CHECKING:
    from edge_gateway.service import Gateway


def minute(g: "Gateway", seq: int) -> list[Readings]:
    """What the gateway says each minute of itself, of each device, quantity and home."""
    now_ns = g.clock_ns()

    def said(site: str, device: str, place: str, values: dict[str, float]) -> Readings:
        readings = [Reading(name, value, int(Flag.PASS)) for name, value in values.items()]
        return Readings.of(site, device, place, 1, seq, now_ns, now_ns, "ntp", TimeQuality.DEVICE, None, readings)

    found = [
        said("kanhu", "gateway", "", {
            "commit_time": 0.004, "write_time": 0.02, "database_ok": 1.0, "database_refused": 0.0, "broker_connected": 1.0,
            "clock_trusted": 1.0, "times_repaired": 0.0, "notices_sent": 3.0, "notices_failed": 0.0, "notices_waiting": 0.0,
            "alerts_unaccepted": 1.0, "alert_unaccepted_age": 900.0, "certificate_left": 8e6, "disk_used": 0.4,
            "devices_expected": float(len(g.pipeline.registry.devices)), "devices_silent": 1.0, "homes_unprotected": 1.0,
            "troubles": 0.0,
        })
    ]  # fmt: skip
    for key, device in g.pipeline.registry.devices.items():
        known = g.pipeline.states.get(key)
        heard_ns = known.heard_ns if known is not None else 0
        silent_s = (now_ns - heard_ns) / 1e9
        overdue = silent_s / device.silence_s if device.silence_s else 0.0
        fleet = {"silent_for": silent_s, "cadence": device.cadence_s, "overdue": overdue, "boots": 1.0, "missing_messages": 0.0}
        fleet |= {"lost_messages": 0.0, "stored_messages": 5.0, "dead_messages": 0.0}
        found.append(said(*key, device.place, fleet))
        for name in device.measures:
            base, channel = name.partition(".")[0], name.replace(".", "-")
            del base
            found.append(
                said(*key, device.place, {f"reading_age.{channel.replace('-', '_')}": silent_s,
                                          f"reading_overdue.{channel.replace('-', '_')}": overdue})
            )  # fmt: skip
    for number, (site, place) in enumerate(g.pipeline.registry.homes):
        values = {"home_unprotected": 1.0, "home_paused": 0.0, "home_away": 0.0, "home_alerts": 1.0, "home_unaccepted_age": 5.0}
        if number:
            values["selftest_age"] = 3600.0
        found.append(said(site, "gateway", place, values))
    return found
