"""History before the first live row: each (instrument, timeframe) is filled so that its windows are full.

History is facts like all others, on the tape and through the line, in order of time over all instruments. It
leads to no campaign and no fill. A source that has none leaves its instrument to warm up on the stream.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
import numpy as np

from engine.blocks import HISTORY, Bars
from engine.live.ports import FeedUnreachableError, LiveFeed
from engine.messages import Heartbeat
from engine.ports import Item

BARS = 250
"""What the detector's longest window holds, and nothing waits after it."""


class WarmUp(msgspec.Struct):
    """How many bars of history an instrument came with, of how many it needs."""

    symbol: str
    timeframe: str
    bars: int
    needed: int
    reason: str = ""


async def warm_up(
    feeds: Sequence[LiveFeed], symbols: Sequence[str], frames: Mapping[str, int], until_ns: int, told: list[WarmUp]
) -> AsyncIterator[Item]:
    """Facts in order; `frames` are the detected timeframes and their numbers. Notes in `told` what came."""
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    blocks: list[Bars] = []
    for place, feed in enumerate(feeds):
        for symbol in feed.symbols:
            for timeframe, frame in frames.items():
                bars = await _history(feed, symbol, timeframe, until_ns, told)
                if bars is not None and len(bars):
                    blocks.append(_as_history(bars, numbers[symbol], frame, place))
    if blocks:
        yield _in_order(blocks)
    for place in range(len(feeds)):
        # Everything up to here is proven, so that what history told is released before a live row comes.
        yield Heartbeat(time_ns=until_ns, feed=place)


async def _history(feed: LiveFeed, symbol: str, timeframe: str, until_ns: int, told: list[WarmUp]) -> Bars | None:
    try:
        bars = await feed.history(symbol, timeframe, BARS, until_ns)
    except FeedUnreachableError as error:
        told.append(WarmUp(symbol, timeframe, 0, BARS, str(error)))
        return None
    told.append(WarmUp(symbol, timeframe, len(bars), BARS))
    return bars


def _as_history(bars: Bars, instrument: int, frame: int, feed: int) -> Bars:
    rows = len(bars)
    return bars.derive(
        instrument=np.full(rows, instrument, np.int32),
        timeframe=np.full(rows, frame, np.int8),
        feed=np.full(rows, feed, np.int16),
        source=np.full(rows, HISTORY, np.int8),
    )


def _in_order(blocks: Sequence[Bars]) -> Bars:
    joined = Bars.join(blocks)
    order = np.lexsort((joined.instrument, joined.timeframe, joined.close_ns))
    return joined.derive(**{name: column[order] for name, column in joined.columns().items()})
