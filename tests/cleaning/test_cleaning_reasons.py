"""Each reason for withholding, moving or remarking on a row, with the smallest feed that shows it."""

import numpy as np
import pytest
from pydantic import ValidationError

from adapters.cleaning import Cleaner, CleaningSettings, cleaned
from adapters.cleaning.reasons import REASONS
from engine.blocks import BlockError
from engine.messages import NEVER_NS, EndOfFeed, Quarantine
from engine.timeframes import DAY_NS
from tests.cleaning.cleaning_rig import MINUTE_NS, START_NS, SYMBOLS, candles, clean, flat, prints, quotes

SECOND_NS = 1_000_000_000


def seconds(*values: float) -> list[int]:
    return [START_NS + round(value * SECOND_NS) for value in values]


# ---------------------------------------------------------------------------- no market data


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_price_or_size_that_is_no_number_is_withheld(value: float) -> None:
    assert clean(prints(1, value, 1)).all == {"not_finite": 1}
    assert clean(prints(1, 1, 1, size=[1, value, 1])).all == {"not_finite": 1}
    assert clean(candles((1, value, 1, 1), (1, 1, 1, 1))).all == {"not_finite": 1}
    assert clean(flat(1, 1, volume=[value, 1])).all == {"not_finite": 1}
    assert clean(quotes((1, value))).all == {"not_finite": 1}


@pytest.mark.parametrize("price", [0.0, -5.0])
def test_prices_are_positive_unless_the_instrument_allows_otherwise(price: float) -> None:
    feeds = (prints(1, price), flat(1, price), quotes((price, 2)))

    assert [clean(feed).all for feed in feeds] == [{"bad_price": 1}] * 3
    assert [clean(feed, negative=True).all for feed in feeds] == [{}] * 3
    assert clean(prints(1, price)).found("bad_price") == [(2, price, price)]


def test_negative_sizes_are_withheld_and_zero_is_a_size() -> None:
    assert clean(prints(1, 1, size=[-1, 0])).all == {"negative_size": 1}
    assert clean(flat(1, 1, volume=[-1, 2])).all == {"negative_size": 1}
    assert clean(quotes((1, 2), (1, 2), bid_size=[-1, 0])).all == {"negative_size": 1}
    assert clean(prints(1, size=-3)).found("negative_size") == [(1, -3, 1)]


@pytest.mark.parametrize(
    "bar", [(2, 1, 2, 2), (1, 2, 1, 3), (2, 3, 2, 1), (4, 3, 2, 3), (1, 1, 2, 1)], ids=str
)  # fmt: skip
def test_a_bar_that_contradicts_itself_is_withheld(bar: tuple[float, float, float, float]) -> None:
    assert clean(candles(bar, (2, 2, 2, 2))).all == {"bad_ohlc": 1}


def test_times_outside_the_years_of_trading_are_withheld() -> None:
    early, late = -62_091 * DAY_NS, 84_006 * DAY_NS

    found = clean(prints(1, 1, 1, 1, time_ns=[early - 1, early, late - 1, late]))

    assert found.all == {"bad_time": 2}
    assert found.column("time_ns") == [early, late - 1]
    assert str(np.datetime64(early, "ns"))[:10] == "1800-01-01"
    assert str(np.datetime64(late, "ns"))[:10] == "2200-01-01"


def test_a_time_far_after_its_receipt_is_withheld_and_an_unknown_receipt_is_not() -> None:
    time_ns = START_NS + 60 * MINUTE_NS

    assert clean(prints(1, time_ns=[time_ns + 1], received_ns=[START_NS])).all == {"bad_time": 1}
    assert clean(prints(1, time_ns=[time_ns], received_ns=[START_NS])).all == {"negative_latency": 1}
    assert clean(prints(1, received_ns=[0])).all == {}


def test_a_bar_that_ends_before_it_opens_is_withheld() -> None:
    assert clean(flat(1, open_ns=[START_NS], close_ns=[START_NS])).all == {"bad_time": 1}


