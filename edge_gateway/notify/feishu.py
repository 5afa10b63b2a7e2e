"""Feishu and Lark (飞书): a group's own robot, signed. `feishu://TOKEN?secret=...&at=ou_...`, `lark://` for the other house.

A person is mentioned by his open id in the text: `<at user_id="ou_...">`. 20 KB a message, 100 messages a minute, 5 a second.
A refusal is HTTP 200 with code: 19021 the signature or our clock, 19022 our address, 19024 the keyword, 11232 too many, 9499
the message is not as it should be. Robots of older kind answer StatusCode instead.
"""

import base64
import hashlib
import hmac
import re
from typing import Any, Final
from urllib.parse import quote, urlsplit

from edge_gateway.notify.address import Address
from edge_gateway.notify.fitting import fitted
from edge_gateway.notify.letter import Letter
from edge_gateway.notify.robot import Kind, Said, code_of, text_of, whole

_BASES: Final = {"feishu": "https://open.feishu.cn", "lark": "https://open.larksuite.com"}
_PATH: Final = "/open-apis/bot/v2/hook/"
_LONGEST: Final = 18_000  # of 20 KB for the whole request
_PAGE: Final = re.compile(r"https://open\.(feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/([A-Za-z0-9_-]+)(\?.*)?")


def sign(secret: str, timestamp_s: int) -> str:
    """The key is timestamp and secret, the text is empty: not as with DingTalk."""
    return base64.b64encode(hmac.new(f"{timestamp_s}\n{secret}".encode(), b"", hashlib.sha256).digest()).decode()


def _request_to(base: str) -> Any:
    def request(to: Address, letter: Letter, now_s: float) -> tuple[str, dict[str, Any]]:
        # A tag in a text is a mention: what a device sent must not call people.
        text = fitted(whole(letter).replace("<at", "＜at"), _LONGEST, letter.link)
        people = () if letter.test else to.all("at")
        called = "".join(f'<at user_id="{one}">值班</at> ' for one in people)
        message: dict[str, Any] = {"msg_type": "text", "content": {"text": called + text}}
        if secret := to.one("secret"):
            message |= {"timestamp": str(int(now_s)), "sign": sign(secret, int(now_s))}
        return f"{to.one('base', base).rstrip('/')}{_PATH}{quote(to.key, safe='')}", message

    return request


def _said(answer: Any) -> Said:
    code = code_of(answer, "code")
    if code is None:
        return Said(code_of(answer, "StatusCode"), text_of(answer, "StatusMessage"))
    return Said(code, text_of(answer, "msg"))


def _page_of(house: str) -> Any:
    def page(url: str) -> str:
        """`https://open.feishu.cn/open-apis/bot/v2/hook/TOKEN`, as the chat shows it; options may follow."""
        found = _PAGE.fullmatch(url)
        if found is None or urlsplit(url).netloc != urlsplit(_BASES[house]).netloc:
            return ""
        return f"{house}://{found[2]}{found[3] or ''}"

    return page


def _kind(house: str) -> Kind:
    return Kind(
        name=house,
        schemes=(house,),
        options=("secret", "at", "base"),
        several=("at",),
        page=_page_of(house),
        request=_request_to(_BASES[house]),
        said=_said,
        limited=frozenset({11232}),
        per_minute=100,
    )


FEISHU: Final = _kind("feishu")
LARK: Final = _kind("lark")
