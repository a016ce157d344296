"""What was traded, on a chart: ranges, entries, stops as they moved, targets, exits."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from engine.campaign_detail import leg_of
from engine.iso import iso
from engine.messages import FOREVER_NS, Action, Fill, Role
from engine.report.frame import Frame
from engine.report.markup import Html, tag
from engine.report.material import Bracket, EventRow, Material
from engine.text_table import day, plain


def ranges(frame: Frame, events: Sequence[EventRow], *, side: int) -> Iterator[Html]:
    """Each range as a box from its first bar to its last event, its lines as they were known in turn."""
    found: dict[tuple[int, int], list[EventRow]] = {}
    for one in events:
        if one.support is not None and one.resistance is not None and side in (0, one.direction):
            found.setdefault(one.range, []).append(one)
    boxes: dict[tuple[int, int], None] = {}
    for (_, start_ns), inside in found.items():
        first, last = frame.candles.place(start_ns), frame.candles.place(inside[-1].confirm_ns)
        if frame.candles.holds(start_ns, inside[-1].confirm_ns) and (first, last) not in boxes:
            boxes[first, last] = None
            yield _range(frame, inside, first, max(last, first + 1))


def _range(frame: Frame, inside: Sequence[EventRow], first: int, last: int) -> Html:
    known = frame.candles.place(inside[0].confirm_ns)
    lines = [_steps(frame, inside, first, last, name) for name in ("support", "resistance")]
    end = inside[-1]
    assert end.support is not None
    assert end.resistance is not None
    top, bottom = _within(frame, end.resistance), _within(frame, end.support)
    box = tag(
        "rect", x=frame.x(first), y=min(top, bottom), width=frame.x(last) - frame.x(first),
        height=abs(bottom - top), class_="box",
    )  # fmt: skip
    told = tag("desc", f"Trading range\nresistance {end.resistance:.6g}\nsupport {end.support:.6g}")
    return tag("g", told, box, [tag("path", d=line) for line in lines], class_="range tip", data_k=f"{known}")


def _steps(frame: Frame, inside: Sequence[EventRow], first: int, last: int, name: str) -> str:
    """From the first bar at the level first known, then as it changed."""
    path = f"M{frame.x(first):.1f} {_within(frame, getattr(inside[0], name)):.1f}"
    for one in inside[1:]:
        path += f"H{frame.x(frame.candles.place(one.confirm_ns)):.1f}V{_within(frame, getattr(one, name)):.1f}"
    return f"{path}H{frame.x(last):.1f}"


def trades(
    frame: Frame, material: Material, symbol: str, timeframe: str, *, fills_only: bool = False
) -> Iterator[Html]:
    """Every bracket of this chart that is in sight: asked for, filled, stopped, sold."""
    labelled: dict[int, None] = {}
    for bracket in material.brackets.get(symbol, ()):
        entry = bracket.entry
        fills = material.book.groups.get(bracket.group, [])
        last_ns = max([entry.decision_ns, *(one.time_ns for one in fills)])
        if entry.timeframe != timeframe or not frame.candles.holds(entry.decision_ns - 1, last_ns):
            continue
        if fills:
            if not fills_only:
                yield from _lines(frame, material, bracket, fills, labelled)
            yield from (
                _fill(frame, bracket, one) for one in fills if frame.candles.holds(one.time_ns - 1, one.time_ns - 1)
            )
        elif not fills_only:
            yield _asked(frame, material, bracket)


def levels(material: Material, symbol: str, timeframe: str, first_ns: int, last_ns: int) -> list[float]:
    """Prices that a chart of this stretch should hold."""
    found: list[float] = []
    for one in material.brackets.get(symbol, ()):
        if one.entry.timeframe == timeframe and first_ns <= one.entry.decision_ns <= last_ns:
            filled = material.book.groups.get(one.group)
            found += [level for _, level in one.stops]
            found += [float(one.entry.target_1), float(one.entry.target_2)] if filled else []
    return found


def _lines(
    frame: Frame, material: Material, bracket: Bracket, fills: Sequence[Fill], labelled: dict[int, None]
) -> Iterator[Html]:
    """Stops as they moved, and targets until they were hit, while anything was held; each height has one label."""
    lot = material.book.lots[bracket.group]
    begin = _place(frame, fills[0].time_ns)
    end = len(frame.candles) - 1 if lot.open else _place(frame, fills[-1].time_ns)
    path = f"M{frame.x(begin):.1f} {_within(frame, bracket.stops[0][1]):.1f}"
    shown = [one for one in bracket.stops[1:] if frame.candles.holds(one[0] - 1, FOREVER_NS)]
    for time_ns, level in shown:
        place = min(max(_place(frame, time_ns - material.lateness_ns), begin), end)
        path += f"H{frame.x(place):.1f}V{_within(frame, level):.1f}"
    moved = ", ".join(f"{level:.6g} from {day(iso(time_ns))}" for time_ns, level in bracket.stops)
    told = tag("desc", f"Stop of {leg_of(bracket.group)}\n{moved}")
    yield tag("g", told, tag("path", d=f"{path}H{frame.x(end):.1f}"), class_="stop tip", data_k=f"{begin}")
    for number, target in enumerate((bracket.entry.target_1, bracket.entry.target_2, bracket.entry.target_3), 1):
        if frame.price.holds(float(target)):
            hit = [one for one in fills if one.order_id == f"{bracket.group}/TARGET{number}"]
            until = _place(frame, hit[-1].time_ns) if hit else end
            y = frame.price(float(target))
            said = tag("desc", f"Target {number} of {leg_of(bracket.group)}: {plain(target)}")
            line = tag("path", d=f"M{frame.x(begin):.1f} {y:.1f}H{frame.x(max(until, begin + 1)):.1f}")
            label = None
            if round(y / 6) not in labelled:
                label = tag("text", f"T{number}", x=frame.x(begin) - 3, y=y + 3, text_anchor="end")
                labelled[round(y / 6)] = None
            yield tag("g", said, line, label, class_="target tip", data_k=f"{begin}")


def _fill(frame: Frame, bracket: Bracket, fill: Fill) -> Html:
    """A triangle that points at the price: up for what was bought, down for what was sold."""
    place = _place(frame, fill.time_ns)
    x, y = frame.x(place), _within(frame, float(fill.price))
    size = max(4.0, min(6.5, frame.step * 0.9))
    up = 1 if fill.side == "BUY" else -1
    names = {Role.ENTRY: "Entry", Role.STOP: "Stop", Role.TARGET: "Target", Role.EXIT: "Exit"}
    what = f"{names[fill.role]}, {leg_of(bracket.group)}: {fill.side.value.lower()} {plain(fill.quantity)}"
    told = tag("desc", f"{what} at {plain(fill.price)}\n{day(iso(fill.time_ns))}, costs {_money(fill.costs)}")
    shape = f"M{x:.1f} {y:.1f}l{size:.1f} {1.6 * up * size:.1f}h{-2 * size:.1f}z"
    return tag("g", told, tag("path", d=shape), class_=f"fill {fill.role.value.lower()} tip", data_k=f"{place}")


def _asked(frame: Frame, material: Material, bracket: Bracket) -> Html:
    """An entry that never filled: hollow, at the price it waited for."""
    entry = bracket.entry
    place = _place(frame, entry.decision_ns - material.lateness_ns)
    level = float(entry.entry_price) or float(entry.limit_price)
    end = max(place + 1, _place(frame, entry.expires_ns))
    verdict = material.book.verdicts.get(entry.intent_id)
    why = "not reached in time" if bracket.is_approved else f"refused: {verdict.code if verdict else 'no verdict'}"
    assert entry.action is Action.ENTER
    y = _within(frame, level)
    told = tag("desc", f"Asked for {entry.leg.value} at {level:.6g}, {why}\n{day(iso(entry.decision_ns))}")
    line = f"M{frame.x(place):.1f} {y:.1f}H{frame.x(end):.1f}"
    shape = f"M{frame.x(place):.1f} {y:.1f}l5 8h-10z"
    return tag("g", told, tag("path", d=line), tag("path", d=shape), class_="asked tip", data_k=f"{place}")


def _place(frame: Frame, time_ns: int) -> int:
    return frame.candles.known_place(time_ns)


def _within(frame: Frame, level: float) -> float:
    low, high = frame.price.low, frame.price.high
    return frame.price(min(max(level, low), high))


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"