def test_crossed_quotes_are_withheld_and_locked_ones_noted() -> None:
    found = clean(quotes((2, 1), (2, 2), (1, 2)))

    assert found.all == {"crossed_quote": 1, "locked_quote": 1}
    assert found.column("bid") == [2, 1]
    # One side is absent: the other's price stands in for it.
    assert clean(quotes((2, 2), bid_size=[0])).all == {}


# ------------------------------------------------------------------------------- repeats


def test_a_repeated_trade_id_is_dropped_whatever_lies_between() -> None:
    found = clean(prints(1, 1, 1, 1, trade_id=[7, 8, 9, 7], time_ns=seconds(0, 1, 2, 0)))

    assert found.all == {"duplicate": 1}
    assert found.column("trade_id") == [7, 8, 9]


def test_a_repeated_trade_id_with_other_values_is_counted_apart() -> None:
    for changes in ({"price": [1, 1.1]}, {"size": [1, 2]}, {"side": [1, -1]}, {"time_ns": seconds(0, 1)}):
        found = clean(prints(1, 1, **({"time_ns": seconds(0, 0), "trade_id": 5} | changes)))

        assert found.all == {"duplicate_conflicting": 1}
        assert len(found.rows) == 1


def test_ids_that_a_venue_counts_anew_each_day_repeat_nothing() -> None:
    """Of a symbol with so few trades that yesterday's ids are still remembered, in either generation."""
    ids, days = list(range(1, 51)) * 4, np.repeat(np.arange(4), 50)
    time_ns = START_NS + days * 24 * 60 * MINUTE_NS + np.tile(np.arange(50), 4) * MINUTE_NS
    late_repeats = {"trade_id": [*ids, 7], "time_ns": [*time_ns, time_ns[-44]]}

    for remembered in (4_096, 64, 40):
        found = clean(prints(*[1.0] * 201, **late_repeats), remembered_ids=remembered, hole_band=9)

        assert found.all == {"duplicate": 1}
        assert len(found.rows) == 200


def test_an_id_that_comes_again_within_hours_is_a_repeat_whatever_its_time() -> None:
    times_ns = [START_NS, START_NS + 4 * 60 * MINUTE_NS]

    assert clean(prints(1, 1, trade_id=5, time_ns=times_ns)).all == {"duplicate_conflicting": 1}
    assert len(clean(prints(1, 1, trade_id=5, time_ns=times_ns[::-1])).rows) == 1


def test_prints_without_id_and_ids_of_other_symbols_repeat_nothing() -> None:
    assert clean(prints(1, 1, 1, time_ns=seconds(0, 0, 0))).all == {}
    assert clean(prints(1, 1, trade_id=5, time_ns=seconds(0, 0), instrument=[0, 1])).all == {}


def test_the_last_ids_of_each_instrument_are_remembered_and_at_most_twice_as_many() -> None:
    ids = [*range(1, 9), 5, 3]

    found = clean(prints(*[1.0] * 10, trade_id=ids, time_ns=seconds(*[0.0] * 10)), remembered_ids=3)

    # 4 to 8 are known at the end: two generations, the younger one with 7 and 8.
    assert found.all == {"duplicate": 1}
    assert found.column("trade_id") == [*range(1, 9), 3]


def test_a_trade_older_than_all_remembered_ids_is_dropped() -> None:
    time_ns = seconds(1, 2, 3, 4, 5, 6, 7, 8, 2.5)

    found = clean(prints(*[1.0] * 9, trade_id=[*range(1, 9), 99], time_ns=time_ns), remembered_ids=3)

    assert found.all == {"forgotten_id": 1}
    assert clean(prints(*[1.0] * 9, trade_id=[*range(1, 9), 99], time_ns=time_ns)).all == {"late_row": 1}


def test_ids_that_are_no_numbers_of_a_row_are_known_as_well() -> None:
    ids = np.random.default_rng(1).integers(-(2**62), 2**62, 5_000)

    found = clean(prints(*[1.0] * 6_000, trade_id=[*ids, *ids[-1_000:]], time_ns=START_NS))

    assert found.all == {"duplicate": 1_000}


