"""The counter where meals are given out: a card reader with a scale. Put the meal on the scale, hold the card.

The record is the reader's event with one item more: `mass`, in grams, with its raw value and the id of calibration and zero.
Card and meal come in either order within `wait_s`. A card without a steady weight is recorded all the same, its mass missing,
and the light says so: what it is worth is decided at the gateway, and nobody goes without his meal because of a scale.
"""

import asyncio

from app import rider_reader, settings
from app.calibrations import Calibrations
from app.log import Trouble, log
from app.rider_reader import Reader
from app.scale import Scale
from app.sensors.contact import Contact, watch
from app.sensors.hx711 import Hx711
from app.sensors.schedule import collect
from app.zero import Zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app.scale_session import Session

PINS = dict(rider_reader.PINS)
PINS.update({"scale_sck": "pin", "scale_dout": "pin", "tare": "pin"})
DEFAULTS = {
    "poll_ms": 250,
    "fold_s": 30,
    "tries": 3,
    "wait_s": 20,
    "least_g": 50,
    "most_g": 10_000,
    "steady_g": 3,
    "track_g": 5,
    "cell": "",
    "cell_g": 10_000,
    "cell_mv_v": 2.0,
}
CHECKS = {
    "poll_ms": rider_reader.CHECKS["poll_ms"],
    "fold_s": rider_reader.CHECKS["fold_s"],
    "tries": rider_reader.CHECKS["tries"],
    "wait_s": settings.whole(2, 120),  # so long a card waits for its meal, and a meal for its card
    "least_g": settings.number(5, 5000),  # lighter is no meal
    "most_g": settings.number(100, 200_000),
    "steady_g": settings.number(0.5, 100),  # readings that differ by more are not steady
    "track_g": settings.number(0, 100),  # an empty scale that is off by less is set to zero by itself; 0: never
    "cell": settings.text(40, 0),  # its number or place, for the reports
    "cell_g": settings.number(500, 500_000),  # what the load cell is made for
    "cell_mv_v": settings.number(0.3, 5),  # and what it gives then, from its data sheet
}

_CALM_MS = 300  # between two readings while nothing happens
_RETRY_MS = 500  # after a fault; the chip is off meanwhile, and begins anew
_TARE_MS = 5000  # so long a wanted zero waits for a calm scale
_SHOWN_MS = 1500  # so long the light of another card is left alone
_DEBOUNCE_MS = 30
_IDLE_MS = 5000


def build(device, board) -> list:
    """The tasks of this device."""
    return Counter(device, board).tasks()


def load_cell(board) -> Hx711:
    """The scale's converter, as it is wired."""
    import machine

    sck, dout = board.pin("scale_sck", out=True), board.pin("scale_dout", pull=1)
    return Hx711(sck, dout, machine.disable_irq, machine.enable_irq, stays_on=True)


