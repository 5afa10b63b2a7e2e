"""Self-tests in a running gateway: real broker, disk and telephones; what fails is told to whoever can be reached."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_gateway import view
from edge_gateway.alerts import Alert
from edge_gateway.homes.home import Test as SelfTest
from edge_gateway.homes.look import open_homes
from tests.faults.phone import Phone
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import GatewayProcess

REGISTRY = '[sites.s1]\n[[devices]]\nsite = "s1"\nid = "d1"\nplace = "p1"\nmodel = "elder_home"\ncadence_s = 3600.0\n'


class Site:
    """A home whose device is this test, a gateway, and the telephones of li and zhang."""

    def __init__(self, folder: Path, broker: Mosquitto, test_s: int) -> None:
        self.broker, self.seq = broker, 0
        self.li, self.zhang = Phone(), Phone()
        people = [{"id": "li", "urls": [self.li.url]}, {"id": "zhang", "urls": [self.zhang.url]}]
        settings = {
            "broker": broker.settings().model_dump(mode="json", exclude_none=True),
            "alerts": {"test_s": test_s, "next_person_s": 1, "repeat_s": 5},
        }
        self.gateway = GatewayProcess(folder / "gateway", settings, REGISTRY)
        self.gateway.environment = {"KANHU_ALERTS__PEOPLE": json.dumps(people)}
        self.gateway.start()

    def test(self) -> None:
        """A person wants a test, and the device answers it."""
        with paho_client(self.broker, "s1/d1") as device:
            device.listen("kanhu/1/s1/d1/down/command")
            self.gateway.call("homes.test", site="s1", place="p1", by="li")
            eventually(lambda: device.received, 30, "the command")
            command = json.loads(device.received[0].payload)
            assert command["name"] == "selftest"
            self.seq += 1
            answer = f'[{{"boot":1,"seq":{self.seq},"clk":"none","n":"selftest","vs":"{command["test"]}"}}]'
            device.publish_all([("kanhu/1/s1/d1/up/event", answer.encode())])

    @property
    def told(self) -> SelfTest:
        with open_homes(self.gateway.store_file) as look:
            home = look.home("s1", "p1")
        assert home is not None
        return home.test

    def log(self) -> list[str]:
        with open_homes(self.gateway.store_file) as look:
            return [f"{note.who} {note.what} {note.detail}" for note in reversed(look.log("s1", "p1"))]

    def alerts(self, rule: str) -> list[Alert]:
        return [alert for alert in view.alert_list(self.gateway.store_file, closed=True) if alert.rule == rule]

    def close(self) -> None:
        self.gateway.kill()
        self.li.close()
        self.zhang.close()


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Site]:
    with closing(Site(tmp_path, mosquitto, getattr(request, "param", 10))) as site:
        yield site


def test_a_message_that_the_person_cannot_get_is_an_incident_for_those_who_can_be_reached(site: Site) -> None:
    site.li.status = 500
    site.test()
    eventually(lambda: site.told.failed, 60, "the test has failed")
    assert site.told.failed == "not_told"
    eventually(lambda: site.zhang.taken, 60, "zhang is told")
    (incident,) = site.alerts("unprotected")
    assert incident.severity == "warning" and incident.key == "unprotected/s1"
    assert "未受保护" in site.zhang.taken[0].message and "测试" not in site.zhang.taken[0].title
    assert not site.alerts("sos")
    site.li.status = 200
    site.test()
    eventually(lambda: site.told.passed_ns, 60, "the next one has passed")
    eventually(lambda: site.alerts("unprotected")[0].state == "closed", 60, "the incident is over")
    (ended,) = site.alerts("unprotected")
    assert ended.closed_by == "gateway" and ended.history[-1].reason == "passed"
    assert [line.split()[1] for line in site.log()] == ["test", "test_failed", "test", "test_passed"]


def test_one_test_after_another_is_told_each_time(site: Site) -> None:
    for number in range(1, 4):
        had = site.told.passed_ns if number > 1 else 0
        site.test()
        eventually(lambda had=had: site.told.passed_ns > had, 60, f"test {number}")
        assert len(site.li.taken) == number
    assert not site.zhang.calls


@pytest.mark.parametrize("site", [120], indirect=True, ids=["two minutes to be told"])
def test_a_gateway_that_is_killed_in_the_middle_goes_on_with_the_test(site: Site) -> None:
    site.li.status = 500
    site.test()
    eventually(lambda: site.li.calls, 60, "the first try")
    site.gateway.kill()
    site.li.status = 200
    site.gateway.start()
    eventually(lambda: site.told.passed_ns, 60, "the test has passed")
    assert {call.title for call in site.li.calls} == {"看护: 测试 / Kanhu: test"}
    assert len(site.li.taken) == 1 and not site.zhang.calls
    (message,) = site.alerts("selftest")
    assert message.state == "closed" and not site.alerts("unprotected")
