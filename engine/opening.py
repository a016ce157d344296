"""From the options of a command to what a session is made of: settings, feeds, instruments' metadata.

Adapters are imported here, by name and only when a command needs them: files of rows, recordings of raw
messages, and what venues say of their instruments.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine import exits
from engine.config import Config, load, problems, shipped
from engine.definitions import Defined, VenueMetadata
from engine.exits import ExitError
from engine.instruments import HOURS, MATCH_ON_TRADES, InstrumentError
from engine.replay import from_tape
from engine.replay_command import ReplayCommand, is_tape, options_of_files
from engine.session import RecordedFeed, definitions

RECORDING_OPTIONS = (
    "--from", "--to", "--symbol", "--strict", "--protocol", "--calendar", "--hours", "--instruments",
    "--recorded-instruments",
)  # fmt: skip
"""Of the options of files, those that a recording of raw messages knows."""

BARS = "bars"
"""What a feed of bars says it is; only they end with sessions when they are read."""


@dataclass(frozen=True, slots=True)
class Opened:
    """`feeds` is empty for a tape; `known` is what venues say of the instruments; `notes` are for people."""

    feeds: list[RecordedFeed]
    known: list[VenueMetadata]
    notes: list[str]


def configuration(paths: Sequence[Path]) -> Config:
    """The shipped configuration with the given files over it."""
    return load([shipped("replay"), *paths], run={"mode": "replay"})


def configured(command: ReplayCommand) -> Config:
    """The configuration with what the command line says over it. Raises ConfigError or ExitError."""
    config = configuration(command.config)
    if command.hours not in (None, *HOURS):
        raise ExitError(exits.USAGE, f"--hours must be {' or '.join(HOURS)}, was {command.hours}")
    default = {"calendar": command.calendar, "hours": command.hours}
    said = {name: value for name, value in default.items() if value is not None}
    instruments = config.instruments.model_copy(
        update={
            "default": config.instruments.default.model_copy(update=said),
            "files": (*config.instruments.files, *command.instruments),
            "from_recording": config.instruments.from_recording or command.recorded_instruments,
        }
    )
    return config.model_copy(update={"instruments": instruments})


def opened(command: ReplayCommand, config: Config) -> Opened:
    """One feed a file, opened far enough to know its symbols; recordings of raw messages that
    follow each other in time are one feed. Raises ExitError, FeedError, InstrumentError."""
    raw: Any = import_module("adapters.raw")
    recorded = [path for path in command.feeds if raw.is_raw(path)]
    tables = [path for path in command.feeds if path not in recorded]
    known = metadata(config, recorded)
    feeds, notes = _open_tables(command, config, tables, known)
    return Opened([*feeds, *_open_recordings(command, recorded)], known, notes)


def listed(command: ReplayCommand, config: Config) -> tuple[list[Defined], list[str]]:
    """The instruments of feeds, of a tape, or of a venue's answer; and what is wrong with some of the latter."""
    if is_tape(command.feeds):
        session = from_tape(command.feeds[0], command.chunk)
        return [Defined(one, dict.fromkeys(one.__struct_fields__, "the tape")) for one in session.table.all], []
    venues: Any = import_module("adapters.venue_metadata")
    if not venues.is_metadata(command.feeds[0]):
        found = opened(command, config)
        return list(definitions(config, found.feeds, found.known)), []
    known = [venues.read_metadata(path) for path in command.feeds]
    wanted = (command.symbol,) if command.symbol else sorted({symbol for one in known for symbol in one.symbols})
    defined, damaged = [], []
    for symbol in wanted:
        try:
            defined.append(config.instruments.instrument(symbol, config.run.currency, MATCH_ON_TRADES, known))
        except InstrumentError as error:
            damaged.append(str(error))
    return defined, damaged


def metadata(config: Config, recordings: Sequence[Path]) -> list[VenueMetadata]:
    """What venues say, files first, then recordings. Raises InstrumentError or ExitError."""
    if not config.instruments.files and not config.instruments.from_recording:
        return []
    venues: Any = import_module("adapters.venue_metadata")
    found = [venues.read_metadata(path) for path in config.instruments.files]
    if not config.instruments.from_recording:
        return found
    if not recordings:
        raise ExitError(exits.USAGE, "instruments.from_recording needs a recording of a venue's messages, was none")
    for path in recordings:
        heard = venues.recorded_metadata(path)
        if not heard:
            raise ExitError(exits.BAD_CONFIG, f"{path}: must hold a venue's list of instruments, was without one")
        found += heard
    return found


