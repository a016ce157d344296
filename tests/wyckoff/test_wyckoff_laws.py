"""Laws: no look-ahead, append-only, any chunking, mirror, scale, snapshot."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.blocks import Bars, equal
from engine.messages import Detections, Event, PhaseChange
from engine.timeframes import DAY_NS, TIMEFRAMES
from engine.wyckoff import gates as g
from engine.wyckoff.edges import TRANSITIONS, Edge
from engine.wyckoff.layout import EDGE, LANES, PHASE, slot_bytes
from engine.wyckoff.settings import DetectorSettings
from tests.makers import START_NS, table
from tests.wyckoff.series import (
    ACCUMULATION,
    block,
    changes,
    closed,
    clustered,
    decorated,
    detections,
    detector,
    events,
    mirrored,
    planted,
    real_days,
    run,
    scaled,
    swapped,
)  # fmt: skip

SERIES = {
    "accumulation": lambda: closed(ACCUMULATION),
    "planted": lambda: planted(1_200, seed=5),
    "clustered": lambda: clustered(1_200, seed=7),
}
COLUMNS = ("vr", "sr", "cp", "atr", "phase", "direction", "confidence", "swing_low", "swing_high")
CUTS = 40

Detect = Callable[[Bars], tuple[Bars, list[Detections]]]


@pytest.fixture(params=[*SERIES, "AAPL", "GOOG", "IBM", "MSFT"])
def bars(request: pytest.FixtureRequest) -> Bars:
    if request.param in SERIES:
        return SERIES[request.param]()
    if request.param not in real_days():
        pytest.skip("real daily data is not present")
    return real_days()[request.param].slice(0, 1_500)


def detect(bars: Bars) -> tuple[Bars, list[Detections]]:
    items = run(detector(), block(bars))
    return decorated(items), detections(items)


def first_look_ahead(detect: Detect, bars: Bars) -> str:
    """Where the output on a prefix differs from the prefix of the output; "" if nowhere."""
    columns, found = detect(bars)
    for cut in np.linspace(1, len(bars) - 1, CUTS).astype(int).tolist():
        early_columns, early = detect(bars.slice(0, cut))
        if repr(early) != repr([one for one in found if one.time_ns <= bars.close_ns[cut - 1]]):
            return f"detections at {cut}"
        for name in COLUMNS:
            if not np.array_equal(getattr(early_columns, name), getattr(columns, name)[:cut], equal_nan=True):
                return f"{name} at {cut}"
    return ""


def test_output_on_a_prefix_is_the_prefix_of_the_output(bars: Bars) -> None:
    assert first_look_ahead(detect, bars) == ""


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(61, 599), kind=st.sampled_from((planted, clustered)))
def test_whatever_the_market_a_prefix_knows_what_the_whole_knew_then(seed: int, cut: int, kind: object) -> None:
    bars = kind(600, seed)  # type: ignore[operator]
    columns, found = detect(bars)
    early_columns, early = detect(bars.slice(0, cut))

    assert repr(early) == repr([one for one in found if one.time_ns <= bars.close_ns[cut - 1]])
    for name in COLUMNS:
        assert np.array_equal(getattr(early_columns, name), getattr(columns, name)[:cut], equal_nan=True)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), power=st.integers(-20, 20), kind=st.sampled_from((planted, clustered)))
def test_whatever_the_market_mirror_and_scale_change_nothing(seed: int, power: int, kind: object) -> None:
    bars = kind(600, seed)  # type: ignore[operator]
    plain, other = events(bars), events(mirrored(bars), swapped(detector()))
    large = events(scaled(bars, 2.0**power))

    assert sorted(map(upright, plain), key=repr) == sorted(map(turned, other), key=repr)
    assert [repr((one.event_id, one.score, one.quality, one.confidence, one.follows)) for one in plain] == [
        repr((one.event_id, one.score, one.quality, one.confidence, one.follows)) for one in large
    ]


def test_a_planted_look_ahead_is_caught() -> None:
    def eager(bars: Bars) -> tuple[Bars, list[Detections]]:
        """Shows a swing at the bar it points at, five bars before anyone could know."""
        columns, found = detect(bars)
        early = np.append(columns.swing_low[5:], np.full(min(5, len(bars)), np.nan))
        return replace(columns, swing_low=early), found

    def prescient(bars: Bars) -> tuple[Bars, list[Detections]]:
        """Knows each event one bar before its confirmation."""
        columns, found = detect(bars)
        day = int(bars.close_ns[0] - bars.open_ns[0])
        return columns, [replace_time(one, one.time_ns - day) for one in found]

    bars = planted(1_200, seed=5)

    assert first_look_ahead(eager, bars).startswith("swing_low")
    assert first_look_ahead(prescient, bars).startswith("detections")


def replace_time(one: Detections, time_ns: int) -> Detections:
    return Detections(
        time_ns=time_ns, decision_ns=one.decision_ns, events=one.events, phases=one.phases, marks=one.marks
    )


def test_events_are_never_taken_back(bars: Bars) -> None:
    found = events(bars)
    names = [event.event_id for event in found]

    assert len(names) == len(set(names))
    for number, event in enumerate(found):
        assert event.event_ns <= event.confirm_ns < event.known_ns
        assert not event.supersedes or event.supersedes in names[:number]


def tokens(items: list[object]) -> list[object]:
    """Rows, bars and detections in the order they mean, with the line time known at each detection."""
    out: list[object] = []
    line_ns = 0
    for item in items:
        if isinstance(item, Bars):
            bars = item.closed
            count, row = len(item), 0
            for number in range(0 if bars is None else len(bars)):
                while row < count and item.sequence + row < bars.release[number]:
                    out.append(("row", item.sequence + row))
                    row += 1
                out.append(("bar", bars.instrument[number], bars.open_ns[number]))
            out += [("row", item.sequence + rest) for rest in range(row, count)]
            line_ns = max(line_ns, item.line_time_ns)
        else:
            out.append((line_ns, repr(item)))
    return out


def busy_block(symbols: int, rows: int) -> Bars:
    """A block whose every third row releases a close of all symbols."""
    series = [planted(rows, seed=20 + number) for number in range(symbols)]
    bars = Bars.join([replace(one, instrument=np.full(rows, number, np.int32)) for number, one in enumerate(series)])
    order = np.lexsort((bars.instrument, bars.close_ns))
    bars = replace(bars, **{name: column[order] for name, column in bars.columns().items()})
    bars = replace(bars, release=100 + 3 * np.repeat(np.arange(rows), symbols))
    whole = block(bars, sequence=100, rows=3 * rows)
    whole.line_ns = START_NS + np.arange(3 * rows, dtype=np.int64)
    whole.line_time_ns = int(whole.line_ns[-1])
    return whole


SYMBOLS = ("AAA", "BBB", "CCC")
WHOLE = busy_block(len(SYMBOLS), 400)


def on_pieces(cuts: list[int]) -> tuple[list[object], Bars]:
    borders = [0, *sorted(set(cuts)), len(WHOLE)]
    stage = detector(table(*SYMBOLS))
    items = run(stage, *(WHOLE.slice(*pair) for pair in pairwise(borders) if pair[0] < pair[1]))
    return tokens(items), decorated(items)


REFERENCE = on_pieces([])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, len(WHOLE) - 1), max_size=60))
def test_any_chunking_gives_the_same_output(cuts: list[int]) -> None:
    found, columns = on_pieces(cuts)

    assert found == REFERENCE[0]
    assert equal(columns, REFERENCE[1])


def test_row_by_row_gives_the_same_output() -> None:
    found, columns = on_pieces(list(range(1, len(WHOLE))))

    assert sum(1 for token in found if isinstance(token[0], int)) > 20
    assert found == REFERENCE[0]
    assert equal(columns, REFERENCE[1])


def test_detections_come_after_all_bars_of_their_close_and_before_the_next() -> None:
    newest, known = 0, 0
    for token in REFERENCE[0]:
        if token[0] == "bar":
            newest = int(token[2])
            assert newest > known
        elif isinstance(token[0], int):
            known = newest
            assert f"confirm_ns={newest}" in token[1] or "events=()" in token[1]


def without_close(event: Event) -> tuple[object, ...]:
    """What the mirror keeps: all but the close position, which is a quotient of other numbers."""
    return (
        event.event_ns, event.confirm_ns, event.kind, event.score, event.phase, event.range_start_ns, event.range_bars,
        event.variant, event.atr, event.volume_ratio, event.spread_ratio,
    )  # fmt: skip


def upright(event: Event) -> tuple[object, ...]:
    levels = (event.price, event.support, event.resistance, event.high, event.low, event.close)
    return (event.direction, *without_close(event), repr(levels))


def turned(event: Event) -> tuple[object, ...]:
    levels = (-event.price, -event.resistance, -event.support, -event.low, -event.high, -event.close)
    return (-event.direction, *without_close(event), repr(levels).replace("-nan", "nan"))


def shown(change: PhaseChange, sign: int) -> tuple[object, ...]:
    return (sign * change.direction, change.previous, change.phase, change.confidence, change.range_start_ns)


def test_vector_21_the_mirror_of_a_market_has_the_mirrored_events(bars: Bars) -> None:
    # Exactly, once the sides have changed gates too: these hold every deliberate exception to the mirror.
    plain, other = events(bars), events(mirrored(bars), swapped(detector()))

    assert sorted(map(upright, plain), key=repr) == sorted(map(turned, other), key=repr)
    shown_other = changes(mirrored(bars), swapped(detector()))
    assert [shown(one, 1) for one in changes(bars)] == [shown(one, -1) for one in shown_other]


def test_the_sides_differ_in_nothing_but_the_exceptions_of_the_rule_book() -> None:
    settings = DetectorSettings()
    differ = np.flatnonzero(settings.gates("1d", 1) != settings.gates("1d", -1)).tolist()
    exceptions = {
        g.SPRING_RECLAIM_BARS, g.DEPTH_FRACTION, g.SPRING_EFFORT_VR, g.SPRING_SIGNS, g.SPRING_IS_UPTHRUST, g.HAS_MINOR,
    }  # fmt: skip

    assert set(differ) == exceptions | set(range(g.SC_WEIGHTS, g.SC_WEIGHTS + 5))
    assert settings.gates("1d", -1)[g.SC_WEIGHTS + 2] == pytest.approx(10 / 0.9)


@pytest.mark.parametrize("factor", [2.0**5, 2.0**-7])
def test_a_power_of_two_scales_every_number_exactly(bars: Bars, factor: float) -> None:
    plain, large = events(bars), events(scaled(bars, factor))

    assert [(*without_close(one)[:8], one.volume_ratio, one.spread_ratio, one.close_position) for one in plain] == [
        (*without_close(one)[:8], one.volume_ratio, one.spread_ratio, one.close_position) for one in large
    ]
    assert [(one.price * factor, one.atr * factor) for one in plain] == [(one.price, one.atr) for one in large]


@pytest.mark.parametrize("factor", [3.0, 0.01, 7e5])
def test_another_factor_keeps_the_events(bars: Bars, factor: float) -> None:
    plain, large = events(bars), events(scaled(bars, factor))

    assert [one.event_id for one in plain] == [one.event_id for one in large]
    np.testing.assert_allclose([one.price * factor for one in plain], [one.price for one in large], rtol=1e-9)
    np.testing.assert_allclose([one.score for one in plain], [one.score for one in large], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("factor", [2.0**9, 3.0])
def test_the_unit_of_volume_does_not_matter(bars: Bars, factor: float) -> None:
    plain, large = events(bars), events(replace(bars, volume=bars.volume * factor))

    assert [one.event_id for one in plain] == [one.event_id for one in large]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 1_199), min_size=1, max_size=4))
def test_a_restored_detector_goes_on_bit_for_bit(cuts: list[int]) -> None:
    bars = planted(1_200, seed=9)
    whole = detector()
    expected = run(whole, block(bars))
    stage, items = detector(), []
    borders = [0, *sorted(set(cuts)), len(bars)]
    for first, last in pairwise(borders):
        items += run(stage, block(bars.slice(first, last)))
        restored = detector()
        restored.restore(stage.snapshot())
        stage = restored

    assert repr(detections(items)) == repr(detections(expected))
    assert equal(decorated(items), decorated(expected))
    assert stage.snapshot() == whole.snapshot()


def test_restore_forgets_what_was_there_before() -> None:
    fresh, used = detector(), detector()
    run(used, block(planted(300, seed=2)))
    used.restore(fresh.snapshot())

    assert used.snapshot() == fresh.snapshot()


def test_the_machines_follow_the_table() -> None:
    taken = set()
    crash = closed([*ACCUMULATION[:106], (125.0, 125.5, 80.0, 81.0, 900.0)])
    gap = Bars.join([closed(ACCUMULATION[:90]), late(closed(ACCUMULATION[90:91]), 100)])
    for bars in (*(planted(3_000, seed=seed) for seed in range(6)), clustered(6_000, seed=1), crash, gap):
        stage = detector()
        for row in range(len(bars)):
            stage._state.wholes[0, :, EDGE] = 0
            before = stage._state.wholes[0, :, PHASE].tolist()
            run(stage, block(bars.slice(row, row + 1)))
            for lane in range(LANES):
                edge, after = (int(stage._state.wholes[0, lane, column]) for column in (EDGE, PHASE))
                taken |= {edge} if edge else set()
                assert legal(before[lane], edge, after), (before[lane], edge, after)

    assert taken == {edge.value for edge in Edge}


def late(bars: Bars, days: int) -> Bars:
    return replace(bars, open_ns=bars.open_ns + days * DAY_NS, close_ns=bars.close_ns + days * DAY_NS)


def legal(before: int, edge: int, after: int) -> bool:
    """One step of the table, or the end of a range and a new climax at the same bar."""
    if edge == 0:
        return before == after or before == 0
    step = TRANSITIONS[Edge(edge)]
    ended = edge == Edge.T1 and any(before in one.sources and one.target == 1 for one in TRANSITIONS.values())
    spring_and_breakout = before == 3 and edge in (Edge.T8, Edge.T15)
    return after == step.target and (before in step.sources or before == 0 or ended or spring_and_breakout)


def test_a_slot_is_small() -> None:
    assert slot_bytes() <= 64 * 1024


def test_timeframes_do_not_mix() -> None:
    daily = planted(600, seed=4)
    hourly = replace(planted(600, seed=6), timeframe=np.full(600, TIMEFRAMES.index("1h"), np.int8))
    both = Bars.join([daily, hourly])
    order = np.argsort(both.close_ns, kind="stable")
    both = replace(both, **{name: column[order] for name, column in both.columns().items()})
    stage = detector(detect_on=("1h", "1d"))
    found = [event for one in detections(run(stage, block(both))) for event in one.events]

    assert repr([event for event in found if event.timeframe == "1d"]) == repr(events(daily))
    assert any(event.timeframe == "1h" for event in found)