def test_missing_ids_are_a_gap_only_where_the_venue_counts_one_by_one() -> None:
    feed = prints(*[1.0] * 5, trade_id=[5, 6, 10, 11, 13], instrument=[0, 0, 0, 0, 0])

    found = clean(feed, consecutive_ids=True)

    assert clean(feed).all == {}
    assert found.all == {"id_gap": 2}
    assert found.found("id_gap") == [(3, 6, 10), (5, 11, 13)]
    assert found.findings.notes.missing_ids.tolist() == [4, 0]
    assert len(found.rows) == 5


def test_a_repeated_bar_is_dropped_and_a_changed_one_never_replaces_the_first() -> None:
    first, same, changed, next_bar = (1, 2, 1, 2), (1, 2, 1, 2), (1, 2, 1, 1.5), (2, 2, 2, 2)
    open_ns = START_NS + np.array([0, 0, 0, 1]) * MINUTE_NS

    found = clean(candles(first, same, changed, next_bar, open_ns=open_ns, close_ns=open_ns + MINUTE_NS),
                  bar_bands=(9.0,) * 7)  # fmt: skip

    assert found.all == {"duplicate": 1, "duplicate_conflicting": 1}
    assert found.column("close") == [2, 2]


def test_a_bar_that_was_withheld_may_be_given_again() -> None:
    open_ns = START_NS + np.array([0, 1, 1, 2]) * MINUTE_NS

    found = clean(flat(10, 99, 10.1, 10, open_ns=open_ns, close_ns=open_ns + MINUTE_NS))

    assert found.all == {"absurd_price": 1}
    assert found.column("close") == [10, 10.1, 10]


def test_a_bar_that_had_not_ended_when_the_file_was_made_is_dropped() -> None:
    feed = flat(1, 1, 1)

    assert clean(feed, made_ns=START_NS + 3 * MINUTE_NS - 1).all == {"unfinished_bar": 1}
    assert clean(feed, made_ns=START_NS + 3 * MINUTE_NS).all == {}
    assert clean(feed).all == {}


# --------------------------------------------------------------------------------- order


def test_rows_that_step_back_within_the_bound_are_put_back_in_order() -> None:
    found = clean(prints(1, 2, 3, 4, time_ns=seconds(0, 2, 1, 5), price=[1.0, 1.02, 1.01, 1.03]), reorder_ns=SECOND_NS)

    assert found.all == {"reordered": 1}
    assert found.column("price") == [1.0, 1.01, 1.02, 1.03]


def test_rows_that_come_too_late_pass_at_once() -> None:
    found = clean(prints(1, 1.02, 1.01, 1, time_ns=seconds(0, 2.5, 1, 5)), reorder_ns=SECOND_NS)

    assert found.all == {"late_row": 1}
    # Nothing after it had left yet, so it still found its place.
    assert found.column("price") == [1, 1.01, 1.02, 1]


def test_late_rows_come_after_what_has_left() -> None:
    found = clean(prints(1, 1.01, 1.02, 1.03, 1, time_ns=seconds(0, 2, 4, 1, 6)), reorder_ns=SECOND_NS)

    assert found.all == {"late_row": 1}
    assert found.column("price") == [1, 1.01, 1.03, 1.02, 1]
    assert clean(prints(1, 1, 1, time_ns=seconds(0, 2, 1))).found("late_row") == [(3, 1e9, 0)]


def test_a_late_row_waits_for_nothing_and_goes_before_what_still_waits() -> None:
    cleaner = Cleaner(SYMBOLS, CleaningSettings(reorder_ns=SECOND_NS))
    cleaner.clean(prints(1, 1.1, 1.15, time_ns=seconds(0, 2, 3)))

    (late,) = cleaner.clean(prints(1.05, time_ns=seconds(1)))

    assert late.price.tolist() == [1.05]  # type: ignore[attr-defined]
    (rest,) = cleaner.finish()
    assert rest.price.tolist() == [1.1, 1.15]  # type: ignore[attr-defined]


