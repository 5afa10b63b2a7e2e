"""The demo's real devices need the interpreter of the firmware's own tests."""

from tests.firmware.conftest import micropython

__all__ = ["micropython"]
