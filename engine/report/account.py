"""What the account did: equity, drawdown and heat over one axis of time."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from engine.iso import iso
from engine.report.frame import LEFT, RIGHT, WIDTH
from engine.report.markup import Html, tag
from engine.report.material import Material
from engine.report.scales import Scale, decimals, scale, ticks, time_ticks
from engine.text_table import day

Points = list[tuple[int, float]]

GAP, TOP = 34.0, 26.0
EQUITY, DRAWDOWN, HEAT = 176.0, 84.0, 132.0
"""Heights of the panes, room between them, room above."""

MOST_POINTS = 1_500

LIMITS = (("heat_warning_bp", 700), ("heat_critical_bp", 900), ("heat_limit_bp", 1000))
"""Lines of the heat pane, with the values of the shipped configuration."""


class Pane(NamedTuple):
    name: str
    top: float
    height: float
    points: Points
    unit: str


def account(material: Material) -> Html:
    """An empty run has a flat line: it says as much."""
    session = material.book.session
    cash = float(session.cash) if session else 0.0
    start_ns, end_ns = material.book.run.started_ns, material.book.run.ended_ns or material.book.run.started_ns
    curve = [(one.time_ns, one) for one in material.curve]
    equity = _closed([(time_ns, cash + float(one.pnl)) for time_ns, one in curve], end_ns)
    falls = _closed([(time_ns, -100 * float(one.drawdown_fraction)) for time_ns, one in curve], end_ns)
    heat = _closed([(start_ns, 0.0), *((time_ns, bp / 100) for time_ns, bp in material.heat)], end_ns)
    panes = _stacked([("Equity", EQUITY, equity, ""), ("Drawdown", DRAWDOWN, falls, " %"), ("Heat", HEAT, heat, " %")])
    end_ns = max([end_ns, start_ns + 1, *(points[-1][0] for _, _, _, points, _ in panes if points)])
    time = Scale(start_ns, end_ns, LEFT, WIDTH - RIGHT)
    bottom = panes[-1].top + panes[-1].height
    drawn = [
        *_time_axis(time, panes[0].top, bottom),
        _pane(panes[0], time, [cash], [], "equity"),
        _pane(panes[1], time, [0.0, -1.0], [], "drawdown"),
        _pane(panes[2], time, [0.0, 10.5], _limits(material), "heat"),
    ]
    label = "Equity, drawdown and heat over time"
    svg = tag("svg", drawn, viewBox=f"0 0 {WIDTH} {bottom + 28:.0f}", role="img", aria_label=label, class_="plot")
    return tag("figure", tag("div", svg, class_="scroll", tabindex="0"), class_="account")


def _stacked(parts: Sequence[tuple[str, float, Points, str]]) -> list[Pane]:
    found, top = [], TOP
    for name, height, points, unit in parts:
        found.append(Pane(name, top, height, thinned(points), unit))
        top += height + GAP
    return found


def thinned(points: Points) -> Points:
    """At most about MOST_POINTS of a curve; of each stretch its lowest and its highest stay."""
    if len(points) <= MOST_POINTS:
        return points
    values = np.array([value for _, value in points])
    kept = {0, len(points) - 1}
    for part in np.array_split(np.arange(len(points)), MOST_POINTS // 2):
        kept.update((int(part[values[part].argmin()]), int(part[values[part].argmax()])))
    return [points[place] for place in sorted(kept)]


def _closed(points: Points, end_ns: int) -> Points:
    """Led on to the end of the run."""
    return [*points, (end_ns, points[-1][1])] if points and points[-1][0] < end_ns else points


def _limits(material: Material) -> list[float]:
    risk = msgspec.json.decode(material.settings.get("risk", msgspec.Raw(b"{}")))
    return [float(risk.get(name, bp)) / 100 for name, bp in LIMITS]


def _time_axis(time: Scale, top: float, bottom: float) -> list[Html]:
    grid = np.linspace(time.low, time.high, 400).astype(np.int64)
    drawn = []
    for place, label in time_ticks(grid):
        x = time(float(grid[place]))
        drawn.append(tag("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid"))
        anchor = "start" if x < 40 else "middle"
        drawn.append(tag("text", label, x=x, y=bottom + 18, class_="tick", text_anchor=anchor))
    return drawn


def _pane(pane: Pane, time: Scale, holds: list[float], limits: list[float], name: str) -> Html:
    bottom = pane.top + pane.height
    values = [value for _, value in pane.points]
    y = scale([*values, *holds], bottom, pane.top, may_log=False, pad=0.08 if name == "equity" else 0)
    marks = ticks(y, 4)
    places = decimals(marks)
    drawn: list[Html] = [tag("text", pane.name, x=LEFT, y=pane.top - 7, class_="title")]
    for value in limits or marks:
        kind = "limit" if limits else "grid"
        drawn.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(value), y2=y(value), class_=kind))
        text = f"{value:g}{pane.unit}" if limits else f"{value:,.{places}f}{pane.unit}"
        drawn.append(tag("text", text, x=WIDTH - RIGHT + 7, y=y(value) + 3.5, class_="tick"))
    drawn.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom, class_="axis"))
    if pane.points:
        path = _path(pane.points, time, y)
        begin, end = time(pane.points[0][0]), time(pane.points[-1][0])
        base = y(holds[0]) if name != "heat" else bottom
        drawn.append(tag("path", d=f"{path}V{base:.1f}H{begin:.1f}z", class_="area"))
        drawn.append(tag("path", d=path, class_="line"))
        drawn.append(_last(pane, end, y))
    return tag("g", drawn, class_=f"pane {name}")


def _path(points: Points, time: Scale, y: Callable[[float], float]) -> str:
    """In steps: between two points nothing was measured, and mostly nothing was held."""
    first, *rest = [(time(at), y(value)) for at, value in points]
    return f"M{first[0]:.1f} {first[1]:.1f}" + "".join(f"H{x:.1f}V{value:.1f}" for x, value in rest)


def _last(pane: Pane, x: float, y: Callable[[float], float]) -> Html:
    worst = (
        min(pane.points, key=lambda one: one[1]) if pane.name == "Drawdown" else max(pane.points, key=lambda o: o[1])
    )
    told = {
        "Equity": f"ends at {pane.points[-1][1]:,.2f}",
        "Drawdown": f"deepest {-worst[1]:.2f} % on {day(iso(worst[0]))}",
        "Heat": f"peak {worst[1]:.2f} % on {day(iso(worst[0]))}",
    }[pane.name]
    text = told if worst[1] or pane.name == "Equity" else "none"
    return tag("text", text, x=WIDTH - RIGHT, y=pane.top - 7, class_="tick", text_anchor="end")
