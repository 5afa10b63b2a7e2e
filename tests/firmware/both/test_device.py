"""What an app is given: readings, events, receipts, commands done once, sleep and orderly resets."""

from app import device as device_module
from app import files
from app.commands import Commands
from rig import Moved, device
from scaffold import folder, run


class Link:
    pokes = 0

    def poke(self):
        self.pokes += 1


def test_readings_and_events_go_to_their_lanes_and_wake_the_link():
    made = device("toy", {})
    made.link = Link()
    assert made.reading([("temperature", 21.5)]) == 1
    assert made.event([("sos", True)]) == 2
    assert made.link.pokes == 2
    assert made.outbox.sent(2) == [{"temperature": 21.5}] and made.outbox.sent(0) == [{"sos": True}]
    assert made.outbox.records[0][2] == made.clock.stamp()


def test_a_moment_before_now_keeps_its_own_time():
    made = device("toy", {})
    with Moved(device_module) as time:
        pressed = time.at
        time.at += 1500
        up_ms, unix_ms, clk, err_ms = made.stamp_at(pressed)
    now = made.clock.stamp()
    assert (now[0] - up_ms, now[1] - unix_ms, clk, err_ms) == (1500, 1500, "ntp", 50)
    made.clock.unix_ms = 0
    assert made.stamp_at(pressed)[1] == 0


def test_a_receipt_is_told_once_and_only_for_its_boot():
    made = device("toy", {})
    told = []
    made.when_receipted(7, 5, told.append)
    made.receipted([(6, 5, False)])
    assert told == []
    made.receipted([(7, 5, True), (7, 5, False), (7, 6, False)])
    assert told == [True]


def test_sleep_is_planned_with_the_clock():
    made = device("toy", {})
    made.sleep(60_000)
    assert made.clock.slept == [60_000] and made._machine.done == [60_000]


def test_a_reset_saves_what_is_in_memory_and_tells_why():
    made = device("toy", {})
    reasons = []
    made.on_reset.append(reasons.append)
    made.reset("settings")
    assert reasons == ["settings"] and made.outbox.flushed == 1 and made._machine.done == ["reset"]


def test_a_reset_comes_also_when_nothing_can_be_saved_any_more():
    made = device("toy", {})
    done = []

    def broken(reason):
        raise OSError(28)

    def flush():
        done.append("flush")
        raise MemoryError

    made.on_reset += [broken, done.append]
    made.outbox.flush = flush
    made.reset("gave up")
    assert done == ["gave up", "flush"] and made._machine.done == ["reset"]


def test_a_wanted_reset_comes_once_and_waits_for_what_must_not_be_cut_short():
    made = device("toy", {})
    waits = []

    class NoWaiting:
        @staticmethod
        async def sleep(seconds):
            waits.append(seconds)

    made.busy.append(lambda: len(waits) < 20)
    made.reset_soon("command")
    made.reset_soon("another")
    assert len(made.supervisor.jobs) == 1
    before, device_module.asyncio = device_module.asyncio, NoWaiting
    try:
        run(made.supervisor.jobs[0])
    finally:
        device_module.asyncio = before
    assert len(waits) == 20 and made._machine.done == ["reset"]


def commands(path, **functions):
    return Commands(path, functions, {"answered"})


def test_a_command_is_done_once_also_after_the_reset_it_asked_for():
    path = folder() + "/commands"
    done = []
    assert commands(path, reboot=done.append).take({"id": "c1", "name": "reboot"})
    assert not commands(path, reboot=done.append).take({"id": "c1", "name": "reboot"})
    assert commands(path, reboot=done.append).take({"id": "c2", "name": "reboot"})
    assert [command["id"] for command in done] == ["c1", "c2"]


def test_a_command_nobody_knows_is_passed_over_and_wears_no_flash():
    path = folder() + "/commands"
    assert not commands(path).take({"id": "c1", "name": "dance"})
    assert not files.exists(path)


def test_one_that_may_be_repeated_wears_no_flash_either():
    path = folder() + "/commands"
    done = []
    taker = commands(path, answered=done.append)
    taker.take({"id": "a", "name": "answered"})
    taker.take({"id": "a", "name": "answered"})
    assert len(done) == 2 and not files.exists(path)


def test_a_command_that_fails_disturbs_nobody_and_is_not_tried_again():
    path = folder() + "/commands"
    tries = []

    def fails(command):
        tries.append(1)
        raise ValueError("nonsense")

    taker = commands(path, calibrate=fails)
    assert not taker.take({"id": "c1", "name": "calibrate"})
    assert not taker.take({"id": "c1", "name": "calibrate"})
    assert len(tries) == 1


def test_the_ids_kept_are_bounded_and_a_torn_file_is_no_hindrance():
    path = folder() + "/commands"
    taker = commands(path, reboot=lambda command: None)
    for number in range(100):
        assert taker.take({"id": "x" * 500 + str(number) if number == 50 else str(number), "name": "reboot"})
    assert len(files.read(path)) < 500
    files.write(path, b"5")
    assert commands(path, reboot=lambda command: None).take({"id": "99", "name": "reboot"})
