"""The ledger against a slow and simple bookkeeper: every trade, every excursion, every point, exactly."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.blocks import Bars, MarketBlock, Trades
from engine.campaigns.curve import CurvePoint
from engine.campaigns.performance import Trade
from engine.instruments import InstrumentTable
from engine.ledger import Ledger, Record
from engine.messages import (
    CampaignChange,
    CampaignState,
    EndOfFeed,
    Fill,
    Intent,
    Refused,
    Role,
    SessionStart,
    Side,
)
from engine.ports import Item
from engine.timeframes import LENGTH_NS, TIMEFRAMES
from tests.line_laws import busy_line, cut_at, patient
from tests.lines import Recorded, decide, line, lively, recorded
from tests.makers import START_NS, instrument, session, table
from tests.markets import bar_market, trade_market
from tests.test_tap import intent, receipt

HOUR_NS = LENGTH_NS["1h"]
CASH = 100_000
Row = tuple[int, float]


class Kept:
    """A sink of records."""

    def __init__(self) -> None:
        self.records: list[tuple[int, Record]] = []

    def write(self, item: Item) -> None:
        pass

    def record(self, item: int, record: Record) -> None:
        self.records.append((item, record))

    @property
    def trades(self) -> list[Trade]:
        return [one for _, one in self.records if isinstance(one, Trade)]

    def curve(self, campaign: str = "") -> list[CurvePoint]:
        return [one for _, one in self.records if isinstance(one, CurvePoint) and one.campaign == campaign]


# --------------------------------------------------------------- a market and fills, by hand


@dataclass
class Script:
    """Rows of two instruments a quarter of an hour apart, and fills after some of them."""

    rows: list[tuple[int, float, float, float]]  # instrument, high, low, close
    fills: dict[int, list[Fill]]  # after this many rows
    on_bars: bool
    point_values: tuple[Decimal, Decimal] = (Decimal(1), Decimal("12.5"))

    def time_ns(self, row: int) -> int:
        return START_NS + (row + 1) * HOUR_NS // 4

    @property
    def table(self) -> InstrumentTable:
        on = "bars" if self.on_bars else "trades"
        made = (
            instrument(name, match_on=on, point_value=one) for name, one in zip("AB", self.point_values, strict=True)
        )
        return InstrumentTable(made)

    def block(self, start: int, stop: int) -> MarketBlock:
        rows = self.rows[start:stop]
        times = np.array([self.time_ns(row) for row in range(start, stop)], np.int64)
        number, high, low, close = (list(column) for column in zip(*rows, strict=True))
        block: MarketBlock
        if self.on_bars:
            block = Bars.of(
                open_ns=times - HOUR_NS // 4, close_ns=times, instrument=number, timeframe=TIMEFRAMES.index("15m"),
                open=close, high=high, low=low, close=close, volume=1, trades=-1,
            )  # fmt: skip
        else:
            block = Trades.of(time_ns=times, instrument=number, price=close, size=1)
        return block.derive(line_ns=times - 1, line_time_ns=int(times[-1]) - 1)

    def items(self, cuts: Sequence[int]) -> Iterator[Item]:
        yield session("A", "B", cash=CASH, detect_on=("15m",))
        borders = sorted({0, len(self.rows), *self.fills, *(cut % len(self.rows) for cut in cuts)})
        for start, stop in zip(borders, [*borders[1:], None], strict=True):
            yield from self.fills.get(start, ())
            if stop is not None:
                yield self.block(start, stop)
        yield EndOfFeed(time_ns=self.time_ns(len(self.rows)), feed=0)


@dataclass
class Held:
    sign: int
    open: Fraction
    high: float
    low: float
    entered_row: int


@dataclass
class Bookkeeper:
    """Row by row, in fractions. Gives (high, low) of each closed group and (time, P&L) of each point."""

    script: Script
    marks: dict[int, float] = field(default_factory=dict)
    last: dict[int, tuple[int, float, float, float]] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    net: dict[int, Fraction] = field(default_factory=lambda: {0: Fraction(0), 1: Fraction(0)})
    flow: Fraction = Fraction(0)
    border_ns: int | None = None
    closed: list[tuple[str, float, float]] = field(default_factory=list)
    points: list[tuple[int, Fraction]] = field(default_factory=lambda: [(START_NS, Fraction(0))])

    def run(self) -> None:
        for row in range(len(self.script.rows) + 1):
            for fill in self.script.fills.get(row, ()):
                self.fill(fill, row)
            if row < len(self.script.rows):
                self.row(row)
        if any(self.net.values()):
            self.points.append((self.script.time_ns(len(self.script.rows)), self.pnl()))

    def row(self, row: int) -> None:
        number, high, low, close = self.script.rows[row]
        if not self.script.on_bars:
            high = low = close
        line_ns = self.script.time_ns(row) - 1
        if self.border_ns is not None and line_ns >= self.border_ns:
            self.points.append((self.border_ns, self.pnl()))
            self.border_ns = (line_ns // HOUR_NS + 1) * HOUR_NS
        for group, one in self.held.items():
            if _number(group) == number and number in self.last:
                self.count(one, *self.last[number])
        self.last[number] = (row, high, low, close)
        self.marks[number] = close

    def count(self, one: Held, row: int, high: float, low: float, close: float) -> None:
        if row == one.entered_row:
            high, low = (close, low) if one.sign > 0 else (high, close)
        one.high, one.low = max(one.high, high), min(one.low, low)

    def fill(self, fill: Fill, row: int) -> None:
        number, price = _number(fill.group), float(fill.price)
        self.marks.setdefault(number, price)
        self.last.setdefault(number, (row - 1, price, price, price))
        was = any(self.net.values())
        one = self.held.get(fill.group)
        sign = 1 if fill.side is Side.BUY else -1
        if one is None:
            one = self.held[fill.group] = Held(sign, Fraction(0), price, price, self.last[number][0])
        one.high, one.low = max(one.high, price), min(one.low, price)
        one.open += Fraction(fill.quantity) * (1 if fill.role is Role.ENTRY else -1)
        value = Fraction(fill.quantity) * Fraction(self.script.point_values[number]) * sign
        self.net[number] += value
        self.flow -= value * Fraction(fill.price) + Fraction(fill.costs)
        self.points.append((fill.time_ns, self.pnl()))
        if not one.open:
            del self.held[fill.group]
            self.closed.append((fill.group, one.high, one.low))
        if not any(self.net.values()):
            self.border_ns = None
        elif not was:
            line_ns = max(self.script.time_ns(row - 1) - 1 if row else START_NS, fill.time_ns)
            self.border_ns = (line_ns // HOUR_NS + 1) * HOUR_NS

    def pnl(self) -> Fraction:
        return self.flow + sum(
            net * Fraction(Decimal(repr(self.marks[number]))) for number, net in self.net.items() if net
        )


def _number(group: str) -> int:
    return "AB".index(group[0])


PRICES = st.integers(9_000, 11_000).map(lambda cents: cents / 100)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    on_bars = draw(st.booleans())
    closes = draw(
        st.lists(st.tuples(st.integers(0, 1), PRICES, st.floats(0, 2), st.floats(0, 2)), min_size=4, max_size=60)
    )
    rows = [(number, round(close + up, 2), round(close - down, 2), close) for number, close, up, down in closes]
    script = Script(rows, {}, on_bars)
    for trade in range(draw(st.integers(0, 5))):
        places = sorted(draw(st.lists(st.integers(1, len(rows)), min_size=2, max_size=4)))
        side = draw(st.sampled_from(list(Side)))
        symbol = draw(st.sampled_from("AB"))
        parts = draw(st.lists(st.integers(1, 500), min_size=len(places) - 1, max_size=len(places) - 1))
        quantities = [Decimal(sum(parts)), *map(Decimal, parts)]
        for step, (place, quantity) in enumerate(zip(places, quantities, strict=True)):
            script.fills.setdefault(place, []).append(
                _fill(draw, script, place, (trade, step), (symbol, side, quantity))
            )
    return script


def _fill(draw: st.DrawFn, script: Script, place: int, ids: tuple[int, int], what: tuple[str, Side, Decimal]) -> Fill:
    symbol, side, quantity = what
    is_entry = ids[1] == 0
    other = Side.SELL if side is Side.BUY else Side.BUY
    group = f"{symbol}-2020-01-01.{ids[0] + 2}/SPRING/1"
    return Fill(
        time_ns=script.time_ns(place - 1), order_id=f"{group}/{'ENTRY' if is_entry else f'EXIT{ids[1]}'}",
        execution_id=f"{ids}", symbol=symbol, side=side if is_entry else other,
        role=Role.ENTRY if is_entry else Role.EXIT, group=group, quantity=quantity,
        price=Decimal(str(draw(PRICES))), costs=Decimal(draw(st.integers(0, 999))) / 100, remaining=Decimal(0),
        simulated=True,
    )  # fmt: skip


def kept(script: Script, cuts: Sequence[int] = (), *, snapshots: bool = False) -> Kept:
    sink = Kept()
    ledger = Ledger(script.table, [sink])
    for item in script.items(cuts):
        assert list(ledger.process(item)) == [item]
        if snapshots:
            again = Ledger(script.table, [sink])
            again.restore(ledger.snapshot())
            ledger = again
    return sink


@settings(max_examples=150, deadline=None)
@given(scripts())
def test_cash_profit_and_excursions_are_those_of_a_bookkeeper_in_fractions(script: Script) -> None:
    truth = Bookkeeper(script)
    truth.run()

    found = kept(script)

    assert [(one.time_ns, Fraction(one.pnl)) for one in found.curve()] == truth.points
    assert [one.group for one in found.trades] == [group for group, _, _ in truth.closed]
    for trade, (_, high, low) in zip(found.trades, truth.closed, strict=True):
        up, down = Decimal(repr(high)) - trade.entry_price, trade.entry_price - Decimal(repr(low))
        assert (trade.mfe, trade.mae) == ((up, down) if trade.side is Side.BUY else (down, up))
    check_trades(found.trades, [one for place in sorted(script.fills) for one in script.fills[place]], script.table)


@settings(max_examples=60, deadline=None)
@given(scripts(), st.lists(st.integers(0, 60), max_size=60))
def test_no_chunking_and_no_restart_changes_a_record(script: Script, cuts: list[int]) -> None:
    plain = kept(script).records

    assert kept(script, cuts).records == plain
    assert kept(script, range(len(script.rows))).records == plain
    assert kept(script, cuts, snapshots=True).records == plain


def check_trades(trades: Iterable[Trade], fills: Sequence[Fill], known: InstrumentTable) -> None:
    """Profit and R from the executions, in fractions."""
    for trade in trades:
        mine = [one for one in fills if one.group == trade.group]
        point_value = Fraction(known.named(trade.symbol).point_value)
        flow = sum(
            Fraction(one.quantity) * Fraction(one.price) * point_value * (-1 if one.side is Side.BUY else 1)
            - Fraction(one.costs)
            for one in mine
        )
        entered = [one for one in mine if one.role is Role.ENTRY]
        direction = 1 if trade.side is Side.BUY else -1
        risk = sum(
            (Fraction(one.price) - Fraction(trade.stop_price)) * Fraction(one.quantity) * point_value * direction
            for one in entered
        )
        assert Fraction(trade.pnl) == flow
        assert Fraction(trade.costs) == sum(Fraction(one.costs) for one in mine)
        assert trade.quantity == sum(one.quantity for one in entered)
        if trade.r is not None:
            assert Fraction(trade.risk) == risk
            assert abs(Fraction(trade.r) - flow / risk) <= abs(flow / risk) / 10**27


# ------------------------------------------------------------------------------- whole lines


def replayed(market: Recorded, chunk: int | None, settings: object = None) -> tuple[Kept, list[Item]]:
    sink = Kept()
    built = line(market, settings or lively(), sinks=[sink])  # type: ignore[arg-type]
    left = decide(market, chunk, built).left
    assert list(built.ledger.trades.closed) == sink.trades
    return sink, list(left)


DAYS = recorded(bar_market(3, 900, 5), symbols=3)


@pytest.fixture(scope="module")
def of_days() -> tuple[Kept, list[Item]]:
    return replayed(DAYS, None)


@pytest.mark.parametrize("chunk", [1, 7, 4096, 0])
def test_any_chunking_of_days_leaves_the_same_records(chunk: int, of_days: tuple[Kept, list[Item]]) -> None:
    assert replayed(DAYS, chunk)[0].records == of_days[0].records
    assert len(of_days[0].trades) >= 5


def test_sums_of_a_line_are_those_of_its_executions(of_days: tuple[Kept, list[Item]]) -> None:
    found, left = of_days
    fills = [one for one in left if isinstance(one, Fill)]

    check_trades(found.trades, fills, DAYS.table)
    assert all(one.r is not None for one in found.trades)
    assert [one.number for one in found.curve()] == list(range(1, len(found.curve()) + 1))


def total_by_campaign(found: Kept) -> Fraction:
    last: dict[str, Decimal] = {}
    for _, one in found.records:
        if isinstance(one, CurvePoint) and one.campaign:
            last[one.campaign] = one.pnl
    return sum((Fraction(one) for one in last.values()), Fraction(0))


def test_the_curves_of_campaigns_add_up_to_that_of_the_account(of_days: tuple[Kept, list[Item]]) -> None:
    found, _ = of_days

    assert total_by_campaign(found) == Fraction(found.curve()[-1].pnl) != 0


def test_a_trade_never_makes_more_than_its_best_price_nor_loses_more_than_its_worst(
    of_days: tuple[Kept, list[Item]],
) -> None:
    for trade in of_days[0].trades:
        assert trade.mfe is not None
        assert trade.mae is not None
        gross = trade.pnl + trade.costs
        assert -trade.mae * trade.quantity <= gross <= trade.mfe * trade.quantity
        assert trade.mfe_r == trade.mfe * trade.quantity / trade.risk
        assert trade.efficiency is None or trade.r is not None


def test_excursions_are_the_extremes_of_the_bars_between(of_days: tuple[Kept, list[Item]]) -> None:
    (block,) = [row for row in DAYS.rows if isinstance(row, Bars)]
    for trade in of_days[0].trades:
        mine = block.instrument == DAYS.table.number(trade.symbol)
        between = mine & (block.close_ns > trade.entry_ns) & (block.close_ns < trade.exit_ns)
        entry = mine & (block.close_ns == trade.entry_ns)

        assert trade.mfe is not None
        assert trade.mae is not None
        if between.any():
            least = Decimal(repr(float(block.high[between].max()))) - trade.entry_price
            assert trade.mfe >= least
            assert trade.mae >= trade.entry_price - Decimal(repr(float(block.low[between].min())))
            assert trade.mae >= trade.entry_price - Decimal(repr(float(block.low[entry].min())))


def test_trades_on_ticks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=19)
    market = recorded(*cut_at(trade_market(2, 240, 20, 3), 1_000), symbols=2)

    found, left = replayed(market, None, patient())

    assert replayed(market, 1, patient())[0].records == replayed(market, 61, patient())[0].records == found.records
    assert len(found.trades) >= 5
    check_trades(found.trades, [one for one in left if isinstance(one, Fill)], market.table)


# ------------------------------------------------------------------------------------ points


def script(closes: Sequence[float], fills: dict[int, list[Fill]]) -> Script:
    return Script([(0, close, close, close) for close in closes], fills, on_bars=True)


def a_fill(place: int, side: Side, price: object, role: Role = Role.ENTRY, quantity: int = 100) -> Fill:
    name = "ENTRY" if role is Role.ENTRY else "EXIT1"
    group = "A-2020-01-01/SPRING/1"
    return Fill(
        time_ns=START_NS + place * HOUR_NS // 4, order_id=f"{group}/{name}", execution_id=f"{place}", symbol="A",
        side=side, role=role, group=group, quantity=Decimal(quantity), price=Decimal(str(price)), costs=Decimal(0),
        remaining=Decimal(0), simulated=True,
    )  # fmt: skip


def test_points_are_taken_at_executions_and_hourly_while_something_is_held() -> None:
    closes = [100, 100, 101, 102, 103, 104, 110, 108, 99, 99, 99, 99, 99, 99]
    fills = {2: [a_fill(2, Side.BUY, 100)], 10: [a_fill(10, Side.SELL, 99, Role.EXIT)]}

    found = kept(script(closes, fills)).curve()

    # An hour is four rows; the border at row 4 is passed when row 4 (time + 1/4) says so.
    assert [(one.time_ns - START_NS) * 4 // HOUR_NS for one in found] == [0, 2, 4, 8, 10]
    assert [one.pnl for one in found] == [0, 0, 200, 800, -100]
    assert found[-1].drawdown_fraction == Decimal(900) / Decimal(100_800)
    assert found[-1].return_fraction == Decimal("-0.001")


def test_losing_more_than_everything_is_a_drawdown_of_one() -> None:
    fills = {1: [a_fill(1, Side.BUY, 100, quantity=5_000)], 3: [a_fill(3, Side.SELL, 1, Role.EXIT, 5_000)]}

    found = kept(script([100, 100, 1, 1], fills)).curve()

    assert found[-1].drawdown_fraction == 1


def test_the_favourable_side_of_the_entry_bar_and_the_bar_of_the_exit_do_not_count() -> None:
    rows = [(0, 100.0, 100.0, 100.0), (0, 150.0, 90.0, 101.0), (0, 105.0, 99.0, 102.0), (0, 180.0, 50.0, 102.0)]
    fills = {2: [a_fill(2, Side.BUY, 100)], 4: [a_fill(4, Side.SELL, 103, Role.EXIT)]}

    (trade,) = kept(Script(rows, fills, on_bars=True)).trades

    assert (trade.mfe, trade.mae) == (5, 10)


def test_at_a_real_venue_rows_before_the_entry_do_not_count_and_the_last_before_the_exit_does() -> None:
    rows = [(0, 150.0, 90.0, 101.0), (0, 105.0, 99.0, 102.0), (0, 109.0, 98.0, 102.0)]
    fills = {1: [a_fill(1, Side.BUY, 100)], 3: [a_fill(3, Side.SELL, 103, Role.EXIT)]}
    real = {row: [msgspec.structs.replace(one, simulated=False) for one in found] for row, found in fills.items()}

    (trade,) = kept(Script(rows, real, on_bars=True)).trades

    assert (trade.mfe, trade.mae) == (9, 2)


def test_at_a_real_venue_a_trade_between_two_rows_has_seen_only_its_own_prices() -> None:
    fills = {1: [a_fill(1, Side.BUY, 100), a_fill(1, Side.SELL, 103, Role.EXIT)]}
    real = {row: [msgspec.structs.replace(one, simulated=False) for one in found] for row, found in fills.items()}

    (trade,) = kept(Script([(0, 150.0, 90.0, 101.0), (0, 105.0, 99.0, 102.0)], real, on_bars=True)).trades

    assert (trade.mfe, trade.mae) == (3, 0)


def test_a_trade_knows_its_phase_timeframe_and_first_stop(of_days: tuple[Kept, list[Item]]) -> None:
    found, left = of_days
    entries = {one.group: one for one in left if isinstance(one, Intent) and one.action == "ENTER"}

    for trade in found.trades:
        assert trade.timeframe == "1d"
        assert trade.stop_price == entries[trade.group].stop_price
        assert trade.phase.value in ("C", "D", "E")


def test_the_curve_of_a_campaign_ends_with_it() -> None:
    sink = Kept()
    ledger = Ledger(table("A"), [sink])
    over = CampaignChange(
        "A-2020-01-01", 9, 1, "CAMPAIGN_COMPLETED", CampaignState.MARKUP, CampaignState.COMPLETED, "flat"
    )
    begin = SessionStart(START_NS, "replay", ("f",), TIMEFRAMES, ("A",), Decimal(CASH), "USD")
    for item in (begin, a_fill(1, Side.BUY, 100), a_fill(2, Side.SELL, 101, Role.EXIT), over):
        list(ledger.process(item))

    assert [one.pnl for one in sink.curve("A-2020-01-01")] == [0, 100]
    assert msgspec.msgpack.decode(ledger.snapshot())["curve"]["purses"].keys() == {""}


def test_an_execution_of_a_symbol_nobody_knows_is_passed_on() -> None:
    sink = Kept()
    ledger = Ledger(table("A"), [sink])
    fill = msgspec.structs.replace(a_fill(1, Side.BUY, 100), symbol="ZZZ")

    assert list(ledger.process(fill)) == [fill]
    assert sink.records == []


def test_a_refused_entry_is_forgotten() -> None:
    ledger = Ledger(table("AAA"))

    for item in (intent(1), intent(2), Refused(intent(2), "portfolio", receipt("HEAT_LIMIT"))):
        list(ledger.process(item))

    assert set(msgspec.msgpack.decode(ledger.snapshot())["trades"]["plans"]) == {"c1/SPRING/1"}


def test_only_the_smallest_bars_from_outside_are_seen() -> None:
    fills = {2: [a_fill(2, Side.BUY, 100)], 6: [a_fill(6, Side.SELL, 100, Role.EXIT)]}
    flat = script([100.0] * 6, fills)
    sink = Kept()
    ledger = Ledger(flat.table, [sink])

    for item in flat.items((4,)):
        list(ledger.process(item))
        if isinstance(item, Bars):
            hours = item.derive(timeframe=np.full(len(item), TIMEFRAMES.index("1h"), np.int8), high=item.high + 50)
            list(ledger.process(hours))

    (trade,) = sink.trades
    assert (trade.mfe, trade.mae) == (0, 0)
