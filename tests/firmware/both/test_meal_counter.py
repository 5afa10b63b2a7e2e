"""The counter's app over a scripted card reader and a scripted scale: card and meal in either order are one event."""

import json

from app import meal_counter
from app.reported import digest
from app.sensors.base import Failed, Sensor
from app.settings import problems, table
from fakes import near
from scaffold import run
from test_rider_reader import SUN, A, B, Board, Chip, Device

PER_G = 429.4967296
ZERO = 81_000


class Cell(Sensor):
    """Gives what lies on it, in no time; None: it fails."""

    NAMES = ("code",)
    name = "hx711"
    grams: float | None = 0.0

    def result(self):
        if self.grams is None:
            raise Failed("DOUT low")
        return (round(ZERO + self.grams * PER_G),)


class Counting(Device):
    """A device that keeps whole events, and what is told."""

    def __init__(self, section, root=""):
        super().__init__(section, root)
        self.readings = []
        self.on_reset = []
        self.whole = []

    def event(self, items, stamp):
        self.whole.append({item[0]: item[1:] for item in items})
        return super().event(items, stamp)

    def reading(self, items, stamp=None):
        self.readings.append(items[0])
        return len(self.readings)


class Bench:
    def __init__(self, root="", **section):
        merged = dict(meal_counter.DEFAULTS)
        merged.update(section)
        self.device = Counting(merged, root)
        self.cell = Cell()
        self.counter = meal_counter.Counter(self.device, Board(), self.cell)
        self.chip = self.counter._chip = Chip()
        self.weigh(0)

    def weigh(self, grams, count=6, ms=100):
        """So many readings with so much on the scale."""
        self.cell.grams = grams
        for _ in range(count):
            wait_ms = run(self.counter.sample())
            self.device.now += ms
        return wait_ms

    def hold(self, *cards, count=1):
        self.chip.cards = list(cards)
        for _ in range(count):
            self.device.now += run(self.counter.round())

    def away(self):
        self.hold(count=2)

    @property
    def shown(self):
        return self.counter.indicator.shown

    @property
    def told(self):
        """The reports of calibrations and zeros."""
        return [json.loads(item[1]) for item in self.device.readings if item[1][0] == "{"]

    @property
    def masses(self):
        """Grams of each event, None without."""
        found = []
        for event in self.device.whole:
            value = event["mass"][0]
            found.append(None if value is None else value[0] / 10)
        return found


def test_a_meal_and_then_a_card_are_one_event_at_once():
    bench = Bench()
    bench.weigh(512.5)
    bench.hold(B)
    [event] = bench.device.whole
    assert event["tap"] == (SUN,) and event["proof"] == ("sun",)
    value, extra = event["mass"]
    assert value == (5125, 1)
    assert extra["u"] == "g" and extra["raw"] == (5125, 1) and extra["cal"] == "factory/t17-1"
    assert bench.shown == {"recorded": 1}


def test_a_card_and_then_its_meal_are_one_event_with_the_card_s_time():
    bench = Bench()
    began = bench.device.now
    bench.hold(B)
    assert bench.shown == {"waiting": 1} and bench.device.whole == []
    assert bench.device.busy[-1]()
    bench.away()
    bench.weigh(480)
    assert bench.masses == [480] and bench.device.events[0][2] == began
    assert bench.shown == {"waiting": 1, "recorded": 1}
    assert not bench.device.busy[-1]()


def test_a_card_whose_meal_does_not_come_is_recorded_without_a_weight():
    bench = Bench(wait_s=20)
    bench.hold(B)
    bench.away()
    bench.weigh(0, count=180)
    assert bench.device.whole == []
    bench.weigh(0, count=20)
    assert bench.masses == [None]
    assert bench.shown == {"waiting": 1, "unweighed": 1}


