"""What the commands do: gather inputs, run, show. Every known error leaves with its exit code."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.lowlevel import checkpoint

from engine import exits, instrument_list
from engine.actor import drive
from engine.blocks import BlockError
from engine.calendars import CalendarError
from engine.campaigns.performance import TradeLedger
from engine.collector import settle
from engine.config import Config, ConfigError, located, shipped, told
from engine.exits import ExitError, emit
from engine.exports import DecisionsJsonl, EventsCsv, Export, ExportError, PhasesCsv, TradesCsv
from engine.instruments import InstrumentError
from engine.kernels import is_cold
from engine.opening import Opened, configured, listed, opened
from engine.replay import Progress, Run, begin, from_tape, identity, resume
from engine.replay_command import ReplayCommand, check, check_exists, is_tape
from engine.session import Session, from_feeds
from engine.show import Screen
from engine.store import Outcome, StoreError, StoreState, StoreWriter, open_store
from engine.store import Run as StoreRun
from engine.summary import RunSummary, summary_of
from engine.tap import Sink
from engine.tape import TapeError, TapeMismatch, TapeReader


def run_replay(command: ReplayCommand) -> None:
    """Replay, then print the summary; exports appear only when the run came to its end."""
    screen = Screen(as_json=command.as_json, quiet=command.quiet, color=command.color)
    with known_errors(command.config):
        check(command)
        if is_cold():
            screen.tell("compiling kernels for this machine, half a minute; later runs start at once")
        screen.show(_replayed(command, screen))


def run_verify_tape(path: Path, *, as_json: bool) -> None:
    with known_errors():
        check_exists(path)
        if not path.is_file():
            raise ExitError(exits.IO_FAILED, f"{path}: must be a tape, was a directory, device or pipe")
        with TapeReader(path) as reader:
            found = reader.verify()
    if as_json:
        emit(json.dumps({"tape": str(path), "ok": found.ok, "clean": found.clean, "facts": found.facts,
                         "rows": found.rows, "position": found.bad_position, "reason": found.reason}))  # fmt: skip
    else:
        ended = "ended cleanly" if found.clean else "was cut off (go on with --resume)"
        emit(f"{path}: {found.facts:,} facts, {found.rows:,} rows: {found.reason or f'the chain holds; it {ended}'}")
    if not found.ok:
        raise SystemExit(exits.FOUND)


def run_list_instruments(command: ReplayCommand, *, as_json: bool) -> None:
    """Exit 10 when an entry that was asked for cannot be used; what can be is shown all the same."""
    with known_errors(command.config):
        for path in (*command.feeds, *command.instruments):
            check_exists(path)
        defined, damaged = listed(command, configured(command))
    emit(instrument_list.as_json(defined) if as_json else instrument_list.as_table(defined))
    for problem in damaged:
        sys.stderr.write(f"wyckoff: {problem}\n")
    if damaged:
        raise SystemExit(exits.FOUND)


def exports(command: ReplayCommand, session: Session) -> Iterator[Export]:
    """The sinks that were asked for; each refuses an unwritable target before the run."""
    start = session.start
    if command.events:
        yield EventsCsv(command.events)
    if command.phases:
        yield PhasesCsv(command.phases, start.symbols, start.timeframes, start.detect_on)
    if command.trades:
        yield TradesCsv(command.trades, TradeLedger(session.table))
    if command.decisions:
        yield DecisionsJsonl(command.decisions)


@contextmanager
def known_errors(config: Sequence[Path] = ()) -> Iterator[None]:
    """Errors that are the user's or the machine's, with their exit codes. `config` are the files
    in which a mistake may be."""
    files: Any = import_module("adapters.feed_errors")
    try:
        yield
    except ConfigError as error:
        lines = [told(one) for one in located(error.problems, [shipped("replay"), *config])]
        raise ExitError(exits.BAD_CONFIG, "\n         ".join(lines)) from None
    except (InstrumentError, CalendarError) as error:
        raise ExitError(exits.BAD_CONFIG, str(error)) from None
    except TapeMismatch as error:
        raise ExitError(exits.REFUSED, f"{error}; replay the feeds onto a new tape instead") from None
    except (TapeError, StoreError) as error:
        raise ExitError(exits.IO_FAILED, str(error)) from None
    except ExportError as error:
        raise ExitError(exits.CANNOT_CREATE, str(error)) from None
    except (files.FeedError, BlockError) as error:
        raise ExitError(exits.BAD_DATA, str(error)) from None


def _replayed(command: ReplayCommand, screen: Screen) -> RunSummary:
    config = configured(command)
    if is_tape(command.feeds):
        found, session = Opened([], [], []), from_tape(command.feeds[0], command.chunk)
    else:
        found = opened(command, config)
        session = _session(config, found, command)
    for note in found.notes:
        screen.tell(note)
    feeds = found.feeds
    store = None if command.store is None else store_writer(command.store, config, session)
    if command.store is not None:
        anyio.run(_openable, command.store)
    with ExitStack() as files:
        asked = [files.enter_context(export) for export in exports(command, session)]
        sinks: list[Sink] = [*asked, *([store] if store else [])]
        run = _begin(command, config, session, sinks)
        with screen.progress(sum(feed.rows_estimate for feed in feeds)) as progress, _abandoned_on_error(run):
            settle()
            anyio.run(follow, run, store, progress)
        for export in asked:
            export.complete()
    summary = summary_of(run.line, config, session, feeds)
    if store is not None and store.status.reason:
        raise ExitError(exits.IO_FAILED, f"{store.status.reason}; the run itself ended with digest {summary.digest}")
    return summary


async def follow(run: Run, store: StoreWriter | None, progress: Progress) -> None:
    """Drive a run; the store, where there is one, drains beside it and sets the pace."""
    if store is None:
        await drive(run.steps(progress), time.perf_counter_ns)
        return

    async def keeping_pace() -> None:
        await checkpoint()
        if store.status.state is StoreState.LAGGING:
            await store.drained()

    try:
        async with anyio.create_task_group() as beside:
            await beside.start(store.run)
            await drive(run.steps(progress), time.perf_counter_ns, turn=keeping_pace)
            counts = run.line.tap.counts
            counted = msgspec.json.encode(counts).decode()
            store.close(Outcome(digest=run.line.tap.digest.hex, ended_ns=counts.line_time_ns, counts=counted))
    except BaseExceptionGroup as group:
        raise _cause(group) from None


def _cause(error: BaseException) -> BaseException:
    """What a task group was ended by: one of the two tasks, for the other is then cancelled."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _openable(store: Path) -> None:
    """Raises StoreError before anything else is begun."""
    async with open_store(store):
        pass


