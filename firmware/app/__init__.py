"""What runs on a device: MicroPython 1.23 or newer on an ESP32, and CPython 3.11 in tests."""
