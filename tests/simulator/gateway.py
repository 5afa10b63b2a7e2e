"""A gateway in forty lines, written from docs/contract.md alone: remembers what it was sent and answers with receipts."""

import json
from dataclasses import dataclass, field
from typing import Any

import cbor2


def read(payload: bytes) -> list[dict[str, Any]]:
    """A pack with SenML's JSON names, from JSON or CBOR."""
    if payload[:1] == b"[":
        return list(json.loads(payload))
    names = {-2: "bn", -3: "bt", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 6: "t"}
    return [{names.get(key, key): value for key, value in record.items()} for record in cbor2.loads(payload)]


@dataclass
class StandIn:
    """Of one device: which bytes each (boot, seq) brought, and which numbers are closed."""

    held: dict[tuple[int, int], bytes] = field(default_factory=dict)
    lost: set[tuple[int, int]] = field(default_factory=set)
    rejected: dict[int, list[int]] = field(default_factory=dict)
    conflicts: int = 0
    duplicates: int = 0

    def take(self, payload: bytes, *, event: bool, reject: bool = False) -> bytes:
        """Store a message and return the receipt that follows it."""
        pack = read(payload)
        boot, seq = pack[0]["boot"], pack[0]["seq"]
        if (boot, seq) in self.held:
            self.duplicates += 1
            self.conflicts += self.held[boot, seq] != payload
        self.held.setdefault((boot, seq), payload)
        if reject and seq not in self.rejected.setdefault(boot, []):
            self.rejected[boot].append(seq)
        for record in pack:
            if record["n"] == "lost":
                lost_boot, first, last = record["lost"]
                self.lost |= {(lost_boot, n) for n in range(first, last + 1)}
        return self.receipt(boot, [seq] if event else [])

    def receipt(self, boot: int, events: list[int]) -> bytes:
        upto = 0
        while (boot, upto + 1) in self.held or (boot, upto + 1) in self.lost:
            upto += 1
        return json.dumps({"boot": boot, "upto": upto, "events": events, "rejected": self.rejected.get(boot, [])}).encode()
