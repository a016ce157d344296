"""BarAggregator against plain Python, against chunking, and against restarts."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.bars import BarAggregator
from engine.blocks import Bars, MarketBlock, Quotes, Trades
from engine.journal import Journal
from engine.messages import FeedStatus, Quarantine
from engine.ports import Item
from engine.sessions import ALWAYS_OPEN, Sessions, sessions_of
from engine.timeframes import DAY_NS, LENGTH_NS, MINUTE_NS, TIMEFRAMES, interval_start
from tests.makers import START_NS, end_of_feed, heartbeat, table
from tests.reference_bars import Line, Reference, flat

SYMBOLS = ("A", "B", "C")
FEEDS = 2
TABLE = (*TIMEFRAMES, "tick:3", "tick:10", "volume:20", "dollar:500")
SECOND_NS = 1_000_000_000

Row = dict[str, float]

# Time goes in steps that mostly stay inside a bar, sometimes go back, and now and then leap.
steps_s = st.one_of(st.integers(-90, 120), st.integers(0, 5), st.integers(0, 900), st.just(0), st.just(86_400 * 3))
numbers = st.fixed_dictionaries(
    {"instrument": st.integers(0, len(SYMBOLS) - 1), "feed": st.integers(0, FEEDS - 1), "price": st.integers(1, 99)}
)
facts_ = ("heartbeat", "STALE", "LIVE", "LIVE", "withheld", "end")
kinds = st.sampled_from(("trade",) * 9 + ("bar",) * 5 + ("quote",) * 2 + facts_)
only_trades = st.sampled_from(("trade",) * 14 + ("quote",) * 2 + facts_)
outside = st.tuples(
    st.sampled_from(("1m", "1m", "5m", "15m", "1d")), st.sampled_from((0, 0, 0, 7, 7, -200)), st.integers(0, 2)
)
builds = st.sampled_from((TABLE, TIMEFRAMES, TABLE[7:], ("1m",), ("1m", "5m", "tick:3"), ("5m", "1h", "1w"), ()))
latenesses = st.sampled_from((0, 0, 250_000_000, 70 * SECOND_NS))
HOUR_S = 3_600
spells_s = st.tuples(
    st.sampled_from((0, 0, 1, HOUR_S, 63_000, 65 * HOUR_S)),
    st.sampled_from((7, 600, 12_600, 23_400, 23 * HOUR_S, 24 * HOUR_S, 25 * HOUR_S)),
)
calendars_ = st.lists(spells_s, max_size=40).map(lambda spells: as_sessions(spells))


class Setup(NamedTuple):
    """What a stage and its reference are built with. `calendars` is one each symbol, None around the clock."""

    build: tuple[str, ...]
    lateness_ns: int
    calendars: tuple[list[tuple[int, int]] | None, ...]


setups = st.builds(Setup, builds, latenesses, st.tuples(*[st.none() | calendars_] * len(SYMBOLS)))


def as_sessions(spells: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sessions one after the other from some days before the start: (pause, length) in seconds."""
    sessions, at_ns = [], START_NS - 3 * DAY_NS
    for pause_s, length_s in spells:
        open_ns = at_ns + pause_s * SECOND_NS
        at_ns = open_ns + length_s * SECOND_NS
        sessions.append((open_ns, at_ns))
    return sessions


def histories(kinds_: st.SearchStrategy[str], size: int) -> st.SearchStrategy[list[Item]]:
    return st.lists(st.tuples(kinds_, steps_s, numbers, outside), max_size=size).map(as_facts)


def as_facts(drawn: list[tuple[str, int, Row, tuple[str, int, int]]]) -> list[Item]:
    """Numbered facts of one row each, then the end of every feed."""
    facts: list[Item] = []
    time_ns = START_NS
    for number, (kind, step_s, row, bar) in enumerate(drawn):
        time_ns += step_s * SECOND_NS + number % 3 - 1
        facts += as_burst(time_ns, row) if kind == "trade" else [as_fact(kind, time_ns, row, bar)]
    facts += [end_of_feed(time_ns, feed) for feed in range(FEEDS)]
    journal = Journal(None)
    return [numbered for fact in facts for numbered in journal.process(fact)]


BURST_S = (0, 1, 1, 2, 70, -40)
"""A trade often brings others of its instrument, most of them in order."""


def as_burst(time_ns: int, row: Row) -> list[Item]:
    count = 1 + int(row["price"]) % len(BURST_S)
    return [
        as_fact("trade", time_ns + step_s * SECOND_NS, row | {"price": row["price"] + number}, ("", 0, 0))
        for number, step_s in enumerate(BURST_S[:count])
    ]


def as_fact(kind: str, time_ns: int, row: Row, bar: tuple[str, int, int]) -> Item:
    given = {"instrument": row["instrument"], "feed": row["feed"], "received_ns": time_ns + 5}
    if kind == "trade":
        return Trades.of(time_ns=[time_ns], price=row["price"], size=row["price"] / 7, **given)
    if kind == "quote":
        sizes = {"bid_size": row["price"] % 5, "ask_size": 1}
        return Quotes.of(time_ns=[time_ns], bid=3.0, ask=2.0 + row["price"] / 7, **sizes, **given)
    if kind == "bar":
        return outside_bar(time_ns, row["price"], bar, given)
    if kind == "withheld":
        symbol = (*SYMBOLS, "UNKNOWN")[int(row["price"]) % 4]
        return Quarantine(time_ns=time_ns, feed=int(row["feed"]), symbol=symbol, reason="price", count=1)
    if kind == "heartbeat":
        return heartbeat(time_ns, int(row["feed"]))
    if kind == "end":
        return end_of_feed(time_ns, int(row["feed"]))
    return FeedStatus(time_ns=time_ns, feed=int(row["feed"]), status=kind, reason="")


