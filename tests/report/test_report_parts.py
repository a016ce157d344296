"""The parts of the report: markup, candles, scales, what is selected, marks."""

import re
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.messages import NEVER_NS, EventKind, Phase, SessionStart
from engine.replay_command import ReplayCommand
from engine.report.candles import COLUMNS, BarKeeper, Candles
from engine.report.frame import axes, framed
from engine.report.marks import marks
from engine.report.markup import Html, data_block, number, tag
from engine.report.material import EventRow
from engine.report.scales import LOG_FROM, decimals, scale, ticks, time_ticks
from engine.report.selection import (
    ASKED,
    MOST_CHARTS,
    MOST_STRETCHES,
    MOST_STRETCHES_A_CHART,
    RANGE,
    TRADED,
    Subject,
    kept,
    stretch,
)
from engine.report_command import OPTIONS, reproduced
from engine.timeframes import DAY_NS, TIMEFRAMES
from tests.lines import config, line, recorded
from tests.markets import bar_market

HOSTILE = st.text(st.sampled_from("<>&\"'/ =ax\u2028"), max_size=20)


def candles(rows: int, seed: int = 1, start_ns: int = 0) -> Candles:
    random = np.random.default_rng(seed)
    close = 100 + np.cumsum(random.normal(0, 1, rows))
    opened = np.concatenate(([100.0], close[:-1]))
    open_ns = start_ns + DAY_NS * np.arange(rows, dtype=np.int64)
    return Candles(
        1, open_ns=open_ns, close_ns=open_ns + DAY_NS, open=opened, high=np.maximum(opened, close) + 0.5,
        low=np.minimum(opened, close) - 0.5, close=close, volume=random.uniform(1, 9, rows),
        phase=np.zeros(rows, np.int8), direction=np.zeros(rows, np.int8), confidence=np.zeros(rows),
    )  # fmt: skip


# ---------------------------------------------------------------------------------- markup


@given(HOSTILE)
def test_text_stays_text(text: str) -> None:
    made = tag("p", text, title=text)

    assert made.count("<") == made.count(">") == 2
    assert made.count('"') == 2


def test_what_was_made_here_is_not_escaped_twice() -> None:
    assert tag("p", tag("b", "a & b"), None, ["x", Html("<i></i>")]) == "<p><b>a &amp; b</b>x<i></i></p>"
    assert tag("input", type="range", hidden=True, checked=False, max=3.5) == '<input type="range" hidden max="3.5">'


@given(st.lists(HOSTILE))
def test_data_cannot_end_its_element(texts: list[str]) -> None:
    made = data_block("data-1", texts)

    assert made.count("<") == 2
    assert "\u2028" not in made


@given(st.floats(-1e6, 1e6))
def test_numbers_are_short_and_plain(value: float) -> None:
    text = number(value)

    assert abs(float(text) - value) <= 0.05 + 1e-9
    assert "e" not in text
    assert text != "-0"


# --------------------------------------------------------------------------------- candles


@given(st.integers(1, 300), st.integers(1, 50))
def test_thinned_candles_hold_what_they_stand_for(rows: int, most: int) -> None:
    whole = candles(rows)

    thin = whole.thinned(most)

    assert len(thin) <= most
    assert thin.per_candle * (len(thin) - 1) < rows <= thin.per_candle * len(thin)
    assert thin.high.max() == whole.high.max()
    assert thin.low.min() == whole.low.min()
    assert thin.volume.sum() == pytest.approx(whole.volume.sum())
    assert (thin.open[0], thin.close[-1]) == (whole.open[0], whole.close[-1])
    assert (thin.high >= np.maximum(thin.open, thin.close)).all()


def test_candles_come_back_as_they_were_packed() -> None:
    whole = candles(50)

    back = Candles.unpack(whole.pack(), 1)

    for name in COLUMNS:
        assert getattr(back, name).tolist() == getattr(whole, name).tolist()
    with pytest.raises(ValueError, match="whole rows"):
        Candles.unpack(zlib.compress(b"abc"), 1)


