"""The reference itself against what can be worked out by hand: the golden vectors of section 12, by number."""

from dataclasses import replace
from math import isnan, nan

import pytest

from engine.blocks import Bars
from engine.wyckoff.settings import MULTIPLIER, DetectorSettings
from tests.wyckoff.reference import book, features, levels, springs
from tests.wyckoff.reference.compare import rows_of
from tests.wyckoff.reference.detector import Row, Shown, detect
from tests.wyckoff.reference.features import Bar, effort_class
from tests.wyckoff.reference.levels import Level
from tests.wyckoff.reference.swings import Start, is_pivot_low, swing_lows
from tests.wyckoff.series import ACCUMULATION, CAUSE, CLIMAX, DECLINE, QUIET, RALLY, SPRING, TEST_OF_CLIMAX, closed
from tests.wyckoff.series import mirrored as turned

RANGE = QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX + CAUSE


def shown(rows: object) -> list[Shown]:
    return detect(rows_of(rows if isinstance(rows, Bars) else closed(rows)))[0]


def flat(count: int) -> list[tuple[float, ...]]:
    return [(10.0, 11.0, 9.0, 10.0, 100.0)] * count


def told(rows: object, direction: int = 1) -> list[tuple[str, int, float]]:
    """(kind, bar it points at, price) of one side's events."""
    return [
        (found.kind, found.bar.number, found.price)
        for one in shown(rows)
        for machine, found in one.events
        if machine.direction == direction
    ]


def bar(number: int, low: float, high: float | None = None, atr: float = 1.0) -> Bar:
    top = low + 1.0 if high is None else high
    return Bar(number, number, top, low, (top + low) / 2, 100.0, 1.0, 1.0, 0.5, atr, atr)


def test_vector_1_volume_spread_and_close_position() -> None:
    last = shown([*flat(20), (10.0, 12.0, 10.0, 12.0, 300.0)])[20]

    assert (last.vr, last.sr, last.cp) == (3.0, 1.0, 1.0)
    assert effort_class(last.vr, last.sr, change=2.0) == "CLIMAX_UP"


@pytest.mark.parametrize(
    ("vr", "sr", "change", "expected"),
    [
        (1.5, 1.5, -1.0, "CLIMAX_DOWN"),  # vector 2
        (1.49, 1.5, 1.0, "NORMAL"),
        (1.4, 0.8, 1.0, "ABSORB_UP"),  # vector 3
        (1.4, 0.8, -1.0, "ABSORB_DOWN"),
        (0.6, 0.8, 1.0, "NO_DEMAND"),
        (0.6, 0.8, -1.0, "NO_SUPPLY"),
        (2.0, 1.0, 1.0, "CLIMAX_UP"),
        (1.99, 1.0, 1.0, "NORMAL"),
        (0.79, 1.2, 1.0, "EASE_UP"),
        (0.8, 1.2, 1.0, "NORMAL"),
        (nan, 1.2, 1.0, "NORMAL"),
        (1.5, nan, -1.0, "NORMAL"),
    ],
)
def test_vectors_2_and_3_effort_classes(vr: float, sr: float, change: float, expected: str) -> None:
    assert effort_class(vr, sr, change) == expected


def test_vector_4_a_flat_bar() -> None:
    last = shown([*flat(20), (10.0, 10.0, 10.0, 10.0, 300.0)])[20]

    assert (last.cp, last.sr) == (0.5, 0.0)


def test_vector_5_no_volume_ratio_at_bar_19() -> None:
    found = shown(flat(21))

    assert isnan(found[19].vr)
    assert found[20].vr == 1.0


@pytest.mark.parametrize(
    ("duration", "touches", "deviation_atr", "ratio", "expected"),
    [
        (40, 4, 0.3, 0.8, 100.0),  # vector 6; its 0.9 % is the band under .35 ATR
        (25, 2, 0.6, 1.0, 60.0),  # vector 7; its 1.6 % is the band under .75 ATR
        (9, 0, nan, nan, 10.0),
    ],
)
def test_vectors_6_and_7_quality(
    duration: int, touches: int, deviation_atr: float, ratio: float, expected: float
) -> None:
    side = Level(touches, deviation_atr * 2.0, ratio, 0.5, 20)

    assert levels.quality(duration, side, side, atr=2.0) == expected


