"""Contacts: bounce, noise, presses while nobody looked, an interrupt that was missed."""

import asyncio

from app.sensors.contact import Contact, watch
from fakes import Pin, Time
from scaffold import run


def attached(level=1, **settings):
    pin, time = Pin(level), Time(1000)
    contact = Contact("sos", pin, **settings)
    contact.attach(lambda: None, time.now)
    assert contact.look(time.ms) and contact.state is False
    return contact, pin, time


def at(time, ms, pin, level):
    time.ms = 1000 + ms
    pin.goes(level)


def test_a_bouncing_press_is_one_press_with_the_time_of_its_first_edge():
    contact, pin, time = attached()
    for ms, level in ((100, 0), (101, 1), (103, 0), (104, 1), (106, 0)):
        at(time, ms, pin, level)
        assert not contact.look(time.ms) or ms > 130
    time.ms = 1131
    assert contact.look(1131 + 5) and contact.state
    assert 1100 <= contact.changed_ticks <= 1106
    assert not contact.look(1200)


def test_noise_shorter_than_the_debounce_is_nothing():
    contact, pin, time = attached()
    at(time, 100, pin, 0)
    at(time, 104, pin, 1)
    assert not contact.look(1105) and not contact.look(1140)
    assert contact.state is False and contact.edges == 2


def test_a_press_that_was_over_before_anybody_looked_is_kept():
    contact, pin, time = attached()
    at(time, 100, pin, 0)
    at(time, 350, pin, 1)
    assert contact.look(1900) and contact.state and contact.changed_ticks == 1100
    assert not contact.look(1901) and contact.look(1901 + 31) and not contact.state


def test_an_eager_button_needs_no_more_than_an_edge():
    contact, pin, time = attached(eager=True)
    pin.level = 0
    pin.level = 1  # over before the interrupt's handler ran
    at(time, 100, pin, 1)
    assert contact.look(1101) and contact.state


def test_a_change_whose_interrupt_was_lost_is_found_by_looking_again():
    contact, pin, _ = attached()
    pin.level = 0
    assert not contact.look(6000) and contact.wait_ms(6000, 5000) == 30
    assert contact.look(6030) and contact.state


def test_a_contact_that_is_active_high_reports_both_ways():
    contact, pin, time = attached(level=0, active=1)
    at(time, 100, pin, 1)
    contact.look(1140)
    assert contact.state is True
    at(time, 5000, pin, 0)
    contact.look(6040)
    assert contact.state is False


def test_one_task_watches_all_and_tells_the_first_state():
    async def main():
        door, chair = Contact("door", Pin(1)), Contact("chair", Pin(0), debounce_ms=5)
        told, beats = [], []
        task = asyncio.create_task(watch([door, chair], lambda c: told.append((c.name, c.state)), lambda: beats.append(1), 20))
        await asyncio.sleep(0.03)
        assert sorted(told) == [("chair", True), ("door", False)]
        chair.pin.goes(1)
        door.pin.level = 0  # without an interrupt
        await asyncio.sleep(0.15)
        task.cancel()
        assert ("chair", False) in told and ("door", True) in told and len(told) == 4
        assert beats

    run(main())
