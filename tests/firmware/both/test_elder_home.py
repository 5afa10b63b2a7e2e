"""The elder's home: an SOS waits for nothing, one press is one event, states are honest, a dead sensor shows."""

from app import elder_home, files, settings
from fakes import I2C, Script, Uart
from home_rig import DATA, Home
from scaffold import raises

DAY_MS = 86_400_000


# --- the call ---


def test_a_press_is_in_flash_before_the_second_beep():
    with Home(sos=1) as home:
        beeped_when_saved = []
        put = home.outbox.put

        def watched(lane, stamp, body):
            beeped_when_saved.append((home.beeps(), home.home.lamp.level))
            return put(lane, stamp, body)

        home.outbox.put = watched
        home.press("sos")
        home.pass_ms(1000)
        assert beeped_when_saved == [(1, 1)]
        assert home.events() == [{"sos": True}]
        assert home.beeps() == 1


def test_a_bouncing_button_is_one_press_and_its_time_is_that_of_the_first_edge():
    for eager in (True, False):
        bounce(eager)


def bounce(eager):
    with Home({"sos_eager": eager}, sos=1) as home:
        pin = home.board.pins["sos"]
        for level in (0, 1, 0, 1, 0):
            pin.goes(level)
            home.time.at += 2
        home.pass_ms(300)
        for level in (1, 0, 1, 0, 1):
            pin.goes(level)
            home.time.at += 2
        home.pass_ms(2000)
        assert home.events() == [{"sos": True}]
        up_ms, unix_ms, _, _ = home.outbox.records[0][2]
        assert 0 < 500_000 - up_ms < 200
        assert 1_780_000_000_000 - unix_ms == 500_000 - up_ms


def test_a_button_held_for_long_is_not_pressed_again_by_the_bounce_of_its_release():
    with Home(sos=1) as home:
        home.goes("sos", 0)
        home.pass_ms(10_000)
        for level in (1, 0, 1, 0, 1):
            home.board.pins["sos"].goes(level)
            home.pass_ms(10)
        home.pass_ms(5000)
        assert len(home.events()) == 1


def test_a_press_that_came_and_went_while_the_chip_was_blocked_is_a_press():
    with Home(sos=1) as home:
        pin = home.board.pins["sos"]
        home.time.at += 1500  # pressed and released meanwhile: both interrupts come now, and find the button at rest
        pin.handler(pin)
        pin.handler(pin)
        home.pass_ms(2000)
        assert home.events() == [{"sos": True}]


def test_without_a_filter_at_the_pin_a_touch_that_is_too_short_is_no_press():
    with Home({"press_ms": 100, "sos_eager": False}, sos=1) as home:
        home.press("sos", 40)
        assert home.events() == [] and not home.home.call.open


def test_presses_within_three_seconds_are_one_and_later_ones_are_told_again():
    with Home(sos=1) as home:
        for _ in range(3):
            home.press("sos")
        assert len(home.events()) == 1
        home.pass_ms(5000)
        home.press("sos")
        assert len(home.events()) == 2


def test_a_press_is_told_however_long_ago_the_one_before_was():
    with Home(sos=1, cancel=1) as home:
        for days in (7, 10, 7, 13, 40):  # ticks of more than 6.2 days ago are later ones, by their distance
            told = len(home.events())
            home.time.at += days * DAY_MS
            home.beeps()
            home.press("sos")
            home.press("cancel")
            assert home.events()[told:] == [{"sos": True}, {"cancel": True}], days
            assert home.beeps()


def test_the_elder_sees_and_hears_pressed_received_and_answered():
    with Home(sos=1) as home:
        home.press("sos")
        home.pass_ms(1000)
        assert home.home.call.state == "pressed"
        assert 40 <= home.lamp(2000) <= 60
        home.beeps()
        home.device.receipted([(7, 1, False)])
        home.pass_ms(1000)
        assert home.home.call.state == "received" and home.beeps() == 2
        home.answered(1, "notified")
        assert home.home.call.state == "notified" and home.beeps() == 0
        home.answered(1, "accepted")
        assert home.beeps() == 1 and home.lamp(3000) == 100
        home.answered(1, "closed")
        assert home.lamp(3000) == 0 and not home.home.call.open


def test_words_that_come_doubled_late_or_for_another_event_change_nothing():
    with Home(sos=1) as home:
        home.press("sos")
        home.answered(1, "accepted")
        for seq, state in ((1, "received"), (1, "accepted"), (1, "notified"), (2, "closed"), (1, "nonsense"), (1, None)):
            home.beeps()
            home.answered(seq, state)
            assert home.home.call.state == "accepted" and home.beeps() == 0
        home.device.receipted([(7, 1, False)])
        assert home.home.call.state == "accepted"


