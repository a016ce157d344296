"""What a venue codec is, and the buffer it fills: one frame in, rows out.

A codec is pure: no clock, no I/O; its only state is what the protocol itself makes a client remember
(channel numbers, the candle that is still open). One object serves one connection. What it does not
know it names in `unknown`; it never guesses.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from engine.blocks import NAN_COLUMNS, OUTSIDE, Bars, MarketBlock, Quotes, Trades
from engine.timeframes import TIMEFRAMES

MARKET_KINDS = frozenset(("trades", "quotes", "bars"))

KINDS_NAMED = 64
"""Different unknown messages that are named; what comes after is counted together."""


class Codec(Protocol):
    """`frame` is one message as the venue sent it: text as UTF-8, or a binary frame.

    Damaged frames go to `rows.malformed`, frames that carry no market row to `rows.passed`
    (acknowledgements, heartbeats, order books), and frames of no known shape to `rows.unknown`.
    Each call reports its frame to exactly one of rows (at least one `trade`, `quote`, `bar`,
    `unfinished` or `skipped`), `passed`, `unknown` or `malformed`; so a frame is read whole before
    its first row is given away. Numbers are finite, integers fit the columns (`adapters.codecs.fields`).
    """

    def decode(self, frame: bytes, received_ns: int, rows: "RowBuffer") -> None: ...


class RowBuffer:
    """Rows in the order they were decoded, cut into blocks wherever the kind changes.

    `numbers` is the session's number of each venue symbol that is wanted; rows of other symbols are
    counted in `counts["unwanted_symbol"]`. `kinds` names what is wanted of trades, quotes, bars.
    Values are not judged here: cleaning does that for all feeds alike.
    """

    def __init__(self, numbers: Mapping[str, int], feed: int, kinds: frozenset[str] = MARKET_KINDS) -> None:
        self.counts: Counter[str] = Counter()
        self.unknown_kinds: Counter[str] = Counter()
        self.rows = 0
        self._numbers = numbers
        self._feed = feed
        self.wants_trades = "trades" in kinds
        self.wants_quotes = "quotes" in kinds
        self.wants_bars = "bars" in kinds
        self._rows: dict[type[MarketBlock], list[tuple[float, ...]]] = {Trades: [], Quotes: [], Bars: []}
        self._runs: list[tuple[type[MarketBlock], int]] = []
        self._kind: type[MarketBlock] | None = None
        self._run: list[tuple[float, ...]] = []

    def trade(
        self, symbol: str, time_ns: int, received_ns: int, price: float, size: float, side: int, trade_id: int
    ) -> None:
        """`side` is the aggressor's: 1 buyer, -1 seller, 0 unknown; `trade_id` 0 where the venue gives none."""
        number = self._numbers.get(symbol)
        if number is None or not self.wants_trades:
            self._unwanted(number)
            return
        if self._kind is not Trades:
            self._begin(Trades)
        self._run.append((time_ns, received_ns, number, price, size, side, trade_id))
        self.rows += 1

    def quote(
        self, symbol: str, time_ns: int, received_ns: int, bid: float, bid_size: float, ask: float, ask_size: float
    ) -> None:
        """A venue that stamps no quotes gives the time of receipt as `time_ns`."""
        number = self._numbers.get(symbol)
        if number is None or not self.wants_quotes:
            self._unwanted(number)
            return
        if self._kind is not Quotes:
            self._begin(Quotes)
        self._run.append((time_ns, received_ns, number, bid, bid_size, ask, ask_size))
        self.rows += 1

    def bar(
        self, symbol: str, timeframe: str, open_ns: int, close_ns: int, received_ns: int,
        open_: float, high: float, low: float, close: float, volume: float, trades: int = -1,
    ) -> None:  # fmt: skip
        """A finished bar over [open_ns, close_ns). Other timeframes than the engine's are not for this."""
        number = self._numbers.get(symbol)
        if number is None or not self.wants_bars:
            self._unwanted(number)
            return
        if self._kind is not Bars:
            self._begin(Bars)
        frame = TIMEFRAMES.index(timeframe)
        self._run.append((open_ns, close_ns, received_ns, number, frame, open_, high, low, close, volume, trades))
        self.rows += 1

    def skipped(self) -> None:
        """A frame of rows that nobody wants, left unread: see `wants_quotes` and its like."""
        self.counts["unwanted_kind"] += 1

    def unfinished(self) -> None:
        """A bar that its venue has not closed yet."""
        self.counts["unfinished_bar"] += 1

    def passed(self, reason: str) -> None:
        """A frame without market rows, and what it was: `heartbeat`, `book`, `acknowledgement`."""
        self.counts[reason] += 1

    def unknown(self, kind: str) -> None:
        """A well-formed frame of a kind that the codec does not know; `kind` is the venue's own word."""
        self.counts["unknown_message"] += 1
        named = kind[:64] if kind[:64] in self.unknown_kinds or len(self.unknown_kinds) < KINDS_NAMED else "other"
        self.unknown_kinds[named] += 1

    def malformed(self) -> None:
        """A frame that is not what its protocol writes: broken JSON, wrong types, missing fields."""
        self.counts["malformed_frame"] += 1

    def take(self) -> list[MarketBlock]:
        """All rows since the last call, unnumbered."""
        rows, runs = self._rows, self._runs
        self._rows = {kind: [] for kind in rows}
        self._kind, self._run, self._runs, self.rows = None, [], [], 0
        whole = {kind: self._block(kind, of_kind) for kind, of_kind in rows.items() if of_kind}
        if len(runs) == 1:
            return [whole[runs[0][0]]]
        taken = []
        # A run begins at a row of its kind and ends where the next run of that kind begins.
        ends = {kind: len(of_kind) for kind, of_kind in rows.items()}
        for kind, start in reversed(runs):
            block = whole[kind].slice(start, ends[kind])
            block.sequence = 0
            ends[kind] = start
            taken.append(block)
        return taken[::-1]

    def _begin(self, kind: type[MarketBlock]) -> None:
        self._kind, self._run = kind, self._rows[kind]
        self._runs.append((kind, len(self._run)))

    def _unwanted(self, number: int | None) -> None:
        self.counts["unwanted_symbol" if number is None else "unwanted_kind"] += 1

    def _block(self, kind: type[MarketBlock], rows: list[tuple[float, ...]]) -> MarketBlock:
        """Live, a block is a few rows: `kind.of` would cost more than they do."""
        size = len(rows)
        given = dict(zip(_COLUMNS[kind], zip(*rows, strict=True), strict=True))
        built: dict[str, Any] = {}
        for name, dtype in kind.COLUMNS.items():
            values = given.get(name)
            if values is None:
                built[name] = np.full(size, np.nan if name in NAN_COLUMNS else 0, dtype)
            else:
                built[name] = np.array(values, dtype)
        built["feed"].fill(self._feed)
        return kind(**built)


assert OUTSIDE == 0, "a row of a codec is from outside, as a column that nobody fills says"

_COLUMNS: dict[type[MarketBlock], tuple[str, ...]] = {
    Trades: ("time_ns", "received_ns", "instrument", "price", "size", "side", "trade_id"),
    Quotes: ("time_ns", "received_ns", "instrument", "bid", "bid_size", "ask", "ask_size"),
    Bars: (
        "open_ns", "close_ns", "received_ns", "instrument", "timeframe",
        "open", "high", "low", "close", "volume", "trades",
    ),
}  # fmt: skip
