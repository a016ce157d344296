"""The levels that the scan kernel compares with are those of the watches that wait, at any time."""

import numpy as np
import pytest

from engine.blocks import Float64
from engine.market import Market
from engine.market_kernel import ABOVE, BELOW, FLOOR
from engine.messages import Unwatch, WatchKind
from engine.timeframes import TIMEFRAMES
from engine.watches import CLOSES, LANES, SWINGS, Entry
from tests.makers import START_NS
from tests.market_rig import ignore, market_of, run, watch

KINDS = tuple(kind for kind in WatchKind if kind is not WatchKind.LINE_TIME)


def expected(market: Market) -> tuple[Float64, list[float], float]:
    """Close levels, touch lanes and equity floor, each anew from all watches that are out."""
    waiting = [entry.watch for entry in market._watches.snapshot()]

    def levels(kind: WatchKind) -> list[float]:
        return [one.level for one in waiting if one.kind is kind]

    minutes = np.zeros(4)
    for kind in CLOSES:
        if kind in SWINGS:
            minutes[LANES[kind]] = bool(levels(kind))
        elif kind is WatchKind.CLOSE_ABOVE:
            minutes[LANES[kind]] = min(levels(kind), default=np.inf)
        else:
            minutes[LANES[kind]] = max(levels(kind), default=-np.inf)
    touches = [
        min(levels(WatchKind.TOUCH_ABOVE), default=np.inf), max(levels(WatchKind.TOUCH_BELOW), default=-np.inf),
    ]  # fmt: skip
    return minutes, touches, max(levels(WatchKind.EQUITY_BELOW), default=-np.inf)


def agrees(market: Market) -> bool:
    minutes, touches, floor = expected(market)
    return (
        np.array_equal(market._levels[0, TIMEFRAMES.index("1m")], minutes)
        and market._lanes[0, [ABOVE, BELOW]].tolist() == touches
        and market._account[FLOOR] == floor
    )


def driven() -> list[bool]:
    """Watches of every kind come and go, some under a name that is out already."""
    random = np.random.default_rng(3)
    market = market_of()
    run(market, [], ignore)
    held = []
    for _ in range(300):
        name = f"w{random.integers(0, 9)}"
        if random.random() < 0.4:
            market.submit(Unwatch(name))
        else:
            kind = KINDS[int(random.integers(0, len(KINDS)))]
            market.submit(watch(kind, float(random.integers(90, 110)), name, decision_ns=START_NS))
        list(market._drain())
        held.append(agrees(market))
    return held


def test_levels_follow_the_watches() -> None:
    assert all(driven())


def test_a_level_that_is_not_taken_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Market._watch_changed

    def forgetful(market: Market, entry: Entry) -> None:
        if entry.watch.watch_id in market._watches._entries:
            changed(market, entry)

    monkeypatch.setattr(Market, "_watch_changed", forgetful)

    assert not all(driven())
