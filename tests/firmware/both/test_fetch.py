"""A file is fetched from any byte on; what a server says is believed only within bounds."""

import asyncio

from app import fetch
from httpd import Httpd
from scaffold import run

CONTENT = bytes(range(256)) * 20


def fetched(server=None, offset=0, size=5120, most=1 << 20, name="x"):
    """What came, and the name of the error that ended it with its text."""

    async def main():
        httpd = await (server or Httpd({"x": CONTENT})).start()
        came, error = [], ""
        try:
            await asyncio.wait_for(fetch.into(httpd.url + name, came.append, size, most, offset), 5)
        except (fetch.Interrupted, fetch.Unusable) as caught:
            error = "%s %s" % (type(caught).__name__, caught)
        await httpd.stop()
        return b"".join(came), error

    return run(main())


def test_a_file_comes_whole_and_from_any_byte_on():
    assert fetched() == (CONTENT, "")
    assert fetched(offset=1) == (CONTENT[1:], "")
    assert fetched(offset=len(CONTENT) - 1) == (CONTENT[-1:], "")
    assert fetched(size=None) == (CONTENT, "")


def test_a_server_that_cannot_continue_is_listened_to_from_the_beginning():
    assert fetched(Httpd({"x": CONTENT}, "no_range"), offset=3000) == (CONTENT[3000:], "")


def test_a_connection_that_ends_early_may_be_tried_again():
    came, error = fetched(Httpd({"x": CONTENT}, cut=1500))
    assert (came, error) == (CONTENT[:1500], "Interrupted download: cut off, 3620 bytes were missing")


def test_a_file_that_is_not_there_may_come_later():
    assert fetched(name="y")[1].startswith("Interrupted answer: HTTP/1.1 404")


def test_a_redirect_is_not_followed():
    assert "redirected to http://elsewhere.example/" in fetched(Httpd({"x": CONTENT}, "redirect"))[1]


def test_an_answer_without_bounds_is_refused():
    for fault, said in (
        ("no_length", "no length"),
        ("chunked", "no length"),
        ("huge_head", "headers"),
        ("short", "a file of 5119 bytes"),
        ("long", "a file of 5121 bytes"),
    ):
        came, error = fetched(Httpd({"x": CONTENT}, fault))
        assert not came and error.startswith("Unusable") and said in error, (fault, error)
    assert "from byte 11, asked for 10" in fetched(Httpd({"x": CONTENT}, "wrong_range"), offset=10)[1]


def test_a_file_larger_than_allowed_is_refused_before_it_comes():
    assert fetched(size=None, most=100) == (b"", "Unusable answer: a file of 5120 bytes, expected at most 100")


def test_a_server_that_says_nothing_is_not_waited_for():
    fetch._WAIT_S, before = 0.1, fetch._WAIT_S
    try:
        assert fetched(Httpd({"x": CONTENT}, "silent"))[1] == "Interrupted download: no answer in 0 s"
    finally:
        fetch._WAIT_S = before


def test_nobody_listens():
    async def main():
        try:
            await fetch.whole("http://127.0.0.1:1/x", 10)
        except fetch.Interrupted as error:
            return str(error)

    assert run(main()).startswith("download: ")


def test_addresses_that_are_none_are_refused():
    for url in (
        "",
        "ftp://h/x",
        "http:///x",
        "http://h:x/",
        "http://u:p@h/",
        "http://h/ x",
        "http://h/\n",
        "file:///etc/passwd",
    ):
        try:
            fetch.parts(url)
        except fetch.Unusable:
            continue
        raise AssertionError(url)
    assert fetch.parts("http://h") == (False, "h", 80, "/")
    assert fetch.parts("https://h:8443/a/b") == (True, "h", 8443, "/a/b")


def test_https_without_an_authority_is_refused():
    async def main():
        try:
            await fetch.whole("https://127.0.0.1/x", 10)
        except fetch.Unusable as error:
            return str(error)

    assert run(main()).startswith("https: no authority")
