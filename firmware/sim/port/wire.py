"""The line to the simulated board: requests with answers, a bell that rings when an interrupt waits, and the way time goes.

Virtual milliseconds are the machine's monotonic clock plus `off`. `off` only grows, by what is jumped over: MicroPython's own
task queue stamps ready tasks with the machine's clock, so virtual time must never be behind it.
"""

import os
import sys

import uselect
import usocket
from utime import ticks_ms as real_ms

_host, _port, _life = os.getenv("KANHU_BOARD").split(":")
_where = usocket.getaddrinfo(_host, int(_port))[0][-1]


def connect(kind):
    """A connection of its own to the board; `kind` says for what."""
    s = usocket.socket()
    s.connect(_where)
    s.setsockopt(6, 1, 1)  # TCP_NODELAY: what has no answer must not hold up the next question for 40 ms
    s.write("%s %s\n" % (_life, kind))
    return s


_ask = connect("ask")
bell = connect("bell")
_ears = uselect.poll()
_ears.register(bell, uselect.POLLIN)

off = 0
virtual = False
levels = {}  # pin -> level, as long as nothing has changed one
handlers = {"c": levels.clear}  # name of an interrupt -> function without arguments; c: a pin has changed
_listened = 0
masked = False
_horizon = 0  # until then time may be jumped over without asking
_quiet_at = 0  # real ms; before that an answer may still be on its way
_settle = _patience = 0
_last = False


def call(text):
    """Have something done; the answer as text. Raises OSError with the board's errno."""
    global _horizon
    _horizon = 0  # it may make something happen sooner: an answer on a serial port
    levels.clear()  # or change a pin
    return ask(text)


def level(pin):
    """The level of a pin. A known one holds until the bell rings; a loop that never waits, and so never hears it, asks anew."""
    if pin not in levels or real_ms() > _listened + 2:
        levels[pin] = int(ask("pin %d get" % pin))
    return levels[pin]


def listened():
    """The bell is silent at this moment."""
    global _listened
    _listened = real_ms()


def ask(text):
    """As `call`, for what changes nothing."""
    _ask.write("%d %s\n" % (off, text))
    answer = _ask.recv(256)  # in one piece nearly always; readline would take it byte by byte
    while answer[-1:] != b"\n":
        more = _ask.recv(256)
        if not more:
            gone()
        answer += more
    if answer[0] == 33:  # "!"
        raise OSError(int(answer[1:]))
    return str(answer[1:-1], "ascii")


def hexed(data):
    """Hex digits; MicroPython's own `hex()` of nothing is bytes, and would be sent as `b''`."""
    return bytes(data).hex() if data else ""


def tell(text):
    """Say something that has no answer."""
    _ask.write("%d %s\n" % (off, text))


def gone():
    """The board is no more, so this process must not stay behind either."""
    import ffi

    ffi.open(None).func("v", "_exit", "i")(3)


def hello():
    global off, virtual, _settle, _patience
    off, fast, _settle, _patience = [int(word) for word in call("hello").split()]
    virtual = bool(fast)


def now():
    return real_ms() + off


def wrote(answered=True, last=False):
    """Something went out; until its answer is here, or `patience` is over, time may not be jumped over.

    Args:
        answered: an answer is to come. last: and after the answer nothing.
    """
    global _quiet_at, _horizon, _last
    _quiet_at = real_ms() + (_patience if answered else _settle)
    _horizon = 0
    _last = last


def heard(shaking_hands=False):
    """Something came in; more may follow at once, or while TLS shakes hands a little later."""
    global _quiet_at, _horizon
    _quiet_at = 0 if _last else real_ms() + (_patience if shaking_hands else _settle)
    _horizon = 0


def unsettled():
    """Real ms to wait for sockets before time may be jumped over."""
    return _quiet_at - real_ms()


def leap(ms):
    """Jump without asking, if that is allowed; nothing has happened then."""
    global off
    if ms < 0 or now() + ms > _horizon:
        return False
    off += ms
    return True


def just_listened():
    """Whether we looked in this very millisecond; tasks that are ready need not look again."""
    return real_ms() == _listened


def jump(ms):
    """Let up to `ms` of virtual time go by (-1: any); 0, or real ms to wait before asking again."""
    global off, _horizon
    if ms < 0:
        ms = 1 << 40
    if leap(ms):
        return 0
    off, _horizon, hold = [int(word) for word in ask("advance %d" % ms).split()]
    return hold


def ring():
    """The bell rang: run the handlers of the interrupts that wait."""
    if not bell.recv(64):
        gone()
    if not masked:
        interrupts()


def interrupts():
    for name in ask("pending").split():
        try:
            handlers[name]()
        except Exception as error:  # as scheduled callbacks on the chip: told, and over
            sys.print_exception(error)


def sleep(ms):
    """Block for `ms`, with interrupts."""
    end = now() + ms
    while True:
        left = end - now()
        wait = 0
        if virtual and left > 0:
            wait = min(jump(left), max(end - now(), 0))
        elif left > 0:
            wait = left
        if _ears.poll(wait):
            ring()
        listened()
        if left <= 0:
            return


hello()
