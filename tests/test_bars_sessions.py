"""BarAggregator with calendars: where intervals begin and end, and what lies outside."""

import numpy as np
import pytest

from engine.bars import BarAggregator
from engine.blocks import DERIVED, OUTSIDE
from engine.sessions import SessionError, always_open, sessions_of
from engine.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES
from tests.bars_rig import aggregator, closed, named, run, spans, taints, trades_at, utc
from tests.makers import bars, heartbeat, table, trades

# New York trades from 9:30 to 16:00. It turned its clocks forward on 2020-03-08, so Friday opens
# at 14:30 and Monday at 13:30 UTC. 2020-11-27 closed early, after Thanksgiving on the 26th.
MARCH = (
    ("2020-03-05 14:30", "2020-03-05 21:00"),
    ("2020-03-06 14:30", "2020-03-06 21:00"),
    ("2020-03-09 13:30", "2020-03-09 20:00"),
)
THANKSGIVING = (
    ("2020-11-25 14:30", "2020-11-25 21:00"),
    ("2020-11-27 14:30", "2020-11-27 18:00"),
    ("2020-11-30 14:30", "2020-11-30 21:00"),
)
# From 17:00 to 17:00 in New York, of the week before and after the same change of clocks.
FX = (
    ("2020-03-05 22:00", "2020-03-06 22:00"),
    ("2020-03-08 21:00", "2020-03-09 21:00"),
    ("2020-03-09 21:00", "2020-03-10 21:00"),
    ("2020-03-10 21:00", "2020-03-11 21:00"),
    ("2020-03-11 21:00", "2020-03-12 21:00"),
    ("2020-03-12 21:00", "2020-03-13 21:00"),
)


def test_hours_count_from_the_open_and_the_last_is_cut_at_the_close() -> None:
    stage = aggregator(build=("1h", "4h"), sessions=MARCH)
    day = trades_at(("2020-03-06 14:30", 1), ("2020-03-06 15:30", 2), ("2020-03-06 20:59:59", 3))

    out = closed(run(stage, day, heartbeat(utc("2020-03-06 21:00"))))

    assert spans(out) == [
        ("1h", "2020-03-06 14:30", "2020-03-06 15:30"),
        ("1h", "2020-03-06 15:30", "2020-03-06 16:30"),
        ("4h", "2020-03-06 14:30", "2020-03-06 18:30"),
        ("4h", "2020-03-06 18:30", "2020-03-06 21:00"),
        ("1h", "2020-03-06 20:30", "2020-03-06 21:00"),
    ]


def test_bars_follow_the_clocks_when_they_change() -> None:
    stage = aggregator(build=("1h", "1d"), sessions=MARCH)
    opens = trades_at(("2020-03-06 14:30", 1), ("2020-03-09 13:30", 2))

    out = closed(run(stage, opens, heartbeat(utc("2020-03-09 20:00"))))

    assert spans(out) == [
        ("1h", "2020-03-06 14:30", "2020-03-06 15:30"),
        ("1d", "2020-03-06 14:30", "2020-03-06 21:00"),
        ("1h", "2020-03-09 13:30", "2020-03-09 14:30"),
        ("1d", "2020-03-09 13:30", "2020-03-09 20:00"),
    ]


def test_a_half_day_and_its_week_close_early() -> None:
    stage = aggregator(build=("1h", "4h", "1d", "1w"), sessions=THANKSGIVING)
    week = trades_at(("2020-11-25 16:00", 1), ("2020-11-27 17:45", 2))

    out = closed(run(stage, week, heartbeat(utc("2020-11-27 18:00"))))

    assert spans(out)[-4:] == [
        ("1w", "2020-11-25 14:30", "2020-11-27 18:00"),
        ("1d", "2020-11-27 14:30", "2020-11-27 18:00"),
        ("4h", "2020-11-27 14:30", "2020-11-27 18:00"),
        ("1h", "2020-11-27 17:30", "2020-11-27 18:00"),
    ]