def test_a_first_time_level_of_two_touches_reaches_seventy() -> None:
    """Section 2.4, note."""
    assert levels.strength(Level(2, 0.1, 0.5, 0.9, 30)) == 70.0


def test_vector_8_targets() -> None:
    assert levels.targets(100.0, 110.0) == (110.0, 120.0, 130.0, 140.0)


def test_vector_11_nine_bars_in_phase_b_are_too_few() -> None:
    """A spring ten bars after phase B began; the same one bar earlier is none."""
    head = QUIET + DECLINE + CLIMAX + RALLY + TEST_OF_CLIMAX
    found = shown(head + CAUSE)
    begun = next(number for number, one in enumerate(found) if one.phase == "B")
    nine = (head + CAUSE)[: begun + 9]
    probe = (104.0, 104.5, 97.0, 104.0, 600.0)

    assert "SPRING" not in [kind for kind, _, _ in told([*nine, probe])]
    assert "SPRING" in [kind for kind, _, _ in told([*nine, (104.0, 104.5, 103.5, 104.0, 600.0), probe])]


def test_vector_20_a_close_under_the_spring_voids_it() -> None:
    under = [(102.0, 102.5, 98.0, 98.5, 500.0), (98.5, 99.0, 95.0, 96.0, 900.0)]
    found = [one for one in shown(RANGE + SPRING + under) if one.events][-1]
    voided, failed = (event for _, event in found.events)
    spring = RANGE.index(RANGE[-1]) + 1

    assert (voided.kind, failed.kind, voided.phase) == ("SPRING_FAILED", "RANGE_FAILED", "NONE")
    assert voided.supersedes is not None
    assert voided.supersedes[0] == "SPRING"
    assert told(RANGE + SPRING)[-1][:2] == ("SPRING", max(spring, len(RANGE)))


def test_vector_21_the_mirror_of_an_accumulation_has_the_same_events() -> None:
    upright, upside_down = told(closed(ACCUMULATION)), told(turned(closed(ACCUMULATION)), -1)

    assert [kind for kind, _, _ in upright[:3]] == ["SC", "AR", "ST"]
    assert [(kind, number) for kind, number, _ in upright[:3]] == [
        (kind, number) for kind, number, _ in upside_down[:3]
    ]


