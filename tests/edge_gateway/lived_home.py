"""A home that is lived in, told by hand: a test says when what moved, and lets the time pass."""

from datetime import UTC, datetime

from edge_gateway.events import Flag
from edge_gateway.homes.home import Day, Past
from edge_gateway.homes.replay import Replayer, Said
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import away_long, inactivity
from edge_gateway.rules.rule import Finding, Prewarn, Returned

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def at(clock: str, day: int = 1) -> int:
    """A time in March 2026, UTC: `at("22:30", 3)`; days may go beyond the month."""
    hour, minute, *second = map(int, clock.split(":"))
    midnight = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * SECOND
    return midnight + (day - 1) * DAY + hour * HOUR + minute * MINUTE + sum(second) * SECOND


def usual_day(number: int, **longest_h: float) -> Day:
    """A complete day of which `h22=8.5` says that the longest silence begun in that hour was 8.5 h."""
    longest_s = [3600.0 * longest_h.get(f"h{hour}", 0.5) for hour in range(24)]
    return Day(f"2026-02-{number % 28 + 1:02}", longest_s, [5] * 24)


class LivedHome:
    """
    Attributes:
        said: everything the rules said.
    """

    def __init__(self, past: Past | None = None, begin: int = at("00:00"), silence_s: float = 0.0, **setting: object) -> None:
        self.setting = HomeSetting("wutong", "3-201", **setting)  # type: ignore[arg-type]
        rules = (inactivity.RULE, away_long.RULE)
        self.world = Replayer(self.setting, "UTC", past=past, rules=rules, silence_s=silence_s)
        self.said: list[Said] = []
        self.tell("temperature", 21.0, begin)

    def tell(self, name: str, value: float | None, at_ns: int, received_ns: int = 0, flag: Flag = Flag.PASS) -> None:
        """A sensor says something."""
        event = name.partition(".")[0] in ("sos", "cancel", "medication", "meal")
        self.said += self.world.feed(Seen(name, value, flag, at_ns, received_ns or at_ns, "h1", event))

    def blip(self, name: str, at_ns: int) -> None:
        """A detector goes on and off within a second."""
        self.tell(name, 1.0, at_ns)
        self.tell(name, 0.0, at_ns + SECOND)

    def walk(self, at_ns: int, *rooms: str) -> None:
        """Somebody walks through rooms, half a minute each."""
        for number, room in enumerate(rooms or ("kitchen", "hall")):
            self.blip(f"motion.{room}", at_ns + number * 30 * SECOND)

    def pass_door(self, at_ns: int, name: str = "contact.front") -> None:
        """The door is opened, and closed five seconds later."""
        self.tell(name, 1.0, at_ns)
        self.tell(name, 0.0, at_ns + 5 * SECOND)

    def until(self, at_ns: int, every_s: int = 0) -> None:
        """Time passes; with `every_s` a device tells the temperature at that cadence."""
        if every_s:
            told_ns = self.world.now_ns + every_s * SECOND
            while told_ns <= at_ns:
                self.tell("temperature", 21.0, told_ns)
                told_ns += every_s * SECOND
        self.said += self.world.advance(at_ns)

    @property
    def away(self) -> str:
        """Why nobody is at home; "" somebody is."""
        return self.world.home.away.kind if self.world.home.away is not None else ""

    @property
    def life_ns(self) -> int:
        """The last sign of life beyond doubt."""
        return self.world.home.life_ns

    @property
    def asked(self) -> list[int]:
        """When the home asked whether all is well."""
        return [one.at_ns for one in self.said if isinstance(one.verdict, Prewarn)]

    @property
    def alarms(self) -> list[tuple[int, str]]:
        """When which alert was raised or became worse: (when, severity)."""
        return [(s.at_ns, s.verdict.severity.value) for s in self.said if isinstance(s.verdict, Finding)]

    @property
    def findings(self) -> list[Finding]:
        """What was raised."""
        return [one.verdict for one in self.said if isinstance(one.verdict, Finding)]

    @property
    def ended(self) -> list[str]:
        """Why alerts ended by themselves."""
        return [one.verdict.reason for one in self.said if isinstance(one.verdict, Returned)]
