"""A recorded session: from feeds or a tape to a table of instruments and a stream of facts.

Files and tapes look alike from here on: a `SessionStart`, the instruments, then facts in order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import msgspec
import numpy as np

from engine.blocks import Bars, MarketBlock, Quotes, Trades
from engine.calendars import Calendar, calendars_of
from engine.chunks import count
from engine.config import Config, ConfigError, Problem
from engine.definitions import Defined, VenueMetadata
from engine.instruments import MATCH_ON_BARS, MATCH_ON_TRADES, InstrumentTable
from engine.messages import NEVER_NS, EndOfFeed, Message, Quarantine, SessionStart
from engine.ports import Feed, Item
from engine.timeframes import TIMEFRAMES, sorted_timeframes

TRADES_TIMEFRAME = "1m"
"""What trades are detected on where the configuration leaves it to the feed."""

NS_PER_MS = 1_000_000


class Source(Protocol):
    """What a feed holds, recorded or live: `kind` is bars, quotes or trades, `timeframe` "" where it has no
    bars. `lateness_ns` is how long a bar must wait for rows that this kind of feed brings late: 0 where order
    in time was made certain."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def timeframe(self) -> str: ...

    @property
    def symbols(self) -> tuple[str, ...]: ...

    @property
    def lateness_ns(self) -> int: ...


class RecordedFeed(Feed, Source, Protocol):
    """A feed that is there already; `rows_estimate` is for a progress bar."""

    @property
    def symbols(self) -> tuple[str, ...]: ...

    @property
    def rows_estimate(self) -> int: ...

    def allow_negative(self, symbols: frozenset[str]) -> None:
        """Prices of these may be 0 or less. Called before `facts`."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """What a line is built for. `facts` can be iterated once; `calendars` are the sessions that
    `start` names; `defined` says where the numbers of `table` came from, () for a tape. `opening` is the
    state that the line begins in, b"" for a fresh one."""

    start: SessionStart
    table: InstrumentTable
    facts: Iterable[Item]
    calendars: tuple[Calendar, ...] = ()
    defined: tuple[Defined, ...] = ()
    opening: bytes = b""


Merge = Callable[[Sequence[Feed], Mapping[str, int], int], Iterator[Item]]


def from_feeds(
    config: Config, feeds: Sequence[RecordedFeed], merge: Merge, chunk: int, known: Sequence[VenueMetadata] = ()
) -> Session:
    """The session that these feeds make together. Reads up to the first row of each.

    Raises ConfigError, InstrumentError, CalendarError.
    """
    defined = definitions(config, feeds, known)
    table = InstrumentTable(one.instrument for one in defined)
    numbers = {symbol: number for number, symbol in enumerate(table.symbols)}
    negative = frozenset(one.symbol for one in table.all if one.allows_negative)
    for feed in feeds:
        feed.allow_negative(negative)
    rows = _as_one(merge(feeds, numbers, chunk))
    first = next(rows, None)
    calendars = calendars_of(table.all, _begins(first))
    start = session_start(config, feeds, table, calendars, _begins(first))
    start = msgspec.structs.replace(start, feeds=("+".join(start.feeds),))
    facts = chain((start, *table.all), () if first is None else (first,), rows)
    return Session(start, table, facts, calendars, defined)


def session_start(
    config: Config, feeds: Sequence[Source], table: InstrumentTable, calendars: Sequence[Calendar], time_ns: int
) -> SessionStart:
    """What these feeds make together from `time_ns` on, each a feed of its own. Raises ConfigError."""
    return SessionStart(
        time_ns=time_ns,
        mode=config.run.mode,
        feeds=tuple(feed.name for feed in feeds),
        timeframes=sorted_timeframes((*TIMEFRAMES, *config.run.timeframes)),
        symbols=table.symbols,
        cash=config.run.cash,
        currency=config.run.currency,
        detect_on=detect_on(config, feeds),
        lateness_ns=lateness_ns(config, feeds),
        sessions=tuple(one.identity for one in calendars),
    )


def definitions(config: Config, feeds: Sequence[Source], known: Sequence[VenueMetadata] = ()) -> tuple[Defined, ...]:
    """Every symbol of the feeds with its definition, by name. Raises ConfigError or InstrumentError."""
    settings, currency = config.instruments, config.run.currency
    matched = sorted(_match_on(feeds).items())
    return tuple(settings.instrument(symbol, currency, match_on, known) for symbol, match_on in matched)


def _as_one(facts: Iterable[Item]) -> Iterator[Item]:
    """Merged feeds prove each other: a row of any says that all are complete up to it.

    As feeds of their own the rows of one would wait for the next row of the slowest, and what was
    decided then would already stand behind later rows and their marks.
    """
    closing_ns = NEVER_NS
    for fact in facts:
        if isinstance(fact, EndOfFeed):
            closing_ns = max(closing_ns, fact.time_ns)
        elif isinstance(fact, Trades | Quotes | Bars) and fact.feed.any():
            yield fact.derive(feed=np.zeros(len(fact), np.int16))
        elif isinstance(fact, Quarantine):
            yield msgspec.structs.replace(fact, feed=0)
        else:
            yield fact
    yield EndOfFeed(time_ns=closing_ns, feed=0)


def skip(facts: Iterable[Item], rows: int) -> Iterator[Item]:
    """What is left after `rows` sequence numbers, of facts that carry none yet."""
    for fact in facts:
        size = count(fact)
        if rows >= size:
            rows -= size
        elif isinstance(fact, MarketBlock) and rows:
            yield fact.slice(rows, len(fact))
            rows = 0
        else:
            yield fact


def _match_on(feeds: Sequence[Source]) -> dict[str, str]:
    """Symbol -> what its orders match on: trades wherever some feed has trades of it."""
    matched: dict[str, str] = {}
    for feed in feeds:
        for symbol in feed.symbols:
            on = MATCH_ON_TRADES if feed.kind == "trades" else MATCH_ON_BARS
            matched[symbol] = MATCH_ON_TRADES if MATCH_ON_TRADES in (on, matched.get(symbol)) else on
    return matched


def detect_on(config: Config, feeds: Sequence[Source]) -> tuple[str, ...]:
    if config.run.detect_on == "feed":
        wanted = {feed.timeframe or TRADES_TIMEFRAME for feed in feeds}
        return sorted_timeframes(wanted)
    missing = [name for name in config.run.detect_on if name not in config.run.timeframes]
    if missing:
        raise ConfigError([Problem("run.detect_on", f"names {missing[0]}, which run.timeframes does not build", "")])
    return config.run.detect_on


def lateness_ns(config: Config, feeds: Sequence[Source]) -> int:
    if config.run.lateness_ms == "feed":
        return max((feed.lateness_ns for feed in feeds), default=0)
    return config.run.lateness_ms * NS_PER_MS


def _begins(first: Item | None) -> int:
    if isinstance(first, MarketBlock):
        return int(first.open_ns[0] if isinstance(first, Bars) else first.row_ns[0])
    return first.time_ns if isinstance(first, Message) and hasattr(first, "time_ns") else 0
