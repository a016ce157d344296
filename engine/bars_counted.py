"""Bars that close after so many trades, so much volume or so much value, in tape order.

While it gathers trades such a bar stands in the pool for its session: it has the session's
interval, waits in the heap for the session's close, and does not span it. When a trade fills it
a copy leaves with the interval that its trades took, and the next trade begins anew. A trade is
never split, so a bar may hold more than its threshold.
"""

from typing import Any

from engine.bars_pending import BLANK, FED_BY_TRADES, push, start_bar, take
from engine.bars_plan import NONE, TICK, VOLUME, Records
from engine.blocks import Float64, Int64
from engine.kernels import hot, kernel
from engine.messages import NEVER_NS


@hot
def amount(kind: int, price: float, size: float) -> float:
    """What one trade counts for. Value is absolute: some things trade below zero."""
    if kind == TICK:
        return 1.0
    return size if kind == VOLUME else abs(price) * size


@hot
def gather(bar: Any, price: float, time_ns: int) -> None:
    """Make the session's bar ready for this trade: begin anew unless it holds trades already."""
    if bar.trades == BLANK:
        bar.floor_ns = NEVER_NS
    if bar.trades <= 0:
        start_bar(bar, price, time_ns, FED_BY_TRADES)
        bar.gathers, bar.filled, bar.doubts = 1, 0.0, 0


@hot
def rows_to_fill(
    row: int, stop: int, seats: Int64, bars: Records,
    prices: Float64, volumes: Float64, frames: Records, built: Int64, counted: int,
) -> int:  # fmt: skip
    """The row after the first of [row, stop) that fills a counted bar, else `stop`."""
    for place in range(len(built) - counted, len(built)):
        if seats[place] != NONE:
            frame = frames[built[place]]
            filled = bars[seats[place]].filled
            for next_row in range(row, stop):
                filled += amount(frame.kind, prices[next_row], volumes[next_row])
                if filled >= frame.threshold:
                    stop = next_row + 1
                    break
    return stop


@hot
def fill(
    row: int, stop: int, complete_ns: int, seats: Int64, bars: Records, heap: Records,
    prices: Float64, volumes: Float64, frames: Records, built: Int64, counted: int, sizes: Int64,
) -> None:  # fmt: skip
    """Count rows [row, stop), which the bars have taken; at most the last of them fills one."""
    for place in range(len(built) - counted, len(built)):
        if seats[place] != NONE:
            bar, frame = bars[seats[place]], frames[built[place]]
            for next_row in range(row, stop):
                bar.filled += amount(frame.kind, prices[next_row], volumes[next_row])
            if bar.filled >= frame.threshold:
                order = frame.order + bar.slot // len(frames)
                complete(seats[place], complete_ns, order, bars, heap, sizes)


@kernel
def complete(number: int, complete_ns: int, order: int, bars: Records, heap: Records, sizes: Int64) -> None:
    """Send a copy of a filled bar to the heap; the bar itself waits for its next trade."""
    copy = take(bars, sizes)
    bars[copy] = bars[number]
    full = bars[copy]
    finish(full, complete_ns)
    full.older, full.newer = NONE, NONE
    push(full.close_ns, order, copy, bars, heap, sizes)
    bar = bars[number]
    bar.floor_ns, bar.trades = full.close_ns, 0


@hot
def finish(bar: Any, complete_ns: int) -> None:
    """Give a counted bar the interval of its trades: from the first, or the bar before, to the last.

    Bars of one nanosecond close one nanosecond after the other, and none closes in line time's past.
    """
    bar.open_ns = max(bar.first_ns, bar.floor_ns)
    bar.close_ns = max(bar.last_ns + 1, bar.open_ns + 1, complete_ns + 1)
    bar.gathers = 0