def outside_bar(time_ns: int, price: float, bar: tuple[str, int, int], given: Row) -> Bars:
    """The bar whose interval lies before `time_ns`; a shift gives it a session of its own."""
    name, shift_s, unknown = bar
    close_ns = interval_start(name, time_ns)
    open_ns = close_ns - LENGTH_NS[name] + shift_s * SECOND_NS
    counts: Row = {"trades": unknown - 1, "gap_ms": unknown * 10, "late": unknown}
    prices: Row = {"open": price, "high": price + 2, "low": price - 1, "close": price + 1, "volume": price / 3}
    return Bars.of(
        open_ns=[open_ns], close_ns=close_ns + (shift_s % 7) * SECOND_NS, timeframe=TIMEFRAMES.index(name),
        **(given | counts | prices),
    )  # fmt: skip


def chunked(facts: list[Item], size: int) -> Iterator[Item]:
    """The same tape in blocks of up to `size` rows."""
    waiting: list[MarketBlock] = []
    for fact in facts:
        fits = isinstance(fact, MarketBlock) and len(waiting) < size and all(type(fact) is type(b) for b in waiting)
        if waiting and not fits:
            yield type(waiting[0]).join(waiting)
            waiting = []
        if isinstance(fact, MarketBlock):
            waiting.append(fact)
        else:
            yield fact
    if waiting:
        yield type(waiting[0]).join(waiting)


def sessions_for(calendars: Sequence[list[tuple[int, int]] | None]) -> Sessions:
    arrays = [np.array(one or [], np.int64).reshape(-1, 2) for one in calendars]
    numbers = [ALWAYS_OPEN if one is None else number for number, one in enumerate(calendars)]
    return sessions_of([(one[:, 0], one[:, 1]) for one in arrays], numbers)


def stage(setup: Setup) -> BarAggregator:
    sessions = sessions_for(setup.calendars)
    return BarAggregator(table(*SYMBOLS), TABLE, setup.build, FEEDS, setup.lateness_ns, sessions)


def lines(aggregator: BarAggregator, facts: Iterator[Item] | list[Item]) -> list[Line]:
    return flat(out for fact in facts for out in aggregator.process(fact))


def reference(setup: Setup, facts: list[Item]) -> Reference:
    made = Reference(SYMBOLS, setup.build, FEEDS, setup.lateness_ns, setup.calendars, TABLE)
    for fact in facts:
        made.process(fact)
    return made


@settings(max_examples=150, deadline=None)
@given(histories(only_trades, 120), setups, st.sampled_from((1, 7, 4096)))
def test_bars_of_trades_are_those_of_plain_python(facts: list[Item], setup: Setup, size: int) -> None:
    aggregator, expected = stage(setup), reference(setup, facts)

    assert lines(aggregator, chunked(facts, size)) == expected.lines
    assert aggregator.counts["outside_session"] == expected.outside_session


@settings(max_examples=300, deadline=None)
@given(histories(kinds, 120), setups, st.sampled_from((1, 7, 4096)))
def test_bars_of_trades_and_outside_bars_are_those_of_plain_python(facts: list[Item], setup: Setup, size: int) -> None:
    aggregator, expected = stage(setup), reference(setup, facts)

    assert lines(aggregator, chunked(facts, size)) == expected.lines
    assert aggregator.counts["outside_session"] == expected.outside_session


@settings(max_examples=60, deadline=None)
@given(histories(kinds, 150), setups)
def test_no_chunking_and_no_buffer_size_shows_in_the_result(facts: list[Item], setup: Setup) -> None:
    whole = lines(stage(setup), chunked(facts, 4096))

    for size in (1, 2, 7):
        assert lines(stage(setup), chunked(facts, size)) == whole
    with mock.patch("engine.bars.OUTLET_BARS", 2), mock.patch("engine.bars.PENDING_BARS", 1):
        assert lines(stage(setup), chunked(facts, 4096)) == whole


@settings(max_examples=60, deadline=None)
@given(histories(kinds, 100), setups, st.integers(0, 100))
def test_a_restored_stage_goes_on_identically(facts: list[Item], setup: Setup, restart: int) -> None:
    first = stage(setup)
    before = lines(first, facts[:restart])
    snapshot = first.snapshot()
    second = stage(setup)
    second.restore(snapshot)

    assert second.snapshot() == snapshot
    assert before + lines(second, facts[restart:]) == lines(stage(setup), facts)
    assert first.snapshot() == snapshot
    lines(first, facts[restart:])
    assert first.snapshot() == second.snapshot()
    assert first.counts == second.counts


def test_many_pending_bars_grow_the_pool_and_close_in_order() -> None:
    minutes = np.random.default_rng(3).permutation(700)
    rows = Trades.of(time_ns=START_NS + minutes * MINUTE_NS, price=1.0 + minutes, instrument=minutes % 3)
    end_ns = START_NS + 800 * MINUTE_NS
    facts = [rows.slice(0, 500), rows.slice(500, 700), heartbeat(end_ns, feed=1), heartbeat(end_ns, feed=0)]

    setup = Setup(("1m", "5m"), 0, (None,) * len(SYMBOLS))

    got = lines(stage(setup), facts)

    assert got == reference(setup, facts).lines
    assert sum(line[0] == "bar" for line in got) > 800
