"""Trading ranges, as the events inside them tell of them: the newest word on each border holds."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import msgspec

from engine.monitor.shapes import EventView, MonitorView

NAN = float("nan")
NUMBERS = frozenset(field.name for field in msgspec.structs.fields(EventView) if field.type is float)


class RangeView(MonitorView, frozen=True, kw_only=True):
    """`resistance` is the creek and `support` the ice of accumulation; `end_ms` is the last event's bar."""

    symbol: str
    timeframe: str
    direction: int
    start_ms: int | None
    end_ms: int | None
    support: float
    resistance: float
    phase: str
    events: int
    quality: float
    origin: str
    objective: float


def told_event(table: Mapping[str, Any]) -> EventView:
    """An event as it was told to viewers; null was NaN."""
    values = {name: NAN if value is None and name in NUMBERS else value for name, value in table.items()}
    parts = tuple(NAN if part is None else part for part in table["parts"])
    return msgspec.convert(values | {"parts": parts}, EventView)


def ranges_of(events: Iterable[EventView]) -> list[RangeView]:
    """`events` are the newest first; ranges come in the order of their newest event."""
    found: dict[tuple[str, str, int, int | None], list[EventView]] = {}
    for event in events:
        if event.range_start_ms is not None and isfinite(event.support) and isfinite(event.resistance):
            found.setdefault((event.symbol, event.timeframe, event.direction, event.range_start_ms), []).append(event)
    return [_range(events) for events in found.values()]


def _range(events: list[EventView]) -> RangeView:
    newest = events[0]
    return RangeView(
        symbol=newest.symbol,
        timeframe=newest.timeframe,
        direction=newest.direction,
        start_ms=newest.range_start_ms,
        end_ms=newest.confirm_ms,
        support=newest.support,
        resistance=newest.resistance,
        phase=newest.phase,
        events=len(events),
        quality=newest.quality,
        origin=newest.origin,
        objective=_first(event.objective for event in events),
    )


def _first(values: Iterable[float]) -> float:
    return next((value for value in values if isfinite(value)), float("nan"))
