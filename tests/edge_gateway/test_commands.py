"""Commands: one line in, one line out, over a real socket file; whatever comes in, the gateway stays up and answers."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_gateway import commands
from edge_gateway.errors import KanhuError, Misconfigured, Rejected, Unavailable


async def echo(arguments: Mapping[str, Any]) -> Any:
    return dict(arguments)


async def refuse(arguments: Mapping[str, Any]) -> Any:
    raise Rejected("unknown_alert", "there is no alert 7")


async def away(arguments: Mapping[str, Any]) -> Any:
    raise Unavailable("the disk is full")


async def fault(arguments: Mapping[str, Any]) -> Any:
    return 1 / 0


async def no_json(arguments: Mapping[str, Any]) -> Any:
    return {1, 2}


HANDLERS = {"echo": echo, "refuse": refuse, "away": away, "fault": fault, "no_json": no_json}


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c") / "gateway.sock"  # a socket's path is short


@pytest.fixture
async def server(path: Path) -> AsyncIterator[asyncio.Server]:
    server = await commands.serve(path, HANDLERS)
    yield server
    server.close()
    await server.wait_closed()


async def ask(path: Path, command: str, **arguments: Any) -> Any:
    return await asyncio.to_thread(commands.call, path, command, 5.0, **arguments)


async def say(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send raw bytes and close; the answers."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(lines))
    writer.write_eof()
    answers = [json.loads(line) async for line in reader]
    writer.close()
    return answers


async def test_a_command_takes_and_gives_json_of_any_language(server: asyncio.Server, path: Path) -> None:
    assert await ask(path, "echo", by="李护士", numbers=[1, 2.5, None]) == {"by": "李护士", "numbers": [1, 2.5, None]}


async def test_several_commands_on_one_connection_are_answered_in_order(server: asyncio.Server, path: Path) -> None:
    lines = [json.dumps({"command": "echo", "arguments": {"n": n}}).encode() + b"\n" for n in range(5)]
    assert [a["result"]["n"] for a in await say(path, *lines)] == list(range(5))


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        ("nonsense", Rejected, "known are away, echo"),
        ("refuse", Rejected, "unknown_alert: there is no alert 7"),
        ("away", Unavailable, "the disk is full"),
        ("fault", Unavailable, "ZeroDivisionError"),
        ("no_json", Unavailable, "cannot be sent"),
    ],
)
async def test_a_command_that_does_not_work_says_why_as_the_same_error_on_both_sides(
    server: asyncio.Server, path: Path, command: str, error: type[KanhuError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await ask(path, command)
    assert await ask(path, "echo") == {}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"\n", id="empty line"),
        pytest.param(b"nonsense\n", id="no JSON"),
        pytest.param(b"\xff\xfe\x00\n", id="no UTF-8"),
        pytest.param(b"[]\n", id="array"),
        pytest.param(b"7\n", id="number"),
        pytest.param(b"null\n", id="null"),
        pytest.param(b"{}\n", id="no command"),
        pytest.param(b'{"command":["echo"]}\n', id="command is an array"),
        pytest.param(b'{"command":null}\n', id="command is null"),
        pytest.param(b'{"command":"echo","arguments":[1]}\n', id="arguments are an array"),
        pytest.param(b'{"command":"echo"', id="cut short"),
        pytest.param(b"[" * 100_000 + b"\n", id="nested without end"),
        pytest.param(b'{"command":"' + b"x" * 3_000_000 + b'"}\n', id="huge"),
        pytest.param(b"x" * 3_000_000, id="huge, without an end"),
    ],
)
async def test_no_line_goes_unanswered_or_ends_the_gateway(server: asyncio.Server, path: Path, line: bytes) -> None:
    try:
        (answer,) = await say(path, line)
        assert answer["error"] == "rejected"
    except (ConnectionError, BrokenPipeError):
        assert len(line) > 1 << 20  # it closed the door in the middle of our flood
    assert await ask(path, "echo", n=1) == {"n": 1}


async def test_a_client_that_goes_away_without_a_word_harms_nobody(server: asyncio.Server, path: Path) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b'{"command":"echo"}\n' * 100)
    assert await ask(path, "echo") == {}


async def test_only_the_owner_may_open_the_socket(server: asyncio.Server, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_second_gateway_on_the_same_folder_is_refused_and_the_first_goes_on(server: asyncio.Server, path: Path) -> None:
    with pytest.raises(Misconfigured, match="another gateway"):
        await commands.serve(path, HANDLERS)
    assert await ask(path, "echo") == {}


async def test_a_frozen_gateway_is_not_taken_for_a_dead_one(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(path))
        frozen.listen(1)
        with pytest.raises(Misconfigured, match="another gateway"):
            await commands.serve(path, HANDLERS)


@pytest.mark.parametrize("what", ["socket", "file"])
async def test_what_a_killed_gateway_left_behind_does_not_stop_the_next(path: Path, what: str) -> None:
    if what == "socket":
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(path))
    else:
        path.write_bytes(b"")
    server = await commands.serve(path, HANDLERS)
    assert await ask(path, "echo") == {}
    server.close()


async def test_a_path_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "gateway.sock"
    path.parent.mkdir()
    with pytest.raises(Misconfigured, match="data_dir"):
        await commands.serve(path, HANDLERS)


def test_without_a_gateway_the_next_step_is_named(path: Path) -> None:
    with pytest.raises(Unavailable, match="kanhu up"):
        commands.call(path, "echo")
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with pytest.raises(Unavailable, match="kanhu up"):
        commands.call(path, "echo")


@pytest.mark.parametrize("answer", [b"", b'{"result": 1'])
async def test_a_gateway_that_ends_while_it_is_asked_is_unavailable(path: Path, answer: bytes) -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(end, path)
    with pytest.raises(Unavailable, match="ended"):
        await ask(path, "echo")
    server.close()


async def test_a_gateway_that_does_not_answer_in_time_is_unavailable(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(path))
        frozen.listen(1)
        with pytest.raises(Unavailable, match="timed out"):
            await asyncio.to_thread(commands.call, path, "echo", 0.05)
