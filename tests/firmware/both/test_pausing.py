"""The elder pauses by holding a button: no accident, no stuck button, and the lamp shows what the gateway says."""

from app import files
from home_rig import DATA, Home
from scaffold import raises

PAUSE, RESUME = {"pause": True}, {"pause": False}


def hold(home, wire="cancel", ms=6000):
    home.press(wire, ms)


def pauses(home):
    """The events of the pause alone."""
    return [event for event in home.events() if "pause" in event]


def told(home, seconds, seq=None, **more):
    """The gateway says how it stands; by default it knows of the last event."""
    boot, seq = home.outbox.boot, seq or home.outbox.records[-1][1]
    home.device.commands["paused"](dict({"seconds": seconds, "event": [boot, seq]}, **more))


def flashes(home, ms):
    """How often the lamp goes on."""
    was, count = home.home.lamp.level, 0
    for _ in range(ms // 10):
        home.pass_ms(10)
        count += home.home.lamp.level and not was
        was = home.home.lamp.level
    return count


def test_a_press_of_five_seconds_asks_for_a_pause_once_it_is_let_go():
    with Home(cancel=1) as home:
        home.board.pins["cancel"].goes(0)
        home.pass_ms(4900)
        home.beeps()
        assert home.home.lamp.level == 0
        home.pass_ms(600)
        assert (home.beeps(), home.home.lamp.level) == (1, 1)
        home.pass_ms(1000)
        assert pauses(home) == []
        home.board.pins["cancel"].goes(1)
        home.pass_ms(1000)
        assert home.events() == [{"cancel": True}, PAUSE]
        assert home.beeps() == 2  # it is in flash


def test_a_shorter_press_says_that_all_is_well_and_nothing_more():
    with Home(cancel=1) as home:
        hold(home, ms=4700)
        home.pass_ms(10_000)
        assert home.events() == [{"cancel": True}]


def test_the_gateways_answer_is_heard_and_seen_and_a_second_long_press_ends_it():
    with Home(cancel=1) as home:
        hold(home)
        home.pass_ms(2000)
        home.beeps()
        assert 6 <= flashes(home, 9000) <= 8  # twice every three seconds: not answered yet
        told(home, 3600)
        home.pass_ms(2000)
        assert home.beeps() == 3
        assert 3 <= flashes(home, 20_000) <= 5
        hold(home)
        home.pass_ms(2000)
        assert pauses(home) == [PAUSE, RESUME]
        home.beeps()
        told(home, 0)
        home.pass_ms(2000)
        assert home.beeps() == 3 and flashes(home, 20_000) == 0


def test_a_third_press_before_any_answer_pauses_again():
    with Home(cancel=1) as home:
        for _ in range(3):
            hold(home)
            home.pass_ms(4000)
        assert pauses(home) == [PAUSE, RESUME, PAUSE]


def test_an_answer_to_an_earlier_press_is_none_to_the_last_one():
    with Home(cancel=1) as home:
        hold(home)
        first = home.outbox.records[-1][1]
        home.pass_ms(4000)
        hold(home)
        told(home, 3600, first)
        assert home.home.pausing.state == "ending"
        told(home, 0)
        assert home.home.pausing.state == "watched"


def test_a_pause_of_somebody_else_is_shown_without_a_sound_and_goes_out_at_its_end():
    with Home(cancel=1) as home:
        home.device.commands["paused"]({"seconds": 60, "until": 0})
        home.pass_ms(20_000)
        assert home.beeps() == 0 and flashes(home, 10_000) >= 2
        home.pass_ms(35_000)
        assert home.home.pausing.state == "watched" and flashes(home, 10_000) == 0 and home.beeps() == 0


def test_a_pause_of_days_is_counted_although_the_ticks_wrap():
    with Home(cancel=1) as home:
        home.device.commands["paused"]({"seconds": 8 * 86_400})
        for _ in range(190):
            home.time.at = (home.time.at + 3_600_000) % (1 << 30)
            home.home.pausing.look(home.time.at)
        assert home.home.pausing.state == "paused"
        for _ in range(3):
            home.time.at = (home.time.at + 3_600_000) % (1 << 30)
            home.home.pausing.look(home.time.at)
        assert home.home.pausing.state == "watched"


def test_a_word_that_was_long_on_its_way_counts_from_when_it_was_said():
    with Home(cancel=1) as home:
        now = home.device.clock.unix_ms // 1000
        home.device.commands["paused"]({"seconds": 3600, "until": now + 60})
        home.pass_ms(62_000)
        assert home.home.pausing.state == "watched"
        home.device.commands["paused"]({"seconds": 3600, "until": now - 60})
        assert home.home.pausing.state == "watched"


def test_a_button_that_nobody_lets_go_asks_for_nothing():
    with Home(cancel=1) as home:
        home.board.pins["cancel"].goes(0)
        home.pass_ms(40_000)
        assert home.home.lamp.level == 0  # given up
        home.pass_ms(600_000, 50)
        home.board.pins["cancel"].goes(1)
        home.pass_ms(2000)
        assert home.events() == [{"cancel": True}]


def test_a_button_that_is_down_at_the_start_asks_for_nothing():
    with Home(cancel=0) as home:
        home.pass_ms(6000)
        home.board.pins["cancel"].goes(1)
        home.pass_ms(2000)
        assert pauses(home) == []
        hold(home)
        assert pauses(home) == [PAUSE]


def test_a_short_press_while_the_chip_is_blocked_is_no_long_one():
    with Home(cancel=1) as home:
        pin = home.board.pins["cancel"]
        pin.goes(0)
        home.time.at += 200
        pin.goes(1)
        home.time.at += 8000  # nobody looked
        home.pass_ms(3000)
        assert home.events() == [{"cancel": True}]


def test_while_a_call_for_help_is_open_nothing_is_paused_and_the_lamp_is_the_calls():
    with Home(cancel=1, sos=1) as home:
        home.device.commands["paused"]({"seconds": 3600})
        home.press("sos")
        home.pass_ms(3000)
        assert home.lamp(4000) == 50  # blinks fast: the gateway has not answered the call
        hold(home)
        assert pauses(home) == []
        home.answered(1, "accepted")
        home.pass_ms(2000)
        assert home.lamp(6000) == 100
        home.answered(1, "closed")
        home.pass_ms(2000)
        assert flashes(home, 20_000) >= 3  # paused, as before


def test_it_stands_after_a_reset_and_so_does_the_waiting():
    with Home(cancel=1) as home:
        hold(home)
        home.start()
        assert home.home.pausing.state == "asked"
        home.device.commands["paused"]({"seconds": 0})
        assert home.home.pausing.state == "asked"  # said before the press was known
        told(home, 3600)
        home.start()
        assert home.home.pausing.state == "paused" and flashes(home, 20_000) >= 3
        hold(home)
        assert pauses(home) == [PAUSE, RESUME]


def test_files_that_are_damaged_show_nothing():
    with Home(cancel=1) as home:
        for nonsense in (
            b"",
            b"[]",
            b'["paused"]',
            b'["on",1,1,null]',
            b'["paused","x",0,null]',
            b"\xff",
            b'["asked",9,0,[1]]',
        ):
            files.write(home.device.root + "/pause", nonsense)
            home.start()
            home.pass_ms(1000)
            hold(home)
            home.pass_ms(4000)
        assert home.home.pausing.state in ("asked", "ending")


def test_an_event_the_gateway_refuses_is_no_pause():
    with Home(cancel=1) as home:
        hold(home)
        home.pass_ms(2000)
        home.beeps()
        home.device.receipted([(home.outbox.boot, home.outbox.records[-1][1], True)])
        home.pass_ms(2000)
        assert home.home.pausing.state == "watched" and home.beeps() == 3


def test_a_lamp_that_waits_for_no_answer_goes_out_after_a_day():
    with Home(cancel=1) as home:
        hold(home)
        for _ in range(25):
            home.time.at += 3_600_000
            home.home.pausing.look(home.time.at)
        assert home.home.pausing.state == "watched"


def test_a_button_of_its_own_does_the_same_and_is_no_cancel():
    with Home(pause=1) as home:
        home.press("pause")
        home.pass_ms(2000)
        assert home.events() == []
        hold(home, "pause")
        assert home.events() == [PAUSE]
        assert home.outbox.sent(DATA) == [] and home.record() == {}


def test_it_can_be_switched_off():
    with Home({"pause_hold_s": 0}, cancel=1) as home:
        hold(home)
        assert home.events() == [{"cancel": True}]
        assert "paused" not in home.device.commands


def test_nonsense_from_afar_changes_nothing():
    with Home(cancel=1) as home:
        for nonsense in (None, "60", -1, True, 10**9):
            raises(ValueError, home.device.commands["paused"], {"seconds": nonsense})
        raises(ValueError, home.device.commands["paused"], {"seconds": 60, "until": "soon"})
        assert home.home.pausing.state == "watched"
