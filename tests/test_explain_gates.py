"""What an explanation says of a bar is what the detector then did there: gates, levels, parts, words."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine.blocks import Bars
from engine.messages import Detections, Event, EventKind, Phase
from engine.wyckoff import gates as g
from engine.wyckoff.explained import Change, Explanation, Slot, explain
from engine.wyckoff.explained_gates import Candidate
from engine.wyckoff.explained_judging import judged
from engine.wyckoff.explained_lanes import SlotCopy, as_judged, copied, lanes_of
from engine.wyckoff.explained_plain import plain
from engine.wyckoff.features import ramp
from engine.wyckoff.ranges import level_strength, measure
from tests.wyckoff.series import (
    ACCUMULATION,
    CAUSE,
    CLIMAX,
    DECLINE,
    QUIET,
    RALLY,
    SPRING,
    TEST_OF_CLIMAX,
    TEST_OF_SPRING,
    block,
    closed,
    clustered,
    detector,
    mirrored,
    planted,
)

EXPLAINED = {"SC", "SOFT_STOP", "AR", "ST", "SPRING", "TEST", "UT", "SHAKE", "SOS", "BREAKOUT_WEAK", "SOS_MINOR", "LPS",
             "LPS_INSIDE", "RANGE_FORMED"}  # fmt: skip
Found = tuple[int, str, str]


class Watch:
    """A detector of one slot, looked at after every bar."""

    def __init__(self, timeframe: str = "1d") -> None:
        self.stage = detector(detect_on=(timeframe,))
        self.timeframe = timeframe
        self.gates = self.stage._rules.gates[0, 0]
        self.before = self.now = self._copy()
        self.events: list[Event] = []
        self.changes: list[Change] = []

    def _copy(self) -> SlotCopy:
        return copied(self.stage._state, 0, self.gates, self.timeframe)

    def see(self, bars: Bars) -> list[Event]:
        """What became known at the bars; all but the last are passed over."""
        for item in self.stage.process(block(bars)):
            if isinstance(item, Detections):
                self.events += item.events
                self.changes += [Change(item.decision_ns, one) for one in item.phases]
        self.before, self.now = self.now, self._copy()
        return [one for one in self.events if one.confirm_ns == bars.open_ns[-1]]

    def explained(self, *, exactly: bool = True) -> Explanation:
        slot = Slot("AAA", self.timeframe, 0)
        return explain(slot, self.now, self.before if exactly else None, self.events, self.changes)


def watched(rows: object, timeframe: str = "1d") -> Watch:
    """After the last of the rows, with the state before it known."""
    bars = rows if isinstance(rows, Bars) else closed(rows, timeframe)
    watch = Watch(timeframe)
    watch.see(bars.slice(0, len(bars) - 1))
    watch.see(bars.slice(len(bars) - 1, len(bars)))
    return watch


def emitted(events: list[Event]) -> set[Found]:
    """Of what gates are told for. A failed breakout found to have been an upthrust is a relabel; a test in
    the bars between a rally's top and its confirmation is found while the rally is; a cluster range is one."""
    kinds = {one.kind for one in events}
    return {
        (one.direction, "cluster" if one.event_id.endswith(":cluster") else "event", one.kind.value)
        for one in events
        if one.kind.value in EXPLAINED
        and not (one.kind is EventKind.UT and one.supersedes)
        and not (one.kind is EventKind.ST and EventKind.AR in kinds)
        and not (one.kind is EventKind.RANGE_FORMED and one.direction < 0)
    }


def passed(candidates: list[Candidate], events: list[Event]) -> set[Found]:
    beside_a_rally = EventKind.AR in {one.kind for one in events}
    return {
        (one.direction, one.range, one.kind)
        for one in candidates
        if one.passes and not (beside_a_rally and one.kind == "ST")
    }


def steps(bars: Bars) -> Iterator[tuple[list[Candidate], list[Event]]]:
    watch = Watch()
    for place in range(len(bars)):
        events = watch.see(bars.slice(place, place + 1))
        if watch.now.is_warm:
            yield [one for lane in judged(as_judged(watch.before, watch.now)) for one in lane], events


