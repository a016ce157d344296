"""Fills folded into trades, trades into a summary."""

from decimal import Decimal

import msgspec

from engine.campaigns.performance import Lot, Trade, TradeLedger, folded, initial_risk, realised, summarise
from engine.messages import Action, CampaignChange, EventKind, Fill, Leg, Side
from tests.campaigns.campaign_makers import CAMPAIGN, Line, accepted, day, detections, event, fill, of, only
from tests.makers import table

GROUP = f"{CAMPAIGN}/SPRING/1"


def ledger(point_value: str = "1") -> TradeLedger:
    return TradeLedger(table("AAA", point_value=Decimal(point_value)))


def trade(pnl: object, r: object = None) -> Trade:
    multiple = None if r is None else Decimal(str(r))
    one = Decimal(1)
    return Trade(
        "AAA", CAMPAIGN, Leg.SPRING, Side.BUY, one, day(1), one, day(2), one, Decimal(0), Decimal(str(pnl)), multiple
    )


def test_a_group_is_one_row_once_flat_with_weighted_prices() -> None:
    book = ledger()
    entry = only(Action.ENTER, Line().send(detections(event(EventKind.SPRING))))  # stop 97
    stream = [
        entry,
        fill(GROUP, quantity=60, price=101, at=22, costs="0.6"),
        fill(GROUP, quantity=40, price="101.5", at=23, costs="0.4"),
        fill(GROUP, "TARGET1", quantity=50, price=110, at=25, costs="0.5"),
        fill(GROUP, "STOP2", quantity=50, price=102, at=27, costs="0.5"),
    ]

    (closed,) = [row for message in stream if (row := book.add(message)) is not None]

    assert book.closed == [closed]
    assert (closed.symbol, closed.campaign, closed.leg, closed.side) == ("AAA", CAMPAIGN, Leg.SPRING, Side.BUY)
    assert (closed.quantity, closed.entry_price, closed.exit_price) == (100, Decimal("101.2"), 106)
    assert (closed.entry_ns, closed.exit_ns) == (day(22), day(27))
    assert (closed.costs, closed.pnl) == (2, 478)
    assert closed.r == Decimal(478) / Decimal(420)


def test_without_a_known_stop_r_is_unknown() -> None:
    book = ledger()

    book.add(fill(GROUP))
    closed = book.add(fill(GROUP, "EXIT1", price=110))

    assert closed is not None
    assert closed.r is None


def test_point_value_scales_profit() -> None:
    book = ledger(point_value="50")

    book.add(fill(GROUP, quantity=2, price=100))
    closed = book.add(fill(GROUP, "EXIT1", quantity=2, price=101))

    assert closed is not None
    assert closed.pnl == 100


def test_a_short_earns_when_price_falls() -> None:
    lot = folded(Lot(), msgspec.structs.replace(fill(GROUP, quantity=1, price=100), side=Side.SELL))
    lot = folded(lot, fill(GROUP, "EXIT1", quantity=1, price=96))

    pnl = realised(lot, -1, Decimal(1))

    assert pnl / initial_risk(lot, Decimal(102), -1, Decimal(1)) == 2


def test_groups_do_not_mix_and_outside_fills_are_passed_over() -> None:
    book = ledger()
    other = f"{CAMPAIGN}/LPS/1"

    book.add(fill(GROUP))
    book.add(fill(other))

    assert book.add(fill(other, "EXIT1")) is not None
    assert book.add(msgspec.structs.replace(fill(GROUP, "EXIT1"), group="")) is None
    assert book.add(fill(f"{CAMPAIGN}/SOS/1", "EXIT1")) is None
    assert len(book.closed) == 1


def test_partial_exits_realise_their_share_of_the_entry_costs() -> None:
    lot = folded(Lot(), fill(GROUP, quantity=100, price=100, costs=10))
    lot = folded(lot, fill(GROUP, "TARGET1", quantity=50, price=110, costs=5))

    assert realised(lot, 1, Decimal(1)) == 490
    assert lot.open == 50


def test_the_reader_of_the_fills_agrees_with_the_manager() -> None:
    line = Line()
    stream = [accepted(GROUP), fill(GROUP, costs=1), fill(GROUP, "STOP1", price=97, at=25, costs=1)]
    book = ledger()

    line.send(detections(event(EventKind.SPRING)), *stream)
    rows = [book.add(message) for message in [*line.out, *of(Fill, stream)]]  # type: ignore[arg-type]

    (row,) = [one for one in rows if one is not None]
    assert of(CampaignChange, line.out)[-1].cause == f"flat: pnl {row.pnl:.2f}, {row.r:.2f} R"


def test_summary_of_wins_and_losses() -> None:
    result = summarise([trade(300, 3), trade(-100, -1), trade(-100, -1), trade(0, 0), trade(50)])

    assert (result.trades, result.wins, result.pnl) == (5, 2, 150)
    assert (result.win_rate, result.expectancy) == (Decimal("0.4"), 30)
    assert (result.expectancy_r, result.profit_factor) == (Decimal("0.25"), Decimal("1.75"))


def test_what_cannot_be_divided_is_none() -> None:
    assert summarise([trade(5, 1)]).profit_factor is None
    assert summarise([trade(5)]).expectancy_r is None
    nothing = summarise([])
    assert (nothing.win_rate, nothing.expectancy, nothing.profit_factor, nothing.pnl) == (None, None, None, 0)
