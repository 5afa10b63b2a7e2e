"""The simulated board: everything of an ESP32 that is not MicroPython, as a CPython library."""
