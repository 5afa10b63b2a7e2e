"""Real HTTP servers that answer as the chats, push servers and SMS gateways do, and as a bad network does."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlsplit

from edge_gateway.notify import NOTIFIERS
from edge_gateway.notify.robot import Robot

WECOM_KEY, DINGTALK_TOKEN, FEISHU_TOKEN, BARK_KEY = "693a9ff6-7a0c-4bc4", "f0dd1ng70ken", "feishu-70ken", "ynJ5Ft4atkMkWeo2"
DINGTALK_SECRET, FEISHU_SECRET, SMS_KEY = "SEC5e19ab0c", "fS1gn5ecret", "9b11127a9701"


@dataclass(frozen=True)
class Request:
    """What a channel was sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body of a form as it was before it was encoded."""
        return unquote_plus(self.body.decode())


Reply = tuple[int, Any]


@dataclass
class Channel:
    """One server. `fault` stands before every answer; `refusal` is a canned answer.

    Attributes:
        received: in order.
        limited_after: answers "too many" from this message on.
        numbers: mobile -> the SMS gateway's id of its last message.
    """

    received: list[Request] = field(default_factory=list)
    fault: str = ""
    refusal: Reply | None = None
    limited_after: int = 1000
    numbers: dict[str, str] = field(default_factory=dict)
    port: int = 0
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, request: Request) -> Reply:
        """As the server whose path it is."""
        self.received.append(request)
        if self.refusal is not None:
            return self.refusal
        for path, find in _ANSWERS.items():
            if request.path.startswith(path):
                return find(self, request)
        return 404, {"code": 404, "message": "Not Found"}

    @property
    def limited(self) -> bool:
        return len(self.received) > self.limited_after


def _wecom(channel: Channel, request: Request) -> Reply:
    more = (
        "hint: [1755605200056773468916791], from ip: 172.212.167.87, more info at https://open.work.weixin.qq.com/devtool/query"
    )
    if request.query.get("key") != WECOM_KEY:
        return 200, {"errcode": 93000, "errmsg": f"invalid webhook url, {more}?e=93000"}
    text = request.data["text"]
    if request.data["msgtype"] != "text" or len(text["content"].encode()) > 2048:
        return 200, {
            "errcode": 40058,
            "errmsg": f"text.content exceed max length 2048. invalid Request Parameter, {more}?e=40058",
        }
    if channel.limited:
        return 200, {"errcode": 45009, "errmsg": f"api freq out of limit, {more}?e=45009"}
    return 200, {"errcode": 0, "errmsg": "ok"}


def _dingtalk(channel: Channel, request: Request) -> Reply:
    if request.query.get("access_token") != DINGTALK_TOKEN:
        return 200, {"errcode": 300005, "errmsg": "token is not exist"}
    timestamp = request.query.get("timestamp", "0")
    key, text = DINGTALK_SECRET.encode(), f"{timestamp}\n{DINGTALK_SECRET}".encode()
    good = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    if request.query.get("sign") != good or abs(int(timestamp) / 1000 - time.time()) > 3600:
        said = "description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中"
        return 200, {"errcode": 310000, "errmsg": said}
    if channel.limited:
        return 200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}
    return 200, {"errcode": 0, "errmsg": "ok"}


def _feishu(channel: Channel, request: Request) -> Reply:
    timestamp = request.data.get("timestamp", "0")
    digest = hmac.new(f"{timestamp}\n{FEISHU_SECRET}".encode(), b"", hashlib.sha256).digest()
    if not request.path.endswith(f"/{FEISHU_TOKEN}"):
        return 200, {"code": 19001, "msg": "param invalid: incoming webhook access token invalid", "data": {}}
    if request.data.get("sign") != base64.b64encode(digest).decode() or abs(int(timestamp) - time.time()) > 3600:
        return 200, {"code": 19021, "data": {}, "msg": "sign match fail or timestamp is not within one hour from current time"}
    if channel.limited:
        return 200, {"code": 11232, "data": {}, "msg": "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]"}
    return 200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}


def _bark(_: Channel, request: Request) -> Reply:
    if request.data.get("device_key") != BARK_KEY:
        said = f"failed to get device token: failed to get [{request.data.get('device_key')}] device token from database"
        return 400, {"code": 400, "message": said, "timestamp": 1732190000}
    return 200, {"code": 200, "message": "success", "timestamp": 1732190000}


def _sms(channel: Channel, request: Request) -> Reply:
    """As single_send.json of a large Chinese gateway."""
    fields = dict(parse_qsl(request.body.decode()))
    if fields.get("apikey") != SMS_KEY:
        return 400, {
            "http_status_code": 400,
            "code": -1,
            "msg": "非法的apikey",
            "detail": f"请检查的apikey {fields.get('apikey')}",
        }
    if not fields.get("text", "").startswith("【e家宜业】"):
        return 200, {"code": 5, "msg": "未自动匹配到合适的模板", "detail": ""}
    sid = 3310228963 + len(channel.received)
    channel.numbers[fields["mobile"]] = str(sid)
    return 200, {
        "code": 0,
        "msg": "发送成功",
        "count": 1,
        "fee": 0.05,
        "unit": "RMB",
        "mobile": fields["mobile"],
        "sid": sid,
    }


_ANSWERS: dict[str, Callable[[Channel, Request], Reply]] = {
    "/cgi-bin/webhook/send": _wecom,
    "/robot/send": _dingtalk,
    "/open-apis/bot/v2/hook/": _feishu,
    "/push": _bark,
    "/v2/sms/single_send.json": _sms,
}


def _handler(channel: Channel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            request = Request(self.command, parts.path, query, dict(self.headers), body)
            if channel.fault:
                channel.received.append(request)
                getattr(self, f"_{channel.fault}")()
                return
            self._say(*channel.answer(request))

        do_GET = do_POST

        def _say(self, status: int, value: Any) -> None:
            text = value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _hangs(self) -> None:
            channel.release.wait(60)

        def _closes(self) -> None:
            self.connection.shutdown(socket.SHUT_RDWR)

        def _cuts(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "400")
            self.end_headers()
            self.wfile.write(b'{"errcode":0,"co')
            self.close_connection = True

        def _drips(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4000")
            self.end_headers()
            while not channel.release.wait(0.05):
                self.wfile.write(b" ")
                self.wfile.flush()

        def _floods(self) -> None:
            self._say(200, " " * (2 << 20))

        def _portal(self) -> None:
            self._say(200, "<html><body>Please log in to the free Wi-Fi</body></html>")

        def _moves(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"{channel.base}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            return

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return

    return Handler


@contextmanager
def serving() -> Iterator[Channel]:
    """A server on a free port of 127.0.0.1; the robots have said nothing in this minute."""
    for notifier in NOTIFIERS:
        if isinstance(notifier, Robot):
            notifier._quota._sent.clear()
    channel = Channel()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(channel))
    server.daemon_threads = True
    channel.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield channel
    finally:
        channel.release.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
