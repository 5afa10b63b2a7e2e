"""Sequence: duplicates, conflicts, gaps and the contiguous number, for any order of arrival."""

from hypothesis import given
from hypothesis import strategies as st

from edge_gateway.sequence import MAX_RANGES, WINDOW, Boot, Verdict
from edge_gateway.state import MAX_BOOTS, DeviceState, pack, unpack


def test_in_order_messages_move_the_contiguous_number() -> None:
    boot = Boot(7)
    assert [boot.take(s, 0) for s in (1, 2, 3)] == [Verdict.NEW] * 3
    assert (boot.upto, boot.gaps()) == (3, [])


def test_an_event_that_overtakes_leaves_a_gap_that_closes_later() -> None:
    boot = Boot(7)
    for seq in (1, 2, 100):
        boot.take(seq, seq)
    assert (boot.upto, boot.gaps(), boot.highest()) == (2, [(3, 99)], 100)
    for seq in range(3, 100):
        assert boot.take(seq, seq) is Verdict.NEW
    assert (boot.upto, boot.ahead) == (100, [])


def test_a_repeat_is_a_duplicate_and_other_content_under_the_same_identity_is_a_conflict() -> None:
    boot = Boot(7)
    boot.take(1, 0xAAAA)
    assert boot.take(1, 0xAAAA) is Verdict.DUPLICATE
    assert boot.take(1, 0xBBBB) is Verdict.CONFLICT
    assert boot.take(1, 0xAAAA) is Verdict.DUPLICATE


def test_an_old_repeat_beyond_the_window_is_a_duplicate_not_a_conflict() -> None:
    boot = Boot(7)
    for seq in range(1, WINDOW + 3):
        boot.take(seq, seq)
    assert boot.take(1, 99) is Verdict.DUPLICATE


def test_a_declared_loss_closes_only_what_never_came() -> None:
    boot = Boot(7)
    for seq in (1, 2, 5, 6, 10):
        boot.take(seq, 0)
    assert boot.close(2, 8) == 4
    assert (boot.upto, boot.gaps()) == (8, [(9, 9)])
    assert boot.close(2, 8) == 0


def test_holes_are_bounded_and_the_message_that_would_exceed_them_is_told() -> None:
    boot = Boot(7)
    for i in range(MAX_RANGES):
        assert boot.take(3 + 2 * i, 0) is Verdict.NEW
    assert boot.take(3 + 2 * MAX_RANGES + 10, 0) is Verdict.TOO_MANY_GAPS
    assert boot.take(1, 0) is Verdict.NEW
    assert boot.take(4, 0) is Verdict.NEW


@given(st.lists(st.one_of(st.integers(1, 40), st.tuples(st.integers(1, 40), st.integers(0, 6))), max_size=60))
def test_the_ranges_agree_with_a_plain_set_for_any_order(steps: list[int | tuple[int, int]]) -> None:
    boot, model, absent = Boot(1), set[int](), set[int]()
    for step in steps:
        if isinstance(step, tuple):
            span = range(step[0], step[0] + step[1])
            if span:
                assert boot.close(span[0], span[-1]) == len(set(span) - model)
                absent |= set(span) - model
                model |= set(span)
        else:
            assert boot.take(step, 1) is (Verdict.DUPLICATE if step in model - absent else Verdict.NEW)
            absent.discard(step)
            model.add(step)
        upto = 0
        while upto + 1 in model:
            upto += 1
        assert boot.upto == upto
        assert {s for a, b in boot.ahead for s in range(a, b + 1)} == {s for s in model if s > upto}
        assert all(first[1] + 1 < second[0] for first, second in zip(boot.ahead, boot.ahead[1:], strict=False))
        missing = {s for a, b in boot.gaps() for s in range(a, b + 1)}
        assert missing == set(range(1, max(model, default=0) + 1)) - model
    assert unpack(pack(DeviceState("s", "d", boots=[boot]))).boots == [boot]


def test_many_reboots_stay_bounded_and_the_newest_are_kept() -> None:
    state = DeviceState("s", "d")
    for number in range(1000):
        boot, current = state.boot(number)
        assert current
        boot.take(1, 5)
    assert [b.boot for b in state.boots] == list(range(1000 - MAX_BOOTS, 1000))
    assert len(pack(state)) < 3000
    assert state.boot(998)[1] is False


def test_restarts_are_counted_from_those_remembered_when_an_older_version_counted_none() -> None:
    state = DeviceState("s", "d", boots=[Boot(number) for number in range(MAX_BOOTS)])
    state.boot(1000)
    state.boot(1001)
    state.past(999)
    assert state.counters.boots == MAX_BOOTS + 3