def store_writer(path: Path, config: Config, session: Session) -> StoreWriter:
    """A read model whose run is named by what makes it what it is: the same run replaces itself."""
    start = session.start
    known = identity(config)
    name = f"{start.mode}-{'+'.join(start.feeds)}-{known.config[:8]}-{known.build[:8]}"
    return StoreWriter(
        path,
        StoreRun(
            name=name,
            mode=start.mode,
            build_hash=known.build,
            config_hash=known.config,
            started_ns=start.time_ns,
            config=msgspec.json.encode(config.model_dump(mode="json")).decode(),
        ),
    )


def _session(config: Config, found: Opened, command: ReplayCommand) -> Session:
    merge: Any = import_module("adapters.files").merge
    return from_feeds(config, found.feeds, merge, command.chunk, found.known)


def _begin(command: ReplayCommand, config: Config, session: Session, sinks: Sequence[Any]) -> Run:
    if not command.resume:
        return begin(config, session, sinks, command.tape, _epoch())
    assert command.tape is not None
    return resume(config, session, sinks, command.tape)


@contextmanager
def _abandoned_on_error(run: Run) -> Iterator[None]:
    try:
        yield
    except BaseException:
        run.abandon()
        raise


def _epoch() -> str:
    """The creation second in base 36."""
    digits = ""
    left = int(time.time())
    while left:
        left, digit = divmod(left, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits
