"""What an engine says of itself: one frozen object, filled by the session, shown by everybody.

Names carry units. Ages and spans are seconds, `None` where nothing has been heard yet; money,
prices and quantities are decimals (strings in JSON); times are ISO 8601, UTC. A tuple that may be
long is cut by the session at `MOST_LISTED`, and the count beside it says how many there are.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

STATUS_VERSION: Final = 1
"""Rises when a field changes its meaning or goes; new fields do not raise it."""

MOST_LISTED: Final = 200
"""Of positions, orders, feeds and warm-ups each: an answer stays below a few hundred kilobytes."""

WARMUP_BARS: Final = 250
"""Bars of history after which a detector's percentiles stand on their full window."""


class SessionState(StrEnum):
    """What the engine is doing. Entries are possible in RUNNING alone."""

    STARTING = "STARTING"
    RECOVERING = "RECOVERING"
    RECONCILING = "RECONCILING"
    WARMING = "WARMING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    HALTED = "HALTED"
    STOPPING = "STOPPING"


class KillLevel(StrEnum):
    """Each level does what the one before it does, and more. "" is none."""

    NONE = ""
    ENTRIES = "entries"  # no new entries
    CANCEL = "cancel"  # and working entries are cancelled; protective stops stay
    FLATTEN = "flatten"  # and every position is closed


KILL_ORDER: Final = (KillLevel.NONE, KillLevel.ENTRIES, KillLevel.CANCEL, KillLevel.FLATTEN)


def stronger(one: KillLevel, other: KillLevel) -> KillLevel:
    """A kill never weakens one that stands."""
    return max(one, other, key=KILL_ORDER.index)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Root of all that is shown."""


class Blocker(View, frozen=True, kw_only=True):
    """One reason for which no entry can be approved. `code` is a short word, stable for scripts
    (paused, killed, feed_stale, warming, heat, starting, durability, no_rules...); `text` is for people:
    `feed binance: no trades for 64 s, limit 15 s`."""

    code: str
    text: str


class CandidateView(View, frozen=True, kw_only=True):
    """What the next entry of an open campaign may ask at most, in basis points of equity, and what heat would come
    to with it: None where heat is not known. It passes where that is less than `limit_bp`."""

    campaign: str
    symbol: str
    direction: int
    leg: str
    risk_bp: Decimal
    projected_bp: int | None
    limit_bp: int
    passes: bool


class HeatView(View, frozen=True, kw_only=True):
    """Basis points of equity; `heat_bp` is None where a mark is missing. `state` is a HeatState."""

    heat_bp: int | None
    state: str
    warning_bp: int
    critical_bp: int
    limit_bp: int
    candidates: tuple[CandidateView, ...] = ()


class FeedView(View, frozen=True, kw_only=True):
    """`status` is CONNECTING, LIVE, STALE, RECOVERING or CLOSED; `limit_s` is the age at which the channel
    that is oldest against its own limit goes stale, None where it never does. `clock_skew_s` is how far the
    venue's stamps are ahead of this machine's clock, None where that was not seen; `sequence_breaks` are holes in
    its numbering, filled or not."""

    name: str
    kind: str
    simulated: bool
    status: str
    reason: str = ""
    channel: str = ""
    age_s: float | None = None
    limit_s: float | None = None
    rows: int = 0
    gaps: int = 0
    reconnects: int = 0
    withheld: int = 0
    conflated: int = 0
    sequence_breaks: int = 0
    clock_skew_s: float | None = None


class WarmUpView(View, frozen=True, kw_only=True):
    symbol: str
    timeframe: str
    bars: int
    needed: int = WARMUP_BARS


class PositionView(View, frozen=True, kw_only=True):
    """`quantity` is negative when short; `stop` is the nearest protective stop, None without one."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    mark: Decimal | None
    unrealised: Decimal | None
    stop: Decimal | None
    campaign: str = ""


class OrderView(View, frozen=True, kw_only=True):
    """A working order; prices are None where its kind has none."""

    order_id: str
    symbol: str
    campaign: str
    role: str
    side: str
    kind: str
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    state: str = "WORKING"


class DayView(View, frozen=True, kw_only=True):
    """Since the last midnight UTC, in account currency, costs included."""

    pnl: Decimal | None
    realised: Decimal
    unrealised: Decimal | None
    costs: Decimal
    entries: int
    exits: int
    refused: int


class TapeView(View, frozen=True, kw_only=True):
    """`lag_s` is the age of the oldest fact that is not on disk yet."""

    path: str
    sequence: int
    rows: int
    lag_s: float
    size_bytes: int
    snapshot_sequence: int = 0


class LoopView(View, frozen=True, kw_only=True):
    """Health of the process. `waiting_*` are messages in the two lanes of the inbox."""

    lag_s: float
    stalls: int
    waiting_control: int
    waiting_market: int
    rss_mb: int
    rss_limit_mb: int
    logs_dropped: int = 0


class LaneView(View, frozen=True, kw_only=True):
    """A queue: what waits in it, how much may, the most that ever did, and what found no room."""

    stage: str
    depth: int
    capacity: int | None
    high_water: int
    dropped: int = 0


class StageTime(View, frozen=True, kw_only=True):
    """How long a hop or a stage takes; `items` since the session began, the quantiles of the last minute or two."""

    stage: str
    items: int
    p50_us: float
    p99_us: float


class QueuesView(View, frozen=True, kw_only=True):
    lanes: tuple[LaneView, ...] = ()
    stages: tuple[StageTime, ...] = ()


class Status(View, frozen=True, kw_only=True):
    """`feed_is_simulated` and `venue_is_simulated` are what a person must never have to guess.

    `blockers` is empty exactly when an entry could be approved now; `untradable` says of which symbols none could.
    `digest` covers the decisions so far. `line_time` is the time that all feeds have proven.
    """

    version: int = STATUS_VERSION
    mode: str
    feed_is_simulated: bool
    venue: str
    venue_is_simulated: bool
    account: str
    state: SessionState
    blockers: tuple[Blocker, ...]
    untradable: tuple[Blocker, ...] = ()
    kill_level: KillLevel = KillLevel.NONE
    kill_reason: str = ""
    paused_by: str = ""
    heat: HeatView
    currency: str
    equity: Decimal | None
    cash: Decimal | None
    day: DayView
    feeds: tuple[FeedView, ...]
    warmups: tuple[WarmUpView, ...]
    warmups_left: int
    positions: tuple[PositionView, ...]
    position_count: int
    orders: tuple[OrderView, ...]
    order_count: int
    campaigns: int
    tape: TapeView | None
    loop: LoopView
    line_time: str
    started: str
    uptime_s: float
    pid: int
    release: str
    build_hash: str
    config_hash: str
    digest: str
