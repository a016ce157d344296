"""An explanation as a person reads it: a head, each range with levels, events, what it waits for, and gates."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from io import StringIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from engine.data_show import is_colored
from engine.text_table import NOTHING, day
from engine.wyckoff.explained import EventView, Explanation, LaneView
from engine.wyckoff.explained_gates import PRICE, YES, Candidate, Gate
from engine.wyckoff.explained_range import Level, Part
from engine.wyckoff.explained_waits import ADVANCES, price_text

WIDTH = 100
MOST_WIDTH = 140
SIDES = {1: "accumulation", -1: "distribution"}
PHASES = {
    "A": "the trend before stops", "B": "cause is built", "C": "the decisive test", "D": "one side dominates",
    "E": "out of the range",
}  # fmt: skip
ORIGINS = {"CLIMAX": "a climax", "SOFT_STOP": "a soft stop", "CLUSTER": "levels touched twice"}
NAMES = {"RANGE_FORMED": "range"}


def as_text(found: Explanation, *, color: bool) -> str:
    is_terminal = sys.stdout.isatty()
    width = min(shutil.get_terminal_size((WIDTH, 0)).columns, MOST_WIDTH) if is_terminal else WIDTH
    out = StringIO()
    colored = is_colored(asked=color)
    console = Console(
        file=out, width=width, force_terminal=is_terminal and colored, no_color=not colored, highlight=False
    )
    _head(console, found)
    for lane in sorted(found.lanes, key=lambda one: (not one.is_shown, one.phase == "NONE")):
        if lane.phase != "NONE" or lane.judged or lane.waits:
            _lane(console, lane)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def _head(console: Console, found: Explanation) -> None:
    console.print(Text(_title(found), "bold"))
    lines = [f"asked at {day(found.at)}", _bar_line(found)]
    if found.warmup:
        lines.append(f"WARMUP {found.warmup.bars}/{found.warmup.needed}: too few bars to judge anything")
    if found.percentile:
        lines.append(
            f"volume percentile {found.percentile.bars}/{found.percentile.needed} bars: until then a climax needs the "
            "upper volume limit"
        )
    if found.parts:
        lines.append(f"confidence {_parts(found.parts)}")
    for line in lines:
        console.print(Padding(Text(line, "dim"), (0, 0, 0, 2)))


def _title(found: Explanation) -> str:
    name = f"{found.symbol} {found.timeframe}"
    if found.phase in ("WARMUP", "NONE"):
        return f"{name}: {'warming up' if found.phase == 'WARMUP' else 'no range'}"
    since = f" since {day(found.since)}" if found.since else ""
    phase = f"phase {found.phase} ({PHASES[found.phase]}){since}"
    return f"{name}: {found.side}, {phase}, confidence {_one(found.confidence)}"


def _bar_line(found: Explanation) -> str:
    bar = found.bar
    if bar is None:
        return "no bar yet"
    return (
        f"newest bar {day(bar.opened)}: high {price_text(bar.high)}, low {price_text(bar.low)}, "
        f"close {price_text(bar.close)}; volume {_ratio(bar.volume_ratio)}, spread {_ratio(bar.spread_ratio)} of "
        f"the usual, close at {bar.close_position:.2f} of the bar; ATR {price_text(bar.atr) if bar.atr else NOTHING}"
    )


def _lane(console: Console, lane: LaneView) -> None:
    console.print()
    console.print(Text(_lane_title(lane), "bold cyan" if lane.direction > 0 else "bold magenta"))
    for line in _levels(lane):
        console.print(Padding(Text(line), (0, 0, 0, 2)))
    if not lane.is_shown and lane.parts:
        console.print(Padding(Text(f"confidence {_parts(lane.parts)}", "dim"), (0, 0, 0, 2)))
    if lane.events:
        console.print(Padding(_events(lane.events), (1, 0, 0, 2)))
    _waits(console, lane)
    _gates(console, "gates at the newest bar", lane.judged)
    _gates(console, f"gates of phase {lane.phase}, which began at this bar", lane.next)


def _lane_title(lane: LaneView) -> str:
    side = SIDES[lane.direction]
    if lane.phase == "NONE":
        return f"{side}: no range" if lane.range == "event" else "levels touched twice: no range"
    of = "range" if lane.range == "event" else "cluster range"
    active = "active" if lane.is_active else "forming"
    return (
        f"{side} {of} from {ORIGINS[lane.origin]} of {day(lane.started)}: phase {lane.phase}, {active}, "
        f"{lane.bars} bars, confidence {_one(lane.confidence)}{' (the one shown)' if lane.is_shown else ''}"
    )


def _levels(lane: LaneView) -> Iterator[str]:
    levels = lane.levels
    for name, level in (("resistance", levels.resistance), ("support", levels.support)):
        if level is not None and lane.phase != "NONE":
            yield f"{name:10} {price_text(level.price):>10}  {_level(level)}"
    if levels.width is not None and lane.phase != "NONE":
        yield f"{'width':10} {price_text(levels.width):>10}  {levels.width_atr:.1f} ATR"
    if levels.quality is not None and lane.phase != "NONE":
        yield f"{'quality':10} {levels.quality:>10.0f}  {_parts(levels.parts)}"


def _level(level: Level) -> str:
    strength = "not measured yet" if level.strength is None else f"strength {level.strength:.0f}"
    touches = f"{level.touches} touch{'' if level.touches == 1 else 'es'}"
    age = f" in {level.age} bars" if level.age is not None else ""
    parts = f" ({_parts(level.parts)})" if level.parts and level.strength is not None else ""
    return f"{strength}{parts}, {touches}{age}"


def _parts(parts: Sequence[Part]) -> str:
    return ", ".join(
        f"{one.name} {one.points:.0f}/{one.most:.0f}" if one.most is not None else f"{one.name} {one.points:+.0f}"
        for one in parts
    )


def _events(events: Sequence[EventView]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("event", "at bar", "known at", "price", "score", "made of"):
        table.add_column(name, justify="right" if name in ("price", "score") else "left")
    names = {one.event_id: f"{one.event} {day(one.bar)}" for one in events}
    for one in events:
        said = ", ".join(f"{name} {points:.0f}" for name, points in one.parts.items())
        for word, other in (("takes the place of", one.supersedes), ("later taken for", one.superseded_by)):
            if other:
                said = f"{said}{'; ' if said else ''}{word} {names.get(other, other)}"
        kind = f"{_name(one.event)} {one.variant}" if one.variant else _name(one.event)
        table.add_row(kind, day(one.bar), day(one.known), price_text(one.price), f"{one.score:.0f}", said)
    return table


def _waits(console: Console, lane: LaneView) -> None:
    for title, wanted in (("waits for", True), ("would end it" if lane.phase != "NONE" else "would undo it", False)):
        found = [one for one in lane.waits if (one.effect == ADVANCES) == wanted]
        if not found:
            continue
        console.print(Padding(Text(title, "dim"), (1, 0, 0, 2)))
        for one in found:
            line = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
            line.add_row(Text("-", "green" if wanted else "red"), one.text)
            console.print(Padding(line, (0, 0, 0, 4)))


def _gates(console: Console, title: str, candidates: Sequence[Candidate]) -> None:
    if not candidates:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column("event", no_wrap=True)
    table.add_column(title)
    for name in ("now", "", "limit", "unit", "passes"):
        table.add_column(name, justify="right" if name in ("now", "limit") else "left", no_wrap=True)
    for one in candidates:
        passed = sum(gate.passes for gate in one.gates)
        for place, gate in enumerate(one.gates):
            head = f"{_name(one.event)} {passed}/{len(one.gates)}" if place == 0 else ""
            style = "bold green" if one.passes else "bold"
            verdict = Text("yes", "green") if gate.passes else Text("no", "red")
            table.add_row(Text(head, style), gate.name, *_numbers(gate), verdict)
    console.print(Padding(table, (1, 0, 0, 2)))


def _numbers(gate: Gate) -> tuple[str, str, str, str]:
    if gate.unit == YES:
        return "yes" if gate.value else "no", "", "", ""
    return _shown(gate.value, gate.unit), gate.relation, _shown(gate.limit, gate.unit), gate.unit


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return NOTHING
    if unit == PRICE:
        return price_text(value)
    return f"{value:,.0f}" if value == int(value) and unit in ("bars", "", "points") else f"{value:,.2f}"


def _name(event: str) -> str:
    return NAMES.get(event, event)


def _one(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f}"


def _ratio(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}x"