@pytest.mark.parametrize(
    "outside",
    [
        "2020-11-25 14:29:59.999999999",
        "2020-11-25 21:00",
        "2020-11-26 16:00",
        "2020-11-27 18:00",
        "2020-12-01 16:00",
        "2020-11-20 16:00",
    ],
)
def test_a_trade_outside_every_session_makes_no_bar_and_is_counted(outside: str) -> None:
    stage = aggregator(build=TIMEFRAMES, sessions=THANKSGIVING)

    out = run(stage, trades_at((outside, 1)), heartbeat(utc("2020-12-31 00:00")))

    assert len(closed(out)) == 0
    assert taints(out) == []
    assert stage.counts["outside_session"] == 1
    assert stage.counts["late_trades"] == 0


def test_trades_between_two_sessions_do_not_touch_the_bar_of_the_week() -> None:
    stage = aggregator(build=("1w",), sessions=MARCH)
    night = trades_at(("2020-03-05 15:00", 10), ("2020-03-06 03:00", 99), ("2020-03-06 15:00", 11))

    week = closed(run(stage, night, heartbeat(utc("2020-03-06 21:00"))))

    assert spans(week) == [("1w", "2020-03-05 14:30", "2020-03-06 21:00")]
    assert (week.high.tolist(), week.trades.tolist()) == ([11], [2])


def test_a_day_of_currencies_runs_from_evening_to_evening_and_its_week_from_sunday() -> None:
    stage = aggregator(build=("4h", "1d", "1w"), sessions=FX)
    monday = trades_at(("2020-03-06 21:59", 1), ("2020-03-08 21:00", 2), ("2020-03-09 20:59:59.9", 3))
    border = trades_at(("2020-03-09 21:00", 4), ("2020-03-13 20:00", 5))

    out = closed(run(stage, monday, border, heartbeat(utc("2020-03-13 21:00"))))

    days = [span for span in spans(out) if span[0] != "4h"]
    assert days == [
        ("1w", "2020-03-05 22:00", "2020-03-06 22:00"),
        ("1d", "2020-03-05 22:00", "2020-03-06 22:00"),
        ("1d", "2020-03-08 21:00", "2020-03-09 21:00"),
        ("1d", "2020-03-09 21:00", "2020-03-10 21:00"),
        ("1w", "2020-03-08 21:00", "2020-03-13 21:00"),
        ("1d", "2020-03-12 21:00", "2020-03-13 21:00"),
    ]
    assert ("4h", "2020-03-09 17:00", "2020-03-09 21:00") in spans(out)
    assert stage.counts["outside_session"] == 0


def test_a_session_that_ends_at_midnight_belongs_to_the_week_before() -> None:
    days = (("2020-03-08 00:00", "2020-03-09 00:00"), ("2020-03-09 00:00", "2020-03-10 00:00"))
    stage = aggregator(build=("1w",), sessions=days)

    out = closed(run(stage, trades_at(("2020-03-08 12:00", 1)), heartbeat(utc("2020-03-09 00:00"))))

    assert spans(out) == [("1w", "2020-03-08 00:00", "2020-03-09 00:00")]


def test_extended_hours_are_wider_arrays() -> None:
    hours = [("2020-03-06 09:00", "2020-03-07 01:00")]
    stage = aggregator(build=("1h", "1d", "1w"), sessions=hours)

    out = closed(run(stage, trades_at(("2020-03-07 00:59", 1)), heartbeat(utc("2020-03-07 01:00"))))

    assert spans(out) == [
        ("1w", "2020-03-06 09:00", "2020-03-07 01:00"),
        ("1d", "2020-03-06 09:00", "2020-03-07 01:00"),
        ("1h", "2020-03-07 00:00", "2020-03-07 01:00"),
    ]


