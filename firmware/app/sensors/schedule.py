"""Run several sensors through their phases at once; one that fails or hangs yields None and stops nobody.

The waits overlap: three probes of 50 s take 50 s. Time and waiting are arguments, so the same code runs on the clock of the
device, in light sleep, and in a test without any waiting.
"""

from app.sensors.base import PHASES

_POLL_MS = 5  # least wait between two looks at a sensor that is not ready
_START, _SLEEP = PHASES.index("start"), PHASES.index("sleep")
_END_MS = 2000  # what a sensor may take to go to sleep, after its limit


class Run:
    """One sensor on its way through the phases."""

    def __init__(self, sensor, now_ms: int):
        self.sensor = sensor
        self.phase = 0
        self.due_ms = now_ms
        self.until_ms = now_ms + sensor.LIMIT_MS
        self.results = []
        self.values = tuple(None for _ in sensor.NAMES)
        self.error = ""
        self.done = False

    def step(self, now_ms: int) -> None:
        """Do the phase that is due. Never raises; what goes wrong is in `error`, and the sensor is still powered down."""
        name = PHASES[self.phase]
        try:
            if now_ms > self.until_ms + (0 if self.phase < _SLEEP else _END_MS):
                raise OSError(f"no result within {self.sensor.LIMIT_MS} ms, stuck in {name}")
            wait_ms = self._result() if name == "result" else getattr(self.sensor, name)()
        except Exception as seen:  # a driver's bug must not cost the other sensors' readings
            self.error = self.error or f"{name}: {seen!r}"
            wait_ms = 0
            # Powered down whatever happened, by way of sleep unless sleep itself failed.
            self.phase = _SLEEP if self.phase < _SLEEP else _SLEEP + 1
            self.done = name == "power_down"
        else:
            if wait_ms < 0:
                wait_ms = max(-wait_ms, _POLL_MS)
            elif name != "result":
                self.phase += 1
                self.done = name == "power_down"
        if self.done:
            self.sensor.listening = False
        self.due_ms = now_ms + wait_ms

    def _result(self) -> int:
        self.results.append(self.sensor.result())
        if len(self.results) < self.sensor.average:
            self.phase = _START
        else:
            self.values = self.sensor.combine(self.results)
            self.phase += 1
        return 0


async def collect(sensors: list, now_ms, wait, spent=None) -> dict:
    """Measure with all of `sensors`.

    Args:
        now_ms: function, a monotonic millisecond count that does not wrap.
        wait: coroutine function of milliseconds; may be a light sleep.
        spent: function (sensor, phase, ms) for the energy account, or None.
    Returns:
        name -> Run; its `values` in the order of the sensor's NAMES, `error` empty or what went wrong.
    """
    runs = [Run(sensor, now_ms()) for sensor in sensors]
    waiting = list(runs)
    while waiting:
        now = now_ms()
        for run in waiting:
            while not run.done and run.due_ms <= now:
                phase = PHASES[run.phase]
                run.step(now)
                if spent is not None:
                    spent(run.sensor, phase, max(0, run.due_ms - now))
        waiting = [run for run in waiting if not run.done]
        if waiting:
            await wait(max(1, min(run.due_ms for run in waiting) - now_ms()))
    return {run.sensor.name: run for run in runs}
