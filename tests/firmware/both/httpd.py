"""A web server with faults, in the loop of the test: redirects, wrong lengths, a cable that is pulled after so many bytes."""

import asyncio


class Httpd:
    """Serves `files` (name -> bytes) below `/r/` while the test runs.

    Attributes:
        asked: (name, first byte) of each request.
        cut: after so many bytes of bodies in all the connection ends; None: never.
        fault: `redirect`, `no_range`, `no_length`, `chunked`, `short`, `long`, `wrong_range`, `huge_head`, `silent`, or "".
    """

    def __init__(self, files, fault="", cut=None):
        self.files = files
        self.fault = fault
        self.cut = cut
        self.sent = 0
        self.asked = []
        self.url = ""

    async def start(self):
        port = 20000
        while True:
            try:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
                break
            except OSError:
                port += 1
        self.url = "http://127.0.0.1:%d/r/" % port
        return self

    async def stop(self):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        try:
            await self._answer(reader, writer)
        except OSError:
            pass  # the client went away
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            pass

    async def _answer(self, reader, writer):
        path = (await reader.readline()).split(b" ")[1].decode()
        begin = 0
        while True:
            line = (await reader.readline()).strip().lower()
            if not line:
                break
            if line.startswith(b"range: bytes="):
                begin = int(line[13:].split(b"-")[0])
        name = path[3:]
        self.asked.append((name, begin))
        if self.fault == "silent":
            await asyncio.sleep(60)
        if self.fault == "redirect":
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n")
        elif self.fault == "huge_head":
            writer.write(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n")
        elif name not in self.files:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        else:
            self._body(writer, self.files[name], begin)
        await writer.drain()

    def _body(self, writer, content, begin):
        if self.fault == "no_range":
            begin = 0
        status = b"206 Partial Content" if begin else b"200 OK"
        body = content[begin:]
        length = len(body) + {"short": -1, "long": 1}.get(self.fault, 0)
        head = b"HTTP/1.1 " + status + b"\r\n"
        if begin:
            said = begin + 1 if self.fault == "wrong_range" else begin
            head += b"Content-Range: bytes %d-%d/%d\r\n" % (said, len(content) - 1, len(content))
        if self.fault == "chunked":
            head += b"Transfer-Encoding: chunked\r\n"
        elif self.fault != "no_length":
            head += b"Content-Length: %d\r\n" % length
        if self.cut is not None:
            body = body[: max(0, self.cut - self.sent)]
        self.sent += len(body)
        writer.write(head + b"\r\n" + body)
