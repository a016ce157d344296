"""Time and order through the whole line: one moment, several feeds, matching, closing of bars.

Each rule has a planted violation that its check must catch, where planting one is cheap.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

import msgspec
import numpy as np
import pytest

from adapters.merging import merge
from adapters.paper_orders import Resting
from engine.blocks import DERIVED, PARTIAL, Bars, MarketBlock, Trades
from engine.messages import (
    NEVER_NS,
    Action,
    Approved,
    Detections,
    EndOfFeed,
    FeedStatus,
    Fill,
    Intent,
    Order,
    Refused,
    Role,
)
from engine.ports import Item
from engine.risk.portfolio import Portfolio
from engine.session import from_feeds
from engine.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES
from tests.line_laws import busy_line, check, cut_at, decided_before_done, of, one_digest, patient
from tests.lines import Decided, Recorded, config, decide, line, recorded
from tests.makers import START_NS, bars, end_of_feed, heartbeat, trades
from tests.markets import bar_market, trade_market

DAYS = bar_market(3, 250, 5)
PRINTS = trade_market(3, 150, 5, 7)


def feeds_of(rows: list[Item], symbols: int, feeds: int = 2, **changes: Any) -> Recorded:
    """A session of several feeds; each that does not end itself ends with the last row."""
    last_ns = max(int(row.row_ns.max()) for row in rows if isinstance(row, MarketBlock))
    ended = {row.feed for row in rows if isinstance(row, EndOfFeed)}
    ends = [end_of_feed(last_ns, feed) for feed in range(feeds) if feed not in ended]
    market = recorded(*rows, *ends, symbols=symbols, **changes)
    names = tuple(f"feed {number}" for number in range(feeds))
    return replace(market, start=msgspec.structs.replace(market.start, feeds=names))


def by_instrument(block: Bars | Trades, feeds: int = 2) -> Bars | Trades:
    return type(block).of(**(block.columns() | {"feed": block.instrument % feeds}))


# ------------------------------------------------------------------------ one moment, in order


def twins(symbols: int, rows: int = 120, seed: int = 5) -> Recorded:
    """Instruments that always trade alike."""
    one = bar_market(1, rows, seed)
    columns = {name: np.repeat(column, symbols) for name, column in one.columns().items()}
    return recorded(Bars.of(**(columns | {"instrument": np.tile(np.arange(symbols), rows)})), symbols=symbols)


def entries_by_moment(left: tuple[Item, ...]) -> list[list[Intent]]:
    made = [one for one in left if isinstance(one, Intent) and one.action is Action.ENTER]
    return [list(group) for _, group in groupby(made, key=lambda one: one.decision_ns)]


def in_order(moments: list[list[Intent]]) -> bool:
    return all(group == sorted(group, key=lambda one: (-one.score, one.symbol)) for group in moments)


def test_entries_of_one_moment_come_by_score_then_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=17)
    market = twins(4, 500)

    moments = entries_by_moment(one_digest(market).left)

    assert sum(len(group) == 4 for group in moments) >= 10
    assert in_order(moments)

    monkeypatch.setattr("engine.campaigns.moments.order_key", lambda score, *rest: (0, 0, rest[1], 0, ""))
    assert not in_order(entries_by_moment(decide(market).left))


def exits_come_first(left: tuple[Item, ...]) -> bool:
    entered: dict[int, bool] = {}
    for one in left:
        if isinstance(one, Intent) and one.action is Action.ENTER:
            entered[one.decision_ns] = True
        elif isinstance(one, Intent) and one.action in (Action.EXIT, Action.MOVE_STOP) and one.decision_ns in entered:
            return False
    return True


def test_exits_and_stop_moves_of_a_moment_come_before_its_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time stop and an expiry wait for line time; the detections of that time wait for them."""
    busy_line(monkeypatch, every=3)
    market = recorded(bar_market(4, 400, 5), symbols=4)

    left = one_digest(market).left
    actions = Counter(one.action for one in left if isinstance(one, Intent))

    assert actions[Action.MOVE_STOP] > 20
    assert actions[Action.EXIT] >= 3
    assert exits_come_first(left)

    monkeypatch.setattr("engine.market_walk.Walk.next_decision_ns", NEVER_NS)
    assert not exits_come_first(decide(market).left)


def first_verdicts(decided: Decided, count: int) -> list[Approved | Refused]:
    return [one for one in decided.left if isinstance(one, Approved | Refused)][:count]


