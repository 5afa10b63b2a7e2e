"""A job that hangs keeps nobody from stopping; what it finds and what it raises arrive as if it had been called."""

import subprocess
import sys
from pathlib import Path

import pytest

from edge_gateway.aside import aside
from edge_gateway.errors import Unavailable

HANGS = """
import asyncio, time
from edge_gateway.aside import aside
async def main():
    try:
        await asyncio.wait_for(aside(lambda: time.sleep(600), "hangs"), 0.1)
    except TimeoutError:
        print("let go")
asyncio.run(main())
"""


async def test_what_it_finds_and_what_it_raises_arrive() -> None:
    def away() -> int:
        raise Unavailable("no database")

    assert await aside(lambda: 7, "seven") == 7
    with pytest.raises(Unavailable, match="no database"):
        await aside(away, "away")


def test_a_program_ends_while_a_job_of_it_hangs() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", HANGS], cwd=root, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "let go\n"
