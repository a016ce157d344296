"""The breakout that every engine trades, its rules of matching, and the trades that follow.

On each bar's close while flat: buy at market when it lies above the highest high of the `lookback`
bars before it. The stop begins `trail` thousandths under that close and follows the highest close
since, downward to the tick, at each bar's close. The stop is the only way out. One position at a time.

Prices are whole ticks throughout, so that no engine's floats round differently. `expected_on_bars` and
`expected_on_trades` are plain loops without an engine in them: what must come out, under given `Rules`.
Runs on every Python that a peer needs, with nothing but NumPy.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

TICKS_PER_UNIT = 100
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Plan:
    """`lookback` in bars, `trail` in thousandths of price."""

    lookback: int
    trail: int

    def stop(self, close: int) -> int:
        """The stop under a highest close, in ticks."""
        return close * (1_000 - self.trail) // 1_000


@dataclass(frozen=True)
class Rules:
    """How an engine matches, where engines differ.

    `entry`: the market order fills at the `next` open or trade; at the `last` close, that of the bar which
    decided; or at the `ask` that the trades so far imply (a buyer's trade sets it, a seller's at most lifts
    it). `protects_entry_bar`: the stop already stands during the bar of the entry. `gap`: a stop that is
    jumped over fills at the `market`, or at the `stop` all the same. `trigger`: on trades, what sets the stop
    off: `any` trade, or only a `seller`'s, which alone moves the bid. `skips_first`: the first bar that has
    `lookback` bars before it is not traded.
    """

    entry: str = "next"
    protects_entry_bar: bool = True
    gap: str = "market"
    trigger: str = "any"
    skips_first: bool = False


OURS = Rules()

NAMES = {
    Rules(entry="last"): "entry fills at the price that decided, not at the next",
    Rules(entry="ask"): "entry fills at the implied ask as the bar closes, not at the next trade",
    Rules(protects_entry_bar=False): "stop is placed once the bar of the entry has closed",
    Rules(trigger="seller"): "a sellers' trade sets the stop off, not any trade",
    Rules(skips_first=True): "the first bar with a full look-back is not traded",
    Rules(gap="stop"): "a jumped stop fills at its level, not at the market",
}
"""Each difference from this engine by itself."""


class Trade(NamedTuple):
    """Times are closes of minutes (bars) or of the trades filled against, prices in ticks."""

    entry_ns: int
    entry_price: int
    exit_ns: int
    exit_price: int


class Highest:
    """Highest of the last `size` values, in constant time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen = 0
        self._kept: deque[tuple[int, int]] = deque()

    @property
    def value(self) -> int | None:
        """None before `size` values were seen."""
        return self._kept[0][1] if self._seen >= self._size else None

    def add(self, value: int) -> None:
        kept = self._kept
        while kept and kept[-1][1] <= value:
            kept.pop()
        kept.append((self._seen, value))
        self._seen += 1
        if kept[0][0] <= self._seen - 1 - self._size:
            kept.popleft()


class Signals:
    """Bar by bar, whether this close breaks out of the highs before it."""

    def __init__(self, plan: Plan, skips_first: bool = False) -> None:
        self._highest = Highest(plan.lookback)
        self._skips = skips_first

    def breaks_out(self, high: int, close: int) -> bool:
        level = self._highest.value
        if level is not None and self._skips:
            level, self._skips = None, False
        self._highest.add(high)
        return level is not None and close > level


class Reference:
    """The state of the one position: `decided` is the close of a bar that broke out, or None."""

    def __init__(self, plan: Plan, rules: Rules) -> None:
        self.plan = plan
        self.rules = rules
        self.decided: int | None = None
        self.entry: tuple[int, int] | None = None
        self.stop = 0
        self.ask = 0
        self.trades: list[Trade] = []

    def enter(self, time_ns: int, price: int) -> None:
        assert self.decided is not None
        self.entry, self.stop, self.decided = (time_ns, price), self.plan.stop(self.decided), None

    def leave(self, time_ns: int, price: int) -> None:
        assert self.entry is not None
        self.trades.append(Trade(*self.entry, time_ns, price))
        self.entry = None

    def meet(self, time_ns: int, first: int, low: int) -> None:
        """The stop against a row that begins at `first` and reaches down to `low`."""
        if self.entry is not None and low <= self.stop:
            jumped = self.rules.gap == "market" and first < self.stop
            self.leave(time_ns, first if jumped else self.stop)

    def meet_trade(self, time_ns: int, price: int, *, is_buyer: bool) -> None:
        if self.rules.trigger == "any" or not is_buyer:
            self.meet(time_ns, price, price)

    def close(self, time_ns: int, close: int, breaks_out: bool) -> None:
        """The end of a bar: trail, or decide."""
        if self.entry is not None:
            self.stop = max(self.stop, self.plan.stop(close))
        elif breaks_out:
            self.decided = close
            if self.rules.entry != "next":
                self.enter(time_ns, close if self.rules.entry == "last" else self.ask)

    def trade(self, price: int, is_buyer: bool) -> None:
        """The ask that a trade leaves behind."""
        self.ask = price if is_buyer else max(self.ask, price)


def expected_on_bars(bars: Any, plan: Plan, rules: Rules = OURS) -> list[Trade]:
    """Trades on columns `close_ns`, `open`, `high`, `low`, `close`."""
    state, signals = Reference(plan, rules), Signals(plan, rules.skips_first)
    rows = zip(*(bars[name].tolist() for name in ("close_ns", "open", "high", "low", "close")), strict=True)
    for close_ns, first, high, low, close in rows:
        enters = state.decided is not None
        if enters:
            state.enter(close_ns, first)
        if not enters or rules.protects_entry_bar:
            state.meet(close_ns, first, low)
        state.close(close_ns, close, signals.breaks_out(high, close))
    return state.trades


def expected_on_trades(trades: Any, plan: Plan, rules: Rules = OURS) -> list[Trade]:
    """Trades on columns `time_ns`, `price`, `side` (1: the buyer's), with minutes made of them here. An
    entry on trades is protected from the next trade on: there is no bar of the entry."""
    state, signals = Reference(plan, rules), Signals(plan, rules.skips_first)
    times, prices, sides = (trades[name].tolist() for name in ("time_ns", "price", "side"))
    for first, last in minutes(times):
        for row in range(first, last):
            price = prices[row]
            if state.decided is not None:
                state.enter(times[row], price)
            else:
                state.meet_trade(times[row], price, is_buyer=sides[row] == 1)
            state.trade(price, sides[row] == 1)
        # The last minute of a feed is not over, and so decides nothing.
        if last < len(times):
            high, close = max(prices[first:last]), prices[last - 1]
            close_ns = (times[first] // MINUTE_NS + 1) * MINUTE_NS
            state.close(close_ns, close, signals.breaks_out(high, close))
    return state.trades


def minutes(times: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(first row, end row) of each minute that has rows."""
    first = 0
    for row in range(1, len(times) + 1):
        if row == len(times) or times[row] // MINUTE_NS != times[first] // MINUTE_NS:
            yield first, row
            first = row
