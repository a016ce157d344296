"""The Python entry: `replay(...)` runs a feed through the whole line and gives back columns.

    from engine.api import replay

    result = replay("prices.csv")             # or several files, a tape, arrays, a data frame
    print(result.summary.note or result.summary.pnl, result.digest)
    for event in result.events[-3:]:
        print(event["symbol"], event["event"], event["event_time"], "known", event["known_time"])
    for trade in result.trades:
        print(trade["symbol"], trade["leg"], trade["entry_price"], trade["exit_price"], trade["r"])
    frames = result.to_pandas()               # events, phases, trades, equity, bars
    print(frames.bars.groupby("phase")["volume_ratio"].mean())

It runs the code of `wyckoff replay`, decides the same and has the same digest. It needs no event
loop, so it runs in a script, in a thread and in a notebook alike.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.api_columns import Collector, Result
from engine.commands import known_errors, session_of
from engine.config import Config, ConfigError, overlaid
from engine.exits import ExitError
from engine.opening import Opened, configured, file_options, opened
from engine.replay import begin, from_tape
from engine.replay_command import ReplayCommand, check, is_tape
from engine.summary import summary_of

Feed = str | Path | Sequence[str | Path] | Mapping[str, Any] | Any
"""What `replay` reads: see there."""

FIELDS = (
    "start", "end", "symbol", "timeframe", "layout", "mapping", "columns", "member", "dates", "zone", "fold",
    "adjust", "adjustments", "adjust_as_of", "is_sorted", "strict", "protocol", "calendar", "hours", "instruments",
    "recorded_instruments", "chunk",
)  # fmt: skip
"""Options of `replay`: those of `wyckoff replay` that say how a feed is read (`start` is --from, `end` --to,
`mapping` a dict of our column names to the feed's)."""


class ReplayError(ValueError):
    """A run cannot begin or go on: what was wrong, what was expected and what was found."""


def replay(feed: Feed, config: Any = None, **options: Any) -> Result:
    """Run `feed` through the line, from its first fact to its last.

    `feed` is a path (file, archive, recording or tape), a list of paths, or columns in memory: a mapping,
    a structured array or a data frame with `time` (datetime64, or epochs in any unit; of a bar's open),
    `open`, `high`, `low`, `close`, `volume`, and `symbol` where there are several; all of shape (n,).
    Trades have `time`, `price`, `size`. A mapping of symbols to such columns is several feeds.

    `config` is a TOML file or a list of them over the shipped settings, or a dict of tables, such as
    `{"run": {"cash": "50000"}}`, which wins over options. `options` are those of FIELDS.

    Raises ReplayError, and TypeError for an unknown option.
    """
    paths, tables = _split(feed)
    command = _command(paths, config, options)
    with _plain_errors(command):
        settings = configured(command)
        return _replayed(command, _overlaid(settings, config) if isinstance(config, Mapping) else settings, tables)


def _replayed(command: ReplayCommand, config: Config, tables: Mapping[str, Any]) -> Result:
    check(command)
    found = Opened([], [], [])
    if tables:
        found = _opened_arrays(command, config, tables)
    elif not is_tape(command.feeds):
        found = opened(command, config)
    is_recorded = not tables and is_tape(command.feeds)
    session = from_tape(command.feeds[0], command.chunk) if is_recorded else session_of(config, found, command)
    collector = Collector(session.start)
    run = begin(config, session, [collector], None, "")
    run.finish()
    return collector.result(summary_of(run.line, config, session, found.feeds))


def _overlaid(settings: Config, tables: Mapping[str, Any]) -> Config:
    try:
        return overlaid(settings, tables)
    except ConfigError as error:
        raise ReplayError(f"config: {error}") from None


def _opened_arrays(command: ReplayCommand, config: Config, tables: Mapping[str, Any]) -> Opened:
    arrays: Any = import_module("adapters.arrays")
    options = file_options(command, config)
    return Opened([arrays.open_arrays(name, table, options) for name, table in tables.items()], [], [])


def _split(feed: Feed) -> tuple[tuple[Path, ...], dict[str, Any]]:
    """Paths, or columns by the name of their feed."""
    if isinstance(feed, str | Path):
        return (Path(feed),), {}
    if isinstance(feed, list | tuple):
        if not feed:
            raise ReplayError("feed: must name a file, was an empty list")
        return tuple(Path(one) for one in feed), {}
    if isinstance(feed, Mapping) and feed and all(_is_table(one) for one in feed.values()):
        return (), {str(name): _table(one) for name, one in feed.items()}
    return (), {"arrays": _table(feed)}


def _is_table(value: object) -> bool:
    """Whether it has columns of its own."""
    names = getattr(getattr(value, "dtype", None), "names", None)
    return isinstance(value, Mapping) or hasattr(value, "columns") or names is not None


def _table(value: Any) -> Any:
    """A data frame's times may be its index."""
    return value.reset_index() if hasattr(value, "columns") else value


def _command(paths: Sequence[Path], config: Any, options: Mapping[str, Any]) -> ReplayCommand:
    unknown = sorted(set(options) - set(FIELDS))
    if unknown:
        raise TypeError(f"replay() has no option {unknown[0]}: it must be one of {', '.join(FIELDS)}")
    given = {"until" if name == "end" else name: value for name, value in options.items()}
    if "mapping" in given:
        given["mapping"] = tuple(f"{ours}={theirs}" for ours, theirs in dict(given["mapping"]).items())
    if "columns" in given and not isinstance(given["columns"], str):
        given["columns"] = ",".join(given["columns"])
    if "instruments" in given:
        given["instruments"] = _paths(given["instruments"])
    if given.get("adjustments") is not None:
        given["adjustments"] = Path(given["adjustments"])
    files = () if config is None or isinstance(config, Mapping) else _paths(config)
    return ReplayCommand(feeds=tuple(paths), config=files, **given)


def _paths(given: str | Path | Iterable[str | Path]) -> tuple[Path, ...]:
    return (Path(given),) if isinstance(given, str | Path) else tuple(Path(one) for one in given)


@contextmanager
def _plain_errors(command: ReplayCommand) -> Iterator[None]:
    """One exception for what is wrong with a feed, an option or a setting."""
    try:
        with known_errors(command.config):
            yield
    except ExitError as error:
        raise ReplayError(str(error)) from error


__all__ = ["FIELDS", "ReplayError", "Result", "replay"]
