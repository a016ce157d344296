"""The levels that an explanation names are those at which the detector moves: beyond it does, within it does not."""

from collections import Counter
from collections.abc import Iterator
from functools import cache

import msgspec
import numpy as np
import pytest

from engine.blocks import Bars
from engine.messages import Detections, Event, EventKind
from engine.timeframes import DAY_NS
from engine.wyckoff.detector import PhaseDetector
from engine.wyckoff.explained import Explanation, LaneView
from engine.wyckoff.explained_waits import Wait
from tests.test_explain_gates import Watch
from tests.wyckoff.series import block, clustered, detector, planted

MARKETS = [*(planted(360, seed) for seed in range(5)), *(clustered(360, seed) for seed in range(5))]
EVERY = 4
TICK = 1e-7


def views() -> Iterator[tuple[Watch, Bars, Explanation]]:
    """Every fourth bar of all markets, once warm, with a view of it."""
    for bars in MARKETS:
        watch = Watch()
        for place in range(0, len(bars) - EVERY, EVERY):
            watch.see(bars.slice(place, place + EVERY))
            if watch.now.is_warm:
                yield watch, bars.slice(place + EVERY - 1, place + EVERY), watch.explained()


@cache
def spare() -> PhaseDetector:
    return detector()


def after(watch: Watch, last: Bars, close: float) -> list[Event]:
    """What a copy of the detector says when the next bar is a narrow one that closes there."""
    stage = spare()
    stage.restore(watch.stage.snapshot())
    reach = 1e-4 * abs(close)
    following = Bars.of(
        open_ns=last.open_ns + DAY_NS, close_ns=last.close_ns + DAY_NS, timeframe=last.timeframe, open=close,
        high=close + reach, low=close - reach, close=close, volume=last.volume, trades=-1,
        release=last.release + 1,
    )  # fmt: skip
    return [one for item in stage.process(block(following)) if isinstance(item, Detections) for one in item.events]


def kinds(events: list[Event], lane: LaneView) -> set[EventKind]:
    ending = ":cluster" if lane.range == "cluster" else ""
    return {
        one.kind
        for one in events
        if one.direction == lane.direction and one.event_id.endswith(":cluster") == bool(ending)
    }


def moved(
    watch: Watch, last: Bars, lane: LaneView, wait: Wait, outward: float
) -> tuple[set[EventKind], set[EventKind]]:
    """Events beyond the level and within it; `outward` is the side on which the level counts."""
    assert wait.level is not None
    step = TICK * abs(wait.level)
    beyond, within = wait.level + outward * step, wait.level - outward * step
    return kinds(after(watch, last, beyond), lane), kinds(after(watch, last, within), lane)


def test_what_would_end_a_range_ends_it() -> None:
    tried: Counter[str] = Counter()
    for watch, last, found in views():
        for lane in found.lanes:
            for wait in lane.waits:
                if wait.label != "fails" or lane.phase not in ("B", "C", "D"):
                    continue
                beyond, within = moved(watch, last, lane, wait, -lane.direction)

                assert EventKind.RANGE_FAILED in beyond, (lane.phase, wait)
                if not _runs_out(lane):
                    assert EventKind.RANGE_FAILED not in within, (lane.phase, wait)
                tried[lane.phase] += 1

    assert min(tried[phase] for phase in "BCD") > 3, tried


def _runs_out(lane: LaneView) -> bool:
    """A leg beyond support is under way, whose clock may end at the next bar."""
    return any(one.label.endswith("close back") for one in lane.waits)


def test_a_close_at_the_named_level_is_a_breakout() -> None:
    tried = 0
    strong = {EventKind.SOS, EventKind.BREAKOUT_WEAK}
    for watch, last, found in views():
        for lane in found.lanes:
            wait = next((one for one in lane.waits if one.label.startswith("sign of")), None)
            if wait is None or _runs_out(lane) or any(one.label.startswith("weak") for one in lane.waits):
                continue
            beyond, within = moved(watch, last, lane, wait, lane.direction)

            assert beyond & strong, wait
            assert not within & strong, wait
            tried += 1

    assert tried > 50


def test_a_close_off_the_climax_confirms_it() -> None:
    tried = 0
    for watch, last, found in views():
        for lane in found.lanes:
            wait = next((one for one in lane.waits if one.label == "climax confirms"), None)
            if wait is None or not wait.bars:
                continue
            beyond, within = moved(watch, last, lane, wait, lane.direction)

            assert EventKind.SC in beyond, wait
            assert EventKind.SC not in within, wait
            tried += 1

    assert tried > 0


def test_every_view_is_json_without_holes() -> None:
    for _, _, found in views():
        again = msgspec.json.decode(msgspec.json.encode(found), type=Explanation, strict=True)

        assert again == found


def test_texts_name_their_level_and_bars() -> None:
    seen: Counter[str] = Counter()
    for _, _, found in views():
        for lane in found.lanes:
            for wait in lane.waits:
                seen[wait.label] += 1
                assert "{}" not in wait.text
                assert "[]" not in wait.text
                assert "None" not in wait.text
                assert "nan" not in wait.text
                assert wait.level is None or np.isfinite(wait.level)

    assert {"rally", "test", "spring below", "upthrust above", "sign of strength", "fails", "drops"} <= set(seen)


@pytest.mark.parametrize("bars", [1, 2, 30])
def test_a_picture_of_few_bars_is_drawn(bars: int) -> None:
    mpl = pytest.importorskip("matplotlib")
    assert mpl
    from engine.explain_picture import _figure

    watch = Watch()
    few = MARKETS[0].slice(0, bars)
    watch.see(few)

    assert len(_figure(watch.explained(), few, []).axes) == 2
