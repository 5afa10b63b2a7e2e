"""What the gateway remembers of one home. Saved in the transaction of the messages that changed it.

All times are wall clock, ns. When the gateway's clock jumps, all of them move with it (`shift`), so that what lies between them
and now stays what it was. Fields may only be added at the end, with a default.
"""

from typing import Any, Final

import msgspec

from edge_gateway.homes.setting import HomeSetting

SIGNS: Final = 32


class Sign(msgspec.Struct, array_like=True, frozen=True):
    """A sign of life: the reading or event `name` of `device` at `time_ns`; `weight` 1.0 is beyond doubt."""

    time_ns: int
    name: str
    device: str
    weight: float


class Held(msgspec.Struct, array_like=True):
    """A state as it was told last: door open, bed taken. `value` None: its sensor says that it cannot be believed.

    Attributes:
        since_ns: since when it has this value.  told_ns: when it was told last, changed or not.
    """

    value: float | None
    since_ns: int
    told_ns: int
    device: str = ""


class Away(msgspec.Struct, array_like=True, frozen=True):
    """Nobody is at home. `kind`: `out` (seen at the door), `pressed` (the switch), `long` or `daughter` (a person said so).

    Attributes:
        until_ns: when it ends by itself; 0: with the next sign of life.
        by: who said so; `gateway` when it was seen.
        said_ns, date_ns: see `edge_gateway.homes.dates`.
    """

    kind: str
    since_ns: int
    until_ns: int = 0
    by: str = "gateway"
    said_ns: int = 0
    date_ns: int = 0


class Pause(msgspec.Struct, array_like=True, frozen=True):
    """The elder does not want to be watched until `until_ns`; an SOS is an SOS all the same.

    Attributes:
        said_ns, date_ns: see `edge_gateway.homes.dates`.
    """

    since_ns: int
    until_ns: int
    by: str
    reason: str = ""
    said_ns: int = 0
    date_ns: int = 0


class Asked(msgspec.Struct, array_like=True):
    """The home asks whether all is well, before people are called.

    Attributes:
        key: of the alert that follows when nobody answers.  asked_ns, ends_ns: from when to when it asks.
    """

    key: str
    asked_ns: int
    ends_ns: int


class Test(msgspec.Struct, array_like=True):
    """The way of an alarm, tried by itself and by a person.

    Attributes:
        asked_ns, id: the test that is under way; 0: none.
        passed_ns, delay_s: the last that reached a person's channel, and how long that took.
        failed: why the last one failed; "" it did not.
        pressed_ns: when a person last pressed the button for real.  press_asked_ns: when that was last asked for.
        by: who wanted the test: `gateway` every day, or a person.
        began_ns: when the last one began, also after its end.
        sent_ns, tries: when the devices were asked last, and how often.
        missing: devices that have not answered yet.
        heard_ns: when all had; 0: not yet.  heard_s: how long the slowest took, seconds.
        due_ns: from when on a person is told.
        failed_ns: since when it fails; 0: it does not.
        devices: those of the home that can be tested.
    """

    asked_ns: int = 0
    id: str = ""
    passed_ns: int = 0
    delay_s: float = 0.0
    failed: str = ""
    pressed_ns: int = 0
    press_asked_ns: int = 0
    by: str = ""
    began_ns: int = 0
    sent_ns: int = 0
    tries: int = 0
    missing: list[str] = []
    heard_ns: int = 0
    heard_s: float = 0.0
    due_ns: int = 0
    failed_ns: int = 0
    devices: list[str] = []

    def shift(self, by_ns: int) -> None:
        """See `Home.shift`."""
        for name in _TEST_TIMES:
            if getattr(self, name):
                setattr(self, name, getattr(self, name) + by_ns)

    def mend(self, now_ns: int) -> None:
        """What another clock wrote down as yet to come happened now; else no test would begin until then."""
        if self.heard_ns > now_ns:
            self.due_ns = now_ns  # people are told at once
        for name in _TEST_TIMES:
            if name != "due_ns":
                setattr(self, name, min(getattr(self, name), now_ns))


_TEST_TIMES: Final = tuple(name for name in Test.__struct_fields__ if name.endswith("_ns"))


class Consent(msgspec.Struct, array_like=True, frozen=True):
    """The person agreed (`given`) or no longer does, to this version of the text, on this local date."""

    date: str
    version: str
    given: bool
    by: str
    at_ns: int


class Day(msgspec.Struct, array_like=True):
    """One local day as the learning needs it.

    Attributes:
        longest_s: longest silence that began in each of its 24 hours while the person was at home, seconds; 0: none ended.
        hours: signs of life in each of its 24 hours.
        notes: what the routines found that day, such as `bed_from` -> minute of the day.
        complete: the sensors were heard nearly all day, and the person was at home for a good part of it.
        marks: what -> quarter hours of the day in which it was so, as bits: of the first 12 hours, of the last 12.
        from_ns: local midnight, wall clock; 0: not known.
        away_s, deaf_s: how long nobody was at home, and how long the sensors were not heard, seconds.
        held_s: longest stay in bed and in the chair that ended that day, seconds.
        out_s: longest absence seen at the door that ended that day, seconds.
    """

    date: str
    longest_s: list[float]
    hours: list[int]
    notes: dict[str, float] = {}
    complete: bool = True
    marks: dict[str, list[int]] = {}
    from_ns: int = 0
    away_s: float = 0.0
    deaf_s: float = 0.0
    held_s: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0])
    out_s: float = 0.0


class Home(msgspec.Struct):
    """Everything the rules need of one home; place "": the whole site (`timers`, `notes` only).

    Attributes:
        signs: the last signs of life, oldest first, at most `SIGNS`.
        life_ns: the last one that is beyond doubt; 0: none was ever seen.  life_name: what it was.
        states: name with channel -> how it stands.
        timers: name -> a moment, of the rules; each rule's names begin with its own.
        notes: name -> anything small a rule or a state machine keeps.
        today: the day that is running.
        since_ns: when the home was first watched.
        said: the last absence whose end a person said; it may have ended early.
    """

    site: str
    place: str
    since_ns: int = 0
    signs: list[Sign] = []
    life_ns: int = 0
    life_name: str = ""
    states: dict[str, Held] = {}
    away: Away | None = None
    pause: Pause | None = None
    asked: Asked | None = None
    test: Test = msgspec.field(default_factory=Test)
    timers: dict[str, int] = {}
    notes: dict[str, float | str] = {}
    today: Day | None = None
    consents: list[Consent] = []
    said: Away | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(site, place)."""
        return self.site, self.place

    def shift(self, by_ns: int) -> None:
        """The wall clock jumped by so much: what lies between then and now stays as long as it was."""
        self.signs = [msgspec.structs.replace(sign, time_ns=sign.time_ns + by_ns) for sign in self.signs]
        self.life_ns = self.life_ns and self.life_ns + by_ns
        self.since_ns = self.since_ns and self.since_ns + by_ns
        for state in self.states.values():
            state.since_ns += by_ns
            state.told_ns += by_ns
        self.timers = {name: at_ns + by_ns for name, at_ns in self.timers.items()}
        self.test.shift(by_ns)
        if self.asked is not None:
            self.asked.asked_ns += by_ns
            self.asked.ends_ns += by_ns
        if self.away is not None:
            # The end that a person wrote down is a date and stays one, here and in `said` and `pause`.
            self.away = msgspec.structs.replace(self.away, since_ns=self.away.since_ns + by_ns)


class Past(msgspec.Struct):
    """What was learned, apart from `Home` because it changes once a day.

    Attributes:
        days: oldest first, at most 60.
        limits_s: longest silence that is normal when it begins in each of the 24 hours of the day, seconds; empty: not
            learned yet. `learn.bands` gathers them for people.
        model: the parameters of the learned model, in its own words; empty: none.
        held_limits_s: longest stay in bed and in the chair that is normal, seconds; empty: not learned yet.
        out_limit_s: longest absence that is normal, seconds; 0: not learned yet.
    """

    days: list[Day] = []
    limits_s: list[float] = []
    learned_ns: int = 0
    model: dict[str, Any] = {}
    held_limits_s: list[float] = []
    out_limit_s: float = 0.0


class Watched(msgspec.Struct, frozen=True):
    """A home as a rule sees it.

    Attributes:
        heard_ns: when its sensors of presence were last heard (wall clock as of now); 0: not in this run of the gateway.
        zone: IANA name of its site's time zone.
        catching_up: readings of a while ago are coming in; what they tell so far is the middle of a story.
        silence_s: a home of whose devices none told anything for so long is deaf; 0: they only tell what changes.
    """

    setting: HomeSetting
    home: Home
    past: Past
    heard_ns: int = 0
    zone: str = "Asia/Shanghai"
    catching_up: bool = False
    silence_s: float = 0.0


_encode: Final = msgspec.msgpack.Encoder().encode
_home: Final = msgspec.msgpack.Decoder(Home).decode
_past: Final = msgspec.msgpack.Decoder(Past).decode


def pack(part: Home | Past) -> bytes:
    """The row of a home, or of its past."""
    return _encode(part)


def unpack_home(row: bytes) -> Home:
    """Raises msgspec.MsgspecError: the row is damaged."""
    return _home(row)


def unpack_past(row: bytes) -> Past:
    """Raises msgspec.MsgspecError: the row is damaged."""
    return _past(row)