def test_ids_order_trades_of_one_moment() -> None:
    feed = prints(1, 1.1, 1.2, 1.3, time_ns=seconds(0, 0, 0, 0), trade_id=[3, 1, 9, 2], instrument=[0, 0, 1, 0])

    found = clean(feed, reorder_ns=1)

    assert found.column("trade_id") == [1, 2, 9, 3]
    assert found.column("instrument") == [0, 0, 1, 0]
    assert found.all == {"reordered": 1}


def test_kinds_are_ordered_together() -> None:
    found = clean(prints(1, time_ns=seconds(2)), quotes((1, 2), time_ns=seconds(1), received_ns=seconds(1)),
                  prints(1, time_ns=seconds(3)), reorder_ns=2 * SECOND_NS)  # fmt: skip

    assert [type(block).__name__ for block in found.blocks] == ["Quotes", "Trades"]
    assert found.blocks[1].row_ns.tolist() == seconds(2, 3)


def test_clocks_that_disagree_are_measured() -> None:
    time_ns = np.array(seconds(*range(101)))
    skew_ns = np.arange(101) * 1_000_000

    found = clean(prints(*[1.0] * 101, time_ns=time_ns, received_ns=time_ns - skew_ns))

    assert found.all == {"negative_latency": 100}
    least, middle, largest = found.findings.skew_ns or (0, 0, 0)
    assert (least, largest) == (1_000_000, 100_000_000)
    assert middle == pytest.approx(50_500_000, rel=0.05)
    assert clean(prints(1)).findings.skew_ns is None


# ------------------------------------------------------------------------- absurd prices


@pytest.mark.parametrize("absurd", [100.0, 1000.0, 0.1, 8.0, 12.5])
def test_one_absurd_print_is_withheld(absurd: float) -> None:
    found = clean(prints(10, 10.1, absurd, 10, 9.9))

    assert found.all == {"absurd_price": 1}
    assert found.found("absurd_price") == [(3, absurd, 10.1)]
    assert found.column("price") == [10, 10.1, 10, 9.9]


def test_a_crash_passes_once_the_next_prints_confirm_it() -> None:
    found = clean(prints(10, 10.1, 4, 4.1, 4.05, 4, 10))

    assert found.column("price") == [10, 10.1, 4, 4.1, 4.05, 4]
    assert found.all == {"price_jump": 1, "absurd_price": 1}
    assert found.found("price_jump") == [(3, 4, 10.1)]


def test_absurd_prints_far_from_each_other_do_not_confirm_each_other() -> None:
    found = clean(prints(10, 10, 40, 90, 40, 10))

    assert found.column("price") == [10, 10, 10]
    assert found.all == {"absurd_price": 3}


def test_a_print_near_the_old_prices_ends_the_wait() -> None:
    assert clean(prints(10, 10, 4, 4, 10, 4, 4, 10)).column("price") == [10] * 4


def test_what_waits_at_the_end_is_withheld() -> None:
    assert clean(prints(10, 10, 4, 4)).all == {"absurd_price": 2}


def test_a_fast_market_passes_step_by_step() -> None:
    prices = (10 * 0.85 ** np.arange(20)).tolist()

    assert clean(prints(*prices)).all == {}


def test_an_absurd_first_print_does_not_stand_in_the_way() -> None:
    assert clean(prints(99, 10, 10, 10, 10)).column("price") == [99, 10, 10, 10, 10]


def test_one_bad_print_within_the_band_does_not_shut_out_the_good_ones() -> None:
    # 11.9 passes at 10; 9.4 is too far from it, but near the median.
    assert clean(prints(10, 10, 10, 11.9, 9.4, 10)).all == {}


def test_prices_may_jump_over_a_silence() -> None:
    feed = prints(10, 10, 14, 14, time_ns=seconds(0, 1, 602, 603))

    assert clean(feed).all == {}
    assert clean(feed, hole_ns=602 * SECOND_NS).all == {"absurd_price": 2}


