"""The paper book: costs, refusals, and laws that hold for any orders on any rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from math import floor, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.paper import ENDED_KEPT, PaperBook, PaperSettings
from engine.blocks import Bars, MarketBlock, Trades
from engine.instruments import InstrumentTable
from engine.market import Market
from engine.messages import (
    Accepted,
    Cancelled,
    CancelRequest,
    Expired,
    Fill,
    Heartbeat,
    Message,
    Order,
    OrderKind,
    Rejected,
    Role,
    Side,
    Watched,
    WatchKind,
)
from engine.ports import Item, MarketRow
from engine.timeframes import TIMEFRAMES
from tests.makers import START_NS, instrument, table
from tests.market_rig import (
    FREE,
    MINUTE,
    Venue,
    announcement,
    cancel,
    detections,
    entry,
    leave,
    lined,
    market_of,
    print_,
    row,
    run,
    stop,
    target,
    told,
    watch,
)

SHARE = FREE.model_copy(update={"participation": Decimal("0.05"), "latency_ns": MINUTE // 3})


# ----------------------------------------------------------------------------------------- costs


def fill_of(kind: OrderKind = OrderKind.MARKET, settings: PaperSettings | None = None, **changes: object) -> Fill:
    """The fill of 10 bought on a bar of 10,000 that trades from 100 up to 110 and down to 90."""
    definition = {"asset_class": changes.pop("asset_class", "stock")}
    venue = Venue(settings or PaperSettings(), table("AAA", **definition))
    venue.send(entry(kind, **changes))
    fact = venue.rows(row(100, 110, 90, 100, size=10_000))[0]
    assert isinstance(fact, Fill)
    return fact


def test_a_taker_pays_half_the_spread_and_its_impact_on_the_worse_tick() -> None:
    cost_bp = 1 + 10 * sqrt(10 / 10_000)

    bought, sold = fill_of(), fill_of(side=Side.SELL)

    assert Decimal(100 * (1 + cost_bp / 10_000)) < bought.price == Decimal("100.02")
    assert Decimal(100 * (1 - cost_bp / 10_000)) > sold.price == Decimal("99.98")


def test_a_resting_limit_pays_no_spread() -> None:
    assert fill_of(OrderKind.LIMIT, limit_price=95).price == 95


def test_costs_never_push_a_stop_limit_beyond_its_limit() -> None:
    assert fill_of(OrderKind.STOP_LIMIT, stop_price=105, limit_price=105).price == 105


def test_a_stock_pays_by_the_share_and_at_least_the_minimum_an_order() -> None:
    assert fill_of().costs == Decimal("0.35")
    assert fill_of(quantity=300).costs == Decimal("0.0035") * 300


def test_the_minimum_is_charged_once_over_many_executions() -> None:
    venue = Venue(PaperSettings())
    venue.send(entry(quantity=150))

    fills = venue.rows(*(row(100, 100, 100, 100, n=n, size=1_000) for n in range(3)))

    assert [fact.costs for fact in fills if isinstance(fact, Fill)] == [Decimal("0.35"), 0, Decimal("0.175")]


@pytest.mark.parametrize(("asset_class", "bp"), [("crypto", "10"), ("fx", "0.2"), ("future", "0.1")])
def test_other_takers_pay_by_notional(asset_class: str, bp: str) -> None:
    fill = fill_of(asset_class=asset_class)

    assert fill.costs == fill.price * 10 * Decimal(bp) / 10_000


def test_settings_refuse_what_they_do_not_know_or_cannot_mean() -> None:
    with pytest.raises(ValidationError, match="latency"):
        PaperSettings.model_validate({"latency": 5})
    with pytest.raises(ValidationError, match="participation"):
        PaperSettings(participation=Decimal(0))


# -------------------------------------------------------------------------------------- refusals


def refused(one: Order, mark: float = 100.0, **definition: object) -> str:
    """The code of the rejection, "" when the order is accepted."""
    fields = {"tick": Decimal("0.05"), "lot": Decimal(5), "min_notional": Decimal(1_000)} | definition
    venue = Venue(FREE, table("AAA", **fields))
    return "".join(getattr(fact, "code", "") for fact in venue.send(one, mark=mark))


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (entry(), ""),
        (entry(OrderKind.LIMIT, limit_price=100.05), ""),
        (entry(OrderKind.LIMIT, limit_price=100.01), "TICK"),
        (entry(OrderKind.LIMIT), "TICK"),
        (entry(OrderKind.LIMIT, limit_price=-100), "TICK"),
        (entry(OrderKind.STOP, stop_price="NaN"), "TICK"),
        (entry(OrderKind.STOP_LIMIT, stop_price=100, limit_price=100.02), "TICK"),
        (entry(OrderKind.STOP_LIMIT, stop_price=100.02, limit_price=100), "TICK"),
        (entry(quantity=7), "LOT"),
        (entry(quantity=0), "LOT"),
        (entry(quantity=-5), "LOT"),
        (entry(quantity=5), "NOTIONAL"),
        (entry(OrderKind.LIMIT, limit_price=99.95), "NOTIONAL"),
        (entry(symbol="BBB"), "UNKNOWN_SYMBOL"),
        (entry(parent="x/ENTRY"), "NO_PARENT"),
        (stop(90), "NO_PARENT"),
        (leave(), "NO_PARENT"),
    ],
)
def test_an_order_is_refused_by_the_first_rule_it_breaks(one: Order, code: str) -> None:
    named = {"stop_price": Decimal("NaN")} if isinstance(one.stop_price, str) else {}
    whole = Order(**{name: getattr(one, name) for name in one.__struct_fields__} | named)

    assert refused(whole) == code


def test_a_market_order_without_a_mark_is_not_refused_for_its_notional() -> None:
    assert refused(entry(quantity=5), mark=float("nan")) == ""


def test_negative_prices_are_for_instruments_that_allow_them() -> None:
    assert refused(entry(OrderKind.LIMIT, limit_price=-100), allows_negative=True) == ""


def test_an_entry_below_the_smallest_quantity_is_rejected_and_an_exit_is_not() -> None:
    assert refused(entry(OrderKind.LIMIT, limit_price=100), min_quantity=Decimal(10)) == ""
    assert refused(entry(OrderKind.LIMIT, limit_price=100), min_quantity=Decimal(11)) == "LOT"

    venue = Venue(FREE, table("AAA", min_quantity=Decimal(10)))
    entered = venue.send(entry(OrderKind.LIMIT, limit_price=100), target(100, quantity=1))
    assert told(entered)[1] == ("TARGET1", "Accepted")


def test_an_exit_is_not_refused_for_being_small() -> None:
    venue = Venue(FREE, table("AAA", min_notional=Decimal(900)))

    assert told(venue.send(entry(OrderKind.LIMIT, limit_price=100), target(100, quantity=1)))[1] == (
        "TARGET1",
        "Accepted",
    )


def test_an_order_id_is_never_used_twice_even_after_its_end() -> None:
    venue = Venue()
    venue.send(entry())

    assert told(venue.send(entry())) == [("ENTRY", "DUPLICATE_ID")]
    assert told(venue.rows(row(10, 10, 10, 10))) == [("ENTRY", 10, 10)]
    assert told(venue.send(entry())) == [("ENTRY", "DUPLICATE_ID")]


def test_the_id_of_a_rejected_order_is_used_up_too() -> None:
    venue = Venue()
    venue.send(entry(quantity=0))

    assert told(venue.send(entry())) == [("ENTRY", "DUPLICATE_ID")]


@pytest.mark.parametrize("changes", [{"parent": "g/OTHER"}, {"side": Side.BUY}, {"symbol": "BBB"}, {"group": "h"}])
def test_an_exit_must_belong_to_its_group(changes: dict[str, object]) -> None:
    venue = Venue(FREE, table("AAA", "BBB"))
    venue.send(entry())

    assert told(venue.send(stop(9, **changes))) == [("STOP1", "NO_PARENT")]


def test_an_exit_of_a_group_that_is_over_is_refused() -> None:
    venue = Venue()
    venue.send(entry(), stop(9))
    venue.rows(row(10, 10, 9, 9))

    assert told(venue.send(leave())) == [("EXIT1", "NO_PARENT")]


def test_memory_of_ended_orders_is_bounded() -> None:
    venue = Venue()
    for n in range(ENDED_KEPT + 50):
        venue.send(entry(order_id=f"g{n}/ENTRY", group=f"g{n}"), cancel_of(f"g{n}/ENTRY"))

    assert len(venue.book._ended) == ENDED_KEPT
    assert (venue.book._orders, venue.book._groups) == ({}, {})
    assert told(venue.send(entry(order_id=f"g{n}/ENTRY", group=f"g{n}"))) == [("ENTRY", "DUPLICATE_ID")]


def cancel_of(order_id: str) -> CancelRequest:
    return CancelRequest(order_id=order_id, symbol="AAA", decision_ns=START_NS, reason="asked")


def test_a_group_forgets_the_stops_it_has_replaced() -> None:
    venue = Venue()
    venue.send(entry(), stop(9), target(30, "TARGET1", quantity=5), target(40, "TARGET2", quantity=5))
    venue.rows(row(10, 10, 10, 10))

    for n in range(2, 50):
        venue.send(stop(9, f"STOP{n}", replaces=f"g/STOP{n - 1}"))

    (group,) = venue.book._groups.values()
    assert [one.order.order_id for one in group.orders] == ["g/ENTRY", "g/STOP49", "g/TARGET1", "g/TARGET2"]


def test_an_id_that_its_group_still_holds_is_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.paper.ENDED_KEPT", 1)
    venue = Venue()
    venue.send(entry(), stop(9), target(12, quantity=5))
    venue.rows(row(10, 10, 10, 10), row(12, 12, 12, 12, n=1))
    venue.send(entry(order_id="h/1", group="h"), cancel_of("h/1"))

    assert told(venue.send(entry(), target(12, quantity=5))) == [("ENTRY", "DUPLICATE_ID"), ("TARGET1", "DUPLICATE_ID")]


def test_a_restored_book_knows_what_it_may_lend() -> None:
    instruments = table("AAA")
    book, other = (PaperBook(instruments, FREE, Decimal(100)) for _ in range(2))
    book.submit(entry(), now_ns=0, mark=10.0)
    book.match(row(10, 10, 10, 10))

    other.restore(book.snapshot())

    (refused,) = other.submit(entry(OrderKind.LIMIT, order_id="h/1", group="h", limit_price=1), now_ns=0, mark=10.0)
    assert isinstance(refused, Rejected)
    assert refused.code == "BUYING_POWER"


def test_a_symbol_may_have_a_spread_of_its_own() -> None:
    wide = PaperSettings(impact_bp=Decimal(0), symbol_half_spread_bp={"AAA": Decimal(5)})

    assert fill_of(settings=wide).price == Decimal("100.05")
    assert fill_of(settings=wide.model_copy(update={"symbol_half_spread_bp": {"BBB": 5}})).price == Decimal("100.01")


def test_cancelling_what_does_not_work_is_counted_and_says_nothing() -> None:
    venue = Venue()
    venue.send(entry())
    venue.send(cancel())

    assert venue.send(cancel(), cancel("UNKNOWN")) == []
    assert venue.book.ignored_cancels == 2


# ------------------------------------------------------------------------------- any single order


@dataclass
class Reference:
    """One entry, matched row by row in the plainest way; shares no code with the book."""

    order: Order
    latency_ns: int
    left: int
    offered: int = 0
    triggered: bool = False
    fills: list[tuple[int, int, float]] = field(default_factory=list)

    def walk(self, rows: list[MarketRow]) -> list[tuple[int, int, float]]:
        for number, one in enumerate(rows):
            price = self.price(one) if self.there(one) and one.size > 0 else None
            quantity = 0 if price is None else self.share(floor(one.size))
            if price is not None and quantity > 0:
                self.left -= quantity
                self.fills.append((number, quantity, price))
        return self.fills

    def share(self, size: int) -> int:
        """A twentieth of the row and of what was left of earlier ones; `offered` counts twentieths."""
        self.offered += size
        quantity = min(self.left, self.offered // 20, size)
        self.offered = min(self.offered - 20 * quantity, 20)
        return quantity

    def there(self, one: MarketRow) -> bool:
        if self.left == 0:
            return False
        if one.is_bar:
            return one.open_ns >= self.order.decision_ns
        return one.time_ns > self.order.decision_ns + self.latency_ns

    def price(self, one: MarketRow) -> float | None:
        kind, buying = self.order.kind, self.order.side is Side.BUY
        limit, trigger = float(self.order.limit_price), float(self.order.stop_price)
        if kind in (OrderKind.STOP, OrderKind.STOP_LIMIT) and not self.triggered:
            if (one.high < trigger) if buying else (one.low > trigger):
                return None
            self.triggered = True
            price = max(one.open, trigger) if buying else min(one.open, trigger)
            beyond = price > limit if buying else price < limit
            return None if kind is OrderKind.STOP_LIMIT and beyond else price
        if kind in (OrderKind.MARKET, OrderKind.STOP):
            return one.open
        if buying:
            return min(one.open, limit) if one.low <= limit else None
        return max(one.open, limit) if one.high >= limit else None


PRICES = st.integers(16, 26).map(lambda half: half / 2)
SIZES = st.sampled_from([0, 1, 3, 19, 25, 60, 150, 1_000])
SIDES = st.sampled_from([Side.BUY, Side.SELL])


@st.composite
def bar_rows(draw: st.DrawFn) -> list[MarketRow]:
    rows = []
    for n in range(draw(st.integers(1, 12))):
        four = sorted(draw(st.tuples(PRICES, PRICES, PRICES, PRICES)))
        middle = four[1:3] if draw(st.booleans()) else four[2:0:-1]
        rows.append(row(middle[0], four[3], four[0], middle[1], n=n, size=draw(SIZES)))
    return rows


@st.composite
def trade_rows(draw: st.DrawFn) -> list[MarketRow]:
    steps = draw(st.lists(st.tuples(PRICES, st.integers(-40, 90), SIZES), min_size=1, max_size=25))
    times = np.cumsum([step for _, step, _ in steps])
    return [print_(price, n=int(n), size=size) for (price, _, size), n in zip(steps, times, strict=True)]


@st.composite
def single_orders(draw: st.DrawFn, decision_step_ns: int) -> Order:
    kind, side = draw(st.sampled_from(list(OrderKind))), draw(SIDES)
    return entry(
        kind,
        side=side,
        quantity=draw(st.integers(1, 30)),
        limit_price=draw(PRICES),
        stop_price=draw(PRICES),
        decision_ns=START_NS + draw(st.integers(0, 6)) * decision_step_ns,
    )


def agrees(one: Order, rows: list[MarketRow], book: type[PaperBook] = PaperBook) -> None:
    """A book and a kernel-driven market fill `one` exactly as the reference does."""
    latency_ns = 50
    expected = Reference(one, latency_ns, int(one.quantity)).walk(rows)
    settings_ = SHARE.model_copy(update={"latency_ns": latency_ns})
    venue = book(table("AAA"), settings_)
    venue.submit(one, now_ns=0, mark=10.0)

    fills = [
        (number, int(fill.quantity), float(fill.price))
        for number, each in enumerate(rows)
        for fill in venue.match(each)
        if isinstance(fill, Fill)
    ]

    assert fills == expected
    by_time = [(fact.time_ns, int(fact.quantity)) for fact in through_market(one, rows, settings_)]
    assert by_time == [(rows[number].time_ns, quantity) for number, quantity, _ in expected]


def through_market(one: Order, rows: list[MarketRow], settings_: PaperSettings) -> Iterator[Fill]:
    on = "bars" if rows[0].is_bar else "trades"
    columns = {name: [getattr(each, name) for each in rows] for name in rows[0].__struct_fields__}
    if on == "bars":
        names = ("open_ns", "open", "high", "low", "close")
        given_ = {name: columns[name] for name in names}
        block: MarketBlock = Bars.of(close_ns=columns["time_ns"], volume=columns["size"], **given_)
    else:
        block = Trades.of(time_ns=columns["time_ns"], price=columns["open"], size=columns["size"])
    facts = run(market_of(settings=settings_, match_on=on), [(detections(START_NS), [one]), (lined(block), ())])
    return (fact for fact in facts if isinstance(fact, Fill))


@given(single_orders(MINUTE), bar_rows())
@settings(max_examples=150, deadline=None)
def test_any_single_order_on_bars_fills_as_the_plain_reference_says(one: Order, rows: list[MarketRow]) -> None:
    agrees(one, rows)


@given(single_orders(20), trade_rows())
@settings(max_examples=150, deadline=None)
def test_any_single_order_on_trades_fills_as_the_plain_reference_says(one: Order, rows: list[MarketRow]) -> None:
    agrees(one, rows)


def test_the_reference_catches_a_book_that_fills_on_the_decision_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.paper_orders.sees", lambda *_: True)

    with pytest.raises(AssertionError):
        agrees(entry(decision_ns=START_NS + MINUTE), [row(10, 11, 9, 10, n=n) for n in range(3)])


# ------------------------------------------------------------------------------- any orders at all

TWO = InstrumentTable([instrument("AAA", match_on="bars"), instrument("BBB", match_on="trades")])
SYMBOLS = ("AAA", "BBB")
WATCHED = (WatchKind.TOUCH_ABOVE, WatchKind.TOUCH_BELOW, WatchKind.CLOSE_ABOVE, WatchKind.CLOSE_BELOW)


@dataclass
class Scene:
    """Blocks in tape order and what is asked at each row number."""

    blocks: list[MarketBlock]
    script: dict[int, list[object]]

    def stream(self, chunk: int) -> Iterator[tuple[Item, list[object]]]:
        """(item, requests made when it has passed): blocks in chunks, a heartbeat after each."""
        for whole in self.blocks:
            first, last = whole.sequence, whole.sequence + len(whole)
            cuts = [number for number in sorted(self.script) if first < number < last]
            for start, end in pairwise([first, *cuts, last]):
                if start in self.script:
                    yield detections(START_NS), self.script[start]
                for k in range(start, end, chunk):
                    yield whole.slice(k - first, min(k + chunk, end) - first), []
            assert whole.line_ns is not None
            beat = Heartbeat(time_ns=int(whole.line_ns[-1]) + 1, feed=0, sequence=last)
            for item in announcement(beat, beat.time_ns):
                yield item, []


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    blocks, sequence, now_ns = [], 1, START_NS
    for _ in range(draw(st.integers(1, 4))):
        block = _random_block(random, now_ns)
        block = lined(block, sequence=sequence, closed=_random_closed(random, sequence, len(block), now_ns))
        now_ns = int(block.row_ns.max())
        blocks.append(block)
        sequence += len(block) + 1
    asked = draw(st.integers(1, 8))
    script: dict[int, list[object]] = {}
    for n in range(asked):
        at = int(random.integers(1, sequence))
        script.setdefault(at, []).extend(_random_requests(random, n, _time_before(blocks, at)))
    return Scene(blocks, script)


def _random_block(random: np.random.Generator, now_ns: int) -> MarketBlock:
    rows = int(random.integers(1, 25))
    instruments = random.integers(0, 2, rows)
    sizes = random.choice([0, 3, 19, 25, 60, 150, 1_000], rows)
    if random.integers(0, 2):
        times = now_ns + np.cumsum(random.integers(-MINUTE // 2, 2 * MINUTE, rows))
        return Trades.of(time_ns=times, instrument=instruments, price=random.integers(16, 27, rows) / 2, size=sizes)
    prices = np.sort(random.integers(16, 27, (rows, 4)), axis=1) / 2
    flip = random.integers(0, 2, rows).astype(bool)
    open_ns = now_ns + MINUTE * (np.arange(rows) // 2)
    return Bars.of(
        open_ns=open_ns, close_ns=open_ns + MINUTE, instrument=instruments, volume=sizes,
        open=np.where(flip, prices[:, 1], prices[:, 2]), close=np.where(flip, prices[:, 2], prices[:, 1]),
        high=prices[:, 3], low=prices[:, 0], timeframe=0,
    )  # fmt: skip


def _random_closed(random: np.random.Generator, sequence: int, rows: int, now_ns: int) -> Bars:
    count = int(random.integers(0, 6))
    return Bars.of(
        release=np.sort(random.integers(sequence, sequence + rows, count)),
        close_ns=now_ns + np.arange(count), instrument=random.integers(0, 2, count),
        timeframe=random.integers(0, 2, count), close=random.integers(16, 27, count) / 2,
        swing_low=np.where(random.integers(0, 2, count) > 0, np.nan, 9.0),
    )  # fmt: skip


def _time_before(blocks: list[MarketBlock], number: int) -> int:
    """Line time before row `number`: what a decision there would carry."""
    times = [START_NS]
    for block in blocks:
        assert block.line_ns is not None
        times += [int(time_ns) for k, time_ns in enumerate(block.line_ns) if block.sequence + k < number]
    return max(times)


def _random_requests(random: np.random.Generator, n: int, decision_ns: int) -> list[object]:
    """A bracket in a group of its own, and a watch."""
    symbol, group = SYMBOLS[int(random.integers(2))], f"g{n}"
    long = bool(random.integers(0, 2))
    sides = (Side.BUY, Side.SELL) if long else (Side.SELL, Side.BUY)
    price, low, high = (random.integers(first, last) / 2 for first, last in ((16, 27), (16, 20), (22, 26)))
    worse, better = (low, high) if long else (high, low)
    shared: dict[str, object] = {"symbol": symbol, "group": group, "decision_ns": decision_ns}
    ends = {"expires_ns": decision_ns + int(random.integers(0, 9)) * MINUTE} if random.integers(0, 2) else {}
    exits: dict[str, object] = shared | {"side": sides[1], "parent": f"{group}/ENTRY"}
    kind = list(OrderKind)[int(random.integers(4))]
    quantity = int(random.integers(1, 40))
    asked: list[object] = [
        entry(kind, order_id=f"{group}/ENTRY", side=sides[0], quantity=quantity, limit_price=price,
              stop_price=price, **(shared | ends)),
        stop(worse, order_id=f"{group}/STOP1", quantity=quantity, **exits),
        target(better, order_id=f"{group}/TARGET1", quantity=(quantity + 1) // 2, **exits),
    ]  # fmt: skip
    if quantity > 1:
        asked.append(target(better, order_id=f"{group}/TARGET2", quantity=quantity // 2, **exits))
    watched = WATCHED[int(random.integers(len(WATCHED)))]
    asked.append(watch(watched, price, f"w{n}", symbol=symbol, decision_ns=decision_ns))
    asked.append(watch(WatchKind.EQUITY_BELOW, 100_000 - float(random.integers(0, 30)), f"e{n}", symbol=""))
    asked.append(watch(WatchKind.LINE_TIME, name=f"t{n}", symbol="", time_ns=decision_ns + MINUTE * n))
    return asked


@dataclass
class Player:
    """The rest of the line: answers facts by fixed rules, and remembers on which row each came."""

    row: tuple[object, ...] = ()
    orders: dict[str, Order] = field(default_factory=dict)
    came: list[tuple[tuple[object, ...], Message]] = field(default_factory=list)

    def __call__(self, market: Market, item: Item) -> None:
        if isinstance(item, MarketBlock):
            if len(item):
                self.row = _last_row(item)
            return
        self.came.append((self.row, item))
        if isinstance(item, Fill) and item.role is Role.ENTRY:
            self._answer(market, item)
        elif isinstance(item, Watched) and item.kind in WATCHED:
            name = f"{item.watch_id}'"
            again = watch(item.kind, item.price, name, symbol=item.symbol, decision_ns=item.time_ns)
            market.submit(again)
            group = f"g{name}"
            one = entry(order_id=f"{group}/ENTRY", group=group, symbol=item.symbol, decision_ns=item.time_ns)
            market.submit(one)
            market.submit(
                stop(8.5, order_id=f"{group}/STOP1", group=group, symbol=item.symbol, parent=f"{group}/ENTRY")
            )

    def _answer(self, market: Market, fill: Fill) -> None:
        """By the size of the fill: move the stop, leave, or take the entry back."""
        group = fill.group
        exits: dict[str, object] = {
            "group": group, "symbol": fill.symbol, "decision_ns": fill.time_ns, "quantity": int(fill.quantity),
            "side": Side.SELL if fill.side is Side.BUY else Side.BUY, "parent": f"{group}/ENTRY",
        }  # fmt: skip
        choice = int(fill.quantity) % 4
        if choice == 0:
            moved = stop(10, order_id=f"{group}/STOP2", replaces=f"{group}/STOP1", **exits)
            market.submit(moved)
        elif choice == 1:
            market.submit(leave(order_id=f"{group}/EXIT{fill.execution_id[-1]}", **exits))
        elif choice == 2:
            one = cancel(decision_ns=fill.time_ns)
            market.submit(type(one)(f"{group}/ENTRY", fill.symbol, fill.time_ns, "asked"))


def _last_row(block: MarketBlock) -> tuple[object, ...]:
    """(sequence, is a bar, open or time, instrument, size) of a piece's last row."""
    last = len(block) - 1
    number = block.sequence + last
    if isinstance(block, Bars):
        size = float(block.volume[last])
        return number, True, int(block.open_ns[last]), int(block.instrument[last]), size
    assert isinstance(block, Trades)
    return number, False, int(block.time_ns[last]), int(block.instrument[last]), float(block.size[last])


