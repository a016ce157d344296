"""The protocols an outsider implements: stage, feed, strategy, risk rule, order desk, tape.

A venue, a strategy or a risk rule is one new file that satisfies one of these; the contract
tests list the folder and judge it.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from engine.blocks import Bars, MarketBlock
from engine.messages import (
    CampaignChange,
    CancelRequest,
    Event,
    ExecutionFact,
    Instrument,
    Intent,
    Leg,
    Message,
    Order,
    OrderKind,
    Phase,
    Request,
    StrategyMark,
)

Item = Message | MarketBlock
"""Anything that moves on the line."""


class Stage(Protocol):
    """A deterministic synchronous object: no await, clock, I/O, randomness or logging.

    `process` may be lazy: the caller hands each output all the way down before it asks for the
    next. `restore(snapshot())` on a fresh stage gives a stage that goes on identically.
    """

    def process(self, message: Item) -> Iterable[Item]: ...

    def snapshot(self) -> bytes: ...

    def restore(self, data: bytes) -> None: ...


class Desk(Protocol):
    """Where the router leaves what `Market` shall act on: the line's one back edge.

    `submit` only appends; it is read when `Market` is next resumed. Of a campaign it is told the first
    step and the last: where one lives, more of what becomes known may lead to a wish.
    """

    def submit(self, request: Order | CancelRequest | Request | CampaignChange) -> None: ...


class MarketRow(msgspec.Struct, frozen=True, gc=False):
    """One row on an instrument's match_on, as a book sees it. A trade is a bar of one price.

    `time_ns` is when the row is over (a trade's time, a bar's close); `size` is its volume.
    """

    instrument: int
    is_bar: bool
    open_ns: int
    time_ns: int
    open: float
    high: float
    low: float
    close: float
    size: float


class Book(Protocol):
    """A simulated venue: what `Market` asks while it walks over the rows.

    Each call returns the execution facts it causes, in order. `mark` is the instrument's last
    price, NaN before its first.
    """

    @property
    def due_ns(self) -> int:
        """The earliest expiry among working orders, FOREVER_NS without one."""
        ...

    def submit(self, order: Order, *, now_ns: int, mark: float) -> list[ExecutionFact]: ...

    def cancel(self, request: CancelRequest, *, now_ns: int) -> list[ExecutionFact]: ...

    def match(self, row: MarketRow) -> list[ExecutionFact]: ...

    def due(self, line_ns: int) -> list[tuple[int, str]]:
        """(expires_ns, order_id) of the orders that `line_ns` ends, earliest first."""
        ...

    def expire(self, order_id: str) -> list[ExecutionFact]:
        """Ends an order that was due; nothing when it has ended since."""
        ...

    def triggers(self, instrument: int) -> tuple[float, float]:
        """`match` may do something on a row whose high is >= the first or low <= the second."""
        ...

    def snapshot(self) -> bytes: ...

    def restore(self, data: bytes) -> None: ...


class Recorder(Protocol):
    """Takes every numbered fact, in order, to be kept. May block when its queue is full."""

    def append(self, fact: Item) -> None: ...


class Feed(Protocol):
    """A source of facts whose rows prove their own time: files and recorded sessions.

    `symbols` must be known before the first fact, so that instrument numbers come from the
    sorted symbol table. `facts` yields market blocks (rows unnumbered, `sequence` 0, feed and
    instrument columns filled from the arguments) and ends with one EndOfFeed.
    """

    name: str

    @property
    def symbols(self) -> tuple[str, ...]: ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows read, and rows dropped by reason; final once `facts` is exhausted."""
        ...

    def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]: ...