def test_vector_22_equal_lows_make_one_pivot_at_the_first() -> None:
    lows = [5.0, 4.0, 3.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    bars = [bar(number, low) for number, low in enumerate(lows)]

    assert [number for number in range(len(lows)) if is_pivot_low(bars, number, 2)] == [2]


def test_a_zigzag_low_needs_a_fall_and_a_bounce_of_one_atr() -> None:
    lows = [9.5, 8.0, 7.0, 7.2, 8.5, 8.2, 8.4, 7.4, 7.3, 9.0]
    bars = [bar(number, low, low + 0.4) for number, low in enumerate(lows)]
    found = swing_lows(bars, Start(first=1, high=10.0, support=6.0, known=0))

    assert [(swing.low.number, swing.confirm) for swing in found] == [(2, 4), (8, 9)]


def test_a_bar_without_volume_is_in_no_reference() -> None:
    silent = (10.0, 30.0, 5.0, 10.0, 0.0)
    found = shown([*flat(20), silent, (10.0, 12.0, 10.0, 12.0, 300.0)])

    assert isnan(found[20].vr)
    assert (found[21].vr, found[21].sr) == (3.0, 1.0)


def test_the_volume_ratio_by_the_median_does_not_hide_behind_one_loud_bar() -> None:
    before = [100.0] * 19 + [2_000.0]

    assert features.volume_ratio(300.0, before) == pytest.approx(300 / 195)
    assert features.volume_ratio_median(300.0, before) == 3.0


@pytest.mark.parametrize(
    ("vr", "name"), [(0.49, "DRY"), (0.5, "LOW"), (0.7, "NORMAL"), (1.3, "HIGH"), (1.99, "HIGH"), (2.0, "CLIMAX")]
)
def test_a_border_of_two_zones_belongs_to_the_higher(vr: float, name: str) -> None:
    assert features.zone(vr) == name


def vsa(rows: list[tuple[float, float, float, float, float]], *, rising: bool) -> str:
    """What the bar before the last is, after 70 bars up or down. Rows are (high, low, close, vr, sr)."""
    drift = 0.3 if rising else -0.3
    past = [
        replace(bar(number, 9.0, 11.0), close=10.0 + drift * (number - 70), vr=0.9 if number % 2 else 1.1)
        for number in range(70)
    ]
    swings = [replace(one, close=one.close + (1.0 if one.number % 2 == rising else -1.0)) for one in past]
    bars = swings + [
        replace(
            bar(70 + number, low, high), close=close, vr=vr, volume=100 * vr, sr=sr, cp=(close - low) / (high - low)
        )
        for number, (high, low, close, vr, sr) in enumerate(rows)
    ]
    return features.vsa_bar(bars, len(bars) - 2)


def test_vsa_bars_follow_the_literature() -> None:
    calm = [(11.0, 9.0, 10.0, 1.0, 1.0)] * 5
    quiet_up, lower = (10.6, 10.1, 10.5, 0.5, 0.3), (10.5, 9.0, 9.5, 1.0, 1.0)
    quiet_down, higher = (10.0, 9.4, 9.6, 0.5, 0.3), (11.0, 9.6, 10.8, 1.0, 1.0)
    weak = [(11.0, 9.0, 10.0, 1.0, 1.0), (10.0, 8.5, 9.0, 2.0, 1.0), (10.5, 9.0, 10.0, 0.9, 1.0)]
    strong = [(11.0, 9.0, 10.0, 1.0, 1.0), (12.0, 10.0, 11.0, 2.0, 1.0), (11.0, 9.5, 10.0, 0.9, 1.0)]

    assert vsa([*calm, *weak, quiet_up, lower], rising=True) == "NO_DEMAND"
    assert vsa([*calm, *weak, quiet_up, higher], rising=True) == ""
    assert vsa([*calm, *strong, quiet_down, higher], rising=False) == "NO_SUPPLY"
    assert vsa([*calm, *strong, quiet_down, (9.5, 8.0, 8.5, 1.0, 1.0)], rising=False) == ""
    assert vsa([*calm, *weak, (13.0, 10.0, 10.5, 1.5, 1.5), lower], rising=True) == "UPTHRUST"


@pytest.mark.parametrize(
    ("vr", "sr", "kind"), [(0.84, 0.99, 3), (0.85, 0.9, 2), (0.8, 1.0, 2), (1.5, 1.2, 1), (1.5, 1.19, 2), (3.0, 0.5, 2)]
)
def test_the_type_of_a_spring(vr: float, sr: float, kind: int) -> None:
    assert springs.spring_type(springs.Break(bar(0, 1.0), bar(0, 1.0), vr, sr, 0)) == kind


SAME = {
    "vr_lookback_bars": book.VR_BARS, "sr_lookback_bars": book.SR_BARS, "atr_bars": book.ATR_BARS,
    "prior_move_bars": book.PRIOR_BARS, "percentile_bars": book.PERCENTILE_BARS, "swing_atr": book.SWING_ATR,
    "range_touch_atr": book.TOUCH_ATR, "range_width_min_atr": book.WIDTH_MIN_ATR,
    "range_width_min_percent": book.WIDTH_MIN_PERCENT, "range_width_max_atr": book.WIDTH_MAX_ATR,
    "range_active_bars": book.ACTIVE_BARS, "range_fail_atr": book.FAIL_ATR,
    "sc_vr_percentile": book.SC_PERCENTILE, "sc_vr_floor": book.SC_VR_FLOOR, "sc_vr_ceiling": book.SC_VR_CEILING,
    "sc_sr": book.SC_SR, "sc_low_bars": book.SC_LOW_BARS, "sc_prior_atr": book.SC_PRIOR_ATR,
    "sc_confirm_bars": book.SC_CONFIRM_BARS, "sc_again_vr": book.SC_AGAIN_VR,
    "ps_vr": book.PS_VR, "ps_sr": book.PS_SR, "ps_reaction_atr": book.PS_REACTION_ATR,
    "ps_reaction_bars": book.PS_REACTION_BARS, "ps_supersede_min_bars": book.PS_SOONEST,
    "ps_supersede_max_bars": book.PS_LATEST,
    "ar_rise_atr": book.AR_RISE_ATR, "ar_rise_percent": book.AR_RISE_PERCENT, "ar_max_bars": book.AR_BARS,
    "ar_min_bars": book.AR_MIN_BARS, "ar_pivot_bars": book.AR_K,
    "st_window_bars": book.ST_BARS, "st_under_atr": book.ST_UNDER_ATR, "st_upper_fraction": book.ST_UPPER,
    "st_vr_fraction": book.ST_VR, "st_sr_fraction": book.ST_SR, "st_separation_bars": book.ST_APART_BARS,
    "st_bounce_atr": book.ST_BOUNCE_ATR, "st_pivot_bars": book.ST_K, "st_supply_vr": book.ST_SUPPLY_VR,
    "st_supply_points": book.ST_SUPPLY_POINTS, "hold_bars": book.HOLD_BARS, "hold_points": book.HOLD_POINTS,
    "spring_edge_atr": book.SPRING_EDGE_ATR, "spring_depth_percent": book.SPRING_PERCENT,
    "spring_depth_atr": book.SPRING_ATR, "spring_shock_atr": book.SHOCK_ATR,
    "spring_reclaim_bars": book.SPRING_BARS, "spring_closes_below": book.SPRING_CLOSES,
    "spring_quiet_vr": book.QUIET_VR, "spring_quiet_sr": book.QUIET_SR, "spring_heavy_vr": book.HEAVY_VR,
    "spring_heavy_sr": book.HEAVY_SR, "spring_stale_bars": book.STALE_BARS,
    "spring_stale_fraction": book.STALE_SHARE,
    "test_window_bars": book.TEST_BARS, "test_zone_atr": book.TEST_ATR, "test_zone_fraction": book.TEST_SHARE,
    "test_vr_fraction": book.TEST_VR, "test_confirm_bars": book.TEST_CONFIRM_BARS,
    "test_supply_cp": book.TEST_SUPPLY_CP,
    "sos_distance_atr": book.SOS_ATR, "sos_distance_percent": book.SOS_PERCENT, "sos_leg_bars": book.SOS_LEG_BARS,
    "sos_vr": book.SOS_VR, "sos_sr": book.SOS_SR, "sos_cp": book.SOS_CP, "sos_pair_vr": book.SOS_PAIR_VR,
    "sos_direct_score": book.SOS_SCORE, "sos_level_strength": book.SOS_LEVEL, "sos_fail_atr": book.SOS_FAIL_ATR,
    "sos_fail_closes": book.SOS_FAIL_CLOSES, "sos_fail_bars": book.SOS_FAIL_BARS,
    "weak_closes": book.WEAK_CLOSES, "weak_score_cap": book.WEAK_CAP, "weak_points": book.WEAK_POINTS,
    "lps_window_bars": book.LPS_BARS, "lps_pullback_bars": book.LPS_PULLBACK, "lps_under_atr": book.LPS_UNDER_ATR,
    "lps_over_atr": book.LPS_OVER_ATR, "lps_vr_bar": book.LPS_VR, "lps_sr_mean": book.LPS_SR,
    "lps_leg_fraction": book.LPS_LEG, "lps_confirm_bars": book.LPS_CONFIRM_BARS, "lps_weak_cap": book.LPS_WEAK_CAP,
    "cancel_vr": book.CANCEL_VR, "cancel_sr": book.CANCEL_SR, "cancel_cp": book.CANCEL_CP,
    "b_volatile_bars": book.B_VOLATILE, "b_volatile_return": book.B_VOLATILE_RETURN,
    "b_override_score": book.B_OVERRIDE_SCORE, "d_max_bars": book.D_BARS,
    "rvol_min_sessions": book.RVOL_LEAST, "range_form_bars": book.FORM_BARS, "range_freeze_atr": book.FREEZE_ATR,
    "range_overlap": book.OVERLAP, "range_track_quality": book.TRACK_QUALITY, "range_decay_bars": book.DECAY_BARS,
    "range_decay_points": book.DECAY_POINTS, "cluster_bars": book.CLUSTER_BARS,
    "cluster_tolerance_atr": book.CLUSTER_ATR, "cluster_tolerance_percent": book.CLUSTER_PERCENT,
    "cluster_touches": book.CLUSTER_TOUCHES, "trend_atr": book.TREND_ATR, "box_atr": book.BOX_ATR,
    "box_reversal": book.BOX_REVERSAL, "soft_low_bars": book.SOFT_BARS, "soft_prior_atr": book.SOFT_ATR,
    "soft_rise_atr": book.SOFT_RISE_ATR, "soft_score_cap": book.SOFT_CAP, "ps_points": book.PS_POINTS,
    "ut_depth_atr": book.UT_ATR, "ut_back_bars": book.UT_BACK_BARS, "ut_vr": book.UT_VR, "ut_cp": book.UT_CP,
    "ut_points": book.UT_POINTS, "shake_cp": book.SHAKE_CP, "shake_points": book.SHAKE_POINTS,
    "bias_max_points": book.BIAS_MOST, "warning_springs": book.WARNING_SPRINGS,
    "warning_points": book.WARNING_POINTS, "utad_reclaim_bars": book.UTAD_BARS, "utad_effort_vr": book.UTAD_VR,
    "utad_signs": book.UTAD_SIGNS, "sow_minor_atr": book.MINOR_ATR, "sow_rearm_atr": book.MINOR_AGAIN_ATR,
    "lps_inside_fraction": book.INSIDE_SHARE, "b_min_bars_daily": book.scale("1d").b_min,
    "b_min_bars_weekly": book.scale("1w").b_min, "b_min_reaccumulation_bars": book.B_MIN_AGAIN,
    "sos_vr_fx": book.SOS_VR_FX, "score_cap_fx": book.CAP_FX, "score_cap_crypto": book.CAP_CRYPTO,
    "gap_max_bars": book.GAP_DAYS, "gap_max_sessions": book.GAP_SESSIONS,
    "pivot_bars_daily": book.scale("1d").pivot_k, "pivot_bars_short": book.scale("5m").pivot_k,
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_the_settings_are_those_of_the_book(name: str) -> None:
    assert getattr(DetectorSettings(), name) == SAME[name]


NOT_IN_THE_REFERENCE = {
    "sr_true_range", "spring_strict", "spring_strict_vr", "spring_strict_vr_thin",  # choices that are off by default
    "pattern_weights", "context_points",  # 3.14: said of an event, decides nothing
}  # fmt: skip
"""Weights of scores are numbers of the score functions: the scores are compared."""


def test_every_setting_is_held_against_the_book() -> None:
    weights = {name for name in DetectorSettings.model_fields if name.endswith("_weights")}

    assert set(DetectorSettings.model_fields) - weights - NOT_IN_THE_REFERENCE == set(SAME)


def test_the_multipliers_are_those_of_the_book() -> None:
    assert MULTIPLIER == book.MULTIPLIER


def test_a_row_is_what_a_bar_brings() -> None:
    assert Row(1, 2.0, 1.0, 1.5, 10.0) == rows_of(closed([(1.0, 2.0, 1.0, 1.5, 10.0)], open_ns=[1]))[0]
