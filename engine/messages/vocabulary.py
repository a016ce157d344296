"""The closed vocabularies of the line: what a field may say, one word for each concept."""

from enum import StrEnum


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderKind(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


class Role(StrEnum):
    """What an order is for. Only ENTRY adds risk."""

    ENTRY = "ENTRY"
    STOP = "STOP"
    TARGET = "TARGET"
    EXIT = "EXIT"


class TimeInForce(StrEnum):
    """DAY ends at `expires_ns` where the session's close is given, else at the next 00:00 UTC."""

    GTC = "GTC"
    GTD = "GTD"
    DAY = "DAY"


class Action(StrEnum):
    """What an intent asks for. Only ENTER is judged by the entry rules of the gate."""

    ENTER = "ENTER"
    EXIT = "EXIT"
    MOVE_STOP = "MOVE_STOP"
    CANCEL = "CANCEL"


class Leg(StrEnum):
    """The three entries of a campaign; the mirrored side uses the same words."""

    SPRING = "SPRING"
    SOS = "SOS"
    LPS = "LPS"


class EventKind(StrEnum):
    """Wyckoff events by their accumulation names; `engine.wyckoff.events` names the mirrors."""

    PS = "PS"
    SC = "SC"
    AR = "AR"
    ST = "ST"
    UT = "UT"
    SPRING = "SPRING"
    TEST = "TEST"
    SOS = "SOS"
    LPS = "LPS"
    BREAKOUT_WEAK = "BREAKOUT_WEAK"
    SOS_FAILED = "SOS_FAILED"
    SPRING_FAILED = "SPRING_FAILED"
    RANGE_FAILED = "RANGE_FAILED"
    SOFT_STOP = "SOFT_STOP"
    SHAKE = "SHAKE"
    SOS_MINOR = "SOS_MINOR"
    LPS_INSIDE = "LPS_INSIDE"
    SUPPLY_WARNING = "SUPPLY_WARNING"
    RANGE_FORMED = "RANGE_FORMED"


class Phase(StrEnum):
    WARMUP = "WARMUP"
    NONE = "NONE"
    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


class CampaignState(StrEnum):
    FORMING = "FORMING"
    ACTIVE = "ACTIVE"
    DORMANT = "DORMANT"
    MARKUP = "MARKUP"
    COMPLETED = "COMPLETED"
    INVALIDATED = "INVALIDATED"
    EXPIRED = "EXPIRED"


class HeatState(StrEnum):
    NORMAL = "NORMAL"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    EXCEEDED = "EXCEEDED"


class WatchKind(StrEnum):
    """What `Market` can look for. Every watch fires once and is then gone."""

    TOUCH_ABOVE = "TOUCH_ABOVE"  # a row trades at or above `level`
    TOUCH_BELOW = "TOUCH_BELOW"  # a row trades at or below `level`
    CLOSE_ABOVE = "CLOSE_ABOVE"  # a bar of `timeframe` closes above `level`
    CLOSE_BELOW = "CLOSE_BELOW"  # a bar of `timeframe` closes below `level`
    SWING_LOW = "SWING_LOW"  # a bar of `timeframe` confirms a swing low
    SWING_HIGH = "SWING_HIGH"  # a bar of `timeframe` confirms a swing high
    LINE_TIME = "LINE_TIME"  # line time reaches `time_ns`
    EQUITY_BELOW = "EQUITY_BELOW"  # account equity at marks is at or below `level`
