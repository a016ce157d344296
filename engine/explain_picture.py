"""An explanation drawn: candles, volume, phases, ranges, events where they point and where they became known.

Needs matplotlib, the extra `pictures`. A picture appears whole or not at all.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from engine import exits
from engine.blocks import Bars
from engine.exits import ExitError
from engine.explain_labels import Labels, spread_out
from engine.exports import ExportError
from engine.iso import iso
from engine.messages import Event, EventKind
from engine.naming import event_name
from engine.text_table import day
from engine.wyckoff.explained import Explanation, LaneView
from engine.wyckoff.explained_waits import ADVANCES, price_text
from engine.wyckoff.kinds import PHASES

FORMATS = (".png", ".svg")
SIZE_INCHES, DOTS_PER_INCH = (15.0, 8.6), 110
MARGIN_SHARE = 0.16
"""Of the width, right of the newest bar, for the levels that matter next."""

INK, FAINT, RISING, FALLING = "#1f2933", "#8b98a5", "#2a9d6f", "#d1495b"
ACCUMULATION, DISTRIBUTION = "#1b6ca8", "#a23b8f"
SHADES = {"A": "#fde9c9", "B": "#e8eef4", "C": "#dcd6f2", "D": "#d3ecdc", "E": "#c3e5ef"}
HIGH_EVENTS = ("AR", "UT", "SOS", "BREAKOUT_WEAK", "SOS_MINOR")
"""Events that point at the upper side of their bar in an accumulation; the mirror has them below."""

ASIDE = ("RANGE_FAILED", "SUPPLY_WARNING", "SOS_FAILED", "SPRING_FAILED")
"""Kinds that say what became of others: drawn small and without a score."""

MINOR = ("UT", "SHAKE", "BREAKOUT_WEAK", "SOS_MINOR", "RANGE_FORMED", "SOFT_STOP", "LPS_INSIDE")
CROWDED_BARS = 220
"""Where more bars are shown, minor events are drawn small, too."""


def check(path: Path) -> None:
    """Raises ExitError or ExportError where no picture could be drawn to `path`."""
    if path.suffix.lower() not in FORMATS:
        raise ExitError(exits.USAGE, f"--picture must end in {' or '.join(FORMATS)}, was {path.name}")
    if find_spec("matplotlib") is None:
        raise ExitError(
            exits.BAD_CONFIG,
            "--picture needs matplotlib, which is not installed: pip install 'wyckoff-engine[pictures]'",
        )
    target = path.resolve()
    if target.exists() and not target.is_file():
        kind = "a directory" if target.is_dir() else "a device or pipe"
        raise ExportError(f"{path}: cannot be written: must be a plain file, was {kind}")
    if not target.parent.is_dir():
        raise ExportError(f"{path}: cannot be written: there is no folder {path.parent}")


def draw(path: Path, found: Explanation, bars: Bars, events: Sequence[Event], most_bars: int) -> None:
    """The last `most_bars` bars. Raises ExportError."""
    shown = bars.slice(max(0, len(bars) - most_bars), len(bars))
    drawn = BytesIO()
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "wyckoff", "font.family": "DejaVu Sans"}):
        figure = _figure(found, shown, events)
        figure.savefig(drawn, format=path.suffix.lower()[1:], dpi=DOTS_PER_INCH, metadata=_no_date(path))
    write_whole(path, drawn.getvalue())


def write_whole(path: Path, data: bytes) -> None:
    """A new file beside it, which then takes its name."""
    target = path.resolve()
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ExportError(f"{path}: cannot be written: {error.strerror}") from error


def _no_date(path: Path) -> dict[str, None]:
    """The same view gives the same bytes."""
    return {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}


def _figure(found: Explanation, bars: Bars, events: Sequence[Event]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, facecolor="white")
    grid = {"height_ratios": [5, 1], "hspace": 0.03, "left": 0.055, "right": 0.985, "top": 0.915, "bottom": 0.06}
    prices, volume = figure.subplots(2, 1, sharex=True, gridspec_kw=grid)
    _frame(prices, volume, bars)
    _candles(prices, bars)
    _volume(volume, bars)
    _limits(prices, found, bars)
    _phases(prices, volume, bars)
    _ranges(prices, found, bars)
    _next_levels(prices, found, bars)
    _events(figure, prices, bars, events)
    _title(figure, found)
    return figure


def _frame(prices: Any, volume: Any, bars: Bars) -> None:
    room = max(4.0, len(bars) * MARGIN_SHARE / (1 - MARGIN_SHARE))
    prices.set_xlim(-1.0, len(bars) - 1 + room)
    for axes in (prices, volume):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(FAINT)
        axes.tick_params(colors=INK, length=3)
        axes.grid(visible=True, axis="y", color="#eceff2", linewidth=0.8)
        axes.set_axisbelow(True)
    prices.tick_params(labelbottom=False, length=0, axis="x")
    places = np.unique(np.linspace(0, len(bars) - 1, min(9, len(bars))).astype(int))
    volume.set_xticks(places, [day(iso(int(bars.open_ns[place]))) for place in places])
    volume.set_yticks([])
    volume.set_ylabel("volume", color=FAINT)
    volume.set_ylim(0, 1.12 * max(1e-12, float(bars.volume.max())))


def _candles(axes: Any, bars: Bars) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    width = 0.36
    up = bars.close >= bars.open
    colors = np.where(up, RISING, FALLING).tolist()
    wicks = [[(x, low), (x, high)] for x, (low, high) in enumerate(zip(bars.low, bars.high, strict=True))]
    axes.add_collection(LineCollection(wicks, colors=colors, linewidths=0.9, zorder=3))
    least = 0.001 * float(bars.high.max() - bars.low.min())
    bodies = []
    for x, (one, other) in enumerate(zip(bars.open, bars.close, strict=True)):
        bottom, top = min(one, other), max(one, other, min(one, other) + least)
        bodies.append([(x - width, bottom), (x - width, top), (x + width, top), (x + width, bottom)])
    axes.add_collection(PolyCollection(bodies, facecolors=colors, edgecolors=colors, linewidths=0.6, zorder=4))


def _volume(axes: Any, bars: Bars) -> None:
    colors = np.where(bars.close >= bars.open, RISING, FALLING).tolist()
    axes.bar(np.arange(len(bars)), bars.volume, width=0.72, color=colors, alpha=0.75, linewidth=0, zorder=3)


def _limits(axes: Any, found: Explanation, bars: Bars) -> None:
    """All bars and the levels of live ranges; next levels only where they are not far."""
    low, high = float(bars.low.min()), float(bars.high.max())
    for lane in _live(found):
        for level in (lane.levels.support, lane.levels.resistance):
            if level is not None:
                low, high = min(low, level.price), max(high, level.price)
    span = max(high - low, 1e-9)
    axes.set_ylim(low - 0.16 * span, high + 0.16 * span)


def _phases(prices: Any, volume: Any, bars: Bars) -> None:
    """Shades behind the bars, one a stretch of one phase and side."""
    start = 0
    for x in range(1, len(bars) + 1):
        same = x < len(bars) and bars.phase[x] == bars.phase[start] and bars.direction[x] == bars.direction[start]
        if same:
            continue
        name = PHASES[int(bars.phase[start])].value
        if name in SHADES:
            side = int(bars.direction[start])
            for axes in (prices, volume):
                axes.axvspan(start - 0.5, x - 0.5, color=SHADES[name], alpha=0.75, linewidth=0, zorder=0)
            prices.axvspan(start - 0.5, x - 0.5, ymin=0.985, color=_side_color(side), linewidth=0, zorder=1)
            if (x - start) / len(bars) > 0.012:
                prices.text((start + x - 1) / 2, 0.978, name, transform=prices.get_xaxis_transform(), ha="center",
                            va="top", color=_side_color(side), fontsize=10, fontweight="bold", zorder=2)  # fmt: skip
        start = x


def _live(found: Explanation) -> list[LaneView]:
    return [lane for lane in found.lanes if lane.phase != "NONE"]


def _side_color(direction: int) -> str:
    return ACCUMULATION if direction > 0 else DISTRIBUTION


def _place_of(bars: Bars, time_ns: int) -> int:
    """The bar that opened at that time, or where it would be; -1 before the first."""
    return int(np.searchsorted(bars.open_ns, time_ns, side="right")) - 1


def _ranges(axes: Any, found: Explanation, bars: Bars) -> None:
    """Levels from the range's first bar on; the one shown is solid and strong."""
    opens = {iso(int(time_ns)): place for place, time_ns in enumerate(bars.open_ns)}
    for lane in _live(found):
        start = opens.get(lane.started, -1)
        for level in (lane.levels.support, lane.levels.resistance):
            if level is not None:
                axes.plot([start - 0.5, len(bars) - 0.5], [level.price, level.price], color=_side_color(lane.direction),
                          linewidth=1.9 if lane.is_shown else 1.1, alpha=0.95 if lane.is_shown else 0.45,
                          solid_capstyle="butt", zorder=2)  # fmt: skip


