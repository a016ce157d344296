"""The BarAggregator in slow plain Python: dictionaries, one row at a time, all sorted afresh.

It shares no code with the kernel. `flat` turns a stage's output into the same list of lines, in
the order of the line: what a row tainted, what it released, the row with its line time.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import isnan

from engine.blocks import Bars, MarketBlock, Quotes, Trades
from engine.messages import FOREVER_NS, NEVER_NS, BarTaint, EndOfFeed, FeedStatus, Heartbeat, Quarantine
from engine.ports import Item
from engine.timeframes import DAY_NS, LENGTH_NS, TIMEFRAMES, interval_start

FIELDS = (
    "open_ns", "close_ns", "received_ns", "instrument", "timeframe", "open", "high", "low", "close", "volume",
    "trades", "first_ns", "last_ns", "late", "gap_ms", "spread", "source", "feed", "release",
)  # fmt: skip
VALUES = ("open", "high", "low", "close", "volume")
OUTSIDE, DERIVED, PARTIAL = 0, 1, 2
NAN = float("nan")

Line = tuple[object, ...]
Bar = dict[str, float]
Span = tuple[int, int]
Calendar = Sequence[Span] | None
"""Sessions as (open, close), ascending; None trades around the clock."""


class Reference:
    """`lines` is the output so far. Counted timeframes come last in `timeframes`."""

    def __init__(
        self,
        symbols: tuple[str, ...],
        build: tuple[str, ...],
        feeds: int,
        lateness_ns: int,
        calendars: Sequence[Calendar] | None = None,
        timeframes: tuple[str, ...] = TIMEFRAMES,
    ) -> None:
        self.symbols = symbols
        self.timeframes = timeframes
        self.ranked = sorted(timeframes, key=lambda name: (":" in name, -LENGTH_NS[name], timeframes.index(name)))
        self.build = [name for name in self.ranked if name in build]
        self.lateness_ns = lateness_ns
        self.calendars = calendars or [None] * len(symbols)
        self.proven = [NEVER_NS] * feeds
        self.status = ["LIVE"] * feeds
        self.ends: list[int] = []
        self.line_ns = NEVER_NS
        self.pending: dict[tuple[int, str, int], Bar] = {}
        self.gathering: dict[tuple[int, str, Span], Bar] = {}
        self.floors: dict[tuple[int, str, Span], int] = {}
        self.fed_from: dict[tuple[int, str], str] = {}
        self.last: dict[tuple[int, str], Bar] = {}
        self.shortest: dict[int, str] = {}
        self.spreads = [NAN] * len(symbols)
        self.withheld = [NEVER_NS] * len(symbols)
        self.carried: list[list[int]] = [[] for _ in range(feeds)]
        self.gaps: list[Span] = [(0, 0)] * feeds
        self.outside_session = 0
        self.lines: list[Line] = []

    def process(self, item: Item) -> None:
        if isinstance(item, MarketBlock):
            for row in range(len(item)):
                values = {name: column[row].item() for name, column in item.columns().items()}
                self._row(item, values, item.sequence + row)
        elif isinstance(item, Quarantine):
            self.lines.append(("fact", item))
            self._withhold(item)
        else:
            assert isinstance(item, Heartbeat | EndOfFeed | FeedStatus)
            self._hear(item)

    def _hear(self, fact: Heartbeat | EndOfFeed | FeedStatus) -> None:
        if isinstance(fact, Heartbeat):
            self.proven[fact.feed] = max(self.proven[fact.feed], fact.time_ns)
        elif isinstance(fact, EndOfFeed):
            self._end_gap(fact)
            self.status[fact.feed] = "CLOSED"
            self.ends.append(fact.time_ns)
        elif self.status[fact.feed] != "CLOSED":
            if fact.status == "LIVE":
                self._end_gap(fact)
            elif self.status[fact.feed] == "LIVE":
                self._begin_gap(fact)
            self.status[fact.feed] = fact.status
        self._advance()
        start = len(self.lines)
        self._release(fact.sequence)
        if isinstance(fact, EndOfFeed) and set(self.status) == {"CLOSED"}:
            self.lateness_ns, late = 0, self.lateness_ns
            self._release(fact.sequence)
            self.lateness_ns = late
            self._end(fact.sequence)
        told, self.lines[start:] = self.lines[start:], []
        self.lines += [line for line in told if line[0] == "taint"] + [line for line in told if line[0] == "bar"]
        self.lines.append(("line", fact.sequence, self.line_ns))
        self.lines.append(("fact", fact))

    def _begin_gap(self, fact: FeedStatus) -> None:
        """Only the last gap of a feed is known to bars to come; those that wait remember the one before."""
        for key, bar in self.gathering.items():
            open_ns = max(bar["first_ns"], self.floors.get(key, NEVER_NS))
            bar["interrupted"] |= self._is_interrupted_by(fact.feed, bar | {"open_ns": open_ns})
        for bar in self.pending.values():
            bar["interrupted"] |= self._is_interrupted_by(fact.feed, bar)
        proven_ns = self.proven[fact.feed]
        self.gaps[fact.feed] = fact.time_ns if proven_ns == NEVER_NS else proven_ns + 1, FOREVER_NS

    def _end_gap(self, fact: EndOfFeed | FeedStatus) -> None:
        if self.gaps[fact.feed][1] == FOREVER_NS:
            self.gaps[fact.feed] = self.gaps[fact.feed][0], fact.time_ns

    def _row(self, block: MarketBlock, row: Bar, sequence: int) -> None:
        time_ns = int(row["close_ns" if isinstance(block, Bars) else "time_ns"])
        feed = int(row["feed"])
        self.proven[feed] = max(self.proven[feed], time_ns - 1)
        self._advance()
        start = len(self.lines)
        self._release(sequence)
        if isinstance(block, Trades):
            self._trade(row)
        elif isinstance(block, Bars):
            self._bar(row)
        elif isinstance(block, Quotes):
            two_sided = row["bid_size"] > 0 and row["ask_size"] > 0 and row["ask"] >= row["bid"]
            self.spreads[int(row["instrument"])] = row["ask"] - row["bid"] if two_sided else NAN
        told, self.lines[start:] = self.lines[start:], []
        self.lines += [line for line in told if line[0] == "taint"] + [line for line in told if line[0] == "bar"]
        self.lines.append(("row", sequence, self.line_ns))

    def _advance(self) -> None:
        live = [proven for proven, status in zip(self.proven, self.status, strict=True) if status == "LIVE"]
        if live:
            self.line_ns = max(self.line_ns, min(live))
        elif set(self.status) == {"CLOSED"}:
            self.line_ns = max(self.line_ns, *self.ends)

    # ---------------------------------------------------------------------- intervals

    def _session(self, instrument: int, time_ns: int) -> Span | None:
        calendar = self.calendars[instrument]
        if calendar is None:
            return NEVER_NS, FOREVER_NS
        return next((span for span in calendar if span[0] <= time_ns < span[1]), None)

    def _interval(self, instrument: int, name: str, time_ns: int) -> Span:
        """Of a time that lies in a session."""
        calendar, session = self.calendars[instrument], self._session(instrument, time_ns)
        assert session is not None
        if calendar is None:
            open_ns = interval_start(name, time_ns)
            return open_ns, open_ns + LENGTH_NS[name]
        if name == "1d":
            return session
        if name == "1w":
            week = [span for span in calendar if _monday(span[1] - 1) == _monday(session[1] - 1)]
            return week[0][0], week[-1][1]
        steps = (time_ns - session[0]) // LENGTH_NS[name]
        open_ns = session[0] + steps * LENGTH_NS[name]
        return open_ns, min(open_ns + LENGTH_NS[name], session[1])

    # --------------------------------------------------------------------------- rows

    def _trade(self, row: Bar) -> None:
        instrument, time_ns = int(row["instrument"]), int(row["time_ns"])
        self._carry(row)
        if self._session(instrument, time_ns) is None:
            self.outside_session += 1
            return
        for name in self.build:
            if ":" in name:
                self._count(instrument, name, row)
                continue
            if self.fed_from.get((instrument, name), "trades") != "trades":
                continue
            span = self._interval(instrument, name, time_ns)
            if self._is_released(span[1]):
                self._taint(instrument, name, span[0], "late")
                continue
            self.fed_from[instrument, name] = "trades"
            self._add_trade(self._open(instrument, name, span, row["price"], time_ns), row)

    def _add_trade(self, bar: Bar, row: Bar) -> None:
        time_ns = int(row["time_ns"])
        self._fold(bar, row | dict.fromkeys(("open", "high", "low", "close"), row["price"]), time_ns, time_ns)
        bar["volume"] += row["size"]
        bar["trades"] += 1
        self._add_spread(bar, self.spreads[int(row["instrument"])])

    def _count(self, instrument: int, name: str, row: Bar) -> None:
        time_ns = int(row["time_ns"])
        session = self._session(instrument, time_ns)
        assert session is not None
        if self._is_released(session[1]):
            self._taint(instrument, name, session[0], "late")
            return
        key = (instrument, name, session)
        if key not in self.gathering:
            self.gathering[key] = self._blank(instrument, name, session, row["price"], time_ns)
        bar = self.gathering[key]
        self._add_trade(bar, row)
        kind, _, limit = name.partition(":")
        bar["filled"] += {"tick": 1.0, "volume": row["size"], "dollar": abs(row["price"]) * row["size"]}[kind]
        if bar["filled"] >= float(limit):
            del self.gathering[key]
            self._finish(key, bar, max(self.line_ns, NEVER_NS + self.lateness_ns) - self.lateness_ns)
            self.floors[key] = int(bar["close_ns"])
            self.pending[instrument, name, int(bar["open_ns"])] = bar

    def _finish(self, key: tuple[int, str, Span], bar: Bar, passed_ns: int) -> None:
        bar["open_ns"] = max(bar["first_ns"], self.floors.get(key, NEVER_NS))
        bar["close_ns"] = max(bar["last_ns"] + 1, bar["open_ns"] + 1, passed_ns + 1)

    def _bar(self, row: Bar) -> None:
        instrument, name, open_ns = int(row["instrument"]), self.timeframes[int(row["timeframe"])], int(row["open_ns"])
        if isnan(row["spread"]):
            row["spread"] = self.spreads[instrument]
        self._carry(row)
        inside_ns = self._last_inside(instrument, open_ns, int(row["close_ns"]))
        if inside_ns is None:
            self.outside_session += 1
            if LENGTH_NS[name] < DAY_NS:
                return
        known = self.last.get((instrument, name))
        if self.fed_from.get((instrument, name)) == "outside":
            known = self.pending.get((instrument, name, open_ns), known)
        if known is not None and known["open_ns"] == open_ns:
            self._compare(instrument, name, row, known)
        elif self._is_released(int(row["close_ns"])):
            self._taint(instrument, name, open_ns, "late")
        else:
            self._accept(instrument, name, row, inside_ns)

    def _last_inside(self, instrument: int, open_ns: int, close_ns: int) -> int | None:
        """The last nanosecond of [open, close) that some session contains."""
        calendar = self.calendars[instrument]
        if calendar is None:
            return close_ns - 1
        ends = [min(close, close_ns) - 1 for open_, close in calendar if max(open_, open_ns) < min(close, close_ns)]
        return max(ends, default=None)

    def _compare(self, instrument: int, name: str, row: Bar, known: Bar) -> None:
        derived = known["source"] == DERIVED
        tolerance = 1e-9 * max(abs(known["volume"]), abs(row["volume"])) if derived else 0.0
        agrees = all(known[value] == row[value] for value in VALUES[:4])
        if not agrees or abs(known["volume"] - row["volume"]) > tolerance:
            self._taint(instrument, name, int(row["open_ns"]), "differs" if derived else "revised")

    def _accept(self, instrument: int, name: str, row: Bar, inside_ns: int | None) -> None:
        if self.fed_from.get((instrument, name)) != "outside":
            self.pending = {key: bar for key, bar in self.pending.items() if key[:2] != (instrument, name)}
            self.fed_from[instrument, name] = "outside"
        bar = row | {"source": OUTSIDE, "spreads": row["spread"], "quoted": 1, "interrupted": 0}
        if isnan(row["spread"]):
            bar |= {"spreads": 0.0, "quoted": 0}
        bar["doubtful"] = row["open_ns"] <= self.withheld[instrument] < row["close_ns"]
        self.pending[instrument, name, int(row["open_ns"])] = bar
        if inside_ns is None:
            return
        shortest = self.shortest.get(instrument, name)
        self.shortest[instrument] = min(name, shortest, key=LENGTH_NS.__getitem__)
        for longer in self.build:
            fed_from = self.fed_from.get((instrument, longer), "bars")
            if ":" not in longer and LENGTH_NS[longer] > LENGTH_NS[name] and fed_from == "bars":
                self._fold_upward(instrument, name, longer, bar, inside_ns)

    def _fold_upward(self, instrument: int, name: str, longer: str, row: Bar, inside_ns: int) -> None:
        span = self._interval(instrument, longer, inside_ns)
        starts = self.shortest[instrument] == name
        if self._is_released(span[1]):
            if starts:
                self._taint(instrument, longer, span[0], "late")
            return
        if (instrument, longer, span[0]) not in self.pending and not starts:
            return
        self.fed_from[instrument, longer] = "bars"
        bar = self._open(instrument, longer, span, row["open"], int(row["open_ns"]))
        if bar.setdefault("fed_by", row["timeframe"]) != row["timeframe"]:
            return
        self._fold(bar, row, int(row["open_ns"]), int(row["close_ns"]))
        bar["gap_ms"] = max(bar["gap_ms"], row["gap_ms"])
        bar["volume"] += row["volume"]
        bar["trades"] = -1 if -1 in (bar["trades"], row["trades"]) else bar["trades"] + row["trades"]
        self._add_spread(bar, row["spread"])

    def _open(self, instrument: int, name: str, span: Span, price: float, time_ns: int) -> Bar:
        known = self.pending.get((instrument, name, span[0]))
        if known is None:
            known = self._blank(instrument, name, span, price, time_ns)
            known["doubtful"] = span[0] <= self.withheld[instrument] < span[1]
            self.pending[instrument, name, span[0]] = known
        return known

    def _blank(self, instrument: int, name: str, span: Span, price: float, time_ns: int) -> Bar:
        bar: Bar = dict.fromkeys(("open", "high", "low", "close"), price)
        bar |= {"open_ns": span[0], "close_ns": span[1], "instrument": instrument}
        bar |= {"timeframe": self.timeframes.index(name), "volume": 0.0, "trades": 0, "late": 0, "gap_ms": 0}
        bar |= {"spreads": 0.0, "quoted": 0, "filled": 0.0, "doubtful": 0, "interrupted": 0}
        return bar | {"first_ns": time_ns, "last_ns": time_ns, "source": DERIVED}

    def _add_spread(self, bar: Bar, spread: float) -> None:
        if not isnan(spread):
            bar["spreads"] += spread
            bar["quoted"] += 1

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

    # ------------------------------------------------------------------------- doubts

    def _carry(self, row: Bar) -> None:
        self.carried[int(row["feed"])].append(int(row["instrument"]))

    def _withhold(self, fact: Quarantine) -> None:
        if fact.symbol not in self.symbols:
            return
        instrument, time_ns = self.symbols.index(fact.symbol), fact.time_ns
        self.withheld[instrument] = time_ns
        for name in self.timeframes:
            self._doubt(instrument, name, time_ns)

    def _doubt(self, instrument: int, name: str, time_ns: int) -> None:
        """The bar of this time: pending, else released last, else whatever its interval would be."""
        if ":" in name:
            for key, bar in self.gathering.items():
                if key[:2] == (instrument, name) and key[2][0] <= time_ns < key[2][1]:
                    bar["doubtful"] = 1
            return
        pending = [bar for key, bar in self.pending.items() if key[:2] == (instrument, name)]
        before = [bar for bar in pending if bar["open_ns"] <= time_ns]
        newest = max(before, key=lambda bar: bar["open_ns"], default=None)
        if newest is not None and time_ns < newest["close_ns"]:
            newest["doubtful"] = 1
            return
        last = self.last.get((instrument, name))
        if last is not None and last["open_ns"] <= time_ns < last["close_ns"]:
            self._taint(instrument, name, int(last["open_ns"]), "quarantine")
            return
        derives = name in self.build and self.fed_from.get((instrument, name)) != "outside"
        if derives and self._session(instrument, time_ns) is not None:
            span = self._interval(instrument, name, time_ns)
            if self._is_released(span[1]):
                self._taint(instrument, name, span[0], "quarantine")

    def _is_interrupted_by(self, feed: int, bar: Bar) -> bool:
        from_ns, until_ns = self.gaps[feed]
        overlaps = max(from_ns, bar["open_ns"]) < min(until_ns, bar["close_ns"])
        return overlaps and bar["instrument"] in self.carried[feed]

    # ------------------------------------------------------------------------- output

    def _is_released(self, close_ns: int) -> bool:
        return close_ns + self.lateness_ns <= self.line_ns

    def _in_order(self) -> list[tuple[int, str, int]]:
        return sorted(
            self.pending, key=lambda key: (self.pending[key]["close_ns"], self.ranked.index(key[1]), key[0], key[2])
        )

    def _release(self, sequence: int) -> None:
        for key in [key for key in self.gathering if self._is_released(key[2][1])]:
            bar = self.gathering.pop(key)
            self._finish(key, bar, key[2][1] - 1)
            self.pending[key[0], key[1], int(bar["open_ns"])] = bar
        for pending in self._in_order():
            if self._is_released(int(self.pending[pending]["close_ns"])):
                self._close(pending, sequence, int(self.pending[pending]["source"]))

    def _end(self, sequence: int) -> None:
        for key, bar in self.gathering.items():
            self._finish(key, bar, self.line_ns)
            self.pending[key[0], key[1], int(bar["open_ns"])] = bar
        self.gathering = {}
        for pending in self._in_order():
            self._close(pending, sequence, PARTIAL)

    def _close(self, key: tuple[int, str, int], sequence: int, source: int) -> None:
        bar = self.pending.pop(key) | {"source": source, "release": sequence}
        bar["spread"] = bar["spreads"] / bar["quoted"] if bar["quoted"] else NAN
        self.last[key[:2]] = bar
        if bar["interrupted"] or any(self._is_interrupted_by(feed, bar) for feed in range(len(self.gaps))):
            self._taint(key[0], key[1], int(bar["open_ns"]), "gap")
        if bar["doubtful"]:
            self._taint(key[0], key[1], int(bar["open_ns"]), "quarantine")
        self.lines.append(("bar", *(_plain(bar[name]) for name in FIELDS)))

    def _taint(self, instrument: int, name: str, open_ns: int, reason: str) -> None:
        taint = BarTaint(
            time_ns=self.line_ns, symbol=self.symbols[instrument], timeframe=name, open_ns=open_ns, reason=reason
        )
        self.lines.append(("taint", taint))


def flat(outputs: Iterable[Item]) -> list[Line]:
    return [line for item in outputs for line in _lines(item)]


def bar_lines(bars: Bars) -> list[Line]:
    columns = zip(*(getattr(bars, name).tolist() for name in FIELDS), strict=True)
    return [("bar", *(_plain(value) for value in row)) for row in columns]


def _plain(value: float) -> float | None:
    """NaN equals nothing, None itself."""
    return None if isnan(value) else value


def _monday(time_ns: int) -> int:
    return interval_start("1w", time_ns)


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
