"""The device's own Wi-Fi with one page to set it up: WPA2 with the password of its label, open for ten minutes.

Every name is answered with our address, and every page with a way to ours, so that a telephone opens it by itself.
"""

import asyncio
import socket
import time

from app import form
from app.log import log

ADDRESS = "192.168.4.1"
OPEN_S = 600
_LARGEST_HEAD = 2048
_LARGEST_BODY = 4096
_MOST_AT_ONCE = 4
_WAIT_S = 10
_CONTROLS = b"HTTP/1.1 %s\r\nConnection: close\r\nCache-Control: no-store\r\nX-Frame-Options: DENY\r\n"


class Portal:
    """
    Args:
        take: function(fields) -> problems; none: they are taken, and the portal closes.
        values: what the form shows at first.  seen: names of networks in reach.
        problem: why it is open again, "" at first.
        host, port, dns_port: where to listen; others in tests.
    """

    def __init__(self, take, values: dict, seen, problem: str = "", host="0.0.0.0", port: int = 80, dns_port: int = 53):
        self._take = take
        self._values = values
        self._seen = seen
        self._problems = [problem] if problem else []
        self._host, self._port, self._dns_port = host, port, dns_port
        self._done = asyncio.Event()
        self._guests = 0

    async def open(self, beat=lambda: None, seconds: int = OPEN_S) -> bool:
        """Serve until something was taken (True) or the time is over; somebody who is typing gets the same time again."""
        server = await asyncio.start_server(self._serve, self._host, self._port)
        names = asyncio.create_task(self._answer_names())
        self._ends = time.ticks_add(time.ticks_ms(), seconds * 1000)
        try:
            while not self._done.is_set() and time.ticks_diff(self._ends, time.ticks_ms()) > 0:
                beat()
                await asyncio.sleep_ms(200)
        finally:
            names.cancel()
            server.close()
            await server.wait_closed()
        return self._done.is_set()

    # --- pages ---

    async def _serve(self, reader, writer) -> None:
        if self._guests < _MOST_AT_ONCE:
            self._guests += 1
            try:
                answer = await asyncio.wait_for(self._answer(reader), _WAIT_S)
                writer.write(answer)
                await asyncio.wait_for(writer.drain(), _WAIT_S)
            except (OSError, EOFError, ValueError, IndexError, asyncio.TimeoutError) as error:
                log("info", "portal: %s %s" % (type(error).__name__, error))
            finally:
                self._guests -= 1
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass
        if self._taken:
            self._done.set()  # only now: the page has gone out

    _taken = False

    async def _answer(self, reader) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            more = await reader.read(256)
            if not more or len(head) > _LARGEST_HEAD:
                return _page("400 Bad Request", b"")
            head += more
        head, _, body = head.partition(b"\r\n\r\n")
        method, path = head.split(b" ", 2)[:2]
        if path != b"/":
            return _CONTROLS % b"302 Found" + b"Location: http://%s/\r\nContent-Length: 0\r\n\r\n" % ADDRESS.encode()
        if method == b"GET":
            return _page("200 OK", form.page(self._values, self._seen, self._problems))
        if method != b"POST":
            return _page("405 Method Not Allowed", b"")
        length = _length(head)
        if not 0 <= length <= _LARGEST_BODY:
            return _page("413 Payload Too Large", b"")
        while len(body) < length:
            more = await reader.read(min(512, length - len(body)))
            if not more:
                return _page("400 Bad Request", b"")
            body += more
        return self._posted(body[:length])

    def _posted(self, body: bytes) -> bytes:
        try:
            fields = form.decoded(body)
        except ValueError:
            return _page("400 Bad Request", b"")
        self._values = fields
        self._problems = self._take(fields)
        if self._problems:
            return _page("200 OK", form.page(fields, self._seen, self._problems))
        self._taken = True
        return _page("200 OK", form.done())

    # --- names ---

    async def _answer_names(self) -> None:
        """DNS: whatever is asked for is here. Without it a telephone says that there is no Internet and leaves."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.bind(socket.getaddrinfo(self._host, self._dns_port)[0][-1])
            while True:
                try:
                    question, sender = sock.recvfrom(512)
                    answer = named(question, ADDRESS)
                    if answer:
                        sock.sendto(answer, sender)
                except OSError:  # nothing there
                    await asyncio.sleep_ms(50)
        finally:
            sock.close()


def named(question: bytes, address: str):
    """The answer to a DNS question: `address` for an A record, none of the kind for others; None to what is no question."""
    if len(question) < 17 or question[2] & 0x80 or question[4:6] != b"\x00\x01":
        return None
    at = 12
    while at < len(question) and question[at]:
        if question[at] > 63:
            return None
        at += question[at] + 1
    ends = at + 5
    if ends > len(question):
        return None
    is_a = question[at + 1 : ends] == b"\x00\x01\x00\x01"
    head = question[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if is_a else b"\x00\x00") + bytes(4)
    answer = head + question[12:ends]
    if is_a:
        # For a minute only: afterwards the same telephone is in another network.
        answer += b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + bytes(int(part) for part in address.split("."))
    return answer


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value.strip().decode()[:9])
    return -1


def _page(status: str, content: bytes) -> bytes:
    kind = b"Content-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(content)
    return _CONTROLS % status.encode() + kind + content
