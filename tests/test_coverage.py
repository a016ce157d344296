"""What a feed covers: gaps by sessions, around the clock, or not judged; the newest bar."""

import numpy as np

from engine.coverage import Coverage
from engine.data_report import DataReport, Finding, moment, share, span
from engine.messages import NEVER_NS
from engine.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES
from tests.makers import START_NS, bars, trades

FLAT = (1.0, 1.0, 1.0, 1.0)
SATURDAY_NS = START_NS + 3 * DAY_NS


def minutes(*numbers: int, start_ns: int = START_NS, **columns: object) -> object:
    opens = start_ns + np.array(numbers, np.int64) * MINUTE_NS
    return bars(*[FLAT] * len(numbers), timeframe="1m", open_ns=opens, close_ns=opens + MINUTE_NS, **columns)


def covered(*blocks: object) -> Coverage:
    found = Coverage(("AAA", "BBB"), TIMEFRAMES)
    for block in blocks:
        found.add(block)  # type: ignore[arg-type]
    return found


def test_missing_minutes_around_the_clock_are_gaps() -> None:
    (gaps,) = covered(minutes(0, 1, 5, start_ns=SATURDAY_NS), minutes(6, 8, start_ns=SATURDAY_NS)).gaps({})

    assert (gaps.judged_by, gaps.count, gaps.missing) == ("24/7", 2, 4)
    assert gaps.longest is not None
    assert (gaps.longest.start_ns, gaps.longest.missing) == (SATURDAY_NS + 2 * MINUTE_NS, 3)


def test_without_saturdays_and_calendar_a_silence_is_no_gap() -> None:
    (gaps,) = covered(minutes(0, 1, 5)).gaps({})

    assert (gaps.judged_by, gaps.count, gaps.missing) == ("", 1, 0)


def test_sessions_tell_gaps_from_a_closed_market() -> None:
    # 2020-01-02 is a Thursday; New York closes at 21:00 UTC and opens at 14:30 on the next day.
    close = (DAY_NS + 21 * 60 * MINUTE_NS) // MINUTE_NS
    opens = (2 * DAY_NS) // MINUTE_NS + 14 * 60 + 30

    (gaps,) = covered(minutes(close - 3, close - 1, opens + 2)).gaps({"AAA": ("XNYS", "regular")})

    assert (gaps.judged_by, gaps.count, gaps.missing) == ("XNYS regular", 2, 3)
    assert covered(minutes(close - 1, opens)).gaps({"AAA": ("XNYS", "regular")}) == []


def test_days_are_missing_by_sessions() -> None:
    opens = START_NS + np.array([1, 2, 6]) * DAY_NS  # Thursday, Friday, Tuesday: Monday is missing
    daily = bars(*[FLAT] * 3, open_ns=opens + 870 * MINUTE_NS, close_ns=opens + 1260 * MINUTE_NS)

    (gaps,) = covered(daily).gaps({"AAA": ("XNYS", "regular")})

    assert (gaps.count, gaps.missing) == (1, 1)


def test_symbols_and_blocks_are_kept_apart() -> None:
    one = minutes(0, 1, 2, 3, start_ns=SATURDAY_NS, instrument=[0, 1, 0, 1])
    cut = [one.slice(row, row + 1) for row in range(4)]  # type: ignore[attr-defined]

    assert covered(one).gaps({}) == covered(*cut).gaps({})
    assert covered(one).gaps({})[0].missing == 2


def test_trades_have_a_span_and_no_gaps() -> None:
    found = covered(trades(1, 2, 3))

    assert (found.rows, found.first_ns, found.last_ns) == (3, START_NS, START_NS + 2_000_000_000)
    assert found.gaps({}) == []
    assert found.notes() == []


def test_the_newest_bar_is_unproven_and_a_small_volume_makes_it_suspect() -> None:
    usual = covered(minutes(*range(21), volume=100))
    small = covered(minutes(*range(21), volume=[*[100] * 20, 20]))

    assert usual.notes() == ["the newest bar, to 2020-01-01 00:21, is not proven to be finished"]
    assert small.notes()[0].endswith("its volume is small against the usual: AAA 20%")


def report(**changes: object) -> DataReport:
    fields: dict[str, object] = {
        "name": "F", "kind": "bars", "timeframe": "1m", "layout": "header", "rows": 1_000, "rows_out": 990,
        "symbols": 1, "first_ns": 0, "last_ns": 1, "findings": [], "gaps": [], "notes": [],
    }  # fmt: skip
    return DataReport(**(fields | changes))  # type: ignore[arg-type]


def test_notes_leave_a_feed_clean_and_findings_do_not() -> None:
    note = Finding(reason="stacked", effect="repaired", rows=5, meaning="", is_note=True)
    bad = Finding(reason="bad_ohlc", effect="quarantined", rows=10, meaning="")

    assert report(findings=[note]).is_clean
    assert not report(findings=[note, bad]).is_clean
    assert report(findings=[note, bad]).verdict == "10 of 1,000 rows withheld (1.0 %)"
    assert report().verdict == "clean: 990 rows, nothing found"


def test_numbers_are_told_for_people() -> None:
    assert [share(*each) for each in ((0, 10), (1, 10**6), (1, 1_000), (1, 10), (0, 0))] == [
        "0.0 %", "< 0.01 %", "0.10 %", "10.0 %", "0.0 %",
    ]  # fmt: skip
    assert (moment(NEVER_NS), moment(0), moment(1_500_000_000)) == (
        "never", "1970-01-01 00:00", "1970-01-01 00:00:01.500",
    )  # fmt: skip
    assert (span(90 * MINUTE_NS), span(5_000_000), span(3 * DAY_NS + 61 * MINUTE_NS)) == (
        "1 h 30 min",
        "5 ms",
        "3 d 1 h",
    )
