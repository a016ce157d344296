"""`trade` and `record`: one engine in the foreground, from its configuration to a clean end.

What can go wrong at the start goes wrong before anything is begun, each with its exit code; a supervisor reads
from it whether trying again can help.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import structlog

from engine import exits
from engine.arming import disagreement
from engine.calendars import CalendarError
from engine.collector import settle
from engine.config import Config, Settled
from engine.config_command import config_errors, settled
from engine.control.server import SocketTakenError
from engine.control.target import Outcome
from engine.exits import ExitError
from engine.instruments import InstrumentError
from engine.kernels import is_cold
from engine.live.clock import SystemClock
from engine.live.daemon import Daemon
from engine.live.ports import Clock, FeedRefusedError, FeedUnreachableError
from engine.locks import Holder, LockedError, StateLock
from engine.log import LogBook, logging_to
from engine.notify_systemd import Notifier
from engine.outbound import AddressError
from engine.pace_driver import cause
from engine.paths import PathError, Paths, private_directory
from engine.store import StoreError
from engine.tape import TapeError, TapeMismatch


def run_trade(
    home: Path | None, files: Sequence[Path], sets: Sequence[str], *, live: bool = False, adopt: bool = False
) -> None:
    """Returns when the engine has ended cleanly. Raises ExitError."""
    paths, found = settled(home, files, sets)
    _check_armed(found.config, live=live)
    reread = partial(_reread, home, files, sets, found)
    monitor = _monitor_command(home, files, sets)

    def engine(clock: Clock, logs: LogBook) -> Awaitable[None]:
        return Daemon(found, paths, clock, logs, Notifier(os.environ), reread, adopt, monitor).run()

    _run(paths, found, engine)


def run_chaos(home: Path | None, files: Sequence[Path], sets: Sequence[str], seed: int) -> None:
    """Paper trading on a venue of this host on which much goes wrong, apart from all other state. Raises ExitError."""
    chaos: Any = import_module("engine.live.chaos")
    paths, found = chaos.prepared(home, files, sets, seed)
    _check_armed(found.config, live=False)
    sys.stderr.write(chaos.told(seed, paths))

    def run(clock: Clock, logs: LogBook) -> Awaitable[None]:
        def engine(settled: Settled) -> Awaitable[None]:
            return Daemon(settled, paths, clock, logs, Notifier(os.environ), chaos.not_reread).run()

        awaited: Awaitable[None] = chaos.beside_venue(seed, found, clock, engine)
        return awaited

    _run(paths, found, run)


def _run(paths: Paths, found: Settled, engine: Callable[[Clock, LogBook], Awaitable[None]]) -> None:
    clock = SystemClock()
    with (
        _known_errors(),
        _held(paths, found.config, clock.now_ns()),
        logging_to(found.config.log, paths.logs, found.secrets) as logs,
    ):
        _warm_up(found.config)
        try:
            anyio.run(partial(engine, clock, logs), backend_options={"use_uvloop": True})
        except BaseExceptionGroup as group:
            raise _cause(group) from None


def run_record(home: Path | None, files: Sequence[Path], sets: Sequence[str]) -> None:
    """As `run_trade` without strategies: bars and structure, no campaign."""
    run_trade(home, files, [*sets, "run.strategies=[]"])


def _monitor_command(home: Path | None, files: Sequence[Path], sets: Sequence[str]) -> list[str]:
    """The page's process, with the same configuration as this one."""
    options = [*(("--home", str(home)) if home else ())]
    options += [part for file in files for part in ("--config", str(file))]
    options += [part for one in sets for part in ("--set", one)]
    return [sys.executable, "-m", "engine", "monitor", "--with-parent", *options]


def _check_armed(config: Config, *, live: bool) -> None:
    mode, armed = config.run.mode, os.environ.get("WYCKOFF_ARM_LIVE", "")
    reason = disagreement(config, wants_live=live, armed_account=armed, reported_account=None)
    if reason:
        raise ExitError(exits.REFUSED, reason)
    if mode == "live":
        raise ExitError(exits.REFUSED, "run.mode is live, but this release has no orders at a real venue: use paper")
    if mode != "paper":
        raise ExitError(exits.BAD_CONFIG, f"run.mode must be paper to trade, was {mode}")
    if not config.feeds:
        raise ExitError(exits.BAD_CONFIG, "feeds: must name at least one feed, was none")


@contextmanager
def _held(paths: Paths, config: Config, now_ns: int) -> Iterator[None]:
    """Directories and the lock of this mode, until the end."""
    directory = paths.state_of(config.run.mode)
    for one in (directory, paths.runtime, paths.logs, paths.cache):
        private_directory(one)
    lock = StateLock(directory, Holder(os.getpid(), now_ns, config.run.mode))
    try:
        yield
    finally:
        lock.release()


def _warm_up(config: Config) -> None:
    """Every kernel is compiled before the first feed is reached: a compile in between would stall the loop."""
    if is_cold():
        sys.stderr.write("wyckoff: compiling kernels for this machine, half a minute; later starts are quick\n")
    warm: Any = import_module("engine.live.kernels").warm
    warm(config)
    adapters: Any = import_module("adapters.live")
    adapters.warm()
    settle()


def _reread(home: Path | None, files: Sequence[Path], sets: Sequence[str], running: Settled) -> Outcome:
    """What of a changed configuration can take effect now, and what needs a restart."""
    from engine.config import compare

    try:
        _, fresh = settled(home, files, sets)
    except ExitError as error:
        return Outcome(exits.BAD_CONFIG, f"nothing changed: {error}")
    changes = compare(running.config, fresh.config)
    parts = [f"{one.key} is now {one.after}" for one in changes.live]
    parts += [f"{one.key} needs a restart" for one in changes.restart]
    return Outcome(0, "; ".join(parts) or "nothing has changed")


@contextmanager
def _known_errors() -> Iterator[None]:
    """What is the user's, the network's or the machine's to mend, with its exit code."""
    try:
        with config_errors():
            yield
    except (InstrumentError, CalendarError) as error:
        raise ExitError(exits.BAD_CONFIG, str(error)) from None
    except (AddressError, StoreError) as error:
        raise ExitError(exits.BAD_CONFIG if isinstance(error, AddressError) else exits.IO_FAILED, str(error)) from None
    except FeedRefusedError as error:
        raise ExitError(exits.NO_PERMISSION, str(error)) from None
    except FeedUnreachableError as error:
        raise ExitError(exits.TEMPORARY, str(error)) from None
    except (LockedError, SocketTakenError) as error:
        raise ExitError(exits.REFUSED, str(error)) from None
    except TapeMismatch as error:
        raise ExitError(exits.REFUSED, f"{error}; move the tapes away to begin anew") from None
    except TapeError as error:
        raise ExitError(exits.IO_FAILED, str(error)) from None
    except (PathError, OSError) as error:
        raise ExitError(exits.CANNOT_CREATE, str(error)) from None


def _cause(error: BaseException) -> BaseException:
    error = cause(error)
    structlog.get_logger().error("session_failed", error=type(error).__name__, reason=str(error))
    return error
