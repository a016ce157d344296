"""What the commands do: gather inputs, run, show. Every known error leaves with its exit code."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.lowlevel import checkpoint

from engine import exits, instrument_list
from engine.blocks import BlockError
from engine.calendars import CalendarError
from engine.campaigns.performance import TradeLedger
from engine.collector import settle
from engine.compiling import compile_apart, is_cold
from engine.config import Config, ConfigError, located, shipped, told
from engine.exits import ExitError, emit
from engine.exports import DecisionsJsonl, EventsCsv, Export, ExportError, PhasesCsv, TradesCsv
from engine.instruments import InstrumentError
from engine.live.tapes import epoch
from engine.opening import Opened, configuration, configured, listed, opened
from engine.pace import Pace, WallClock
from engine.pace_driver import cause, go
from engine.pace_keys import at_hand, terminal
from engine.pace_line import partial, shown
from engine.proving import Proof, prove
from engine.replay import Progress, Run, begin, from_tape, identity, resume
from engine.replay_command import ReplayCommand, check, check_exists, is_tape
from engine.report_command import Page, keeping, told_of
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
            compile_apart()
        if not command.monitor:
            screen.show(_replayed(command, screen))
            return
        pages: Any = import_module("engine.replay_page")
        with pages.page_of(command) as page:
            screen.show(_replayed(page.command, screen, page))
            screen.tell("the page stays as it is; Ctrl-C ends it")
            page.stay()


def run_verify_tape(path: Path, against: Path | None, config: Sequence[Path], *, as_json: bool) -> None:
    """The chain, and with `against` whether a replay decides what that file says was decided."""
    with known_errors(config):
        for file in filter(None, (path, against)):
            check_exists(file)
        if not path.is_file():
            raise ExitError(exits.IO_FAILED, f"{path}: must be a tape, was a directory, device or pipe")
        with TapeReader(path) as reader:
            found = reader.verify()
        proof = None if against is None or not found.ok else prove(path, against, configuration(config))
    if as_json:
        told = {"tape": str(path), "ok": found.ok, "clean": found.clean, "facts": found.facts, "rows": found.rows,
                "position": found.bad_position, "reason": found.reason}  # fmt: skip
        emit(json.dumps(told | ({} if proof is None else {"against": msgspec.to_builtins(proof)})))
    else:
        ended = "ended cleanly" if found.clean else "was cut off (go on with --resume)"
        emit(f"{path}: {found.facts:,} facts, {found.rows:,} rows: {found.reason or f'the chain holds; it {ended}'}")
        if proof is not None:
            emit(_told_of(proof, against))
    if not found.ok or (proof is not None and not proof.ok):
        raise SystemExit(exits.FOUND)


def _told_of(proof: Proof, against: Path | None) -> str:
    if proof.ok:
        return f"{against}: {proof.decisions:,} decisions, all as replayed; digest {proof.digest}"
    was, is_now = proof.was or "nothing more", proof.is_now or "nothing more"
    return f"{against}: decision {proof.number:,} differs\n  was    {was}\n  is now {is_now}"


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


def _replayed(command: ReplayCommand, screen: Screen, page: Any = None) -> RunSummary:
    config = configured(command)
    if is_tape(command.feeds):
        found, session = Opened([], [], []), from_tape(command.feeds[0], command.chunk)
    else:
        found = opened(command, config)
        session = session_of(config, found, command)
    for note in found.notes:
        screen.tell(note)
    feeds = found.feeds
    with ExitStack() as files:
        kept = files.enter_context(keeping(command, session))
        store = None if kept is None else store_writer(kept.path, config, session)
        if kept is not None:
            anyio.run(_openable, kept.path)
        asked = [files.enter_context(export) for export in exports(command, session)]
        made = None if command.report is None else files.enter_context(Page(command.report))
        sinks: list[Sink] = [*asked, *([store] if store else []), *([kept.keeper] if kept else [])]
        sinks += [page.stream] if page else []
        run = _begin(command, config, session, sinks)
        if store is not None:
            store.follow_heat(run.line.gate.heat_now)
        pace = Pace(WallClock(time.perf_counter_ns), speed=command.speed, stop_ns=command.stop_ns)
        rows = sum(feed.rows_estimate for feed in feeds)
        with shown(screen, pace, rows, quiet=command.quiet) as progress, _abandoned_on_error(run):
            settle()
            beside = page.beside(run, (config, session, pace), store.name) if page and store else None
            anyio.run(follow, run, store, progress, pace, beside)
        for export in asked:
            export.complete()
        summary = summary_of(run.line, config, session, feeds)
        if pace.is_stopped:
            summary = partial(summary, pace, command.tape)
        if kept is not None and store is not None:
            kept.end(command, store, summary)
            if made is not None:
                made.text(told_of(kept.path, store.name))
    return summary


async def follow(
    run: Run,
    store: StoreWriter | None,
    progress: Progress,
    pace: Pace | None = None,
    beside: AbstractAsyncContextManager[None] | None = None,
) -> None:
    """Drive a run; the store, where there is one, drains beside it and the run waits for it. A terminal
    and signals hold it; `beside` is open meanwhile."""
    held = pace or Pace(WallClock(time.perf_counter_ns))
    try:
        async with beside or nullcontext(), at_hand(held, terminal()):
            await _along(run, store, progress, held)
    except BaseExceptionGroup as group:
        raise cause(group) from None


async def _along(run: Run, store: StoreWriter | None, progress: Progress, pace: Pace) -> None:
    if store is None:
        await go(run, pace, progress, clock_ns=time.perf_counter_ns)
        return

    async def keeping_pace() -> None:
        await checkpoint()
        if store.status.state is StoreState.LAGGING:
            await store.drained()

    async with anyio.create_task_group() as beside:
        await beside.start(store.run)
        await go(run, pace, progress, clock_ns=time.perf_counter_ns, turn=keeping_pace)
        counts = run.line.tap.counts
        counted = msgspec.json.encode(counts).decode()
        store.close(Outcome(digest=run.line.tap.digest.hex, ended_ns=counts.line_time_ns, counts=counted))


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


def session_of(config: Config, found: Opened, command: ReplayCommand) -> Session:
    merge: Any = import_module("adapters.files").merge
    return from_feeds(config, found.feeds, merge, command.chunk, found.known)


def _begin(command: ReplayCommand, config: Config, session: Session, sinks: Sequence[Any]) -> Run:
    if not command.resume:
        return begin(config, session, sinks, command.tape, epoch(time.time_ns()))
    assert command.tape is not None
    return resume(config, session, sinks, command.tape)


@contextmanager
def _abandoned_on_error(run: Run) -> Iterator[None]:
    try:
        yield
    except BaseException:
        run.abandon()
        raise
