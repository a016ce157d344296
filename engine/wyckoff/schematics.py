"""Generated markets with known structure: schematics with their planted events, and decoys without.

What a detector finds can be compared with what was planted, and what it finds in decoys is noise by
construction. A seed decides everything; the same (kind, seed, options) gives the same bars for ever on
one build. Used by tests, demos and the offline daemon; it proves that rules can fire, never that they pay.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from engine.blocks import OUTSIDE, Bars, Float64
from engine.messages import EventKind
from engine.timeframes import LENGTH_NS, TIMEFRAMES
from engine.wyckoff import decoys, schematic_plans
from engine.wyckoff.schematic_plans import Draw, Leg, Plan, spans

DURATION_BARS = (40, 400)
"""Bars from climax to sign of strength, drawn log-uniformly between these."""

PRICE_DECIMALS = 4
"""Prices are written with these, so that a file holds the same numbers as the arrays."""

LEAST_PRICE = 0.1
"""A path that falls below it begins higher: with so few decimals its bars would have no shape, or no price."""

SHORT_OF = 0.02
"""Mean bar ranges by which the bars before an event stay away from its extreme."""

Bar = tuple[float, float, float, float]
"""Heights of open, high, low, close."""

BEFORE_BARS = (260, 700)
"""Bars before the schematic: at least the detector's longest window."""
AFTER_BARS = (20, 150)

SCHEMATICS: dict[str, tuple[Callable[[Draw, int], Plan], int]] = {
    "accumulation": (schematic_plans.accumulation, 1),
    "accumulation-2": (schematic_plans.accumulation_without_spring, 1),
    "distribution": (schematic_plans.accumulation, -1),
    "distribution-2": (schematic_plans.accumulation_without_spring, -1),
    "re-accumulation": (schematic_plans.reaccumulation, 1),
    "re-distribution": (schematic_plans.reaccumulation, -1),
    "failed-spring": (schematic_plans.failed_spring, 1),
    "failed-upthrust": (schematic_plans.failed_spring, -1),
    "failed-range": (schematic_plans.failed_range, 1),
    "failed-breakout": (schematic_plans.failed_breakout, 1),
    "failed-breakdown": (schematic_plans.failed_breakout, -1),
}
"""Kind -> its plan and direction. The literature numbers the variants with and without spring #1, #2."""

DECOYS = ("random-walk", "garch", "trend", "flat-volume", "volume-spikes", "shuffled")
"""Markets without structure. `flat-volume` has the path of an accumulation and volume that knows nothing of
it; `shuffled` has the bars of an accumulation in another order."""

KINDS = (*SCHEMATICS, *DECOYS)


class Planted(NamedTuple):
    """An event the plan put there. `row` is its bar, `price` the extreme of that bar."""

    kind: EventKind
    direction: int
    row: int
    price: float


Prices = tuple[Float64, Float64, Float64, Float64, Float64]
"""Open, high, low, close, volume, each (n,)."""


class Series(NamedTuple):
    """Columns are (n,), oldest first. Levels are NaN and rows -1 where nothing was planted.

    `signature` is how far volume and spread follow the plan (0 not at all, 1 as planned); `noise`
    is the standard deviation of closes around their path, in mean bar ranges.
    """

    kind: str
    seed: int
    open: Float64
    high: Float64
    low: Float64
    close: Float64
    volume: Float64
    planted: tuple[Planted, ...]
    support: float
    resistance: float
    first_row: int
    last_row: int
    signature: float
    noise: float

    def __len__(self) -> int:
        return len(self.close)


class Market(NamedTuple):
    """What a series is drawn in: first price, mean bar range as a share of price, mean volume."""

    price: float
    range_fraction: float
    volume: float
    signature: float
    noise: float