def _next_levels(axes: Any, found: Explanation, bars: Bars) -> None:
    """To the right of the newest bar: the levels of the range that is shown, dashed what decides next. Where no
    range is shown, what may begin."""
    lanes = [lane for lane in found.lanes if lane.is_shown] or [lane for lane in found.lanes if lane.range == "event"]
    low, high = axes.get_ylim()
    told: dict[float, tuple[str, str, bool]] = {}
    for lane in lanes:
        for name, level in (("resistance", lane.levels.resistance), ("support", lane.levels.support)):
            if level is not None and lane.phase != "NONE":
                told[level.price] = (name, _side_color(lane.direction), False)
        for wait in lane.waits:
            if wait.level is not None and low < wait.level < high:
                color = RISING if wait.effect == ADVANCES else FALLING
                told.setdefault(wait.level, (wait.label, color, True))
    levels = sorted(told)
    heights = spread_out(levels, 0.028 * (high - low), low, high)
    first, room = len(bars) - 0.5, axes.get_xlim()[1] - len(bars)
    for price, height in zip(levels, heights, strict=True):
        label, color, is_dashed = told[price]
        axes.plot([first, first + 0.12 * room], [price, price], color=color, linewidth=1.3 if is_dashed else 1.9,
                  linestyle=(0, (3, 1.5)) if is_dashed else "-", zorder=5)  # fmt: skip
        axes.annotate(
            f"{price_text(price)}  {label}", (first + 0.12 * room, price), (first + 0.2 * room, height), color=color,
            fontsize=8, va="center", zorder=6, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip


def _events(figure: Any, axes: Any, bars: Bars, events: Sequence[Event]) -> None:
    """A mark where each event points, a thin line to the bar at whose close it was known, and its name.

    The names of what matters most are placed first; of the rest those that find a place near enough.
    """
    figure.draw_without_rendering()
    labels = Labels(axes, bars, prices=[line.get_ydata()[0] for line in axes.lines])
    shown = [one for one in events if _is_drawn(one) and _place_of(bars, one.event_ns) >= 0]
    for event in sorted(shown, key=lambda one: _is_small(one, bars)):
        at, known = _place_of(bars, event.event_ns), _place_of(bars, event.confirm_ns)
        color, is_small = _side_color(event.direction), _is_small(event, bars)
        above = (event.kind.value in HIGH_EVENTS) == (event.direction > 0)
        axes.plot([at, known], [event.price, event.price], color=color, linewidth=0.8, alpha=0.8, zorder=6)
        axes.plot([known], [event.price], marker="|", color=color, markersize=6, zorder=6)
        axes.plot([at], [event.price], marker="v" if above else "^", color=color, markersize=4 if is_small else 6.5,
                  markeredgecolor="white", markeredgewidth=0.5, zorder=7)  # fmt: skip
        labels.put(_label(event, is_small=is_small), at, event.price, above=above, color=color, small=is_small)


def _is_drawn(event: Event) -> bool:
    """A cluster range is one, though both of its sides tell of it."""
    return not (event.kind is EventKind.RANGE_FORMED and event.direction < 0)


def _is_small(event: Event, bars: Bars) -> bool:
    return event.kind.value in ASIDE or (event.kind.value in MINOR and len(bars) > CROWDED_BARS)


def _label(event: Event, *, is_small: bool) -> str:
    name = event_name(event.kind, event.direction).replace("_", " ")
    if event.kind is EventKind.RANGE_FORMED:
        name = "RANGE"
    return name.lower() if is_small else f"{name} {event.score:.0f}"


def _title(figure: Any, found: Explanation) -> None:
    figure.text(
        0.055, 0.972, f"{found.symbol}  {found.timeframe}", fontsize=15, fontweight="bold", color=INK, va="center"
    )
    state = "warming up" if found.phase == "WARMUP" else "no range"
    color = FAINT
    if found.direction:
        state = f"{found.side}, phase {found.phase}"
        state += f" since {day(found.since)}" if found.since else ""
        state += f", confidence {found.confidence:.0f}" if found.confidence is not None else ""
        color = _side_color(found.direction)
    figure.text(0.055, 0.942, state, fontsize=11, color=color, va="center")
    figure.text(0.985, 0.972, f"as known at {day(found.at)}", fontsize=11, color=INK, va="center", ha="right")
    note = "a mark stands at the bar an event points at, its line ends where it became known; dashed: what decides next"
    figure.text(0.985, 0.942, note, fontsize=8, color=FAINT, va="center", ha="right")
