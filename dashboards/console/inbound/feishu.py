"""Feishu and Lark: events of an app's robot, sealed and signed with the Encrypt Key where there is one, and with a token."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any, Final

from dashboards.console.inbound.cipher import unsealed
from dashboards.console.inbound.messages import Answer, Call, Reply, Told, at, key_of, plain, seconds
from edge_gateway.errors import Rejected
from edge_gateway.settings import Inbound, secret

_MENTION: Final = re.compile(r"@_(user_\d+|all)\s*")
_EVENT: Final = "im.message.receive_v1"


class Feishu:
    """Event `im.message.receive_v1`, and the question whether we are there."""

    def read(self, call: Call, setting: Inbound, now_s: float) -> Told:
        """A text message of a person; everything else says nothing."""
        data = _data(call.body)
        if sealed := plain(at(data, "encrypt")):
            key = key_of(setting.key_file, "console.inbound.key_file (the Encrypt Key)")
            data = _data(_open(sealed, key))
            # The question whether we are there comes sealed, but unsigned.
            if plain(at(data, "type")) != "url_verification":
                _check_signature(call, key)
        elif secret(setting.key_file).strip():
            raise Rejected("not_theirs", "not sealed, although an Encrypt Key is set")
        token = key_of(setting.token_file, "console.inbound.token_file (the Verification Token)")
        given = plain(at(data, "header.token")) or plain(at(data, "token"))
        if not hmac.compare_digest(token.encode(), given.encode("utf-8", "replace")):
            raise Rejected("not_theirs", "the token is not that of console.inbound.token_file")
        if plain(at(data, "type")) == "url_verification":
            challenge = json.dumps({"challenge": plain(at(data, "challenge"))[:500]})
            return Told(answer=Answer(challenge, "application/json"))
        return Told(_reply(data)) if plain(at(data, "header.event_type")) == _EVENT else Told()

    def say(self, setting: Inbound, call: Call, words: str, now_s: float) -> Answer:
        """Feishu shows no answer of ours."""
        return Answer("{}", "application/json")


def _reply(data: Any) -> tuple[Reply, ...]:
    message = at(data, "event.message")
    if plain(at(message, "message_type")) != "text":
        return ()
    text = _MENTION.sub("", plain(at(_data(plain(at(message, "content")).encode()), "text"))).strip()
    sender = plain(at(data, "event.sender.sender_id.open_id"))
    made = plain(at(message, "create_time")) or plain(at(data, "header.create_time"))
    at_s = seconds(made)
    return (Reply(sender[:100], text[:500], plain(at(data, "header.event_id"))[:200], at_s),) if sender and text else ()


def _open(sealed: str, key: str) -> bytes:
    try:
        data = base64.b64decode(sealed, validate=True)
        return unsealed(hashlib.sha256(key.encode()).digest(), data[:16], data[16:], 16)
    except ValueError as error:
        raise Rejected("not_theirs", "this is not sealed with the Encrypt Key") from error


def _check_signature(call: Call, key: str) -> None:
    before = call.headers.get("x-lark-request-timestamp", "") + call.headers.get("x-lark-request-nonce", "") + key
    good = hashlib.sha256(before.encode("utf-8", "replace") + call.body).hexdigest()
    if not hmac.compare_digest(good.encode(), call.headers.get("x-lark-signature", "").encode("utf-8", "replace")):
        raise Rejected("not_theirs", "X-Lark-Signature is not made with the Encrypt Key")


def _data(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejected("unreadable", "this is no JSON") from error
