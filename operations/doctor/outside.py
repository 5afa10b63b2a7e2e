"""Check of the switch outside: somebody is told when this machine is gone."""

from edge_gateway.duty import file as duty_file
from edge_gateway.duty.chain import everybody
from edge_gateway.settings import Settings
from operations.doctor.result import Result, ok, warn


def watcher(settings: Settings) -> Result:
    """A service outside misses our heartbeat; whether it is set to tell a person only a person can see.

    Raises:
        Misconfigured: the duty list cannot be read.
    """
    alerts = settings.alerts
    if not any(person.urls for person in everybody(alerts.people, duty_file.load(settings.duty_file))):
        return ok("nobody is told of alerts, so nobody has to be told that they stopped")
    if not alerts.heartbeat_url:
        return warn("nobody outside is told when this machine is gone", "set alerts.heartbeat_url: docs/alerts.md")
    if alerts.heartbeat_url.startswith("http://"):
        return warn("the heartbeat goes out unencrypted: who reads its address can fake it", "use an https:// address")
    return ok(
        f"a heartbeat every {alerts.heartbeat_s:g} s; the service should tell a person after {2 * alerts.heartbeat_s:g} s"
    )