def test_prices_of_one_symbol_say_nothing_about_another() -> None:
    assert clean(prints(10, 500, 10, 500, instrument=[0, 1, 0, 1])).all == {}


def test_a_bar_with_a_wick_beyond_the_band_is_withheld() -> None:
    found = clean(candles((10, 10, 10, 10), (10, 14, 10, 10), (10, 10, 10, 10)))

    assert found.all == {"absurd_price": 1}
    assert found.found("absurd_price") == [(2, 14, 10)]
    down = clean(candles((10, 10, 10, 10), (10, 10, 7, 10), (10, 10, 10, 10)))
    assert down.found("absurd_price") == [(2, 7, 10)]


def test_a_crash_within_a_bar_passes_once_the_next_bars_confirm_it() -> None:
    found = clean(candles((10, 10, 10, 10), (10, 10, 6, 6), (6, 6, 6, 6), (6, 6, 6, 6)))

    assert found.all == {"price_jump": 1}
    assert len(found.rows) == 4


def test_a_bar_that_spans_two_worlds_is_never_confirmed() -> None:
    found = clean(flat(645, 645), candles((645.57, 645.57, 92.23, 92.5), (92, 92, 92, 92), open_ns=[
        START_NS + 2 * MINUTE_NS, START_NS + 3 * MINUTE_NS], close_ns=[START_NS + 3 * MINUTE_NS,
        START_NS + 4 * MINUTE_NS]), flat(92, 92, open_ns=[START_NS + 4 * MINUTE_NS, START_NS + 5 * MINUTE_NS],
        close_ns=[START_NS + 5 * MINUTE_NS, START_NS + 6 * MINUTE_NS]))  # fmt: skip

    assert found.all == {"absurd_price": 1, "price_jump": 1, "negative_latency": 4}
    assert found.column("close") == [645, 645, 92, 92, 92]


def test_a_first_bar_that_leaves_the_band_within_itself_is_withheld() -> None:
    found = clean(candles((16, 16, 4, 4), (4, 4, 4, 4)))

    assert found.all == {"absurd_price": 1}
    assert found.found("absurd_price") == [(1, 16, 4)]  # it is compared with its own close


def test_the_first_bar_of_a_listing_may_be_wide() -> None:
    found = clean(candles((30, 45, 29, 33), (33, 33.2, 32.8, 33)))

    assert found.all == {}
    assert found.column("high") == [45, 33.2]


def test_a_market_whose_bars_are_wide_is_let_go() -> None:
    wide, wider = [(1.0, 2.0, 1.0, 1.0)] * 20, [(1.0, 4.0, 1.0, 1.0)] * 20

    # Three confirm each other by their closes, then their highs have settled.
    assert clean(candles(*wide)).all == {"price_jump": 5}
    assert clean(candles(*wider)).all == {"absurd_price": 15}


def test_far_prices_that_keep_coming_back_settle() -> None:
    found = clean(prints(*[10.0, 13.0] * 40))

    # Bid and ask are 30 % apart.
    assert found.all == {"absurd_price": 15}
    assert clean(prints(*[10.0, 13.0] * 40), settled_by=3).all == {"absurd_price": 2}


def test_longer_bars_have_wider_bands() -> None:
    open_ns = START_NS // DAY_NS * DAY_NS + np.arange(3) * DAY_NS
    daily = {"open_ns": open_ns, "close_ns": open_ns + DAY_NS, "received_ns": open_ns + DAY_NS, "timeframe": 5}

    assert clean(flat(10, 14, 10, **daily)).all == {}
    assert clean(flat(10, 31, 10, **daily)).all == {"absurd_price": 1}


def test_another_price_level_after_a_long_silence_is_noted() -> None:
    feed = prints(10, 10, 500, 500, time_ns=[START_NS, START_NS, START_NS + 31 * DAY_NS, START_NS + 31 * DAY_NS])

    found = clean(feed)

    assert found.all == {"symbol_reused": 1}
    assert found.found("symbol_reused") == [(3, 500, 10)]
    assert len(found.rows) == 4