def market_of_two(data: bytes | None = None) -> Market:
    market = Market(TWO, TIMEFRAMES, PaperBook(TWO, SHARE), lateness_ns=7)
    if data is not None:
        market.restore(data)
    return market


def play(scene: Scene, chunk: int) -> tuple[Player, Market]:
    player, market = Player(), market_of_two()
    run(market, scene.stream(chunk), player)
    return player, market


def without_names_of_pieces(player: Player) -> list[str]:
    return [repr(message) for _, message in player.came]


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_chunking_never_changes_what_is_said(scene: Scene) -> None:
    whole, market = play(scene, 10_000)

    for chunk in (1, 7):
        player, other = play(scene, chunk)
        assert without_names_of_pieces(player) == without_names_of_pieces(whole)
        assert other.snapshot() == market.snapshot()


@given(scenes(), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_a_market_that_is_restored_again_and_again_says_the_same(scene: Scene, seed: int) -> None:
    random = np.random.default_rng(seed)
    straight, broken = Player(), Player()
    one, other = market_of_two(), market_of_two()
    run(one, scene.stream(5), straight)

    run(other, [], broken)
    for part in scene.stream(5):
        if random.integers(0, 2):
            other = market_of_two(other.snapshot())
        _push(other, part, broken)

    assert without_names_of_pieces(broken) == without_names_of_pieces(straight)
    assert other.snapshot() == one.snapshot()


def _push(market: Market, part: tuple[Item, list[object]], player: Player) -> None:
    item, requests = part
    for out in market.process(item):
        if out is item:
            for request in requests:
                market.submit(request)  # type: ignore[arg-type]
        player(market, out)


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_the_laws_of_the_book_hold(scene: Scene) -> None:
    player, market = play(scene, 10_000)
    fills = [(place, fact) for place, fact in player.came if isinstance(fact, Fill)]

    exits_never_exceed_entries([fact for _, fact in fills])
    rows_are_shared(fills)
    no_more_than_the_share_is_taken(fills, offers(scene))
    nothing_leaves_a_terminal_state([fact for _, fact in player.came])
    orders = {order.order_id: order for asked in scene.script.values() for order in asked if isinstance(order, Order)}
    for place, fact in fills:
        if fact.order_id in orders:
            limits_hold(orders[fact.order_id], fact)
            nothing_fills_before_its_time(orders[fact.order_id], place)
    assert isinstance(market.equity, float)


def exits_never_exceed_entries(fills: list[Fill]) -> None:
    open_: dict[str, Decimal] = {}
    for fact in fills:
        signed = fact.quantity if fact.role is Role.ENTRY else -fact.quantity
        open_[fact.group] = open_.get(fact.group, Decimal(0)) + signed
        assert open_[fact.group] >= 0, fact


def rows_are_shared(fills: list[tuple[tuple[object, ...], Fill]]) -> None:
    taken: dict[tuple[object, ...], Decimal] = {}
    for place, fact in fills:
        taken[place] = taken.get(place, Decimal(0)) + fact.quantity
        assert fact.symbol == SYMBOLS[int(str(place[3]))]
    for place, quantity in taken.items():
        assert quantity <= floor(float(str(place[4]))), place


def offers(scene: Scene) -> dict[str, list[tuple[int, float]]]:
    """(row number, size) of the rows on which each symbol matches."""
    found: dict[str, list[tuple[int, float]]] = {symbol: [] for symbol in SYMBOLS}
    for block in scene.blocks:
        symbol, sizes = (SYMBOLS[0], block.volume) if isinstance(block, Bars) else (SYMBOLS[1], block.size)  # type: ignore[attr-defined]
        for k in np.flatnonzero(block.instrument == SYMBOLS.index(symbol)):
            found[symbol].append((block.sequence + int(k), float(sizes[k])))
    return found


def no_more_than_the_share_is_taken(
    fills: list[tuple[tuple[object, ...], Fill]], offered: dict[str, list[tuple[int, float]]]
) -> None:
    """At any row all orders of a symbol together have had at most a twentieth of its rows so far."""
    taken = dict.fromkeys(SYMBOLS, 0)
    for place, fact in fills:
        taken[fact.symbol] += int(fact.quantity)
        rows = [floor(size) for number, size in offered[fact.symbol] if number <= int(str(place[0]))]
        assert taken[fact.symbol] * 20 <= sum(rows), place


def nothing_leaves_a_terminal_state(facts: list[Message]) -> None:
    ended: set[str] = set()
    for fact in facts:
        if isinstance(fact, Accepted | Fill | Cancelled | Expired):
            assert fact.order_id not in ended, fact
        done = isinstance(fact, Cancelled | Expired | Rejected) or (isinstance(fact, Fill) and not fact.remaining)
        if done and getattr(fact, "code", "") != "DUPLICATE_ID":
            ended.add(fact.order_id)


def limits_hold(order: Order, fact: Fill) -> None:
    if order.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT):
        worse = fact.price > order.limit_price if order.side is Side.BUY else fact.price < order.limit_price
        assert not worse, fact


