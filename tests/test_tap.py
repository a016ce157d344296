"""The Tap passes everything on, folds the digest, counts, and goes on after a restart."""

from decimal import Decimal

import numpy as np
import pytest

from engine.blocks import Bars, MarketBlock, Quotes
from engine.digest import Digest
from engine.messages import (
    Action,
    Approved,
    CampaignChange,
    CampaignState,
    Cancelled,
    CancelRequest,
    Detections,
    Event,
    EventKind,
    Expired,
    Fill,
    HeatChange,
    HeatState,
    Intent,
    Leg,
    Message,
    Order,
    OrderKind,
    Phase,
    PhaseChange,
    Receipt,
    Refused,
    Role,
    Side,
    TimeInForce,
)
from engine.ports import Item
from engine.sightings import Sightings, spread
from engine.tap import Tap
from tests.makers import bars, heartbeat, session, trades
from tests.test_sightings import riding

NOTHING = Decimal(0)


def intent(number: int = 1) -> Intent:
    return Intent(
        intent_id=f"c1/SPRING/{number}/ENTER", action=Action.ENTER, campaign="c1", leg=Leg.SPRING,
        group=f"c1/SPRING/{number}", symbol="AAA", timeframe="1d", direction=1, decision_ns=number,
        expires_ns=9, entry_kind=OrderKind.STOP, entry_price=Decimal("10.50"),
        limit_price=Decimal(11), stop_price=Decimal(9), target_1=Decimal(12),
        target_2=Decimal(13), target_3=Decimal(14), risk_bp=Decimal(40), score=71.25, reason="spring",
    )  # fmt: skip


def receipt(code: str = "", *, equity: int = 10**12, open_risk: int = 0, new_risk: int = 0) -> Receipt:
    return Receipt(
        code=code, value=NOTHING, limit=Decimal(10), margin=Decimal(10), equity=equity, open_risk=open_risk,
        working_risk=0, new_risk=new_risk, campaign_risk=0, limit_bp=1_000, unit_risk=Decimal("1.5"),
        quantity=Decimal(100), mark=Decimal("10.25"),
    )  # fmt: skip


def order(number: int = 1) -> Order:
    return Order(
        order_id=f"c1/SPRING/{number}/ENTRY", campaign="c1", group=f"c1/SPRING/{number}", role=Role.ENTRY, symbol="AAA",
        side=Side.BUY, kind=OrderKind.STOP, quantity=Decimal(100), limit_price=Decimal(11), stop_price=Decimal("10.50"),
        time_in_force=TimeInForce.GTD, expires_ns=9, parent="", replaces="", decision_ns=number,
    )  # fmt: skip


def fill(number: int = 1, *, simulated: bool = True) -> Fill:
    return Fill(
        time_ns=number, order_id=f"c1/SPRING/{number}/ENTRY", execution_id=f"x{number}", symbol="AAA", side=Side.BUY,
        role=Role.ENTRY, group=f"c1/SPRING/{number}", quantity=Decimal(100), price=Decimal("10.51"),
        costs=Decimal("1.00"), remaining=NOTHING, simulated=simulated,
    )  # fmt: skip


def event(kind: EventKind = EventKind.SPRING, number: int = 1) -> Event:
    return Event(
        event_id=f"e{number}", symbol="AAA", timeframe="1d", direction=1, kind=kind, event_ns=1, confirm_ns=2,
        known_ns=3, price=9.5, score=71.25, phase=Phase.C, support=10.0, resistance=float("nan"), range_start_ns=0,
        range_bars=40, variant=3, high=10.5, low=9.5, close=10.25, atr=0.5, volume_ratio=0.75, spread_ratio=1.0,
        close_position=0.75, supersedes="",
    )  # fmt: skip


def detections(*events: Event) -> Detections:
    change = PhaseChange(
        symbol="AAA", timeframe="1d", direction=1, previous=Phase.B, phase=Phase.C, confidence=62.5, support=10.0,
        resistance=float("nan"), range_start_ns=0,
    )  # fmt: skip
    return Detections(time_ns=3, decision_ns=3, events=events, phases=(change,), marks=())


