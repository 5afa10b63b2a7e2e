"""WeCom (企业微信): a group's robot. `wecom://KEY?mobile=13800001111&user=zhang` mentions these people.

Text messages: a mention works in no other kind (mentioned_mobile_list, mentioned_list). At most 2048 bytes, 20 a minute.
A refusal is HTTP 200 with errcode: 93000 the key is wrong, 45009 too many, 40058 a bad field.
"""

from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from edge_gateway.notify.address import Address
from edge_gateway.notify.fitting import fitted
from edge_gateway.notify.letter import Letter
from edge_gateway.notify.robot import Kind, Said, code_of, text_of, whole

_BASE: Final = "https://qyapi.weixin.qq.com"
_PATH: Final = "/cgi-bin/webhook/send"
_LONGEST: Final = 2048


def _request(to: Address, letter: Letter, _: float) -> tuple[str, dict[str, Any]]:
    # `<@id>` in a text is a mention as well: what a device sent must not call people.
    text: dict[str, Any] = {"content": fitted(whole(letter).replace("<@", "＜@"), _LONGEST, letter.link)}
    if to.all("user") and not letter.test:
        text["mentioned_list"] = list(to.all("user"))
    if to.all("mobile") and not letter.test:
        text["mentioned_mobile_list"] = list(to.all("mobile"))
    where = f"{to.one('base', _BASE).rstrip('/')}{_PATH}?{urlencode({'key': to.key})}"
    return where, {"msgtype": "text", "text": text}


def _said(answer: Any) -> Said:
    return Said(code_of(answer, "errcode"), text_of(answer, "errmsg"))


def _page(url: str) -> str:
    """`https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=KEY`, as the chat shows it; more options may follow."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.netloc != "qyapi.weixin.qq.com" or parts.path != _PATH:
        return ""
    options = parse_qs(parts.query)
    key = "".join(options.pop("key", []))
    return f"wecom://{quote(key, safe='')}" + (f"?{urlencode(options, doseq=True)}" if options else "")


KIND: Final = Kind(
    name="wecom",
    schemes=("wecom", "wecombot"),
    options=("mobile", "user", "base"),
    several=("mobile", "user"),
    page=_page,
    request=_request,
    said=_said,
    limited=frozenset({45009, 45033}),
    per_minute=20,
)