def test_a_moment_is_found_in_its_candle() -> None:
    found = candles(10)

    assert found.place(0) == 0
    assert found.place(DAY_NS - 1) == 0
    assert found.place(DAY_NS) == 1, "a bar holds its open, not its close"
    assert found.known_place(DAY_NS) == 0, "what is known at a close is known on its bar"
    assert found.known_place(DAY_NS + 1) == 1
    assert found.place(99 * DAY_NS) == 9


@pytest.mark.parametrize("chunk", [1, 7, 4_096])
def test_bars_are_kept_however_the_feed_is_cut(chunk: int) -> None:
    market = recorded(bar_market(2, 60, 3), symbols=2)
    keepers = [BarKeeper(market.start), BarKeeper(market.start)]
    for keeper, rows in zip(keepers, (chunk, 50), strict=True):
        built = line(market, config(), sinks=[keeper])
        for fact in market.facts(rows):
            built.chain.push(fact)

    found = [list(keeper.charts()) for keeper in keepers]

    assert [(symbol, name, len(bars)) for symbol, name, bars in found[0]] == [
        (symbol, "1d", 60) for symbol in market.table.symbols
    ]
    assert [bars.pack() for *_, bars in found[0]] == [bars.pack() for *_, bars in found[1]]


def test_bars_beyond_the_limit_are_counted() -> None:
    market = recorded(bar_market(1, 60, 3))
    keeper = BarKeeper(market.start, most=20)
    built = line(market, config(), sinks=[keeper])
    for fact in market.facts(1):
        built.chain.push(fact)

    assert keeper.left_out == 40
    assert [len(bars) for *_, bars in keeper.charts()] == [20]


# ---------------------------------------------------------------------------------- scales


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5))
def test_ticks_are_inside_round_and_few(low: float, span: float) -> None:
    axis = scale([low, low + span], 100, 0)

    found = ticks(axis)

    assert 1 <= len(found) <= 12
    assert found == sorted(set(found))
    assert all(axis.low - 1e-6 * span <= value <= axis.high + 1e-6 * span for value in found)
    places = decimals(found)
    assert len({f"{value:.{places}f}" for value in found}) == len(found)
    assert places == 8 or all(float(f"{value:.{places}f}") == pytest.approx(value, abs=1e-6 * span) for value in found)


def test_a_wide_span_of_prices_is_logarithmic() -> None:
    axis = scale([10, 10 * LOG_FROM * 2], 100, 0)

    assert axis.is_log
    assert axis(20) - axis(10) == pytest.approx(axis(40) - axis(20))
    assert not scale([-1, 100], 100, 0).is_log
    assert not scale([90, 110], 100, 0).is_log


def test_time_is_told_at_borders_of_the_calendar() -> None:
    days = np.arange(np.datetime64("2019-11-20"), np.datetime64("2021-02-01"), dtype="datetime64[D]")

    found = time_ticks(days.astype("datetime64[ns]").astype(np.int64))

    assert [label for _, label in found] == ["2020", "Apr", "Jul", "Oct", "2021"]
    assert days[found[1][0]] == np.datetime64(date(2020, 4, 1))


# ------------------------------------------------------------------------------- selection


def test_a_page_is_bounded_and_shows_trades_first() -> None:
    charts = [(f"S{number:03d}", "1d", candles(100)) for number in range(60)]
    subjects = [
        Subject(
            symbol, "1d", TRADED if symbol == "S059" else ASKED, place * DAY_NS, (place + 9) * DAY_NS, 1, f"{place}"
        )
        for symbol, *_ in charts
        for place in range(0, 80, 4)
    ]

    found = list(kept(charts, subjects))

    overviews = [one for one in found if one.part == 0]
    stretches = [one for one in found if one.part]
    assert len(overviews) == MOST_CHARTS
    assert overviews[0].symbol == "S059"
    assert len(stretches) == MOST_STRETCHES
    assert sum(1 for one in stretches if one.symbol == "S059") == MOST_STRETCHES_A_CHART
    assert {one.symbol for one in stretches} >= {one.symbol for one in overviews[:MOST_STRETCHES_A_CHART]}
    assert all(one.subject for one in stretches)


