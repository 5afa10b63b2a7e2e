"""Entries to write in tests."""

from collections.abc import Sequence

from edge_gateway.events import AlertChange, Event, Loss, Reading, Readings, StatusChange, VisitChange

SECOND_NS = 1_000_000_000


def readings(
    values: Sequence[Reading],
    time_ns: int,
    device: str = "home-1",
    place: str = "p1",
    time_quality: int = 0,
    error_s: float | None = None,
    seq: int = 1,
) -> Readings:
    return Readings.of("village", device, place, 17, seq, time_ns, time_ns + 5, "ntp", time_quality, error_s, list(values))


def temperatures(number: int, start_ns: int, devices: int = 50) -> list[Readings]:
    """So many entries of a temperature and a humidity, each of its own instant and value."""
    return [
        readings(
            [Reading("temperature", 20 + n / 7, 1), Reading("humidity", float(n), 2)],
            start_ns + n * 1_000_003,
            device=f"home-{n % devices}",
            seq=n + 1,
        )
        for n in range(number)
    ]


def one_of_each(time_ns: int) -> list[Readings | Event | Loss | StatusChange | AlertChange]:
    """Every kind of entry, and every kind of field."""
    return [
        readings(
            [
                Reading("temperature", 21.0, 1),
                Reading("humidity", None),
                Reading("motion.kitchen", 1.0, 1),
                Reading("ph", 7.123456789012345, 3, 7.0, "cal-1"),
                Reading("activity", 'say "hi"\\ a,b=c', 1),
            ],
            time_ns,
            time_quality=1,
            error_s=2.5,
        ),
        Event(
            "village",
            "door-1",
            "",
            17,
            2,
            time_ns,
            time_ns,
            "ntp",
            0,
            0.1,
            "tap",
            [Reading("tap", "04a1", 1), Reading("proof", "ok", 1)],
        ),
        Loss("river", "probe-1", "", 18, 4, time_ns, time_ns, 17, 100, 220),
        StatusChange("village", "home-1", "p1", time_ns, True, 18, "elder_home 1.4.0"),
        StatusChange("village", "home-2", "p2", time_ns, False, None),
        AlertChange("village", "home-1", "p1", time_ns, "sos/home-1/17/9", "sos", "red", "raised", "gateway", "按钮"),
        AlertChange(
            "village", "home-1", "p1", time_ns + 5_000_000, "sos/home-1/17/9", "sos", "red", "accepted", "li", "", 62.5
        ),
        VisitChange(
            *("village", "gateway", "p1", time_ns, "meal-3/2026-11-21", "meal", "meal-3", "e-7", "k-2", "late", "strong"),
            *(True, False, 840, "late substitute"),
        ),
        VisitChange(
            "village", "gateway", "p2", time_ns, "village/door-1/17/2", "", "", "", "", "gone", "none", False, False, 0
        ),
    ]


def rows_of_each(time_ns: int) -> dict[str, list[dict[str, object]]]:
    """Measurement -> the lines that `one_of_each` has to become, written down by hand."""
    home = {"site": "village", "device": "home-1", "place": "p1", "time": time_ns}
    about = {"time_quality": "repaired", "clock_error_s": 2.5}
    return {
        "climate": [{**home, **about, "temperature": 21.0, "temperature_flag": 1, "humidity_flag": 9}],
        "presence": [
            {**home, **about, "activity": 'say "hi"\\ a,b=c', "activity_flag": 1},
            {**home, **about, "channel": "kitchen", "motion": 1.0, "motion_flag": 1},
        ],
        "water": [{**home, **about, "ph": 7.123456789012345, "ph_flag": 3, "ph_raw": 7.0, "ph_calibration": "cal-1"}],
        "event": [
            {
                **{"site": "village", "device": "door-1", "kind": "tap", "time": time_ns, "boot": 17, "seq": 2},
                **{"tap": "04a1", "tap_flag": 1, "proof": "ok", "proof_flag": 1},
            }
        ],
        "loss": [{"site": "river", "device": "probe-1", "time": time_ns, "lost": 121.0, "boot": 17, "first": 100, "last": 220}],
        "status": [
            {**home, "online": 1.0, "boot": 18, "firmware": "elder_home 1.4.0"},
            {"site": "village", "device": "home-2", "place": "p2", "time": time_ns, "online": 0.0},
        ],
        "alert": [
            {
                **{**home, "rule": "sos", "severity": "red", "alert": "sos/home-1/17/9"},
                **{"state": "raised", "by": "gateway", "reason": "按钮"},
            },
            {
                **{**home, "time": time_ns + 5_000_000, "rule": "sos", "severity": "red", "alert": "sos/home-1/17/9"},
                **{"state": "accepted", "by": "li", "reason": "", "waited_s": 62.5},
            },
        ],
        "visit": [
            {
                **{**home, "device": "gateway", "kind": "meal", "channel": "meal-3", "visit": "meal-3/2026-11-21"},
                **{"person": "e-7", "courier": "k-2", "state": "late", "grade": "strong", "counted": 1.0, "reviewing": 0.0},
                **{"late_s": 840.0, "reasons": "late substitute"},
            },
            {
                **{"site": "village", "device": "gateway", "place": "p2", "time": time_ns, "visit": "village/door-1/17/2"},
                **{"state": "gone", "grade": "none", "counted": 0.0, "reviewing": 0.0, "late_s": 0.0},
                **{"person": "", "courier": "", "reasons": ""},
            },
        ],
    }
