"""How long things take is measured right, and nothing is decided by it."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from engine.blocks import Trades
from engine.live import driver, stage_times
from engine.live import session as live_session
from engine.live.session import LiveSession
from engine.live.stage_times import FEED, FIRST, HOPS, INBOX, LAST, LINE, STAGES, VERDICT, Histogram, StageTimes
from engine.messages import Command
from engine.tape import TapeReader
from tests.live.rig import ListedFeed, ToldClock, parts, play
from tests.makers import heartbeat, trades
from tests.markets import trade_market
from tests.risk.facts import enter
from tests.test_orders import approved

US = 1_000
VERDICT_FACT = approved(enter())


class Clock:
    """Set by hand; the driver and what it measures read the same one."""

    def __init__(self) -> None:
        self.us = 0

    def now_ns(self) -> int:
        return self.us * US


def received(*at_us: int) -> Trades:
    return trades(*(10.0 for _ in at_us), received_ns=[us * US for us in at_us])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def times(clock: Clock) -> StageTimes:
    return StageTimes(clock.now_ns, clock.now_ns)


def found(times: StageTimes, name: str) -> tuple[int, float]:
    """Items, and the median in microseconds."""
    told = next(one for one in times.told() if one.stage == name)
    return told.items, told.p50_us


def test_a_quantile_is_within_an_eighth_of_the_true_one() -> None:
    draw, histogram = Random(1), Histogram()
    drawn = sorted(int(10 ** draw.uniform(0, 10)) for _ in range(20_000))
    for ns in drawn:
        histogram.add(ns)

    for share in (0.01, 0.5, 0.99):
        assert histogram.quantile_ns(share) == pytest.approx(drawn[int(share * 20_000)], rel=0.13, abs=1)
    assert histogram.items == 20_000


def test_every_duration_falls_into_the_bucket_that_holds_it() -> None:
    for ns in [*range(5_000), *(2**power + step for power in range(12, 60) for step in (-1, 0, 1))]:
        histogram = Histogram()
        histogram.add(ns)

        (place,) = [place for place, count in enumerate(histogram._counts) if count]

        least, size = stage_times._bucket(place)
        assert least <= ns < least + size


def test_a_clock_that_was_set_back_measures_nothing() -> None:
    histogram = Histogram()

    histogram.add(-5)

    assert histogram.quantile_ns(0.5) <= 1
    assert histogram.items == 1


def test_quantiles_forget_and_counts_do_not() -> None:
    histogram = Histogram()
    histogram.add(1_000_000)

    histogram.turn()
    assert histogram.quantile_ns(0.5) > 0
    histogram.turn()

    assert histogram.quantile_ns(0.5) == 0
    assert histogram.items == 1


def test_a_fact_is_timed_from_its_frame_through_the_inbox_and_the_line(times: StageTimes, clock: Clock) -> None:
    clock.us = 500
    times.begin(received(100, 200), since_ns=300 * US)
    clock.us = 900
    times.end()

    assert found(times, FEED) == (1, pytest.approx(200, rel=0.13))
    assert found(times, INBOX) == (1, pytest.approx(200, rel=0.13))
    assert found(times, LINE) == (1, pytest.approx(400, rel=0.13))


def test_a_verdict_is_timed_from_the_row_that_released_it(times: StageTimes, clock: Clock) -> None:
    block = received(100, 400, 700)
    times.begin(block, since_ns=800 * US)
    times.write(block.slice(0, 2))
    clock.us = 1_000
    times.write(VERDICT_FACT)
    clock.us = 5_000
    times.write(block.slice(2, 3))
    times.end()

    assert found(times, VERDICT) == (1, pytest.approx(600, rel=0.13))
    assert found(times, FIRST)[0] == found(times, LAST)[0] == 0


def test_a_verdict_before_any_row_is_timed_from_the_first_frame_of_its_fact(times: StageTimes, clock: Clock) -> None:
    times.begin(received(100, 400), since_ns=500 * US)
    clock.us = 900
    times.write(VERDICT_FACT)
    times.end()

    assert found(times, VERDICT) == (1, pytest.approx(800, rel=0.13))


def test_a_verdict_on_a_heartbeat_is_timed_from_its_arrival(times: StageTimes, clock: Clock) -> None:
    times.begin(heartbeat(5), since_ns=500 * US)
    clock.us = 900
    times.write(VERDICT_FACT)
    times.end()

    assert found(times, VERDICT) == (1, pytest.approx(400, rel=0.13))


def test_verdicts_with_no_row_between_them_were_released_together(times: StageTimes, clock: Clock) -> None:
    times.begin(received(100), since_ns=100 * US)
    for us in (300, 500, 1_700):
        clock.us = us
        times.write(VERDICT_FACT)
    times.end()

    assert found(times, VERDICT)[0] == 0
    assert found(times, FIRST) == (1, pytest.approx(200, rel=0.13))
    assert found(times, LAST) == (1, pytest.approx(1_600, rel=0.13))


def test_what_a_recovery_replays_is_not_timed(times: StageTimes, clock: Clock) -> None:
    clock.us = 900
    times.write(VERDICT_FACT)
    times.begin(heartbeat(5), since_ns=clock.now_ns())
    times.end()

    assert found(times, VERDICT)[0] == found(times, FIRST)[0] == 0


class BusyClock(ToldClock):
    """Whatever is done takes 10 ms, so that the driver gives the loop its turn after each fact."""

    spent_ns = 0

    def monotonic_ns(self) -> int:
        self.spent_ns += 10_000_000
        return self.spent_ns


async def played(directory: Path, market: Trades, rows: int, clock: type[ToldClock] = ToldClock) -> LiveSession:
    blocks = [market.slice(start, min(start + rows, len(market))) for start in range(0, len(market), rows)]
    feed = ListedFeed(blocks, ("S000", "S001"), clock(int(market.time_ns[0]) - 1))
    session = LiveSession(parts(feed, directory))
    await session.begin()
    await play(session)
    return session


@pytest.mark.anyio
async def test_measuring_changes_no_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    market = trade_market(2, 900, 6, 7)
    monkeypatch.setattr(stage_times, "SAMPLED", 10**9)
    unmeasured = await played(tmp_path / "unmeasured", market, 29)
    monkeypatch.setattr(stage_times, "SAMPLED", 1)
    # One fact a block, so that there are many to be measured, and some too large to go through in one go.
    monkeypatch.setattr(live_session, "MOST_ROWS", 1)
    monkeypatch.setattr(driver, "SMALL_ROWS", 20)
    measured = await played(tmp_path / "measured", market, 29)

    assert measured.opened.line.tap.digest.hex == unmeasured.opened.line.tap.digest.hex
    assert measured.opened.line.tap.digest.count > 20
    assert len(STAGES) == len(measured.opened.line.chain.stages)
    told = {one.stage: one.items for one in measured.stage_times()}
    assert tuple(told) == (*HOPS, *STAGES)
    assert all(told[name] > 100 for name in (FEED, INBOX, LINE, *STAGES))
    assert not any(one.items for one in unmeasured.stage_times() if one.stage in STAGES)


@pytest.mark.anyio
async def test_rows_that_have_arrived_go_through_before_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_session, "MOST_ROWS", 400)
    session = await played(tmp_path, trade_market(2, 900, 6, 7), 29, BusyClock)

    with TapeReader(session.opened.tape.path) as reader:
        *_, last = reader.facts()

    assert isinstance(last, Command)
    assert last.name == live_session.STOP


@pytest.mark.anyio
@pytest.mark.timeout(60)
async def test_half_a_million_trades_at_once_are_absorbed_without_loss(tmp_path: Path) -> None:
    rows, frame, draw = 500_000, 50, np.random.default_rng(5)
    times_ns = 1_700_000_000_000_000_000 + np.arange(rows, dtype=np.int64) * 2_000
    burst = Trades.of(
        time_ns=times_ns, received_ns=times_ns, instrument=draw.integers(0, 2, rows), size=np.ones(rows),
        price=np.round(100 * np.exp(draw.normal(0, 0.001, rows)), 2), trade_id=np.arange(rows),
    )  # fmt: skip

    session = await played(tmp_path, burst, frame)

    control, market = session.inbox.lanes()
    assert session.opened.line.tap.counts.rows == {"Trades": rows}
    assert session.opened.tape.last_sequence > rows
    assert market.high_water <= market.capacity == session.parts.config.live.market_queue
    assert market.dropped == control.dropped == 0
    assert market.conflated > rows // frame // 2


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
