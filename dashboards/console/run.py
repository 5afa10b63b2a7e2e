"""The console as a process: below the gateway in the machine's order, bounded in what it takes, gone on SIGTERM."""

import logging
import os
import sys
from contextlib import suppress
from typing import Final

from dashboards.console.address import first_code_file, url
from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings

NICE: Final = 10  # alerts come first when there is one core for both
CONNECTIONS: Final = 300  # then 503: a flood of browsers costs no more memory than this
_MESSAGE_MAX: Final = 256 << 10  # of the WebSocket, bytes

log = logging.getLogger("kanhu.console")


def serve(settings: Settings) -> None:
    """Until SIGTERM or Ctrl-C.

    Raises:
        Misconfigured: the port is taken, a certificate cannot be read, the console's file cannot be opened.
    """
    with suppress(OSError):  # systemd has done it, and forbids it to us
        os.nice(max(0, NICE - os.nice(0)))
    import uvicorn

    from dashboards.console.server import create_app

    console = settings.console
    if (console.tls_certificate is None) != (console.tls_key is None):
        raise Misconfigured("only one of console.tls_certificate and console.tls_key is set", "set both, or none")
    app = create_app(settings)
    _say(app.state.console.first_code, settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=console.host,
            port=console.port,
            ssl_certfile=console.tls_certificate,
            ssl_keyfile=console.tls_key,
            # Believed only from a program on this machine, and only when a person said that there is one.
            proxy_headers=console.tls_in_front,
            forwarded_allow_ips="127.0.0.1,::1",
            access_log=False,  # addresses of personal pages are secrets
            log_level="warning",
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=_MESSAGE_MAX,
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=32 << 10,
            http="h11",
            timeout_keep_alive=20,
            timeout_graceful_shutdown=2,
        )
    )
    try:
        server.run()
    except SystemExit as error:
        raise Misconfigured(f"cannot listen at {console.host}:{console.port}", "see above; set [console] port") from error


def _say(first_code: str, settings: Settings) -> None:
    """Where it is; the code of the first administrator only on a terminal: a log is read by others."""
    print(f"console: {url(settings.console)}", flush=True)  # noqa: T201
    if not first_code:
        return
    if sys.stdout.isatty():
        print(f"first start: make the administrator there with the code {first_code}", flush=True)  # noqa: T201
    else:
        print(f"first start: the administrator's code is in {first_code_file(settings.data_dir)}", flush=True)  # noqa: T201
