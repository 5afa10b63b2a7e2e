"""The simulated board: everything of an ESP32 that is not MicroPython, as a CPython library."""

from firmware.sim.board.access_point import AccessPoint
from firmware.sim.board.board import Board, Printed
from firmware.sim.board.buses import I2CChip, Nack, OneWireDevice, UartDevice
from firmware.sim.board.life import Reset

__all__ = ["AccessPoint", "Board", "I2CChip", "Nack", "OneWireDevice", "Printed", "Reset", "UartDevice"]
