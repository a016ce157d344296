"""The frame of a chart: where each candle and price stands, axes, candles, volume, phases."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.messages import Phase
from engine.report.candles import Candles
from engine.report.markup import Html, join, number, tag
from engine.report.scales import Scale, decimals, scale, ticks, time_ticks

WIDTH = 1120
LEFT, RIGHT = 10, 66
STRIP_TOP, STRIP = 6, 15
PRICE_TOP, PRICE_BOTTOM = 34, 404
VOLUME_TOP, VOLUME_BOTTOM = 416, 476
HEIGHT = 502

WIDEST_STEP = 16.0
"""A short stretch does not fill the whole width."""

BODY_SHARE = 0.64
MOST_BODY = 9.0

CLEAR = 64.0
"""Room that the label of a time needs."""

REACH = 0.45
"""Levels beyond the candles stretch the price axis by at most this share of its span."""

PHASES = tuple(Phase)
"""`Candles.phase` indexes these."""

SHADED = (Phase.A, Phase.B, Phase.C, Phase.D, Phase.E)


@dataclass(frozen=True, slots=True)
class Frame:
    candles: Candles
    price: Scale
    volume: Scale
    step: float

    def x(self, place: float) -> float:
        """The middle of a candle."""
        return LEFT + (place + 0.5) * self.step

    @property
    def right(self) -> float:
        return LEFT + len(self.candles) * self.step

    @property
    def body(self) -> float:
        return max(0.6, min(MOST_BODY, self.step * BODY_SHARE))


def framed(candles: Candles, levels: list[float]) -> Frame:
    """`levels` are prices that should be seen, too, where they are not far off."""
    low, high = float(candles.low.min()), float(candles.high.max())
    reach = (high - low or abs(high) * 0.01 or 1.0) * REACH
    near = [level for level in levels if low - reach <= level <= high + reach]
    price = scale([low, high, *near], PRICE_BOTTOM, PRICE_TOP)
    volume = Scale(0, float(candles.volume.max()) or 1.0, VOLUME_BOTTOM, VOLUME_TOP)
    return Frame(candles, price, volume, min(WIDEST_STEP, (WIDTH - LEFT - RIGHT) / len(candles)))


def axes(frame: Frame) -> Iterator[Html]:
    values = ticks(frame.price)
    places = decimals(values)
    for value in values:
        y = frame.price(value)
        yield tag("line", x1=LEFT, x2=frame.right, y1=y, y2=y, class_="grid")
        yield tag("text", f"{value:,.{places}f}", x=frame.right + 7, y=y + 3.5, class_="tick")
    last = -CLEAR
    for place, label in time_ticks(frame.candles.open_ns, max(2, int(frame.right - LEFT) // 110)):
        x = frame.x(place)
        if x - last < CLEAR:
            continue
        last = x
        yield tag("line", x1=x, x2=x, y1=PRICE_TOP - 8, y2=VOLUME_BOTTOM, class_="grid")
        yield tag("text", label, x=x, y=HEIGHT - 8, class_="tick", text_anchor="start" if x < 40 else "middle")
    yield tag("line", x1=LEFT, x2=frame.right, y1=VOLUME_BOTTOM, y2=VOLUME_BOTTOM, class_="axis")
    yield tag("text", short(frame.volume.high), x=frame.right + 7, y=VOLUME_TOP + 8, class_="tick")


def bodies(frame: Frame) -> Html:
    """All candles and their volume as six paths: a page of thousands stays light."""
    candles, half = frame.candles, frame.body / 2
    rising = candles.close >= candles.open
    drawn = []
    for name, chosen in (("up", rising), ("down", ~rising)):
        wicks, boxes, volumes = [], [], []
        for place in np.flatnonzero(chosen).tolist():
            x = frame.x(place)
            top, bottom = frame.price(float(candles.high[place])), frame.price(float(candles.low[place]))
            one, other = frame.price(float(candles.open[place])), frame.price(float(candles.close[place]))
            left, across = number(x - half), number(frame.body)
            wicks.append(f"M{number(x)} {number(top)}V{number(bottom)}")
            boxes.append(f"M{left} {number(min(one, other))}h{across}v{number(max(abs(one - other), 0.8))}h-{across}z")
            high = frame.volume(float(candles.volume[place]))
            volumes.append(f"M{left} {number(VOLUME_BOTTOM)}V{number(high)}h{across}V{VOLUME_BOTTOM}z")
        drawn.append(tag("path", d="".join(volumes), class_=f"volume {name}"))
        drawn.append(tag("path", d="".join(wicks), class_=f"wick {name}"))
        drawn.append(tag("path", d="".join(boxes), class_=f"body {name}"))
    return tag("g", drawn, class_="candles")


def phases(frame: Frame) -> Iterator[Html]:
    """A band for each run of candles in one phase; the phase is what was shown at each close."""
    candles = frame.candles
    key = candles.phase.astype(np.int64) * 4 + candles.direction
    borders = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), len(candles)]
    for start, stop in pairwise(borders):
        phase = PHASES[candles.phase[start]]
        if phase not in SHADED:
            continue
        x, width = LEFT + start * frame.step, (stop - start) * frame.step
        side = "accumulation" if candles.direction[start] >= 0 else "distribution"
        shade = tag("rect", x=x, y=PRICE_TOP - 8, width=width, height=PRICE_BOTTOM - PRICE_TOP + 8, class_="shade")
        strip = tag("rect", x=x, y=STRIP_TOP, width=width, height=STRIP, class_="strip")
        letter = tag("text", phase.value, x=x + width / 2, y=STRIP_TOP + 11.5, class_="letter") if width >= 11 else None
        told = tag("desc", f"Phase {phase.value} of {side}")
        yield tag("g", told, shade, strip, letter, class_=f"phase p{phase.value} {side} tip")


def frame_of(parts: Iterator[Html] | list[Html], frame: Frame, label: str) -> Html:
    return tag(
        "svg", join(parts), viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label, class_="plot",
        data_left=LEFT, data_step=f"{frame.step:.4f}",
    )  # fmt: skip


def short(value: float) -> str:
    """12,345,678 as 12.3M."""
    for size, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"