def generate(kind: str, seed: int, *, signature: float | None = None, noise: float | None = None) -> Series:
    """One series. `signature` and `noise` are drawn (0.5..1.3, 0.1..0.6) where they are not given.

    Raises ValueError on an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"schematics: kind must be one of {', '.join(KINDS)}, was {kind!r}")
    draw = np.random.Generator(np.random.PCG64([KINDS.index(kind), seed]))
    market = Market(
        price=float(np.exp(draw.uniform(np.log(5.0), np.log(400.0)))),
        range_fraction=draw.uniform(0.006, 0.03),
        volume=float(np.exp(draw.uniform(np.log(1e4), np.log(1e7)))),
        signature=draw.uniform(0.5, 1.3) if signature is None else signature,
        noise=draw.uniform(0.1, 0.6) if noise is None else noise,
    )
    if kind in SCHEMATICS:
        return _schematic(kind, seed, draw, market)
    return _decoy(kind, seed, draw, market)


def as_bars(series: Series, timeframe: str, start_ns: int, instrument: int = 0) -> Bars:
    """The series as bars of one instrument that follow each other without a gap, sequence 0.

    Raises KeyError on an unknown timeframe.
    """
    length_ns = LENGTH_NS[timeframe]
    opens_ns = start_ns + length_ns * np.arange(len(series), dtype=np.int64)
    return Bars.of(
        open_ns=opens_ns, close_ns=opens_ns + length_ns, received_ns=opens_ns + length_ns, instrument=instrument,
        timeframe=TIMEFRAMES.index(timeframe), open=series.open, high=series.high, low=series.low,
        close=series.close, volume=series.volume, trades=-1, source=OUTSIDE,
    )  # fmt: skip


def duration(draw: Draw) -> int:
    """Bars of a range: short ones are commoner than long ones."""
    return round(float(np.exp(draw.uniform(np.log(DURATION_BARS[0]), np.log(DURATION_BARS[1])))))


def _schematic(kind: str, seed: int, draw: Draw, market: Market) -> Series:
    build, direction = SCHEMATICS[kind]
    plan = build(draw, duration(draw))
    before = decoys.wander(draw, int(draw.integers(*BEFORE_BARS)))
    path = _drawn(plan.legs, draw, market)
    after = decoys.wander(draw, int(draw.integers(*AFTER_BARS)))
    heights = _joined(before, path, after)
    if direction < 0:
        heights = decoys.Heights(-heights.open, -heights.low, -heights.high, -heights.close, heights.volume)
    start = len(before.close)
    columns = _priced(heights, market)
    ends = [start + end for end in spans(plan.legs)]
    planted = tuple(_planted(plan.legs, ends, columns, direction))
    far = market.price * float(np.exp(direction * plan.width * market.range_fraction))
    support, resistance = min(market.price, far), max(market.price, far)
    last = next((row for leg, row in zip(plan.legs, ends, strict=True) if leg.event is EventKind.SOS), ends[-2])
    return _series(kind, seed, columns, market, planted, (support, resistance), (ends[plan.first], last))


def _decoy(kind: str, seed: int, draw: Draw, market: Market) -> Series:
    if kind in ("flat-volume", "shuffled"):
        plan = schematic_plans.accumulation(draw, duration(draw))
        before = decoys.wander(draw, int(draw.integers(*BEFORE_BARS)))
        heights = _joined(before, _drawn(plan.legs, draw, market), decoys.wander(draw, int(draw.integers(*AFTER_BARS))))
        change = decoys.shuffled if kind == "shuffled" else decoys.with_flat_volume
        heights = change(heights, draw)
    else:
        heights = decoys.DECOYS[kind](draw, int(draw.integers(sum(BEFORE_BARS) // 2, sum(BEFORE_BARS) * 2)))
    least = float(np.log(LEAST_PRICE / market.price)) / market.range_fraction
    heights = decoys.shifted(heights, max(0.0, least - float(heights.low.min())))
    columns = _priced(heights, market)
    return _series(kind, seed, columns, market, (), (float("nan"), float("nan")), (-1, -1))


def _series(
    kind: str, seed: int, columns: Prices, market: Market,
    planted: tuple[Planted, ...], levels: tuple[float, float], rows: tuple[int, int],
) -> Series:  # fmt: skip
    opens, high, low, close, volume = columns
    return Series(
        kind=kind, seed=seed, open=opens, high=high, low=low, close=close, volume=volume, planted=planted,
        support=levels[0], resistance=levels[1], first_row=rows[0], last_row=rows[1],
        signature=market.signature, noise=market.noise,
    )  # fmt: skip


# --------------------------------------------------------------------------------- bars


def _drawn(legs: tuple[Leg, ...], draw: Draw, market: Market) -> decoys.Heights:
    """The plan's bars, in mean ranges above support, with volume as multiples of the mean."""
    rows: list[tuple[float, float, float, float, float]] = []
    close = legs[0].end
    for leg in legs:
        closes = decoys.bridge(draw, close, leg.end, leg.bars, market.noise)
        for at, goal in enumerate(closes):
            peak = leg.event is not None and at == leg.bars - 1
            volume, spread = (leg.peak_volume, leg.peak_spread) if peak else (leg.volume, leg.spread)
            spread = spread**market.signature * float(draw.lognormal(0, 0.08 if peak else 0.22))
            bar = _peak(leg, close, spread) if peak else _short_of(leg, decoys.bar(draw, close, goal, spread))
            effort = volume**market.signature * float(draw.lognormal(0, 0.08 if peak else 0.2))
            rows.append((*bar, effort))
            close = bar[3]
    return decoys.heights(rows)


def _short_of(leg: Leg, bar: Bar) -> Bar:
    """On the way to an event no bar reaches its extreme."""
    if leg.event is None:
        return bar
    stop = max if leg.at_low else min
    limit = leg.end + (SHORT_OF if leg.at_low else -SHORT_OF)
    opening, high, low, close = (stop(height, limit) for height in bar)
    return opening, high, low, close


def _peak(leg: Leg, before: float, spread: float) -> Bar:
    """The bar of an event: its extreme at the leg's end, wide enough to hold the close before it."""
    reach = max(spread, abs(before - leg.end) if leg.event is EventKind.SC else spread)
    low = leg.end if leg.at_low else leg.end - reach
    high = low + reach
    close = low + leg.close_position * reach
    opening = min(max(before, low), high)
    return opening, high, low, close


def _joined(before: decoys.Heights, path: decoys.Heights, after: decoys.Heights) -> decoys.Heights:
    """One series around the path, whose heights stay as they are."""
    before = decoys.shifted(before, float(path.open[0] - before.close[-1]))
    after = decoys.shifted(after, float(path.close[-1] - after.open[0]))
    return decoys.Heights._make(np.concatenate(columns) for columns in zip(before, path, after, strict=True))


def _priced(heights: decoys.Heights, market: Market) -> Prices:
    """Prices and volumes. Heights are logarithmic: a mean bar range is the same share of any price."""

    def price(height: Float64) -> Float64:
        return np.round(market.price * np.exp(height * market.range_fraction), PRICE_DECIMALS)

    volume = np.maximum(1.0, np.round(heights.volume * market.volume))
    return price(heights.open), price(heights.high), price(heights.low), price(heights.close), volume


def _planted(legs: tuple[Leg, ...], ends: list[int], columns: Prices, direction: int) -> list[Planted]:
    _, high, low, _, _ = columns
    found = []
    for leg, row in zip(legs, ends, strict=True):
        if leg.event is not None:
            price = low[row] if leg.at_low == (direction > 0) else high[row]
            found.append(Planted(leg.event, direction, row, float(price)))
    return found
