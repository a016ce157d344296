"""The rows of a live feed between its codec and its cleaner: in order of numbers, and all accounted for.

While history is being asked for, rows wait. Where a venue numbers its trades one by one, rows that
come after a hole wait until it is filled or given up; what has been seen before is dropped here. Whoever
keeps the feed is told at the first row that waits: rows of other symbols must not prove its time.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from adapters.codecs.codec import RowBuffer
from engine.blocks import MarketBlock
from engine.feed_health import Place, Sequence
from engine.messages import NEVER_NS
from engine.timeframes import TIMEFRAMES

MOST_HELD = 200_000
"""Rows that wait at most; beyond that holes are given up."""

RENEWED_NS = 60_000_000_000
"""A row that much later than the last one repeats nothing, whatever its number."""


Trade = tuple[str, int, int, float, float, int, int]
Quote = tuple[str, int, int, float, float, float, float]
Candle = tuple[str, str, int, int, int, float, float, float, float, float, int]


def _nobody(symbol: str, first: int, last: int) -> None:
    """Who is told of a hole until somebody asks to be."""


def _unheard(symbol: str, trades: bool, reason: str) -> None:
    """Who is told of a halt until somebody asks to be."""


class Hole:
    """Numbers that are missing before rows that wait: [first, last]. `since_ns` is when the first row came."""

    __slots__ = ("first", "last", "since_ns")

    def __init__(self, first: int, last: int, since_ns: int) -> None:
        self.first, self.last, self.since_ns = first, last, since_ns


class Intake(RowBuffer):
    """`received` counts rows of wanted symbols and kinds, repeats and backfill included.

    `last_ns` is the time of a symbol's last trade, or the close of its last bar; `opened_ns` the open of its last bar
    in which anything was traded.
    """

    def __init__(self, numbers: Mapping[str, int], feed: int, kinds: frozenset[str], *, consecutive: bool) -> None:
        super().__init__(numbers, feed, kinds)
        self.received = 0
        self.duplicates = 0
        self.conflated = 0
        self.held = 0
        self.breaks = 0
        self.is_crowded = False
        self.on_hole: Callable[[str, int, int], None] = _nobody
        self.on_status: Callable[[str, bool, str], None] = _unheard
        self.is_holding = True
        self.touched: Counter[str] = Counter()
        self.last_ns: dict[str, int] = {}
        self.opened_ns: dict[str, int] = {}
        self.closed_ns: dict[tuple[str, str], int] = {}
        self.sequences: dict[str, Sequence] = {symbol: Sequence() for symbol in numbers} if consecutive else {}
        self._ahead: dict[str, dict[int, Trade]] = {symbol: {} for symbol in self.sequences}
        self._since_ns: dict[str, int] = {}
        self._revisions = RowBuffer(numbers, feed, kinds)
        self._trades: list[Trade] = []
        self._candles: list[Candle] = []
        self._quotes: dict[str, Quote] = {}

    # ------------------------------------------------------------- rows, as a codec gives them

    def trade(
        self, symbol: str, time_ns: int, received_ns: int, price: float, size: float, side: int, trade_id: int
    ) -> None:
        if symbol not in self._numbers or not self.wants_trades:
            super().trade(symbol, time_ns, received_ns, price, size, side, trade_id)
            return
        self.received += 1
        self.touched[symbol] += 1
        sequence = self.sequences.get(symbol)
        if sequence is None:
            if self.is_holding:
                self._trades.append((symbol, time_ns, received_ns, price, size, side, trade_id))
                self.held += 1
            else:
                self._apply((symbol, time_ns, received_ns, price, size, side, trade_id))
        elif not self.is_holding and trade_id == sequence.next_id:
            sequence.next_id += 1
            self.last_ns[symbol] = time_ns
            super().trade(symbol, time_ns, received_ns, price, size, side, trade_id)
            if self._ahead[symbol]:
                self._follow(symbol, sequence)
        else:
            self._place(sequence, (symbol, time_ns, received_ns, price, size, side, trade_id))

    def quote(
        self, symbol: str, time_ns: int, received_ns: int, bid: float, bid_size: float, ask: float, ask_size: float
    ) -> None:
        wanted = symbol in self._numbers and self.wants_quotes
        self.received += wanted
        if not wanted or not self.is_crowded:
            super().quote(symbol, time_ns, received_ns, bid, bid_size, ask, ask_size)
            return
        self.conflated += symbol in self._quotes
        self._quotes[symbol] = (symbol, time_ns, received_ns, bid, bid_size, ask, ask_size)

    def bar(
        self, symbol: str, timeframe: str, open_ns: int, close_ns: int, received_ns: int,
        open_: float, high: float, low: float, close: float, volume: float, trades: int = -1,
    ) -> None:  # fmt: skip
        candle = (symbol, timeframe, open_ns, close_ns, received_ns, open_, high, low, close, volume, trades)
        if symbol not in self._numbers or not self.wants_bars or timeframe not in TIMEFRAMES:
            super().bar(*candle)
            return
        self.received += 1
        self.touched[symbol] += 1
        if self.is_holding:
            self._candles.append(candle)
            self.held += 1
        else:
            self._apply_bar(candle)

    def revise(
        self, symbol: str, timeframe: str, open_ns: int, close_ns: int, received_ns: int,
        open_: float, high: float, low: float, close: float, volume: float, trades: int = -1,
    ) -> None:  # fmt: skip
        """A bar that has changed since it was given. One that was never given is just a bar."""
        candle = (symbol, timeframe, open_ns, close_ns, received_ns, open_, high, low, close, volume, trades)
        if symbol in self._numbers and close_ns <= self.closed_ns.get((symbol, timeframe), NEVER_NS):
            self.received += 1
            self._revisions.bar(*candle)
        else:
            self.bar(*candle)

    def status(self, symbol: str, trades: bool, reason: str) -> None:
        """A symbol is halted, or trades again."""
        if symbol in self._numbers:
            self.on_status(symbol, trades, reason)

    def take_revisions(self) -> list[MarketBlock]:
        return self._revisions.take() if self._revisions.rows else []

    # ---------------------------------------------------------------------- rows out of history

    def fill_trade(self, trade: Trade) -> None:
        """A row that was asked for: it goes before what waits."""
        symbol = trade[0]
        self.received += 1
        sequence = self.sequences.get(symbol)
        if sequence is None:
            self._apply(trade)
        elif sequence.place(trade[6]) is Place.REPEAT:
            self.duplicates += 1
        else:
            sequence.take(trade[6])
            self._apply(trade)

    def fill_bar(self, candle: Candle) -> None:
        self.received += 1
        self._apply_bar(candle)

    # ---------------------------------------------------------------------------- waiting

    def hold(self) -> None:
        """Rows wait from now on."""
        self.is_holding = True

    def release(self) -> None:
        """Rows that wait go on, those after a hole excepted."""
        self.is_holding = False
        trades, self._trades = self._trades, []
        candles, self._candles = self._candles, []
        self.held -= len(trades) + len(candles)
        for trade in trades:
            self._apply(trade)
        for candle in sorted(candles, key=lambda one: one[3]):
            self._apply_bar(candle)
        for symbol, sequence in self.sequences.items():
            if sequence.next_id == 0 and self._ahead[symbol]:
                sequence.next_id = min(self._ahead[symbol])
            self._follow(symbol, sequence)

    def follow(self, symbol: str) -> None:
        """Rows that waited for what was filled go on."""
        self._follow(symbol, self.sequences[symbol])

    def holes(self) -> dict[str, Hole]:
        """Where rows wait for others, by symbol."""
        found = {}
        for symbol, ahead in self._ahead.items():
            if ahead and not self.is_holding:
                first = self.sequences[symbol].next_id
                found[symbol] = Hole(first, min(ahead) - 1, self._since_ns[symbol])
        return found

    def give_up(self, symbol: str) -> int:
        """Go on without the numbers before the first row that waits. Returns how many are missing for good."""
        sequence, ahead = self.sequences[symbol], self._ahead[symbol]
        before = sequence.missing
        while ahead:
            first = min(ahead)
            sequence.missing += max(0, first - sequence.next_id) if sequence.next_id else 0
            sequence.next_id = first
            self._follow(symbol, sequence)
        return sequence.missing - before

    def take(self) -> list[MarketBlock]:
        quotes, self._quotes = self._quotes, {}
        for quote in quotes.values():
            super().quote(*quote)
        return super().take()

    @property
    def is_full(self) -> bool:
        return self.held >= MOST_HELD

    def newest_id(self, symbol: str) -> int:
        """The largest number that came, waiting or not; 0 before the first."""
        sequence = self.sequences.get(symbol)
        if sequence is None:
            return 0
        return max(sequence.next_id - 1, *self._ahead[symbol], 0)

    def _place(self, sequence: Sequence, trade: Trade) -> None:
        symbol, number = trade[0], trade[6]
        ahead = self._ahead[symbol]
        if (sequence.next_id and number < sequence.next_id) or number in ahead:
            if trade[1] > self.last_ns.get(symbol, trade[1]) + RENEWED_NS:
                self._renew(sequence, trade)
            else:
                self.duplicates += 1
        elif sequence.next_id == 0 and not self.is_holding:
            sequence.take(number)
            self._apply(trade)
        else:
            is_new = not ahead
            ahead[number] = trade
            self.held += 1
            if is_new:
                self.breaks += 1
                self._since_ns[symbol] = trade[2]
                if not self.is_holding:
                    self.on_hole(symbol, sequence.next_id, number - 1)

    def _renew(self, sequence: Sequence, trade: Trade) -> None:
        """The venue has begun to count anew: what waits goes first."""
        self.give_up(trade[0])
        sequence.next_id = trade[6] + 1
        self._apply(trade)

    def _follow(self, symbol: str, sequence: Sequence) -> None:
        """Rows that waited for the one before them; those that were filled meanwhile are repeats."""
        ahead = self._ahead[symbol]
        for number in [one for one in ahead if one < sequence.next_id]:
            del ahead[number]
            self.held -= 1
            self.duplicates += 1
        while (trade := ahead.pop(sequence.next_id, None)) is not None:
            sequence.next_id += 1
            self.held -= 1
            self._apply(trade)
        if ahead:
            self._since_ns[symbol] = min(one[2] for one in ahead.values())

    def _apply(self, trade: Trade) -> None:
        self.last_ns[trade[0]] = max(trade[1], self.last_ns.get(trade[0], NEVER_NS))
        super().trade(*trade)

    def _apply_bar(self, candle: Candle) -> None:
        key = candle[0], candle[1]
        if candle[3] <= self.closed_ns.get(key, NEVER_NS):
            self.duplicates += 1
            return
        self.closed_ns[key] = candle[3]
        self.last_ns[candle[0]] = candle[3]
        if candle[9] > 0:
            self.opened_ns[candle[0]] = candle[2]
        super().bar(*candle)
