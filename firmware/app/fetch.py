"""Fetches a file over HTTP or HTTPS: from any byte on, bounded, with a deadline on every wait. Redirects are not followed."""

import asyncio

from app import addresses

_CHUNK = 1024  # as much as is written to flash at a time between two beats
_LARGEST_HEAD = 4096
_WAIT_S = 20


class Interrupted(Exception):
    """It did not work this time; the same may work later."""


class Unusable(Exception):
    """This address or this server's answer will not do, however often it is asked."""


def parts(url: str) -> tuple:
    """(secure, host, port, path) of an address.

    Raises:
        Unusable: it is none of ours.
    """
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    host, colon, port = place.partition(":")
    secure = scheme == "https"
    if scheme not in ("http", "https") or not host or len(url) > 300 or "@" in place or any(c <= " " for c in url):
        raise Unusable("address: %s" % url[:80])
    if colon and not port.isdigit():
        raise Unusable("address: port %s" % port[:10])
    return secure, host, int(port) if colon else 443 if secure else 80, slash + path if slash else "/"


async def whole(url: str, most: int, tls=None, beat=None) -> bytes:
    """A small file as bytes.

    Args:
        most: bytes; a larger file is refused.
        tls: function without arguments -> the TLS context for https; None: https is refused.
    Raises:
        Interrupted, Unusable.
    """
    found = []
    await into(url, found.append, None, most, 0, tls, beat)
    return b"".join(found)


async def into(url: str, sink, size, most: int, offset: int = 0, tls=None, beat=None) -> None:
    """Hand a file from byte `offset` on to `sink(bytes)`, chunk by chunk.

    Args:
        size: of the whole file; another one is refused. None: whatever it is, up to `most`.
        beat: called with each chunk; feeds the watchdog.
    Raises:
        Interrupted, Unusable; and whatever `sink` raises.
    """
    secure, host, port, path = parts(url)
    writer = None
    came = False
    try:
        context = tls() if secure and tls is not None else None
        if secure and context is None:
            raise Unusable("https: no authority to check the server with; set broker.ca")
        more = {"ssl": context, "server_hostname": host} if secure else {}
        reader, writer = await _in_time(asyncio.open_connection(addresses.resolve(host), port, **more))
        ask = "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAccept-Encoding: identity\r\n" % (path, host)
        writer.write((ask + ("Range: bytes=%d-\r\n" % offset if offset else "") + "\r\n").encode())
        await _in_time(writer.drain())
        head, body = await _head(reader)
        came = True
        skip, left = _length(head, size, most, offset)
        while left:
            if beat is not None:
                beat()
            chunk = body or await _in_time(reader.read(min(_CHUNK, left)))
            body = b""
            if not chunk:
                raise Interrupted("download: cut off, %d bytes were missing" % left)
            chunk = chunk[:left]
            left -= len(chunk)
            if skip:
                dropped = min(skip, len(chunk))
                skip -= dropped
                chunk = chunk[dropped:]
            if chunk:
                sink(chunk)
            await asyncio.sleep(0)  # others run between two chunks also when the network is fast
    except (OSError, EOFError, ValueError) as error:  # TLS raises ValueError for a certificate
        raise Interrupted("download: %s %s" % (type(error).__name__, error))
    finally:
        if not came:
            addresses.forget(host)  # maybe it has moved
        if writer is not None:
            await _close(writer)


async def _close(writer) -> None:
    writer.close()
    try:
        await writer.wait_closed()  # in MicroPython only this one closes
    except (OSError, ValueError):
        pass


async def _in_time(job):
    try:
        return await asyncio.wait_for(job, _WAIT_S)
    except asyncio.TimeoutError:
        raise Interrupted("download: no answer in %d s" % _WAIT_S)


async def _head(reader) -> tuple:
    """(status line and headers, what of the body came with them)."""
    found = b""
    while b"\r\n\r\n" not in found:
        more = await _in_time(reader.read(256))
        if not more:
            raise Interrupted("download: the server closed without an answer")
        found += more
        if len(found) > _LARGEST_HEAD:
            raise Unusable("answer: more than %d bytes of headers" % _LARGEST_HEAD)
    at = found.index(b"\r\n\r\n")
    return found[:at].decode(), found[at + 4 :]


def _length(head: str, size, most: int, offset: int) -> tuple:
    """(bytes to pass over, bytes of the body) as the headers say and as we want them."""
    lines = head.split("\r\n")
    words = lines[0].split(" ")
    status = words[1] if len(words) > 1 else ""
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if status.startswith("3"):
        raise Unusable("answer: redirected to %s; give the address itself" % headers.get("location", "?")[:80])
    if status not in ("200", "206"):
        raise Interrupted("answer: %s" % lines[0][:60])
    if not headers.get("content-length", "").isdigit() or "transfer-encoding" in headers:
        raise Unusable("answer: no length")
    length, begin = int(headers["content-length"]), 0
    if status == "206":
        kind, _, span = headers.get("content-range", "").partition(" ")
        begin = int(span.split("-")[0]) if kind == "bytes" and span.split("-")[0].isdigit() else -1
        if begin != offset:
            raise Unusable("answer: from byte %d, asked for %d" % (begin, offset))
    total = begin + length
    if total > most or (size is not None and total != size):
        raise Unusable("answer: a file of %d bytes, expected %s" % (total, size if size is not None else "at most %d" % most))
    return offset - begin, length
