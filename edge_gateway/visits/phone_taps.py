"""A tap that a phone sent: the tag's link and, once, a position. The second way, for who has no reader at the door."""

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.events import TimeQuality
from edge_gateway.visits.arguments import Arguments
from edge_gateway.visits.records import PHONE, Tap

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

_LONGEST: Final = 1024
_LAST_ID: Final = (1 << 31) - 1
_KEPT_NS: Final = 30 * 86_400 * 10**9  # as long as a phone may have been offline
_AHEAD_NS: Final = 300 * 10**9
_ERROR_S: Final = 5.0  # of a phone's clock, once it was compared with ours
_UNCOMPARED_S: Final = 120.0


async def phone_tap(gateway: "Gateway", a: Arguments) -> dict[str, str]:
    """Take it in; it is on disk when this returns.

    Raises:
        Rejected: `bad_argument`; `conflict`, another tap came under this number. Unavailable: it could not be saved, or
            cannot be told whose it is.
    """
    token = a.text("link", 200, empty=True)
    tap = _tap(gateway.clock_ns(), a)
    try:
        state, courier = await gateway.visits.do(
            lambda p: (p.ledger.known(tap), p.ledger.people.courier_of(token, tap.site) if token else "")
        )
    except Unavailable:
        if token:
            raise  # nobody can say whose link it is; the phone keeps the tap, and nobody's visit would stay nobody's
        state, courier = "", ""  # it is kept, and judged when the ledger can be used again
    if state == "conflict":
        raise Rejected("conflict", "another tap came under this number; draw another one")
    if state != "repeated":
        await gateway.visits.receive(replace(tap, courier=courier))
    return {"tap": tap.id, "state": state or "recorded"}


def _tap(now_ns: int, a: Arguments) -> Tap:
    phone, seq = a.whole("phone", 1, _LAST_ID, None), a.whole("seq", 0, _LAST_ID, None)
    told_ns, sent_ns = a.whole("time_ns", 0, 1 << 62, None), a.whole_or_none("sent_ns", 0, 1 << 62)
    # What the phone's clock showed when it sent tells how far it is off.
    time_ns = told_ns if sent_ns is None else told_ns + (now_ns - sent_ns)
    clock, quality, error_s = "none" if sent_ns is None else "ntp", TimeQuality.DEVICE, _ERROR_S
    if sent_ns is None:
        error_s = _UNCOMPARED_S
    if not now_ns - _KEPT_NS <= time_ns <= now_ns + _AHEAD_NS:
        time_ns, quality = now_ns, TimeQuality.RECEIPT
    time_ns = min(time_ns, now_ns)
    lat = lon = accuracy_m = None
    if a.has("lat") and a.has("lon") and a.text("location", 20, empty=True) in ("", "given"):
        lat, lon = a.number("lat", -90.0, 90.0, None), a.number("lon", -180.0, 180.0, None)
        accuracy_m = a.number("accuracy_m", 0.0, 1e7, None) if a.has("accuracy_m") else None
    site, text = a.name("site"), a.text("text", _LONGEST, empty=True)
    where = site, PHONE, "", phone, seq
    about = time_ns, now_ns, clock, int(quality), error_s
    return Tap(*where, *about, "sun", text, lat=lat, lon=lon, accuracy_m=accuracy_m)
