"""The stage around the kernel: where it cuts, what it passes, what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest

from engine.blocks import PARTIAL, Bars
from engine.messages import EventKind
from engine.naming import event_name
from engine.timeframes import DAY_NS
from engine.wyckoff import detector as module
from engine.wyckoff.edges import NONE, A
from engine.wyckoff.layout import (
    CLUSTER_DOWN,
    CLUSTER_UP,
    CONFIDENCE,
    LANES,
    MOST_RECORDS_PER_BAR,
    PHASE,
    REALS,
    SHOWN_LANE,
    SHOWN_SIDE,
    TREND,
    WHOLES,
    empty_state,
)
from engine.wyckoff.shown import NOBODY, surest
from tests.makers import START_NS, heartbeat, table
from tests.wyckoff.series import (
    ACCUMULATION,
    block,
    closed,
    decorated,
    detections,
    detector,
    events,
    mirrored,
    planted,
    run,
)  # fmt: skip


class RoundCloses:
    name = "round"

    def marks(self, bars: Bars) -> np.ndarray:
        return bars.close == 150.0


def test_other_messages_pass() -> None:
    assert run(detector(), heartbeat(START_NS)) == [heartbeat(START_NS)]


def test_a_block_without_closed_bars_passes_as_it_is() -> None:
    empty, bare = block(closed(ACCUMULATION[:1]).slice(0, 0)), replace(Bars.empty(), closed=None)

    assert run(detector(), empty, bare) == [empty, bare]


def test_a_block_in_which_nothing_became_known_passes_whole_with_its_columns() -> None:
    given = block(closed(ACCUMULATION[:40]), rows=40)
    (passed,) = run(detector(), given)

    assert len(passed) == 40
    assert passed.closed.atr[39] > 0
    assert np.isnan(given.closed.atr).all()  # the incoming bars are not touched


def test_it_cuts_after_the_bars_of_a_close_and_before_the_row_that_released_them() -> None:
    bars = closed(ACCUMULATION)
    items = run(detector(), block(bars, sequence=1, rows=len(bars)))
    at = next(number for number, item in enumerate(items) if not isinstance(item, Bars) and item.events)
    piece, found, rest = items[at - 1 : at + 2]

    assert piece.closed.close_ns[-1] == found.time_ns == bars.close_ns[70]
    assert rest.sequence == bars.release[70]
    assert rest.closed.release[0] == bars.release[71]
    assert sum(len(item) for item in items if isinstance(item, Bars)) == len(bars)
    assert len(decorated(items)) == len(bars)


def test_one_detections_for_all_instruments_of_a_close() -> None:
    one = closed(ACCUMULATION)
    both = Bars.join([one, replace(one, instrument=np.ones(len(one), np.int32))])
    order = np.argsort(both.close_ns, kind="stable")
    both = replace(both, **{name: column[order] for name, column in both.columns().items()})
    found = detections(run(detector(table("AAA", "BBB")), block(both)))

    assert len({one.time_ns for one in found}) == len(found)
    climax = next(one for one in found if one.events)
    assert [event.symbol for event in climax.events] == ["AAA", "BBB"]


def test_lateness_moves_the_decision() -> None:
    items = run(detector(lateness_ns=250_000_000), block(closed(ACCUMULATION)))
    found = next(one for one in detections(items) if one.events)

    assert found.decision_ns == found.time_ns + 250_000_000
    assert found.events[0].known_ns == found.decision_ns


def test_a_piece_without_rows_announces_no_line_time_of_rows_to_come() -> None:
    bars = closed(ACCUMULATION, release=1)
    last = block(bars, sequence=1)
    last.line_time_ns = START_NS + 500 * DAY_NS
    items = run(detector(), last)

    assert {item.line_time_ns for item in items[:-1] if isinstance(item, Bars)} == {0}
    assert items[-1].line_time_ns == last.line_time_ns


def test_partial_bars_and_other_timeframes_are_not_detected_on() -> None:
    bars = closed(ACCUMULATION)
    partial = replace(bars, source=np.where(np.arange(len(bars)) == 70, PARTIAL, 0).astype(np.int8))

    assert detections(run(detector(detect_on=("1h",)), block(bars))) == []
    assert (EventKind.SC, 1) not in [(event.kind, event.direction) for event in events(partial)]
    assert np.isnan(decorated(run(detector(), block(partial))).cp[70])


def test_a_bar_without_volume_anchors_nothing() -> None:
    rows = list(ACCUMULATION)
    rows[70] = (*rows[70][:4], 0.0)

    day = int(closed(rows).open_ns[70])

    assert (EventKind.SC, 1) not in [(event.kind, event.direction) for event in events(closed(rows))]
    assert day not in [event.event_ns for event in events(closed(rows))]


def test_strategies_mark_bars_of_detected_timeframes() -> None:
    bars = closed(ACCUMULATION[:60])
    stage = detector(strategies=(RoundCloses(),))
    marks = [mark for one in detections(run(stage, block(bars))) for mark in one.marks]

    assert len(marks) == int((bars.close == 150.0).sum())
    assert (marks[0].strategy, marks[0].symbol, marks[0].timeframe) == ("round", "AAA", "1d")
    for other in (detector(detect_on=("1h",), strategies=(RoundCloses(),)), stage):
        unfinished = replace(bars, source=np.full(len(bars), PARTIAL, np.int8))
        assert detections(run(other, block(unfinished))) == []


def test_a_full_output_is_drained_and_the_scan_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = planted(2_000, seed=11)
    expected = repr(detections(run(detector(), block(bars))))
    monkeypatch.setattr(module, "RECORDS", MOST_RECORDS_PER_BAR + 1)

    assert repr(detections(run(detector(), block(bars)))) == expected


def test_an_undeclared_timeframe_is_refused() -> None:
    with pytest.raises(ValueError, match=r"detect_on must be among .*, was 2h"):
        detector(detect_on=("2h",))


def test_levels_are_real_prices_on_both_sides() -> None:
    for event in (*events(planted(3_000, seed=12)), *events(mirrored(planted(3_000, seed=12)))):
        assert not event.resistance <= event.support


def test_the_mirrors_have_names() -> None:
    named = {kind: event_name(kind, -1) for kind in EventKind}

    assert [named[kind] for kind in (EventKind.PS, EventKind.SC, EventKind.SPRING, EventKind.SOS, EventKind.LPS)] == [
        "PSY", "BC", "UTAD", "SOW", "LPSY",
    ]  # fmt: skip
    assert all(event_name(kind, 1) == kind.value for kind in EventKind)


def test_warm_compiles_and_returns_nothing() -> None:
    assert module.warm() is None


def chosen(phases: dict[int, float], shown: int, trend: int = 0) -> int:
    """The lane to show where these lanes have ranges of these confidences and `shown` was shown before."""
    state = empty_state(1)
    state.wholes[0, :, PHASE] = NONE
    for lane, confidence in phases.items():
        state.wholes[0, lane, PHASE], state.reals[0, lane, CONFIDENCE] = A, confidence
    state.wholes[0, CLUSTER_UP, TREND], state.wholes[0, CLUSTER_DOWN, TREND] = trend, -trend
    state.counts[0, SHOWN_LANE], state.counts[0, SHOWN_SIDE] = max(0, shown), 0 if shown == NOBODY else 1
    reals, wholes = state.reals[0].reshape(LANES * REALS), state.wholes[0].reshape(LANES * WHOLES)
    return int(surest.py_func(state.counts[0], reals, wholes))


def test_the_lane_with_the_highest_confidence_is_shown() -> None:
    assert chosen({}, NOBODY) == NOBODY
    assert chosen({0: 50.0, 1: 50.5, 3: 20.0}, 0) == 1


@pytest.mark.parametrize("shown", [NOBODY, 0, 1])
def test_on_equal_confidence_the_lane_already_shown_stays(shown: int) -> None:
    assert chosen({0: 50.0, 1: 50.0}, shown) == shown


def test_on_equal_confidence_the_event_range_goes_before_the_cluster_range() -> None:
    assert chosen({0: 50.0, 2: 50.0}, NOBODY) == 0


@pytest.mark.parametrize(("trend", "expected"), [(1, CLUSTER_UP), (-1, CLUSTER_DOWN), (0, NOBODY)])
def test_the_sides_of_a_cluster_range_are_told_apart_by_the_way_price_came(trend: int, expected: int) -> None:
    assert chosen({2: 30.0, 3: 30.0}, NOBODY, trend) == expected


@pytest.mark.parametrize("name", ["tick:100", "volume:50000", "dollar:1000000"])
def test_counted_bars_have_no_time_of_day(name: str) -> None:
    """Their volume is compared with that of the bars before, and one that took days is no gap."""
    bars = planted(600, seed=3)
    stage = detector(timeframes=("1d", name), detect_on=("1d", name))
    counted = replace(bars, timeframe=np.ones(len(bars), np.int8))
    shown = decorated(run(stage, block(counted)))

    assert len(stage._clock.values) == 0
    assert shown.vr[20:] == pytest.approx([bars.volume[n] / bars.volume[n - 20 : n].mean() for n in range(20, 600)])
    assert set(shown.phase.tolist()) > {0, 1}
