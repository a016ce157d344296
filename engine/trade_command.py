"""`trade`: one engine in the foreground, from its configuration to a clean end.

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
from engine.arming import arming, disagreement, mode_source, unarmed, unfit_credentials
from engine.calendars import CalendarError
from engine.collector import settle
from engine.compiling import compile_apart, is_cold
from engine.config import Config, Settled
from engine.config_command import check_modules, config_errors, settled
from engine.control.server import SocketTakenError
from engine.exits import ExitError
from engine.instruments import InstrumentError
from engine.live import chaos
from engine.live.clock import SystemClock
from engine.live.daemon import Daemon
from engine.live.ports import Clock, FeedRefusedError, FeedUnreachableError
from engine.live.supervision import monitor_beside
from engine.locks import Holder, LockedError, StateLock
from engine.log import LogBook, logging_to
from engine.notify_systemd import Notifier
from engine.outbound import AddressError
from engine.pace_driver import cause
from engine.paths import PathError, Paths, private_directory
from engine.store import StoreError
from engine.tape import TapeError, TapeMismatch

NO_ORDERS = "run.mode is live and every signal agrees, but this release sends no orders to a real venue: use paper"


def run_trade(
    home: Path | None, files: Sequence[Path], sets: Sequence[str], *, live: bool = False, adopt: bool = False
) -> None:
    """Returns when the engine has ended cleanly. Raises ExitError."""
    paths, found = judged(home, files, sets)
    _check_armed(paths, found, live=live)
    monitor = _monitor_command(home, files, sets)

    def again() -> Settled:
        return judged(home, files, sets)[1]

    def engine(clock: Clock, logs: LogBook) -> Awaitable[None]:
        return Daemon(found, paths, clock, logs, Notifier(os.environ), again, adopt, monitor).run()

    run_engine(paths, found, engine)


def run_chaos(home: Path | None, files: Sequence[Path], sets: Sequence[str], seed: int) -> None:
    """Paper trading on a venue of this host on which much goes wrong, apart from all other state. Raises ExitError."""
    paths, found = chaos.prepared(home, files, sets, seed)
    _check_armed(paths, found, live=False)
    sys.stderr.write(chaos.told(seed, paths))

    def run(clock: Clock, logs: LogBook) -> Awaitable[None]:
        def engine(settled: Settled) -> Awaitable[None]:
            return Daemon(settled, paths, clock, logs, Notifier(os.environ), chaos.not_reread).run()

        return chaos.beside_venue(seed, found, clock, engine)

    run_engine(paths, found, run)


def run_engine(paths: Paths, found: Settled, engine: Callable[[Clock, LogBook], Awaitable[None]]) -> None:
    """Directories, lock, log and kernels around an engine. Raises ExitError."""
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


def _monitor_command(home: Path | None, files: Sequence[Path], sets: Sequence[str]) -> list[str]:
    """The page's process, with the same configuration as this one."""
    options = [*(("--home", str(home)) if home else ())]
    options += [part for file in files for part in ("--config", str(file))]
    options += [part for one in sets for part in ("--set", one)]
    return monitor_beside(*options)


def _check_armed(paths: Paths, found: Settled, *, live: bool) -> None:
    """Raises ExitError."""
    config, armed = found.config, os.environ.get("WYCKOFF_ARM_LIVE", "")
    source = mode_source(found)
    reason = disagreement(config, wants_live=live, armed_account=armed, reported_account=None, mode_source=source)
    if not reason and config.run.mode == "live":
        reason = unfit_credentials(config, found.secrets) or _unarmed(paths, config) or NO_ORDERS
    if reason:
        raise ExitError(exits.REFUSED, reason)
    if config.run.mode != "paper":
        raise ExitError(exits.BAD_CONFIG, f"run.mode must be paper to trade, was {config.run.mode}")
    if not config.feeds:
        raise ExitError(exits.BAD_CONFIG, "feeds: must name at least one feed, was none")


def _unarmed(paths: Paths, config: Config) -> str:
    directory = paths.state_of(config.run.mode)
    with _known_errors():
        private_directory(directory)
        return unarmed(directory, arming(config, directory, "", SystemClock().now_ns()))


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
    kernels: Any = import_module("engine.live.kernels")
    if is_cold():
        sys.stderr.write("wyckoff: compiling kernels for this machine, half a minute; later starts are quick\n")
        compile_apart("engine.live.kernels")
    kernels.warm_all(config)
    settle()


def judged(home: Path | None, files: Sequence[Path], sets: Sequence[str]) -> tuple[Paths, Settled]:
    """The configuration as it is written now, judged as `config check` does. Raises ExitError."""
    paths, found = settled(home, files, sets)
    with config_errors():
        check_modules(found.config, found.layers)
    return paths, found


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
