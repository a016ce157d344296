"""Signals of a running engine: SIGTERM and SIGINT alike stop it, a second one ends it at once.

Handlers run on the loop, between two of its steps: nothing is ever interrupted half-way. The second
stop does not wait for the loop, which may be what hangs.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Self

from engine import exits

STOPS: Final = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Inside `async with`, signals call these with the signal's name; afterwards they do what they did.

    `on_kill` is for SIGUSR2: the kill switch for whoever has nothing but `kill`.
    """

    def __init__(
        self,
        on_stop: Callable[[str], None],
        on_reload: Callable[[str], None],
        on_kill: Callable[[str], None] | None = None,
        *,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._on_stop = on_stop
        self._calls = {signal.SIGHUP: on_reload} | ({signal.SIGUSR2: on_kill} if on_kill else {})
        self._leave = leave
        self._stopping = False
        self._before: dict[signal.Signals, object] = {}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        for number in STOPS:
            # Not the loop's own handler: the second one must get through to a loop that hangs.
            self._before[number] = signal.signal(number, self._stop)
        for number, call in self._calls.items():
            self._before[number] = signal.getsignal(number)
            self._loop.add_signal_handler(number, call, signal.Signals(number).name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._calls:
            self._loop.remove_signal_handler(number)
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            self._leave(exits.INTERRUPTED)
            return
        self._stopping = True
        self._loop.call_soon_threadsafe(self._on_stop, signal.Signals(number).name)