def test_too_light_or_never_calm_is_recorded_without_a_weight_and_what_was_seen_is_told():
    bench = Bench(wait_s=2)
    bench.weigh(30)
    bench.hold(B)
    bench.weigh(30, count=25)
    value, extra = bench.device.whole[0]["mass"]
    assert value is None and near(extra["raw"][0] / 10, 30, 0.2)
    bench = Bench(wait_s=2)
    bench.hold(B)
    for i in range(30):
        bench.weigh(300 + 40 * (i % 2), count=1)
    assert bench.masses == [None] and bench.shown["unweighed"] == 1


def test_a_courier_takes_one_meal_after_the_other_with_the_same_card():
    bench = Bench()
    for grams in (500, 510, 520):
        bench.weigh(grams)
        bench.hold(B)
        bench.away()
        bench.weigh(0)
    assert bench.masses == [500, 510, 520]
    assert bench.shown == {"recorded": 3}


def test_the_same_card_on_the_same_meal_is_recorded_once():
    bench = Bench()
    bench.weigh(500)
    bench.hold(B)
    bench.away()
    bench.hold(B)
    assert bench.masses == [500]
    assert bench.shown == {"recorded": 1, "already": 1}


def test_a_meal_belongs_to_one_card():
    bench = Bench(wait_s=2)
    bench.weigh(500)
    bench.hold(B)
    bench.hold(A, count=3)
    bench.weigh(500, count=25)
    assert bench.masses == [500, None]


def test_a_second_card_while_one_waits_is_recorded_at_once_and_the_meal_is_the_first_one_s():
    bench = Bench()
    bench.hold(B)
    bench.hold(A, count=2)
    assert [event["proof"][0] for event in bench.device.whole] == ["uid"] and bench.masses == [None]
    bench.weigh(0, count=20)
    assert bench.shown == {"waiting": 2, "unweighed": 1}  # and blinks again for the first
    bench.weigh(500)
    assert bench.masses == [None, 500]


def test_held_again_while_it_waits_it_still_waits():
    bench = Bench()
    bench.hold(B)
    bench.away()
    bench.hold(B)
    assert bench.shown == {"waiting": 2} and bench.device.whole == []


def test_what_flash_did_not_take_is_never_green():
    bench = Bench()
    bench.device.on_flash = False
    bench.weigh(500)
    bench.hold(B)
    assert bench.shown == {"fault": 1}


def test_a_card_reported_lost_takes_its_meal_and_is_shown_so():
    bench = Bench()
    bench.counter.reported.has = lambda uid: True
    assert digest  # of the real list, which has its own tests
    bench.weigh(500)
    bench.hold(B)
    assert bench.masses == [500] and bench.shown == {"reported": 1}


def test_with_a_broken_scale_nobody_waits():
    bench = Bench()
    assert bench.weigh(None, count=3) == 500
    bench.hold(B)
    assert bench.masses == [None] and bench.shown == {"unweighed": 1}
    assert bench.device.whole[0]["mass"] == (None,)
    assert bench.device.more[-1]() == [("scale_faults", 1)]
    bench.weigh(500)
    bench.away()
    bench.hold(B)
    assert bench.masses == [None, 500]


def test_a_card_that_waits_when_the_scale_breaks_is_recorded():
    bench = Bench()
    bench.hold(B)
    bench.weigh(None, count=3)
    assert bench.masses == [None]


def test_while_nothing_happens_the_scale_is_read_seldom():
    bench = Bench()
    assert bench.weigh(0) == 300
    assert bench.weigh(500, count=2) == 0
    assert bench.weigh(500) == 300
    bench.hold(B)
    bench.hold(A, count=2)
    assert bench.weigh(500, count=1) == 0


# --- zero ---


def test_the_first_zero_is_told_and_kept_over_a_restart():
    bench = Bench()
    [made] = bench.told
    assert made["what"] == "tare" and made["who"] == "start" and made["zero"] == ZERO and made["was"] is None
    again = Bench(root=bench.device.root)
    again.weigh(500)
    assert again.told == []
    again.hold(B)
    assert again.masses == [500]


