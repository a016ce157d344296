"""`wyckoff verify-data`: every feed through the cleaning that a replay does, and all that it found.

Several feeds are also merged, as a replay merges them, to see which rows they have in common.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from math import inf
from typing import Any

import msgspec

from engine import exits
from engine.blocks import MarketBlock
from engine.commands import known_errors
from engine.compiling import is_cold
from engine.config import Config
from engine.coverage import Coverage, Hours
from engine.data_report import DataReport
from engine.data_show import as_text, is_colored, progress_of
from engine.exits import ExitError, emit
from engine.opening import Opened, configured, opened
from engine.ports import Item
from engine.replay_command import ReplayCommand, check, is_tape
from engine.session import RecordedFeed, definitions
from engine.show import Screen
from engine.timeframes import TIMEFRAMES

Progress = Callable[[int], None]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """All feeds, and what they have in common: rows of one feed that an earlier one has, too."""

    feeds: list[DataReport]
    repeated: int
    repeated_otherwise: int

    @property
    def is_clean(self) -> bool:
        return all(feed.is_clean for feed in self.feeds) and not self.repeated and not self.repeated_otherwise


def run_verify_data(command: ReplayCommand) -> None:
    """Exit 10 when something was found."""
    screen = Screen(as_json=command.as_json, quiet=command.quiet, color=command.color)
    colored = is_colored(asked=command.color)
    with known_errors(command.config):
        check(command)
        if is_tape(command.feeds):
            raise ExitError(exits.USAGE, f"{command.feeds[0]}: is a tape, which verify-tape verifies")
        config = configured(command)
        found = opened(command, config)
        if is_cold():
            screen.tell("compiling kernels for this machine; later runs start at once")
        with progress_of(
            sum(feed.rows_estimate for feed in found.feeds), quiet=command.quiet, color=colored
        ) as progress:
            verified = _verified(found, config, progress)
    for note in found.notes:
        screen.tell(note)
    emit(_json(verified) if command.as_json else as_text(verified.feeds, _shared(verified), color=colored))
    if not verified.is_clean:
        raise SystemExit(exits.FOUND)


class _Observed:
    """A feed whose rows are looked at on their way."""

    def __init__(self, feed: RecordedFeed, symbols: Sequence[str], progress: Progress) -> None:
        self.name = feed.name
        self.symbols = feed.symbols
        self.feed = feed
        self.coverage = Coverage(symbols, TIMEFRAMES)
        self._progress = progress

    @property
    def counts(self) -> Mapping[str, int]:
        return self.feed.counts

    def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
        for fact in self.feed.facts(numbers, feed, chunk):
            if isinstance(fact, MarketBlock):
                self.coverage.add(fact)
                self._progress(len(fact))
            yield fact


def _verified(found: Opened, config: Config, progress: Progress) -> Verified:
    symbols = sorted({symbol for feed in found.feeds for symbol in feed.symbols})
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done)

    observed = [_Observed(feed, symbols, count) for feed in found.feeds]
    repeated, otherwise = _read(observed, numbers)
    hours = {
        one.instrument.symbol: (one.instrument.calendar, one.instrument.hours)
        for one in definitions(config, found.feeds, found.known)
    }
    return Verified(feeds=[_report(one, hours) for one in observed], repeated=repeated, repeated_otherwise=otherwise)


def _read(observed: Sequence[_Observed], numbers: Mapping[str, int]) -> tuple[int, int]:
    """Rows that repeat a row of an earlier feed, with the same values and with others."""
    chunk = 65_536
    if len(observed) == 1:
        for _ in observed[0].facts(numbers, 0, chunk):
            pass
        return 0, 0
    merge: Any = import_module("adapters.files").merge
    cleaning: Any = import_module("adapters.cleaning")
    believing = cleaning.CleaningSettings(
        trade_band=inf, bar_bands=(inf,) * len(TIMEFRAMES), hole_band=inf, reuse_ratio=inf
    )
    together = cleaning.Cleaner(numbers, believing)
    for fact in merge(observed, numbers, chunk):
        if isinstance(fact, MarketBlock):
            together.clean(fact)
    found = together.findings.all
    return found.get("duplicate", 0), found.get("duplicate_conflicting", 0)


def _report(one: _Observed, hours: Mapping[str, Hours]) -> DataReport:
    telling: Any = import_module("adapters.cleaning.telling")
    feed: Any = one.feed
    coverage = one.coverage
    counts = dict(feed.counts)
    is_raw = hasattr(feed, "messages")
    findings = telling.told(feed.findings, counts | dict(getattr(feed, "told", {})), is_raw=is_raw)
    return DataReport(
        name=feed.name, kind=feed.kind, timeframe=feed.timeframe,
        layout=feed.protocol if is_raw else feed.layout, rows=counts["rows"], rows_out=coverage.rows,
        symbols=len(feed.symbols), first_ns=coverage.first_ns, last_ns=coverage.last_ns, findings=findings,
        gaps=coverage.gaps(hours), notes=[*coverage.notes(), *_messages(feed, is_raw)],
    )  # fmt: skip


def _messages(feed: Any, is_raw: bool) -> Iterator[str]:
    """What a recording holds beside rows."""
    if is_raw:
        yield ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in feed.messages.items())
        if feed.unknown_kinds:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in list(feed.unknown_kinds.items())[:10])
            yield f"unknown messages: {kinds}"


def _shared(verified: Verified) -> str:
    """A line on what the feeds have in common, "" where that is nothing."""
    if not verified.repeated and not verified.repeated_otherwise:
        return ""
    return (
        f"together: {verified.repeated:,} rows repeat a row of an earlier feed, {verified.repeated_otherwise:,} with "
        "other values; the first in time stays"
    )


def _json(verified: Verified) -> str:
    return msgspec.json.format(msgspec.json.encode(verified), indent=2).decode()
