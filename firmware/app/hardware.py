"""The modules of MicroPython in which a device differs from a test."""


class Hardware:
    """`machine`, `esp32` and `network`."""

    def __init__(self) -> None:
        import esp32
        import machine
        import network

        self.machine, self.esp32, self.network = machine, esp32, network
