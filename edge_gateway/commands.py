"""Commands to a running gateway over a socket file: one JSON object a line in, one out. Only the gateway writes its store."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import KanhuError, Misconfigured, Rejected, Unavailable

log = logging.getLogger(__name__)

_LONGEST_LINE: Final = 1 << 20
# What a command takes and gives: plain JSON values, checked by the command itself.
Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]


async def serve(path: Path, handlers: Mapping[str, Handler]) -> asyncio.Server:
    """Listen on a socket file that only this user can open.

    Raises:
        Misconfigured: another gateway listens there.
    """
    if path.exists():
        with contextlib.suppress(KanhuError):
            call(path, "ping", timeout_s=2.0)
            raise Misconfigured(f"another gateway runs on {path.parent}", "stop it, or use another data_dir")
        path.unlink()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await _run(line, handlers), ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError) as error:
            log.debug("command connection ended: %s", error)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, path, limit=_LONGEST_LINE)
    path.chmod(0o600)
    return server


async def _run(line: bytes, handlers: Mapping[str, Handler]) -> dict[str, Any]:
    try:
        request = json.loads(line)
        name, arguments = request["command"], request.get("arguments", {})
        handler = handlers[name]
    except (ValueError, KeyError, TypeError):
        return {"error": "rejected", "reason": "unknown_command", "detail": f"known are {', '.join(sorted(handlers))}"}
    try:
        return {"result": await handler(arguments)}
    except Rejected as error:
        return {"error": "rejected", "reason": error.reason, "detail": error.detail}
    except KanhuError as error:
        return {"error": "unavailable", "detail": str(error)}
    except Exception as error:
        log.exception("command %s", name)
        return {"error": "unavailable", "detail": f"{name} failed: {error!r}; see the gateway's log"}


def call(path: Path, command: str, timeout_s: float = 10.0, **arguments: Any) -> Any:
    """Ask a running gateway; blocks.

    Raises:
        Unavailable: no gateway listens there, or it did not answer.
        Rejected: the gateway does not accept this command.
    """
    request = json.dumps({"command": command, "arguments": arguments}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(request)
            with connection.makefile("rb") as answers:
                line = answers.readline()
    except OSError as error:
        raise Unavailable(f"no gateway answers at {path} ({error}); start it with `kanhu up` or `kanhu gateway`") from error
    if not line:
        raise Unavailable("the gateway ended while it was asked")
    answer = json.loads(line)
    if answer.get("error") == "rejected":
        raise Rejected(answer["reason"], answer["detail"])
    if "error" in answer:
        raise Unavailable(answer["detail"])
    return answer["result"]
