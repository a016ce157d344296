"""DetectorSettings: every gate and weight of the detector, typed, bounded, with its source.

Defaults are the numbers of the rule book, section 13.1 and the [X] rules of sections 2 to 4; the
section is named at each group. Names carry units: `_bars` of the analysed timeframe, `_atr` in
multiples of ATR(14) of the bar before, `_percent` of the absolute level, times the timeframe's
multiplier, `_fraction` of what the name says, `_vr`, `_sr`, `_cp` in the unit of that feature,
`_points` of a 0..100 score. `_weights` are points in the order their comment names; they are
scaled to 100. `bc_`, `utad_` and `sow_` are the deliberate exceptions of the mirror (0.3).
"""

from functools import cached_property
from hashlib import blake2b
from typing import Annotated

import msgspec
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from engine.blocks import Float64
from engine.timeframes import DAY_NS, LENGTH_NS, MINUTE_NS, MULTIPLIER, is_counted, settings_of
from engine.wyckoff import gates

MOST_BARS = 250
"""No look-back may be longer: the window keeps 260 bars."""

Lookback = Annotated[int, Field(ge=1, le=MOST_BARS)]
Amount = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Weight = Amount

DEPTH_MULTIPLIER_MIN = 0.3
"""The depth of a spring is not scaled below this (section 3.6 c)."""

NO_LIMIT = 1e300
"""A gate that lets everything pass; finite, so that a row of gates has no gaps."""


