"""`socket` whose names the board looks up: without Wi-Fi there is nothing, with it the way is through its access point."""

import usocket as _u
import wire as _wire
from usocket import *


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    where, there = _wire.call("dns %s %s %d" % (host or "0.0.0.0", port or 0, type)).split()
    return _u.getaddrinfo(where, int(there), _u.AF_INET, type)


def socket(af=2, type=1, proto=0):
    _wire.wrote()  # a datagram or a SYN goes out at once, and the answer is waited for
    return _u.socket(af, type, proto)