def test_entries_that_pass_alone_and_fail_together_are_never_both_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=17)
    market = twins(2)
    free = first_verdicts(decide(market), 2)
    risks_bp = [one.receipt.new_risk * 10_000 // one.receipt.equity + 1 for one in free]
    limit = {"heat_limit_bp": max(risks_bp) + 2, "heat_critical_bp": max(risks_bp), "heat_warning_bp": 1}
    settings = config(risk=limit)
    turned = config(risk=limit | {"heat_limit_bp": sum(risks_bp) + 9})

    together = first_verdicts(one_digest(market, settings), 2)
    wider = first_verdicts(decide(market, built=line(market, turned)), 2)

    assert free[0].intent.decision_ns == free[1].intent.decision_ns
    assert [one.receipt.code for one in wider] == ["", ""]
    assert [one.receipt.code for one in together] == ["", "HEAT_LIMIT"]
    assert together[1].receipt.working_risk == together[0].receipt.new_risk
    assert together[1].receipt.new_risk * 10_000 < together[1].receipt.equity * limit["heat_limit_bp"]

    monkeypatch.setattr(Portfolio, "reserve", lambda self, intent, quantity: None)
    first = replace(market, rows=(cut_at(market.rows[0], 400)[0], end_of_feed(START_NS)))  # type: ignore[arg-type]
    assert [one.receipt.code for one in first_verdicts(decide(first, built=line(first, settings)), 2)] == ["", ""]


# ------------------------------------------------------------------------------- several feeds


@pytest.mark.parametrize("block", [DAYS, PRINTS], ids=["bars", "trades"])
def test_two_feeds_give_one_digest(monkeypatch: pytest.MonkeyPatch, block: Bars | Trades) -> None:
    busy_line(monkeypatch, every=4)
    market = feeds_of([by_instrument(block)], symbols=3)

    decided = one_digest(market)

    check(decided, market)
    assert len(of(decided, Fill)) > 20


@pytest.mark.parametrize("block", [DAYS, PRINTS], ids=["bars", "trades"])
def test_a_feed_that_ends_early_or_falls_silent_holds_nobody_back(
    monkeypatch: pytest.MonkeyPatch, block: Bars | Trades
) -> None:
    busy_line(monkeypatch, every=4)
    two = by_instrument(block)
    half = len(two) // 2
    kept = np.flatnonzero((two.feed == 0) | (np.arange(len(two)) < half))
    thinned = type(two).of(**{name: column[kept] for name, column in two.columns().items()})
    at_ns = int(two.row_ns[half - 1])
    start, rest = cut_at(thinned, half)
    ended = feeds_of([start, end_of_feed(at_ns, 1), rest], symbols=3)
    silent = feeds_of([start, FeedStatus(at_ns, 1, "STALE", "silence"), rest], symbols=3)
    held = feeds_of([start, rest], symbols=3)

    after = {name: late(one_digest(market), at_ns) for name, market in locals_of(ended, silent, held)}

    assert after["ended"][Approved] > 0
    # While a feed is stale entries are refused, but time goes on; held back, nothing is detected.
    assert after["silent"][Approved] == 0
    assert after["silent"][Refused] > 0
    assert after["held"][Detections] == 0


def locals_of(ended: Recorded, silent: Recorded, held: Recorded) -> list[tuple[str, Recorded]]:
    return [("ended", ended), ("silent", silent), ("held", held)]


def late(decided: Decided, at_ns: int) -> Counter[type]:
    """What was decided on entries after `at_ns`, but not at the very end of the session."""
    found: Counter[type] = Counter()
    for one in decided.left:
        if isinstance(one, EndOfFeed) and one.feed == 0:
            break
        moment = one.decision_ns if isinstance(one, Detections) else 0
        if isinstance(one, Approved | Refused) and one.intent.action is Action.ENTER:
            moment = one.intent.decision_ns
        found[type(one)] += moment > at_ns + DAY_NS * isinstance(one, Detections)
    return found


class Listed:
    """A recorded feed that holds one block."""

    kind = "bars"
    timeframe = "1d"
    rows_estimate = 0
    lateness_ns = 0
    counts: Mapping[str, int] = {}

    def __init__(self, name: str, symbols: tuple[str, ...], block: Bars) -> None:
        self.name = name
        self.symbols = symbols
        self._block = block

    def allow_negative(self, symbols: frozenset[str]) -> None:
        assert not symbols

    def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
        places = np.array([numbers[symbol] for symbol in self.symbols])
        columns = self._block.columns() | {"feed": feed, "instrument": places[self._block.instrument]}
        yield Bars.of(**columns)
        yield end_of_feed(int(self._block.close_ns.max()), feed)


def listed(symbol: str, number: int, block: Bars) -> Listed:
    mine = block.instrument == number
    columns = {name: column[mine] for name, column in block.columns().items()} | {"instrument": 0}
    return Listed(symbol, (symbol,), Bars.of(**columns))


def test_a_market_in_several_files_is_the_market_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=4)
    names = ("S000", "S001", "S002")
    whole = [Listed("all", names, DAYS)]
    split = [listed(name, number, DAYS) for number, name in enumerate(names)]

    digests = {}
    for feeds in (whole, split):
        for chunk in (1, 64, 4096):
            session = from_feeds(config(), feeds, merge, chunk)
            market = Recorded(session.start, session.table, ())
            built = line(market)
            for fact in session.facts:
                built.chain.push(fact)
            digests[len(feeds), chunk] = built.tap.digest.hex
            assert built.tap.counts.of(Fill) > 20

    assert len(set(digests.values())) == 1


