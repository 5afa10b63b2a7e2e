"""What MicroPython runs before anything else, frozen into the image: mounts the flash, whatever state it is in."""

import gc

import inisetup
from flashbdev import bdev

if bdev:
    inisetup.mount(bdev)
gc.collect()
