"""What must hold of everything that leaves a line, and a strategy that gives the line much to do.

`check` reads only messages and the market that caused them; it knows no stage.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Context, Decimal
from itertools import pairwise
from math import isfinite

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from engine import app
from engine.blocks import Bars, MarketBlock
from engine.config import Config
from engine.instruments import ASSET_CLASSES
from engine.messages import (
    Action,
    Approved,
    Detections,
    Fill,
    Intent,
    Leg,
    Message,
    Order,
    OrderKind,
    Receipt,
    Refused,
    Role,
)
from engine.ports import Item, Moment, Proposal
from engine.timeframes import TIMEFRAMES
from tests.lines import SHIPPED, Decided, Recorded, config, decide, line

LEGS = tuple(Leg)
CHUNKS = (1, 7, 4096, 0)
EXACT = Context(prec=60)


class Busy:
    """Wants an entry at one bar in `every`, of any leg, kind and width: a function of the bar only."""

    name = "busy"

    def __init__(self, every: int = 7, reach: float = 0.01) -> None:
        self.every = every
        self.reach = reach

    def marks(self, bars: Bars) -> npt.NDArray[np.bool_]:
        minutes = bars.open_ns // 60_000_000_000
        marked: npt.NDArray[np.bool_] = (minutes * 31 + bars.instrument * 17) % self.every == 0
        return marked

    def propose(self, moment: Moment) -> Iterable[Proposal]:
        mark = moment.mark
        if mark is None:
            return
        draw = mark.open_ns // 60_000_000_000 + sum(map(ord, mark.symbol))
        width = max(abs(mark.close) * self.reach, 2 * float(moment.instrument.tick))
        stopped = draw % 3 == 0
        trigger = mark.close + 0.2 * width if stopped else float("nan")
        first = mark.close + 1.5 * width
        yield Proposal(
            leg=LEGS[draw % 5 % 3],
            kind=OrderKind.STOP_LIMIT if stopped else OrderKind.LIMIT,
            trigger=trigger,
            worst=mark.close + 0.6 * width,
            stop=mark.close - width * (1 + draw % 4),
            targets=(first, first + width, first + 2 * width),
            score=75.0 + draw % 20,
            valid_bars=1 + draw % 4,
            reason="busy",
        )


def busy_line(monkeypatch: pytest.MonkeyPatch, every: int = 7, reach: float = 0.01) -> None:
    """From now on every line that is built runs `Busy` in place of the strategies configured."""
    monkeypatch.setattr(app, "strategy", lambda name, settings: Busy(every, reach))


def patient(**tables: dict[str, object]) -> Config:
    """Time stops out of the way: they count the bars that have closed when line time is heard of."""
    never = {"time_stop_bars": dict.fromkeys(TIMEFRAMES, 9_999), "cooldown_days": dict.fromkeys(ASSET_CLASSES, 0)}
    return config(campaigns=never, **tables)


def unhalted() -> Config:
    """No loss stops entries: for laws about everything else on accounts that lose at once."""
    rules = [one for one in SHIPPED["risk"]["rules"] if one not in ("daily_loss", "drawdown")]
    return config(campaigns={"cooldown_days": dict.fromkeys(ASSET_CLASSES, 0)}, risk={"rules": rules})


def cut_at(block: MarketBlock, *cuts: int) -> tuple[MarketBlock, ...]:
    """The block in parts without numbers of their own."""
    borders = [0, *sorted({min(cut, len(block)) for cut in cuts}), len(block)]
    parts = [block.slice(start, stop) for start, stop in pairwise(borders)]
    return tuple(replace(part, sequence=0) for part in parts)


def one_digest(market: Recorded, settings: Config | None = None, chunks: Iterable[int] = CHUNKS) -> Decided:
    """The decisions of this market, which no chunking may change."""
    plain = decide(market, built=line(market, settings))
    for chunk in chunks:
        other = decide(market, chunk, line(market, settings))
        assert other.decisions == plain.decisions
        assert other.digest == plain.digest
    return plain


def of(decided: Decided, kind: type) -> list:  # type: ignore[type-arg]
    return [one for one in decided.left if isinstance(one, kind)]


# ------------------------------------------------------------------------------- the laws


def check(decided: Decided, market: Recorded) -> None:
    numbers_are_numbers(decided.decisions)
    for order in of(decided, Order):
        instrument = market.table.named(order.symbol)
        assert not EXACT.remainder(order.quantity, instrument.lot)
        assert order.quantity > 0
        assert not EXACT.remainder(order.limit_price, instrument.tick)
        assert not EXACT.remainder(order.stop_price, instrument.tick)
    for verdict in of(decided, Approved):
        if verdict.intent.action is Action.ENTER:
            assert adds_up(verdict.receipt)
    brackets_are_bounded(decided)
    decided_before_done(decided)
    verdicts_follow(decided.left)


def numbers_are_numbers(decisions: Iterable[Message]) -> None:
    for one in decisions:
        for value in flat(one):
            if isinstance(value, float):
                assert isfinite(value), one
            if isinstance(value, Decimal):
                assert value.is_finite(), one


def flat(message: Message) -> Iterable[object]:
    for value in msgspec.structs.astuple(message):
        if isinstance(value, msgspec.Struct):
            yield from flat(value)  # type: ignore[arg-type]
        else:
            yield value


def adds_up(receipt: Receipt) -> bool:
    projected = receipt.open_risk + receipt.working_risk + receipt.new_risk
    return projected * 10_000 < receipt.equity * receipt.limit_bp and receipt.new_risk > 0


def brackets_are_bounded(decided: Decided) -> None:
    """Targets sum to at most the entry, fills of exits never exceed fills of the entry."""
    wanted: dict[str, Decimal] = {}
    planned: dict[str, Decimal] = defaultdict(Decimal)
    entered: dict[str, Decimal] = defaultdict(Decimal)
    exited: dict[str, Decimal] = defaultdict(Decimal)
    for one in decided.decisions:
        if isinstance(one, Approved) and one.intent.action is Action.ENTER:
            assert one.intent.group not in wanted
            wanted[one.intent.group] = one.quantity
        elif isinstance(one, Order):
            assert one.quantity <= wanted[one.group]
            if one.role is Role.TARGET:
                planned[one.group] += one.quantity
                assert planned[one.group] <= wanted[one.group]
        elif isinstance(one, Fill):
            (entered if one.role is Role.ENTRY else exited)[one.group] += one.quantity
            assert entered[one.group] <= wanted[one.group]
            assert exited[one.group] <= entered[one.group]


def decided_before_done(decided: Decided) -> None:
    """No execution at or before its decision, none after its order's time, no decision before its cause.

    A stop that takes another's place fills by that one's until it is at the venue itself.
    """
    orders = {one.order_id: one for one in of(decided, Order)}
    last_ns = -(2**63)
    for one in decided.left:
        if isinstance(one, Detections):
            assert last_ns <= one.decision_ns
            last_ns = one.decision_ns
        elif isinstance(one, Intent):
            assert one.decision_ns >= last_ns
        elif isinstance(one, Fill):
            order = orders[one.order_id]
            while order.replaces:
                order = orders[order.replaces]
            assert one.time_ns > order.decision_ns
            assert not order.expires_ns or one.time_ns <= order.expires_ns


def verdicts_follow(left: Iterable[Item]) -> None:
    waiting: Intent | None = None
    for one in left:
        if waiting is not None:
            assert isinstance(one, Approved | Refused)
            assert one.intent == waiting
        waiting = one if isinstance(one, Intent) else None
