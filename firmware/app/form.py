"""The page on which a person sets a device up, and whether what was typed will do. Chinese and English, no script, no image."""

from app import enrol_code, settings

_PAGE = """<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>看护 Kanhu</title><style>body{font:18px sans-serif;max-width:30em;margin:auto;padding:1em}
input{font:inherit;width:100%%;padding:.4em;box-sizing:border-box}label{display:block;margin:1em 0}small{color:#555}
.bad{background:#fdd;padding:.5em}</style><h1>看护 Kanhu</h1>%s%s"""
_FORM = """<form method="post" action="/"><label>Wi-Fi 名称 / network
<input name="ssid" list="seen" maxlength="32" value="%(ssid)s"></label><datalist id="seen">%(seen)s</datalist>
<label>Wi-Fi 密码 / password<input name="wifi_password" type="password" maxlength="63"></label>
<label>接入码 / enrolment code<br><small>yunhe/home-7/7K3QX-0VMZP-2BTC</small>
<input name="code" autocapitalize="off" autocomplete="off" value="%(code)s"></label>
<label>服务器 / broker<input name="host" maxlength="128" value="%(host)s"></label>
<label>端口 / port<input name="port" inputmode="numeric" maxlength="5" value="%(port)s"></label>
<label><input type="checkbox" style="width:auto" name="tls" value="1"%(tls)s> 加密 / TLS</label>
<label>设备密码 / device password<br><small>仅在没有接入码时填写 / only without an enrolment code: site/device above</small>
<input name="password" type="password" maxlength="128"></label>
<button style="font:inherit;padding:.5em 2em">保存 / save</button></form>"""
_DONE = "<p>已保存，设备正在连接。此网络即将关闭。<p>Saved; the device connects now, and this network closes."
_TEXTS = {
    "ssid": "请填写 Wi-Fi 名称 / the Wi-Fi network is missing",
    "wifi": "Wi-Fi 密码为 8 至 63 个字符，开放网络留空 / a Wi-Fi password has 8 to 63 characters, an open network none",
    "host": "请填写服务器 / the broker is missing",
    "port": "端口是 1 到 65535 的数字 / the port is a number from 1 to 65535",
    "tls": "设备里没有 CA 证书，不能加密 / there is no authority's certificate (ca.pem) on this device, so no TLS",
    "both": "接入码和设备密码只填一个 / give a code or a password, not both",
    "none": "请填写接入码 / the enrolment code is missing",
}


def page(values: dict, seen, problems) -> bytes:
    """The form with what was typed before and what is wrong with it; passwords are not shown again.

    Args:
        seen: names of networks in reach.
    """
    filled = {name: escaped(str(values.get(name, ""))) for name in ("ssid", "code", "host", "port")}
    filled["tls"] = " checked" if values.get("tls") else ""
    filled["seen"] = "".join('<option value="%s">' % escaped(name) for name in seen)
    listed = "".join('<p class="bad">%s' % escaped(problem) for problem in problems)
    return (_PAGE % (listed, _FORM % filled)).encode()


def done() -> bytes:
    """The page after everything was right."""
    return (_PAGE % (_DONE, "")).encode()


def escaped(text: str) -> str:
    """As text in HTML and in a quoted attribute."""
    for c, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(c, name)
    return text


def decoded(body: bytes) -> dict:
    """The fields of `application/x-www-form-urlencoded`; the first of each name counts.

    Raises:
        ValueError: it is none.
    """
    found = {}
    for pair in body.split(b"&")[:30]:
        name, _, value = pair.partition(b"=")
        found.setdefault(_plain(name), _plain(value).strip())
    return found


def _plain(text: bytes) -> str:
    first, *rest = text.replace(b"+", b" ").split(b"%")
    for part in rest:
        first += bytes([int(part[:2].decode(), 16)]) + part[2:]
    return first.decode()


def read(fields: dict, template: dict, model: str, ca: str, app=None, known=None) -> tuple:
    """What was typed as settings: (document, code, problems); the document counts only without problems.

    Args:
        template: settings this device has from its maker: pins, NTP, maybe the broker.
        ca: where the authority's certificate lies on the device, "" if there is none.
        known: the settings it has already: without a code it stays who it is.
    """
    problems = []
    site = device = code = ""
    password = fields.get("password", "")
    if known and not fields.get("code") and not password:
        site, device, model = known["site"], known["device"], known["model"]
        password = known["broker"].get("password", "")
        template = known
    else:
        try:
            site, device, code = enrol_code.parse(fields.get("code", ""))
        except ValueError as error:
            problems.append("%s (%s)" % (_TEXTS["none"], error) if fields.get("code") else _TEXTS["none"])
    if code and password:
        problems.append(_TEXTS["both"])
    if not problems and not code and not password:
        problems.append(_TEXTS["none"])
    ssid, key = fields.get("ssid", ""), fields.get("wifi_password", "")
    if not ssid:
        problems.append(_TEXTS["ssid"])
    if key and not 8 <= len(key) <= 63:
        problems.append(_TEXTS["wifi"])
    if not fields.get("host"):
        problems.append(_TEXTS["host"])
    port, tls = fields.get("port", ""), bool(fields.get("tls"))
    if port and not (port.isdigit() and 1 <= int(port) <= 65535):
        problems.append(_TEXTS["port"])
    if tls and not ca:
        problems.append(_TEXTS["tls"])
    if problems:
        return {}, "", problems
    broker = {"host": fields["host"], "tls": tls}
    if port:
        broker["port"] = int(port)
    if tls:
        broker["ca"] = ca
    if password:
        broker["password"] = password
    typed = {"site": site, "device": device, "model": model, "wifi": [{"ssid": ssid, "password": key}], "broker": broker}
    document = settings.merged(template, typed)
    try:
        settings.checked(document, app)
    except settings.Misconfigured as error:
        return {}, "", error.problems
    return document, code, []
