"""The whole reference: bars in, columns and events and phase changes out, bar by bar."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import NamedTuple

from tests.wyckoff.reference import book, features
from tests.wyckoff.reference.clock import DAY_NS, Clock
from tests.wyckoff.reference.clusters import best_candidate, overlap
from tests.wyckoff.reference.features import Bar
from tests.wyckoff.reference.lanes import ClusterSide
from tests.wyckoff.reference.machine import Found, Machine, View
from tests.wyckoff.reference.parts import ALL, Parts
from tests.wyckoff.reference.side import Side
from tests.wyckoff.reference.swings import confirmed_swing

NOBODY = -1
PHASES = ("WARMUP", "NONE", "A", "B", "C", "D", "E")


class Row(NamedTuple):
    """One closed bar as it comes."""

    open_ns: int
    high: float
    low: float
    close: float
    volume: float


class Change(NamedTuple):
    """What is shown changed. Levels are in the view of `direction`; NaN where no side is shown."""

    direction: int
    previous: str
    phase: str
    confidence: float
    support: float
    resistance: float
    range_start_ns: int


@dataclass
class Shown:
    """What the detector says at one bar. `events` come with the machine that told them, in order."""

    vr: float
    sr: float
    cp: float
    atr: float
    phase: str
    direction: int
    confidence: float
    swing_low: float = nan
    swing_high: float = nan
    events: list[tuple[Machine, Found]] = field(default_factory=list)
    change: Change | None = None


class Reference:
    """One (symbol, timeframe). `lanes` are (direction, machine): event ranges, then both views of a cluster range."""

    def __init__(self, timeframe: str, parts: Parts = ALL, market: book.Market = book.STOCK) -> None:
        self.timeframe, self.scale = timeframe, book.scale(timeframe, market)
        self.views = {1: View([], []), -1: View([], [])}
        views = {direction: (self.views[direction], self.views[-direction]) for direction in (1, -1)}
        self.sides = {direction: Side(direction, views[direction], self.scale, parts) for direction in (1, -1)}
        self.clusters = {
            direction: ClusterSide(direction, views[direction], self.scale, parts) for direction in (1, -1)
        }
        self.lanes: list[tuple[int, Side]] = [*self.sides.items(), *self.clusters.items()]
        self.told: list[tuple[Machine, Found]] = []
        for _, machine in self.lanes:
            machine.told = self.told
        self.ranges: list[float] = []
        self.clock = Clock(self.scale)
        self.phase, self.shown = "WARMUP", NOBODY

    def take(self, row: Row) -> Shown:
        """1.1: a bar without volume is in no reference and no event anchors on it."""
        if row.volume <= 0.0:
            return self._empty(row)
        bar = self._bar(row)
        self.views[1].bars.append(bar)
        self.views[-1].bars.append(features.mirrored(bar))
        low, high = (self._swing(view) for view in self.views.values())
        swings = [(direction, bar) for direction, bar in ((1, low), (-1, high)) if bar is not None]
        shown = Shown(bar.vr, bar.sr, bar.cp, bar.atr, "", 0, 0.0)
        shown.swing_low = nan if low is None else low.low
        shown.swing_high = nan if high is None else -high.low
        if bar.number + 1 >= book.PRIOR_BARS:
            self._judge(shown, swings=swings)
        return self._with_phase(shown)

    def _swing(self, view: View) -> Bar | None:
        swing = confirmed_swing(view.bars, self.scale.pivot_k)
        if swing is not None:
            view.swings.append(swing)
        return swing

    def _bar(self, row: Row) -> Bar:
        past = self.views[1].bars
        spread = row.high - row.low
        self.ranges.append(features.true_range(row.high, row.low, past[-1].close if past else None))
        before = past[-1].atr if past else nan
        if self.scale.is_intraday:
            self.clock.tell(row.open_ns, row.volume)
        usual, volumes = self.clock.usual, [bar.volume for bar in past[-book.VR_BARS :]]
        return Bar(
            number=len(past),
            open_ns=row.open_ns,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
            vr=features.volume_ratio(row.volume, volumes) if isnan(usual) else row.volume / usual,
            sr=features.spread_ratio(spread, [bar.high - bar.low for bar in past[-book.SR_BARS :]]),
            cp=features.close_position(row.high, row.low, row.close),
            atr_before=before,
            atr=features.wilder_atr(self.ranges, before),
            edge_volume=self.clock.edge_volume,
        )

    def _empty(self, row: Row) -> Shown:
        past = self.views[1].bars
        sr = features.spread_ratio(row.high - row.low, [bar.high - bar.low for bar in past[-book.SR_BARS :]])
        cp = features.close_position(row.high, row.low, row.close)
        return self._with_phase(Shown(nan, sr, cp, past[-1].atr if past else nan, "", 0, 0.0))

    def _judge(self, shown: Shown, *, swings: list[tuple[int, Bar]]) -> None:
        bars = self.views[1].bars
        if is_gap(bars[-2].open_ns, bars[-1].open_ns, self.timeframe, self.scale.market):
            for _, machine in self.lanes:
                machine.stop()
        started = {direction: side.phase for direction, side in self.sides.items()}
        for _, machine in self.lanes:
            machine.step()
        for direction, side in self.sides.items():
            if started[direction] == "A" and side.phase == "B":
                self._take_over(side)
        self._seek_cluster(swings)
        for direction, machine in self.lanes:
            opposed = started[-direction] == "A" and self.sides[-direction].phase == "B"
            machine.settle(is_opposed=opposed, has_swing=bool(swings))
        shown.events += self.told
        self.told.clear()
        shown.change = self._choose()

    def _take_over(self, side: Side) -> None:
        """T19: an event range that reaches B takes the place of a cluster range it overlaps, while that is in B."""
        up = self.clusters[1]
        if not (up.phase == self.clusters[-1].phase == "B" and up.range is not None and side.range is not None):
            return
        levels = real_levels(side.direction, side.range.support, side.range.resistance)
        if overlap(levels, (up.range.support, up.range.resistance)):
            for machine in self.clusters.values():
                machine.end("T19")

    def _seek_cluster(self, swings: list[tuple[int, Bar]]) -> None:
        """2.2 [X] 2. Reading: the up view first where both confirm a swing."""
        free = all(machine.phase in ("NONE", "E") for machine in self.clusters.values())
        if not free:
            return
        for direction, pivot in swings:
            view, other = self.views[direction], self.views[-direction]
            best = best_candidate(view, other, self.scale.width_floor)
            if best is not None and not self._is_taken(real_levels(direction, best.support, best.resistance)):
                seen_from = {
                    direction: (best.support, best.resistance, len(best.lows)),
                    -direction: (-best.resistance, -best.support, len(best.tops)),
                }
                for side, machine in self.clusters.items():
                    machine.form(best.start, *seen_from[side], pivot)
                return

    def _is_taken(self, levels: tuple[float, float]) -> bool:
        known = [
            real_levels(direction, side.range.support, side.range.resistance)
            for direction, side in self.sides.items()
            if side.range is not None and not isnan(side.range.resistance)
        ]
        return any(overlap(one, levels) for one in known)

    def _choose(self) -> Change | None:
        """4.2: the lane with the highest confidence is shown.

        Reading: on a tie the one shown before, else an event range before a cluster range, and of a
        cluster's two sides the one that goes on the way price came; else none.
        """
        lane = self._surest()
        direction, machine = (0, None) if lane == NOBODY else self.lanes[lane]
        phase = "NONE" if machine is None else machine.phase
        if (phase, lane) == (self.phase, self.shown):
            return None
        previous, self.phase, self.shown = self.phase, phase, lane
        if machine is None or machine.range is None:
            return Change(direction, previous, phase, 0.0, nan, nan, 0)
        range_ = machine.range
        return Change(
            direction,
            previous,
            phase,
            machine.confidence,
            range_.support,
            range_.resistance,
            range_.climax.open_ns,
        )

    def _surest(self) -> int:
        live = [number for number, (_, machine) in enumerate(self.lanes) if machine.phase != "NONE"]
        if not live:
            return NOBODY
        most = max(self.lanes[number][1].confidence for number in live)
        best = [number for number in live if self.lanes[number][1].confidence == most]
        if len(best) == 1 or self.shown in best:
            return best[0] if len(best) == 1 else self.shown
        by_side = {
            direction: [number for number in best if self.lanes[number][0] == direction] for direction in (1, -1)
        }
        if not (by_side[1] and by_side[-1]):
            return best[0]
        firsts = [by_side[1][0], by_side[-1][0]]
        with_trend = [number for number in firsts if self._goes_on(number)]
        return with_trend[0] if with_trend and all(number >= len(self.sides) for number in firsts) else NOBODY

    def _goes_on(self, number: int) -> bool:
        range_ = self.lanes[number][1].range
        return range_ is not None and range_.trend > 0

    def _with_phase(self, shown: Shown) -> Shown:
        shown.phase = self.phase
        shown.direction, shown.confidence = 0, 0.0
        if self.shown != NOBODY:
            shown.direction, machine = self.lanes[self.shown]
            shown.confidence = machine.confidence
        return shown


def real_levels(direction: int, support: float, resistance: float) -> tuple[float, float]:
    """From the view of `direction` to prices."""
    return (-resistance, -support) if direction < 0 else (support, resistance)


def is_gap(before_ns: int, now_ns: int, timeframe: str, market: book.Market = book.STOCK) -> bool:
    """T14: more than five weekdays or weeks missing between two bars, intraday more than one; crypto has no weekend.

    Reading: days are whole UTC days strictly between the days of the two opens; holidays count as missing.
    """
    first, last = before_ns // DAY_NS, now_ns // DAY_NS
    if timeframe == "1w":
        return (last - first) // 7 - 1 > book.GAP_DAYS
    missing = sum((day + 3) % 7 < 5 or market.asset_class == "crypto" for day in range(first + 1, last))
    return missing > (book.GAP_DAYS if timeframe == "1d" else book.GAP_SESSIONS)


def detect(rows: Sequence[Row], timeframe: str = "1d", parts: Parts = ALL) -> tuple[list[Shown], Reference]:
    """What is shown at each row, and the reference as it stands after the last."""
    reference = Reference(timeframe, parts)
    return [reference.take(row) for row in rows], reference


__all__ = ["PHASES", "Change", "Reference", "Row", "Shown", "detect"]
