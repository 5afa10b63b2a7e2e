"""What the firmware relies on in both interpreters."""

import asyncio
import time

from scaffold import IS_MICROPYTHON, folder, raises, run


def test_ticks_count_milliseconds_and_may_wrap():
    begin = time.ticks_ms()
    time.sleep_ms(3)
    assert 3 <= time.ticks_diff(time.ticks_ms(), begin) < 1000
    assert time.ticks_diff(time.ticks_add(begin, 7), begin) == 7


def test_a_flag_set_before_anybody_waits_is_not_lost():
    async def main():
        flag = asyncio.ThreadSafeFlag()
        flag.set()
        await asyncio.wait_for(flag.wait(), 1)
        return True

    assert run(main())


def test_the_scaffold_notices_what_does_not_raise():
    raises(ValueError, int, "x")
    try:
        raises(ValueError, int, "1")
    except AssertionError:
        pass
    else:
        raise ValueError("unnoticed")


def test_a_folder_can_be_written():
    with open(folder() + "/a", "wb") as file:
        assert file.write(b"123") == 3


def test_integers_are_exact_where_floats_are_not():
    # A device's floats have 32 bits: times stay integers.
    assert 1780000000250 // 1000 == 1780000000
    assert IS_MICROPYTHON in (True, False)
