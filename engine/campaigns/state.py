"""What the manager remembers: campaigns, and the brackets under each.

A bracket is one attempt at one leg: its entry order, its stop, its targets, its fills. A leg
without a bracket is idle. Everything here is written by the manager only and goes into its
snapshot as it stands.
"""

from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.campaigns.lots import ZERO, Lot
from engine.messages import CampaignState, EventKind, Leg

Key = tuple[str, str, int, int]
"""(symbol, timeframe, direction, range_start_ns): what makes two events one campaign's."""

LEGS = (Leg.SPRING, Leg.SOS, Leg.LPS)
"""In the order in which a campaign may take them."""


def in_order(legs: Collection[Leg]) -> tuple[Leg, ...]:
    """Each once, in that order."""
    return tuple([leg for leg in LEGS if leg in legs]) if legs else ()


class BracketState(StrEnum):
    """ASKED: intent sent. WORKING: the entry was accepted. OPEN: filled. DONE: nothing is left."""

    ASKED = "ASKED"
    WORKING = "WORKING"
    OPEN = "OPEN"
    DONE = "DONE"


class Bracket(msgspec.Struct):
    """`invalid_price` is the close that breaks the leg's structure (NaN: none), `closes_left`
    how many such closes it still takes. `stops` counts stop orders, `exits` exit intents.
    `entry_live` holds until the entry order can no longer fill; `cancel_cause` is why it shall be
    taken back once it is known to be at the venue ("": it shall not). `owed` is what the venue says
    its entry has filled: until that much has been heard of, the bracket is not done. `stopped`: a stop has executed.
    `lapsed`: no venue has said anything of its entry in time, so it counts as refused."""

    group: str
    leg: Leg
    expires_ns: int
    first_stop: Decimal
    stop_price: Decimal
    risk_bp: Decimal
    invalid_price: float
    closes_left: int
    lot: Lot = Lot()
    state: BracketState = BracketState.ASKED
    entry_live: bool = True
    cancelling: bool = False
    cancel_cause: str = ""
    exiting: bool = False
    exits: int = 0
    stops: int = 1
    at_breakeven: bool = False
    trailing: bool = False
    entry_bars: int = 0
    owed: Decimal = ZERO
    stopped: bool = False
    lapsed: bool = False

    @property
    def is_settled(self) -> bool:
        """Nothing is held, and all that the entry has filled has been heard of."""
        return not self.entry_live and self.lot.entered >= self.owed and self.lot.exited == self.lot.entered

    @property
    def is_live(self) -> bool:
        return self.state is not BracketState.DONE

    @property
    def is_taken(self) -> bool:
        return self.lot.entered > 0

    @property
    def is_waiting(self) -> bool:
        """Asked for or working, and nothing filled yet."""
        return self.state in (BracketState.ASKED, BracketState.WORKING)


class Campaign(msgspec.Struct):
    """`event_bars` is the bar count at the last event; `broken` the cause that ended its
    structure, or ""; `last_pattern` where it is in the sequence of patterns."""

    campaign: str
    symbol: str
    timeframe: str
    direction: int
    range_start_ns: int
    event_bars: int
    state: CampaignState = CampaignState.FORMING
    number: int = 0
    patterns: int = 0
    last_pattern: EventKind | None = None
    spring_low: float = float("nan")
    spring_volume_ratio: float = float("nan")
    broken: str = ""
    adds: bool = True
    brackets: list[Bracket] = []

    @property
    def key(self) -> Key:
        return (self.symbol, self.timeframe, self.direction, self.range_start_ns)

    @property
    def taken(self) -> tuple[Leg, ...]:
        return in_order([one.leg for one in self.brackets if one.is_taken])

    @property
    def asked(self) -> tuple[Leg, ...]:
        return in_order([one.leg for one in self.brackets if one.is_waiting])

    @property
    def is_live(self) -> bool:
        """Something works or is held."""
        return any(one.is_live for one in self.brackets)

    @property
    def holds(self) -> bool:
        return any(one.lot.open for one in self.brackets)

    @property
    def has_exited(self) -> bool:
        return any(one.lot.exited for one in self.brackets)
