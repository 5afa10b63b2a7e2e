"""What a rule is, what it may look at, and what it may say."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from edge_gateway.events import Event
from edge_gateway.homes.home import Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.registry import Registry


class Severity(StrEnum):
    """How soon a person has to look, most urgent first."""

    URGENT = "urgent"  # a person may be in danger: told every `repeat_s` until somebody accepts
    WARNING = "warning"  # protection is missing: told at growing distances
    NOTICE = "notice"  # for the technician: as a warning, ranked below it


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule says: a person should know this. While an alert with this key is open it updates that alert.

    Attributes:
        key: the cause; at most one alert is open for it.
        rule, severity: who found it and how bad it is.
        site, device, place: ids of the registry, "" where it concerns no single one.
        occurred_ns: when it happened, wall clock.
        text_zh, text_en: where, what, since when, what to do; pseudonyms only, never a person's name.
        evidence: what was seen, each with its time, oldest first, in words that need no translation.
        returns: the alert ends by itself once the rule says `Returned`. Never for anything a person pressed.
        anew: a person acted again, so an alert that was accepted a while ago is opened again.
        event: (boot, seq) of the device's event; the device is told what becomes of the alert (`feedback`).
        test: nobody is in danger, the way to a person is tried: one person is told once, and a confirmation ends it.
        once: the staff only has to know: the first confirmation ends it. Never of anything urgent.
    """

    key: str
    rule: str
    severity: Severity
    site: str
    device: str
    place: str
    occurred_ns: int
    text_zh: str
    text_en: str
    evidence: tuple[str, ...] = ()
    returns: bool = False
    anew: bool = False
    event: tuple[int, int] | None = None
    test: bool = False
    once: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """The condition behind `key` is gone since `at_ns`; `reason` is a fixed word such as `heard_again`.

    Attributes:
        evidence: what was seen, with its time, where the alert should keep it: "" for nothing.
    """

    key: str
    at_ns: int
    reason: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Prewarn:
    """A home is to ask whether all is well before people are called; `key` is of the alert that follows if nobody answers."""

    site: str
    place: str
    key: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Missed:
    """A visit that nobody made although the reader was there, or nobody who is known; times are wall clock, persons pseudonyms.

    Attributes:
        visit: its id in the site, `<plan>/<date>`.  courier: who was to come, "" anybody.
        evidence: what is known of that place since, each with its time, oldest first.
        stranger_ns: when somebody tapped there with a card that nobody knows; None: nobody tapped.
    """

    site: str
    place: str
    visit: str
    service: str
    courier: str
    opens_ns: int
    closes_ns: int
    due_ns: int
    evidence: tuple[str, ...] = ()
    stranger_ns: int | None = None


@dataclass(frozen=True, slots=True)
class VisitsSeen:
    """What the ledger says to the rules.

    Attributes:
        missed: visits that somebody has to be told of, nobody was told yet.
        settled: (site, visit) -> (when, why) of visits with an open alert that are not missed after all.
    """

    missed: tuple[Missed, ...] = ()
    settled: Mapping[tuple[str, str], tuple[int, str]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Fault:
    """One sensor of a device that is heard.

    Attributes:
        name: with channel.
        cause: `missing` (silent while the device is heard), `never` (nothing was ever heard of it), `broken` (it says itself
            that it cannot be believed), `out_of_range` (as `missing`: what it says cannot be), or `stuck` (unchanged for longer
            than is plausible).
        since_ns: wall clock; of `never`, since when it is waited for.
        value: what it said last, where that tells something; None: nothing.
    """

    name: str
    cause: str
    since_ns: int
    value: float | str | None = None


@dataclass(frozen=True, slots=True)
class HomesSeen:
    """What is known of homes and sites, for rules that look at more than one home.

    Attributes:
        paused: (site, place) -> reason of the pause that runs there now.
        sites: what is remembered of whole sites.
        missed: (site, place) -> when a visit was due there that nobody made, while its alert is open.
        absent: homes that a person said are empty until a day that has not come.
    """

    paused: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))
    sites: Mapping[str, Home] = field(default_factory=lambda: MappingProxyType({}))
    missed: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    absent: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class View:
    """What a rule may look at besides the entry in hand.

    Two clocks: `now_ns` is the wall clock and only for words; `monotonic_ns`, `heard`, `expected` and `listening_since_ns` are
    one monotonic clock, so that a jump of the wall clock accuses nobody.

    Attributes:
        heard: (site, device) -> when the gateway last received anything from it, this run of the gateway.
        expected: (site, device) -> since when it is registered, for devices added while the gateway runs.
        listening_since_ns: since when the gateway has been connected to the broker without a break; None: it is not.
        open: keys of the alerts that are open.
        visits: what the ledger says; None: it has not said anything yet, or cannot.
        homes: what is known of homes and sites.
        faulty: (site, device) -> what is wrong with single sensors of a device that is heard.
    """

    now_ns: int
    registry: Registry
    monotonic_ns: int = 0
    heard: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    expected: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    listening_since_ns: int | None = None
    open: Collection[str] = ()
    visits: VisitsSeen | None = None
    homes: HomesSeen = field(default_factory=HomesSeen)
    faulty: Mapping[tuple[str, str], tuple[Fault, ...]] = field(default_factory=lambda: MappingProxyType({}))


Verdict = Finding | Returned | Prewarn


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the registry.

    Attributes:
        name: in the alert's id and key.
        severity: the worst it can raise; also what is raised when the rule itself fails.
        kinds: the kinds of event it judges; it is called for no other entry.
        judge: one event -> verdicts.
        look: the state of things -> verdicts, called every few seconds.
        names: quantities, without channel, that `observe` wants to see.
        observe: one reading of a home; keeps what the rule needs later in the home's `timers` and `notes`, under its own name.
        look_home: one home -> verdicts; called soon after something came from it, and every few seconds.
        through_pause: `look_home` is asked also while the elder does not want to be watched, or old readings are coming in.
    """

    name: str
    severity: Severity
    kinds: frozenset[str] = frozenset()
    judge: Callable[[Event, View], Iterable[Verdict]] | None = None
    look: Callable[[View], Iterable[Verdict]] | None = None
    names: frozenset[str] = frozenset()
    observe: Callable[[Seen, HomeSetting, Home], None] | None = None
    look_home: Callable[[Watched, View], Iterable[Verdict]] | None = None
    through_pause: bool = False
