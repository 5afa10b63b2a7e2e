"""When a reader could not be heard, and when what it recorded meanwhile is here."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edge_gateway.visits.outages import PROVED_NS, ReaderHealth
from edge_gateway.visits.records import Outage

S = 1_000_000_000
NOW = 1_795_000_000 * S
SILENCE_S = 180.0


class Reader:
    """A reader, its gateway, and what the gateway wrote down of its outages; told by the second."""

    def __init__(self) -> None:
        self.health = ReaderHealth.new("futian", "rr-1", "wutong-3", NOW)
        self.outages: dict[int, Outage] = {}
        self.at_s = 0

    def tick(self, listening: bool = True) -> None:
        self._keep(self.health.tick(NOW + self.at_s * S, SILENCE_S, listening))

    def heard(self, boot: int | None = 1, outbox_records: int | None = None, gapless: bool = False) -> None:
        self._keep(self.health.heard(NOW + self.at_s * S, boot, outbox_records, gapless))

    def _keep(self, changed: list[Outage]) -> None:
        self.health = msgspec.msgpack.decode(msgspec.msgpack.encode(self.health), type=ReaderHealth)  # as if saved and read
        self.outages.update((one.from_ns, one) for one in changed)

    def run(self, seconds: int, boot: int | None = 1, listening: bool = True, outbox_records: int | None = None) -> "Reader":
        """So many seconds with a tick every 5 s; the reader speaks every 60 s (boot None: not at all)."""
        end_s = self.at_s + seconds
        while self.at_s < end_s:
            self.tick(listening)
            if boot is not None and listening and self.at_s % 60 == 0:
                self.heard(boot, outbox_records)
            self.at_s += 5
        return self

    def pause(self, seconds: int) -> "Reader":
        """The gateway's process is not there."""
        self.at_s += seconds
        return self

    @property
    def told(self) -> list[tuple[str, int, int | None, bool]]:
        """(cause, from, to, synced), seconds since the start."""
        in_order = sorted(self.outages.values(), key=lambda one: one.from_ns)
        return [
            (one.cause, (one.from_ns - NOW) // S, None if one.to_ns is None else (one.to_ns - NOW) // S, one.synced)
            for one in in_order
        ]


def test_a_reader_that_is_heard_has_no_outage() -> None:
    assert Reader().run(3600).told == []


def test_a_reader_that_is_not_heard_is_away_since_its_last_word() -> None:
    reader = Reader().run(600).run(300, boot=None)
    assert reader.told == [("reader_offline", 540, None, False)]


def test_a_reader_never_heard_is_away_since_it_was_expected() -> None:
    assert Reader().run(300, boot=None).told == [("reader_offline", 0, None, False)]


def test_the_same_boot_again_and_an_empty_outbox_prove_that_it_went_on_recording() -> None:
    reader = Reader().run(600).run(3600, boot=None)
    reader.run(300, outbox_records=40)
    assert reader.told == [("reader_offline", 540, 4200, False)]
    reader.run(60, outbox_records=0)
    assert reader.told == [("reader_offline", 540, 4200, True)]


def test_an_outbox_that_is_empty_at_once_is_believed_after_a_minute() -> None:
    reader = Reader().run(600).run(3600, boot=None)
    reader.heard(1, outbox_records=0)
    assert not reader.told[0][3]
    reader.at_s += PROVED_NS // S
    reader.heard(1, outbox_records=0)
    assert reader.told[0][3]


def test_no_gap_in_its_numbers_proves_it_as_well() -> None:
    reader = Reader().run(600).run(3600, boot=None).run(60)
    reader.at_s += 60
    reader.heard(1, gapless=True)
    assert reader.told == [("reader_offline", 540, 4200, True)]


def test_another_boot_means_it_was_off_and_nothing_proves_the_contrary() -> None:
    reader = Reader().run(600).run(3600, boot=None).run(3600, boot=2, outbox_records=0)
    assert reader.told == [("reader_dead", 540, 4200, False)]


def test_a_restart_after_the_outage_leaves_its_flash_and_so_its_proof() -> None:
    reader = Reader().run(600).run(3600, boot=None).run(60, outbox_records=9).run(300, boot=2, outbox_records=0)
    assert reader.told == [("reader_offline", 540, 4200, True)]
    without = Reader().run(600).run(3600, boot=None).run(60, outbox_records=9).run(300, boot=2)
    without.heard(2, gapless=True)  # of the new boot: it says nothing about the old one's
    assert without.told == [("reader_offline", 540, 4200, False)]


def test_a_quick_restart_is_no_outage() -> None:
    assert Reader().run(600).run(600, boot=2).told == []


def test_a_gateway_that_was_down_accuses_no_reader() -> None:
    reader = Reader().run(600).pause(7200)
    reader.run(300, outbox_records=0)
    assert reader.told == [("gateway_down", 595, 7800, True)]


def test_a_reader_that_restarted_while_the_gateway_was_down_proves_nothing() -> None:
    reader = Reader().run(600).pause(7200).run(3600, boot=2, outbox_records=0)
    assert reader.told == [("gateway_down", 595, 7800, False)]
    assert reader.health.pending == []


def test_a_message_that_comes_before_the_first_tick_after_a_start_ends_the_same_outage() -> None:
    reader = Reader().run(600).pause(7200)
    reader.heard(1)
    reader.run(300, outbox_records=0)
    assert reader.told == [("gateway_down", 595, 7800, True)]


def test_a_short_restart_of_the_gateway_is_no_outage() -> None:
    assert Reader().run(600).pause(100).run(600).told == []


def test_a_broker_that_is_away_is_the_gateways_outage_while_it_lasts() -> None:
    reader = Reader().run(600).run(400, listening=False)
    assert reader.told == [("gateway_down", 595, None, False)]
    reader.run(300, outbox_records=0)
    assert reader.told == [("gateway_down", 595, 1000, True)]


def test_a_reader_that_is_still_away_when_the_gateway_is_back_gets_its_whole_time_and_then_its_own_outage() -> None:
    reader = Reader().run(600).pause(7200).run(100, boot=None)
    assert reader.told == [("gateway_down", 595, 7800, False)]
    reader.run(200, boot=None)
    assert reader.told == [("gateway_down", 595, 7800, False), ("reader_offline", 7800, None, False)]
    reader.run(300, outbox_records=0)
    assert [row[3] for row in reader.told] == [True, True]


def test_a_reader_offline_when_the_gateway_goes_down_stays_the_readers_outage() -> None:
    reader = Reader().run(600).run(600, boot=None).pause(7200).run(300, outbox_records=0)
    assert reader.told == [("reader_offline", 540, 8400, True)]


def test_a_device_that_need_not_speak_is_never_away() -> None:
    health = ReaderHealth.new("futian", "rr-1", "wutong-3", NOW)
    assert health.tick(NOW + 10**6 * S, 0.0, True) == []
    assert health.heard(NOW + 2 * 10**6 * S, 1) == []


def test_a_clock_that_jumps_back_makes_no_outage_and_no_negative_time() -> None:
    reader = Reader().run(600)
    reader.at_s -= 500
    reader.run(900)
    assert reader.told == []


events = st.lists(
    st.tuples(st.sampled_from(["tick", "deaf", "heard", "empty", "gapless", "reboot"]), st.integers(1, 400), st.booleans()),
    max_size=60,
)


@given(events)
def test_outages_never_overlap_never_run_backwards_and_only_a_living_boot_is_proved(rows: list[tuple[str, int, bool]]) -> None:
    reader, boot = Reader(), 1
    reader.heard(boot)
    for kind, seconds, _ in rows:
        reader.at_s += seconds
        match kind:
            case "tick" | "deaf":
                reader.tick(listening=kind == "tick")
            case "reboot":
                boot += 1
                reader.heard(boot)
            case _:
                reader.heard(boot, 0 if kind == "empty" else None, kind == "gapless")
    told = reader.told
    for (_, _, to_s, _), (_, from_s, _, _) in pairwise(told):
        assert to_s is not None
        assert to_s <= from_s + 1
    for cause, from_s, to_s, synced in told:
        assert to_s is None or to_s >= from_s
        assert not (synced and (to_s is None or cause == "reader_dead"))
    if not any(kind in ("empty", "gapless") for kind, _, _ in rows):
        assert not any(synced for *_, synced in told)
