"""What the process and its machine are measured by, once a second: as Health facts for the gate, and for `status`.

A limit that is passed refuses entries, never exits; it holds until a later measurement is within it again.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from engine.config.daemon_tables import LiveSettings
from engine.control.status import LoopView
from engine.ingress import Ingress
from engine.live.ports import Clock
from engine.live.tapes import SECOND_NS
from engine.messages import Health
from engine.tape import TapeWriter
from engine.watchdog import ClockSense, LoopWatch, PauseSense, RssGuard

MB = 1_000_000
MS_NS = 1_000_000


class Machine:
    """`watch` is the thread that notices a loop that hangs; `beat` is called from the loop."""

    def __init__(self, settings: LiveSettings, directory: Path, clock: Clock, watch: LoopWatch, pace_ns: int) -> None:
        self._pace_ns = pace_ns
        self._settings = settings
        self._directory = directory
        self._clock = clock
        self._watch = watch
        self._rss = RssGuard(settings.rss_limit_mb)
        self._pause = PauseSense()
        self._wall = ClockSense(settings.clock_skew_ms * MS_NS)
        self._paused_ns = 0
        self._jumped_ns = 0
        self._waiting = {"control": 0, "market": 0}
        self._lag_ns = 0
        self._logs_dropped = 0

    def change(self, settings: LiveSettings) -> None:
        """Other limits, from the next measurement on."""
        self._settings = settings
        self._rss.limit_mb = settings.rss_limit_mb
        self._watch.limit_ns = settings.loop_stall_ms * MS_NS
        self._watch.halt_ns = settings.loop_halt_ms * MS_NS

    def beat(self) -> None:
        """The loop lives; a process that stood still as a whole, or a clock that was set, is remembered."""
        self._lag_ns = max(0, self._watch.beat() - self._pace_ns)
        monotonic_ns = self._clock.monotonic_ns()
        self._paused_ns = max(self._paused_ns, self._pause.beat(monotonic_ns))
        jump_ns = abs(self._wall.beat(self._clock.now_ns(), monotonic_ns))
        self._jumped_ns = max(self._jumped_ns, jump_ns)

    def measure(self, inbox: Ingress, tape: TapeWriter, logs_dropped: int) -> Iterator[Health]:
        """All measurements of this second, each with its limit."""
        settings, now_ns = self._settings, self._clock.now_ns()
        self._waiting, self._logs_dropped = inbox.statistics(), logs_dropped
        reading = self._rss.check()
        limits = {
            "memory_mb": (reading.used_mb, reading.limit_mb * 0.8),
            "tape_lag_ms": (tape.lag_ns() / MS_NS, settings.durability_lag_ms),
            "disk_missing_mb": (max(0.0, settings.free_disk_mb - self._free_mb()), 0.0),
            "stood_still_ms": (self._paused_ns / MS_NS, settings.loop_halt_ms),
            "clock_jump_ms": (self._jumped_ns / MS_NS, settings.clock_skew_ms),
        }
        self._paused_ns = self._jumped_ns = 0
        for name, (value, limit) in limits.items():
            yield Health(now_ns, name, float(value), float(limit))

    def view(self) -> LoopView:
        return LoopView(
            lag_s=self._lag_ns / SECOND_NS,
            stalls=self._watch.stalls,
            waiting_control=self._waiting["control"],
            waiting_market=self._waiting["market"],
            rss_mb=self._rss.check().used_mb,
            rss_limit_mb=self._settings.rss_limit_mb,
            logs_dropped=self._logs_dropped,
        )

    def _free_mb(self) -> float:
        return shutil.disk_usage(self._directory).free / MB
