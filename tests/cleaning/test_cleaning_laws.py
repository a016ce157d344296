"""The two laws of cleaning: any chunking gives the same rows and counts, and every row is accounted for."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.blocks import Bars, MarketBlock, Quotes, Trades
from tests.cleaning.cleaning_rig import MINUTE_NS, START_NS, clean, cut, notes_of, rows_of

PRICES = st.sampled_from([10.0, 10.1, 9.9, 10.5, 31.0, 31.5, 30.5, 1000.0, 0.01, 0.0, -1.0, np.nan, np.inf, 1e308])
SIZES = st.sampled_from([1.0, 0.0, 5.0, -1.0, np.nan, 1e308])
TIMES = st.one_of(st.integers(0, 40), st.sampled_from([-(7 * 10**10), 7 * 10**10, 10**6]))
NS = 100_000_000


@st.composite
def trade_blocks(draw: st.DrawFn) -> Trades:
    rows = draw(
        st.lists(
            st.tuples(TIMES, PRICES, SIZES, st.integers(0, 1), st.integers(0, 12), st.integers(-3, 3)),
            min_size=1, max_size=25,
        )
    )  # fmt: skip
    time_ns = [START_NS + time * NS for time, *_ in rows]
    return Trades.of(
        time_ns=time_ns, price=[row[1] for row in rows], size=[row[2] for row in rows],
        instrument=[row[3] for row in rows], trade_id=[row[4] for row in rows],
        received_ns=[time + row[5] * NS for time, row in zip(time_ns, rows, strict=True)],
    )  # fmt: skip


@st.composite
def bar_blocks(draw: st.DrawFn) -> Bars:
    bar = st.tuples(st.integers(0, 30), PRICES, PRICES, PRICES, PRICES, SIZES, st.integers(0, 1), st.booleans())
    rows = draw(st.lists(bar, min_size=1, max_size=25))
    o, h, low, c = ([], [], [], [])  # type: ignore[var-annotated]
    for _, first, second, third, fourth, _, _, sound in rows:
        values = (first, max(first, second, third, fourth), min(first, second, third, fourth), fourth)
        for column, value in zip((o, h, low, c), values if sound else (first, second, third, fourth), strict=True):
            column.append(value)
    open_ns = START_NS + np.array([row[0] for row in rows], np.int64) * MINUTE_NS
    return Bars.of(
        open_ns=open_ns, close_ns=open_ns + MINUTE_NS, received_ns=open_ns + MINUTE_NS, open=o, high=h, low=low,
        close=c, volume=[row[5] for row in rows], instrument=[row[6] for row in rows],
    )  # fmt: skip


@st.composite
def quote_blocks(draw: st.DrawFn) -> Quotes:
    rows = draw(st.lists(st.tuples(TIMES, PRICES, PRICES, SIZES, SIZES), min_size=1, max_size=15))
    time_ns = [START_NS + row[0] * NS for row in rows]
    return Quotes.of(
        time_ns=time_ns, received_ns=time_ns, bid=[row[1] for row in rows], ask=[row[2] for row in rows],
        bid_size=[row[3] for row in rows], ask_size=[row[4] for row in rows],
    )  # fmt: skip


FEEDS = st.lists(st.one_of(trade_blocks(), trade_blocks(), bar_blocks(), bar_blocks(), quote_blocks()), max_size=5)
SETTINGS = st.fixed_dictionaries(
    {
        "reorder_ns": st.sampled_from([0, 3 * NS, 100 * NS]),
        "remembered_ids": st.sampled_from([1, 3, 100]),
        "consecutive_ids": st.booleans(),
        "confirmed_by": st.sampled_from([1, 2, 3]),
    }
)


@settings(deadline=None, max_examples=300)
@given(feed=FEEDS, options=SETTINGS, lengths=st.lists(st.integers(1, 9), max_size=6), data=st.data())
def test_any_chunking_gives_the_same_rows_and_findings(
    feed: list[MarketBlock], options: dict[str, Any], lengths: list[int], data: st.DataObject
) -> None:
    made_ns = data.draw(st.sampled_from([None, START_NS + 20 * MINUTE_NS]))

    whole = clean(*feed, made_ns=made_ns, **options)
    pieces = clean(*cut(feed, lengths), made_ns=made_ns, **options)

    # `clean` asserts the law of conservation for both.
    assert pieces.rows == whole.rows
    assert notes_of(pieces.findings) == notes_of(whole.findings)


@settings(deadline=None, max_examples=100)
@given(feed=FEEDS, options=SETTINGS)
def test_what_comes_out_is_market_data_and_nothing_was_changed(
    feed: list[MarketBlock], options: dict[str, Any]
) -> None:
    found = clean(*feed, **options)

    given_rows = [row for block in feed for row in rows_of(block)]
    for block in found.blocks:
        block.check("out", 1, np.zeros(2, np.bool_))
    for row in found.rows:
        given_rows.remove(row)  # raises where a row was made up or given twice


@settings(deadline=None, max_examples=300)
@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1), st.integers(0, 30)), min_size=2, max_size=20),
    reorder_ns=st.sampled_from([NS, 2 * NS, 3 * NS]),
    lengths=st.lists(st.integers(1, 4), max_size=8),
)
def test_order_is_restored_alike_however_the_rows_are_cut(
    rows: list[tuple[int, int, int]], reorder_ns: int, lengths: list[int]
) -> None:
    """Few moments, so that rows meet at the very border of what may leave."""
    time_ns = [START_NS + time * NS for time, _, _ in rows]
    block = Trades.of(
        time_ns=time_ns, received_ns=0, price=1.0, size=1.0, instrument=[row[1] for row in rows],
        trade_id=[row[2] for row in rows],
    )  # fmt: skip

    whole, pieces = clean(block, reorder_ns=reorder_ns), clean(*cut([block], lengths), reorder_ns=reorder_ns)

    assert pieces.rows == whole.rows
    if "late_row" not in whole.all:
        assert whole.column("time_ns") == sorted(whole.column("time_ns"))
