"""What is asked by HTTP as a file says: `sms://13800001111?gateway=/etc/kanhu/sms.toml`, `voice://...`, `webhook://NAME?...`.

How it is asked stands in the file (`gateway_file`). That a gateway takes a message does not mean that it arrives: with
`reports = true` the message counts when the gateway's own report says so.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from edge_gateway.errors import Misconfigured
from edge_gateway.notify import address, web
from edge_gateway.notify.address import Address
from edge_gateway.notify.fitting import fitted, short
from edge_gateway.notify.gateway_file import NAME, GatewayFile, Sign, load, texts
from edge_gateway.notify.letter import Letter
from edge_gateway.notify.notifier import Outcome

_OPTIONS: Final = ("gateway", "base")


class GatewayNotifier:
    """The notifier of one kind of message.

    Args:
        scheme: `sms`, `voice` or `webhook`.
        to, what: form and name of what stands behind it.
        clock_s: seconds since 1970.
    """

    def __init__(
        self,
        scheme: str,
        to: re.Pattern[str] = address.NUMBER,
        what: str = "telephone number",
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = scheme
        self._to, self._what = to, what
        self._clock_s = clock_s
        self._files: dict[Path, tuple[tuple[int, int], GatewayFile]] = {}

    def handles(self, url: str) -> bool:
        """Its own scheme."""
        return url.startswith(f"{self.name}://")

    def problem(self, url: str) -> str:
        """What is wrong with the address or the file it names."""
        try:
            self._read(url)
        except Misconfigured as error:
            return str(error)
        return ""

    def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
        """Delivered, or awaiting the gateway's report, when its answer is a yes."""
        try:
            to, how = self._read(url)
        except Misconfigured as error:
            return Outcome(False, str(error))
        named = _words(to.key, letter, how, self._clock_s())
        where, body, headers = _request(how, named, to.one("base"))
        answer = web.ask(where, body, headers, timeout_s, how.method)
        if isinstance(answer, Outcome):
            return answer
        return _judge(answer, how, letter.reference, (to.key, *_hidden(how)))

    def _read(self, url: str) -> tuple[Address, GatewayFile]:
        to = address.read(url, _OPTIONS)
        address.need_key(to, self._to, self._what)
        name = to.one("gateway")
        file = Path(name).expanduser()
        if not name or not file.is_absolute():
            raise Misconfigured("the option gateway names no file", "write gateway=/etc/kanhu/sms.toml, with its whole path")
        return to, self._file(file)

    def _file(self, file: Path) -> GatewayFile:
        """Read anew when it has changed."""
        try:
            found = file.stat()
        except OSError as error:
            raise Misconfigured(f"there is no {file.name}", "the option gateway should name it") from error
        seen = found.st_mtime_ns, found.st_mode
        known = self._files.get(file)
        if known is None or known[0] != seen:
            known = self._files[file] = seen, load(file)
        return known[1]


def at(answer: Any, path: str) -> Any:
    """What stands there in an answer: `data.0.sid`; "" the whole; None: nothing does."""
    for part in path.split(".") if path else ():
        if isinstance(answer, list) and part.isdigit() and int(part) < len(answer):
            answer = answer[int(part)]
        elif isinstance(answer, dict):
            answer = answer.get(part)
        else:
            return None
    return answer


