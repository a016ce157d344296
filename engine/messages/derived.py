"""Derived facts: recomputed from the tape, written to the store, never on the tape."""

from engine.messages.base import Message
from engine.messages.vocabulary import CampaignState, EventKind, HeatState, Phase, WatchKind

UNKNOWN = float("nan")


class Event(Message, frozen=True):
    """One Wyckoff event of one (symbol, timeframe, direction).

    `direction` is +1 (accumulation) or -1 (distribution). `event_ns` and `confirm_ns` are the
    open times of the bar it points at and of the bar at whose close it was confirmed; `known_ns`
    is the decision time from which it may be acted on. `score` is 0..100. Prices are real
    prices, not mirrored. `high`, `low`, `close`, `atr` belong to the confirming bar;
    `volume_ratio`, `spread_ratio`, `close_position` to the bar it points at. `variant` is the
    spring type (1, 2, 3) where the event is a SPRING or its TEST, else 0. `supersedes` is the
    `event_id` this one relabels, or "".

    `settings` names the detector's settings; `origin` says what the range was found by (CLIMAX,
    SOFT_STOP, CLUSTER); `follows` is the event before this one in its range, or "". `part_1` to
    `part_7` add up to `score`, in the order `engine.wyckoff.anatomy` names for the kind, before a
    cap or a penalty; NaN beyond. `confidence` is 0.45 score + 0.30 `phase_confidence` + 0.15 mean of
    `quality`, `support_strength` and `resistance_strength` + 0.10 `context` (100 higher timeframes
    agree, -100 they do not, 0 unknown), all 0..100. `objective` is the point-and-figure count's, NaN
    before the range is active. `volume_ratio_median` is against the median of the bars before;
    `thin_reference` says that an intraday bar was compared with these for want of sessions.
    `effort` and `vsa` name the bar's class, `stage` the sub-state of the phase, `tests_passed` how
    many of the nine buying (selling) tests hold of those that can be known.
    """

    event_id: str
    symbol: str
    timeframe: str
    direction: int
    kind: EventKind
    event_ns: int
    confirm_ns: int
    known_ns: int
    price: float
    score: float
    phase: Phase
    support: float
    resistance: float
    range_start_ns: int
    range_bars: int
    variant: int
    high: float
    low: float
    close: float
    atr: float
    volume_ratio: float
    spread_ratio: float
    close_position: float
    supersedes: str
    settings: str = ""
    origin: str = ""
    follows: str = ""
    confidence: float = UNKNOWN
    phase_confidence: float = UNKNOWN
    quality: float = UNKNOWN
    support_strength: float = UNKNOWN
    resistance_strength: float = UNKNOWN
    context: float = UNKNOWN
    objective: float = UNKNOWN
    volume_ratio_median: float = UNKNOWN
    thin_reference: bool = False
    effort: str = ""
    vsa: str = ""
    stage: str = ""
    tests_passed: int = 0
    part_1: float = UNKNOWN
    part_2: float = UNKNOWN
    part_3: float = UNKNOWN
    part_4: float = UNKNOWN
    part_5: float = UNKNOWN
    part_6: float = UNKNOWN
    part_7: float = UNKNOWN


class PhaseChange(Message, frozen=True):
    """`confidence` is 0..100. `support` and `resistance` are NaN where there is no range.

    The rest are the parts of confidence: mean score of the events there are, range quality (both
    0..100), share of the events the phase requires, volume signature (both 0..1), and points for
    what was seen inside the range.
    """

    symbol: str
    timeframe: str
    direction: int
    previous: Phase
    phase: Phase
    confidence: float
    support: float
    resistance: float
    range_start_ns: int
    origin: str = ""
    mean_score: float = UNKNOWN
    quality: float = UNKNOWN
    completeness: float = UNKNOWN
    volume_signature: float = UNKNOWN
    bias_points: float = UNKNOWN


class StrategyMark(Message, frozen=True):
    """A strategy's own decision point: a bar its `marks` selected."""

    strategy: str
    symbol: str
    timeframe: str
    open_ns: int
    close: float


class Detections(Message, frozen=True, gc=True):
    """All that became known at one close, for all instruments and timeframes.

    `time_ns` is the close; `decision_ns` = close + lateness is the time decisions carry. `settings`
    names the detector's settings.
    """

    time_ns: int
    decision_ns: int
    events: tuple[Event, ...]
    phases: tuple[PhaseChange, ...]
    marks: tuple[StrategyMark, ...]
    settings: str = ""


class BarTaint(Message, frozen=True):
    """A closed bar turned out to be doubtful; it does not change. `reason` says why."""

    time_ns: int
    symbol: str
    timeframe: str
    open_ns: int
    reason: str


class CampaignChange(Message, frozen=True):
    """One step in a campaign's life. `number` counts the steps of this campaign from 1.

    `kind` is CAMPAIGN_FORMED, CAMPAIGN_ACTIVATED, PATTERN_DETECTED, CAMPAIGN_STATE,
    CAMPAIGN_COMPLETED or CAMPAIGN_FAILED.
    """

    campaign: str
    number: int
    time_ns: int
    kind: str
    previous: CampaignState
    state: CampaignState
    cause: str


class Declined(Message, frozen=True):
    """An event that might have been bought was not: which gate of the strategy or the campaign, by
    how much. `margin` is limit - value. `stage` is VOLUME, PHASE, LEVELS, RISK, STRATEGY or DATA."""

    time_ns: int
    campaign: str
    symbol: str
    event_id: str
    strategy: str
    code: str
    value: float
    limit: float
    stage: str = ""
    margin: float = UNKNOWN


class Warned(Message, frozen=True):
    """An entry goes on although something speaks against it, or it passed a limit by little.

    `subject` is the event or the intent, `source` the strategy, `campaigns` or `risk`. `margin` is
    limit - value. Nothing is ever refused or let through because of one.
    """

    time_ns: int
    campaign: str
    symbol: str
    subject: str
    source: str
    stage: str
    code: str
    value: float
    limit: float
    margin: float


class HeatChange(Message, frozen=True):
    """Heat crossed a border. `heat_bp` is risk over equity in basis points, rounded up.

    Every crossing is told; `alert` says that a person should hear of this one: the state is not
    NORMAL, and none of this state was an alert in the last 300 s.
    """

    time_ns: int
    previous: HeatState
    state: HeatState
    heat_bp: int
    alert: bool = False


class HaltChange(Message, frozen=True):
    """Entries are stopped, or may go on, because of what the account has lost.

    `code` is DAILY_LOSS or DRAWDOWN; `equity` and `reference` (equity at the day's beginning, or its
    peak) are in 1e-8 account units, `loss_bp` is how far below the reference equity lies.
    """

    time_ns: int
    code: str
    halted: bool
    loss_bp: int
    limit_bp: int
    equity: int
    reference: int
    cause: str


class Watched(Message, frozen=True):
    """A watch fired at `time_ns`. `price` is what fired it (the close, the touch, the swing,
    the equity, the line time to the microsecond or so); `close` and `atr` belong to the bar for bar watches,
    else NaN."""

    watch_id: str
    owner: str
    kind: WatchKind
    symbol: str
    time_ns: int
    price: float
    close: float
    atr: float
