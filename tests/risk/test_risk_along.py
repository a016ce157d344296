"""Along a block the gate says what it says when it looks at every point by itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from engine.blocks import MarketBlock, Trades
from engine.instruments import MATCH_ON_BARS, MATCH_ON_TRADES, InstrumentTable
from engine.messages import (
    AccountState,
    ExternalOrder,
    HaltChange,
    HeatState,
    Message,
    Side,
    encode,
)
from engine.ports import Item
from engine.risk import along, gate, heat
from engine.risk.gate import RiskGate
from engine.risk.losses import LossHalts, Quiet
from engine.sightings import Columns, Shown, Sightings, by_point, spread
from engine.timeframes import LENGTH_NS
from tests.makers import START_NS, bars, instrument, session, trades
from tests.risk.facts import accepted, enter, fill, settings, tell

SYMBOLS = ("AAA", "BBB", "CCC")
HOUR_NS = LENGTH_NS["1h"]


class AtEachPoint(RiskGate):
    """The slow form: cuts the block at every point and looks there."""

    def _along(self, block: MarketBlock) -> Iterator[Item]:
        for piece in by_point(block):
            self.portfolio.marks.fold(piece)
            yield piece
            if piece.known is not None:
                decision_ns = piece.known.decision_ns
                yield from self._look(decision_ns)
                yield from self._heat_change(decision_ns)


class Nothing:
    """A writer of points that tell nothing."""

    names = ()

    def write(self, records: object) -> list[Message]:
        return []

    def write_one(self, record: int) -> Message:
        raise NotImplementedError


def pointed(block: MarketBlock, points: Iterable[tuple[int, int]]) -> MarketBlock:
    """The block with points: (rows before it, decision_ns)."""
    rows, times = (np.array(column, np.int64) for column in zip(*points, strict=True))
    count = len(rows)
    nothing = np.zeros(count + 1, np.int64)
    phases: tuple[Shown, ...] = ()
    columns = Columns(
        times, times, rows, np.zeros(count, np.int64), nothing, nothing, np.zeros(0, np.int8), np.zeros(0, np.int32),
        np.zeros(0, np.int16), np.zeros(0, np.int64), phases, SYMBOLS, 0, "", Nothing(),  # type: ignore[arg-type]
    )  # fmt: skip
    block.known = Sightings(columns, 0, count)
    return block


# ------------------------------------------------------------------------- any book, any market


@dataclass
class Script:
    """Facts and blocks with points, in the order in which a gate sees them."""

    items: list[Item]
    limits: dict[str, int]
    match_on: str

    def run(self, kind: type[RiskGate], chunk: int | None = None) -> tuple[list[tuple[int, bytes]], bytes]:
        """What was said, each with the rows before it, and the state at the end."""
        table = InstrumentTable([instrument(name, match_on=self.match_on) for name in SYMBOLS])
        stage = kind(settings(**self.limits), table)
        said: list[tuple[int, bytes]] = []
        rows = 0
        for item in self.items:
            for piece in pieces(item, chunk):
                for output in (part for one in stage.process(piece) for part in spread(one)):
                    if isinstance(output, MarketBlock):
                        rows += len(output)
                    else:
                        said.append((rows, encode(output)))
        return said, stage.snapshot()


def pieces(item: Item, chunk: int | None) -> Iterator[Item]:
    """A block as Market gives it that cuts behind every `chunk`th point."""
    known = item.known if isinstance(item, MarketBlock) else None
    if not isinstance(item, MarketBlock) or known is None or chunk is None:
        yield item
        return
    rows = 0
    for first in range(0, len(known), chunk):
        stop = min(first + chunk, len(known))
        upto = int(known.columns.rows[stop - 1])
        piece = item.piece((rows, upto), (0, 0))
        piece.known = known.window(first, stop)
        rows = upto
        yield piece
    yield item.piece((rows, len(item)), (0, 0))


PRICES = (60.0, 80.0, 97.0, 99.5, 100.0, 100.0, 100.01, 101.0, 104.0, 120.0, 0.1 + 0.2)
LIMITS: tuple[dict[str, int], ...] = (
    {}, {"daily_loss_bp": 1, "drawdown_bp": 2}, {"daily_loss_bp": 100},
    {"heat_warning_bp": 50, "heat_critical_bp": 60, "heat_limit_bp": 300},
)  # fmt: skip


def script_of(seed: int) -> Script:
    """Any book in any market; by a generator of its own, for there is much to draw."""
    draw = Random(seed)
    match_on = draw.choice((MATCH_ON_BARS, MATCH_ON_TRADES))
    items: list[Item] = [session(*SYMBOLS, cash=Decimal(100_000))]
    now_ns = START_NS
    if draw.random() < 0.8:
        items += [priced(match_on, [(number, 100.0)], now_ns) for number in range(len(SYMBOLS))]
    for step in range(draw.randint(1, 6)):
        items += happenings(draw, step, now_ns)
        closes = [(draw.randrange(3), draw.choice(PRICES)) for _ in range(draw.randint(1, 20))]
        block = priced(match_on, closes, now_ns)
        points = []
        for rows in sorted(draw.randint(0, len(closes)) for _ in range(draw.randint(1, 15))):
            now_ns += draw.choice((0, HOUR_NS, HOUR_NS, 5 * HOUR_NS, 40 * HOUR_NS))
            points.append((rows, now_ns))
        items.append(pointed(block, points))
    return Script(items, draw.choice(LIMITS), match_on)


def happenings(draw: Random, step: int, now_ns: int) -> list[Item]:
    """What changes the books before a block."""
    symbol = draw.choice(SYMBOLS)
    group = f"{symbol}-2020-01-0{step + 1}/SPRING/1"
    direction = draw.choice((1, -1))
    sides = (Side.BUY, Side.SELL)[::direction]
    match draw.randint(0, 5):
        case 0 | 1:
            prices = {f"target_{n}": 100 + n * direction for n in (1, 2, 3)}
            wish = enter(group, direction=direction, stop_price=100 - 10 * direction, decision_ns=now_ns, **prices)
            filled = fill(quantity=draw.randint(1, 90), price=100, group=group, side=sides[0], remaining=9)
            return [wish, filled, accepted("STOP1", group)][: draw.choice((2, 3))]
        case 2 | 3:
            quantity = draw.choice((1, 50, 800, Decimal("0.123456789")))
            bought = fill(quantity=quantity, price=100, group=group, side=sides[0])
            sold = fill("EXIT1", quantity, 101, group=group, side=sides[1], execution_id="2")
            return [bought, sold][: draw.choice((1, 1, 2))]
        case 4:
            cash = Decimal(draw.randint(4_950_000, 5_600_000)) / 100
            return [AccountState(now_ns, cash, cash + draw.randint(-99, 99), "USD")]
        case _:
            price = draw.choice((Decimal(0), Decimal(100)))
            return [ExternalOrder(now_ns, "x", symbol, Side.BUY, Decimal(draw.randint(0, 30)), price)]


def priced(match_on: str, closes: list[tuple[int, float]], time_ns: int) -> MarketBlock:
    numbers, prices = (list(column) for column in zip(*closes, strict=True))
    if match_on == MATCH_ON_TRADES:
        block: MarketBlock = trades(*prices, instrument=numbers, time_ns=time_ns)
    else:
        block = bars(*[(price,) * 4 for price in prices], instrument=numbers, close_ns=time_ns, open_ns=time_ns - 1)
    return block.derive(line_ns=np.full(len(closes), time_ns, np.int64), line_time_ns=time_ns)


@examples(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_any_book_in_any_market_is_looked_at_as_if_at_each_point(seed: int, chunk: int) -> None:
    script = script_of(seed)
    expected = script.run(AtEachPoint)

    assert script.run(RiskGate) == expected
    assert script.run(RiskGate, chunk) == expected


def test_a_block_is_cut_only_where_something_is_said() -> None:
    stage = gate_with_shares(500)
    quiet = pointed(priced(MATCH_ON_BARS, [(0, 100.0), (0, 99.9), (0, 99.8)], START_NS), every_row(3))
    loud = pointed(priced(MATCH_ON_BARS, [(0, 99.9), (0, 80.0), (0, 99.9)], START_NS), every_row(3))

    assert tell(stage, quiet) == [quiet]
    outputs = tell(stage, loud)
    assert [len(one) for one in outputs if isinstance(one, MarketBlock)] == [2, 1]
    assert any(isinstance(one, HaltChange) for one in outputs)


def test_the_peak_of_equity_is_that_of_all_points() -> None:
    stage = gate_with_shares(100)
    prices = [(0, 100.0 + rise) for rise in (1, 2, 3.0000001, 3, 1)]

    tell(stage, pointed(priced(MATCH_ON_BARS, prices, START_NS), every_row(5)))

    assert stage._losses.state.peak == 100_000 * 10**8 + round(100 * 3.0000001 * 10**8)
    assert stage._losses.state.equity == 100_100 * 10**8


def test_a_new_day_begins_with_the_equity_of_the_point_before_it() -> None:
    stage = gate_with_shares(100)
    points = [(1, START_NS + 1), (2, START_NS + 2), (3, START_NS + 30 * HOUR_NS), (4, START_NS + 31 * HOUR_NS)]

    tell(stage, pointed(priced(MATCH_ON_BARS, [(0, 100.0), (0, 99.5), (0, 99.0), (0, 99.2)], START_NS), points))

    assert stage._losses.state.day_start == 99_950 * 10**8


def test_prices_of_trades_too_and_of_nobodys_quotes() -> None:
    table = InstrumentTable([instrument("AAA", match_on=MATCH_ON_TRADES)])
    stage = RiskGate(settings(), table)
    tell(stage, session("AAA", cash=Decimal(100_000)), trades(100.0), fill(quantity=500))

    tell(stage, pointed(Trades.join([priced(MATCH_ON_TRADES, [(0, 80.0)], START_NS)]), every_row(1)))  # type: ignore[list-item]

    assert list(stage._losses.state.stopped) == ["DAILY_LOSS"]


def gate_with_shares(quantity: int) -> RiskGate:
    """Holds AAA at 100 with 100,000 in all; a look at that has been taken."""
    stage = RiskGate(settings(), InstrumentTable([instrument("AAA", match_on=MATCH_ON_BARS)]))
    tell(stage, session("AAA", cash=Decimal(100_000)), priced(MATCH_ON_BARS, [(0, 100.0)], START_NS))
    tell(stage, enter(stop_price=99, limit_price=100), accepted("STOP1"), fill(quantity=quantity))
    return stage


def every_row(rows: int) -> list[tuple[int, int]]:
    return [(row, START_NS + row) for row in range(1, rows + 1)]


# ----------------------------------------------------------------------------- ranges of quiet


@pytest.mark.parametrize("risk", [0, 1, 12_345, 10**12])
@pytest.mark.parametrize("state", HeatState)
def test_heat_stays_in_its_state_exactly_within_the_span(state: HeatState, risk: int) -> None:
    limits = settings()
    low, high = heat.span(state, risk, limits)

    for edge in (low, high):
        if abs(edge) != float("inf"):
            for equity in (int(edge), int(edge) + 1):
                assert (heat.heat_state(risk, equity, limits) is state) == (low < equity <= high)


@given(
    st.integers(1, 10**13), st.integers(1, 10**13), st.integers(-(10**13), 2 * 10**13), st.booleans(),
    st.sampled_from(((), ("DRAWDOWN",), ("DAILY_LOSS",))),
)  # fmt: skip
def test_a_look_within_the_range_of_quiet_says_nothing(
    day_start: int, peak: int, equity: int, holding: bool, stopped: tuple[str, ...]
) -> None:
    losses = LossHalts(settings())
    losses.start(START_NS, day_start)
    losses.state.peak = max(peak, day_start)
    losses.state.stopped = dict.fromkeys(stopped, START_NS)
    list(losses.look(START_NS, losses.state.peak, holding=holding))
    low, high, until_ns = losses.quiet(holding=holding)

    said = losses.look(START_NS, equity, holding=holding)

    assert until_ns > START_NS
    assert bool(said) <= (not low < equity <= high)
    assert (losses.state.peak == high) == (equity <= high)


def _blind(*_: object) -> bool:
    return True


MUTANTS: dict[str, list[tuple[object, str, object]]] = {
    "equity": [(along, "seek", along.seek.py_func), (along, "is_quiet", _blind)],  # type: ignore[attr-defined]
    "heat": [(gate, "span", lambda *_: (-np.inf, np.inf))],
    "losses": [(LossHalts, "quiet", lambda self, holding: Quiet(-np.inf, np.inf, 2**62))],
    "new days": [(LossHalts, "quiet", lambda self, holding: _later(QUIET(self, holding=holding)))],
    "open prices": [(gate.Portfolio, "has_open_prices", False)],
    "rows behind the last point": [(along.Along, "_fold", lambda self, row: None)],
}
QUIET = LossHalts.quiet


def _later(quiet: Quiet) -> Quiet:
    return quiet._replace(until_ns=2**62)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_gate_that_is_blind_to_something_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, attribute, value in MUTANTS[name]:
        monkeypatch.setattr(owner, attribute, value)

    scripts = map(script_of, range(400))
    assert any(script.run(RiskGate) != script.run(AtEachPoint) for script in scripts)