def decisions() -> list[Item]:
    """One of everything that a run leaves behind."""
    formed, active = CampaignState.FORMING, CampaignState.ACTIVE
    return [
        session("AAA"),
        detections(event(), event(EventKind.TEST, 2)),
        CampaignChange("c1", 1, 3, "CAMPAIGN_FORMED", formed, formed, "SPRING"),
        intent(1),
        Approved(intent(1), Decimal(100), receipt(new_risk=15 * 10**9)),
        order(1),
        fill(1),
        CampaignChange("c1", 2, 4, "CAMPAIGN_ACTIVATED", formed, active, "fill"),
        HeatChange(4, HeatState.NORMAL, HeatState.WARNING, 701),
        intent(2),
        Refused(intent(2), "portfolio", receipt("HEAT_LIMIT", open_risk=70 * 10**9, new_risk=90 * 10**9)),
        CancelRequest("c1/SPRING/1/ENTRY", "AAA", 5, "spring failed"),
        Cancelled(5, "c1/SPRING/1/ENTRY", "AAA", NOTHING, "asked"),
        Expired(6, "c1/SPRING/2/ENTRY", "AAA", NOTHING),
        heartbeat(7),
    ]


class ListSink:
    def __init__(self) -> None:
        self.items: list[Item] = []

    def write(self, item: Item) -> None:
        self.items.append(item)


def tap(*sinks: ListSink, simulated: bool = True) -> Tap:
    return Tap(Digest(simulated), sinks)


def run(stage: Tap, items: list[Item]) -> list[Item]:
    return [out for item in items for out in stage.process(item)]


def released(rows: int, *frames: str, line_ns: int = 100) -> Bars:
    """A block of `rows` whose rows released one bar of each of `frames`."""
    bar = (1.0, 2.0, 0.5, 1.5)
    block = bars(*[bar] * rows) if rows else Bars.empty()
    block.line_ns = np.full(rows, line_ns, np.int64)
    block.line_time_ns = line_ns
    block.closed = Bars.join([bars(bar, timeframe=frame) for frame in frames]) if frames else Bars.empty()
    return block


def test_everything_is_passed_on_and_handed_to_every_sink_in_order() -> None:
    items: list[Item] = [*decisions(), trades(1, 2), released(1, "1d")]
    first, second = ListSink(), ListSink()

    out = run(tap(first, second), items)

    assert out == items
    assert first.items == items
    assert second.items == items


class Choosy(ListSink):
    def __init__(self, *reads: type[Message] | type[MarketBlock]) -> None:
        super().__init__()
        self.reads = reads


def test_a_sink_that_says_what_it_reads_gets_nothing_else() -> None:
    fills, wishes, rows, everything = Choosy(Fill), Choosy(Intent, Refused), Choosy(MarketBlock), ListSink()
    block = trades(1, 2)

    items = [*decisions(), block]
    run(tap(fills, wishes, rows, everything), items)

    assert fills.items == [fill(1)]
    assert [type(one) for one in wishes.items] == [Intent, Intent, Refused]
    assert rows.items == [block]
    assert everything.items == items


def test_what_became_known_along_a_block_is_written_only_for_those_who_read_it() -> None:
    """A reader gets the block whole and the Detections behind it; others get them interleaved."""
    block = riding()
    known = block.known
    assert known is not None
    expected = list(spread(block))
    fills, rows, events, both, everything = (
        Choosy(Fill), Choosy(Bars), Choosy(Detections), Choosy(MarketBlock, Message), ListSink(),
    )  # fmt: skip

    run(tap(fills, rows, events, both, everything), [block])

    told = [one for one in expected if isinstance(one, Detections)]
    assert len(told) == len(known) > 1
    assert fills.items == []
    assert rows.items == [block]
    assert repr(events.items) == repr(told)
    assert repr(both.items[1:]) == repr(told)
    assert both.items[0] is block
    assert [type(one) for one in everything.items] == [type(one) for one in expected]


def test_nothing_is_written_where_nobody_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(self: Sightings) -> None:
        raise AssertionError

    block = riding()
    monkeypatch.setattr(Sightings, "messages", unexpected)

    run(tap(Choosy(Fill), Choosy(MarketBlock)), [block])

    with pytest.raises(AssertionError):
        run(tap(Choosy(Detections)), [block])


def test_a_sink_has_an_item_before_it_leaves() -> None:
    sink = ListSink()

    next(iter(tap(sink).process(heartbeat(1))))

    assert sink.items == [heartbeat(1)]


