"""A morning in a community of twelve homes: a real gateway's store and socket, and the console as a real process on them."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge_gateway.homes import routine
from edge_gateway.homes.home import Asked, Day, Past
from edge_gateway.rules import Finding, Severity
from tests.console.staff import ZONE
from tests.home_gateway import HOUR, SECOND, HomeGateway

PLACES = (
    "w3-201",
    "w3-202",
    "w5-101",
    "w5-102",
    "w5-103",
    "w7-301",
    "w7-302",
    "w7-303",
    "w7-304",
    "w7-305",
    "w7-306",
    "w7-307",
)
EVIL = '<img src=x onerror="window.hacked=1">'
MINUTE = 60 * SECOND


def registry() -> str:
    """Each home with its button and sensors; one place of another site."""
    lines = ['[sites.yunhe]\nname = "运河社区"\n[sites.other]\nname = "别处"']
    device = '[[devices]]\nsite = "yunhe"\nid = "d-{0}"\nplace = "{0}"\nmodel = "elder_home"\ncadence_s = 300'
    lines += [device.format(place) for place in PLACES]
    lines.append('[[devices]]\nsite = "other"\nid = "d-x"\nplace = "x-1"\nmodel = "elder_home"')
    lines.append('[[homes]]\nsite = "yunhe"\nplace = "w3-201"\nperson = "e-1"\ncontacts = ["zhang"]')
    return "\n".join(lines) + "\n"


class Morning(HomeGateway):
    """The gateway on the morning's homes; its clock stands at the moment it was made."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, registry(), time.time_ns(), visits=True)

    def begin(self) -> "Morning":
        """Let the night's things happen."""
        self.do(self._forget)
        self.now_ns = time.time_ns()
        for number, place in enumerate(PLACES):
            for name in ("motion.kitchen", "motion.living"):
                self.say(f"yunhe/d-{place}", name, True, self.now_ns - (3 + 4 * number) * MINUTE)
                self.say(f"yunhe/d-{place}", name, False, self.now_ns - (2 + 4 * number) * MINUTE)
            self.say(f"yunhe/d-{place}", "temperature", 21.0 + number, self.now_ns - MINUTE)
        self.say("yunhe/d-w3-201", "sos", True, self.now_ns - 3 * MINUTE, event=True)
        self.find(
            "w3-202", "inactivity", Severity.WARNING, f"厨房和客厅 5 小时没有动静, 平时这个时段不超过 2 小时。请打电话。{EVIL}"
        )
        self.find("w5-102", "silence", Severity.NOTICE, "设备 d-w5-102 失联, 请检查电源、电池和网络。", device="d-w5-102")
        self.find("x-1", "sos", Severity.URGENT, "别处的紧急求助", site="other")
        self.home("w5-101").asked = Asked("inactivity/yunhe/w5-101", self.now_ns - MINUTE, self.now_ns + HOUR)
        self.call("homes.pause", **at("w7-302"), by="zhang", until_ns=self.now_ns + 20 * HOUR, reason="家里来客")
        self.call("homes.away", **at("w7-303"), by="zhang", kind="daughter", until_ns=self.now_ns + 72 * HOUR)
        self.call("homes.seen", **at("w7-304"), by="li", note="")
        self.do(self._days)
        self.tick()
        return self

    def find(
        self, place: str, rule: str, severity: Severity, text: str, site: str = "yunhe", device: str = "", **more: Any
    ) -> str:
        """A rule found something; the alert's id."""
        key = f"{rule}/{site}/{place}"
        begun = self.now_ns - 40 * MINUTE
        evidence = tuple(f"2026-11-21 0{hour}:12:00+0800 motion.kitchen d-{place}" for hour in range(1, 6))
        told = f"{place}: {text}", f"{place}: {rule}, go and see. {EVIL}"
        finding = Finding(key, rule, severity, site, device, place, begun, *told, evidence, **more)
        self.do(lambda: self.gateway.desk.book.apply([finding], self.now_ns))
        self.do(self.gateway.committer.settle)
        return self.open(place, rule, site)

    def open(self, place: str, rule: str, site: str = "yunhe") -> str:
        """Id of the open alert; "" when there is none."""
        found = self.do(self.gateway.desk.book.open_alerts)
        return next((a.id for a in found if (a.site, a.place, a.rule) == (site, place, rule)), "")

    def home(self, place: str) -> Any:
        """What the gateway remembers of it now; a change is saved."""
        return self.do(lambda: self.gateway.desk.homes.change(("yunhe", place), self.now_ns))

    def _forget(self) -> None:
        self.gateway.desk.homes.homes.clear()
        for alert in self.gateway.desk.book.open_alerts():
            self.gateway.desk.close(alert.id, "test", "test")

    def _days(self) -> None:
        """Twenty days of one home: up at half past six, in bed at ten, out from nine to ten."""
        days = [_day(self.now_ns, ago) for ago in range(20, 0, -1)]
        home = self.gateway.desk.homes.change(("yunhe", "w7-301"), self.now_ns)
        home.today = _day(self.now_ns, 0)
        self.gateway.desk.homes.learned(("yunhe", "w7-301"), Past(days, [5.2 * 3600.0] * 24, self.now_ns))


def at(place: str) -> dict[str, str]:
    return {"site": "yunhe", "place": place}


def _day(now_ns: int, ago: int) -> Day:
    now = datetime.fromtimestamp(now_ns / 1e9, UTC).astimezone(ZONE)
    midnight = datetime.combine(now.date() - timedelta(ago), datetime.min.time(), ZONE)
    start_ns = int(midnight.timestamp()) * SECOND
    day = Day(midnight.date().isoformat(), [1800.0] * 24, [3] * 24, from_ns=start_ns)
    end_ns = now_ns if ago == 0 else start_ns + 24 * HOUR
    for minute in (*range(390, 540, 40), *range(600, 1320, 35)):
        if start_ns + minute * MINUTE < end_ns:
            routine.life(day, "motion.kitchen" if minute % 3 else "motion.bath", start_ns + minute * MINUTE)
    for what, first, last in (("bed", 0, 390), ("away", 540, 600), ("bed", 1320, 1440)):
        if start_ns + first * MINUTE < end_ns:
            routine.held(day, what, start_ns + first * MINUTE, min(end_ns, start_ns + last * MINUTE))
    return day