def test_the_answer_to_any_press_of_a_call_counts():
    with Home(sos=1) as home:
        home.press("sos")
        home.pass_ms(4000)
        home.press("sos")
        home.device.receipted([(7, 1, False)])
        assert home.home.call.state == "pressed"  # the newest is not there yet
        home.device.receipted([(7, 2, False)])
        home.answered(1, "accepted")
        assert home.home.call.state == "accepted"


def test_while_nobody_answers_the_buzzer_says_so_every_half_minute():
    with Home(sos=1) as home:
        home.press("sos")
        home.pass_ms(2000)
        home.beeps()
        home.pass_ms(60_000)
        assert home.beeps() == 6
        home.device.receipted([(7, 1, False)])
        home.pass_ms(2000)
        home.beeps()
        home.pass_ms(60_000)
        assert home.beeps() == 0


def test_flash_that_refuses_is_tried_again_and_nothing_is_promised_until_it_took_it():
    with Home(sos=1) as home:
        home.outbox.broken = OSError(28)
        home.press("sos")
        home.pass_ms(5000)
        assert home.events() == [] and home.beeps() == 1 and home.home.call.open
        home.outbox.broken = None
        home.pass_ms(2000)
        assert home.events() == [{"sos": True}] and home.beeps() == 2
        assert home.outbox.records[0][2][0] < 500_000  # still the time of the press


def test_a_press_in_rtc_memory_alone_is_sent_but_not_promised():
    with Home(sos=1) as home:
        home.outbox.on_flash = False
        home.press("sos")
        home.pass_ms(2000)
        home.press("sos")  # belongs to the first
        home.pass_ms(5000)
        assert home.events() == [{"sos": True}] and home.beeps() == 2  # one for each press
        assert home.lamp(2000) == 100
        home.outbox.on_flash = True
        home.pass_ms(2000)
        assert home.events() == [{"sos": True}] and home.beeps() == 2
        assert 40 <= home.lamp(2000) <= 60
        home.device.receipted([(7, 1, False)])
        assert home.home.call.state == "received"


def test_a_receipt_of_a_press_counts_though_the_flash_never_took_it():
    with Home(sos=1) as home:
        home.outbox.on_flash = False
        home.press("sos")
        home.device.receipted([(7, 1, False)])
        home.pass_ms(2000)
        assert home.home.call.state == "received" and home.beeps() == 3
        home.outbox.on_flash = True
        home.pass_ms(5000)
        assert home.home.call.state == "received" and home.beeps() == 0 and not home.home.urgent.waiting


def test_the_receipt_of_a_press_before_a_power_cut_is_seen_and_heard():
    with Home(sos=1) as home:
        home.press("sos")
        home.pass_ms(1000)
        home.device._waiting.clear()
        home.outbox.boot = 8
        home.start()
        home.beeps()
        home.device.receipted([(8, 1, False)])
        assert home.home.call.state == "pressed"
        home.device.receipted([(7, 1, False)])
        home.pass_ms(1000)
        assert home.home.call.state == "received" and home.beeps() == 2


def test_a_refused_sos_is_sent_anew():
    with Home(sos=1) as home:
        home.press("sos")
        home.device.receipted([(7, 1, True)])
        assert home.events() == [{"sos": True}, {"sos": True}]
        home.device.receipted([(7, 2, False)])
        assert home.home.call.state == "received"


def test_the_lamp_goes_on_where_it_was_after_a_reset():
    with Home(sos=1) as home:
        home.press("sos")
        home.answered(1, "accepted")
        home.start()
        assert home.lamp(1000) == 100
        home.answered(1, "closed")
        home.start()
        assert home.lamp(1000) == 0
        assert len(home.events()) == 1


def test_a_torn_memory_of_the_call_is_no_call():
    with Home(sos=1) as home:
        home.press("sos")
        with open(home.device.root + "/call", "wb") as file:
            file.write(b"torn")
        home.start()
        assert not home.home.call.open
        for nonsense in (b"[]", b"5", b'["pressed"]', b'["x",[]]', b'["pressed",7]', b'["pressed",[7]]'):
            files.write(home.device.root + "/call", nonsense)
            home.start()
            assert not home.home.call.open


