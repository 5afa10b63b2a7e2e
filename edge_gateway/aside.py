"""A job that may hang for as long as another machine likes: its thread is its own, and nobody who ends waits for it."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def aside(job: Callable[[], T], name: str) -> T:
    """Wait for the job, or be cancelled and let it go. Raises what it raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def end(found: list[T], error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(found[0])

    def work() -> None:
        found: list[T] = []
        failed: BaseException | None = None
        try:
            found.append(job())
        except Exception as error:
            failed = error
        with suppress(RuntimeError):  # the loop is gone: nobody waits
            loop.call_soon_threadsafe(end, found, failed)

    # Not the loop's own executor: that one is joined when the loop ends.
    threading.Thread(target=work, name=name, daemon=True).start()
    return await done
