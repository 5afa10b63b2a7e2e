"""A device's messages as they come to the gateway, with the numbers of its boots."""

import json
from dataclasses import dataclass

from simulator.plan import Planned
from simulator.senml import Head, Loss, encode


@dataclass(frozen=True)
class Told:
    """One message; `at_s` is when the gateway receives it."""

    at_s: float
    site: str
    device: str
    lane: str
    payload: bytes

    @property
    def topic(self) -> str:
        return f"kanhu/1/{self.site}/{self.device}/up/{self.lane}"


@dataclass
class Speaker:
    """Writes a device's messages with the numbers of one boot."""

    site: str
    device: str
    began_s: float
    boot: int = 1
    seq: int = 0
    clk: str = "ntp"

    def says(self, planned: Planned, late_s: float = 1.0, losses: tuple[Loss, ...] = ()) -> Told:
        self.seq += 1
        now_ns = round(planned.at_s * 1e6) * 1000
        up_s = max(planned.at_s - self.began_s, 0.0)
        payload = encode(Head(self.boot, self.seq, self.clk, now_ns, up_s, planned.err_s), planned.instants, losses)
        return Told(planned.at_s + late_s, self.site, self.device, "event" if planned.event else "data", payload)

    def born(self, at_s: float, cadence_s: float, firmware: str) -> Told:
        birth = {"online": True, "boot": self.boot, "clk": "ntp", "time": at_s, "up": at_s - self.began_s}
        birth |= {"firmware": firmware, "cadence": cadence_s, "oldest": [[self.boot, self.seq + 1]]}
        return Told(at_s, self.site, self.device, "status", json.dumps(birth).encode())

    def gone(self, at_s: float) -> Told:
        return Told(at_s, self.site, self.device, "status", json.dumps({"online": False, "boot": self.boot}).encode())
