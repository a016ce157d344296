"""The page of a replay: `replay --monitor` starts a monitor beside the run, as `trade` does, and leaves it standing.

It has a home of its own in a private folder, so that it cannot be taken for a trading engine's. While the run goes
the page is fed by its stream; afterwards by its store.
"""

import logging
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import anyio
import msgspec
import structlog

from engine import exits
from engine.config import Config, shipped
from engine.control.server import ControlServer
from engine.exits import ExitError
from engine.live.clock import SystemClock
from engine.live.stream import SOCKET_NAME, EngineStream
from engine.live.supervision import monitor_beside
from engine.pace import Pace
from engine.paths import PathError, Paths, check_socket_path, find_paths
from engine.replay import Run
from engine.replay_command import ReplayCommand
from engine.replay_target import NoLog, ReplayTarget
from engine.session import Session

END_S: Final = 5.0


class ReplayPage:
    """`stream` is a sink of the run's Tap; `command` is what the run is to be called with."""

    def __init__(self, command: ReplayCommand, paths: Paths, process: "subprocess.Popen[bytes]") -> None:
        self.command = command
        self.stream = EngineStream(paths.runtime / SOCKET_NAME, SystemClock())
        self._paths = paths
        self._process = process

    @asynccontextmanager
    async def beside(self, run: Run, about: tuple[Config, Session, Pace], name: str) -> AsyncIterator[None]:
        """Serves stream and control socket of the run, which the store knows as `name`, while it goes."""
        config, session, pace = about
        target = ReplayTarget(run, config, session, pace, self.stream.clock)
        self.stream.begin(session.start, session.table.all, run=name, status=target.status)
        async with ControlServer(target, self._paths.socket, NoLog()), anyio.create_task_group() as tasks:
            tasks.start_soon(self.stream.run)
            yield
            tasks.cancel_scope.cancel()

    def stay(self) -> None:
        """Until a signal. Raises ExitError where the page has ended by itself."""
        try:
            code = self._process.wait()
        except KeyboardInterrupt:
            return
        raise ExitError(exits.CANNOT_CREATE, f"--monitor: the page's process has ended with {code}")


@contextmanager
def page_of(command: ReplayCommand) -> Iterator[ReplayPage]:
    """A run without --store is kept in the page's folder: it is what the page shows when the run has ended."""
    with tempfile.TemporaryDirectory(prefix="wyckoff-replay-") as folder:
        paths = find_paths(Path(folder), {}, Path(folder))
        paths.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            check_socket_path(paths.runtime / SOCKET_NAME)
        except PathError as error:
            raise ExitError(exits.CANNOT_CREATE, f"--monitor: {error}; TMPDIR chooses another place") from None
        store = (command.store or paths.config / "run.sqlite").absolute()
        beside = monitor_command(paths, store, command.listen)
        # Standard output is for what the run came to.
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
        process = subprocess.Popen(beside, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603  ours
        try:
            yield ReplayPage(msgspec.structs.replace(command, store=store), paths, process)
        finally:
            _end(process)


def monitor_command(paths: Paths, store: Path, listen: str | None) -> list[str]:
    """The page's process: shipped settings, this run's store."""
    options = ["--home", str(paths.config), "--config", str(shipped("replay")), "--set", f"store.sqlite={store}"]
    return monitor_beside(*options, *(("--listen", listen) if listen else ()))


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
