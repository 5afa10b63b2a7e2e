"""A look-up stops the whole device, so there is one for each name until it does not do."""

import socket

from app import addresses
from scaffold import raises


def looking_up(function, *arguments):
    """Call with a resolver that counts; (what it gave, the names looked up)."""
    asked = []

    def look_up(host):
        asked.append(host)
        if host == "nowhere":
            raise OSError(-2)
        return "10.0.0.%d" % len(asked)

    real, addresses._look_up = addresses._look_up, look_up
    addresses._found.clear()
    try:
        return function(*arguments), asked
    finally:
        addresses._look_up = real
        addresses._found.clear()


def test_a_name_is_looked_up_once_until_it_is_forgotten():
    def calls():
        found = [addresses.resolve("broker"), addresses.resolve("broker"), addresses.known("broker")]
        addresses.forget("broker")
        found.append(addresses.known("broker"))
        found.append(addresses.resolve("broker"))
        return found

    assert looking_up(calls) == (["10.0.0.1", "10.0.0.1", "10.0.0.1", "", "10.0.0.2"], ["broker", "broker"])


def test_a_name_that_is_not_found_is_no_answer_to_keep():
    def calls():
        raises(OSError, addresses.resolve, "nowhere")
        raises(OSError, addresses.resolve, "nowhere")

    assert looking_up(calls) == (None, ["nowhere", "nowhere"])


def test_what_is_kept_is_bounded():
    def calls():
        for n in range(100):
            addresses.resolve("host%d" % n)
        return len(addresses._found)

    assert looking_up(calls)[0] <= 8


def test_a_real_look_up_gives_dotted_numbers():
    assert addresses.resolve("127.0.0.1") == "127.0.0.1"
    assert socket.getaddrinfo("127.0.0.1", 80)
