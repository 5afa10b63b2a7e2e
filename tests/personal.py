"""What must never leave a gateway: names, telephones, addresses and card numbers of invented people; and what finds them.

A needle is looked for in every form in which a program might write it, for a name in GBK, in hexadecimal or within a base64 is
as personal as one in UTF-8.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True)
class Secret:
    """One thing that is personal, in all its forms."""

    what: str
    forms: frozenset[bytes]


def words(text: str) -> Secret:
    """A name, a telephone, an address."""
    forms = {text.encode(name) for name in ("utf-8", "gb18030", "utf-16-le", "utf-16-be")}
    forms |= _base64(text.encode()) | {quote(text, safe="").encode(), text.encode().hex().encode()}
    if not text.isascii():
        escaped = json.dumps(text)[1:-1]
        forms |= {escaped.encode(), escaped.upper().replace("\\U", "\\u").encode()}
        forms |= {"".join(f"&#{ord(c)};" for c in text).encode(), "".join(f"&#x{ord(c):x};" for c in text).encode()}
    if text.isdigit():
        forms |= {f"{text[:3]}{gap}{text[3:7]}{gap}{text[7:]}".encode() for gap in " -"}
    return Secret(text, frozenset(forms))


def card(uid: bytes) -> Secret:
    """The number of a card."""
    forms = {uid, uid[::-1], *_base64(uid)}
    for number in (uid, uid[::-1]):
        for gap in ("", ":", "-", " "):
            forms |= {number.hex(gap).encode(), number.hex(gap).upper().encode()} if gap else {number.hex().encode()}
        forms.add(number.hex().upper().encode())
        forms.add(str(int.from_bytes(number, "big")).encode())
    return Secret(f"card {uid.hex()}", frozenset(forms))


def _base64(data: bytes) -> set[bytes]:
    """What stands in a base64 wherever in it the data begins: the letters that depend on nothing else."""
    found = set()
    for lead in range(3):
        coded = base64.b64encode(bytes(lead) + data).rstrip(b"=")
        whole = coded[(lead * 8 + 5) // 6 : (lead + len(data)) * 8 // 6]
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    return found


PEOPLE: Final = {
    "e-0317": ("elder", "欧阳慕兰", "13900417263", "梧桐里三弄七号五〇二室"),
    "e-0318": ("elder", "Quinlan Zhuangzhou", "13700992518", "42 Hummingbird Close"),
    "k-0007": ("courier", "司马长风", "18612340957", "北新泾镇听雨巷甲九"),
    "home-1": ("place", "夏侯氏宅", "02157748891", "苏家屯老粮站后院东门"),
}
STAFF, HEAD = "宇文静姝", "Ximena Oyelaran"
SUN_CARD: Final = bytes.fromhex("04a7c13e92f680")
NUMBER_CARD: Final = bytes.fromhex("04d9e2715c0b33")
STRANGER_CARD: Final = bytes.fromhex("04f18a6d24be57")
SECRETS: Final = (
    *(words(text) for _, *texts in PEOPLE.values() for text in texts),
    words(STAFF),
    words(HEAD),
    *(card(uid) for uid in (SUN_CARD, NUMBER_CARD, STRANGER_CARD)),
)


def found_in(data: bytes, secrets: tuple[Secret, ...] = SECRETS) -> Iterator[str]:
    """What of it stands in these bytes, with what is around it."""
    for secret in secrets:
        for form in secret.forms:
            at = data.find(form)
            if at >= 0:
                yield f"{secret.what!r} as {form!r} in ...{data[max(0, at - 60) : at + len(form) + 30]!r}"
                break


def found_under(folder: Path, secrets: tuple[Secret, ...] = SECRETS, but: tuple[Path, ...] = ()) -> list[str]:
    """The same for every file of a folder, their names included; `but` those."""
    told = []
    for file in sorted(folder.rglob("*")):
        if file in but or not file.is_file():
            continue
        told += [f"{file}: {one}" for one in found_in(str(file).encode() + b"\0" + file.read_bytes(), secrets)]
    return told
