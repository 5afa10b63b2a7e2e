"""What a suite needs that runs under CPython and MicroPython alike."""

import os
import sys
import time

IS_MICROPYTHON = sys.implementation.name == "micropython"


def folder():
    """Path of a fresh empty folder; who runs the suite clears them away."""
    base = os.getenv("KANHU_TEST_FOLDER") or "/tmp"
    path = base + "/" + "".join("%02x" % b for b in os.urandom(8))
    os.mkdir(path)
    return path


def raises(exception, function, *arguments):
    """The exception that this call raises; an AssertionError when it raises none."""
    try:
        function(*arguments)
    except exception as error:
        return error
    raise AssertionError("no %s from %s" % (exception, function))


def run(coroutine):
    """Run to the end; a loop of its own, so that what an earlier test left behind does not go on."""
    import asyncio

    try:
        return asyncio.run(coroutine)
    finally:
        if IS_MICROPYTHON:
            asyncio.new_event_loop()


def now_ms():
    """Real milliseconds, for what takes time."""
    return time.ticks_ms()
