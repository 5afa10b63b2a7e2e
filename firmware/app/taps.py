"""Which of the cards on the reader is a new tap: a card counts once until it is taken away, and once within the folding time.

Pure: told which cards each poll found, it says what to do. While the reader is dead nobody comes or goes.
"""

# A card at the edge of the field is missed now and then; it is gone when so many polls in a row have missed it.
_MISSES = 2
_REMEMBERED = 32  # cards recorded lately; who is forgotten early is at worst recorded twice, which the gateway folds

_RANDOM = "random "  # begins the keys of cards that nothing tells apart


class Visit:
    """A card on the reader, from its first sighting until it is taken away.

    first: what was handed in at the first sighting, its stamp.
    sightings: by how many polls in a row it was found.  failures: how often it could not be read.
    given_up: its courier was told to hold it again; it is tried on, without haste.
    settled: nothing more to do until it is taken away.
    """

    def __init__(self, key: str, first) -> None:
        self.key = key
        self.first = first
        self.sightings = self.failures = self.misses = 0
        self.given_up = self.settled = False


class Taps:
    """
    Args:
        fold_ms: a card recorded so shortly ago is not recorded again.
        tries: so often a card is read before its courier is told that it cannot be.
    """

    def __init__(self, fold_ms: int, tries: int) -> None:
        self._fold_ms = fold_ms
        self._tries = tries
        self._here = []  # visits
        self._gone = 0  # cards with a random UID that were taken away
        self._recorded = []  # (key, ms), oldest first

    def seen(self, keys: list, moment) -> tuple:
        """One poll.

        Args:
            keys: of the cards it found.
            moment: kept as `first` of those that are new.
        Returns:
            visits that have to be dealt with, one for each unsettled key in its order; visits whose card left unsettled.
        """
        visits = []
        for key in keys:
            visit = next((v for v in self._here if v.key == key), None)
            if visit is None:
                visit = Visit(key, moment)
                self._here.append(visit)
            visit.misses = 0
            visit.sightings += 1
            if not visit.settled:
                visits.append(visit)
        for visit in self._here:
            if visit.key not in keys:
                visit.misses += 1
                visit.sightings = 0
        left = [v for v in self._here if v.misses >= _MISSES and not v.settled]
        self._gone += len([v for v in self._here if v.misses >= _MISSES and not is_number(v.key)])
        self._here = [v for v in self._here if v.misses < _MISSES]
        return visits, left

    def is_here(self, visit) -> bool:
        """It was not taken away since."""
        return visit in self._here

    def name(self, key: str) -> str:
        """What tells a card from all that come later: with a random UID the next one has the same key."""
        return key if is_number(key) else "%s of %d" % (key, self._gone)

    @property
    def waiting(self) -> bool:
        """Some card is still to be dealt with: poll again soon."""
        return any(not visit.settled and not visit.given_up for visit in self._here)

    def is_double(self, visit, now_ms: int) -> bool:
        """It was recorded a moment ago, came off and is here again."""
        return any(key == visit.key and now_ms - at_ms < self._fold_ms for key, at_ms in self._recorded)

    def is_last_try(self, visit) -> bool:
        """What can be had of it has to be enough now."""
        return visit.failures + 1 >= self._tries

    def failed(self, visit) -> bool:
        """It could not be read; whether this is the moment to say so."""
        visit.failures += 1
        if visit.failures < self._tries or visit.given_up:
            return False
        visit.given_up = True
        return True

    def recorded(self, visit, now_ms: int) -> None:
        """Its event is in flash."""
        visit.settled = True
        if visit.key.startswith(_RANDOM):
            return  # the next such card is perhaps another courier's: its tap must not be taken for this one's double
        # The time runs from the recording: a card that is held again and again is recorded again in the end.
        self._recorded = [entry for entry in self._recorded if entry[0] != visit.key][1 - _REMEMBERED :]
        self._recorded.append((visit.key, now_ms))


def is_number(key: str) -> bool:
    """Whether a key is the card's own UID, as hexadecimal."""
    return not key.startswith(_RANDOM)


def keys(targets: list) -> list:
    """What tells these cards apart.

    Cards with a random UID have a new one each time the antenna comes on: they are told apart by how many they are. When their
    number changes each is read again, for a tap that is doubled is folded later and a tap that is missed is lost.
    """
    count = len([target for target in targets if target.is_random])
    found = []
    number = 0
    for target in targets:
        if target.is_random:
            number += 1
            found.append("%s%d/%d" % (_RANDOM, number, count))
        else:
            found.append(target.uid.hex())
    return found