def nothing_fills_before_its_time(order: Order, place: tuple[object, ...]) -> None:
    _, is_bar, time_ns, _, _ = place
    if is_bar:
        assert int(str(time_ns)) >= order.decision_ns
    else:
        assert int(str(time_ns)) > order.decision_ns + SHARE.latency_ns


def test_the_scenes_are_lively() -> None:
    """The laws above would hold in an empty market too: count what their scenes contain."""
    seen: dict[str, int] = {}
    random = np.random.default_rng(5)
    for _ in range(130):
        blocks, sequence, now_ns = [], 1, START_NS
        for _ in range(3):
            block = _random_block(random, now_ns)
            block = lined(block, sequence=sequence, closed=_random_closed(random, sequence, len(block), now_ns))
            now_ns = int(block.row_ns.max())
            blocks.append(block)
            sequence += len(block) + 1
        script = {1 + n: _random_requests(random, n, START_NS) for n in range(2)}
        player, _ = play(Scene(blocks, script), 7)
        for _, fact in player.came:
            name = f"{type(fact).__name__} {getattr(fact, 'role', '') or getattr(fact, 'reason', '')}"
            seen[name.strip()] = seen.get(name.strip(), 0) + 1

    for name in ("Fill ENTRY", "Fill STOP", "Fill TARGET", "Fill EXIT", "Expired", "Watched"):
        assert seen.get(name, 0) >= 10, seen
    for reason in ("flat", "parent", "replaced", "asked"):
        assert seen.get(f"Cancelled {reason}", 0) >= 10, seen
