"""What MicroPython runs last: see `boot`."""

import boot

boot.run()
