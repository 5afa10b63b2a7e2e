"""A simulated device keeps what nobody has confirmed, repeats it byte for byte, and says what it had to drop."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simulator.device import Clock, Outgoing, SimulatedDevice
from simulator.outbox import Lane
from simulator.senml import Encoding, Instant, Value
from tests.simulator.gateway import StandIn, read

WORLD = 1_780_000_000.0


def instant(true_s: float = WORLD, name: str = "temperature") -> tuple[Instant, ...]:
    return (Instant(round(true_s * 1e9), (Value(name, 21.5, "Cel") if name == "temperature" else Value(name, True),)),)


def device(capacity: int = 100, window: int = 10, encoding: Encoding = Encoding.JSON) -> SimulatedDevice:
    made = SimulatedDevice(
        "wutong", "elder-1", boot=17, booted_at_s=WORLD, capacity=capacity, window=window, encoding=encoding, remember=True
    )
    made.connected()
    return made


def seqs(sent: list[Outgoing]) -> list[int]:
    return [message.seq for message in sent]


def receipt(boot: int = 17, upto: int = 0, events: tuple[int, ...] = (), rejected: tuple[int, ...] = ()) -> bytes:
    return json.dumps({"boot": boot, "upto": upto, "events": events, "rejected": rejected}).encode()


def test_the_first_message_is_number_one_and_goes_out_once_until_it_is_due_again() -> None:
    d = device()
    d.measure(instant(), WORLD)
    assert seqs(d.due(0.0, WORLD)) == [1]
    assert d.due(29.9, WORLD) == []
    assert d.pending == 1


def test_only_a_receipt_frees_a_record() -> None:
    d = device()
    for _ in range(3):
        d.measure(instant(), WORLD)
    d.due(0.0, WORLD)
    assert d.receive_receipt(receipt(upto=2)) == 2
    assert d.ledger.receipted == 2
    assert d.pending == 1


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(receipt(boot=16, upto=9), id="another boot"),
        pytest.param(receipt(events=(7, 8)), id="unknown events"),
        pytest.param(receipt(rejected=(99,)), id="unknown rejection"),
        pytest.param(receipt(upto=0), id="nothing yet"),
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"boot":"17","upto":9}', id="wrong type"),
        pytest.param(b'{"boot":17,"upto":NaN}', id="nan"),
        pytest.param(b"\xff\xfe", id="not utf-8"),
    ],
)
def test_a_receipt_that_means_nothing_does_no_harm(payload: bytes) -> None:
    d = device()
    d.measure(instant(), WORLD)
    d.due(0.0, WORLD)
    assert d.receive_receipt(payload) == 0
    assert d.pending == 1


def test_a_record_without_receipt_is_repeated_with_the_same_bytes_and_growing_pauses() -> None:
    d = device()
    d.measure(instant(), WORLD)
    first = d.due(0.0, WORLD)
    times, now = [], 0.0
    while now < 5000:
        now += 1.0
        if again := d.due(now, WORLD + now):
            assert [m.payload for m in again] == [m.payload for m in first]
            times.append(now)
    pauses = [b - a for a, b in zip([0.0, *times], times, strict=False)]
    assert 30 <= pauses[0] <= 37
    assert 60 <= pauses[1] <= 73
    assert all(600 <= pause <= 721 for pause in pauses[5:])
    assert d.resent == len(times)


def test_events_overtake_the_backlog_and_readings_go_oldest_first() -> None:
    d = device(window=3)
    for _ in range(5):
        d.measure(instant(), WORLD)
    d.measure(instant(name="sos"), WORLD, event=True)
    sent = d.due(0.0, WORLD)
    assert [(m.channel, m.seq) for m in sent] == [("event", 6), ("data", 1), ("data", 2)]
    d.receive_receipt(receipt(events=(6,)))
    assert seqs(d.due(1.0, WORLD)) == [3]


def test_the_window_bounds_what_is_in_flight() -> None:
    d = device(window=10)
    for _ in range(50):
        d.measure(instant(), WORLD)
    assert len(d.due(0.0, WORLD)) == 10
    assert d.due(1.0, WORLD) == []
    d.receive_receipt(receipt(upto=4))
    assert seqs(d.due(2.0, WORLD)) == [11, 12, 13, 14]


def test_a_rejected_message_is_free_and_counted_as_rejected_although_it_lies_below_upto() -> None:
    d = device()
    for _ in range(3):
        d.measure(instant(), WORLD)
    d.due(0.0, WORLD)
    d.receive_receipt(receipt(upto=3, rejected=(2,)))
    assert (d.ledger.receipted, d.ledger.rejected, d.pending) == (2, 1, 0)


def test_after_a_lost_link_everything_unconfirmed_goes_again_at_once() -> None:
    d = device()
    for _ in range(3):
        d.measure(instant(), WORLD)
    d.due(0.0, WORLD)
    d.disconnected()
    assert d.due(1.0, WORLD) == []
    d.connected()
    assert seqs(d.due(2.0, WORLD)) == [1, 2, 3]


def test_a_full_outbox_drops_the_oldest_readings_and_declares_them_before_the_readings_that_wait() -> None:
    d = device(capacity=5)
    d.disconnected()
    for _ in range(12):
        d.measure(instant(), WORLD)
    assert d.ledger.undeclared == 7
    d.connected()
    first, *rest = d.due(0.0, WORLD + 60)
    record = read(first.payload)[0]
    assert (record["n"], record["v"], record["lost"]) == ("lost", 8, [17, 1, 8])
    assert seqs(rest) == [9, 10, 11, 12]
    d.receive_receipt(receipt(upto=13))
    assert (d.ledger.receipted, d.ledger.declared_lost, d.ledger.open) == (5, 8, 0)


def test_events_are_dropped_last() -> None:
    d = device(capacity=3)
    d.disconnected()
    for name in ("sos", "temperature", "sos", "temperature", "sos", "temperature"):
        d.measure(instant(name=name), WORLD, event=name == "sos")
    d.connected()
    assert [m.seq for m in d.due(0.0, WORLD)] == [1, 3, 5]
    d.receive_receipt(receipt(events=(1, 3, 5)))
    declared = d.due(6.0, WORLD)
    assert [r["lost"] for r in read(declared[0].payload)] == [[17, 2, 2], [17, 4, 4], [17, 6, 6]]


def test_what_was_dropped_but_had_arrived_is_not_declared_lost() -> None:
    d = device(capacity=3)
    for _ in range(3):
        d.measure(instant(), WORLD)
    d.due(0.0, WORLD)
    d.measure(instant(), WORLD)
    assert d.ledger.undeclared == 1
    d.receive_receipt(receipt(upto=3))
    assert (d.ledger.receipted, d.ledger.undeclared, d.ledger.declared_lost) == (3, 0, 0)


def test_a_gateway_that_waits_for_a_lost_number_and_a_device_that_waits_for_the_gateway_come_together() -> None:
    """The window is full of readings above the hole: only a declaration that overtakes them ends this."""
    d, gateway, now = device(capacity=50, window=5), StandIn(), 0.0
    d.disconnected()
    for _ in range(60):
        d.measure(instant(), WORLD)
    d.connected()
    for _ in range(200):
        now += 1.0
        if now < 20:
            d.measure(instant(), WORLD + now)
        for message in d.due(now, WORLD + now):
            d.receive_receipt(gateway.take(message.payload, event=False))
    assert d.ledger.open == 0
    assert d.ledger.balanced


def test_a_reboot_has_a_new_boot_and_keeps_the_records_of_the_old_one() -> None:
    d = device()
    d.measure(instant(), WORLD)
    d.due(0.0, WORLD)
    d.reboot(WORLD + 100, Clock("none"))
    d.measure(instant(WORLD + 101), WORLD + 101)
    assert d.due(1.0, WORLD + 101) == []
    d.connected()
    assert [(m.boot, m.seq) for m in d.due(2.0, WORLD + 102)] == [(17, 1), (18, 1)]
    d.receive_receipt(receipt(boot=17, upto=1))
    d.receive_receipt(receipt(boot=18, upto=1))
    assert d.pending == 0


def test_birth_tells_time_and_uptime_unless_there_is_no_time() -> None:
    d = device()
    assert json.loads(d.birth(WORLD + 60)) == {
        "online": True, "boot": 17, "clk": "ntp", "time": WORLD + 60, "up": 60.0, "firmware": "simulated 1", "cadence": 60.0,
        "oldest": [[17, 1]],
    }  # fmt: skip
    d.reboot(WORLD + 100, Clock("none"))
    born = json.loads(d.birth(WORLD + 101))
    assert "time" not in born
    assert (born["boot"], born["clk"], born["up"]) == (18, "none", 1.0)
    assert json.loads(d.will()) == {"online": False, "boot": 18}


def test_birth_names_the_oldest_unsettled_number_of_each_boot() -> None:
    d = device(capacity=4)
    assert json.loads(d.birth(WORLD))["oldest"] == [[17, 1]], "it holds nothing: the number it will use next"
    for _ in range(3):
        d.measure(instant(), WORLD)
    d.due(0.0, WORLD)
    d.receive_receipt(receipt(upto=1))
    d.reboot(WORLD + 100)
    d.measure(instant(), WORLD + 100)
    assert json.loads(d.birth(WORLD + 101))["oldest"] == [[17, 2], [18, 1]]
    for _ in range(3):
        d.measure(instant(), WORLD + 102)  # drops 2 and 3 of boot 17, which is not declared yet
    assert json.loads(d.birth(WORLD + 103))["oldest"] == [[18, 1], [17, 2]]


def test_a_wrong_clock_moves_what_is_stated_and_not_what_is_true() -> None:
    d = device()
    d.clock = Clock("rtc", offset_s=-3600.0)
    d.measure(instant(), WORLD)
    assert read(d.due(0.0, WORLD)[0].payload)[0]["bt"] == WORLD - 3600


def test_a_self_test_is_answered_with_its_name_and_nothing_else_is() -> None:
    d = device()
    assert d.receive_command(b'{"id":"c1","name":"selftest","test":"9f3c"}', WORLD)
    (sent,) = d.due(0.0, WORLD)
    assert sent.channel == "event" and b'"selftest"' in sent.payload and b'"9f3c"' in sent.payload
    for other in (b'{"id":"c2","name":"identify"}', b'{"id":"c3","name":"selftest"}', b"[]", b"\xff"):
        assert not d.receive_command(other, WORLD)
    assert d.due(0.1, WORLD) == []


def test_settings_are_answered_through_the_next_birth() -> None:
    d = device()
    d.receive_config(b'{"version":8,"settings":{}}')
    assert json.loads(d.birth(WORLD))["config"] == 8
    d.receive_config(b'{"version":9,"settings":{"colour":"red"}}')
    born = json.loads(d.birth(WORLD))
    assert (born["config"], born["config_error"]) == (8, "unknown setting colour")
    d.receive_config(b"{")
    assert json.loads(d.birth(WORLD))["config"] == 8


class AnyWeather(RuleBasedStateMachine):
    """Whatever gets lost, doubled, late or rejected, each number is settled exactly once, and in the end all are."""

    def __init__(self) -> None:
        super().__init__()
        self.device = device(capacity=8, window=4, encoding=Encoding.CBOR)
        self.gateway = StandIn()
        self.receipts: list[bytes] = []
        self.now = 0.0

    @rule(event=st.booleans(), times=st.integers(1, 12))
    def measure(self, event: bool, times: int) -> None:
        for _ in range(times):
            self.device.measure(instant(name="sos" if event else "temperature"), WORLD + self.now, event=event)

    @rule(wait=st.sampled_from([0.1, 6.0, 45.0]), arrive=st.lists(st.booleans(), max_size=6), reject=st.booleans())
    def send(self, wait: float, arrive: list[bool], reject: bool) -> None:
        self.now += wait
        for index, message in enumerate(self.device.due(self.now, WORLD + self.now)):
            if index >= len(arrive) or arrive[index]:
                lane = self.device.outbox.pending[message.boot, message.seq].lane
                self.receipts.append(
                    self.gateway.take(message.payload, event=lane is Lane.EVENT, reject=reject and lane is Lane.DATA)
                )

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), again=st.booleans())
    def hear(self, data: st.DataObject, again: bool) -> None:
        index = data.draw(st.integers(0, len(self.receipts) - 1))
        self.device.receive_receipt(self.receipts[index] if again else self.receipts.pop(index))

    @rule()
    def reboot(self) -> None:
        self.device.reboot(WORLD + self.now)

    @rule()
    def lose_the_link(self) -> None:
        self.device.disconnected()

    @rule()
    def find_the_link(self) -> None:
        self.device.connected()

    @invariant()
    def every_number_is_settled_once(self) -> None:
        assert self.device.ledger.balanced
        assert self.device.pending <= 8
        assert self.gateway.conflicts == 0

    def teardown(self) -> None:
        self.device.connected()
        for _ in range(400):
            if not self.device.ledger.open:
                break
            self.now += 60.0
            for message in self.device.due(self.now, WORLD + self.now):
                event = message.channel == "event"
                self.device.receive_receipt(self.gateway.take(message.payload, event=event))
        ledger = self.device.ledger
        assert ledger.open == 0
        assert ledger.generated == ledger.receipted + ledger.rejected + ledger.declared_lost
        generated = {(g.boot, g.seq) for g in self.device.generated}
        assert generated <= self.gateway.held.keys() | self.gateway.lost
        assert len(self.gateway.held) >= ledger.receipted + ledger.rejected


TestAnyWeather = AnyWeather.TestCase
TestAnyWeather.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(st.sampled_from(["measure", "event", "send", "reboot"]), max_size=60))
@settings(max_examples=50, deadline=None)
def test_two_runs_with_one_seed_are_the_same(steps: list[str]) -> None:
    def run() -> list[bytes]:
        d, out = device(), list[bytes]()
        for number, step in enumerate(steps):
            if step == "send":
                out += [m.payload for m in d.due(number * 7.0, WORLD)]
            elif step == "reboot":
                d.reboot(WORLD + number)
                d.connected()
            else:
                d.measure(instant(WORLD + number), WORLD + number, event=step == "event")
        return out

    assert run() == run()


def test_a_receipt_that_takes_back_an_earlier_one_asks_for_another_birth() -> None:
    d = device()
    d.connected()
    for n in range(3):
        d.measure(instant(WORLD + n), WORLD + n)
    d.receive_receipt(receipt(boot=17, upto=2))
    d.receive_receipt(receipt(boot=17, upto=2))
    assert not d.forgotten
    d.receive_receipt(receipt(boot=17, upto=0))
    assert d.forgotten
    d.connected()
    assert not d.forgotten
