"""What an NTAG 424 DNA has to hold so that it gives a URL with mirrored fields: the file's bytes and its settings."""

from string import Formatter

from firmware.sim.board.nfc.sdm import ASCII_BIT, COUNTER_BIT, FILE_BIT, FREE, NEVER, UID_BIT, FileSettings, Sdm
from firmware.sim.board.nfc.sun import Mode

_BEFORE = 7  # length of the message, header of the record, the prefix https://
_META_KEY, _FILE_KEY = 1, 2


def written(url: str, file_data: bytes, mode: Mode, size: int) -> tuple[bytes, FileSettings]:
    """
    Args:
        url: with the fields `{picc}`, `{enc}`, `{cmac}`, `{uid}`, `{ctr}`; begins with https://.
        file_data: what stands at `{enc}`.
    """
    lengths = {"picc": 32 if mode is Mode.AES else 48, "enc": 2 * len(file_data), "cmac": 16, "uid": 14, "ctr": 6}
    text, at = b"", {}
    for literal, field, _, _ in Formatter().parse(url.removeprefix("https://")):
        text += literal.encode()
        if field is not None and lengths[field]:
            at[field] = _BEFORE + len(text)
            text += (file_data if field == "enc" else b"").ljust(lengths[field], b"0")
    message = bytes([0xD1, 0x01, len(text) + 1, 0x55, 0x04]) + text
    content = len(message).to_bytes(2, "big") + message
    if not at:
        return content, FileSettings(size)
    meta = _META_KEY if "picc" in at else FREE
    options = ASCII_BIT | COUNTER_BIT | (UID_BIT if {"picc", "uid"} & at.keys() else 0) | (FILE_BIT if "enc" in at else 0)
    file = _FILE_KEY if "cmac" in at else NEVER
    mac_at = at.get("cmac")
    sdm = Sdm(
        options,
        meta << 12 | file << 8 | 0xF0 | NEVER,
        uid_at=at.get("uid"),
        counter_at=at.get("ctr"),
        picc_at=at.get("picc"),
        mac_from=at.get("enc", mac_at),
        enc_at=at.get("enc"),
        enc_length=lengths["enc"] if "enc" in at else None,
        mac_at=mac_at,
    )
    return content, FileSettings(size, 0x40, 0xE000, sdm)