def test_a_button_nobody_lets_go_is_one_press_and_then_a_fault_that_shows():
    with Home(sos=1) as home:
        home.board.pins["sos"].goes(0)
        home.pass_ms(50_000, 100)
        assert "sos" not in home.record()
        home.pass_ms(50_000, 100)
        assert home.events() == [{"sos": True}]
        assert home.record()["sos"] is None
        home.time.at += 7 * DAY_MS
        home.pass_ms(1000)
        assert home.record()["sos"] is None
        home.goes("sos", 1)
        assert "sos" not in home.record()


def test_a_reset_waits_while_a_call_is_not_received_or_the_elder_is_asked():
    with Home(sos=1, cancel=1) as home:
        assert not any(ask() for ask in home.device.busy)
        home.press("sos")
        assert any(ask() for ask in home.device.busy)
        home.device.receipted([(7, 1, False)])
        assert not any(ask() for ask in home.device.busy)
        home.device.commands["prewarn"]({"seconds": 60})
        assert any(ask() for ask in home.device.busy)


# --- the self-test ---


def test_a_self_test_is_an_event_of_its_own_that_nobody_sees_or_hears():
    with Home(sos=1) as home:
        home.beeps()
        home.device.commands["selftest"]({"test": "t-1"})
        assert home.lamp(5000) == 0 and home.beeps() == 0
        assert home.events() == [{"selftest": "t-1"}]
        assert not home.home.call.open and home.home.call.state == "closed"


def test_a_press_during_a_self_test_is_a_press():
    with Home(sos=1) as home:
        home.device.commands["selftest"]({"test": "t-1"})
        home.press("sos")
        assert {"sos": True} in home.events()
        assert home.home.call.open and home.lamp(2000) > 0


def test_while_somebody_calls_for_help_nothing_is_tested():
    with Home(sos=1) as home:
        home.press("sos")
        home.device.commands["selftest"]({"test": "t-1"})
        home.pass_ms(70_000, 100)
        home.answered(1, "closed")
        home.pass_ms(70_000, 100)
        assert home.events() == [{"sos": True}]
        home.device.commands["selftest"]({"test": "t-2"})
        home.pass_ms(1000)
        assert home.events() == [{"sos": True}, {"selftest": "t-2"}]


def test_a_button_that_is_stuck_fails_the_self_test():
    with Home(sos=1) as home:
        home.goes("sos", 0)
        home.device.receipted([(7, 1, False)])
        home.answered(1, "closed")
        home.device.commands["selftest"]({"test": "t-1"})
        home.pass_ms(10_000, 100)
        assert home.events() == [{"sos": True}]


def test_a_self_test_that_the_task_of_the_buttons_does_not_see_in_time_has_no_answer():
    with Home(sos=1) as home:
        home.device.commands["selftest"]({"test": "t-1"})
        home.time.at += 61_000
        home.pass_ms(1000)
        assert home.events() == []


def test_a_self_test_has_a_name_and_a_button():
    with Home(sos=1) as home:
        for nonsense in (None, "", 5, "x" * 41):
            raises(ValueError, home.device.commands["selftest"], {"test": nonsense})
    with Home(cancel=1) as home:
        assert "selftest" not in home.device.commands


# --- the pre-warning ---


def test_the_home_asks_every_half_minute_and_a_cancel_is_an_event():
    with Home(cancel=1) as home:
        home.device.commands["prewarn"]({"seconds": 600, "kind": "inactivity"})
        home.pass_ms(65_000)
        assert home.beeps() == 9
        home.press("cancel")
        assert home.events() == [{"cancel": True}]
        assert home.told("prewarning") == [True, False]
        home.beeps()
        home.pass_ms(65_000)
        assert home.beeps() == 0


def test_no_cancel_is_silence():
    with Home(cancel=1) as home:
        home.device.commands["prewarn"]({"seconds": 60})
        home.pass_ms(70_000)
        assert home.events() == [] and home.told("prewarning") == [True, False]


def test_a_cancel_that_nobody_asked_for_is_a_sign_of_life():
    with Home(cancel=1) as home:
        home.press("cancel")
        home.press("cancel")
        assert home.events() == [{"cancel": True}]
        assert home.told("prewarning") == []


def test_a_second_question_goes_on_from_now_and_nonsense_is_none():
    with Home(cancel=1) as home:
        ask = home.device.commands["prewarn"]
        ask({"seconds": 60})
        home.pass_ms(50_000)
        ask({"seconds": 60})
        home.pass_ms(50_000)
        assert home.home.prewarning.running
        for nonsense in (None, "60", -1, True, 100_000):
            raises(ValueError, ask, {"seconds": nonsense})
        ask({"seconds": 0})
        assert not home.home.prewarning.running


