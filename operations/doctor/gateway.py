"""Checks of the gateway process: does it run and answer, and if not, could it."""

import http.client
import socket
from typing import Final

from edge_gateway.commands import call
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.settings import Settings
from operations.doctor.result import Result, fail, ok, warn

_TIMEOUT_S: Final = 2.0


def running(settings: Settings) -> Result:
    """The gateway answers a command, knows whom to tell, has no trouble of its own to tell, and its metrics page answers."""
    try:
        state = call(settings.command_socket, "state", timeout_s=_TIMEOUT_S)
    except (Unavailable, Rejected) as error:
        return warn(f"not running ({error})", "kanhu up, or systemctl start kanhu-gateway")
    if state["alerts"] != settings.alerts.digest():
        told = "runs with another [alerts] than these settings: it tells the people who were in them when it started"
        return warn(told, "start it anew: Ctrl-C and kanhu up, or systemctl restart kanhu-gateway; nothing is lost by that")
    if troubles := state["troubles"]:
        return warn(f"runs, and says: {'; '.join(troubles.values())}", "see the checks above for each, or its log")
    try:
        page = _metrics(state["metrics_port"])
    except (OSError, http.client.HTTPException) as error:
        return fail(f"runs, but its metrics page on port {state['metrics_port']} does not answer: {error}", "restart it")
    return ok(f"runs; {page.count(chr(10))} lines of metrics on port {state['metrics_port']}")


def ports(settings: Settings) -> Result:
    """A gateway that is not running could open its port."""
    port = settings.gateway.metrics_port
    if port == 0 or answers(settings):
        return ok("nothing to look at" if port == 0 else f"port {port} is the gateway's own")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return fail(f"port {port} is taken ({error.strerror})", "stop what uses it (ss -ltnp), or set gateway.metrics_port")
    return ok(f"port {port} is free")


def answers(settings: Settings) -> bool:
    """Whether a gateway runs on this data folder."""
    try:
        call(settings.command_socket, "ping", timeout_s=_TIMEOUT_S)
    except Rejected:
        return True
    except Unavailable:
        return False
    return True


def _metrics(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode("utf-8", "replace")
    finally:
        connection.close()
