"""DingTalk (钉钉): a group's own robot, signed. `dingtalk://TOKEN?secret=SEC...&mobile=13800001111&user=manager7`.

People are mentioned by `at`, and only if the text holds their @number or @id too. At most 20 messages a minute, or the robot is
deaf for ten. A refusal is HTTP 200 with errcode: 310000 the signature, the keyword or our address does not fit (a wrong clock
also), 130101 and 410100 too many, 300005 the token is wrong.
"""

import base64
import hashlib
import hmac
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from edge_gateway.notify.address import Address
from edge_gateway.notify.fitting import fitted
from edge_gateway.notify.letter import Letter
from edge_gateway.notify.robot import Kind, Said, code_of, text_of, whole

_BASE: Final = "https://oapi.dingtalk.com"
_PATH: Final = "/robot/send"
_LONGEST: Final = 18_000  # of 20,000 bytes for the whole message


def sign(secret: str, timestamp_ms: int) -> str:
    """Of a message out, and of one in (with the app's secret): the key is the secret, the text timestamp and secret."""
    digest = hmac.new(secret.encode(), f"{timestamp_ms}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _request(to: Address, letter: Letter, now_s: float) -> tuple[str, dict[str, Any]]:
    query = {"access_token": to.key}
    if secret := to.one("secret", to.user):
        timestamp_ms = round(now_s * 1000)
        query |= {"timestamp": str(timestamp_ms), "sign": sign(secret, timestamp_ms)}
    # A test disturbs nobody.
    mobiles, users = ([], []) if letter.test else ([*to.all("mobile"), *to.path], list(to.all("user")))
    text = fitted(whole(letter), _LONGEST, letter.link)
    if mobiles or users:
        text += "\n" + " ".join(f"@{one}" for one in (*mobiles, *users))
    at = {"atMobiles": mobiles, "atUserIds": users, "isAtAll": False}
    where = f"{to.one('base', _BASE).rstrip('/')}{_PATH}?{urlencode(query)}"
    return where, {"msgtype": "text", "text": {"content": text}, "at": at}


def _said(answer: Any) -> Said:
    return Said(code_of(answer, "errcode"), text_of(answer, "errmsg"))


def _page(url: str) -> str:
    """`https://oapi.dingtalk.com/robot/send?access_token=TOKEN`, as the chat shows it; more options may follow."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.netloc != "oapi.dingtalk.com" or parts.path != _PATH:
        return ""
    options = parse_qs(parts.query)
    token = "".join(options.pop("access_token", []))
    return f"dingtalk://{quote(token, safe='')}" + (f"?{urlencode(options, doseq=True)}" if options else "")


KIND: Final = Kind(
    name="dingtalk",
    schemes=("dingtalk",),
    options=("secret", "mobile", "user", "base"),
    several=("mobile", "user"),
    page=_page,
    request=_request,
    said=_said,
    limited=frozenset({130101, 410100}),
    per_minute=20,
)