def test_each_instrument_has_its_own_calendar_or_none() -> None:
    opens, closes = np.array([utc("2020-03-06 14:30")]), np.array([utc("2020-03-06 21:00")])
    sessions = sessions_of([(opens, closes)], [-1, 0])
    stage = BarAggregator(table("COIN", "STOCK"), TIMEFRAMES, ("1h", "1d"), 1, sessions=sessions)
    both = trades_at(("2020-03-06 14:45", 1), ("2020-03-06 14:45", 2), instrument=[0, 1])

    out = closed(run(stage, both, heartbeat(utc("2020-03-07 00:00"))))

    assert [(int(number), *span[1:]) for number, span in zip(out.instrument, spans(out), strict=True)] == [
        (0, "2020-03-06 14:00", "2020-03-06 15:00"),
        (1, "2020-03-06 14:30", "2020-03-06 15:30"),
        (1, "2020-03-06 14:30", "2020-03-06 21:00"),
        (0, "2020-03-06 00:00", "2020-03-07 00:00"),
    ]


# ---------------------------------------------------------------------- bars from outside


def minutes_from(start: str, count: int, timeframe: str = "1m", **columns: object):  # type: ignore[no-untyped-def]
    return bars(*[(10, 12, 9, 11)] * count, timeframe=timeframe, start_ns=utc(start), **columns)


def test_outside_minutes_make_hours_of_the_session_days_and_weeks() -> None:
    stage = aggregator(build=TIMEFRAMES, sessions=THANKSGIVING)
    half_day = minutes_from("2020-11-27 14:30", 210)

    out = closed(run(stage, half_day, heartbeat(utc("2020-11-27 18:00"))))

    found = [span for span in spans(out) if span[0] in ("1h", "4h", "1d", "1w")]
    assert found[-4:] == [
        ("1w", "2020-11-25 14:30", "2020-11-27 18:00"),
        ("1d", "2020-11-27 14:30", "2020-11-27 18:00"),
        ("4h", "2020-11-27 14:30", "2020-11-27 18:00"),
        ("1h", "2020-11-27 17:30", "2020-11-27 18:00"),
    ]
    volumes = {name: out.volume[out.timeframe == number].sum() for number, name in enumerate(TIMEFRAMES)}
    assert volumes == dict.fromkeys(TIMEFRAMES, 210_000)


def test_an_intraday_outside_bar_outside_every_session_is_no_bar() -> None:
    stage = aggregator(build=TIMEFRAMES, sessions=THANKSGIVING)
    around = minutes_from("2020-11-27 14:28", 4)

    out = closed(run(stage, around, heartbeat(utc("2020-11-27 14:32"))))

    assert [span[1] for span in spans(out)] == ["2020-11-27 14:30", "2020-11-27 14:31"]
    assert stage.counts["outside_session"] == 2


def test_an_outside_bar_that_begins_before_the_open_is_taken_as_it_is() -> None:
    stage = aggregator(build=("1d",), sessions=MARCH)
    whole_hours = minutes_from("2020-03-06 14:00", 7, "1h")

    out = closed(run(stage, whole_hours, heartbeat(utc("2020-03-06 21:00"))))

    assert spans(out)[0] == ("1h", "2020-03-06 14:00", "2020-03-06 15:00")
    assert spans(out)[-2:] == [
        ("1d", "2020-03-06 14:30", "2020-03-06 21:00"),
        ("1h", "2020-03-06 20:00", "2020-03-06 21:00"),
    ]
    assert out.volume[-2] == 7_000


def test_an_outside_bar_that_ends_after_the_close_is_late_for_the_day_that_has_closed() -> None:
    beyond = minutes_from("2020-03-06 20:30", 1, "1h")
    in_time = aggregator(build=("1d",), sessions=MARCH, lateness_ns=DAY_NS)
    too_late = aggregator(build=("1d",), sessions=MARCH)

    day = closed(run(in_time, beyond, heartbeat(utc("2020-03-08 00:00"))))
    out = run(too_late, beyond, heartbeat(utc("2020-03-08 00:00")))

    assert spans(day)[0] == ("1d", "2020-03-06 14:30", "2020-03-06 21:00")
    assert [(taint.timeframe, taint.reason, taint.open_ns) for taint in taints(out)] == [
        ("1d", "late", utc("2020-03-06 14:30"))
    ]
    assert named(closed(out)) == ["1h"]


