"""The line that a paced run shows of itself: simulated time, speed reached, rows, what it waits for.

And what is said of a run that was stopped before its last fact.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import msgspec

from engine.iso import iso
from engine.messages import NEVER_NS
from engine.pace import Pace, PaceState, Position
from engine.pace_keys import HELP, terminal
from engine.replay import Progress
from engine.show import Screen
from engine.summary import RunSummary

EVERY_NS = 100_000_000
"""Drawn at most this often."""

WIDTH = 100
WORDS = {
    PaceState.RUNNING: "",
    PaceState.STEPPING: "stepping",
    PaceState.PAUSED: "paused",
    PaceState.STOPPED: "stopped",
}


class PaceLine:
    """Told of rows like a progress bar; drawn over itself on `stream`."""

    def __init__(self, pace: Pace, stream: TextIO, clock_ns: Callable[[], int]) -> None:
        self._pace = pace
        self._stream = stream
        self._clock_ns = clock_ns
        self._drawn_ns: int | None = None
        self._rows = 0

    def redraw(self) -> None:
        """At once: somebody has held the run or let it go."""
        self._drawn_ns = None
        self.move(self._rows)

    def move(self, rows: int) -> None:
        self._rows = rows
        now_ns = self._clock_ns()
        held = self._pace.state is not PaceState.RUNNING
        if held or self._drawn_ns is None or now_ns - self._drawn_ns >= EVERY_NS:
            self._drawn_ns = now_ns
            self._draw(text(self._pace.position, rows))

    def end(self) -> None:
        """Leaves an empty line to what comes after."""
        if self._drawn_ns is not None:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(WIDTH)[:WIDTH])
        self._stream.flush()


def text(position: Position, rows: int) -> str:
    time = "before the first row" if position.time_ns == NEVER_NS else iso(position.time_ns)
    asked = f" of {position.speed:g}x" if position.speed else ""
    parts = (time, f"{position.reached:,.3g}x{asked}", f"{rows:,} rows", WORDS[position.state])
    return "  ".join(part for part in parts if part)


@contextmanager
def shown(screen: Screen, pace: Pace, rows: int, *, quiet: bool) -> Iterator[Progress]:
    """A bar of rows for a run that goes as fast as it can, this line for a paced one."""
    if terminal() is not None and pace.speed:
        screen.tell(HELP)
    if not pace.speed:
        with screen.progress(rows) as progress:
            yield progress
    elif quiet or not sys.stderr.isatty():
        yield lambda done: None
    else:
        line = PaceLine(pace, sys.stderr, time.perf_counter_ns)
        pace.on_change = line.redraw
        try:
            yield line.move
        finally:
            line.end()


def partial(summary: RunSummary, pace: Pace, tape: Path | None) -> RunSummary:
    """Labelled as what it is, with the way to go on."""
    on = f"Go on with --tape {tape} --resume." if tape else "With --tape FILE it could be resumed."
    at = iso(pace.position.time_ns) or "the start"
    return msgspec.structs.replace(
        summary, note=f"PARTIAL: stopped at {at}, with facts left. {on} {summary.note}".strip()
    )
