"""The kernels against the reference, bar by bar; the first difference of a series, told so that it can be judged."""

from dataclasses import dataclass, field
from math import isnan

import numpy as np

from engine.blocks import Bars
from engine.messages import Detections, Event, PhaseChange
from engine.timeframes import LENGTH_NS, TIMEFRAMES
from tests.makers import table
from tests.wyckoff.reference import book
from tests.wyckoff.reference.detector import PHASES, Reference, Row, Shown, real_levels
from tests.wyckoff.reference.features import Bar, effort_of, volume_ratio_median, vsa_bar
from tests.wyckoff.reference.machine import Found, Machine
from tests.wyckoff.reference.parts import ALL, Parts
from tests.wyckoff.reference.ranges import Name
from tests.wyckoff.series import block, decorated, detections, detector, run

TOLERANCE = 1e-9
"""Scores and confidence are sums of many terms; all else must be equal to the bit."""

SUMS = ("score", "confidence", "quality", "phase_confidence", "support_strength", "resistance_strength", "objective")
LEFT_OUT = (
    "event_id", "symbol", "timeframe", "known_ns", "supersedes", "follows",  # compared in parts, or by other tests
    "confidence", "context", "stage", "tests_passed", "settings",  # said of an event, decide nothing
)  # fmt: skip
BIT_EQUAL = ("vr", "sr", "cp", "atr", "swing_low", "swing_high")
Told = dict[str, float | int | str]


@dataclass
class Comparison:
    """`difference` is "" where both sides agree; `judged` bars were compared, up to the difference or a close call.

    `kinds` counts the events that agreed, by kind and direction.
    """

    name: str
    difference: str = ""
    judged: int = 0
    close_call: str = ""
    kinds: dict[str, int] = field(default_factory=dict)


def compare(name: str, bars: Bars, parts: Parts = ALL, market: book.Market = book.STOCK) -> Comparison:
    """Both detectors on one instrument's closed bars of one timeframe."""
    timeframe = TIMEFRAMES[int(bars.timeframe[0])]
    instruments = table(asset_class=market.asset_class, calendar="XNYS" if market.hours else "")
    items = run(detector(instruments, detect_on=(timeframe,)), block(bars))
    columns, known = decorated(items), told_by_kernels(detections(items))
    reference, result = Reference(timeframe, parts, market), Comparison(name)
    for place, row in enumerate(rows_of(bars)):
        shown = reference.take(row)
        mine, theirs = told_by_reference(reference, shown), known.get(row.open_ns, [])
        difference = told_difference(mine, theirs) or column_difference(columns, place, shown)
        if difference:
            told = report(name, place, difference, reference)
            result.difference, result.close_call = ("", told) if is_close_call(reference) else (told, "")
            return result
        result.judged += 1
        for one in mine:
            label = f"{one['kind']}{one['direction']:+d}"
            result.kinds[label] = result.kinds.get(label, 0) + 1
    return result


def rows_of(bars: Bars) -> list[Row]:
    columns = (bars.open_ns, bars.high, bars.low, bars.close, bars.volume)
    return list(map(Row._make, zip(*(column.tolist() for column in columns), strict=True)))


def told_by_kernels(found: list[Detections]) -> dict[int, list[Told]]:
    """By the open time of the confirming bar: events, then the phase change."""
    told: dict[int, list[Told]] = {}
    for one in found:
        for event in one.events:
            told.setdefault(event.confirm_ns, []).append(event_told(event))
        for change in one.phases:
            open_ns = one.time_ns - LENGTH_NS[change.timeframe]
            told.setdefault(open_ns, []).append(change_told(change))
    return told


def event_told(event: Event) -> Told:
    fields = {name: getattr(event, name) for name in event.__struct_fields__ if name not in LEFT_OUT}
    fields["is_cluster"] = event.event_id.endswith(":cluster")
    for name in {"supersedes", "follows"} & set(event.__struct_fields__):
        fields[name] = " ".join(getattr(event, name).split(":")[3:])
    return fields | {"kind": event.kind.value, "phase": event.phase.value}


def change_told(change: PhaseChange) -> Told:
    fields = {name: getattr(change, name) for name in change.__struct_fields__}
    del fields["symbol"], fields["timeframe"]
    return fields | {"kind": "PHASE", "previous": change.previous.value, "phase": change.phase.value}


def told_by_reference(reference: Reference, shown: Shown) -> list[Told]:
    told = [found_told(reference, machine, found) for machine, found in shown.events]
    if shown.change is not None:
        change = shown.change
        support, resistance = real_levels(change.direction, change.support, change.resistance)
        told.append(change._asdict() | {"kind": "PHASE", "support": support, "resistance": resistance})
    return told


