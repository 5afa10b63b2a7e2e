"""Runs before the app: counts the start, picks the slot whose code runs, and turns to safe mode after too many bad starts.

Lies beside `slots` outside of both slots, and no update from afar replaces it. Imports nothing of the app before a slot is
chosen. `/main.py` is `import boot; boot.run()`.
"""

import gc
import sys
import time

FAILED = "boots_failed"  # NVS: starts since the last good one; app.safe_mode sets it to 0 when a boot is good
SAFE = "safe_rounds"  # NVS: how often safe mode was entered since
ALONE = "update_alone"  # NVS: 1 when an update needs all the memory; 2 while and after it had it
PLUGGED = "plugged"  # NVS: times in a row that the power came back within a minute
_PLUGGED_TIMES = 4
LIMIT = 10
AGAIN = 7  # after a round of safe mode: three more chances for the app
_COLLECT_EVERY = 4096  # bytes
_PAUSE_S = 3  # before a reset after an error: for a person with Ctrl-C, and against a loop at full speed


def run(root: str = "") -> None:
    """Everything from power-on to reset. Comes back only when a person at the console pressed Ctrl-C."""
    import esp32
    import machine
    import slots  # type: ignore[import-not-found]  # lies beside this file

    nvs = esp32.NVS("kanhu")
    woke = machine.reset_cause() == machine.DEEPSLEEP_RESET
    try:
        safe = start(root, nvs, woke, _partition(esp32))
        asked = is_asked(nvs, machine.reset_cause() == machine.PWRON_RESET) or not slots.exists(root + "/settings.json")
        asked = asked or slots.exists(root + "/enrol.json")  # an enrolment that the power cut short
        # Once: what cannot be noted would be done at every start.
        alone = slots.number(nvs, ALONE) == 1 and slots.store(nvs, ALONE, 2)
        # The app has its own; every kilobyte counts.
        del slots, sys.modules["slots"]
        _hand_over(root, safe, alone, asked)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        remember(nvs, error)
        time.sleep(_PAUSE_S)
    machine.reset()


def is_asked(nvs, plugged: bool) -> bool:
    """Whether a person asks for the set-up page: power on four times, each for less than a minute.

    Args:
        plugged: the power came back; a crash or a watchdog is no person.
    """
    import slots  # type: ignore[import-not-found]  # lies beside this file

    count = slots.number(nvs, PLUGGED) + 1 if plugged else 0
    asked = count >= _PLUGGED_TIMES
    slots.store(nvs, PLUGGED, 0 if asked else count)
    return asked


def _hand_over(root: str, safe: bool, alone: bool, asked: bool) -> None:
    # What loading leaves behind is taken away often, or the heap ends up in pieces too small for the code that comes next.
    gc.threshold(_COLLECT_EVERY)
    if safe or alone:
        from app import safe_mode

        safe_mode.run(root, alone=alone)
    elif asked:
        from app import set_up

        set_up.run(root)
    else:
        from app import main

        main.run(root)


def start(root: str, nvs, woke: bool, partition=None) -> bool:
    """Choose the code and put it first on the path; True: run it in safe mode.

    A waking from planned deep sleep belongs to the boot before it and is not counted.
    """
    import slots  # type: ignore[import-not-found]  # lies beside this file

    failed = slots.number(nvs, FAILED)
    if not woke:
        failed += 1
    safe = failed > LIMIT
    if safe:
        # The next start tries the app again, and the next round of safe mode uses the other code.
        slots.store(nvs, FAILED, AGAIN)
        slots.store(nvs, SAFE, slots.number(nvs, SAFE) + 1)
    else:
        slots.store(nvs, FAILED, failed)
    try:
        chosen = slots.Slots(root, nvs, partition)
        folder = chosen.start(woke)
        if safe and slots.number(nvs, SAFE) % 2 == 0:
            folder = chosen.folder(chosen.free()) if chosen.is_complete(chosen.free()) else None
    except OSError as error:
        # The file system is out of order: what is frozen into the image, if anything, can still fetch help.
        remember(nvs, error)
        folder = None
    if folder is not None:
        sys.path.insert(0, folder)
    return safe


def remember(nvs, error) -> None:
    """Keep why the app ended, for the health record of the next boot, and print it."""
    # The heap may be full of the app: it goes first.
    for name in [name for name in sys.modules if name.startswith("app")]:
        del sys.modules[name]
    gc.collect()
    try:
        import io

        import slots  # type: ignore[import-not-found]  # lies beside this file

        printed = io.StringIO()
        sys.print_exception(error, printed)
        lines = printed.getvalue().strip().split("\n")
        print("\n".join(lines))
        # Where it happened is in the last two lines.
        slots.note(nvs, "crash", " | ".join(line.strip() for line in lines[-2:]))
    except (MemoryError, OSError):
        pass


def _partition(esp32):
    try:
        return esp32.Partition(esp32.Partition.RUNNING).info()[4]
    except (AttributeError, OSError):
        return None
