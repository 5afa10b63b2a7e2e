"""Packets as MQTT 3.1.1 has them (the numbers in brackets are those of the standard)."""

from app import mqtt_packets as packets
from scaffold import raises


def test_connect_carries_will_user_and_password():
    packet = packets.connect("c", "u", "p", 30, ("w", b"gone"), clean=False)
    assert packet[:9] == b"\x10\x1c\x00\x04MQTT\x04"
    # User, password, will with QoS 1 and retained; no clean session.
    assert packet[9] == 0xEC and packet[10:12] == b"\x00\x1e"
    assert packet[12:] == b"\x00\x01c\x00\x01w\x00\x04gone\x00\x01u\x00\x01p"


def test_a_clean_session_is_a_flag():
    assert packets.connect("c", "", "", 30, clean=True)[9] == 0x02
    assert packets.connect("c", "", "", 30)[9] == 0x00


def test_a_keep_alive_of_zero_or_beyond_two_bytes_is_refused():
    for seconds in (0, -1, 65536):
        raises(ValueError, packets.connect, "c", "", "", seconds)


def test_publish_is_one_piece():
    assert packets.publish("a/b", b"xyz", 10) == b"\x32\x0a\x00\x03a/b\x00\x0axyz"
    assert packets.publish("a/b", b"xyz", 10, retain=True)[0] == 0x33
    assert packets.publish("a/b", b"") == b"\x30\x05\x00\x03a/b"


def test_the_length_grows_by_seven_bits():
    for size, encoded in ((122, b"\x7f"), (123, b"\x80\x01"), (16378, b"\xff\x7f"), (16379, b"\x80\x80\x01")):
        assert packets.publish("a/b", bytes(size))[1:].startswith(encoded), size


def test_a_text_that_no_two_bytes_can_count_is_refused():
    raises(ValueError, packets.publish, "t" * 65536, b"")


def test_subscribe_asks_for_quality_one():
    assert packets.subscribe(5, ["a", "b/#"]) == b"\x82\x0c\x00\x05\x00\x01a\x01\x00\x03b/#\x01"


def test_puback_and_the_empty_packets():
    assert packets.puback(0x1234) == b"\x40\x02\x12\x34"
    assert packets.PINGREQ == b"\xc0\x00" and packets.DISCONNECT == b"\xe0\x00"


def test_a_publish_is_read_back():
    for pid in (0, 1, 65535):
        packet = packets.publish("a/\u5728", b"x\x00y", pid)
        assert packets.parse_publish(packet[0] & 15, packet[2:]) == ("a/\u5728", pid, b"x\x00y")


def test_a_publish_that_is_cut_short_is_refused():
    whole = packets.publish("a/b", b"", 7)[2:]
    for size in range(len(whole)):
        raises(ValueError, packets.parse_publish, 2, whole[:size])
    raises(ValueError, packets.parse_publish, 4, whole)  # QoS 2, which nobody asked for
    raises(ValueError, packets.parse_publish, 2, b"\x00\x01a\x00\x00")  # packet id 0


def test_an_answer_cut_short_is_refused():
    assert packets.parse_pid(b"\x01\x02rest") == 0x0102
    raises(ValueError, packets.parse_pid, b"\x01")
