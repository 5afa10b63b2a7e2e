"""Pins and buses by the names the settings give them; an app never says a GPIO number."""

from app.settings import Misconfigured


class Board:
    """The wires of this device.

    Args:
        pins: the settings' `pins`: name -> GPIO number, or an object for a bus.
        machine: the module; given in tests.
    """

    def __init__(self, pins: dict, machine=None) -> None:
        if machine is None:
            import machine
        self._pins = pins
        self._machine = machine
        self._buses = {}

    def has(self, name: str) -> bool:
        """Whether the settings name such a wire."""
        return name in self._pins

    def pin(self, name: str, out: bool = False, pull: int = 0, value: int = 0):
        """A `machine.Pin`.

        Args:
            out: an output, which starts at `value`; else an input.
            pull: 1 up, -1 down, 0 none.
        """
        pin = self._machine.Pin
        number = self.wire(name)
        if out:
            return pin(number, pin.OUT, value=value)
        return pin(number, pin.IN, {1: pin.PULL_UP, -1: pin.PULL_DOWN}.get(pull))

    def i2c(self, name: str = "i2c"):
        """The `machine.I2C` of this name; the same object each time."""

        def make(wire):
            pin = self._machine.Pin
            # With a limit: a chip that holds the clock low must not hold the whole device.
            freq = wire.get("freq", 100_000)
            return self._machine.I2C(wire.get("id", 0), scl=pin(wire["scl"]), sda=pin(wire["sda"]), freq=freq, timeout=50_000)

        return self._bus(name, make)

    def uart(self, name: str, baud: int = 9600, **more):
        """The `machine.UART` of this name; `baud` where the settings say none, `more` as UART takes it (`rxbuf`, `parity`)."""

        def make(wire):
            rate = wire.get("baud", baud)
            return self._machine.UART(wire["id"], baudrate=rate, tx=wire["tx"], rx=wire["rx"], timeout=0, **more)

        return self._bus(name, make)

    def onewire(self, name: str = "onewire"):
        """The `onewire.OneWire` of this name."""

        def make(wire):
            import onewire

            return onewire.OneWire(self._machine.Pin(wire))

        return self._bus(name, make)

    def adc(self, name: str):
        """Function without arguments -> volts at the source, that is at the pin times the settings' `ratio`."""

        def make(wire):
            machine = self._machine
            # 11 dB: 0.15 to 2.45 V at the pin. `read_uv` carries the chip's own calibration; enough for a battery only.
            adc = machine.ADC(machine.Pin(wire["pin"]), atten=machine.ADC.ATTN_11DB)
            ratio = wire.get("ratio", 1)
            return lambda: adc.read_uv() * ratio / 1_000_000

        return self._bus(name, make)

    def wire(self, name: str):
        """What the settings say of this name.

        Raises:
            Misconfigured: nothing.
        """
        if name not in self._pins:
            raise Misconfigured(["pins.%s: missing, and this device needs it" % name])
        return self._pins[name]

    def _bus(self, name: str, make):
        if name not in self._buses:
            self._buses[name] = make(self.wire(name))
        return self._buses[name]