def test_the_digest_covers_wishes_and_simulated_executions() -> None:
    stage = tap()

    run(stage, decisions())

    expected = Digest(simulated=True)
    for item in decisions():
        if expected.covers(item):
            expected.add(item)  # type: ignore[arg-type]
    assert expected.count == 9
    assert stage.digest.hex == expected.hex


def test_with_a_real_venue_the_digest_leaves_executions_out() -> None:
    with_fill, without = tap(simulated=False), tap(simulated=False)

    run(with_fill, [intent(), fill(simulated=False)])
    run(without, [intent()])

    assert with_fill.digest.hex == without.digest.hex


def test_counts() -> None:
    stage = tap()

    run(stage, [*decisions(), trades(1, 2), trades(3), Quotes.of(time_ns=[1, 2, 3]), released(2, "1d", "1h", "1h")])

    counts = stage.counts
    assert counts.rows == {"Trades": 3, "Quotes": 3, "Bars": 2}
    assert counts.bars == {"1d": 1, "1h": 2}
    assert counts.events == {"SPRING": 1, "TEST": 1}
    assert counts.refusals == {"HEAT_LIMIT": 1}
    assert counts.campaigns == {"CAMPAIGN_FORMED": 1, "CAMPAIGN_ACTIVATED": 1}
    assert [counts.of(kind) for kind in (Intent, Approved, Refused, Order, Fill, CancelRequest)] == [2, 1, 1, 1, 1, 1]
    assert counts.of(Expired) == 1
    assert counts.total_messages == len(decisions())


def test_bars_released_without_rows_count() -> None:
    stage = tap()

    run(stage, [released(0, "1w", "1d")])

    assert stage.counts.bars == {"1d": 1, "1w": 1}
    assert stage.counts.rows == {}


def test_bars_are_named_by_the_sessions_own_table() -> None:
    stage = tap()

    run(stage, [session("AAA", timeframes=("tick", "1d")), released(1, "1m")])

    assert stage.counts.bars == {"tick": 1}


def test_line_time_is_the_last_that_was_proven() -> None:
    stage = tap()

    announced = released(0, line_ns=70)
    announced.line_ns = None
    run(stage, [session("AAA", time_ns=5), released(1, line_ns=50), announced, trades(1)])

    assert stage.counts.started_ns == 5
    assert stage.counts.line_time_ns == 70


def test_peak_heat_counts_what_was_approved_and_not_what_was_refused() -> None:
    def peak(*items: Item) -> int:
        stage = tap()
        run(stage, list(items))
        return stage.counts.heat_peak_bp

    approved = Approved(intent(), Decimal(1), receipt(open_risk=30 * 10**9, new_risk=10**9 + 1))
    refused = Refused(intent(), "portfolio", receipt("HEAT_LIMIT", open_risk=40 * 10**9, new_risk=10**12))
    broke = Refused(intent(), "portfolio", receipt("EQUITY", equity=0, open_risk=1))
    crossed = HeatChange(1, HeatState.NORMAL, HeatState.CRITICAL, 950)

    assert peak(approved) == 311  # 3.1 % and a bit, rounded up
    assert peak(refused) == 400
    assert peak(broke) == 0
    assert peak(approved, crossed, refused) == 950


def test_what_is_counted_does_not_depend_on_chunking() -> None:
    whole, pieces = tap(), tap()
    block = released(4, "1h", "1h", "1d", "1m")
    assert block.closed is not None
    block.sequence = 1
    block.closed.release = np.array([1, 2, 2, 4])

    run(whole, [session("AAA"), block])
    run(pieces, [session("AAA"), *(block.slice(row, row + 1) for row in range(4))])

    assert whole.counts == pieces.counts
    assert whole.snapshot() == pieces.snapshot()


def test_a_restored_tap_goes_on_as_if_nothing_had_happened() -> None:
    items: list[Item] = [session("AAA", timeframes=("tick", "1d")), *decisions()[1:], released(1, "1m"), trades(1, 2)]
    whole = tap()
    run(whole, items)

    for cut in range(len(items) + 1):
        first, second = tap(), tap()
        run(first, items[:cut])
        second.restore(first.snapshot())
        run(second, items[cut:])

        assert second.counts == whole.counts
        assert (second.digest.hex, second.digest.count) == (whole.digest.hex, whole.digest.count)
        assert second.snapshot() == whole.snapshot()


def test_two_taps_do_not_share_counts() -> None:
    first, second = tap(), tap()

    run(first, decisions())

    assert second.counts.messages == {}
