"""What is bounded: the broker's queue and the gateway's outbox. What is dropped is counted, and never an event."""

from collections.abc import Callable

import pytest

from simulator.plan import Planned, at_once
from simulator.senml import Value
from tests.faults.judge import Spool
from tests.faults.world import World, taps
from tests.servers import Mosquitto, eventually

Make = Callable[..., World]


def test_a_broker_that_drops_for_want_of_room_is_noticed_and_costs_nothing(world: Make, mosquitto: Mosquitto) -> None:
    mosquitto.stop()
    conf = mosquitto.folder / "mosquitto.conf"
    text = conf.read_text()
    assert "max_queued_messages 100000" in text
    conf.write_text(text.replace("max_queued_messages 100000", "max_queued_messages 200"))
    mosquitto.start()
    w = world(rate=600.0, window=500)
    w.begin()
    w.live_again()
    w.gateway.kill()
    w.a_while(3.0, 3.5)
    w.gateway.start()
    eventually(lambda: w.gateway.state()["troubles"].get("broker_drops"), 10, f"the trouble is told: {w.trouble()}")
    print(w.gateway.state()["troubles"]["broker_drops"])
    assert w.number("broker_dropped") > 0
    w.finish().require()


@pytest.mark.slow
def test_an_outbox_over_its_quota_drops_the_oldest_readings_counts_them_and_keeps_every_event(world: Make) -> None:
    influx = {"url": "http://127.0.0.1:9", "kind": "influxdb1"}
    w = world(rate=100.0, settings={"influx": influx, "gateway": {"outbox_quota_mb": 8}})
    w.begin()
    assert w.fleet is not None
    fleet, most = w.fleet, 12_000

    def large(n: int) -> Planned:
        key = w.devices[n % len(w.devices)].key
        return at_once(key, w.start_s - 7200 + n / 10, Value("activity", f"{n} ".ljust(1000, "x")))

    for n in range(most):
        fleet.call(lambda n=n: fleet.measure(large(n)))  # type: ignore[misc]
    eventually(lambda: w.receipted() >= most, 40, "receipts")
    verdict = w.finish(empty=False)
    spool = Spool.read(w.gateway.store_file)
    dropped = spool.totals["entries_dropped_quota"]
    print(f"dropped and counted {dropped}; events in the outbox {taps(w.devices)}")
    assert dropped > 1000
    assert not verdict.unaccounted and not verdict.changed and not verdict.invented
    lost_instants = {(key[1], key[3]) for key in verdict.lost}
    assert len(lost_instants) == dropped, "what is missing is exactly what was counted"
    assert not [key for key in verdict.lost if key[2] in ("tap", "proof")], "never an event"
    assert taps(w.devices) > 0