# -------------------------------------------------------------------------------- volume


def test_bars_without_volume_are_noted_and_kept() -> None:
    found = clean(candles((1, 1, 1, 1), (1, 1.1, 1, 1), (1, 1, 1, 1), volume=[0, 0, 5]))

    assert found.all == {"zero_volume": 1, "moved_without_volume": 1}
    assert len(found.rows) == 3


# -------------------------------------------------------------------------------- policy


@pytest.mark.parametrize(
    ("feed", "text"),
    [
        (prints(1, np.nan), "feed: row 2: price must be a finite number, was nan"),
        (prints(1, 0), "feed: row 2: price must be > 0, was 0.0"),
        (prints(1, 1, size=[1, -1]), "feed: row 2: size must be >= 0, was -1.0"),
        (candles((1, 1, 1, 1), (1, 2, 1, 3)), "feed: row 2: high must be >= open and close, was 2.0"),
        (quotes((1, 2), (1, 2), ask_size=[1, -1]), "feed: row 2: ask_size must be >= 0, was -1.0"),
    ],
)
def test_bad_rows_can_be_refused(feed: object, text: str) -> None:
    with pytest.raises(BlockError, match=text):
        clean(feed, bad_rows="refuse")  # type: ignore[arg-type]


def test_rows_of_size_zero_and_negative_prices_that_are_allowed_are_not_refused() -> None:
    assert clean(prints(1, 1, size=0), bad_rows="refuse").all == {}
    assert clean(prints(-1, -1), bad_rows="refuse", negative=True).all == {}


def test_quarantined_rows_become_facts_before_the_end_of_their_feed() -> None:
    cleaner = Cleaner(SYMBOLS)
    feed = prints(1, np.nan, 0, 1, 1, trade_id=[1, 2, 3, 4, 4], instrument=[0, 0, 1, 0, 0], time_ns=seconds(*[1] * 5))

    *blocks, first, second, end = cleaned([(feed, None)], cleaner, 3, 1)

    assert [len(block) for block in blocks] == [1, 1]  # type: ignore[arg-type]
    # The repeat is a copy of what went out: nothing was withheld.
    time_ns = START_NS + SECOND_NS
    assert first == Quarantine(time_ns=time_ns, feed=3, symbol="AAA", reason="not_finite", count=1)
    assert second == Quarantine(time_ns=time_ns, feed=3, symbol="BBB", reason="bad_price", count=1)
    assert end == EndOfFeed(time_ns=time_ns, feed=3)


def test_a_feed_of_which_nothing_is_left_ends_at_once() -> None:
    (quarantine, end) = cleaned([(prints(0), None)], Cleaner(SYMBOLS), 0, 10)

    assert isinstance(quarantine, Quarantine)
    assert end == EndOfFeed(time_ns=NEVER_NS, feed=0)


def test_examples_are_few_and_carry_the_places_given() -> None:
    cleaner = Cleaner(SYMBOLS)

    cleaner.clean(prints(*[0.0] * 50), np.arange(50) + 100)

    assert [one.place for one in cleaner.findings.examples("bad_price")] == [100, 101, 102, 103, 104]
    assert cleaner.findings.by_symbol("bad_price") == {"AAA": 50}
    assert cleaner.counts == {"rows": 50, "bad_price": 50}


def test_a_sound_block_is_passed_on_as_it_is() -> None:
    feed = prints(1, 1, 1)

    (block,) = Cleaner(SYMBOLS).clean(feed)

    assert block.price.base is feed.price or np.shares_memory(block.price, feed.price)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "options", [{"bar_bands": (2.0,)}, {"bar_bands": (1.0,) * 7}, {"trade_band": 1.0}, {"confirmed_by": 0}]
)
def test_settings_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CleaningSettings(**options)  # type: ignore[arg-type]


def test_every_reason_has_a_name_of_its_own() -> None:
    assert len({reason.name for reason in REASONS}) == len(REASONS)
