"""Commands to a running gateway over a socket file: one JSON object a line in, one out. Only the gateway writes its store."""

import asyncio
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
        Misconfigured: another gateway listens there, or no socket can be made there.
    """
    if _listens(path):
        raise Misconfigured(f"another gateway runs on {path.parent}", "stop it, or use another data_dir")
    path.unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(await _answer(line, handlers) + b"\n")
                await writer.drain()
        except ValueError:  # asyncio's word for a line above the limit
            writer.write(json.dumps(_rejected("too_large", f"a line of more than {_LONGEST_LINE} bytes")).encode() + b"\n")
        except OSError as error:
            log.debug("command connection ended: %s", error)
        finally:
            writer.close()

    try:
        server = await asyncio.start_unix_server(answer, path, limit=_LONGEST_LINE)
    except OSError as error:
        raise Misconfigured(f"cannot listen at {path}: {error}", "the path of data_dir may have some 90 characters") from error
    path.chmod(0o600)
    return server


def _listens(path: Path) -> bool:
    """Whether a process listens there, also one that is frozen: the kernel takes the connection for it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as error:
            # Whatever lies there: an answer that does not come, or a queue that is full, is somebody's.
            return isinstance(error, (TimeoutError, BlockingIOError))
    return True


async def _answer(line: bytes, handlers: Mapping[str, Handler]) -> bytes:
    answer = await _run(line, handlers)
    try:
        return json.dumps(answer, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        log.error("a command's answer is no JSON: %s", error)
        return json.dumps({"error": "unavailable", "detail": f"the answer cannot be sent: {error}"}).encode()


async def _run(line: bytes, handlers: Mapping[str, Handler]) -> dict[str, Any]:
    try:
        request = json.loads(line)
        name, arguments = request["command"], request.get("arguments", {})
        handler = handlers[name]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return _rejected("unknown_command", f"known are {', '.join(sorted(handlers))}")
    if not isinstance(arguments, dict):
        return _rejected("bad_argument", f"arguments of {name} are no object")
    try:
        return {"result": await handler(arguments)}
    except Rejected as error:
        return _rejected(error.reason, error.detail)
    except KanhuError as error:
        return {"error": "unavailable", "detail": str(error)}
    except Exception as error:
        log.exception("command %s", name)
        return {"error": "unavailable", "detail": f"{name} failed: {error!r}; see the gateway's log"}


def _rejected(reason: str, detail: str) -> dict[str, Any]:
    return {"error": "rejected", "reason": reason, "detail": detail}


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
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise Unavailable("the gateway ended in the middle of its answer") from error
    if answer.get("error") == "rejected":
        raise Rejected(answer["reason"], answer["detail"])
    if "error" in answer:
        raise Unavailable(answer["detail"])
    return answer["result"]