def plain(value: Any) -> str:
    """A value as people write it: 0, true, DELIVRD."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _words(number: str, letter: Letter, how: GatewayFile, now_s: float) -> dict[str, str]:
    """What each name in braces stands for."""
    text = fitted(letter.body, how.text_max * 3, letter.link)
    line = short(letter.short or letter.body, how.short_max)
    # Aloud: the sentence alone, without what stands in brackets and without how to answer in writing.
    spoken = short(re.sub(r"\s*[\[(][^\])]*[\])]", "", next(iter(letter.body.splitlines()), "")), how.text_max)
    words = {
        "to": number, "title": letter.title, "text": text, "short": line, "link": letter.link, "code": letter.code,
        "ref": letter.reference,
        "spoken": spoken, "secret": how.secret, "time": str(int(now_s)), "time_ms": str(round(now_s * 1000)),
        "uuid": secrets.token_hex(16), "sign": "",
    }  # fmt: skip
    for name in ("text", "short", "spoken"):
        words[f"{name}_json"] = json.dumps(words[name], ensure_ascii=False)[1:-1]
    if how.sign is not None:
        words["sign"] = _signed(how.sign, _filled(how.sign.of, words), how.secret)
    return words


def _signed(sign: Sign, text: str, secret: str) -> str:
    kind, _, name = sign.how.rpartition("-")
    data = text.encode()
    # MD5 and SHA-1 are what some gateways ask for; what they guard is their account, not ours.
    if kind == "hmac":
        digest = hmac.new(secret.encode(), data, name).digest()
    else:
        digest = hashlib.new(name, data, usedforsecurity=False).digest()
    if sign.written == "base64":
        return base64.b64encode(digest).decode()
    return digest.hex().upper() if sign.written == "HEX" else digest.hex()


def _request(how: GatewayFile, words: Mapping[str, str], base: str) -> tuple[str, bytes | None, dict[str, str]]:
    where = _filled(how.url, {name: quote(value, safe="") for name, value in words.items()})
    if base:
        where = base.rstrip("/") + "/" + where.partition("://")[2].partition("/")[2]
    headers = {name: " ".join(_filled(value, words).split()) for name, value in how.headers.items()}
    body = _filled(how.body, words)
    if how.encoding == "json":
        sent = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace") if body else None
        return where, sent, {"Content-Type": "application/json; charset=utf-8", **headers}
    query = urlencode({name: plain(value) for name, value in body.items()}, errors="replace")
    if how.encoding == "form":
        return where, query.encode(), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **headers}
    return (f"{where}{'&' if '?' in where else '?'}{query}" if query else where), None, headers


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """With each known name in braces replaced, at any depth."""
    if isinstance(value, str):
        return NAME.sub(lambda found: words[found[1]], value)
    if isinstance(value, dict):
        return {name: _filled(inner, words) for name, inner in value.items()}
    return [_filled(inner, words) for inner in value] if isinstance(value, list) else value


def _judge(answer: web.Answer, how: GatewayFile, ours: str, hidden: tuple[str, ...]) -> Outcome:
    data = answer.data()
    found = answer.text.strip() if data is None else data
    said = [(plain(at(found, path) if data is not None or not path else None), wanted) for path, wanted in how.yes.items()]
    if not answer.good or not all(value in _wanted(wanted) for value, wanted in said):
        reason = plain(at(data, how.answer.reason)) if how.answer.reason else ""
        codes = " ".join(f"{path or 'answer'}={value[:40]}" for (value, _), path in zip(said, how.yes, strict=True))
        return web.refused(answer, f"{codes} {reason}", hidden)
    reference = plain(at(data, how.answer.id))[:200] if how.answer.id else ""
    if not how.reports:
        return Outcome(True, reference=reference)
    # A report names the message by the gateway's id or, where it has none, by ours.
    return Outcome(False, "taken by the gateway; it has not reported yet", reference=reference or ours, awaits_report=True)


def _wanted(value: Any) -> list[str]:
    return [plain(one) for one in value] if isinstance(value, list) else [plain(value)]


def _hidden(how: GatewayFile) -> tuple[str, ...]:
    """What no reason may hold: the secret, also where somebody wrote it straight into a header, the body or the address."""
    written = [value for value in texts(how.body) if len(value) > 7]
    written += [value for _, value in parse_qsl(urlsplit(how.url).query) if len(value) > 7]
    written += [value for value in how.headers.values() if len(value) > 15]
    return how.secret, *(value for value in written if "{" not in value)
