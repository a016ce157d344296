"""Features and swings: the hand-computed vectors of the rule book and their edges."""

import numpy as np
import pytest

from engine.timeframes import TIMEFRAMES
from engine.wyckoff import gates
from engine.wyckoff.settings import DetectorSettings
from tests.wyckoff.series import block, closed, decorated, detector, planted, run


def columns(rows: object, **options: object) -> object:
    return decorated(
        run(detector(**options), block(closed(rows, **({"timeframe": options["detect_on"][0]} if options else {}))))
    )  # type: ignore[index]


def flat(count: int) -> list[tuple[float, ...]]:
    return [(10.0, 11.0, 9.0, 10.0, 100.0)] * count


def test_vector_1_volume_spread_and_close_position() -> None:
    bars = columns([*flat(20), (10.0, 12.0, 10.0, 12.0, 300.0)])

    assert (bars.vr[20], bars.sr[20], bars.cp[20]) == (3.0, 1.0, 1.0)


def test_vector_4_a_flat_bar_has_no_spread_and_anchors_nothing() -> None:
    bars = columns([*flat(20), (10.0, 10.0, 10.0, 10.0, 300.0)])

    assert (bars.cp[20], bars.sr[20]) == (0.5, 0.0)


def test_vector_5_the_volume_ratio_needs_twenty_bars_before() -> None:
    bars = columns(flat(21))

    assert np.isnan(bars.vr[:20]).all()
    assert np.isnan(bars.sr[:20]).all()
    assert bars.vr[20] == 1.0


def test_a_bar_without_volume_is_in_no_reference() -> None:
    silent = (10.0, 30.0, 5.0, 10.0, 0.0)
    bars = columns([*flat(10), silent, *flat(10), (10.0, 12.0, 10.0, 12.0, 300.0), silent])

    assert np.isnan(bars.vr[:21]).all()
    assert (bars.vr[21], bars.sr[21]) == (3.0, 1.0)
    assert np.isnan(bars.vr[10])
    assert np.isnan(bars.vr[22])
    assert bars.atr[22] == bars.atr[21]


def test_atr_is_wilders() -> None:
    bars = planted(60, seed=1)
    got = decorated(run(detector(), block(bars))).atr

    before = np.concatenate(([bars.close[0]], bars.close[:-1]))
    ranges = np.maximum.reduce([bars.high - bars.low, abs(bars.high - before), abs(bars.low - before)])
    expected = np.full(60, np.nan)
    expected[13] = ranges[:14].mean()
    for row in range(14, 60):
        expected[row] = (expected[row - 1] * 13 + ranges[row]) / 14
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def dip(depths: dict[int, float], count: int = 40) -> list[tuple[float, ...]]:
    return [(10.0, 11.0, 9.0 - depths.get(row, 0.0), 10.0, 100.0) for row in range(count)]


def test_vector_22_equal_lows_make_one_swing_at_the_first() -> None:
    bars = columns(dip({25: 2.0, 26: 2.0}))

    confirmed = np.flatnonzero(~np.isnan(bars.swing_low))
    assert confirmed.tolist() == [30]  # five bars after the first of the two
    assert bars.swing_low[30] == 7.0


def test_a_swing_confirms_after_three_bars_on_five_minutes() -> None:
    bars = columns(dip({25: 2.0}), detect_on=("5m",))

    assert np.flatnonzero(~np.isnan(bars.swing_low)).tolist() == [28]


def test_a_swing_needs_a_reversal_of_one_atr() -> None:
    shallow = [(10.0, 10.02, 9.98 - (0.01 if row == 25 else 0.0), 10.0, 100.0) for row in range(40)]
    wide = [(10.0, 20.0, 5.0, 10.0, 100.0)] * 15

    assert np.isnan(columns([*wide, *shallow[15:]]).swing_low).all()


def test_a_swing_high_is_the_mirror_of_a_swing_low() -> None:
    bars = planted(400, seed=3)
    upright = decorated(run(detector(), block(bars)))
    rows = np.stack([-bars.open, -bars.low, -bars.high, -bars.close, bars.volume], axis=1)
    upside_down = decorated(run(detector(), block(closed(rows))))

    assert (~np.isnan(upright.swing_low)).sum() > 10
    np.testing.assert_array_equal(upright.swing_low, -upside_down.swing_high)
    np.testing.assert_array_equal(upright.swing_high, -upside_down.swing_low)


def test_every_gate_is_filled_for_every_timeframe() -> None:
    settings = DetectorSettings()
    names = [
        name for name, value in vars(gates).items() if name.isupper() and isinstance(value, int) and name != "COUNT"
    ]
    fields = set(DetectorSettings.model_fields)

    assert len({vars(gates)[name] for name in names}) == len(names)
    assert {name.lower() for name in names} - fields <= {name.lower() for name in gates.DERIVED}
    for timeframe in TIMEFRAMES:
        for side, asset_class in ((1, "stock"), (-1, "stock"), (1, "fx"), (-1, "crypto")):
            assert np.isfinite(settings.gates(timeframe, side, asset_class)).all()


def test_percent_gates_follow_the_timeframe() -> None:
    settings = DetectorSettings()

    assert settings.gates("1d")[gates.SOS_FRACTION] == pytest.approx(0.01)
    assert settings.gates("1h")[gates.SOS_FRACTION] == 0.0
    assert settings.gates("1m")[gates.DEPTH_FRACTION] == pytest.approx(0.015)
    assert settings.gates("1w")[gates.B_MIN_BARS] == 5


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="sc_vrr"):
        DetectorSettings(sc_vrr=1.0)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["tick:500", "volume:50000", "dollar:1000000"])
def test_counted_bars_are_judged_by_the_settings_of_minutes_without_times_of_day(name: str) -> None:
    settings = DetectorSettings()

    differing = np.flatnonzero(~np.isclose(settings.gates(name), settings.gates("1m"), equal_nan=True))

    assert set(differing.tolist()) == {gates.IS_INTRADAY, gates.GAP_MAX}
    assert settings.gates(name)[gates.IS_INTRADAY] == 0