def test_the_button_s_zero_is_a_new_one_with_a_light():
    bench = Bench()
    bench.weigh(120)
    bench.counter._want_zero("button")
    bench.weigh(120, count=1)
    assert bench.shown == {"zeroed": 1}
    assert [made["who"] for made in bench.told] == ["start", "button"]
    bench.weigh(620)
    bench.hold(B)
    assert bench.masses == [500]
    assert bench.device.whole[0]["mass"][1]["cal"] == "factory/" + bench.told[-1]["id"]


def test_a_zero_that_is_never_calm_is_told_and_shown():
    bench = Bench()
    bench.device.commands["tare"]({"id": "c1", "name": "tare", "who": "wang"})
    for i in range(60):
        bench.weigh(300 + 40 * (i % 2), count=1)
    assert bench.shown == {"unreadable": 1}
    assert bench.device.readings[-1] == ("calibration", "tare by wang: not done, the scale is not calm")
    assert len(bench.told) == 1


def test_what_the_zero_moved_by_itself_is_kept_before_a_reset():
    bench = Bench()
    for grams in range(1, 21):
        bench.weigh(grams)
    for act in bench.device.on_reset:
        act("command")
    again = Bench(root=bench.device.root)
    again.weigh(520)
    again.hold(B)
    assert near(again.masses[0], 500, 2)


# --- calibration ---


def test_a_calibration_with_a_known_weight_counts_from_then_on_and_over_a_restart():
    bench = Bench()
    bench.device.commands["calibrate_scale"]({"id": "c1", "name": "calibrate_scale", "grams": 2000, "who": "wang"})
    bench.weigh(0)
    assert bench.device.readings[-1] == ("calibration", "mass: put 2000 g on the scale")
    bench.weigh(1960)
    made = bench.told[-1]
    assert made["verdict"] == "accepted" and made["what"] == "mass" and made["who"] == "wang"
    assert near(made["fit"][0], 102.04, 0.02)
    bench.hold(B)
    bench.weigh(1960, count=210)
    assert bench.masses == [None]  # the known weight is no meal
    bench.weigh(0)
    for one in (bench, Bench(root=bench.device.root)):
        one.weigh(490)
        one.away()
        one.hold(A, count=2)
        assert near(one.masses[-1], 500, 0.2)
        assert one.device.whole[-1]["mass"][1]["cal"].startswith(made["id"] + "/")
        assert near(one.device.whole[-1]["mass"][1]["raw"][0] / 10, 490, 0.2)


def test_a_refused_calibration_changes_nothing():
    bench = Bench()
    bench.device.commands["calibrate_scale"]({"grams": 2000})
    bench.weigh(0)
    bench.weigh(1100)
    assert bench.told[-1]["verdict"] == "refused" and bench.shown == {"unreadable": 1}
    bench.weigh(0)
    bench.weigh(500)
    bench.hold(B)
    assert bench.masses == [500] and bench.device.whole[0]["mass"][1]["cal"].startswith("factory/")


def test_a_calibration_nobody_goes_on_with_ends_by_itself():
    bench = Bench()
    bench.device.commands["calibrate_scale"]({"grams": 2000})
    bench.weigh(0)
    bench.weigh(0, count=13, ms=10_000)
    assert "cancelled" in bench.device.readings[-1][1]


def test_a_weight_that_makes_no_sense_is_refused_with_what_would_be_right():
    bench = Bench()
    for grams in (None, 5, 20_000, "2000", True):
        bench.device.commands["calibrate_scale"]({"grams": grams})
        assert "expected a number from 100 to 10000" in bench.device.readings[-1][1]
    assert bench.counter._session is None


def test_defaults_pass_the_checks_and_nonsense_does_not():
    check = table(meal_counter.CHECKS)
    assert problems(check, meal_counter.DEFAULTS, "meal_counter") == []
    nonsense = {"wait_s": 1, "least_g": 0, "most_g": 5, "steady_g": 0, "track_g": -1, "cell_g": 1, "cell_mv_v": 9, "x": 1}
    assert len(problems(check, nonsense, "meal_counter")) == 8
