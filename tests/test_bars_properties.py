"""BarAggregator against plain Python, against chunking, against restarts, and against real bars."""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.bars import BarAggregator
from engine.blocks import Bars, MarketBlock, Quotes, Trades
from engine.journal import Journal
from engine.messages import FeedStatus
from engine.ports import Item
from engine.timeframes import LENGTH_NS, MINUTE_NS, TIMEFRAMES, interval_start
from tests.makers import START_NS, end_of_feed, heartbeat, table
from tests.reference_bars import Line, Reference, flat

SYMBOLS = ("A", "B", "C")
FEEDS = 2
SECOND_NS = 1_000_000_000
ORACLE = Path(__file__).parents[2] / "shared/data/crypto-bars/freqtrade-testdata"

Row = dict[str, float]

# Time goes in steps that mostly stay inside a bar, sometimes go back, and now and then leap.
steps_s = st.one_of(st.integers(-90, 120), st.integers(0, 5), st.integers(0, 900), st.just(0), st.just(86_400 * 3))
numbers = st.fixed_dictionaries(
    {"instrument": st.integers(0, len(SYMBOLS) - 1), "feed": st.integers(0, FEEDS - 1), "price": st.integers(1, 99)}
)
kinds = st.sampled_from(("trade",) * 8 + ("bar",) * 5 + ("quote", "heartbeat", "STALE", "LIVE", "end"))
only_trades = st.sampled_from(("trade",) * 12 + ("heartbeat", "STALE", "LIVE", "end"))
outside = st.tuples(
    st.sampled_from(("1m", "1m", "5m", "15m", "1d")), st.sampled_from((0, 0, 0, 7, 7, -200)), st.integers(0, 2)
)
builds = st.sampled_from((TIMEFRAMES, ("1m",), ("1m", "5m"), ("5m", "1h", "1w"), ("15m",), ()))
latenesses = st.sampled_from((0, 0, 250_000_000, 70 * SECOND_NS))


def histories(kinds_: st.SearchStrategy[str], size: int) -> st.SearchStrategy[list[Item]]:
    return st.lists(st.tuples(kinds_, steps_s, numbers, outside), max_size=size).map(as_facts)


def as_facts(drawn: list[tuple[str, int, Row, tuple[str, int, int]]]) -> list[Item]:
    """Numbered facts of one row each, then the end of every feed."""
    facts: list[Item] = []
    time_ns = START_NS
    for number, (kind, step_s, row, bar) in enumerate(drawn):
        time_ns += step_s * SECOND_NS + number % 3
        facts.append(as_fact(kind, time_ns, row, bar))
    facts += [end_of_feed(time_ns, feed) for feed in range(FEEDS)]
    journal = Journal(None)
    return [numbered for fact in facts for numbered in journal.process(fact)]


def as_fact(kind: str, time_ns: int, row: Row, bar: tuple[str, int, int]) -> Item:
    given = {"instrument": row["instrument"], "feed": row["feed"], "received_ns": time_ns + 5}
    if kind == "trade":
        return Trades.of(time_ns=[time_ns], price=row["price"], size=row["price"] / 7, **given)
    if kind == "quote":
        return Quotes.of(time_ns=[time_ns], bid=1.0, ask=2.0, **given)
    if kind == "bar":
        return outside_bar(time_ns, row["price"], bar, given)
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


def stage(build: tuple[str, ...], lateness_ns: int) -> BarAggregator:
    return BarAggregator(table(*SYMBOLS), TIMEFRAMES, build, FEEDS, lateness_ns)


def lines(aggregator: BarAggregator, facts: Iterator[Item] | list[Item]) -> list[Line]:
    return flat(out for fact in facts for out in aggregator.process(fact))


def expected(facts: list[Item], build: tuple[str, ...], lateness_ns: int) -> list[Line]:
    reference = Reference(SYMBOLS, build, FEEDS, lateness_ns)
    for fact in facts:
        reference.process(fact)
    return reference.lines


@settings(max_examples=150, deadline=None)
@given(histories(only_trades, 120), builds, latenesses, st.sampled_from((1, 7, 4096)))
def test_bars_of_trades_are_those_of_plain_python(
    facts: list[Item], build: tuple[str, ...], lateness_ns: int, size: int
) -> None:
    assert lines(stage(build, lateness_ns), chunked(facts, size)) == expected(facts, build, lateness_ns)