def found_told(reference: Reference, machine: Machine, found: Found) -> Told:
    direction, bars = machine.direction, reference.views[1].bars
    now, bar = bars[-1], bars[found.bar.number]
    support, resistance = real_levels(direction, found.support, found.resistance)
    strengths = (found.support_strength, found.resistance_strength)[::direction]
    return {
        "direction": direction, "kind": found.kind, "event_ns": bar.open_ns, "confirm_ns": now.open_ns,
        "price": direction * found.price, "score": found.score, "phase": found.phase, "support": support,
        "resistance": resistance, "range_start_ns": found.range_start_ns, "range_bars": found.range_bars,
        "variant": found.variant, "high": now.high, "low": now.low, "close": now.close, "atr": now.atr,
        "volume_ratio": bar.vr, "spread_ratio": bar.sr, "close_position": bar.cp, "is_cluster": machine.is_cluster,
        "supersedes": named(machine, bars, found.supersedes), "follows": named(machine, bars, found.follows),
        "origin": found.origin, "objective": direction * found.objective, "thin_reference": reference.clock.is_thin,
        "quality": found.quality, "support_strength": strengths[0],
        "resistance_strength": strengths[1], "phase_confidence": machine.confidence,
        "effort": effort_of(bars, bar.number), "vsa": vsa_bar(bars, bar.number),
        "volume_ratio_median": volume_ratio_median(bar.volume, [one.volume for one in bars[: bar.number]]),
    }  # fmt: skip


def named(machine: Machine, bars: list[Bar], name: Name | None) -> str:
    if name is None:
        return ""
    lane = ["cluster"] if machine.is_cluster else []
    return " ".join([name[0], str(bars[name[1]].open_ns), str(bars[name[2]].open_ns), *lane])


def same(name: str, mine: float | int | str, theirs: float | int | str) -> bool:
    if isinstance(mine, str) or isinstance(theirs, str):
        return mine == theirs
    if isnan(mine) or isnan(theirs):
        return isnan(mine) and isnan(theirs)
    return abs(mine - theirs) <= TOLERANCE if name in SUMS else mine == theirs


def column_difference(columns: Bars, place: int, shown: Shown) -> str:
    for name in BIT_EQUAL:
        mine, theirs = getattr(shown, name), float(getattr(columns, name)[place])
        if not same(name, mine, theirs):
            return f"column {name}: reference {mine!r}, kernel {theirs!r}"
    shown_as = (PHASES.index(shown.phase), shown.direction)
    kernel = (int(columns.phase[place]), int(columns.direction[place]))
    if shown_as != kernel:
        return f"columns phase and direction: reference {shown_as}, kernel {kernel}"
    if not same("confidence", shown.confidence, float(columns.confidence[place])):
        return f"column confidence: reference {shown.confidence!r}, kernel {float(columns.confidence[place])!r}"
    return ""


def told_difference(mine: list[Told], theirs: list[Told]) -> str:
    for one, other in zip(mine, theirs, strict=False):
        names = [name for name in one if name in other and not same(name, one[name], other[name])]
        if names:
            values = "\n".join(
                f"      {name}: reference {one.get(name)!r}, kernel {other.get(name)!r}" for name in names
            )
            return f"{short(one)} | {short(other)}\n{values}"
    if len(mine) > len(theirs):
        return f"only the reference has {short(mine[len(theirs)])}"
    return f"only the kernel has {short(theirs[len(mine)])}" if len(theirs) > len(mine) else ""


def short(told: Told) -> str:
    at = str(np.datetime64(int(told["event_ns"]), "ns"))[:16] if "event_ns" in told else ""
    return f"{told['kind']}{told['direction']:+d} {at} phase {told['phase']}"


def is_close_call(reference: Reference) -> bool:
    """A gate of this bar lay within 1e-9 of its limit: rounding decided it, nobody is wrong (section 0.3)."""
    return any(side.gates.bar in side.gates.close_calls for _, side in reference.lanes)


def report(name: str, place: int, difference: str, reference: Reference) -> str:
    """What differs, where both sides of the reference stand, and the gates they looked at on this bar."""
    lines = [f"{name}, bar {place}: {difference}"]
    for direction, side in reference.lanes:
        range_ = side.range
        lines.append(
            f"    side {direction:+d}: phase {side.phase} by {side.edge or '-'}, confidence {side.confidence!r}"
        )
        if range_ is not None:
            lines.append(
                f"      climax {range_.climax.number} known {range_.known}, S {range_.support!r}, "
                f"R {range_.resistance!r}, tests {[bar.number for bar in range_.tests]}, quality {range_.quality}"
            )
        lines += [f"      {row}" for row in side.gates.at(side.gates.bar)]
    return "\n".join(lines)
