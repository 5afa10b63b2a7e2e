"""Prints each commit the store acknowledged, and ends without a word: `writer.py FILE COMMITS ROWS SEED SYNCHRONOUS`."""

import os
import random
import sys
from pathlib import Path

from edge_gateway.store import Store
from edge_gateway.transaction import Commit, Lane


def main(path: Path, commits: int, rows: int, seed: int, synchronous: str) -> None:
    """Save `commits` transactions of `rows` rows; checkpoint, forget and end at random moments of `seed`."""
    chance = random.Random(seed)
    ends_after = commits if seed == 0 else chance.randrange(1, commits)
    store = Store(path)
    if synchronous != "FULL":
        store._db.execute(f"PRAGMA synchronous = {synchronous}")
    for number in range(commits):
        body = [(int(Lane.DATA), 1, 1, b"%d/%d " % (number, row) * 20) for row in range(rows)]
        store.commit(
            Commit(rows=body, devices=[("wutong", "home-1", b"%d" % number)], counters={"entries_stored": rows}),
        )
        os.write(1, b"%d\n" % number)
        if seed and chance.random() < 0.02:
            store.checkpoint()
        if number == ends_after:
            break
    os._exit(9)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
