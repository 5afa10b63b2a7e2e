"""RTC memory is divided, and told from rubbish."""

from app import rtc_memory
from app.rtc_memory import Region
from scaffold import raises
from sim.power import PowerCut, RtcMemory, Supply


def test_what_is_stored_is_loaded():
    memory = RtcMemory()
    region = Region(memory, 10, 50)
    assert region.load() is None
    for data in (b"x", b"", bytes(region.room)):
        region.store(data)
        assert Region(memory, 10, 50).load() == data


def test_more_than_there_is_room_for_is_refused():
    region = Region(RtcMemory(), 0, 20)
    raises(ValueError, region.store, bytes(region.room + 1))


def test_regions_leave_each_other_alone():
    memory = RtcMemory()
    parts = [rtc_memory.CLOCK, rtc_memory.WIFI, rtc_memory.APP, rtc_memory.STAGE]
    regions = [Region(memory, offset, size) for offset, size in parts]
    for order in (regions, list(reversed(regions))):
        for number, region in enumerate(order):
            region.store(bytes([number]) * region.room)
        assert [region.load() for region in order] == [bytes([n]) * r.room for n, r in enumerate(order)]
    assert len(memory()) <= 2048


def test_a_changed_byte_is_noticed_wherever_it_is():
    memory = RtcMemory()
    region = Region(memory, 3, 30)
    region.store(b"something to keep")
    whole = memory()
    for at in range(3, len(whole)):
        memory(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert region.load() is None, at


def test_a_write_that_is_torn_is_noticed_and_the_others_survive_it():
    memory = RtcMemory()
    clock, stage = Region(memory, 0, 30), Region(memory, 30, 60)
    clock.store(b"noon")
    stage.store(b"first content, rather long, 50 bytes in all......")
    memory.supply = Supply(1)
    raises(PowerCut, stage.store, b"other content, also long, 50 bytes in all.......!")
    memory.supply = Supply()
    assert stage.load() is None
    assert clock.load() == b"noon"


def test_a_memory_of_another_firmware_is_nothing():
    memory = RtcMemory()
    memory(bytes(range(256)) * 8)
    assert Region(memory, *rtc_memory.STAGE).load() is None
