"""An answer of a time server is checked before it is believed."""

from app import ntp
from scaffold import raises

NONCE = b"\x01\x02\x03\x04\x05\x06\x07\x08"
NOW_MS = 1780000000250
_1900_S = 2208988800


def stamp(unix_ms):
    seconds, ms = divmod(unix_ms + _1900_S * 1000, 1000)
    return (seconds & 0xFFFFFFFF).to_bytes(4, "big") + (((ms << 32) + 999) // 1000).to_bytes(4, "big")


def answer(first=0x24, stratum=2, delay=0, dispersion=0, originate=NONCE, received=NOW_MS, sent=NOW_MS, kiss=b"\x00" * 4):
    head = bytes((first, stratum, 0, 0)) + delay.to_bytes(4, "big") + dispersion.to_bytes(4, "big") + kiss
    return head + bytes(8) + originate + stamp(received) + stamp(sent)


def refused(payload, round_trip_ms=40):
    return str(raises(ValueError, ntp.told, payload, NONCE, round_trip_ms))


def test_the_question_is_a_clients_with_our_nonce():
    question = ntp.request(NONCE)
    assert len(question) == 48 and question[0] == 0x23 and question[40:] == NONCE


def test_half_the_round_trip_is_added_and_is_the_error():
    assert ntp.told(answer(), NONCE, 40) == (NOW_MS + 20, 21)


def test_the_time_spent_inside_the_server_is_no_travel():
    assert ntp.told(answer(received=NOW_MS, sent=NOW_MS + 30), NONCE, 40) == (NOW_MS + 35, 6)


def test_what_the_server_says_of_its_own_error_counts():
    assert ntp.told(answer(delay=0x8000, dispersion=0x4000), NONCE, 40) == (NOW_MS + 20, 21 + 250 + 250)


def test_the_seconds_go_on_after_2036():
    after = 2100000000000  # July 2036
    assert ntp.told(answer(received=after, sent=after), NONCE, 2) == (after + 1, 2)


def test_what_cannot_be_believed_is_refused():
    assert "another question" in refused(answer(originate=bytes(8)))
    assert "another question" in refused(answer()[:47])
    assert "another question" in refused(b"")
    assert "no server" in refused(answer(first=0x23))
    assert "RATE" in refused(answer(stratum=0, kiss=b"RATE"))
    assert "does not know" in refused(answer(stratum=16))
    assert "does not know" in refused(answer(first=0xE4))
    assert "at the server" in refused(answer(received=NOW_MS + 10))
    assert "at the server" in refused(answer(sent=NOW_MS + 5000))
    assert "no time" in refused(answer()[:32] + bytes(16))
