"""What became known may ride on the blocks or travel in messages of its own: the line says the same."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from engine.app import Line
from engine.blocks import Bars, MarketBlock
from engine.campaigns.interest import concern
from engine.campaigns.lifecycle import PATTERNS
from engine.messages import Detections, EventKind, Message, Phase, encode
from engine.ports import Item
from engine.sightings import Concern, Cuts, Sightings, by_point, spread
from tests.lines import Recorded, decide, line, lively, recorded
from tests.makers import heartbeat
from tests.markets import bar_market, trade_market

DETECTOR = 2

MARKETS = {
    "bars": recorded(bar_market(6, 400, 5), symbols=6),
    "trades": recorded(trade_market(2, 700, 9, 11, late=0.004), symbols=2),
    "minutes": recorded(bar_market(1, 2_500, 8, "1m", daily_range=0.003), detect_on=("1m", "5m")),
}


@pytest.fixture(scope="module", params=list(MARKETS))
def market(request: pytest.FixtureRequest) -> Recorded:
    return MARKETS[request.param]


def changed(built: Line, change: Callable[[Item], Iterable[Item]]) -> Line:
    """A line whose detector's outputs are changed."""
    detect = built.chain._process[DETECTOR]
    built.chain._process[DETECTOR] = lambda item: (part for one in detect(item) for part in change(one))
    return built


def told(left: Iterable[Item]) -> list[tuple[int, bytes]]:
    """Every message, with the number of rows that left before it."""
    rows, found = 0, []
    for item in left:
        if isinstance(item, MarketBlock):
            rows += len(item)
        else:
            assert isinstance(item, Message)
            found.append((rows, encode(item)))
    return found


@pytest.mark.parametrize("chunk", [7, 4096])
def test_riding_on_blocks_or_told_in_messages_the_line_says_the_same(market: Recorded, chunk: int) -> None:
    folded = decide(market, chunk)
    unfolded = decide(market, chunk, changed(line(market), spread))

    assert told(folded.left) == told(unfolded.left)
    assert folded.digest == unfolded.digest
    assert sum(isinstance(one, Detections) for one in folded.left) > 50


def test_what_is_counted_is_the_same_too(market: Recorded) -> None:
    folded, unfolded = line(market), changed(line(market), spread)
    for built in (folded, unfolded):
        decide(market, None, built)

    assert folded.tap.counts == unfolded.tap.counts
    assert folded.ledger.snapshot() == unfolded.ledger.snapshot()


def test_a_loss_watch_raised_where_something_becomes_known_sees_the_rows_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a block carries is told late; a watch that follows the peak of equity must not be set late."""
    market = recorded(bar_market(1, 2_500, 7, "1m", daily_range=0.003), detect_on=("1m", "5m"))
    limits = lively().risk.model_copy(update={"drawdown_bp": 7})
    strict = lively().model_copy(update={"risk": limits})

    unfolded = told(decide(market, None, changed(line(market, strict), spread)).left)
    assert told(decide(market, None, line(market, strict)).left) == unfolded
    assert told(decide(market, 64, line(market, strict)).left) == unfolded

    monkeypatch.setattr("engine.holdings.Holdings.is_at_high", lambda self: False)
    assert told(decide(market, None, line(market, strict)).left) != unfolded


def test_a_line_that_is_told_nothing_concerns_anybody_decides_nothing(market: Recorded) -> None:
    """The table of concerns is what stops the line: without it the checks above must not hold."""

    def careless(item: Item) -> Iterable[Item]:
        if isinstance(item, MarketBlock) and item.known is not None:
            item.known.columns.concern[:] = Concern.NEVER
        return (item,)

    assert decide(market, None, changed(line(market), careless)).digest != decide(market).digest


def test_only_what_may_lead_to_a_wish_cuts_a_block(market: Recorded) -> None:
    cuts: list[Item] = []
    built = line(market)
    manage = built.chain._process[4]
    built.chain._process[4] = lambda item: (cuts.append(item), manage(item))[1]

    left = decide(market, None, built).left

    pieces = sum(isinstance(one, MarketBlock) for one in cuts)
    assert pieces < sum(isinstance(one, Detections | MarketBlock) for one in left)


def riding() -> MarketBlock:
    """One block of the minute market with what became known along it."""
    built = line(MARKETS["minutes"])
    blocks: list[MarketBlock] = []
    market_stage = built.chain._process[3]

    def kept(item: Item) -> Iterable[Item]:
        if isinstance(item, MarketBlock) and item.known is not None:
            blocks.append(item)
        return market_stage(item)

    built.chain._process[3] = kept
    decide(MARKETS["minutes"], 4096, built)
    return blocks[0]


def test_pieces_by_point_are_the_block_and_hold_each_point_once() -> None:
    block = riding()
    known = block.known
    assert isinstance(known, Sightings)

    pieces = list(by_point(block))

    assert sum(map(len, pieces)) == len(block)
    assert [one.known.decision_ns for one in pieces if one.known] == known.columns.decision_ns.tolist()
    assert block.closed is not None
    joined = np.concatenate([one.closed.close for one in pieces if one.closed is not None])
    assert np.array_equal(joined, block.closed.close)


@pytest.mark.parametrize("every", [1, 3, 10**6])
def test_cut_behind_some_points_or_none_a_block_means_the_same(every: int) -> None:
    block = riding()
    assert block.known is not None
    cuts = Cuts(block)

    parts = [cuts.behind(point) for point in range(block.known.start, block.known.stop) if point % every == every - 1]
    rest = cuts.rest()

    assert told(one for part in (*parts, *rest) for one in spread(part)) == told(spread(block))
    assert bool(parts) or rest == (block,)


def test_a_row_knows_how_many_points_come_before_it() -> None:
    known = riding().known
    assert known is not None
    rows = known.columns.rows.tolist()

    for row in range(max(rows) + 2):
        assert known.before(row) == sum(one <= row for one in rows)


def test_spreading_leaves_the_block_as_it_was() -> None:
    block = riding()
    before = block.known

    first, second = told(spread(block)), told(spread(block))

    assert first == second
    assert block.known is before


def test_an_item_along_which_nothing_became_known_is_itself() -> None:
    bars, beat = Bars.of(close=[1.0], close_ns=[1]), heartbeat(1)

    assert list(spread(bars)) == [bars]
    assert list(spread(beat)) == [beat]


@pytest.mark.parametrize(
    ("kind", "direction", "expected"),
    [
        (EventKind.SPRING, 1, Concern.ALWAYS),
        (EventKind.LPS, 1, Concern.ALWAYS),
        *[(kind, 1, Concern.CAMPAIGN) for kind in EventKind if kind not in PATTERNS],
        (EventKind.SPRING, -1, Concern.CAMPAIGN),
        (EventKind.LPS, -1, Concern.NEVER),
        (Phase.E, 1, Concern.CAMPAIGN),
        *[(phase, 1, Concern.NEVER) for phase in Phase if phase is not Phase.E],
        (Phase.E, -1, Concern.NEVER),
        (Phase.NONE, 0, Concern.NEVER),
    ],
)
def test_patterns_may_begin_a_campaign_and_the_rest_only_moves_one(
    kind: EventKind | Phase, direction: int, expected: Concern
) -> None:
    assert concern(kind, direction) is expected