def test_no_entry_fills_after_its_time_while_another_feed_holds_line_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue has a clock of its own: an order whose time is over fills no more."""
    busy_line(monkeypatch, every=4)
    two = by_instrument(PRINTS)
    seldom = np.flatnonzero((two.feed == 0) | (np.arange(len(two)) % 97 == 0))
    market = feeds_of([type(two).of(**{name: each[seldom] for name, each in two.columns().items()})], symbols=3)

    decided_before_done(one_digest(market))

    monkeypatch.setattr(Resting, "_is_past", lambda self, row: False)
    with pytest.raises(AssertionError):
        decided_before_done(decide(market))


# ------------------------------------------------------------------------------------ matching


def both(match_on: str) -> Recorded:
    """Trades of an instrument on one feed, its minute bars at twice the price on another."""
    prints = trade_market(1, 200, 6, 3)
    length = prints.row_ns.max() - START_NS
    minutes = START_NS + MINUTE_NS * np.arange(length // MINUTE_NS + 1)
    made = bars(*[(200.0, 201.0, 199.0, 200.0)] * len(minutes), timeframe="1m", feed=1)
    rows: list[Item] = []
    cuts = np.searchsorted(prints.time_ns, minutes + MINUTE_NS, side="right")
    for part, bar in zip(cut_at(prints, *cuts.tolist()), cut_at(made, *range(1, len(made))), strict=False):
        rows += [part, bar]
    return feeds_of([row for row in rows if not isinstance(row, MarketBlock) or len(row)], 1, match_on=match_on)


@pytest.mark.parametrize("match_on", ["trades", "bars"])
def test_orders_match_on_one_kind_of_row_only(monkeypatch: pytest.MonkeyPatch, match_on: str) -> None:
    busy_line(monkeypatch, every=3, reach=0.3)
    market = both(match_on)
    on_trades = {int(t) for row in market.rows if isinstance(row, Trades) for t in row.time_ns}
    on_bars = {int(t) for row in market.rows if isinstance(row, Bars) for t in row.close_ns}

    decided = one_digest(market)
    fills = of(decided, Fill)

    check(decided, market)
    assert len(fills) >= 2
    assert {one.time_ns for one in fills} <= (on_trades if match_on == "trades" else on_bars - on_trades)
    assert {one.price < 150 for one in fills} == {match_on == "trades"}


def test_derived_bars_are_never_matched_and_mark_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=3)
    market = recorded(PRINTS, symbols=3, match_on="bars")

    decided = one_digest(market)
    entries = [one for one in of(decided, Refused) if one.intent.action is Action.ENTER]

    assert not of(decided, Approved)
    assert {one.receipt.code for one in entries} == {"DATA_MARK"}


def test_an_entry_fills_over_many_rows_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=9)
    prints = trade_market(2, 120, 12, 7)
    thin = Trades.of(**(prints.columns() | {"size": np.maximum(20, prints.size // 8)}))
    offered: Counter[tuple[int, int]] = Counter()
    for time_ns, number, size in zip(thin.time_ns, thin.instrument, thin.size, strict=True):
        offered[int(time_ns), int(number)] += int(size)
    market = recorded(thin, symbols=2)

    decided = one_digest(market, chunks=(1, 2, 5, 7, 64, 4096, 0))
    taken: Counter[tuple[int, int]] = Counter()
    for one in of(decided, Fill):
        taken[one.time_ns, market.table.number(one.symbol)] += int(one.quantity)
    fills = Counter(one.order_id for one in of(decided, Fill) if one.role is Role.ENTRY)

    check(decided, market)
    assert max(fills.values()) >= 10
    assert all(quantity <= offered[place] for place, quantity in taken.items())
    # What is no whole share stays offered, so a row may give more than its own part, never all rows together.
    for symbol in {number for _, number in taken}:
        for last in [time_ns for time_ns, number in taken if number == symbol]:
            rows, had = (
                sum(size for (time_ns, number), size in sizes.items() if number == symbol and time_ns <= last)
                for sizes in (offered, taken)
            )
            assert had <= 0.05 * rows


# --------------------------------------------------------------------------- closing, lateness


def beaten(block: MarketBlock, length_ns: int) -> list[Item]:
    """The block with a heartbeat at each border of `length_ns` that has rows on both sides."""
    borders = np.unique(block.row_ns // length_ns)[1:] * length_ns
    rows: list[Item] = []
    cuts = np.searchsorted(block.row_ns, borders, side="right")
    for part, border in zip(cut_at(block, *cuts.tolist()), [*borders.tolist(), 0], strict=False):
        rows += [part, heartbeat(border)] if border else [part]
    return rows


@pytest.mark.parametrize("lateness_ms", [0, 250])
def test_bars_closed_by_heartbeats_decide_what_bars_closed_by_rows_do(
    monkeypatch: pytest.MonkeyPatch, lateness_ms: int
) -> None:
    busy_line(monkeypatch, every=4)
    settings = patient(run={"lateness_ms": lateness_ms})

    plain = one_digest(recorded(PRINTS, symbols=3), settings)
    beating = one_digest(recorded(*beaten(PRINTS, MINUTE_NS), symbols=3), settings)

    assert len(of(plain, Fill)) > 20
    assert beating.decisions == plain.decisions


def test_lateness_moves_every_decision_and_no_law(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=4)
    market = recorded(trade_market(2, 150, 6, 11, late=0.01), symbols=2)
    settings = config(run={"lateness_ms": 250})

    decided = one_digest(market, settings)
    found = of(decided, Detections)
    orders = {one.order_id: one for one in of(decided, Order)}

    check(decided, market)
    assert len(found) > 30
    assert all(one.decision_ns == one.time_ns + 250_000_000 for one in found)
    assert all(event.known_ns == one.decision_ns for one in found for event in one.events)
    assert {one.decision_ns for one in of(decided, Intent) if one.action is Action.ENTER} <= {
        one.decision_ns for one in found
    }
    assert all(
        one.time_ns > orders[one.order_id].decision_ns + 100_000_000
        for one in of(decided, Fill)
        if one.role is Role.ENTRY
    )


def test_the_end_of_a_feed_closes_what_is_complete_and_detects_on_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy_line(monkeypatch, every=1)
    prices = [100 + n % 7 for n in range(61)]
    market = recorded(
        trades(*prices, step_ns=10_000_000_000), end_of_feed(START_NS + 10 * MINUTE_NS), detect_on=("1m", "1h")
    )

    decided = one_digest(market, config(run={"lateness_ms": 250}))
    closed = [bar for item in decided.left if isinstance(item, MarketBlock) for bar in told(item.closed)]
    minutes = [source for timeframe, _, source in closed if timeframe == "1m"]
    marks = {(mark.timeframe, mark.open_ns) for one in of(decided, Detections) for mark in one.marks}

    # Ten whole minutes; the last print, at the very end, opens the eleventh.
    assert minutes == [DERIVED] * 10 + [PARTIAL]
    assert ("1h", START_NS, PARTIAL) in closed
    assert marks == {(frame, open_ns) for frame, open_ns, source in closed if frame == "1m" and source == DERIVED}


def told(bars_closed: Bars | None) -> list[tuple[str, int, int]]:
    if bars_closed is None:
        return []
    rows = zip(bars_closed.timeframe, bars_closed.open_ns, bars_closed.source, strict=True)
    return [(TIMEFRAMES[frame], int(open_ns), int(source)) for frame, open_ns, source in rows]
