"""Fixed readers that lose network, power and time, and phones that read tags: how a tap gets to the gateway."""

from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random

from edge_gateway.events import TimeQuality
from edge_gateway.visits.records import PHONE, Outage, Tap
from tests.couriers.cards import SITE

S = 1_000_000_000
HOUR_S = 3600.0
_LATE_S = 900.0  # the gateway marks what is older
_DRIFT_PPM = 20.0


@dataclass(frozen=True)
class Trouble:
    """A time in which something is not as it should be; true seconds.

    kind: offline, dead, gateway (it is down), untimed (offline, restarted, its clock is lost and learned again afterwards),
        lost (offline, restarted twice: nobody will ever know the time).
    """

    start_s: float
    end_s: float
    kind: str


@dataclass
class Reader:
    """One reader; taps must be asked for in the order of true time."""

    device: str
    place: str
    chance: Random
    troubles: list[Trouble] = field(default_factory=list)
    boot: int = 1
    seq: int = 0
    _starts: list[float] = field(default_factory=list)
    _restarted: float = -1.0

    def fail(self, days: int, gateway: list[Trouble]) -> None:
        """Outages of hours over so many days: one in about six, of its own or with the gateway's."""
        at_s = self.chance.uniform(0, 6 * 24) * HOUR_S
        own: list[Trouble] = []
        while at_s < days * 24 * HOUR_S:
            kind = self.chance.choices(["offline", "dead", "untimed", "lost"], [80, 10, 8, 2])[0]
            long_s = self.chance.uniform(0.2, 30 if kind == "offline" else 8) * HOUR_S
            own.append(Trouble(at_s, at_s + long_s, kind))
            at_s += long_s + self.chance.expovariate(1 / (6 * 24 * HOUR_S)) + HOUR_S
        apart = [one for one in gateway if not any(one.start_s < mine.end_s and mine.start_s < one.end_s for mine in own)]
        self.troubles = sorted(own + apart, key=lambda one: one.start_s)
        self._starts = [one.start_s for one in self.troubles]

    def trouble(self, at_s: float) -> Trouble | None:
        """What is wrong at that time."""
        found = bisect_right(self._starts, at_s) - 1
        return self.troubles[found] if found >= 0 and at_s < self.troubles[found].end_s else None

    def tap(self, at_s: float, text: str, proof: str, zero_ns: int) -> Tap | None:
        """The tap as it arrives; None: the reader is off."""
        wrong = self.trouble(at_s)
        if wrong is not None and wrong.kind == "dead":
            return None
        if wrong is not None and wrong.kind in ("untimed", "lost") and self._restarted != wrong.start_s:
            self._restarted, self.boot, self.seq = wrong.start_s, self.boot + 1, 0
        self.seq += 1
        error_s, quality, clock, shown_s = 0.3, int(TimeQuality.DEVICE), "ntp", at_s + self.chance.gauss(0, 0.1)
        arrives_s = at_s + self.chance.uniform(0.05, 2.0)
        if wrong is not None:
            arrives_s = wrong.end_s + self.chance.uniform(5, 900)
            away_s = at_s - wrong.start_s
            if wrong.kind in ("offline", "gateway"):
                error_s += away_s * _DRIFT_PPM * 1e-6
                shown_s += self.chance.uniform(-1, 1) * away_s * _DRIFT_PPM * 1e-6
                quality = int(TimeQuality.LATE if arrives_s - at_s > _LATE_S else TimeQuality.DEVICE)
            elif wrong.kind == "untimed":
                shown_s, quality, clock = at_s + self.chance.uniform(-20, 20), int(TimeQuality.REPAIRED), "none"
            else:
                shown_s, quality, clock = arrives_s, int(TimeQuality.RECEIPT), "none"
        return Tap(
            site=SITE,
            device=self.device,
            place=self.place,
            boot=self.boot,
            seq=self.seq,
            time_ns=zero_ns + round(shown_s * S),
            received_ns=zero_ns + round(arrives_s * S),
            clock=clock,
            time_quality=quality,
            error_s=None if clock == "none" else error_s,
            proof=proof,
            text=text,
        )

    def outages(self, zero_ns: int) -> list[Outage]:
        """What the gateway writes down of its troubles, all synced since."""
        causes = {"dead": "reader_dead", "untimed": "reader_dead", "lost": "reader_dead", "gateway": "gateway_down"}
        return [
            Outage(
                SITE,
                self.device,
                self.place,
                zero_ns + round(one.start_s * S),
                zero_ns + round(one.end_s * S),
                causes.get(one.kind, "reader_offline"),
                synced=one.kind in ("offline", "gateway"),
            )
            for one in self.troubles
        ]


@dataclass
class Phone:
    """A courier's phone with the page behind a tag's link; it keeps taps until it has a network."""

    number: int
    courier: str
    chance: Random
    seq: int = 0

    def tap(self, at_s: float, text: str, zero_ns: int, where: tuple[float, float] | None) -> Tap:
        self.seq += 1
        late_s = self.chance.choice([1.0, 1.0, 1.0, 7200.0])
        near = None if where is None else (where[0] + self.chance.gauss(0, 2e-4), where[1] + self.chance.gauss(0, 2e-4))
        return Tap(
            site=SITE,
            device=PHONE,
            place="",
            boot=self.number,
            seq=self.seq,
            time_ns=zero_ns + round(at_s * S),
            received_ns=zero_ns + round((at_s + late_s) * S),
            clock="ntp",
            time_quality=0,
            error_s=2.0,
            proof="sun",
            text=text,
            lat=None if near is None else near[0],
            lon=None if near is None else near[1],
            accuracy_m=None if near is None else self.chance.uniform(5, 60),
            courier=self.courier,
        )
