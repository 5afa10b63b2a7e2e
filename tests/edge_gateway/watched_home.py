"""One home and the parts that watch it, as the running gateway puts them together; the test is the clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

from edge_gateway import registry, rules
from edge_gateway.alerts import Alert, AlertBook
from edge_gateway.catalog import EVENTS, QUANTITIES
from edge_gateway.events import Event, Flag, Reading, Readings
from edge_gateway.homes.home import Home
from edge_gateway.homes.watch import HomeWatch
from edge_gateway.rules import Prewarn, Verdict, View
from edge_gateway.rules.rule import HomesSeen
from edge_gateway.settings import Alerts
from edge_gateway.value import flag_in_range

SECOND = 10**9
MINUTE = 60 * SECOND
ZONE = ZoneInfo("Asia/Shanghai")
KEY = ("wutong", "3-201")
SITE_DEVICES = """
[sites.wutong]
[[devices]]
site = "wutong"
id = "h1"
place = "3-201"
model = "elder_home"
"""


def at(clock: str, day: int = 20) -> int:
    """Wall clock ns of a local time in November 2026: `at("22:30")`."""
    hour, minute = map(int, clock.split(":"))
    return int(datetime(2026, 11, day, hour, minute, tzinfo=ZONE).timestamp()) * SECOND


class WatchedHome:
    """
    Attributes:
        said: every verdict so far.  asked: the pre-warnings among them.
    """

    def __init__(self, *settings: str, rows: list[tuple[str, str, str, bytes]] | None = None) -> None:
        home = '[[homes]]\nsite = "wutong"\nplace = "3-201"\n' + "\n".join(settings)
        self.registry = registry.parse(SITE_DEVICES + home)
        self.homes = HomeWatch(self.registry)
        self.homes.restore(rows or [])
        self.book = AlertBook(Alerts())
        self.said: list[Verdict] = []
        self.missed: dict[tuple[str, str], int] = {}
        self.now_ns = at("0:00")
        self._seq = 0

    @property
    def memory(self) -> Home:
        """What is remembered of the home; made when it is new."""
        return self.homes.change(KEY, self.now_ns)

    def tell(
        self, name: str, value: float | None, at_ns: int, received_ns: int = 0, flag: int | None = None, device: str = "h1"
    ) -> None:
        """A device of the home tells something; of what is an event, in the lane of events."""
        word = name.partition(".")[0]
        low, high = QUANTITIES[word].low, QUANTITIES[word].high
        if flag is None and value is None:
            flag = int(Flag.MISSING)
        elif flag is None and value is not None:
            fits = (low is None or value >= low) and (high is None or value <= high)
            flag = flag_in_range(QUANTITIES[word]) if fits else int(Flag.FAIL)
        assert flag is not None
        self._seq += 1
        who = ("wutong", device, "3-201", 1, self._seq, at_ns, received_ns or at_ns, "ntp", 0, None)
        reading = Reading(name, value, flag)
        if word in EVENTS:
            event = Event(*who, name, [reading])
            self.homes.observe(event)
            self.say(rules.judge(event, self.view(received_ns or at_ns)))
        else:
            self.homes.observe(Readings.of(*who, [reading]))
        self.now_ns = max(self.now_ns, received_ns or at_ns)

    def view(self, now_ns: int) -> View:
        """As the desk makes it."""
        seen: HomesSeen = self.homes.seen(now_ns, self.missed)
        return View(now_ns, self.registry, now_ns, open=self.book.open_keys, homes=seen)

    def look(self, at_ns: int) -> None:
        """What happens once a second."""
        self.now_ns = at_ns
        self.homes.told.follow(self.book.open_keys, at_ns)
        view = self.view(at_ns)
        self.say(self.homes.told.sift(rules.look(view), at_ns))
        self.say(self.homes.look(view))

    def until(self, end_ns: int, step_ns: int = MINUTE) -> None:
        """Time passes, with a look each minute."""
        while self.now_ns + step_ns <= end_ns:
            self.look(self.now_ns + step_ns)

    def say(self, verdicts: list[Verdict]) -> None:
        """Into the book."""
        self.said += verdicts
        self.book.apply(verdicts, self.now_ns)

    @property
    def asked(self) -> list[Prewarn]:
        """How often the home asked."""
        return [verdict for verdict in self.said if isinstance(verdict, Prewarn)]

    def alerts(self, rule: str) -> list[Alert]:
        """Open alerts of a rule, by the first word of their keys."""
        return [alert for alert in self.book.open_alerts() if alert.key.partition("/")[0] == rule]

    def alert(self, rule: str) -> Alert:
        """The one that is open."""
        (found,) = self.alerts(rule)
        return found

    def close(self, rule: str) -> None:
        """A person closes it."""
        self.book.close(self.alert(rule).id, "zhang", "visited_fine", self.now_ns)

    def restart(self) -> None:
        """The gateway is killed and started again; alerts that are open stay open."""
        self.homes.hurry()
        rows = self.homes.take(self.now_ns)
        self.homes = HomeWatch(self.registry)
        assert self.homes.restore(rows) == 0
