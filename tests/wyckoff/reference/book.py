"""The numbers of the rule book, section 13.1 and the [X] rules of sections 1 to 4, written down a second time.

A test holds `DetectorSettings` against these, so that a slip on either side shows.
"""

from dataclasses import dataclass

VR_BARS, SR_BARS, ATR_BARS, PRIOR_BARS, PERCENTILE_BARS = 20, 20, 14, 60, 250
SWING_ATR = 1.0
RVOL_SESSIONS, RVOL_LEAST = 20, 10
EDGE_MINUTES, EDGE_RANK, EDGE_MULTIPLE = 15, 0.95, 2.0

TOUCH_ATR, WIDTH_MIN_ATR, WIDTH_MIN_PERCENT, WIDTH_MAX_ATR = 0.75, 3.0, 3.0, 12.0
ACTIVE_BARS, FAIL_ATR = 15, 1.5
SWINGS_SEEN = 32
DECAY_BARS, DECAY_POINTS, FREEZE_ATR = 100, 0.1, 0.25
CLUSTER_BARS, CLUSTER_ATR, CLUSTER_PERCENT, CLUSTER_TOUCHES = 100, 0.75, 2.0, 2
FORM_BARS, TRACK_QUALITY, OVERLAP, TREND_ATR, B_MIN_AGAIN = 10, 60.0, 0.5, 4.0, 5
BOX_ATR, BOX_REVERSAL, COUNTED_BARS, TICK = 0.25, 3, 255, 0.01

SC_PERCENTILE, SC_VR_FLOOR, SC_VR_CEILING, SC_SR, SC_LOW_BARS = 96, 1.6, 2.0, 1.3, 20
SC_PRIOR_ATR, SC_CONFIRM_BARS, SC_AGAIN_VR = 4.0, 5, 0.8
SC_CLOSE_POINTS, BC_CLOSE_POINTS = 20.0, 10.0
SOFT_BARS, SOFT_ATR, SOFT_RISE_ATR, SOFT_HELD_BARS, SOFT_CAP, SOFT_LEAST = 60, 4.0, 2.0, 15, 60.0, 1.0

PS_POINTS = 10.0
PS_VR, PS_SR, PS_REACTION_ATR, PS_REACTION_BARS, PS_SOONEST, PS_LATEST = 1.5, 1.2, 1.0, 10, 5, 40

AR_RISE_ATR, AR_RISE_PERCENT, AR_BARS, AR_MIN_BARS, AR_K = 2.0, 3.0, 15, 2, 3

ST_BARS, ST_UNDER_ATR, ST_UPPER, ST_VR, ST_SR = 40, 0.75, 0.5, 0.8, 0.9
ST_APART_BARS, ST_BOUNCE_ATR, ST_K, ST_SUPPLY_VR, ST_SUPPLY_POINTS = 5, 1.0, 3, 0.6, 10.0
ST_TRIED_BARS = 200
HOLD_BARS, HOLD_POINTS = 20, 15.0

UT_ATR, UT_BACK_BARS, UT_VR, UT_CP, UT_POINTS = 1.5, 3, 1.5, 0.3, 10.0
SHAKE_CP, SHAKE_POINTS, BIAS_MOST = 0.7, 5.0, 20.0

SPRING_EDGE_ATR, SPRING_PERCENT, SPRING_ATR, SHOCK_ATR = 0.05, 5.0, 1.5, 2.5
SPRING_BARS, SPRING_CLOSES = 5, 3
QUIET_VR, QUIET_SR, HEAVY_VR, HEAVY_SR = 0.85, 1.0, 1.5, 1.2
STALE_BARS, STALE_SHARE = 60, 0.7
UTAD_BARS, UTAD_VR, UTAD_QUIET_VR, UTAD_QUIET_SR, UTAD_SIGNS = 3, 1.2, 0.85, 1.0, 2
WARNING_SPRINGS, WARNING_SCORE, WARNING_POINTS = 3, 50.0, 10.0

