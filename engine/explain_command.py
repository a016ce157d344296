"""`wyckoff explain`: what the detector sees in a feed at a moment, and why, as a table, JSON or a picture."""

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from engine import exits
from engine.commands import known_errors
from engine.compiling import is_cold
from engine.config import Config
from engine.exits import ExitError, emit
from engine.explain_feed import Seen, Watcher
from engine.explain_text import as_text
from engine.iso import TimeError, iso, parse_iso
from engine.messages import NEVER_NS
from engine.opening import configured, opened
from engine.replay import from_tape
from engine.replay_command import ReplayCommand, check, is_tape
from engine.session import Session, from_feeds
from engine.show import Screen
from engine.timeframes import LENGTH_NS, TIMEFRAMES, is_counted
from engine.wyckoff.explained import Explanation, Slot, explain

LEAST_BARS, MOST_BARS = 20, 2_000
"""Bars that a picture may show."""


class ExplainCommand(msgspec.Struct, frozen=True, kw_only=True):
    """`feed` says how the feeds are read, without a symbol or timeframe: these name what is explained."""

    feed: ReplayCommand
    at: str
    symbol: str | None = None
    timeframe: str | None = None
    picture: Path | None = None
    bars: int = 160


def run_explain(command: ExplainCommand) -> None:
    feed = command.feed
    screen = Screen(as_json=feed.as_json, quiet=feed.quiet, color=feed.color)
    with known_errors(feed.config):
        at_ns = _moment(command.at)
        check(feed)
        draw = _drawing(command)
        if is_cold():
            screen.tell("compiling kernels for this machine, half a minute; later runs start at once")
        found, seen = explained(command, at_ns, screen)
        if draw is not None:
            assert command.picture is not None
            draw(command.picture, found, seen.bars, seen.events, command.bars)
    emit(_json(found) if feed.as_json else as_text(found, color=feed.color))


def explained(command: ExplainCommand, at_ns: int, screen: Screen) -> tuple[Explanation, Seen]:
    """The view at line time `at_ns`, and what a picture of it needs. Raises ExitError."""
    feed, config = command.feed, configured(command.feed)
    rows, finest = 0, ""
    if is_tape(feed.feeds):
        session = from_tape(feed.feeds[0], feed.chunk)
    else:
        files = opened(_as_of(feed, at_ns), config)
        for note in files.notes:
            screen.tell(note)
        merge: Any = import_module("adapters.files").merge
        rows = sum(one.rows_estimate for one in files.feeds)
        finest = min((one.timeframe for one in files.feeds), key=lambda name: LENGTH_NS[name] if name else 0)
        session = from_feeds(config, files.feeds, merge, feed.chunk, files.known)
    symbol = _symbol(command, session)
    timeframe = _timeframe(command, session, config, finest)
    watcher = Watcher(config, session, symbol, timeframe, max(command.bars, LEAST_BARS))
    with screen.progress(rows) as progress:
        for done in watcher.run(at_ns):
            progress(done)
    seen = watcher.seen
    if seen.now.bars == 0:
        raise ExitError(exits.NOT_FOUND, _too_early(command, seen, symbol, timeframe))
    return explain(Slot(symbol, timeframe, at_ns), seen.now, seen.before, seen.events, seen.changes), seen


def _as_of(feed: ReplayCommand, at_ns: int) -> ReplayCommand:
    """Prices as they were on the day asked about: a later split does not rescale what was seen then."""
    raw: Any = import_module("adapters.raw")
    if feed.adjust_as_of is not None or all(raw.is_raw(path) for path in feed.feeds):
        return feed
    return msgspec.structs.replace(feed, adjust_as_of=iso(at_ns)[:10])


def _moment(text: str) -> int:
    try:
        return parse_iso(text)
    except TimeError as error:
        raise ExitError(exits.USAGE, f"--at: {error}") from None


def _symbol(command: ExplainCommand, session: Session) -> str:
    known = session.start.symbols
    if command.symbol is None and len(known) == 1:
        return known[0]
    if command.symbol is None:
        raise ExitError(exits.USAGE, f"--symbol must name one of the {len(known):,} symbols: {_some(known)}")
    if command.symbol not in known:
        raise ExitError(exits.NOT_FOUND, f"--symbol must be among {_some(known)}, was {command.symbol}")
    return command.symbol


def _timeframe(command: ExplainCommand, session: Session, config: Config, finest: str) -> str:
    """The one asked for, where the feed can make it; else the longest that is detected on."""
    start, asked = session.start, command.timeframe
    if asked is None:
        return max(start.detect_on, key=lambda name: LENGTH_NS[name])
    offered = [name for name in start.timeframes if not finest or (not is_counted(name) and _makes(finest, name))]
    if asked not in TIMEFRAMES and asked not in start.timeframes:
        raise ExitError(exits.USAGE, f"--timeframe must be one of {', '.join(start.timeframes)}, was {asked}")
    if asked not in offered:
        raise ExitError(exits.NOT_FOUND, f"--timeframe: bars of {finest} make {', '.join(offered)}, was {asked}")
    return asked


def _makes(finest: str, name: str) -> bool:
    return LENGTH_NS[name] >= LENGTH_NS[finest]


def _too_early(command: ExplainCommand, seen: Seen, symbol: str, timeframe: str) -> str:
    if seen.first_ns == NEVER_NS:
        return f"{symbol}: the feed has no whole {timeframe} bar with volume"
    return (
        f"--at must be no earlier than {iso(seen.first_ns)}, when the first {timeframe} bar of {symbol} is known, "
        f"was {command.at}"
    )


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8:,} more"


def _drawing(command: ExplainCommand) -> Any:
    """What draws the picture, None where none is asked for; known to work before the feed is read."""
    if command.picture is None:
        return None
    if not LEAST_BARS <= command.bars <= MOST_BARS:
        raise ExitError(exits.USAGE, f"--bars must be {LEAST_BARS} to {MOST_BARS:,}, was {command.bars:,}")
    taken = {path.resolve() for path in (*command.feed.feeds, *command.feed.config)}
    if command.picture.resolve() in taken:
        raise ExitError(exits.USAGE, f"--picture must name a file of its own, was {command.picture}")
    picture: Any = import_module("engine.explain_picture")
    picture.check(command.picture)
    return picture.draw


def _json(found: Explanation) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
