"""Journeys start the same interpreter as the firmware's own tests."""

from tests.firmware.conftest import micropython

__all__ = ["micropython"]
