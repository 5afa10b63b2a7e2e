"""What the gateway would hold of a device's messages, by the rules of docs/contract.md; runs under MicroPython and CPython.

It keeps every message, so that a repeat with other content, a gap and a wrong order are noticed.
"""

EVENT, LOSS, DATA = 0, 1, 2


class Boot:
    def __init__(self):
        self.held = {}  # seq -> message
        self.rejected = set()
        self.declared = set()
        self.upto = 0
        self.last_reading = 0

    def done(self, seq):
        return seq in self.held or seq in self.declared

    def advance(self):
        while self.done(self.upto + 1):
            self.upto += 1


class Ledger:
    """
    Args:
        refuses: function(lane, seq) -> whether the message can never be accepted.
    """

    def __init__(self, refuses=None):
        self.boots = {}
        self.refuses = refuses or (lambda lane, seq: False)
        self.repeats = 0

    def boot(self, number):
        if number not in self.boots:
            self.boots[number] = Boot()
        return self.boots[number]

    def take(self, lane, number, seq, message):
        """One message on its topic; an AssertionError names what no device may do."""
        assert message.startswith(b'[{"boot":%d,"seq":%d,' % (number, seq)), message
        boot = self.boot(number)
        if seq in boot.held:
            assert boot.held[seq] == message, ("identity reused", boot.held[seq], message)
            self.repeats += 1
            return
        if lane == DATA:
            assert seq > boot.last_reading, ("order", number, boot.last_reading, seq)
            boot.last_reading = seq
        boot.held[seq] = message
        if self.refuses(lane, seq):
            boot.rejected.add(seq)
        if lane == LOSS:
            lost, first, last = [int(n) for n in message[message.rfind(b"[") + 1 : -3].split(b",")]
            assert 1 <= first <= last and (lost != number or last < seq), message
            self.boot(lost).declared.update(range(first, last + 1))
            self.boot(lost).advance()
        boot.advance()

    def receipt(self, number, events=(), rejected=()):
        boot = self.boot(number)
        return (
            number,
            boot.upto,
            [seq for seq in events if seq not in boot.rejected],
            [seq for seq in rejected if seq in boot.rejected],
        )