MARKETS = [
    ("written", closed(ACCUMULATION)),
    ("upside down", mirrored(closed(ACCUMULATION))),
    *((f"planted {seed}", planted(500, seed)) for seed in range(8)),
    *((f"clustered {seed}", clustered(500, seed)) for seed in range(8)),
]


def test_an_event_is_there_exactly_when_all_its_gates_pass() -> None:
    seen: Counter[str] = Counter()
    for name, bars in MARKETS:
        for candidates, events in steps(bars):
            expected = emitted(events)

            assert passed(candidates, events) == expected, name
            seen.update(kind for _, _, kind in expected)

    assert set(seen) == EXPLAINED


def test_a_gate_that_lies_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = emitted(next(events for _, events in steps(closed(ACCUMULATION)) if events))
    monkeypatch.setattr("engine.wyckoff.explained_gates.holds", lambda value, relation, limit: False)

    candidates, events = next((c, e) for c, e in steps(closed(ACCUMULATION)) if e)

    assert honest
    assert passed(candidates, events) == set()


def test_looking_changes_nothing() -> None:
    watch = watched(ACCUMULATION)
    twice = watched(ACCUMULATION)

    for _ in range(3):
        watch.explained()

    for one, other in zip(watch._copy()[:7], twice._copy()[:7], strict=True):
        np.testing.assert_array_equal(one, other)


def test_plain_kernels_are_the_kernels() -> None:
    assert plain(ramp)(0.3, 0.0, 1.0) == ramp(0.3, 0.0, 1.0)
    assert not hasattr(plain(ramp), "py_func")
    assert plain(plain(ramp)) is plain(ramp)


def test_confidence_is_the_sum_of_its_parts() -> None:
    watch = Watch()
    checked = 0
    bars = planted(500, 3)
    for place in range(len(bars)):
        watch.see(bars.slice(place, place + 1))
        if place % 10 == 0 and watch.now.is_warm:
            for lane in watch.explained().lanes:
                if lane.confidence is not None:
                    total = sum(one.points for one in lane.parts)
                    assert lane.confidence == pytest.approx(min(100.0, max(0.0, total)))
                    checked += 1

    assert checked > 20


def test_parts_of_levels_add_up_to_what_the_kernel_measures() -> None:
    checked = 0
    for _, bars in MARKETS[:6]:
        watch = watched(bars)
        for lane, view in zip(lanes_of(watch.now), watch.explained().lanes, strict=True):
            if view.levels.quality is None or not view.levels.parts:
                continue
            plain(measure)(lane)
            from engine.wyckoff.layout import QUALITY, RESISTANCE_STRENGTH, SUPPORT_STRENGTH

            total = max(0.0, sum(one.points for one in view.levels.parts))
            assert total == pytest.approx(lane.reals[QUALITY])
            own, other = (view.levels.support, view.levels.resistance)[:: 1 if lane.sign > 0 else -1]
            assert own is not None
            assert other is not None
            assert sum(one.points for one in own.parts) == pytest.approx(lane.reals[SUPPORT_STRENGTH])
            assert sum(one.points for one in other.parts) == pytest.approx(lane.reals[RESISTANCE_STRENGTH])
            checked += 1

    assert checked > 0
    assert plain(level_strength)(3, 0.5, 0.8, 40) == 80.0


def test_warm_up_is_counted() -> None:
    found = watched(QUIET[:30]).explained()

    assert (found.phase, found.lanes) == (Phase.WARMUP.value, [])
    assert found.warmup is not None
    assert (found.warmup.bars, found.warmup.needed) == (30, 60)
    assert found.percentile is not None
    assert (found.percentile.bars, found.percentile.needed) == (9, 250)


def test_the_last_bar_of_warm_up_is_as_told() -> None:
    rows = QUIET + DECLINE
    assert watched(rows[:59]).explained().warmup is not None
    assert watched(rows[:60]).explained().warmup is None


def test_the_search_names_the_climax_and_its_level() -> None:
    found = watched(QUIET + DECLINE).explained()
    lane = found.lanes[0]

    assert (found.phase, found.direction, lane.phase) == ("NONE", 0, "NONE")
    assert [one.event for one in lane.judged] == ["SC", "SOFT_STOP"]
    assert [one.event for one in found.lanes[1].judged] == ["BC", "SOFT_STOP"]
    assert lane.waits[0].label == "selling climax"
    assert lane.waits[0].level == 109.5


