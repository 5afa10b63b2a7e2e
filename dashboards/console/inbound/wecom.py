"""WeCom: messages to an app or robot of the company, sealed and signed; XML with apps, JSON with robots.

The robot of a group that we send through (`wecom://KEY`) hears nothing; answers come to an app or a smart robot.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import struct
from typing import Any, Final
from xml.sax.saxutils import escape

from dashboards.console.inbound.cipher import sealed, unsealed
from dashboards.console.inbound.messages import Answer, Call, Reply, Told, at, key_of, plain, seconds
from edge_gateway.errors import Rejected
from edge_gateway.settings import Inbound

_BLOCK: Final = 32
_MENTION: Final = re.compile(r"^@\S+\s+")


class WeCom:
    """Token and EncodingAESKey as the company's console shows them."""

    def read(self, call: Call, setting: Inbound, now_s: float) -> Told:
        """A text of a person; or, with `echostr`, the question whether we are there."""
        if echo := call.query.get("echostr", ""):
            return Told(answer=Answer(_open(setting, call, echo)[0].decode("utf-8", "replace")))
        body = call.body.decode("utf-8", "replace")
        envelope = plain(at(_json(body), "encrypt")) if body.lstrip().startswith("{") else _element(body, "Encrypt")
        if not envelope:
            raise Rejected("unreadable", "there is no Encrypt in it")
        text = _open(setting, call, envelope)[0].decode("utf-8", "replace")
        # A robot's message says no time of its own; that of the request is signed, and holds as well.
        sent_s = seconds(call.query.get("timestamp", ""))
        found = _of_robot(_json(text), sent_s) if text.lstrip().startswith("{") else _of_app(text)
        return Told((found,) if found is not None else ())

    def say(self, setting: Inbound, call: Call, words: str, now_s: float) -> Answer:
        """To an app's message: said to its sender. A robot gets nothing back."""
        body = call.body.decode("utf-8", "replace")
        if not words or body.lstrip().startswith("{"):
            return Answer("")
        text, receiver = _open(setting, call, _element(body, "Encrypt"))
        source = text.decode("utf-8", "replace")
        inner = (
            f"<xml><ToUserName>{escape(_element(source, 'FromUserName'))}</ToUserName>"
            f"<FromUserName>{escape(_element(source, 'ToUserName'))}</FromUserName><CreateTime>{int(now_s)}</CreateTime>"
            f"<MsgType>text</MsgType><Content>{escape(words)}</Content></xml>"
        )
        return Answer(_sealed(setting, inner, receiver, int(now_s)), "application/xml")


def signature(token: str, timestamp: str, nonce: str, text: str) -> str:
    """SHA-1 of the four, sorted and joined."""
    joined = "".join(sorted((token, timestamp, nonce, text)))
    return hashlib.sha1(joined.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _open(setting: Inbound, call: Call, envelope: str) -> tuple[bytes, bytes]:
    """Message and receiver of a sealed text."""
    token = key_of(setting.token_file, "console.inbound.token_file (the callback's Token)")
    good = signature(token, call.query.get("timestamp", ""), call.query.get("nonce", ""), envelope)
    if not hmac.compare_digest(good.encode(), call.query.get("msg_signature", "").encode("utf-8", "replace")):
        raise Rejected("not_theirs", "msg_signature is not made with the Token")
    key = _key(setting)
    try:
        opened = unsealed(key, key[:16], base64.b64decode(envelope, validate=True), _BLOCK)
        (size,) = struct.unpack(">I", opened[16:20])
        if size > len(opened) - 20:
            raise ValueError("length")
    except (ValueError, struct.error) as error:
        raise Rejected("not_theirs", "this is not sealed with the EncodingAESKey") from error
    return opened[20 : 20 + size], opened[20 + size :]


def _sealed(setting: Inbound, text: str, receiver: bytes, now_s: int) -> str:
    key, nonce = _key(setting), secrets.token_hex(8)
    data = text.encode("utf-8", "replace")
    whole = sealed(key, key[:16], secrets.token_bytes(16) + struct.pack(">I", len(data)) + data + receiver, _BLOCK)
    envelope = base64.b64encode(whole).decode()
    signed = signature(key_of(setting.token_file, "console.inbound.token_file"), str(now_s), nonce, envelope)
    return (
        f"<xml><Encrypt><![CDATA[{envelope}]]></Encrypt><MsgSignature><![CDATA[{signed}]]></MsgSignature>"
        f"<TimeStamp>{now_s}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
    )


def _key(setting: Inbound) -> bytes:
    try:
        key = base64.b64decode(key_of(setting.key_file, "console.inbound.key_file (the EncodingAESKey)") + "=")
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Rejected("no_key", "console.inbound.key_file holds no EncodingAESKey: 43 letters and digits")
    return key


def _of_app(text: str) -> Reply | None:
    if _element(text, "MsgType") != "text":
        return None
    sender, words, made = (_element(text, name) for name in ("FromUserName", "Content", "CreateTime"))
    at_s = seconds(made)
    return Reply(sender[:100], words.strip()[:500], _element(text, "MsgId")[:200], at_s) if sender and words.strip() else None


def _of_robot(data: Any, sent_s: float | None) -> Reply | None:
    sender, words = plain(at(data, "from.userid")), _MENTION.sub("", plain(at(data, "text.content")).strip())
    return Reply(sender[:100], words[:500], plain(at(data, "msgid"))[:200], sent_s) if sender and words else None


def _element(text: str, name: str) -> str:
    """An element of the chat's flat XML; no parser, which would follow what a stranger put into it."""
    found = re.search(rf"<{name}>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))</{name}>", text, re.DOTALL)
    return "" if found is None else found[1] if found[1] is not None else found[2]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejected("unreadable", "this is no JSON") from error
