"""The laws of the whole line: blocks, schedules, prefixes, symmetry, recovery; each with a
planted violation that the same check must catch."""

import os
import random as shuffling
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.blocks import Bars, MarketBlock, Trades
from engine.messages import Action, BarTaint, Detections, Event, Fill, Intent, Refused, encode
from engine.ports import Item
from engine.sightings import spread
from engine.wyckoff import detector
from tests.lines import Decided, Recorded, decide, decide_queued, line, recorded
from tests.makers import heartbeat
from tests.markets import bar_market, trade_market

SOAK = bool(os.environ.get("WYCKOFF_SOAK"))
CHUNKS = (1, 7, 4096, 0)

BARS = recorded(bar_market(6, 700, 5), symbols=6)
TRADES = recorded(trade_market(2, 900, 9, 11, late=0.004), symbols=2)
MINUTES = recorded(bar_market(1, 2_500, 8, "1m", daily_range=0.003), symbols=1, detect_on=("1m", "5m"))


@pytest.fixture(scope="module", params=["bars", "trades", "minutes"])
def market(request: pytest.FixtureRequest) -> Recorded:
    return {"bars": BARS, "trades": TRADES, "minutes": MINUTES}[request.param]


def same(one: Decided, other: Decided) -> bool:
    return one.digest == other.digest and one.decisions == other.decisions


def test_the_markets_of_these_tests_make_the_line_decide(market: Recorded) -> None:
    """The laws say nothing about a line that stays silent."""
    decided = decide(market)

    assert sum(isinstance(one, Intent) for one in decided.decisions) >= 5
    assert sum(isinstance(one, Fill) for one in decided.decisions) >= 5


# ---------------------------------------------------------------------------- block law


@pytest.mark.parametrize("chunk", CHUNKS)
def test_block_law_any_chunking_one_digest(market: Recorded, chunk: int) -> None:
    assert same(decide(market, chunk), decide(market))


@settings(max_examples=200 if SOAK else 12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_block_law_random_chunkings_one_digest(market: Recorded, data: st.DataObject) -> None:
    block = market.rows[0]
    assert isinstance(block, MarketBlock)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(block) - 1), max_size=12)))
    pieces = [block.slice(start, stop) for start, stop in zip([0, *cuts], [*cuts, len(block)], strict=True)]
    chopped = replace(market, rows=tuple(replace(piece, sequence=0) for piece in pieces) + market.rows[1:])

    assert same(decide(chopped), decide(market))


