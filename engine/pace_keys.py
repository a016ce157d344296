"""Holding a run by hand: keys where a terminal listens, signals anywhere.

Space or SIGUSR1 pauses and resumes, s or SIGUSR2 goes on to the next bar or decision point, q stops.
"""

import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import anyio

from engine.pace import Pace, PaceState

HELP = "space pauses, s steps to the next bar or decision, q stops"


def toggle(pace: Pace) -> None:
    if pace.state is PaceState.RUNNING:
        pace.pause()
    else:
        pace.resume()


KEYS: Mapping[str, Callable[[Pace], None]] = {" ": toggle, "s": Pace.step, "q": Pace.stop}
SIGNALS: Mapping[int, Callable[[Pace], None]] = {signal.SIGUSR1: toggle, signal.SIGUSR2: Pace.step}


@asynccontextmanager
async def at_hand(pace: Pace, terminal: int | None) -> AsyncIterator[None]:
    """Heeds keys of `terminal`, a file descriptor (None: no keys), and signals while it lasts."""
    async with anyio.create_task_group() as listeners:
        if terminal is not None and is_ours(terminal):
            listeners.start_soon(_keys, pace, terminal)
        if threading.current_thread() is threading.main_thread():
            await listeners.start(_signals, pace)
        try:
            yield
        finally:
            listeners.cancel_scope.cancel()


def is_ours(descriptor: int) -> bool:
    """A terminal whose foreground this process is: changing another's would stop it."""
    return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()


def terminal() -> int | None:
    """Where keys may be read, None where standard input is no terminal."""
    return sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None


def press(pace: Pace, keys: str) -> None:
    for key in keys:
        if key in KEYS:
            KEYS[key](pace)


async def _keys(pace: Pace, terminal: int) -> None:
    with _unbuffered(terminal):
        while True:
            await anyio.wait_readable(terminal)
            read = os.read(terminal, 64)
            if not read:
                return
            press(pace, read.decode(errors="replace"))


async def _signals(pace: Pace, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(*map(signal.Signals, SIGNALS)) as received:
        task_status.started()
        async for number in received:
            SIGNALS[number](pace)


@contextmanager
def _unbuffered(terminal: int) -> Iterator[None]:
    """Keys arrive as they are pressed, and are not shown."""
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
