"""What the commands do: gather inputs, run, show. Every known error leaves with its exit code."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
import msgspec
from pydantic import ValidationError

from engine import exits
from engine.actor import drive
from engine.blocks import BlockError
from engine.campaigns.performance import TradeLedger
from engine.config import Config, ConfigError, load, problems, shipped
from engine.exits import ExitError
from engine.exports import DecisionsJsonl, EventsCsv, ExportError, PhasesCsv, TradesCsv
from engine.identity import build_hash, lock_hash
from engine.instruments import InstrumentError
from engine.iso import TimeError, parse_iso
from engine.kernels import is_cold
from engine.messages import FOREVER_NS, NEVER_NS
from engine.replay import Progress, Run, begin, from_tape, identity, resume
from engine.session import RecordedFeed, Session, from_feeds
from engine.show import Screen
from engine.store import Outcome, StoreError, StoreState, StoreWriter
from engine.store import Run as StoreRun
from engine.summary import RunSummary, summary_of
from engine.tap import Sink
from engine.tape import TapeError, TapeMismatch, TapeReader

TAPE_MAGIC = b"SQLite format 3\0"


class ReplayCommand(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `wyckoff replay`, as given."""

    feeds: tuple[Path, ...]
    config: tuple[Path, ...] = ()
    chunk: int = 4096
    start: str | None = None
    until: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    mapping: tuple[str, ...] = ()
    zone: str = "UTC"
    calendar: str = ""
    adjust: bool = True
    is_sorted: bool = False
    tape: Path | None = None
    resume: bool = False
    store: Path | None = None
    events: Path | None = None
    phases: Path | None = None
    trades: Path | None = None
    decisions: Path | None = None
    as_json: bool = False
    quiet: bool = False
    color: bool = True


def run_replay(command: ReplayCommand) -> None:
    """Replay, then print the summary; exports appear only when the run came to its end."""
    screen = Screen(as_json=command.as_json, quiet=command.quiet, color=command.color)
    with known_errors():
        screen.show(_replayed(command, screen))


def run_verify_tape(path: Path, *, as_json: bool) -> None:
    with known_errors():
        _check_exists(path)
        with TapeReader(path) as reader:
            found = reader.verify()
    if as_json:
        print(json.dumps({"tape": str(path), "ok": found.ok, "clean": found.clean, "facts": found.facts,
                          "rows": found.rows, "position": found.bad_position, "reason": found.reason}))  # fmt: skip
    else:
        ended = "ended cleanly" if found.clean else "was cut off (go on with --resume)"
        print(f"{path}: {found.facts:,} facts, {found.rows:,} rows: {found.reason or f'the chain holds; it {ended}'}")
    if not found.ok:
        raise SystemExit(exits.FOUND)


def run_version(*, as_json: bool) -> None:
    known = {"version": version("wyckoff-engine"), "build": build_hash(), "lock": lock_hash()}
    print(json.dumps(known) if as_json else "\n".join(f"{name:8} {value}" for name, value in known.items()))


def configuration(paths: Sequence[Path]) -> Config:
    """The shipped configuration with the given files over it."""
    return load([shipped("replay"), *paths])


def open_feeds(command: ReplayCommand) -> list[RecordedFeed]:
    """One feed a file, opened far enough to know its symbols."""
    files: Any = import_module("adapters.files")
    try:
        options = files.FileOptions(
            symbol=command.symbol, timeframe=command.timeframe, mapping=_mapping(command.mapping), zone=command.zone,
            adjust="auto" if command.adjust else "none", sort=not command.is_sorted, calendar=command.calendar,
            start_ns=parse_iso(command.start) if command.start else NEVER_NS,
            end_ns=parse_iso(command.until) if command.until else FOREVER_NS,
        )  # fmt: skip
    except TimeError as error:
        raise ExitError(exits.USAGE, str(error)) from None
    except ValidationError as error:
        found = "; ".join(f"{one.key}: {one.problem}" for one in problems(error, ""))
        raise ExitError(exits.USAGE, found) from None
    for path in command.feeds:
        _check_exists(path)
    return [files.open_feed(path, options) for path in command.feeds]


