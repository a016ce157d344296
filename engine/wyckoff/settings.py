"""DetectorSettings: every gate of the detector, typed, bounded, with its source.

Defaults are the numbers of the rule book, section 13.1 and the [X] rules of sections 2 to 4; the
section is named at each group. Names carry units: `_bars` of the analysed timeframe, `_atr` in
multiples of ATR(14) of the bar before, `_percent` of the absolute level, times the timeframe's
multiplier, `_fraction` of what the name says, `_vr`, `_sr`, `_cp` in the unit of that feature,
`_points` of a 0..100 score.
"""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from engine.blocks import Float64
from engine.timeframes import DAY_NS, LENGTH_NS, MINUTE_NS, MULTIPLIER, settings_of
from engine.wyckoff import gates

MOST_BARS = 250
"""No look-back may be longer: the window keeps 260 bars."""

Lookback = Annotated[int, Field(ge=1, le=MOST_BARS)]
Amount = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]

DEPTH_MULTIPLIER_MIN = 0.3
"""The depth of a spring is not scaled below this (section 3.6 c)."""


class DetectorSettings(BaseModel):
    """Frozen; unknown keys are refused. `gates` gives what the kernels read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Features (1.1, 1.2, 4.8) and pivots (2.1).
    vr_lookback_bars: Lookback = 20
    sr_lookback_bars: Lookback = 20
    atr_bars: Lookback = 14
    prior_move_bars: Lookback = 60
    percentile_bars: Lookback = 250
    pivot_bars_daily: Annotated[int, Field(ge=1, le=50)] = 5
    pivot_bars_short: Annotated[int, Field(ge=1, le=50)] = 3  # timeframes up to 5 minutes
    swing_atr: Amount = 1.0

    # Range (2.2, 2.5). A touch is a pivot this near to a level.
    range_touch_atr: Amount = 0.75
    range_width_min_atr: Amount = 3.0
    range_width_min_percent: Amount = 3.0
    range_width_max_atr: Amount = 12.0
    range_active_bars: Lookback = 15
    range_fail_atr: Amount = 1.5

    # Selling climax (3.2): vr must reach clamp(percentile, floor, ceiling).
    sc_vr_percentile: Annotated[float, Field(gt=0, le=100)] = 96.0
    sc_vr_floor: Amount = 1.6
    sc_vr_ceiling: Amount = 2.0
    sc_sr: Amount = 1.3
    sc_low_bars: Lookback = 20
    sc_prior_atr: Amount = 4.0
    sc_confirm_bars: Lookback = 5
    sc_again_vr: Amount = 0.8  # of the old climax's vr, for a lower one to take its place

    # Preliminary support (3.1), the relabel of a superseded climax.
    ps_vr: Amount = 1.5
    ps_sr: Amount = 1.2
    ps_reaction_atr: Amount = 1.0
    ps_reaction_bars: Lookback = 10
    ps_supersede_min_bars: Lookback = 5
    ps_supersede_max_bars: Lookback = 40

    # Automatic rally (3.3). The percent floor holds from daily bars up.
    ar_rise_atr: Amount = 2.0
    ar_rise_percent: Amount = 3.0
    ar_max_bars: Annotated[int, Field(ge=1, le=60)] = 15
    ar_min_bars: Lookback = 2
    ar_pivot_bars: Lookback = 3

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
    hold_bars: Lookback = 20
    hold_points: Amount = 15.0

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
    spring_stale_bars: Lookback = 60
    spring_stale_fraction: Amount = 0.7  # what a stale spring's score keeps (3.13)

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
    sos_sr: Amount = 1.2
    sos_cp: Amount = 0.5
    sos_pair_vr: Amount = 1.3
    sos_direct_score: Amount = 75.0
    sos_level_strength: Amount = 60.0
    sos_fail_atr: Amount = 0.5
    sos_fail_closes: Lookback = 2
    sos_fail_bars: Lookback = 10
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
    cancel_vr: Amount = 1.5
    cancel_sr: Amount = 1.2
    cancel_cp: Amount = 0.3

    # Phases (4.4). `d_max_bars` is ours: phase D without markup must end some day.
    b_min_bars_daily: Lookback = 10
    b_min_bars_weekly: Lookback = 5
    b_volatile_bars: Lookback = 8
    b_volatile_return: Amount = 0.03
    b_override_score: Amount = 85.0
    d_max_bars: Lookback = 60

    def gates(self, timeframe: str) -> Float64:
        """(gates.COUNT,) float64 by the positions in `gates`. KeyError on an unknown timeframe."""
        row = np.full(gates.COUNT, np.nan)
        for name, value in (self.model_dump() | self._derived(timeframe)).items():
            position = vars(gates).get(name.upper())
            if position is not None:
                row[position] = value
        return row

    def _derived(self, name: str) -> dict[str, float]:
        timeframe = settings_of(name)
        multiplier = MULTIPLIER[timeframe] / 100
        daily = multiplier if LENGTH_NS[timeframe] >= DAY_NS else 0.0
        short = LENGTH_NS[timeframe] <= 5 * MINUTE_NS
        depth_multiplier = max(MULTIPLIER[timeframe], DEPTH_MULTIPLIER_MIN) / 100
        return {
            "pivot_bars": self.pivot_bars_short if short else self.pivot_bars_daily,
            "percentile_rank": np.ceil(self.sc_vr_percentile * self.percentile_bars / 100),
            "b_min_bars": self.b_min_bars_weekly if timeframe == "1w" else self.b_min_bars_daily,
            "ar_rise_fraction": self.ar_rise_percent * daily,
            "width_fraction": self.range_width_min_percent * multiplier,
            "depth_fraction": self.spring_depth_percent * depth_multiplier,
            "sos_fraction": self.sos_distance_percent * daily,
        }
