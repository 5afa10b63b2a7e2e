"""How a record lies in RTC memory and on flash: as what differs from the record before; the usual one has a head of 10 bytes.

A record is the tuple (lane, seq, stamp, body) with the stamp of `Clock.stamp`. Numbers are told as differences, 7 bits a byte,
the body by its middle that differs. So about twice as many records fit what is erased at once, and flash lasts twice as long.
"""

_CLOCKS = ("none", "ntp", "gnss", "rtc")
# The first of a run stands for itself, so that runs can be put one behind the other.
_ABSOLUTE = 0x10
_NOTHING = (0, 0, (0, 0, "none", 0), b"")


def pack(record, before=None) -> bytearray:
    """The bytes of a record that comes after `before`; None: it stands for itself."""
    lane, seq, (up_ms, unix_ms, clk, err_ms), body = record
    out = bytearray(1)
    out[0] = lane | _CLOCKS.index(clk) << 2 | (_ABSOLUTE if before is None else 0)
    _, seq0, (up0_ms, unix0_ms, _, err0_ms), body0 = before or _NOTHING
    _number(out, seq - seq0)
    _signed(out, up_ms - up0_ms)
    # Both clocks usually advance by the same.
    _signed(out, unix_ms - unix0_ms - (up_ms - up0_ms))
    _signed(out, err_ms - err0_ms)
    head, tail = _same(body0, body)
    _number(out, head)
    _number(out, tail)
    _number(out, len(body) - head - tail)
    out.extend(body[head : len(body) - tail])
    return out


def pack_all(records):
    """(bytes, first seq, last seq, count) of a run of records."""
    out = bytearray()
    first = count = 0
    before = None
    for record in records:
        out.extend(pack(record, before))
        first = first or record[1]
        count += 1
        before = record
    return out, first, before[1] if before else 0, count


def unpack(data):
    """The records in these bytes, one after the other."""
    at = 0
    record = _NOTHING
    while at < len(data):
        flags = data[at]
        _, seq, (up_ms, unix_ms, _, err_ms), body = _NOTHING if flags & _ABSOLUTE else record
        step, at = _read(data, at + 1)
        up_step, at = _read_signed(data, at)
        drift, at = _read_signed(data, at)
        err_step, at = _read_signed(data, at)
        head, at = _read(data, at)
        tail, at = _read(data, at)
        size, at = _read(data, at)
        stamp = (up_ms + up_step, unix_ms + up_step + drift, _CLOCKS[flags >> 2 & 3], err_ms + err_step)
        body = body[:head] + bytes(data[at : at + size]) + (body[-tail:] if tail else b"")
        at += size
        record = (flags & 3, seq + step, stamp, body)
        yield record


def _same(a: bytes, b: bytes):
    """How many bytes at the beginning, and of the rest at the end, are the same."""
    most = min(len(a), len(b))
    head = 0
    while head < most and a[head] == b[head]:
        head += 1
    most -= head
    tail = 0
    while tail < most and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    return head, tail


def _number(out: bytearray, n: int) -> None:
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)


def _signed(out: bytearray, n: int) -> None:
    _number(out, 2 * n if n >= 0 else -2 * n - 1)


def _read(data, at: int):
    n = shift = 0
    while data[at] > 0x7F:
        n |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
    return n | data[at] << shift, at + 1


def _read_signed(data, at: int):
    n, at = _read(data, at)
    return (-(n >> 1) - 1 if n & 1 else n >> 1), at
