"""What watches the engine from beside its loop: stalls, memory, a machine that slept.

Each is a small object on clocks that are given. The thread of `LoopWatch` holds no lock that the loop
needs, and its callback must only set a flag or write a line: the loop may be what hangs.
"""

import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec

SAMPLE_S: Final = 0.02
MOST_FRAMES: Final = 40
PAUSE_NS: Final = 2_000_000_000
"""A gap of more than 2 s between two beats: the machine slept, was moved, or the process was stopped."""

RSS_ALARM: Final = 0.8
"""Share of the memory limit from which entries stop."""

STATUS_FILE: Final = Path("/proc/self/status")


class StallReport(msgspec.Struct, frozen=True):
    """A loop that did not beat for `silent_ns`; `halts` when it is past the second limit. `stacks` is text."""

    silent_ns: int
    halts: bool
    stacks: str


class LoopWatch:
    """Tells once when the loop is silent for `limit_ns`, and once more at `halt_ns`, until it beats again.

    `stalls` counts; `longest_ns` is the longest silence that has ended.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        on_stall: Callable[[StallReport], None],
        *,
        limit_ns: int,
        halt_ns: int,
        loop_thread: int | None = None,
    ) -> None:
        assert 0 < limit_ns <= halt_ns
        self._monotonic_ns = monotonic_ns
        self._on_stall = on_stall
        self.limit_ns = limit_ns
        self.halt_ns = halt_ns
        self._loop_thread = threading.get_ident() if loop_thread is None else loop_thread
        self._beat_ns = monotonic_ns()
        self._told = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop-watch", daemon=True)
        self.stalls = 0
        self.longest_ns = 0

    def start(self) -> None:
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(1.0)

    def beat(self) -> int:
        """Called by the loop, several times within `limit_ns`. Gives the time since the last beat."""
        now_ns = self._monotonic_ns()
        silent_ns = now_ns - self._beat_ns
        self.longest_ns = max(self.longest_ns, silent_ns)
        self._beat_ns = now_ns
        self._told = 0
        return silent_ns

    def look(self) -> StallReport | None:
        """One sample of the watching thread; what it told, if anything."""
        silent_ns = self._monotonic_ns() - self._beat_ns
        due = 2 if silent_ns >= self.halt_ns else 1 if silent_ns >= self.limit_ns else 0
        if due <= self._told:
            return None
        self.stalls += self._told == 0
        self._told = due
        report = StallReport(silent_ns, due == 2, stacks(self._loop_thread))
        self._on_stall(report)
        return report

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.look()


def stacks(first_thread: int) -> str:
    """The stack of every thread, the loop's first; without the values of variables."""
    frames = sys._current_frames()  # noqa: SLF001 - the only way to another thread's stack
    names = {one.ident: one.name for one in threading.enumerate()}
    order = sorted(frames, key=lambda ident: ident != first_thread)
    return "\n".join(f"thread {names.get(ident, ident)}:\n{_stack(frames[ident])}" for ident in order)


def _stack(frame: FrameType) -> str:
    return "".join(traceback.format_stack(frame, limit=MOST_FRAMES)).rstrip()


class PauseSense:
    """Notices that the process stood still as a whole: the monotonic clock went on between two beats."""

    def __init__(self, limit_ns: int = PAUSE_NS) -> None:
        self._limit_ns = limit_ns
        self._seen_ns: int | None = None

    def beat(self, monotonic_ns: int) -> int:
        """The gap since the last beat where it is beyond the limit, else 0."""
        before, self._seen_ns = self._seen_ns, monotonic_ns
        gap_ns = 0 if before is None else monotonic_ns - before
        return gap_ns if gap_ns > self._limit_ns else 0


class ClockSense:
    """Notices that the wall clock was set: it and the monotonic clock no longer advance alike."""

    def __init__(self, limit_ns: int) -> None:
        self._limit_ns = limit_ns
        self._offset_ns: int | None = None

    def beat(self, wall_ns: int, monotonic_ns: int) -> int:
        """By how much the wall clock jumped since the last beat, negative when back; 0 within the limit."""
        offset_ns = wall_ns - monotonic_ns
        before, self._offset_ns = self._offset_ns, offset_ns
        jump_ns = 0 if before is None else offset_ns - before
        return jump_ns if abs(jump_ns) > self._limit_ns else 0


class RssReading(msgspec.Struct, frozen=True):
    """Resident memory in MB (10^6 bytes). `alarms` from 80 % of the limit on, `is_over` at it."""

    used_mb: int
    limit_mb: int
    alarms: bool
    is_over: bool


class RssGuard:
    """Reads what the kernel says of our memory; a kernel that says nothing reads as 0."""

    def __init__(self, limit_mb: int, status_file: Path = STATUS_FILE) -> None:
        self.limit_mb = limit_mb
        self._status_file = status_file

    def check(self) -> RssReading:
        used_mb = rss_mb(self._status_file)
        return RssReading(used_mb, self.limit_mb, used_mb >= self.limit_mb * RSS_ALARM, used_mb >= self.limit_mb)


def rss_mb(status_file: Path = STATUS_FILE) -> int:
    try:
        text = status_file.read_text(encoding="ascii")
    except OSError:
        return 0
    found = next((line for line in text.splitlines() if line.startswith("VmRSS:")), "")
    number = found.removeprefix("VmRSS:").strip().removesuffix("kB").strip()
    return int(number) * 1024 // 1_000_000 if number.isdigit() else 0
