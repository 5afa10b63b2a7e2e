"""Which records are receipted though they still lie somewhere: in a file with others, or in a message on its way."""


class Receipts:
    """Kept in memory only: what is forgotten is sent again, and receipted again."""

    def __init__(self) -> None:
        self._upto = {}  # boot -> every seq up to this
        self._named = {}  # boot -> single ones above it

    def upto(self, boot: int) -> int:
        return self._upto.get(boot, 0)

    def has(self, boot: int, seq: int) -> bool:
        return seq <= self._upto.get(boot, 0) or seq in self._named.get(boot, ())

    def note(self, boot: int, upto: int, named) -> None:
        upto = max(upto, self.upto(boot))
        self._upto[boot] = upto
        self._named[boot] = {seq for seq in named | self._named.get(boot, set()) if seq > upto}

    def forget(self, boot: int) -> None:
        self._upto.pop(boot, None)
        self._named.pop(boot, None)
