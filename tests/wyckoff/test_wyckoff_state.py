"""What many markets show of the detector at once: nothing repaints or grows, nothing acts before it knows enough."""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

from engine import kernels
from engine.blocks import Bars
from engine.messages import Event
from engine.wyckoff.layout import slot_bytes
from engine.wyckoff.schematics import KINDS, as_bars, generate
from tests.makers import START_NS, table
from tests.wyckoff.reference.real import universe
from tests.wyckoff.series import ACCUMULATION, block, closed, decorated, detections, detector, events, planted, run

SOAK = bool(os.environ.get("WYCKOFF_SOAK"))
SEEDS = range(60) if SOAK else range(6)
"""Of each of 17 kinds: 102 series at least."""
CUTS = 6
REAL, REAL_ROWS = (150, 5_000) if SOAK else (10, 1_500)

Detect = Callable[[Bars], list[Event]]


def generated() -> Iterator[Bars]:
    for kind in KINDS:
        for seed in SEEDS:
            bars = as_bars(generate(kind, seed), "1d", START_NS)
            yield bars.slice(220, min(820, len(bars)))


def real() -> Iterator[Bars]:
    for number, (_, bars) in enumerate(universe(REAL_ROWS)):
        if number == REAL:
            return
        yield bars


def repainted(detect: Detect, bars: Bars) -> tuple[int, int]:
    """Events known at some cut that the whole series does not show as they were, or shows more of by then; and all."""
    whole, changed, total = detect(bars), 0, 0
    for cut in np.linspace(1, len(bars), CUTS).astype(int).tolist():
        early = {repr(event) for event in detect(bars.slice(0, cut))}
        due = {repr(event) for event in whole if event.confirm_ns <= bars.open_ns[cut - 1]}
        changed += len(early ^ due)
        total += len(due)
    return changed, total


@pytest.mark.timeout(900)
def test_prefix_law_the_share_of_repainted_events_is_zero_in_generated_series() -> None:
    found = [repainted(events, bars) for bars in generated()]
    changed, total = (sum(column) for column in zip(*found, strict=True))

    assert len(found) >= 100
    assert total > 3_000
    assert changed / total == 0.0


@pytest.mark.timeout(900)
def test_prefix_law_the_share_of_repainted_events_is_zero_in_real_stocks() -> None:
    found = [repainted(events, bars) for bars in real()]
    if not found:
        pytest.skip("the universe of stocks is not present")
    changed, total = (sum(column) for column in zip(*found, strict=True))

    assert len(found) == REAL
    assert total > 1_000
    assert changed / total == 0.0


def test_an_event_that_is_taken_back_counts_as_repainted() -> None:
    """A detector that takes its secondary tests back once it has seen the whole series."""
    series = planted(1_200, seed=5)

    def fickle(bars: Bars) -> list[Event]:
        return [event for event in events(bars) if event.kind != "ST" or len(bars) < len(series)]

    changed, total = repainted(fickle, series)

    assert changed > 0
    assert total > 0


def test_stream_equals_batch_bar_by_bar() -> None:
    for bars in (planted(900, seed=5), as_bars(generate("distribution", 3), "1d", START_NS)):
        stage = detector()
        streamed = [item for row in range(len(bars)) for item in run(stage, block(bars.slice(row, row + 1)))]

        assert repr(detections(streamed)) == repr(detections(run(detector(), block(bars))))


def test_nothing_is_shown_until_the_windows_are_full() -> None:
    shown = decorated(run(detector(), block(closed(ACCUMULATION))))

    assert np.isnan(shown.vr[:20]).all()
    assert np.isnan(shown.sr[:20]).all()
    assert np.isnan(shown.atr[:13]).all()
    assert not np.isnan(shown.vr[20:]).any()
    assert not np.isnan(shown.atr[13:]).any()
    assert (shown.phase[:59] == 0).all()
    assert (shown.phase[59:] != 0).all()


def test_state_stays_where_it_is_and_scanning_allocates_nothing() -> None:
    """Numba's own count of allocations does not depend on how many bars a call scans."""
    bars, stage = planted(4_000, seed=8), detector()
    arrays = [*stage._state, *stage._output, stage._clock.values, stage._clock.ages]
    before = [array.ctypes.data for array in arrays]
    _nrt_python.memsys_enable_stats()
    counts = []
    for first, last in pairwise((0, 10, 20, 4_000)):
        start = rtsys.get_allocation_stats().alloc
        stage._detect(bars.slice(first, last))
        counts.append(rtsys.get_allocation_stats().alloc - start)
    _nrt_python.memsys_disable_stats()

    assert counts[1] == counts[2]
    assert [array.ctypes.data for array in arrays] == before
    assert [array.nbytes for array in stage._state] == [array.nbytes for array in detector()._state]


def test_a_slot_fits_and_slots_cost_their_size_times_their_number() -> None:
    one, many = detector(), detector(table("AAA", "BBB", "CCC"))

    assert slot_bytes() <= 64 * 1024
    assert sum(array.nbytes for array in one._state) == slot_bytes()
    assert sum(array.nbytes for array in many._state) == 3 * slot_bytes()


def test_compiled_kernels_lie_where_nobody_else_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernels, "_directories", {})

    directory = kernels.cache_directory("engine.wyckoff.scan")

    assert directory.parent == tmp_path
    assert directory.stat().st_mode & 0o777 == 0o700