@settings(max_examples=300, deadline=None)
@given(histories(kinds, 120), builds, latenesses, st.sampled_from((1, 7, 4096)))
def test_bars_of_trades_and_outside_bars_are_those_of_plain_python(
    facts: list[Item], build: tuple[str, ...], lateness_ns: int, size: int
) -> None:
    assert lines(stage(build, lateness_ns), chunked(facts, size)) == expected(facts, build, lateness_ns)


@settings(max_examples=60, deadline=None)
@given(histories(kinds, 150), builds, latenesses)
def test_no_chunking_and_no_buffer_size_shows_in_the_result(
    facts: list[Item], build: tuple[str, ...], lateness_ns: int
) -> None:
    whole = lines(stage(build, lateness_ns), chunked(facts, 4096))

    for size in (1, 2, 7):
        assert lines(stage(build, lateness_ns), chunked(facts, size)) == whole
    with mock.patch("engine.bars.OUTLET_BARS", 2), mock.patch("engine.bars.PENDING_BARS", 1):
        assert lines(stage(build, lateness_ns), chunked(facts, 4096)) == whole


@settings(max_examples=60, deadline=None)
@given(histories(kinds, 100), builds, latenesses, st.integers(0, 100))
def test_a_restored_stage_goes_on_identically(
    facts: list[Item], build: tuple[str, ...], lateness_ns: int, restart: int
) -> None:
    first = stage(build, lateness_ns)
    before = lines(first, facts[:restart])
    snapshot = first.snapshot()
    second = stage(build, lateness_ns)
    second.restore(snapshot)

    assert second.snapshot() == snapshot
    assert before + lines(second, facts[restart:]) == lines(stage(build, lateness_ns), facts)
    assert first.snapshot() == snapshot
    lines(first, facts[restart:])
    assert first.snapshot() == second.snapshot()
    assert first.counts == second.counts


def test_many_pending_bars_grow_the_pool_and_close_in_order() -> None:
    minutes = np.random.default_rng(3).permutation(700)
    rows = Trades.of(time_ns=START_NS + minutes * MINUTE_NS, price=1.0 + minutes, instrument=minutes % 3)
    end_ns = START_NS + 800 * MINUTE_NS
    facts = [rows.slice(0, 500), rows.slice(500, 700), heartbeat(end_ns, feed=1), heartbeat(end_ns, feed=0)]

    got = lines(stage(("1m", "5m"), 0), facts)

    assert got == expected(facts, ("1m", "5m"), 0)
    assert sum(line[0] == "bar" for line in got) > 800


# ------------------------------------------------------------------------------- real bars


@pytest.fixture(scope="module")
def oracle_trades() -> Trades:
    if not ORACLE.is_dir():
        pytest.skip(f"the shared test data is absent: {ORACLE}")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(ORACLE / "XRP_ETH-trades.parquet")
    times_ns = rows["timestamp"].to_numpy().astype(np.int64) * 1_000_000
    return Trades.of(
        time_ns=times_ns, received_ns=times_ns, price=rows["price"].to_numpy(), size=rows["amount"].to_numpy()
    )


@pytest.mark.parametrize(("timeframe", "count"), [("1m", 2_469), ("5m", 706)])
@pytest.mark.parametrize("size", [1, 4096])
def test_bars_of_a_venues_trades_equal_the_venues_bars(
    oracle_trades: Trades, timeframe: str, count: int, size: int
) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    venue = feather.read_table(ORACLE / f"XRP_ETH-{timeframe}.feather")
    aggregator = BarAggregator(table("XRP/ETH"), TIMEFRAMES, TIMEFRAMES, 1)
    blocks = [oracle_trades.slice(at, min(at + size, len(oracle_trades))) for at in range(0, len(oracle_trades), size)]

    out = [
        item for fact in [*blocks, end_of_feed(int(oracle_trades.time_ns[-1]) + 60 * MINUTE_NS)]
        for item in aggregator.process(fact) if isinstance(item, MarketBlock)
    ]  # fmt: skip

    bars = Bars.join([item.closed for item in out if item.closed is not None])
    ours = bars.timeframe == TIMEFRAMES.index(timeframe)
    assert ours.sum() == count == venue.num_rows
    assert bars.open_ns[ours].tolist() == venue["date"].to_numpy().astype(np.int64).tolist()
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(bars, name)[ours].tolist() == venue[name].to_pylist(), name
    assert aggregator.counts["late_trades"] == 0