def test_a_spring_is_told_with_the_events_that_led_to_it() -> None:
    found = watched(QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE + SPRING[:1]).explained()
    lane = found.lanes[0]
    spring = next(one for one in lane.judged if one.kind == "SPRING")

    assert (found.phase, found.direction, found.side) == ("C", 1, "accumulation")
    assert [one.event for one in lane.events][:2] == ["SC", "AR"]
    assert lane.events[-1].event == "SPRING"
    assert spring.passes
    assert {one.kind for one in lane.next} >= {"TEST", "SOS"}
    assert found.since
    assert any("close below 97.00, the spring's low" in one.text for one in lane.waits)


def test_a_leg_below_support_says_how_long_it_may_last() -> None:
    below = [*(QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE), (100.5, 100.8, 97.0, 97.2, 900.0)]
    lane = watched(below).explained().lanes[0]

    wait = next(one for one in lane.waits if one.label == "spring: close back")
    assert "a close back above support 98.00 within 3 bars" in wait.text
    assert (wait.level, wait.bars) == (98.0, 3)
    fails = [one for one in lane.waits if one.effect == "invalidates"]
    assert "= support - 2.5 ATR fails the range at once" in fails[0].text
    assert "(1 so far)" in fails[1].text


def test_the_mirror_is_told_in_real_prices() -> None:
    bars = mirrored(closed(QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE))
    found = watched(bars).explained()
    lane = found.lanes[1]

    assert found.direction == -1
    assert lane.levels.resistance is not None
    assert lane.levels.resistance.price == -98.0
    assert any(one.text.startswith("an upthrust") for one in lane.waits)
    climax = next(one for one in found.lanes[1].events if one.kind == "SC")
    assert (climax.event, climax.price) == ("BC", -98.0)


def test_prices_that_forbid_a_gate_are_told_on_the_real_side() -> None:
    bars = mirrored(closed(QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE))
    candidates = watched(bars).explained().lanes[1].judged

    sow = next(one for one in candidates if one.event == "SOW")
    assert sow.gates[0].name == "close clear below support"
    assert sow.gates[0].relation == "<="


def test_without_the_state_before_the_same_bar_is_judged_by_the_state_it_left() -> None:
    watch = watched(ACCUMULATION[:100])

    exact, live = watch.explained(), watch.explained(exactly=False)

    assert exact.phase == live.phase
    assert exact.lanes[0].waits == live.lanes[0].waits
    assert all(lane.next == [] for lane in live.lanes)


def test_a_gap_in_the_bars_is_judged_as_the_detector_does() -> None:
    rows = closed(ACCUMULATION[:110])
    late = rows.open_ns.copy()
    late[-1] += 30 * 86_400 * 10**9
    found = watched(replace(rows, open_ns=late, close_ns=late + 86_400 * 10**9)).explained()

    assert found.phase == "NONE"
    assert {one.kind for lane in found.lanes for one in lane.judged} == {"SC", "SOFT_STOP", "RANGE_FORMED"}


def test_the_volume_limit_is_the_percentile_once_it_is_known() -> None:
    bars = planted(400, 1)
    watch = watched(bars)
    gate = next(one for one in watch.explained().lanes[0].judged[0].gates if one.name == "volume ratio")

    settings = watch.gates[0]
    assert gate.limit is not None
    assert settings[g.SC_VR_FLOOR] <= gate.limit <= settings[g.SC_VR_CEILING]
    assert watch.explained().percentile is None


def test_an_empty_slot_has_nothing_to_tell() -> None:
    watch = Watch()

    found = watch.explained()

    assert (found.bar, found.phase, found.lanes) == (None, "WARMUP", [])


def test_the_spring_of_the_test_is_named() -> None:
    rows = QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE + SPRING + TEST_OF_SPRING
    lane = watched(rows).explained().lanes[0]

    assert lane.events[-1].event == "TEST"
    assert list(lane.events[-1].parts) == ["spring", "test"]
