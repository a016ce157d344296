"""BarAggregator on recorded trades: against the bars that venues and vendors made of the same trades."""

from pathlib import Path

import numpy as np
import pytest

from engine.bars import BarAggregator
from engine.blocks import Bars, MarketBlock, Trades
from engine.ports import Item
from engine.sessions import Sessions
from engine.timeframes import MINUTE_NS, TIMEFRAMES
from tests import lean
from tests.bars_rig import closed, run
from tests.makers import end_of_feed, table

CRYPTO = Path(__file__).parents[2] / "shared/data/crypto-bars/freqtrade-testdata"
VALUES = ("open", "high", "low", "close", "volume")
WEEK = ("20131007", "20131008", "20131009", "20131010", "20131011")

needs_equities = pytest.mark.skipif(not lean.EQUITIES.is_dir(), reason=f"absent: {lean.EQUITIES}")
needs_crypto = pytest.mark.skipif(not CRYPTO.is_dir(), reason=f"absent: {CRYPTO}")


def bars_of(*facts: Item, sessions: Sessions | None = None, build: tuple[str, ...] = TIMEFRAMES) -> dict[str, Bars]:
    """Released bars by timeframe; the feed ends a day after its last row."""
    last = facts[-1]
    assert isinstance(last, MarketBlock)
    aggregator = BarAggregator(table("SPY"), TIMEFRAMES, build, 1, sessions=sessions)
    out = run(aggregator, *facts, end_of_feed(int(last.row_ns.max()) + 1440 * MINUTE_NS))
    assert aggregator.counts["late_trades"] == 0
    return by_timeframe(closed(out))


def by_timeframe(bars: Bars) -> dict[str, Bars]:
    places = {name: np.flatnonzero(bars.timeframe == number) for number, name in enumerate(TIMEFRAMES)}
    return {
        name: Bars.of(**{column: values[where] for column, values in bars.columns().items()})
        for name, where in places.items()
    }


# --------------------------------------------------------------------- a venue's own bars


@pytest.fixture(scope="module")
def venue_trades() -> Trades:
    rows = pytest.importorskip("pyarrow.parquet").read_table(CRYPTO / "XRP_ETH-trades.parquet")
    times_ns = rows["timestamp"].to_numpy().astype(np.int64) * 1_000_000
    return Trades.of(
        time_ns=times_ns, received_ns=times_ns, price=rows["price"].to_numpy(), size=rows["amount"].to_numpy()
    )


@needs_crypto
@pytest.mark.parametrize(("timeframe", "count"), [("1m", 2_469), ("5m", 706)])
@pytest.mark.parametrize("size", [1, 4096])
def test_bars_of_a_venues_trades_equal_the_venues_bars(
    venue_trades: Trades, timeframe: str, count: int, size: int
) -> None:
    venue = pytest.importorskip("pyarrow.feather").read_table(CRYPTO / f"XRP_ETH-{timeframe}.feather")

    ours = bars_of(*chunks(venue_trades, size))[timeframe]

    assert len(venue_trades) == 12_477
    assert len(ours) == count == venue.num_rows
    assert ours.open_ns.tolist() == venue["date"].to_numpy().astype(np.int64).tolist()
    for name in VALUES:
        assert getattr(ours, name).tolist() == venue[name].to_pylist(), name


def chunks(block: Trades, size: int) -> list[Trades]:
    return [block.slice(at, min(at + size, len(block))) for at in range(0, len(block), size)]


# ---------------------------------------------------------------- a vendor's filtered bars


@needs_equities
@pytest.mark.parametrize(("symbol", "day"), [("spy", "20131007"), ("spy", "20131008"), ("ibm", "20131007")])
def test_minutes_of_the_consolidated_tape_are_the_vendors_minutes(symbol: str, day: str) -> None:
    """The vendor leaves out trades by condition, so single values differ in a few minutes."""
    ticks, vendor = lean.ticks(symbol, day), lean.minutes(symbol, day)

    ours = bars_of(ticks, sessions=lean.sessions((day,)), build=("1m",))["1m"]

    assert ours.open_ns.tolist() == vendor.open_ns.tolist()
    assert (ours.volume == vendor.volume).mean() >= 0.988
    for name in ("open", "high", "low", "close"):
        assert (getattr(ours, name) == getattr(vendor, name)).mean() >= 0.8, name


@needs_equities
@pytest.mark.parametrize("hours", [lean.REGULAR, lean.EXTENDED])
def test_no_share_is_lost_between_timeframes(hours: tuple[int, int]) -> None:
    ticks = lean.ticks("ibm", "20131008")
    minute_of_day = (ticks.time_ns - lean.midnight_ns("20131008")) // MINUTE_NS
    inside = (minute_of_day >= hours[0]) & (minute_of_day < hours[1])

    bars = bars_of(ticks, sessions=lean.sessions(("20131008",), hours))

    assert {name: bars[name].volume.sum() for name in TIMEFRAMES} == dict.fromkeys(TIMEFRAMES, ticks.size[inside].sum())
    assert {name: int(bars[name].trades.sum()) for name in TIMEFRAMES} == dict.fromkeys(TIMEFRAMES, int(inside.sum()))
    assert len(bars["1d"]) == len(bars["1w"]) == 1
    assert bars["1d"].close_ns[0] == lean.midnight_ns("20131008") + hours[1] * MINUTE_NS


@needs_equities
@pytest.mark.parametrize("symbol", ["spy", "ibm"])
def test_the_vendors_hours_make_the_vendors_days(symbol: str) -> None:
    hours, days = lean.hours(symbol, WEEK), lean.days(symbol, WEEK)

    ours = bars_of(hours, sessions=lean.sessions(WEEK, lean.REGULAR))

    assert len(ours["1d"]) == 5
    for name in VALUES:
        assert getattr(ours["1d"], name).tolist() == getattr(days, name).tolist(), name
    assert ours["1w"].volume.tolist() == [days.volume.sum()]
    assert ours["1w"].close_ns.tolist() == [lean.midnight_ns("20131011") + lean.REGULAR[1] * MINUTE_NS]