def test_ranges_are_shown_where_no_campaign_was() -> None:
    charts = [("A", "1d", candles(100)), ("B", "1d", candles(100))]
    subjects = [
        Subject("A", "1d", ASKED, 0, 9 * DAY_NS, 1, "A-1"),
        *(Subject(symbol, "1d", RANGE, 0, 9 * DAY_NS, weight) for symbol in "AB" for weight in range(9)),
    ]

    found = [(one.symbol, one.subject) for one in kept(charts, subjects) if one.part]

    assert found == [("A", "A-1"), ("B", ""), ("B", ""), ("B", "")]


def test_a_stretch_has_bars_on_both_sides_and_ends_with_the_chart() -> None:
    bars = candles(400)

    middle, end = stretch(bars, 150 * DAY_NS, 250 * DAY_NS), stretch(bars, 380 * DAY_NS, 900 * DAY_NS)

    assert middle.open_ns[0] < 140 * DAY_NS
    assert middle.close_ns[-1] > 260 * DAY_NS
    assert end.close_ns[-1] == bars.close_ns[-1]


def test_a_chart_is_told_in_prices_and_times() -> None:
    drawn = "".join(axes(framed(candles(200), [])))

    told = re.findall(r'class="tick"[^>]*>([^<]+)<', drawn)

    assert {"Feb", "Mar", "Apr"} <= set(told)
    assert sum(1 for one in told if one.replace(".", "").isdigit()) >= 3


# ----------------------------------------------------------------------------------- marks


def event(**changes: Any) -> EventRow:
    plain: dict[str, Any] = {
        "event_id": "e", "symbol": "A", "timeframe": "1d", "direction": 1, "kind": EventKind.SPRING,
        "event_ns": 10 * DAY_NS, "confirm_ns": 13 * DAY_NS, "known_ns": 14 * DAY_NS, "price": 99.0, "score": 70.0,
        "phase": Phase.C, "support": 98.0, "resistance": 103.0, "range_start_ns": 0, "supersedes": "",
        "confidence": None, "volume_ratio": None, "spread_ratio": None,
    }  # fmt: skip
    return EventRow(**(plain | changes))


def test_a_mark_stands_at_its_bar_and_a_line_leads_to_the_bar_that_confirmed_it() -> None:
    frame = framed(candles(60), [])

    (mark,) = marks(frame, [event()], side=0, most_weight=9)

    assert 'data-k="13"' in mark
    assert f'cx="{number(frame.x(10), 2)}"' in mark
    assert f"M{frame.x(10):.1f} " in mark
    assert f"H{frame.x(13):.1f}" in mark
    assert "known 1970-01-15" in mark
    assert ">SPRING</text>" in mark


def test_what_was_relabelled_is_faint_and_the_other_side_has_names_of_its_own() -> None:
    frame = framed(candles(60), [])
    events = [event(), event(event_id="f", supersedes="e", event_ns=20 * DAY_NS, confirm_ns=20 * DAY_NS, direction=-1)]

    first, second = marks(frame, events, side=0, most_weight=9)

    assert "event accumulation tip old" in first
    assert ">UTAD</text>" in second
    assert 'class="known"' not in second, "known at once: no line"


# --------------------------------------------------------------------------------- command


def test_the_command_repeats_every_option_that_changes_a_run() -> None:
    outputs = {"chunk", "tape", "resume", "store", "events", "phases", "trades", "decisions", "report", "as_json",
               "quiet", "color", "feeds", "speed", "monitor", "listen"}  # fmt: skip
    given = ReplayCommand(
        feeds=(Path("my bars.csv"),), config=(Path("a.toml"), Path("b.toml")), start="2020-01-01", strict=True,
        mapping=("volume=Qty",), symbol="$(reboot)", chunk=7, quiet=True, report=Path("x.html"),
    )  # fmt: skip

    assert set(OPTIONS) >= set(ReplayCommand.__struct_fields__) - outputs
    assert reproduced(given) == (
        "wyckoff replay 'my bars.csv' --config a.toml --config b.toml --from 2020-01-01 --symbol '$(reboot)'"
        " --map volume=Qty --strict"
    )


def test_a_session_without_bars_has_no_charts() -> None:
    session = SessionStart(
        time_ns=NEVER_NS, mode="replay", feeds=("a",), timeframes=TIMEFRAMES, symbols=("A",), cash=1, currency="USD",
        detect_on=("1d",),
    )  # fmt: skip

    assert list(BarKeeper(session).charts()) == []
