"""The URI of an NDEF message, and whether its query carries what a card computed for this reading."""

from app.sensors.ndef import has_sun, query, uri

SUN = "picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086"
LONG = b"\x04tap.example/t?" + SUN.encode()


def record(payload, flags=0xD1, kind=b"U", ident=b""):
    head = bytes((flags | (0x08 if ident else 0), len(kind)))
    head += bytes((len(payload),)) if flags & 0x10 else len(payload).to_bytes(4, "big")
    return head + (bytes((len(ident),)) if ident else b"") + kind + ident + payload


def test_a_short_record_gives_its_address():
    assert uri(record(LONG)) == "https://tap.example/t?" + SUN


def test_a_long_record_and_one_with_an_id_give_theirs():
    assert uri(record(LONG, flags=0xC1)) == "https://tap.example/t?" + SUN
    assert uri(record(LONG, ident=b"x1")) == "https://tap.example/t?" + SUN


def test_the_first_uri_is_found_behind_other_records():
    message = record(b"\x02enhello", flags=0x91, kind=b"T") + record(b"\x03a.example", flags=0x51)
    assert uri(message) == "http://a.example"


def test_no_uri_is_none():
    assert uri(b"") is None
    assert uri(record(b"\x02enhello", kind=b"T")) is None
    assert uri(record(b"", flags=0xD0, kind=b"")) is None


def test_a_cut_message_is_none_wherever_it_is_cut():
    for whole in (record(LONG), record(LONG, flags=0xC1), record(LONG, ident=b"id")):
        for end in range(len(whole)):
            assert uri(whole[:end]) is None, end


def test_an_address_that_is_no_text_is_none():
    assert uri(record(b"\x04\xff\xfe\xfd")) is None


def test_the_query_is_what_stands_between_question_mark_and_fragment():
    assert query("https://a.example/t?x=1&y=2#z") == "x=1&y=2"
    assert query("https://a.example/t?") == ""
    assert query("https://a.example/t") == ""


def test_sun_is_known_by_the_lengths_whatever_the_names():
    assert has_sun(SUN)
    assert has_sun("e=EF963FF7828658A599F3041510671E88&c=94eed9ee65337086")
    assert has_sun("p=" + "0" * 48 + "&m=" + "F" * 16)
    assert has_sun("picc_data=" + "A" * 32 + "&enc=" + "B" * 32 + "&cmac=" + "C" * 16)
    assert has_sun("uid=041E3C8A2D6B80&ctr=000006&cmac=4B00064004B0B3D3")
    assert has_sun("m=041E3C8A2D6B80x000006x4B00064004B0B3D3")


def test_what_lacks_a_mac_or_an_identity_is_no_sun():
    assert not has_sun("")
    assert not has_sun("id=17")
    assert not has_sun("cmac=94EED9EE65337086")
    assert not has_sun("picc_data=EF963FF7828658A599F3041510671E88")
    assert not has_sun("picc_data=EF963FF7828658A599F3041510671E8Z&cmac=94EED9EE65337086")
    assert not has_sun("uid=041E3C8A2D6B80&cmac=4B00064004B0B3D3")
