"""Candles without a closing mark: final when the next one opens, at most so many at once."""

import msgspec
import pytest

from adapters.codecs.candles import MOST_OPEN, Candle, OpenCandles, give_bar, on_grid
from engine.timeframes import DAY_NS, LENGTH_NS, MINUTE_NS
from tests.codecs.codec_laws import RECEIVED_NS, Told

OPEN_NS = 1_699_999_980_000_000_000


def candle(minute: int = 0, symbol: str = "A", timeframe: str = "1m", close: float = 11.0) -> Candle:
    return Candle(symbol, timeframe, OPEN_NS + minute * MINUTE_NS, 10.0, 12.0, 9.0, close, 5.0)


def opened(rows: Told) -> list[int]:
    return [(row[2] - OPEN_NS) // MINUTE_NS for row in rows.given]


def test_a_candle_comes_out_once_as_it_last_was() -> None:
    candles, rows = OpenCandles(), Told()

    for each in (candle(close=10.0), candle(close=10.5), candle(1), candle(1), candle(3)):
        candles.give([each], RECEIVED_NS, rows)

    assert opened(rows) == [0, 1]
    assert rows.given[0][8] == 10.5
    assert rows.counts["unfinished_bar"] == 5


def test_history_in_any_order_leaves_oldest_first() -> None:
    rows = Told()

    OpenCandles().give([candle(3), candle(1), candle(2)], RECEIVED_NS, rows)

    assert opened(rows) == [1, 2]


def test_a_candle_that_was_final_is_never_revised() -> None:
    candles, rows = OpenCandles(), Told()
    candles.give([candle(0), candle(1)], RECEIVED_NS, rows)

    candles.give([candle(0, close=99.0)], RECEIVED_NS, rows)
    candles.give([candle(2)], RECEIVED_NS, rows)

    assert opened(rows) == [0, 1]
    assert rows.counts["old_candle"] == 1


def test_symbols_and_timeframes_do_not_close_each_other() -> None:
    candles, rows = OpenCandles(), Told()

    candles.give([candle(0), candle(1, symbol="B"), candle(7, timeframe="5m")], RECEIVED_NS, rows)

    assert rows.given == []


def test_beyond_the_limit_the_first_is_forgotten() -> None:
    candles, rows = OpenCandles(), Told()
    for number in range(MOST_OPEN + 1):
        candles.give([candle(symbol=f"S{number}")], RECEIVED_NS, rows)

    candles.give([candle(1, symbol="S0")], RECEIVED_NS, rows)
    assert rows.given == []
    candles.give([candle(1, symbol=f"S{MOST_OPEN}")], RECEIVED_NS, rows)
    assert opened(rows) == [0]


def test_a_bar_covers_its_interval() -> None:
    rows = Told()

    give_bar(candle(timeframe="1d")._replace(open_ns=DAY_NS, trades=7), RECEIVED_NS, rows)

    assert rows.given == [("A", "1d", DAY_NS, 2 * DAY_NS, RECEIVED_NS, 10.0, 12.0, 9.0, 11.0, 5.0, 7)]


@pytest.mark.parametrize(("timeframe", "open_ns"), [("1m", 1), ("5m", MINUTE_NS), ("1w", 7 * DAY_NS)])
def test_what_opens_between_two_intervals_is_left_out(timeframe: str, open_ns: int) -> None:
    assert on_grid([candle(timeframe=timeframe)._replace(open_ns=open_ns)]) == []


def test_a_candle_must_close_before_the_last_stamp() -> None:
    length = LENGTH_NS["1d"]
    last_ns = (2**63 - 1) // length * length

    with pytest.raises(msgspec.ValidationError, match="before 2262"):
        on_grid([candle(timeframe="1d")._replace(open_ns=last_ns)])
