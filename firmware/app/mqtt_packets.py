"""MQTT 3.1.1 packets as bytes: what a device sends, and how what it receives is read. Knows no socket."""

import struct

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"

# Return codes of CONNACK.
REFUSED = {
    1: "protocol version refused",
    2: "client id refused",
    3: "server unavailable",
    4: "wrong user name or password",
    5: "not authorised",
}
_LONGEST_TEXT = 65535
_LARGEST = 268435455  # what four bytes of length can say


def _text(value) -> bytes:
    data = value.encode() if isinstance(value, str) else bytes(value)
    if len(data) > _LONGEST_TEXT:  # struct.pack of MicroPython cuts a number that is too large, without a word
        raise ValueError("a text of %d bytes; at most %d" % (len(data), _LONGEST_TEXT))
    return struct.pack("!H", len(data)) + data


def _length(n: int) -> bytes:
    if n > _LARGEST:
        raise ValueError("a packet of %d bytes" % n)
    encoded = bytearray()
    while True:
        n, low = n >> 7, n & 0x7F
        encoded.append(low | 0x80 if n else low)
        if not n:
            return bytes(encoded)


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + _length(len(body)) + body


def connect(client_id: str, user: str, password: str, keepalive_s: int, will=None, clean: bool = False) -> bytes:
    """CONNECT; `will` is (topic, payload), retained, QoS 1."""
    if not 0 < keepalive_s <= 65535:
        raise ValueError("a keep-alive of %d s" % keepalive_s)
    flags = 0x02 if clean else 0
    body = _text(client_id)
    if will is not None:
        flags |= 0x2C  # will, QoS 1, retained
        body += _text(will[0]) + _text(will[1])
    if user:
        flags |= 0x80
        body += _text(user)
        if password:
            flags |= 0x40
            body += _text(password)
    return _packet(0x10, b"\x00\x04MQTT\x04" + bytes((flags,)) + struct.pack("!H", keepalive_s) + body)


def publish(topic: str, payload: bytes, pid: int = 0, retain: bool = False) -> bytes:
    """PUBLISH in one piece; with a packet id of 1 to 65535 it is QoS 1, without one QoS 0."""
    head = _text(topic) + (struct.pack("!H", pid) if pid else b"")
    first = 0x30 | (2 if pid else 0) | (1 if retain else 0)
    return b"".join((bytes((first,)), _length(len(head) + len(payload)), head, payload))


def puback(pid: int) -> bytes:
    return b"\x40\x02" + struct.pack("!H", pid)


def subscribe(pid: int, topics) -> bytes:
    """SUBSCRIBE to these filters, QoS 1."""
    return _packet(0x82, struct.pack("!H", pid) + b"".join([_text(topic) + b"\x01" for topic in topics]))


def parse_publish(flags: int, body) -> tuple:
    """`(topic, pid, payload)` of a PUBLISH; pid 0 is QoS 0.

    Raises:
        ValueError: no PUBLISH of QoS 0 or 1, or cut short.
    """
    qos = flags >> 1 & 3
    if qos > 1 or len(body) < 2:
        raise ValueError("PUBLISH with QoS %d, %d bytes" % (qos, len(body)))
    at = 2 + struct.unpack("!H", body[:2])[0]
    after = at + 2 if qos else at
    if len(body) < after:
        raise ValueError("PUBLISH cut short")
    pid = struct.unpack("!H", body[at:after])[0] if qos else 0
    if qos and not pid:
        raise ValueError("PUBLISH with packet id 0")
    return bytes(body[2:at]).decode(), pid, bytes(body[after:])


def parse_pid(body) -> int:
    """The packet id at the beginning of PUBACK and SUBACK.

    Raises:
        ValueError: cut short.
    """
    if len(body) < 2:
        raise ValueError("an answer of %d bytes" % len(body))
    return struct.unpack("!H", body[:2])[0]
