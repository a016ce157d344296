"""Outside facts: the input of the line, all of them on the tape. Market rows are `engine.blocks`."""

from decimal import Decimal

from engine.messages.base import NEVER_NS, Message
from engine.messages.vocabulary import Role, Side


class SessionStart(Message, frozen=True):
    """First fact of a session. Feed, timeframe and instrument numbers index these tuples.

    `detect_on` names the timeframes on which structure is looked for. Bars wait `lateness_ns` for
    late rows. `sessions` has one line for each set of trading sessions: calendar, hours, hash.
    What is detected before `trades_from_ns` only warms up: it leads to no campaign.
    """

    time_ns: int
    mode: str
    feeds: tuple[str, ...]
    timeframes: tuple[str, ...]
    symbols: tuple[str, ...]
    cash: Decimal
    currency: str
    sequence: int = 0
    detect_on: tuple[str, ...] = ()
    lateness_ns: int = 0
    sessions: tuple[str, ...] = ()
    trades_from_ns: int = NEVER_NS


class Instrument(Message, frozen=True):
    """One tradable thing. Bounds: `tick`, `lot`, `point_value` > 0; `min_notional`, `min_quantity` >= 0.

    `calendar` names the exchange whose sessions it trades in ("" never closes), `hours` which
    part of them: regular or extended.
    """

    symbol: str
    asset_class: str
    tick: Decimal
    lot: Decimal
    point_value: Decimal
    min_notional: Decimal
    currency: str
    calendar: str
    match_on: str
    allows_negative: bool
    sequence: int = 0
    hours: str = "regular"
    min_quantity: Decimal = Decimal(0)


class Heartbeat(Message, frozen=True):
    """Proves `feed` complete to `time_ns`, inclusive."""

    time_ns: int
    feed: int
    sequence: int = 0


class EndOfFeed(Message, frozen=True):
    """Closes `feed` at `time_ns`: it no longer holds line time back."""

    time_ns: int
    feed: int
    sequence: int = 0


class FeedStatus(Message, frozen=True):
    """`status` is LIVE, STALE or RECOVERING; a feed that is not LIVE does not hold line time.

    A LIVE whose reason is FILLED says that nothing is missing of the time since the feed was last live.
    """

    time_ns: int
    feed: int
    status: str
    reason: str
    sequence: int = 0


FILLED = "nothing is missing"


class Health(Message, frozen=True):
    """A measurement of the shell that the gate may read: durability lag, clock skew, ingress lag."""

    time_ns: int
    name: str
    value: float
    limit: float
    sequence: int = 0


class AccountState(Message, frozen=True):
    """What the venue says the account holds."""

    time_ns: int
    cash: Decimal
    equity: Decimal
    currency: str
    sequence: int = 0


class Accepted(Message, frozen=True):
    time_ns: int
    order_id: str
    symbol: str
    venue_id: str
    sequence: int = 0


class Rejected(Message, frozen=True):
    """The venue refused an order. Terminal."""

    time_ns: int
    order_id: str
    symbol: str
    code: str
    reason: str
    sequence: int = 0


class Fill(Message, frozen=True):
    """One execution. `quantity` > 0; `costs` >= 0 in account currency; `remaining` >= 0."""

    time_ns: int
    order_id: str
    execution_id: str
    symbol: str
    side: Side
    role: Role
    group: str
    quantity: Decimal
    price: Decimal
    costs: Decimal
    remaining: Decimal
    simulated: bool
    sequence: int = 0


class Cancelled(Message, frozen=True):
    """Terminal. `filled` is what had filled before."""

    time_ns: int
    order_id: str
    symbol: str
    filled: Decimal
    reason: str
    sequence: int = 0


class Expired(Message, frozen=True):
    """Terminal: the order's time ran out."""

    time_ns: int
    order_id: str
    symbol: str
    filled: Decimal
    sequence: int = 0


class Sent(Message, frozen=True):
    """An order is about to leave; durable before the request is made."""

    time_ns: int
    order_id: str
    venue_order_id: str
    sequence: int = 0


class NotSent(Message, frozen=True):
    """The outbox did not send an order and never will."""

    time_ns: int
    order_id: str
    reason: str
    sequence: int = 0


class NoAnswer(Message, frozen=True):
    """Sent without a provable outcome: the order is UNKNOWN until evidence arrives."""

    time_ns: int
    order_id: str
    reason: str
    sequence: int = 0


class ExternalOrder(Message, frozen=True):
    """An order on the account that is not ours. Counted in heat, never touched."""

    time_ns: int
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    sequence: int = 0


class Command(Message, frozen=True):
    """What an operator asked for, and who."""

    time_ns: int
    name: str
    argument: str
    operator: str
    reason: str
    sequence: int = 0


class ConfigChange(Message, frozen=True):
    """A reload: the hash of the configuration that holds from here on, the keys that took effect, and those
    that differ in the file but need a restart."""

    time_ns: int
    config_hash: str
    keys: tuple[str, ...]
    sequence: int = 0
    restart: tuple[str, ...] = ()


class Quarantine(Message, frozen=True):
    """Rows that a feed withheld, with their reason. `count` > 0."""

    time_ns: int
    feed: int
    symbol: str
    reason: str
    count: int
    sequence: int = 0


class SymbolStatus(Message, frozen=True):
    """Whether one symbol may be bought, as its venue says. `cause` is HALTED, DELISTED or REDEFINED: each `holds`
    from the fact that says so to the one that takes it back, over restarts too."""

    time_ns: int
    symbol: str
    cause: str
    holds: bool
    reason: str
    sequence: int = 0
