"""Bars of the store and of the stream, put together: the store lags by seconds."""

from engine.monitor import shelf
from engine.monitor.parts import Monitor
from engine.monitor.queries import BarsQuery
from engine.monitor.shelf import Missing, NoStoreError
from engine.store_bars import Columns


async def bars_of(monitor: Monitor, query: BarsQuery) -> tuple[Columns | None, bool]:
    """The last ones before `before_ms`, and whether there are older ones. Raises Missing where the run is not there."""
    kept: list[Columns] = []
    try:
        kept = await monitor.shelf.read(lambda reader, run: shelf.bars(reader, run, query), query.run)
    except (NoStoreError, Missing) as error:
        if query.run is not None and isinstance(error, Missing):
            raise
    fresh = monitor.replica.bars.of(query.symbol, query.timeframe) if query.run is None else []
    return shelf.joined([*kept, *fresh], query)