TEST_BARS, TEST_ATR, TEST_SHARE, TEST_VR, TEST_CONFIRM_BARS, TEST_SUPPLY_CP = 15, 1.0, 1 / 3, 0.8, 3, 0.3

SOS_ATR, SOS_PERCENT, SOS_LEG_BARS, SOS_VR, SOS_SR, SOS_CP, SOS_PAIR_VR = 0.25, 1.0, 10, 1.5, 1.2, 0.5, 1.3
SOS_VR_FX, CAP_FX, CAP_CRYPTO = 1.8, 85.0, 90.0
SOS_SCORE, SOS_LEVEL, SOS_FAIL_ATR, SOS_FAIL_CLOSES, SOS_FAIL_BARS = 75.0, 60.0, 0.5, 2, 10
WEAK_CLOSES, WEAK_CAP, WEAK_POINTS = 3, 55.0, 20.0
MINOR_ATR, MINOR_AGAIN_ATR = 0.25, 1.0
LABEL_VR, LABEL_UTS = 1.5, 2

LPS_BARS, LPS_PULLBACK, LPS_UNDER_ATR, LPS_OVER_ATR, LPS_VR, LPS_SR = 20, 2, 0.75, 1.5, 1.0, 1.0
LPS_LEG, LPS_CONFIRM_BARS, LPS_WEAK_CAP = 0.8, 3, 75.0
INSIDE_SHARE = 0.5
CANCEL_VR, CANCEL_SR, CANCEL_CP = 1.5, 1.2, 0.3

B_VOLATILE, B_VOLATILE_RETURN, B_OVERRIDE_SCORE, D_BARS = 8, 0.03, 85.0, 60
GAP_DAYS, GAP_SESSIONS = 5, 1

MULTIPLIER = {"1m": 0.15, "5m": 0.20, "15m": 0.30, "1h": 0.70, "4h": 0.85, "1d": 1.0, "1w": 1.4}
LENGTH_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1_440, "1w": 10_080}


@dataclass(frozen=True)
class Market:
    """An instrument, as far as the detector cares. Reading: without an exchange calendar fx is on New York time,
    all else on UTC. `hours` are the first and the closing minute of regular trading, None where not known."""

    asset_class: str = "stock"
    zone: str = "UTC"
    hours: tuple[int, int] | None = None


STOCK = Market()
NEW_YORK = Market(zone="America/New_York", hours=(570, 960))
FX = Market("fx", "America/New_York")
CRYPTO = Market("crypto")


@dataclass(frozen=True)
class Scale:
    """What depends on timeframe and asset class. Fractions are of the absolute level."""

    market: Market
    is_intraday: bool
    length_ns: int
    pivot_k: int
    b_min: int
    ar_floor: float
    width_floor: float
    spring_depth: float
    sos_floor: float
    sos_vr: float
    score_cap: float


def scale(timeframe: str, market: Market = STOCK) -> Scale:
    """2.1 (k = 3 up to five minutes), 4.4 (B minimum), 9.1 (m), 9.4 (fx, crypto); floors from daily up only."""
    m, daily = MULTIPLIER[timeframe] / 100, timeframe in ("1d", "1w")
    return Scale(
        market=market,
        is_intraday=not daily,
        length_ns=LENGTH_MINUTES[timeframe] * 60_000_000_000,
        pivot_k=3 if timeframe in ("1m", "5m") else 5,
        b_min=5 if timeframe == "1w" else 10,
        ar_floor=AR_RISE_PERCENT * m if daily else 0.0,
        width_floor=WIDTH_MIN_PERCENT * m,
        spring_depth=SPRING_PERCENT * (max(MULTIPLIER[timeframe], 0.3) / 100),
        sos_floor=SOS_PERCENT * m if daily else 0.0,
        sos_vr=SOS_VR_FX if market.asset_class == "fx" else SOS_VR,
        score_cap={"fx": CAP_FX, "crypto": CAP_CRYPTO}.get(market.asset_class, 100.0),
    )