def test_a_call_for_help_has_the_buzzer_for_itself():
    with Home(sos=1, cancel=1) as home:
        home.press("sos")
        home.pass_ms(2000)
        home.beeps()
        home.device.commands["prewarn"]({"seconds": 60})
        assert home.beeps() == 0


# --- buttons that say: I have ---


def test_medication_and_meal_are_told_once_a_press_with_one_short_beep():
    with Home(medication=1, meal=1) as home:
        home.beeps()
        for wire in ("medication", "medication", "meal"):
            home.press(wire)
        assert home.events() == [{"medication": True}, {"meal": True}]
        assert home.beeps() == 3 and home.lamp(2000) == 0
        home.pass_ms(5000)
        home.press("meal")
        assert home.events()[2:] == [{"meal": True}]
        assert home.record() == {}


# --- the siren ---


def test_the_siren_sounds_as_long_as_it_was_asked_to_also_through_other_sounds():
    with Home(sos=1, cancel=1) as home:
        home.device.commands["siren"]({"seconds": 30})
        home.pass_ms(10_000)
        home.press("cancel")
        home.beeps()
        home.pass_ms(10_000)
        assert home.beeps() >= 5 and any(ask() for ask in home.device.busy)
        home.pass_ms(12_000)
        home.beeps()
        home.pass_ms(20_000)
        assert home.beeps() == 0 and not any(ask() for ask in home.device.busy)


def test_the_siren_ends_when_it_is_told_to_and_nonsense_is_none():
    with Home(sos=1) as home:
        ask = home.device.commands["siren"]
        ask({"seconds": 600})
        home.pass_ms(2000)
        ask({"seconds": 0})
        home.beeps()
        home.pass_ms(10_000)
        assert home.beeps() == 0
        for nonsense in (None, "60", -1, True, 3601):
            raises(ValueError, ask, {"seconds": nonsense})


# --- detectors and states ---


def test_a_detector_is_told_at_both_edges_and_at_the_start():
    with Home(smoke=1, gas=1) as home:
        assert len(home.events()) == 2 and {"smoke": False} in home.events() and {"gas": False} in home.events()
        home.goes("smoke", 0)
        home.goes("smoke", 1)
        assert home.events()[2:] == [{"smoke": True}, {"smoke": False}]


def test_a_detector_that_was_cut_off_alarms_when_its_contact_is_normally_closed():
    with Home({"active": {"smoke": 1}}, smoke=0) as home:
        assert home.events() == [{"smoke": False}]
        home.goes("smoke", 1)
        assert home.events()[-1] == {"smoke": True}


def test_states_are_told_at_each_change_with_their_channel():
    with Home({"channels": {"door": "front"}}, door=0, away=1, bed=1) as home:
        home.goes("door", 1)
        home.goes("door", 0)
        home.goes("away", 0)
        home.goes("bed", 0)
        assert home.told("contact.front") == [False, True, False]
        assert home.told("away") == [False, True]
        assert home.told("bed") == [False, True]
        assert home.record() == {"contact.front": False, "away": True, "bed": True}


def test_a_change_while_everything_is_busy_is_not_lost():
    with Home(door=0) as home:
        pin = home.board.pins["door"]
        pin.goes(1)
        home.time.at += 400  # a TLS handshake
        pin.goes(0)
        home.time.at += 400
        home.pass_ms(2000)
        assert home.told("contact") == [False, True, False]


def test_the_first_movement_is_told_at_once_and_the_next_ones_together_with_their_number():
    with Home({"motion_every_s": 30}, pir=0) as home:
        home.pass_ms(40_000, 100)
        before = len(home.outbox.records)
        home.goes("pir", 1)
        assert home.outbox.sent(DATA)[before:] == [{"motion": True, "movements": 1}]
        for _ in range(4):
            home.goes("pir", 0)
            home.goes("pir", 1)
        home.goes("pir", 0)
        home.pass_ms(40_000, 100)
        assert len(home.outbox.records) == before + 2
        assert sum(home.told("movements")) == 5
        last = home.outbox.records[-1][3]
        assert [(r["n"], r.get("vb", r.get("v"))) for r in last] == [("motion", True), ("motion", False), ("movements", 4)]
        assert last[0]["t"] < last[1]["t"] < 0


