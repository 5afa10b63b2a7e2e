# What is frozen into our images of MicroPython for ESP32 (1.25 or newer): everything, so that the app's code is in flash and
# the heap is for its data. `include`, `module`, `package` and `require` are given by MicroPython's build:
#
#   make -C ports/esp32 BOARD=ESP32_GENERIC BOARD_VARIANT=OTA FROZEN_MANIFEST=/path/to/firmware/boards/manifest.py
#
# KANHU_FROZEN is the folder `frozen` of a build (`kanhu firmware build`): app/ with its release.py, boot.py and slots.py.
import os

build = os.environ["KANHU_FROZEN"]

# The port's own modules, but for _boot.py and inisetup.py, in whose place are ours.
include("$(MPY_DIR)/extmod/asyncio")
for name in ("flashbdev.py", "espnow.py"):
    module(name, base_path="$(PORT_DIR)/modules")
require("ssl")
require("neopixel")
require("onewire")

for name in ("_boot.py", "inisetup.py", "main.py"):
    module(name, base_path="modules")
for name in ("boot.py", "slots.py"):
    module(name, base_path=build)
package("app", base_path=build)