def test_a_longer_bar_that_others_feed_is_not_tainted_by_one_that_would_not_have_gone_in() -> None:
    stage = aggregator(build=("1d",), sessions=MARCH, feeds=2)
    beyond = minutes_from("2020-03-06 20:58", 1, "5m", feed=1)

    out = run(
        stage, minutes_from("2020-03-06 20:00", 1), *(heartbeat(utc("2020-03-06 21:00"), feed) for feed in (0, 1)),
        beyond, *(heartbeat(utc("2020-03-06 22:00"), feed) for feed in (0, 1)),
    )  # fmt: skip

    assert named(closed(out)) == ["1m", "1d", "5m"]
    assert taints(out) == []


def test_a_daily_outside_bar_keeps_its_own_interval_even_on_a_holiday() -> None:
    """Of these only Wednesday reaches the week: Thursday had no session, Friday's bar comes after the close."""
    stage = aggregator(build=("1w",), sessions=THANKSGIVING)
    days = bars(*[(10, 12, 9, 11)] * 3, start_ns=utc("2020-11-25 00:00"))

    out = run(stage, days, heartbeat(utc("2020-12-01 00:00")))

    assert spans(closed(out)) == [
        ("1d", "2020-11-25 00:00", "2020-11-26 00:00"),
        ("1d", "2020-11-26 00:00", "2020-11-27 00:00"),
        ("1w", "2020-11-25 14:30", "2020-11-27 18:00"),
        ("1d", "2020-11-27 00:00", "2020-11-28 00:00"),
    ]
    assert closed(out).source.tolist() == [OUTSIDE, OUTSIDE, DERIVED, OUTSIDE]
    assert closed(out).volume.tolist() == [1_000] * 4
    assert stage.counts["outside_session"] == 1
    assert [(taint.timeframe, taint.reason) for taint in taints(out)] == [("1w", "late")]


def test_daily_bars_that_close_with_their_session_make_the_week() -> None:
    stage = aggregator(build=("1w",), sessions=MARCH)
    opens = np.array([utc(open_) for open_, _ in MARCH])
    closes = np.array([utc(close) for _, close in MARCH])

    out = run(stage, bars(*[(10, 12, 9, 11)] * 3, open_ns=opens, close_ns=closes), heartbeat(utc("2020-03-10 00:00")))

    assert named(closed(out)) == ["1d", "1w", "1d", "1w", "1d"]
    assert closed(out).volume.tolist() == [1_000, 2_000, 1_000, 1_000, 1_000]
    assert taints(out) == []


# ------------------------------------------------------------------------------- arrays


def test_sessions_that_overlap_or_end_before_they_begin_are_refused() -> None:
    with pytest.raises(SessionError, match="calendar 0: session 1: open must be >= 20, was 19"):
        sessions_of([(np.array([10, 19]), np.array([20, 30]))], [0])
    with pytest.raises(SessionError, match="calendar 1: session 0: close must be > 10, was 10"):
        sessions_of([(np.array([1]), np.array([2])), (np.array([10]), np.array([10]))], [0])
    with pytest.raises(SessionError, match=r"calendar 0: closes must be \(2,\), was \(1,\)"):
        sessions_of([(np.array([10, 19]), np.array([20]))], [0])
    with pytest.raises(SessionError, match="calendar must be between -1 and 0, was 1"):
        sessions_of([(np.array([10]), np.array([20]))], [0, 1])


def test_sessions_of_other_instruments_are_refused() -> None:
    with pytest.raises(ValueError, match="sessions must be of 2 instruments, was 3"):
        BarAggregator(table("A", "B"), TIMEFRAMES, (), 1, sessions=always_open(3))


def test_a_snapshot_of_another_calendar_is_refused() -> None:
    around_the_clock = aggregator().snapshot()

    with pytest.raises(ValueError, match="AAA: snapshot must be of its calendar, was of calendar -1"):
        aggregator(sessions=MARCH).restore(around_the_clock)


def test_a_calendar_without_sessions_is_always_closed() -> None:
    stage = aggregator(build=TIMEFRAMES, sessions=())

    out = run(stage, trades(1, 2, 3, step_ns=MINUTE_NS), heartbeat(utc("2030-01-01 00:00")))

    assert len(closed(out)) == 0
    assert stage.counts["outside_session"] == 3
