"""The demo's real devices need the interpreter of the firmware's own tests."""

from tests.firmware.conftest import micropython, pseudo_terminals

__all__ = ["micropython", "pseudo_terminals"]