class ByBlock:
    """A detector's evil twin: it loses the first half of what a block has closed."""

    def __init__(self, stage: object) -> None:
        self._stage = stage

    def process(self, item: Item) -> Iterator[Item]:
        if isinstance(item, MarketBlock) and len(item) > 5 and item.closed is not None and len(item.closed):
            item = replace(item, closed=item.closed.slice(len(item.closed) // 2, len(item.closed)))
        yield from self._stage.process(item)  # type: ignore[attr-defined]


def planted(market: Recorded, position: int, wrap: type) -> Decided:
    built = line(market)
    built.chain._process[position] = wrap(built.chain.stages[position]).process
    return decide(market, 7, built)


def test_block_law_catches_a_stage_that_depends_on_blocks() -> None:
    built = line(BARS)
    built.chain._process[2] = ByBlock(built.chain.stages[2]).process

    assert not same(decide(BARS, 4096, built), planted(BARS, 2, ByBlock))


# ------------------------------------------------------------------------- schedule law


@pytest.mark.anyio
@pytest.mark.parametrize("capacity", [0, 1, 2, 64])
async def test_schedule_law_queues_and_schedulers_do_not_matter(market: Recorded, capacity: int) -> None:
    assert same(await decide_queued(market, capacity, 512), decide(market))


@pytest.mark.parametrize("seed", range(8 if SOAK else 3))
def test_schedule_law_holds_under_a_shuffled_scheduler(seed: int) -> None:
    """Trio shuffles the order of runnable tasks with a generator that can be seeded."""
    trio = pytest.importorskip("trio")
    trio._core._run._r = shuffling.Random(seed)

    assert same(trio.run(decide_queued, TRADES, 2, 256), decide(TRADES))


# ----------------------------------------------------- the same tape twice, clocks and sets


class WallClock(ByBlock):
    """Puts the time of day into what it says."""

    def process(self, item: Item) -> Iterator[Item]:
        for output in self._stage.process(item):  # type: ignore[attr-defined]
            if isinstance(output, Intent):
                output = replace_message(output, reason=f"{output.reason} at {time.time_ns()}")
            yield output


def replace_message(message: Intent, **changes: object) -> Intent:
    import msgspec

    return msgspec.structs.replace(message, **changes)


class SetOrder(ByBlock):
    """Lets object identity decide the order of what became known together."""

    def process(self, item: Item) -> Iterator[Item]:
        for output in (one for said in self._stage.process(item) for one in spread(said)):  # type: ignore[attr-defined]
            if isinstance(output, Detections) and len(output.events) > 1:
                shuffled = sorted(output.events, key=lambda one: hash((one.event_id, time.time_ns())))
                output = Detections(output.time_ns, output.decision_ns, tuple(shuffled), output.phases, output.marks)
            yield output


def test_the_same_tape_gives_the_same_decisions(market: Recorded) -> None:
    assert same(decide(market), decide(market))


def test_a_wall_clock_in_a_stage_is_caught() -> None:
    assert not same(planted(BARS, 4, WallClock), planted(BARS, 4, WallClock))


def test_the_order_of_a_set_is_caught() -> None:
    runs = [[one.event_id for one in events(planted(BARS, 2, SetOrder))] for _ in range(4)]

    assert any(run != runs[0] for run in runs[1:])


# --------------------------------------------------------------------------- prefix law


def events(decided: Decided) -> list[Event]:
    return [event for item in decided.left if isinstance(item, Detections) for event in item.events]


def encoded(found: list[Event]) -> list[bytes]:
    """Levels that are not there yet are NaN, which equals nothing; its encoding does."""
    return [encode(one) for one in found]


def cut(market: Recorded, rows: int) -> Recorded:
    block = market.rows[0]
    assert isinstance(block, MarketBlock)
    prefix = block.slice(0, rows)
    return replace(market, rows=(prefix, heartbeat(int(prefix.row_ns.max()) - 1)))


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
def test_prefix_law_what_was_decided_then_is_decided_now(market: Recorded, share: float) -> None:
    block = market.rows[0]
    assert isinstance(block, MarketBlock)

    now = decide(market)
    then = decide(cut(market, int(len(block) * share)))

    assert encoded(events(now))[: len(events(then))] == encoded(events(then))
    assert now.decisions[: len(then)] == then.decisions
    assert len(then) or share < 0.6


def test_events_are_only_ever_appended_and_known_in_order(market: Recorded) -> None:
    found = events(decide(market))

    assert len({one.event_id for one in found}) == len(found)
    assert [one.known_ns for one in found] == sorted(one.known_ns for one in found)
    assert all(one.event_ns <= one.confirm_ns < one.known_ns for one in found)


# ------------------------------------------------------------------- mirror and scale laws


def scaled(market: Recorded, factor: float) -> Recorded:
    block = market.rows[0]
    assert isinstance(block, Bars)
    prices = {name: getattr(block, name) * factor for name in ("open", "high", "low", "close")}
    return replace(market, rows=(replace(block, **prices), *market.rows[1:]))


@pytest.mark.parametrize("factor", [0.25, 2.0, 1024.0])
def test_scale_law_a_power_of_two_changes_no_event(factor: float) -> None:
    plain, changed = events(decide(BARS)), events(decide(scaled(BARS, factor)))

    assert [one.event_id for one in changed] == [one.event_id for one in plain]
    assert [one.score for one in changed] == [one.score for one in plain]
    assert [one.price for one in changed] == [one.price * factor for one in plain]


def test_mirror_law_a_negated_market_has_the_mirrored_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly, once the sides have changed gates too: these hold every deliberate exception to the mirror."""
    market = recorded(bar_market(6, 700, 5), symbols=6, allows_negative=True)
    block = market.rows[0]
    assert isinstance(block, Bars)
    negated = replace(block, open=-block.open, high=-block.low, low=-block.high, close=-block.close)

    plain = events(decide(market))
    monkeypatch.setattr(detector, "SIDES", detector.SIDES[::-1])
    mirrored = events(decide(replace(market, rows=(negated, *market.rows[1:]))))

    def key(one: Event) -> tuple[object, ...]:
        return (one.known_ns, one.symbol, one.timeframe, one.direction, one.kind, one.event_ns, one.price, one.score)

    flipped = [(k, s, t, -d, kind, at, -price, score) for k, s, t, d, kind, at, price, score in map(key, mirrored)]
    assert len(plain) > 20
    assert sorted(flipped, key=str) == sorted(map(key, plain), key=str)


# ----------------------------------------------------------------- order, heartbeats, ends


def test_bars_that_close_together_are_one_detection() -> None:
    found = [item for item in decide(BARS).left if isinstance(item, Detections)]

    assert len({item.time_ns for item in found}) == len(found)
    assert [item.time_ns for item in found] == sorted(item.time_ns for item in found)


def test_a_heartbeat_decides_what_the_next_row_would_have_decided() -> None:
    """Heartbeats at every close move the decision forward in the tape, not in line time."""
    block = BARS.rows[0]
    assert isinstance(block, Bars)
    rows: list[Item] = []
    for day in range(0, len(block), 6):
        rows += [replace(block.slice(day, day + 6), sequence=0), heartbeat(int(block.close_ns[day]))]

    beaten = decide(replace(BARS, rows=(*rows, BARS.rows[-1])))

    assert same(beaten, decide(BARS))


def test_every_refusal_carries_a_receipt_that_adds_up(market: Recorded) -> None:
    for one in decide(market).decisions:
        if isinstance(one, Refused) and one.receipt.code == "HEAT_LIMIT":
            receipt = one.receipt
            risk = receipt.open_risk + receipt.working_risk + receipt.new_risk
            assert risk * 10_000 >= receipt.equity * receipt.limit_bp


def test_no_fill_happens_at_or_before_the_bar_it_was_decided_on() -> None:
    decided = decide(BARS)
    intents = [one for one in decided.decisions if isinstance(one, Intent)]
    made = {one.group: one.decision_ns for one in intents if one.action is Action.ENTER}
    entries = [one for one in decided.decisions if isinstance(one, Fill) and one.role == "ENTRY"]

    assert entries
    assert all(one.time_ns > made[one.group] for one in entries)


def test_trades_that_come_late_taint_bars_and_change_none() -> None:
    block = TRADES.rows[0]
    assert isinstance(block, Trades)
    in_time = np.maximum.accumulate(block.time_ns) == block.time_ns

    bars = [item.closed for item in decide(TRADES).left if isinstance(item, MarketBlock) and item.closed is not None]
    minutes = [part.slice(0, len(part)) for part in bars if len(part)]
    volume = sum(float(part.volume[(part.timeframe == 0)].sum()) for part in minutes)
    taints = sum(isinstance(item, BarTaint) for item in decide(TRADES).left)

    assert taints > 10
    assert float(block.size[in_time].sum()) <= volume < float(block.size.sum())