def _open_recordings(command: ReplayCommand, paths: Sequence[Path]) -> list[RecordedFeed]:
    if not paths:
        return []
    raw: Any = import_module("adapters.raw")
    alone = len(paths) == len(command.feeds)
    unused = next((option for option in options_of_files(command) if option not in RECORDING_OPTIONS), None)
    if unused and alone:
        raise ExitError(exits.USAGE, f"{unused} is for tables: {paths[0]} is a recording of a venue's messages")
    start_ns, end_ns = command.range_ns
    symbols = (command.symbol,) if command.symbol and alone else ()
    with _options():
        options = raw.RawOptions(symbols=symbols, protocol=command.protocol, start_ns=start_ns, end_ns=end_ns)
    feeds: list[RecordedFeed] = raw.open_recordings(paths, _judged(options, command))
    return feeds


def _open_tables(
    command: ReplayCommand, config: Config, paths: Sequence[Path], known: Sequence[VenueMetadata]
) -> tuple[list[RecordedFeed], list[str]]:
    if not paths:
        return [], []
    if command.protocol and len(paths) == len(command.feeds):
        raise ExitError(exits.USAGE, f"--protocol is for recordings: {paths[0]} is none")
    files: Any = import_module("adapters.files")
    options = file_options(command, config)
    found = files.open_feeds(paths, options)
    return [_in_its_calendar(files, feed, options, config, known) for feed in found.feeds], found.empty


def _in_its_calendar(files: Any, feed: Any, options: Any, config: Config, known: Sequence[VenueMetadata]) -> Any:
    """The feed, opened again where its symbols have sessions of their own, which end its bars."""
    if feed.kind != BARS:
        return feed
    instruments = [one.instrument for one in definitions(config, [feed], known)]
    sessions = {(one.calendar, one.hours) for one in instruments}
    if sessions <= {(options.calendar, options.hours)}:
        return feed
    if len(sessions) > 1:
        named = ", ".join(f"{name or 'none'} {hours}" for name, hours in sorted(sessions))
        raise ExitError(exits.BAD_CONFIG, f"{feed.name}: bars must be of one calendar a file, was {named}")
    calendar, hours = sessions.pop()
    return files.open_feed(feed.path, options.model_copy(update={"calendar": calendar, "hours": hours}))


def file_options(command: ReplayCommand, config: Config) -> Any:
    """How tables are to be read. Raises ExitError."""
    files: Any = import_module("adapters.files")
    start_ns, end_ns = command.range_ns
    with _options():
        options = files.FileOptions(
            symbol=command.symbol, timeframe=command.timeframe, mapping=command.column_of, zone=command.zone,
            columns=tuple(command.columns.split(",")) if command.columns else (), layout=command.layout,
            member=command.member, dates=command.dates, calendar=config.instruments.default.calendar,
            hours=config.instruments.default.hours,
            adjust=command.adjust, adjustments=command.adjustments, adjust_as_of=command.adjust_as_of,
            fold=command.fold, sort=not command.is_sorted, start_ns=start_ns, end_ns=end_ns,
        )  # fmt: skip
    return _judged(options, command)


@contextmanager
def _options() -> Iterator[None]:
    """What is wrong with an option, with its name. Raises ExitError."""
    try:
        yield
    except ValidationError as error:
        told = [_told(one.key, one.problem) for one in problems(error, "")]
        raise ExitError(exits.USAGE, "; ".join(told)) from None


def _told(field: str, problem: str) -> str:
    """Our own texts begin with the field's name; pydantic's do not."""
    return problem if not field or problem.startswith(field) else f"--{field.replace('_', '-')}: {problem}"


def _judged(options: Any, command: ReplayCommand) -> Any:
    """With --strict a row that is no market data stops the run; without it is withheld and counted."""
    if not command.strict:
        return options
    return options.model_copy(update={"cleaning": options.cleaning.model_copy(update={"bad_rows": "refuse"})})