class Counter(Reader):
    """A reader whose events wait for a weight.

    One card waits at a time: one that comes meanwhile is recorded at once, without a weight, so that each light is for the card
    that was held last.
    """

    RANKS: tuple[str, ...] = ("already", "recorded", "waiting", "reported", "fault", "unreadable")

    def __init__(self, device, board, cell=None) -> None:
        super().__init__(device, board)
        self._section = section = device.section
        self.calibrations = Calibrations(device.root + "/calibration", {"mass": [100.0]})
        self._zero = Zero(device, device.root + "/zero")
        self.scale = Scale(section, self._zero.code, self.calibrations.current("mass")[1][0])
        self._cell = cell or load_cell(board)
        self._cell_trouble = Trouble("scale")
        self._button = Contact("tare", board.pin("tare", pull=1), 0, _DEBOUNCE_MS) if board.has("tare") else None
        self._pending: tuple | None = None  # (visit, text, grade, until ms) of the card that waits
        self._shown_ms = 0  # when another card's light began; 0: the waiting one's is on
        self._tare: tuple | None = None  # (who, until ms)
        self._session: Session | None = None
        self._request = {}
        device.commands["tare"] = lambda command: self._want_zero(str(command.get("who", "command")))
        device.commands["calibrate_scale"] = self._calibrate
        device.busy.append(lambda: self._pending is not None)
        device.on_reset.append(lambda reason: self._zero.keep(self.scale.zero))
        device.health.more.append(lambda: [("scale_faults", self._cell_trouble.count)])

    def tasks(self) -> list:
        """(name, coroutine function) for the supervisor."""
        tasks = super().tasks() + [("scale", self.weigh)]
        return tasks + ([("button", self._watch)] if self._button is not None else [])

    # --- the card ---

    def _is_double(self, visit) -> bool:
        # A new meal on the scale makes the same card a new tap: a courier takes one after the other.
        return super()._is_double(visit) and not self.scale.fresh

    def _record(self, visit, text: str, grade: str) -> None:
        if self._pending is not None:
            self._finish(visit, text, grade, False)
            self._taps.recorded(visit, self._now())
            return
        self._pending = (visit, text, grade, self._now() + self._section["wait_s"] * 1000)
        self._taps.recorded(visit, self._now())
        self._settle()
        if self._pending is not None:
            self._shown_ms = 0
            self._show("waiting")

    def _show(self, meaning: str) -> None:
        super()._show("waiting" if meaning == "already" and self._pending is not None else meaning)

    def _settle(self) -> None:
        """The card that waits has its weight, or its time is up."""
        if self._pending is None:
            return
        visit, text, grade, until_ms = self._pending
        weighed = self.scale.fresh and self._session is None
        if weighed or self.scale.broken or self._now() >= until_ms:
            self._finish(visit, text, grade, weighed)
            self._pending = None
        elif self._shown_ms and self._now() - self._shown_ms >= _SHOWN_MS:
            self._shown_ms = 0
            self.indicator.show("waiting")

    def _finish(self, visit, text: str, grade: str, weighed: bool) -> None:
        """The event, and its light."""
        self._save([("tap", text), ("proof", grade), self._mass(weighed)], visit)
        if weighed:
            self.scale.take()
        self._shown_ms = self._now()
        meaning = self._meaning(visit)
        self.indicator.show("unweighed" if meaning == "recorded" and not weighed else meaning)

    def _mass(self, weighed: bool) -> tuple:
        raw = self.scale.raw
        if raw is None:
            return ("mass", None)
        grams = (round(self.scale.grams * 10), 1) if weighed else None
        name = "%s/%s" % (self.calibrations.current("mass")[0], self._zero.name)
        return ("mass", grams, {"u": "g", "raw": (round(raw * 10), 1), "cal": name})

    # --- the scale ---

    async def weigh(self, beat) -> None:
        """Read the scale for ever."""
        while True:
            beat()
            await asyncio.sleep_ms(await self.sample(beat))

    async def sample(self, beat=lambda: None) -> int:
        """One reading with all that follows from it; milliseconds until the next."""

        async def rest(ms):
            beat()
            await asyncio.sleep_ms(ms)

        [run] = (await collect([self._cell], self._now, rest)).values()
        self._cell_trouble.set(run.error)
        self.scale.sample(run.values[0])
        if self._zero.name == "" and self.scale.zero is not None:
            self._zero.set(self.scale.zero, "start")
        self._act_on_zero()
        self._act_on_session()
        self._settle()
        if run.values[0] is None:
            return _RETRY_MS
        wanted = self._pending is not None or self._tare is not None or self._session is not None
        return 0 if wanted or not self.scale.steady else _CALM_MS

    # --- zero and calibration ---

    async def _watch(self, beat) -> None:
        def pressed(contact):
            if contact.state:
                self._want_zero("button")

        await watch([self._button], pressed, beat, _IDLE_MS)

    def _want_zero(self, who: str) -> None:
        self._tare = (who[:16], self._now() + _TARE_MS)

    def _act_on_zero(self) -> None:
        if self._tare is None:
            if self.scale.zero is not None:
                self._zero.follow(self.scale.zero, self._section["track_g"] * self.scale.per_g)
            return
        who, until_ms = self._tare
        if self.scale.tare():
            self._zero.set(self.scale.zero, who)
            self.indicator.show("zeroed")
        elif self._now() >= until_ms:
            self._device.reading([("calibration", "tare by %s: not done, the scale is not calm" % who)])
            self.indicator.show("unreadable")
        else:
            return
        self._tare = None

    def _calibrate(self, command: dict) -> None:
        """Command `calibrate_scale`: {"grams": of the known weight, "who", "lot"}; again: the one under way is cancelled."""
        from app.scale_session import Session as New  # the heap has no room for what is seldom needed

        wrong = settings.problems(settings.number(100, self._section["most_g"]), command.get("grams"), "grams")
        if wrong:
            log("error", "calibrate_scale: " + wrong[0])
            self._device.reading([("calibration", "calibrate_scale: " + wrong[0])])
            return
        self._request = command
        self._session = New(command["grams"], self._now())
        self._device.reading([("calibration", self._session.say)])

    def _act_on_session(self) -> None:
        session = self._session
        if session is None:
            return
        said = session.say
        session.reading(self.scale.raw, self.scale.steady, self._now())
        if session.done:
            from app import guide

            guide.finish(session, self.calibrations, self._device, self._section["cell"], self._request)
            self._session = None
            self.scale.percent = self.calibrations.current("mass")[1][0]
            self.indicator.show("zeroed" if session.state == "accepted" else "unreadable")
            # The known weight is nobody's meal.
            self.scale.take()
        elif session.say != said:
            self._device.reading([("calibration", session.say)])