class Moment(msgspec.Struct, frozen=True):
    """What a strategy may look at: one detection, and the campaign it belongs to.

    `taken` holds the legs that have fills, `asked` those with a live intent; `phase` is the
    detector's current phase of this (symbol, timeframe), `confidence` 0..100. `spring_low` is
    the low of the campaign's last SPRING, `spring_volume_ratio` the volume of that bar, NaN before
    one. `atr_rank` and `volume_rank` are the share of the last 250 bars, 0..100, in which ATR as a part of price,
    and volume ratio, were lower than at the event; NaN before there are so many.
    """

    decision_ns: int
    instrument: Instrument
    event: Event | None
    mark: StrategyMark | None
    phase: Phase
    confidence: float
    taken: tuple[Leg, ...]
    asked: tuple[Leg, ...]
    spring_low: float = float("nan")
    spring_volume_ratio: float = float("nan")
    atr_rank: float = float("nan")
    volume_rank: float = float("nan")


class Decline(msgspec.Struct, frozen=True):
    """Why a strategy does not want an event it trades: a gate, what it measured, its limit.

    `stage` says which part of the strategy's pipeline it was, "" where it has none.
    """

    code: str
    value: float
    limit: float
    stage: str = ""


class Proposal(msgspec.Struct, frozen=True):
    """An entry a strategy would like; the manager decides on budget, the gate on risk.

    Prices are real prices. `trigger` is NaN for an entry at the next row; `worst` is the price
    beyond which it must not fill; `stop` is the initial protective stop; targets are three,
    nearest first. `valid_bars` bounds how long the entry may work. `cautions` speak against it
    without refusing it, or say which limit it passed by little.
    """

    leg: Leg
    kind: OrderKind
    trigger: float
    worst: float
    stop: float
    targets: tuple[float, float, float]
    score: float
    valid_bars: int
    reason: str
    cautions: tuple[Decline, ...] = ()


class Strategy(Protocol):
    """Pure and stateless: the same moment always gives the same proposals."""

    name: str

    def marks(self, bars: Bars) -> npt.NDArray[np.bool_]:
        """(n,) bool: bars at which this strategy wants a moment of its own.

        `bars` are the detector's decorated bars; only past columns may be read for row i.
        """
        ...

    def propose(self, moment: Moment) -> Iterable[Proposal | Decline]:
        """Entries it would like; for an event of a kind it trades, else the gate that failed."""
        ...


class Exposure(msgspec.Struct, frozen=True):
    """The portfolio as a rule sees it, without the entry in question. Risks in 1e-8 units.

    `campaign_risk` includes the campaign's realised loss. `unmarked` names the first symbol whose
    missing mark makes equity unknown ("" = all known; else `equity` is 0). `group_live` says that
    the entry's group already works or holds something; `symbol_entries` and `entries` count
    working entry orders. `day_start` is equity at the beginning of the day, `peak` its highest so
    far (0: not known); `stopped` are the codes of loss halts that hold. `unhealthy` names the first
    measurement of the shell beyond its limit, "" where all are well.
    """

    equity: int
    open_risk: int
    working_risk: int
    campaign_risk: int
    halted: str
    stale: bool
    unmarked: str = ""
    group_live: bool = False
    symbol_entries: int = 0
    entries: int = 0
    currency: str = ""
    day_start: int = 0
    peak: int = 0
    stopped: tuple[str, ...] = ()
    unhealthy: str = ""
    health_value: float = 0.0
    health_limit: float = 0.0


class Assessment(msgspec.Struct, frozen=True):
    """One sized entry in front of the rules. `new_risk` in 1e-8 account units, rounded up."""

    intent: Intent
    instrument: Instrument
    quantity: Decimal
    unit_risk: Decimal
    new_risk: int
    notional: Decimal
    mark: Decimal
    exposure: Exposure


class Finding(msgspec.Struct, frozen=True):
    """A rule's refusal: its code, what it measured and its limit, in the rule's own unit."""

    code: str
    value: Decimal
    limit: Decimal


class RiskRule(Protocol):
    """One control. Judges one entry; None passes. Pure: all it reads is in the assessment."""

    code: str
    stage: str

    def judge(self, assessment: Assessment) -> Finding | None: ...
