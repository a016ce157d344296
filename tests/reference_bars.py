"""The BarAggregator in slow plain Python: dictionaries, one row at a time, all sorted afresh.

It shares no code with the kernel. `flat` turns a stage's output into the same list of lines, in
the order of the line: what a row tainted, what it released, the row with its line time.
"""

from collections.abc import Iterable, Iterator

from engine.blocks import Bars, MarketBlock, Trades
from engine.messages import NEVER_NS, BarTaint, EndOfFeed, FeedStatus, Heartbeat
from engine.ports import Item
from engine.timeframes import LENGTH_NS, TIMEFRAMES, interval_start

FIELDS = (
    "open_ns", "close_ns", "received_ns", "instrument", "timeframe", "open", "high", "low", "close", "volume",
    "trades", "first_ns", "last_ns", "late", "gap_ms", "source", "feed", "release",
)  # fmt: skip
VALUES = ("open", "high", "low", "close", "volume")
LONGEST_FIRST = sorted(TIMEFRAMES, key=lambda name: -LENGTH_NS[name])
OUTSIDE, DERIVED, PARTIAL = 0, 1, 2

Line = tuple[object, ...]
Bar = dict[str, float]


class Reference:
    """`lines` is the output so far."""

    def __init__(self, symbols: tuple[str, ...], build: tuple[str, ...], feeds: int, lateness_ns: int) -> None:
        self.symbols = symbols
        self.build = build
        self.lateness_ns = lateness_ns
        self.proven = [NEVER_NS] * feeds
        self.status = ["LIVE"] * feeds
        self.ends: list[int] = []
        self.line_ns = NEVER_NS
        self.pending: dict[tuple[int, str, int], Bar] = {}
        self.fed_from: dict[tuple[int, str], str] = {}
        self.last: dict[tuple[int, str], Bar] = {}
        self.shortest: dict[int, str] = {}
        self.lines: list[Line] = []

    def process(self, item: Item) -> None:
        if isinstance(item, MarketBlock):
            for row in range(len(item)):
                values = {name: column[row].item() for name, column in item.columns().items()}
                self._row(item, values, item.sequence + row)
        else:
            assert isinstance(item, Heartbeat | EndOfFeed | FeedStatus)
            self._hear(item)

    def _hear(self, fact: Heartbeat | EndOfFeed | FeedStatus) -> None:
        if isinstance(fact, Heartbeat):
            self.proven[fact.feed] = max(self.proven[fact.feed], fact.time_ns)
        elif isinstance(fact, EndOfFeed):
            self.status[fact.feed] = "CLOSED"
            self.ends.append(fact.time_ns)
        elif self.status[fact.feed] != "CLOSED":
            self.status[fact.feed] = fact.status
        self._advance()
        self._release(fact.sequence)
        if isinstance(fact, EndOfFeed) and set(self.status) == {"CLOSED"}:
            self.lateness_ns, late = 0, self.lateness_ns
            self._release(fact.sequence)
            self.lateness_ns = late
            for key in self._in_order():
                self._close(key, fact.sequence, PARTIAL)
        self.lines.append(("line", fact.sequence, self.line_ns))
        self.lines.append(("fact", fact))

    def _row(self, block: MarketBlock, row: Bar, sequence: int) -> None:
        time_ns = int(row["close_ns" if isinstance(block, Bars) else "time_ns"])
        feed = int(row["feed"])
        self.proven[feed] = max(self.proven[feed], time_ns - 1)
        self._advance()
        start = len(self.lines)
        self._release(sequence)
        released, self.lines[start:] = self.lines[start:], []
        if isinstance(block, Trades):
            self._trade(row)
        elif isinstance(block, Bars):
            self._bar(row)
        self.lines += [*released, ("row", sequence, self.line_ns)]

    def _advance(self) -> None:
        live = [proven for proven, status in zip(self.proven, self.status, strict=True) if status == "LIVE"]
        if live:
            self.line_ns = max(self.line_ns, min(live))
        elif set(self.status) == {"CLOSED"}:
            self.line_ns = max(self.line_ns, *self.ends)

    # --------------------------------------------------------------------------- rows

    def _trade(self, row: Bar) -> None:
        instrument, time_ns = int(row["instrument"]), int(row["time_ns"])
        for name in LONGEST_FIRST:
            if name not in self.build or self.fed_from.get((instrument, name), "trades") != "trades":
                continue
            open_ns = interval_start(name, time_ns)
            if self._is_released(open_ns + LENGTH_NS[name]):
                self._taint(instrument, name, open_ns, "late")
                continue
            self.fed_from[instrument, name] = "trades"
            bar = self._open(instrument, name, open_ns, row["price"], time_ns)
            self._fold(bar, row | dict.fromkeys(("open", "high", "low", "close"), row["price"]), time_ns, time_ns)
            bar["volume"] += row["size"]
            bar["trades"] += 1

    def _bar(self, row: Bar) -> None:
        instrument, name, open_ns = int(row["instrument"]), TIMEFRAMES[int(row["timeframe"])], int(row["open_ns"])
        known = self.last.get((instrument, name))
        if self.fed_from.get((instrument, name)) == "outside":
            known = self.pending.get((instrument, name, open_ns), known)
        if known is not None and known["open_ns"] == open_ns:
            if any(known[value] != row[value] for value in VALUES):
                self._taint(instrument, name, open_ns, "differs" if known["source"] == DERIVED else "revised")
        elif self._is_released(int(row["close_ns"])):
            self._taint(instrument, name, open_ns, "late")
        else:
            self._accept(instrument, name, row)

    def _accept(self, instrument: int, name: str, row: Bar) -> None:
        if self.fed_from.get((instrument, name)) != "outside":
            self.pending = {key: bar for key, bar in self.pending.items() if key[:2] != (instrument, name)}
            self.fed_from[instrument, name] = "outside"
        self.pending[instrument, name, int(row["open_ns"])] = row | {"source": OUTSIDE}
        shortest = self.shortest.get(instrument, name)
        self.shortest[instrument] = min(name, shortest, key=LENGTH_NS.__getitem__)
        for longer in TIMEFRAMES:
            fed_from = self.fed_from.get((instrument, longer), "bars")
            if longer in self.build and LENGTH_NS[longer] > LENGTH_NS[name] and fed_from == "bars":
                self._fold_upward(instrument, name, longer, row)

    def _fold_upward(self, instrument: int, name: str, longer: str, row: Bar) -> None:
        open_ns = interval_start(longer, int(row["close_ns"]) - 1)
        if (instrument, longer, open_ns) not in self.pending and self.shortest[instrument] != name:
            return
        self.fed_from[instrument, longer] = "bars"
        bar = self._open(instrument, longer, open_ns, row["open"], int(row["open_ns"]))
        if bar.setdefault("fed_by", row["timeframe"]) != row["timeframe"]:
            return
        self._fold(bar, row, int(row["open_ns"]), int(row["close_ns"]))
        bar["gap_ms"] = max(bar["gap_ms"], row["gap_ms"])
        bar["volume"] += row["volume"]
        bar["trades"] = -1 if -1 in (bar["trades"], row["trades"]) else bar["trades"] + row["trades"]

    def _open(self, instrument: int, name: str, open_ns: int, price: float, time_ns: int) -> Bar:
        bar: Bar = dict.fromkeys(("open", "high", "low", "close"), price)
        bar |= {"open_ns": open_ns, "close_ns": open_ns + LENGTH_NS[name], "instrument": instrument}
        bar |= {"timeframe": TIMEFRAMES.index(name), "volume": 0.0, "trades": 0, "late": 0, "gap_ms": 0}
        bar |= {"first_ns": time_ns, "last_ns": time_ns, "source": DERIVED}
        return self.pending.setdefault((instrument, name, open_ns), bar)

    def _fold(self, bar: Bar, row: Bar, first_ns: int, last_ns: int) -> None:
        bar["high"] = max(bar["high"], row["high"])
        bar["low"] = min(bar["low"], row["low"])
        if last_ns >= bar["last_ns"]:
            bar["gap_ms"] = max(bar["gap_ms"], (first_ns - int(bar["last_ns"])) // 1_000_000)
            bar["close"], bar["last_ns"] = row["close"], last_ns
        else:
            bar["late"] += 1
        if first_ns < bar["first_ns"]:
            bar["open"], bar["first_ns"] = row["open"], first_ns
        bar["received_ns"], bar["feed"] = row["received_ns"], row["feed"]

    # ------------------------------------------------------------------------- output

    def _is_released(self, close_ns: int) -> bool:
        return close_ns + self.lateness_ns <= self.line_ns

    def _in_order(self) -> list[tuple[int, str, int]]:
        return sorted(self.pending, key=lambda key: (self.pending[key]["close_ns"], -LENGTH_NS[key[1]], key[0], key[2]))

    def _release(self, sequence: int) -> None:
        for key in self._in_order():
            if self._is_released(int(self.pending[key]["close_ns"])):
                self._close(key, sequence, int(self.pending[key]["source"]))

    def _close(self, key: tuple[int, str, int], sequence: int, source: int) -> None:
        bar = self.pending.pop(key) | {"source": source, "release": sequence}
        self.last[key[:2]] = bar
        self.lines.append(("bar", *(bar[name] for name in FIELDS)))

    def _taint(self, instrument: int, name: str, open_ns: int, reason: str) -> None:
        taint = BarTaint(
            time_ns=self.line_ns, symbol=self.symbols[instrument], timeframe=name, open_ns=open_ns, reason=reason
        )
        self.lines.append(("taint", taint))


def flat(outputs: Iterable[Item]) -> list[Line]:
    return [line for item in outputs for line in _lines(item)]


def bar_lines(bars: Bars) -> list[Line]:
    return [("bar", *row) for row in zip(*(getattr(bars, name).tolist() for name in FIELDS), strict=True)]


def _lines(item: Item) -> Iterator[Line]:
    if not isinstance(item, MarketBlock):
        yield ("taint", item) if isinstance(item, BarTaint) else ("fact", item)
        return
    assert item.closed is not None
    bars = bar_lines(item.closed)
    released = item.closed.release.tolist()
    if len(item) == 0:
        assert set(released) <= {item.sequence}
        yield from bars
        yield ("line", item.sequence, item.line_time_ns)
        return
    assert item.line_ns is not None
    assert item.line_time_ns == item.line_ns[-1]
    first = 0
    for row, line_ns in enumerate(item.line_ns.tolist(), item.sequence):
        while first < len(bars) and released[first] <= row:
            yield bars[first]
            first += 1
        yield ("row", row, line_ns)
    assert first == len(bars)