def exports(command: ReplayCommand, session: Session) -> Iterator[Any]:
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
def known_errors() -> Iterator[None]:
    """Errors that are the user's or the machine's, with their exit codes."""
    files: Any = import_module("adapters.feed_errors")
    try:
        yield
    except ConfigError as error:
        lines = [f"configuration: {one.key}: {one.problem} ({one.source})" for one in error.problems]
        raise ExitError(exits.BAD_CONFIG, "\n         ".join(lines)) from None
    except InstrumentError as error:
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
    config = configuration(command.config)
    feeds = [] if _is_tape(command.feeds) else open_feeds(command)
    session = _session(config, feeds, command)
    store = None if command.store is None else store_writer(command.store, config, session)
    with ExitStack() as files:
        sinks: list[Sink] = [files.enter_context(export) for export in exports(command, session)]
        run = _begin(command, config, session, [*sinks, *([store] if store else [])])
        if is_cold():
            screen.tell("compiling kernels for this machine; later runs start at once")
        with screen.progress(sum(feed.rows_estimate for feed in feeds)) as progress, _abandoned_on_error(run):
            anyio.run(follow, run, store, progress)
    found = summary_of(run.line, config, session, feeds)
    if store is not None and store.status.reason:
        raise ExitError(exits.IO_FAILED, f"{store.status.reason}; the run itself ended with digest {found.digest}")
    return found


async def follow(run: Run, store: StoreWriter | None, progress: Progress) -> None:
    """Drive a run; the store, where there is one, drains beside it and sets the pace."""
    if store is None:
        await drive(run.steps(progress), time.perf_counter_ns)
        return
    async with anyio.create_task_group() as beside:
        await beside.start(store.run)
        for _ in run.steps(progress):
            if store.status.state is StoreState.LAGGING:
                await store.drained()
        counts = run.line.tap.counts
        told = msgspec.json.encode(counts).decode()
        store.close(Outcome(digest=run.line.tap.digest.hex, ended_ns=counts.line_time_ns, counts=told))


def store_writer(path: Path, config: Config, session: Session) -> StoreWriter:
    """A read model whose run is named by what makes it what it is: the same run replaces itself."""
    start = session.start
    known = identity(config)
    name = f"{start.mode}-{'+'.join(start.feeds)}-{known.config[:8]}-{known.build[:8]}"
    return StoreWriter(
        path,
        StoreRun(
            name=name, mode=start.mode, build_hash=known.build, config_hash=known.config, started_ns=start.time_ns
        ),
    )


def _session(config: Config, feeds: Sequence[RecordedFeed], command: ReplayCommand) -> Session:
    if not feeds:
        return from_tape(command.feeds[0], command.chunk)
    merge: Any = import_module("adapters.files").merge
    return from_feeds(config, feeds, merge, command.chunk)


def _begin(command: ReplayCommand, config: Config, session: Session, sinks: Sequence[Any]) -> Run:
    if not command.resume:
        return begin(config, session, sinks, command.tape, _epoch())
    if command.tape is None:
        raise ExitError(exits.USAGE, "--resume needs --tape FILE: the tape that was cut off")
    _check_exists(command.tape)
    return resume(config, session, sinks, command.tape)


@contextmanager
def _abandoned_on_error(run: Run) -> Iterator[None]:
    try:
        yield
    except BaseException:
        run.abandon()
        raise


def _is_tape(paths: Sequence[Path]) -> bool:
    tapes = [path for path in paths if _begins_like_a_tape(path)]
    if tapes and len(paths) > 1:
        raise ExitError(exits.USAGE, f"{tapes[0]}: a tape is replayed on its own, {len(paths)} feeds were given")
    return bool(tapes)


def _begins_like_a_tape(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(TAPE_MAGIC)) == TAPE_MAGIC
    except OSError:
        return False


def _mapping(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise ExitError(exits.USAGE, f"--map must be OURS=THEIRS, was {pair}")
    return dict(pair.split("=", 1) for pair in pairs)


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise ExitError(exits.NOT_FOUND, f"{path}: there is no such file")


def _epoch() -> str:
    """The creation second in base 36."""
    digits = ""
    left = int(time.time())
    while left:
        left, digit = divmod(left, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits
