"""An elder's home with moved time: the real app, pins moved by hand, everything it told and showed."""

from app import device as device_module
from app import elder_home, feedback, pausing, presence, prewarning, selftest, settings, signals, siren
from rig import Board, Moved, device

EVENT, DATA = 0, 2


class Home:
    """An elder's home with moved time; `wires` are the levels of its pins at the start, 1 is at rest but for PIR and door."""

    def __init__(self, section=None, i2c=None, uart=None, **wires):
        self.device = device("elder_home", settings.merged(elder_home.DEFAULTS, section or {}), cadence_s=60)
        self.outbox = self.device.outbox
        self.board = Board(i2c, uart, lamp=0, buzzer=0, **wires)
        self.was = 0  # the buzzer's level at the last question
        self.time = Moved(elder_home, feedback, pausing, prewarning, presence, selftest, signals, siren, device_module)

    def __enter__(self):
        self.time.__enter__()
        self.start()
        return self

    def __exit__(self, *error):
        self.time.__exit__(*error)

    def start(self):
        """As after a reset."""
        self.home = elder_home.Home(self.device, self.board)
        for contact in self.home._contacts:
            contact.attach(lambda: None, self.time.now)
        self.pass_ms(1000)

    def pass_ms(self, ms, step=10):
        """Time passes, and every task does its rounds."""
        for _ in range(ms // step):
            self.time.at += step
            for contact in self.home._contacts:
                if contact.look(self.time.at):
                    self.home._changed(contact)
            if self.home.self_test is not None:
                self.home.self_test.look()
            for part in (self.home.lamp, self.home.buzzer):
                part.step(self.time.at)
            if self.home.pausing is not None and self.time.at % (200 if self.home.pausing.held else 1000) == 0:
                self.home.pausing.look(self.time.at)
            if self.time.at % 1000 == 0:
                self.home.urgent.look()
                self.home.call.look(self.time.at)
                self.home.prewarning.look(self.time.at)
                self.home.siren.look(self.time.at)
            if self.time.at % 500 == 0:
                self.home._report(self.time.at)

    def press(self, wire, ms=200):
        self.board.pins[wire].goes(0)
        self.pass_ms(ms)
        self.board.pins[wire].goes(1)
        self.pass_ms(200)

    def goes(self, wire, level):
        self.board.pins[wire].goes(level)
        self.pass_ms(1000)

    def beeps(self):
        """How often the buzzer went on since the last question."""
        history = self.board.pins["buzzer"].history
        levels = [self.was] + history
        self.was = levels[-1]
        del history[:]
        return len([i for i in range(1, len(levels)) if levels[i] and not levels[i - 1]])

    def lamp(self, ms):
        """Share of the time in which the lamp is on, in percent."""
        on = 0
        for _ in range(ms // 10):
            self.pass_ms(10)
            on += self.home.lamp.level
        return 1000 * on // ms

    def answered(self, seq, state):
        self.device.commands["answered"]({"event": [self.outbox.boot, seq], "state": state})

    def events(self):
        return self.outbox.sent(EVENT)

    def told(self, name):
        """The values of one name, in the order told; regular records are not made in these tests unless asked for."""
        return [record[name] for record in self.outbox.sent(DATA) if name in record]

    def record(self):
        from scaffold import run

        return {item[0]: item[1] for item in run(self.home._record())}