def test_a_movement_after_a_week_of_none_is_told_at_once():
    with Home(pir=0) as home:
        home.goes("pir", 1)
        home.goes("pir", 0)
        home.pass_ms(40_000, 100)
        before = len(home.outbox.records)
        home.time.at += 8 * DAY_MS
        home.goes("pir", 1)
        assert home.outbox.sent(DATA)[before:] == [{"motion": True, "movements": 1}]


def test_a_home_full_of_movement_does_not_flood_and_counts_right():
    with Home({"motion_every_s": 30}, pir=0) as home:
        before = len(home.outbox.records)
        for _ in range(150):
            home.goes("pir", 1)
            home.goes("pir", 0)
        home.pass_ms(31_000, 100)
        assert len(home.outbox.records) - before <= 12
        assert sum(home.told("movements")) == 150


def test_a_detector_of_movement_that_never_lets_go_is_not_life():
    with Home({"motion_stuck_s": 60}, pir=0) as home:
        home.goes("pir", 1)
        home.pass_ms(120_000, 100)
        assert home.told("motion")[-1] is None
        assert home.record()["motion"] is None
        told = len(home.outbox.records)
        home.pass_ms(60_000, 100)
        assert len(home.outbox.records) == told
        home.goes("pir", 0)
        home.pass_ms(60_000, 100)
        assert home.told("motion")[-1] is False
        assert home.record()["motion"] is False


def test_a_bed_that_is_held_too_long_is_a_broken_pad():
    with Home({"held_stuck_s": 3600}, bed=1) as home:
        home.goes("bed", 0)
        home.pass_ms(3_700_000, 500)
        assert home.told("bed") == [False, True, None]
        home.goes("bed", 1)
        assert home.told("bed")[-1] is False


def test_a_pad_may_be_held_for_as_long_as_the_settings_allow():
    with Home({"held_stuck_s": 604_800}, chair=1) as home:
        home.goes("chair", 0)
        home.pass_ms(604_000_000, 500_000)
        assert home.told("chair") == [False, True]
        home.pass_ms(1_000_000, 500_000)
        assert home.told("chair") == [False, True, None]


REPORT = bytes.fromhex("f4f3f2f10d0002aa02510000005c3b00005500f8f7f6f5")  # someone still, as in the maker's manual
EMPTY = bytes.fromhex("f4f3f2f10d0002aa0000000000000000005500f8f7f6f5")


def test_the_radar_tells_who_is_there_and_that_it_is_gone():
    uart = Uart()
    with Home(uart=uart) as home:
        for _ in range(10):
            uart.arrives(REPORT)
            home.pass_ms(500)
        assert home.told("presence") == [True]
        record = home.record()
        assert record["presence"] is True and isinstance(record["distance"], tuple)
        uart.arrives(EMPTY)
        home.pass_ms(500)
        assert home.told("presence") == [True, False]
        home.pass_ms(10_000)
        assert home.told("presence") == [True, False, None]
        assert home.record() == {"presence": None}
        uart.arrives(REPORT)
        home.pass_ms(500)
        assert home.told("presence")[-1] is True


def test_the_climate_is_in_the_record_and_a_dead_sensor_is_no_value():
    good = Script({b"\x24\x00": bytes.fromhex("6666934ccd9d"), b"\x30\xa2": b""})
    from app.sensors.base import crc8

    data = b"".join(word + bytes([crc8(word, 0x31, 0xFF)]) for word in (b"\x66\x66", b"\x80\x00"))
    good.replies[b"\x24\x00"] = data
    bus = I2C(x44=good)
    with Home(i2c=bus) as home:
        record = home.record()
        assert abs(record["temperature"] - 25.0) < 0.02 and abs(record["humidity"] - 50.0) < 0.02
        bus.chips.clear()
        assert home.record() == {"temperature": None, "humidity": None}


def test_a_home_with_nothing_but_a_button_works():
    with Home(sos=1) as home:
        assert home.record() == {}
        names = [name for name, _ in home.home.tasks()]
        assert names[0] == "inputs" and "cadence" in names


def test_its_settings_are_checked():
    document = {
        "site": "s",
        "device": "d",
        "model": "elder_home",
        "wifi": [{"ssid": "w", "password": "p"}],
        "broker": {"host": "h"},
        "pins": {"sos": 4, "radar": {"id": 2, "tx": 17, "rx": 16}, "i2c": {"scl": 22, "sda": 21}, "stove": 5},
        "elder_home": {"press_ms": 5, "channels": {"sos": "x", "pir": "kitchen"}, "active": {"smoke": 2}},
    }
    found = raises(settings.Misconfigured, settings.checked, document, elder_home).problems
    assert len(found) == 4, found