class DetectorSettings(BaseModel):
    """Frozen; unknown keys are refused. `gates` gives what the kernels read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Features (1.1, 1.2, 4.8), volume by time of day (9.3) and pivots (2.1).
    vr_lookback_bars: Lookback = 20
    sr_lookback_bars: Lookback = 20
    sr_true_range: Flag = False  # for markets that gap: the true range of a bar over mean spread
    atr_bars: Lookback = 14
    prior_move_bars: Lookback = 60
    percentile_bars: Lookback = 250
    rvol_min_sessions: Annotated[int, Field(ge=2, le=20)] = 10
    pivot_bars_daily: Annotated[int, Field(ge=2, le=50)] = 5
    pivot_bars_short: Annotated[int, Field(ge=2, le=50)] = 3  # timeframes up to 5 minutes
    swing_atr: Amount = 1.0

    # Range (2.2 to 2.6). A touch is a pivot this near to a level.
    range_touch_atr: Amount = 0.75
    range_width_min_atr: Amount = 3.0
    range_width_min_percent: Amount = 3.0
    range_width_max_atr: Amount = 12.0
    range_form_bars: Lookback = 10
    range_active_bars: Lookback = 15
    range_fail_atr: Amount = 1.5
    range_freeze_atr: Amount = 0.25
    range_overlap: Annotated[float, Field(gt=0, le=1)] = 0.5
    range_track_quality: Amount = 60.0
    range_decay_bars: Lookback = 100
    range_decay_points: Amount = 0.1  # a bar beyond `range_decay_bars`; our choice, the book gives none
    cluster_bars: Annotated[int, Field(ge=20, le=150)] = 100
    cluster_tolerance_atr: Amount = 0.75
    cluster_tolerance_percent: Amount = 2.0  # of price, not scaled to the timeframe
    cluster_touches: Annotated[int, Field(ge=2, le=10)] = 2
    trend_atr: Amount = 4.0  # a move into a range this long makes it a continuation
    box_atr: Annotated[float, Field(gt=0, le=10)] = 0.25
    box_reversal: Annotated[float, Field(gt=0, le=10)] = 3.0

    # Selling climax (3.2): vr must reach clamp(percentile, floor, ceiling).
    sc_vr_percentile: Annotated[float, Field(gt=0, le=100)] = 96.0
    sc_vr_floor: Amount = 1.6
    sc_vr_ceiling: Amount = 2.0
    sc_sr: Amount = 1.3
    sc_low_bars: Lookback = 20
    sc_prior_atr: Amount = 4.0
    sc_confirm_bars: Lookback = 5
    sc_again_vr: Amount = 0.8  # of the old climax's vr, for a lower one to take its place
    sc_weights: tuple[Weight, Weight, Weight, Weight, Weight] = (35, 20, 20, 15, 10)
    """Volume, spread, close off the low, prior move, follow-through."""
    bc_weights: tuple[Weight, Weight, Weight, Weight, Weight] = (35, 20, 10, 15, 10)
    """The same for a buying climax, which may close anywhere (3.8)."""

    # Soft stop (3.2): where a fall ends without a climax.
    soft_low_bars: Lookback = 60
    soft_prior_atr: Amount = 4.0
    soft_rise_atr: Amount = 2.0
    soft_score_cap: Amount = 60.0

    # Preliminary support (3.1), the relabel of a superseded climax.
    ps_vr: Amount = 1.5
    ps_sr: Amount = 1.2
    ps_reaction_atr: Amount = 1.0
    ps_reaction_bars: Lookback = 10
    ps_supersede_min_bars: Lookback = 5
    ps_supersede_max_bars: Lookback = 40
    ps_points: Amount = 10.0  # of the confidence of phase A
    ps_weights: tuple[Weight, Weight, Weight] = (40, 25, 35)
    """Volume, spread, reaction."""

    # Automatic rally (3.3). The percent floor holds from daily bars up.
    ar_rise_atr: Amount = 2.0
    ar_rise_percent: Amount = 3.0
    ar_max_bars: Annotated[int, Field(ge=1, le=60)] = 15
    ar_min_bars: Lookback = 2
    ar_pivot_bars: Lookback = 3
    ar_weights: tuple[Weight, Weight, Weight, Weight] = (50, 25, 15, 10)
    """Size, speed, close of its bar, share of the fall won back."""

    # Secondary test (3.4) and the hold that stands in for it (4.4, T3).
    st_window_bars: Annotated[int, Field(ge=1, le=120)] = 40
    st_under_atr: Amount = 0.75
    st_upper_fraction: Amount = 0.5
    st_vr_fraction: Amount = 0.8
    st_sr_fraction: Amount = 0.9
    st_separation_bars: Lookback = 5
    st_bounce_atr: Amount = 1.0
    st_pivot_bars: Annotated[int, Field(ge=1, le=10)] = 3
    st_supply_vr: Amount = 0.6  # of the climax; a lower low above it is a test with supply
    st_supply_points: Amount = 10.0
    st_weights: tuple[Weight, Weight, Weight, Weight, Weight] = (35, 20, 15, 20, 10)
    """Volume drop, spread drop, proximity, holds the low, close."""
    hold_bars: Lookback = 20
    hold_points: Amount = 15.0

    # Upthrust and shakeout in phase B (3.5). Their score's weights are ours: the book gives none.
    ut_depth_atr: Amount = 1.5
    ut_back_bars: Lookback = 3
    ut_vr: Amount = 1.5
    ut_cp: Amount = 0.3
    ut_points: Amount = 10.0
    shake_cp: Amount = 0.7
    shake_points: Amount = 5.0
    bias_max_points: Amount = 20.0
    ut_weights: tuple[Weight, Weight, Weight] = (40, 40, 20)
    """Volume, close, speed."""

    # Spring (3.6): quiet is type 3, heavy is type 1, the rest type 2.
    spring_edge_atr: Amount = 0.05
    spring_depth_percent: Amount = 5.0
    spring_depth_atr: Amount = 1.5
    spring_shock_atr: Amount = 2.5
    spring_reclaim_bars: Lookback = 5
    spring_closes_below: Lookback = 3
    spring_quiet_vr: Amount = 0.85
    spring_quiet_sr: Amount = 1.0
    spring_heavy_vr: Amount = 1.5
    spring_heavy_sr: Amount = 1.2
    spring_strict: Flag = False  # only springs below `spring_strict_vr` at all (7.1)
    spring_strict_vr: Amount = 0.7
    spring_strict_vr_thin: Amount = 0.85  # fx and crypto (9.4)
    spring_stale_bars: Lookback = 60
    spring_stale_fraction: Amount = 0.7  # what a stale spring's score keeps (3.13)
    spring_weights: tuple[Weight, Weight, Weight, Weight, Weight, Weight, Weight] = (25, 10, 20, 10, 10, 5, 20)
    """Volume, depth, reclaim speed, reclaim quality, level, background, test."""
    warning_springs: Lookback = 3
    warning_points: Amount = 10.0

    # Upthrust after distribution (3.9), where it is not the mirror of the spring.
    utad_reclaim_bars: Lookback = 3
    utad_effort_vr: Amount = 1.2
    utad_signs: Annotated[int, Field(ge=0, le=10)] = 2  # of supply, where no rise led into the range
    utad_weights: tuple[Weight, Weight, Weight, Weight, Weight] = (25, 20, 15, 20, 20)
    """Close-back speed, failure close, volume extremity, background supply, test."""

    # Test of the spring (3.7).
    test_window_bars: Lookback = 15
    test_zone_atr: Amount = 1.0
    test_zone_fraction: Amount = 1 / 3
    test_vr_fraction: Amount = 0.8
    test_confirm_bars: Lookback = 3
    test_supply_cp: Amount = 0.3

    # Sign of strength (3.10) and the weak breakout (4.4, T6, T12, T15).
    sos_distance_atr: Amount = 0.25
    sos_distance_percent: Amount = 1.0
    sos_leg_bars: Annotated[int, Field(ge=2, le=60)] = 10
    sos_vr: Amount = 1.5
    sos_vr_fx: Amount = 1.8  # (9.4)
    sos_sr: Amount = 1.2
    sos_cp: Amount = 0.5
    sos_pair_vr: Amount = 1.3
    sos_direct_score: Amount = 75.0
    sos_level_strength: Amount = 60.0
    sos_fail_atr: Amount = 0.5
    sos_fail_closes: Lookback = 2
    sos_fail_bars: Lookback = 10
    sos_weights: tuple[Weight, Weight, Weight, Weight, Weight, Weight] = (30, 15, 20, 15, 10, 10)
    """Volume, spread, close, distance, spring and test, rising lows."""
    sow_minor_atr: Amount = 0.25
    sow_rearm_atr: Amount = 1.0  # ours: one minor sign of weakness an approach
    weak_closes: Lookback = 3
    weak_score_cap: Amount = 55.0
    weak_points: Amount = 20.0

    # Last point of support (3.11) and the reaction that cancels a sign of strength.
    lps_window_bars: Annotated[int, Field(ge=1, le=120)] = 20
    lps_pullback_bars: Lookback = 2
    lps_under_atr: Amount = 0.75
    lps_over_atr: Amount = 1.5
    lps_vr_bar: Amount = 1.0
    lps_sr_mean: Amount = 1.0
    lps_leg_fraction: Amount = 0.8
    lps_confirm_bars: Lookback = 3
    lps_weak_cap: Amount = 75.0
    lps_inside_fraction: Amount = 0.5
    lps_weights: tuple[Weight, Weight, Weight, Weight, Weight, Weight] = (30, 15, 20, 15, 10, 10)
    """Dry-up, spread, proximity, hold, bounce, the breakout's score."""
    inside_weights: tuple[Weight, Weight, Weight, Weight, Weight, Weight] = (30, 15, 20, 15, 10, 10)
    """Dry-up, spread, hold of the middle, above the test, bounce, the test's score."""
    cancel_vr: Amount = 1.5
    cancel_sr: Amount = 1.2
    cancel_cp: Amount = 0.3

    # Phases (4.2, 4.4, 3.14, 9.5). `d_max_bars` is ours: phase D without markup must end some day.
    b_min_bars_daily: Lookback = 10
    b_min_bars_weekly: Lookback = 5
    b_min_reaccumulation_bars: Lookback = 5
    b_volatile_bars: Lookback = 8
    b_volatile_return: Amount = 0.03
    b_override_score: Amount = 85.0
    d_max_bars: Lookback = 60
    gap_max_bars: Lookback = 5  # missing days or weeks
    gap_max_sessions: Lookback = 1  # missing sessions on intraday bars
    score_cap_fx: Amount = 85.0  # tick volume (9.4)
    score_cap_crypto: Amount = 90.0
    phase_weights: tuple[Weight, Weight, Weight, Weight] = (40, 25, 20, 15)
    """Mean event score, range quality, completeness, volume signature."""
    pattern_weights: tuple[Weight, Weight, Weight, Weight] = (45, 30, 15, 10)
    """Event, phase, levels, context (3.14)."""
    context_points: Amount = 100.0

    @cached_property
    def hash(self) -> str:
        """Names these settings in every detection: 12 hex digits."""
        return blake2b(msgspec.json.encode(self.model_dump(), order="sorted"), digest_size=6).hexdigest()

    def gates(self, timeframe: str, side: int = 1, asset_class: str = "stock") -> Float64:
        """(gates.COUNT,) float64 by the positions in `gates`. KeyError on an unknown timeframe."""
        row = np.full(gates.COUNT, np.nan)
        derived = self._frame(timeframe) | self._side(side) | self._class(asset_class)
        for name, value in (self.model_dump() | derived).items():
            position = vars(gates).get(name.upper())
            if position is None:
                continue
            if isinstance(value, tuple):
                row[position : position + len(value)] = np.array(value) * 100.0 / sum(value)
            else:
                row[position] = value
        return row

    def _frame(self, name: str) -> dict[str, float]:
        timeframe = settings_of(name)
        multiplier = MULTIPLIER[timeframe] / 100
        length_ns = LENGTH_NS[timeframe]
        is_intraday = length_ns < DAY_NS and not is_counted(name)
        daily = multiplier if length_ns >= DAY_NS else 0.0
        short = length_ns <= 5 * MINUTE_NS
        return {
            "pivot_bars": self.pivot_bars_short if short else self.pivot_bars_daily,
            "percentile_rank": np.ceil(self.sc_vr_percentile * self.percentile_bars / 100),
            "b_min_bars": self.b_min_bars_weekly if timeframe == "1w" else self.b_min_bars_daily,
            "ar_rise_fraction": self.ar_rise_percent * daily,
            "width_fraction": self.range_width_min_percent * multiplier,
            "depth_fraction": self.spring_depth_percent * max(MULTIPLIER[timeframe], DEPTH_MULTIPLIER_MIN) / 100,
            "sos_fraction": self.sos_distance_percent * daily,
            "cluster_fraction": self.cluster_tolerance_percent / 100,
            "is_intraday": float(is_intraday),
            "gap_max": self.gap_max_sessions if is_intraday else self.gap_max_bars,
        }

    def _side(self, side: int) -> dict[str, object]:
        """What differs between the sides of the mirror, and nothing else does."""
        if side > 0:
            return {"spring_effort_vr": 0.0, "spring_signs": 0.0, "spring_is_upthrust": 0.0, "has_minor": 0.0}
        return {
            "sc_weights": self.bc_weights,
            "spring_reclaim_bars": self.utad_reclaim_bars,
            "depth_fraction": NO_LIMIT,
            "spring_effort_vr": self.utad_effort_vr,
            "spring_signs": float(self.utad_signs),
            "spring_is_upthrust": 1.0,
            "has_minor": 1.0,
        }

    def _class(self, asset_class: str) -> dict[str, float]:
        caps = {"fx": self.score_cap_fx, "crypto": self.score_cap_crypto}
        thin = asset_class in caps
        strict_vr = self.spring_strict_vr_thin if thin else self.spring_strict_vr
        return {
            "score_cap": caps.get(asset_class, 100.0),
            "sos_vr": self.sos_vr_fx if asset_class == "fx" else self.sos_vr,
            "spring_most_vr": strict_vr if self.spring_strict else NO_LIMIT,
            "gap_weekends": float(asset_class != "crypto"),
        }
