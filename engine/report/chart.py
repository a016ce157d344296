"""One figure: a stretch of a chart with all that was seen and done there."""

from collections.abc import Sequence

import numpy as np

from engine.iso import iso
from engine.messages import CampaignState
from engine.report import levels, marks
from engine.report.frame import PRICE_TOP, VOLUME_BOTTOM, Frame, axes, bodies, frame_of, framed, phases
from engine.report.markup import Html, data_block, tag
from engine.report.material import EventRow, Material
from engine.report.scales import decimals, ticks
from engine.report.selection import Kept
from engine.text_table import day, multiple

NANOSECONDS = 1_000_000_000

CROWDED = 60
"""Events beyond which an overview shows only what matters most."""

COARSE = 12
"""Bars a candle beyond which phases, ranges, stops and targets are too short to be seen."""

ALL, MAIN, FEW, NONE = 9, 1, 0, -1
"""Weights up to which events are marked."""


def figure(material: Material, kept: Kept, number: str) -> Html:
    """`number` makes ids unique on the page."""
    candles = kept.candles
    first_ns, last_ns = int(candles.open_ns[0]), int(candles.close_ns[-1])
    events = material.events.get((kept.symbol, kept.timeframe), [])
    seen = [one for one in events if candles.holds(one.event_ns, one.event_ns)]
    side = _side(material, kept.subject)
    coarse = candles.per_candle > COARSE
    near = [] if coarse else levels.levels(material, kept.symbol, kept.timeframe, first_ns, last_ns)
    frame = framed(candles, near)
    parts = [
        *(() if coarse else phases(frame)),
        *axes(frame),
        *(() if coarse else levels.ranges(frame, _of_ranges(seen, kept), side=side)),
        bodies(frame),
        *levels.trades(frame, material, kept.symbol, kept.timeframe, fills_only=coarse),
        *marks.marks(frame, seen, side=side, most_weight=_most_weight(kept, seen)),
        _veil(),
    ]
    title, note = heading(material, kept)
    return tag(
        "figure",
        tag("figcaption", tag("strong", title), tag("span", note, class_="note")),
        tag("div", frame_of(parts, frame, f"{kept.symbol} {kept.timeframe}, {title}"), class_="scroll", tabindex="0"),
        _controls(len(candles), number),
        _data(frame, number),
        class_="chart", id=f"figure-{number}",
    )  # fmt: skip


def heading(material: Material, kept: Kept) -> tuple[str, str]:
    candles = kept.candles
    span = f"{day(iso(int(candles.open_ns[0])))} to {day(iso(int(candles.close_ns[-1])))}"
    each = "" if candles.per_candle == 1 else f", {candles.per_candle} bars a candle"
    if kept.part == 0:
        below = "; phases, ranges and events are drawn below, bar by bar" if candles.per_candle > COARSE else ""
        return "Overview", f"{span}, {len(candles):,} candles of {kept.timeframe}{each}{below}"
    if not kept.subject:
        return "Range", f"{span}{each}"
    changes = material.book.changes.get(kept.subject, [])
    state = changes[-1].state if changes else CampaignState.FORMING
    trades = [one for one in material.book.trades if one.campaign == kept.subject]
    made = f", {', '.join(f'{one.leg.value} {multiple(one.r)} R' for one in trades)}" if trades else ""
    return f"Campaign {kept.subject}", f"{state.value.lower()}{made}; {span}{each}"


def _side(material: Material, campaign: str) -> int:
    """The direction that a campaign's stretch tells in full; 0 is both."""
    origin = material.book.origins.get(campaign)
    return origin.direction if origin else 0


def _most_weight(kept: Kept, seen: Sequence[EventRow]) -> int:
    if kept.candles.per_candle > COARSE:
        return NONE if len(seen) > CROWDED else FEW
    if len(seen) <= CROWDED:
        return ALL
    return (MAIN if len(seen) <= 3 * CROWDED else FEW) if kept.part == 0 else marks.OTHER


def _of_ranges(seen: Sequence[EventRow], kept: Kept) -> Sequence[EventRow]:
    """An overview shows the ranges in which something was bought or could have been."""
    if kept.part or len(seen) <= CROWDED:
        return seen
    held = {one.range for one in seen if marks.WEIGHT.get(one.kind) == 0}
    return [one for one in seen if one.range in held]


def _veil() -> Html:
    """Covers what was not known yet; the script moves it."""
    return tag("rect", x=0, y=PRICE_TOP - 30, width=0, height=VOLUME_BOTTOM - PRICE_TOP + 32, class_="veil")


def _controls(candles: int, number: str) -> Html:
    return tag(
        "div",
        tag("output", class_="readout", for_=f"known-{number}"),
        tag("label", "As known at", for_=f"known-{number}"),
        tag("input", type="range", id=f"known-{number}", min="0", max=str(candles - 1), value=str(candles - 1)),
        class_="controls", hidden=True,
    )  # fmt: skip


def _data(frame: Frame, number: str) -> Html:
    """What the script shows of the candle under the pointer; numbers alone."""
    candles = frame.candles
    places = decimals(ticks(frame.price)) + 1
    return data_block(f"data-{number}", {
        "t": (candles.open_ns // NANOSECONDS).tolist(),
        "p": [np.round(getattr(candles, name), places).tolist() for name in ("open", "high", "low", "close")],
        "v": [float(f"{value:.4g}") for value in candles.volume.tolist()],
        "d": places,
    })  # fmt: skip
