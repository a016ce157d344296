"""Pace: what is due goes, the same decisions at every speed, held and stepped from outside."""

import io
import json
import os
import pty
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import numpy as np
import pytest
from anyio import wait_all_tasks_blocked
from anyio.lowlevel import checkpoint

from engine import replay
from engine.blocks import MarketBlock
from engine.iso import iso
from engine.messages import FOREVER_NS, NEVER_NS
from engine.pace import MOST_ROWS, Pace, PaceState, Position, WallClock, paced, rows_until
from engine.pace_driver import changes, fused, go, queued
from engine.pace_keys import KEYS, SIGNALS, at_hand, press
from engine.pace_line import EVERY_NS, PaceLine, text
from engine.ports import Item
from engine.replay import Run
from engine.tape import TapeReader
from tests.lines import Recorded, decide, line, lively, recorded
from tests.makers import START_NS, bars, end_of_feed, trades
from tests.markets import bar_market, trade_market
from tests.test_recovery import session

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
MARKET = recorded(trade_market(1, 250, 4, 11))
DAILY = recorded(bar_market(3, 300, 5), symbols=3)

anyio_tests = pytest.mark.anyio


class FakeClock:
    """Time passes only while somebody waits for it."""

    def __init__(self) -> None:
        self.ns = 5
        self.waits: list[int | None] = []

    def now_ns(self) -> int:
        return self.ns

    async def wait(self, event: anyio.Event, timeout_ns: int | None) -> None:
        self.waits.append(timeout_ns)
        if timeout_ns is None:
            await event.wait()
        else:
            self.ns += timeout_ns
            await checkpoint()


def nothing(rows: int) -> None: ...


def run_of(market: Recorded, chunk: int | None = None) -> Run:
    return Run(line(market), iter(market.facts(chunk)))


async def let_go(pace: Pace, *facts: Item) -> list[Item]:
    return [fact async for fact in paced(facts, pace)]


@asynccontextmanager
async def driven(run: Run, pace: Pace, driver: Callable[..., object]) -> AsyncIterator[None]:
    """The driver beside the test, which goes on whenever nothing moves any more."""
    more = {"clock_ns": lambda: 0} if driver is fused else {"capacity": 2}
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: driver(run, pace, nothing, **more))  # type: ignore[arg-type, return-value]
        await wait_all_tasks_blocked()
        yield
        pace.stop()


BOTH = pytest.mark.parametrize("driver", [fused, queued], ids=["fused", "queued"])


# -------------------------------------------------------------------------- the same digest


@anyio_tests
@pytest.mark.parametrize(
    ("capacity", "speed", "chunk"), [(0, 1, 50), (1, 10, 0), (64, 1, 7), (0, 1e6, 0), (1, 0, 1), (64, 0, None)]
)
async def test_queued_at_any_speed_decides_as_fused(capacity: int, speed: float, chunk: int | None) -> None:
    run = run_of(MARKET, chunk)

    await queued(run, Pace(FakeClock(), speed=speed), nothing, capacity=capacity)

    assert run.line.tap.digest.hex == decide(MARKET).digest
    assert run.rows == len(MARKET.rows[0])


@anyio_tests
@pytest.mark.parametrize("speed", [0, 1, 3_600])
async def test_the_driver_of_fused_runs_decides_the_same_at_any_speed(speed: float) -> None:
    run = run_of(DAILY, 64)

    await fused(run, Pace(FakeClock(), speed=speed), nothing, clock_ns=lambda: 0)

    assert run.line.tap.digest.hex == decide(DAILY).digest


# --------------------------------------------------------------------------- what is due


@anyio_tests
@pytest.mark.parametrize("speed", [1, 10, 0.5])
async def test_a_run_takes_the_time_of_its_facts_over_its_speed(speed: float) -> None:
    clock = FakeClock()
    block = trades(*range(1, 101), step_ns=SECOND_NS)

    left = await let_go(Pace(clock, speed=speed), block)

    assert [len(one) for one in left if isinstance(one, MarketBlock)] == [1] * 100
    assert clock.ns == pytest.approx(99 * SECOND_NS / speed, abs=200)


@anyio_tests
async def test_what_became_due_meanwhile_goes_as_one_block() -> None:
    clock = FakeClock()
    pace = Pace(clock, speed=1)
    sizes = []

    async for fact in paced([trades(*range(1, 31), step_ns=SECOND_NS)], pace):
        assert isinstance(fact, MarketBlock)
        sizes.append(len(fact))
        clock.ns += 10 * SECOND_NS

    assert sizes == [1, 10, 10, 9]


@anyio_tests
async def test_as_fast_as_it_can_waits_for_nothing_and_looks_at_no_time() -> None:
    clock = FakeClock()

    left = await let_go(Pace(clock), *MARKET.facts())

    assert clock.waits == []
    assert left[3:] == list(MARKET.facts())[3:] or sum(map(len, blocks(left))) == len(MARKET.rows[0])


@anyio_tests
async def test_a_late_row_does_not_hold_up_the_rows_before_it() -> None:
    times = START_NS + SECOND_NS * np.array([0, 5, 3, 6, 20])
    block = trades(1, 2, 3, 4, 5, time_ns=times)
    clock = FakeClock()

    left = await let_go(Pace(clock, speed=1), block)

    assert [len(one) for one in blocks(left)] == [1, 2, 1, 1]
    assert clock.ns == pytest.approx(20 * SECOND_NS, abs=10)


def blocks(items: list[Item]) -> list[MarketBlock]:
    return [one for one in items if isinstance(one, MarketBlock)]


def test_rows_until_the_first_that_is_later() -> None:
    times = np.array([1, 5, 3, 9, 2])

    assert [rows_until(times, last) for last in (0, 1, 5, 8, 9, FOREVER_NS)] == [0, 1, 3, 3, 5, 5]


@anyio_tests
async def test_a_new_speed_counts_from_where_the_run_is() -> None:
    clock = FakeClock()
    pace = Pace(clock, speed=1)
    passed = 0

    async for _ in paced([trades(*range(1, 12), step_ns=SECOND_NS)], pace):
        passed += 1
        if passed == 6:
            assert clock.ns == pytest.approx(5 * SECOND_NS, abs=10)
            pace.go(5)

    # The next row goes at once, the four after it at five times real time.
    assert clock.ns == pytest.approx(5 * SECOND_NS + 0.8 * SECOND_NS, abs=20)


# ----------------------------------------------------------------- held, stepped, stopped


@anyio_tests
@BOTH
async def test_a_paused_run_moves_nothing_until_it_is_resumed(driver: Callable[..., object]) -> None:
    run, pace = run_of(MARKET, 50), Pace(FakeClock(), speed=0 if driver is fused else 1e6)
    pace.pause()

    async with driven(run, pace, driver):
        assert run.rows == 0
        pace.resume()
        await wait_all_tasks_blocked()

    assert run.line.tap.digest.hex == decide(MARKET).digest


@anyio_tests
@BOTH
async def test_a_step_goes_to_the_next_closed_bar_and_no_row_further(driver: Callable[..., object]) -> None:
    # Three trades a minute, the first as it begins: only the one after that proves the bar before complete.
    market = recorded(trades(*[10 + n / 100 for n in range(12)], step_ns=20 * SECOND_NS), detect_on=("1m",))
    run, pace = run_of(market), Pace(FakeClock())
    pace.pause()
    rows = []

    async with driven(run, pace, driver):
        for _ in range(3):
            pace.step()
            await wait_all_tasks_blocked()
            rows.append((run.rows, dict(run.line.tap.counts.bars).get("1m", 0)))
        assert pace.state is PaceState.PAUSED

    assert rows == [(5, 1), (8, 2), (11, 3)]


@anyio_tests
@BOTH
async def test_stepping_through_a_session_decides_the_same(driver: Callable[..., object]) -> None:
    run, pace = run_of(MARKET), Pace(FakeClock())
    pace.pause()

    async with driven(run, pace, driver):
        for _ in range(30):
            before = changes(run.line)
            pace.step()
            await wait_all_tasks_blocked()
            assert changes(run.line) > before
        pace.resume()
        await wait_all_tasks_blocked()

    assert run.line.tap.digest.hex == decide(MARKET).digest


@anyio_tests
@BOTH
async def test_until_pauses_before_the_first_later_row(driver: Callable[..., object]) -> None:
    run, pace = run_of(DAILY), Pace(FakeClock())
    times = blocks(list(DAILY.rows))[0].row_ns
    border = int(times[100])
    pace.until(border)

    async with driven(run, pace, driver):
        assert pace.state is PaceState.PAUSED
        assert run.rows == np.searchsorted(times, border, side="right")
        pace.resume()
        await wait_all_tasks_blocked()

    assert run.line.tap.digest.hex == decide(DAILY).digest


@anyio_tests
async def test_a_stop_is_final() -> None:
    pace = Pace(FakeClock())
    pace.stop()
    pace.resume()
    pace.step()

    assert pace.state is PaceState.STOPPED
    assert await let_go(pace, trades(1, 2)) == []


@anyio_tests
@pytest.mark.parametrize("speed", [0, 1e6], ids=["fused", "queued"])
async def test_stopped_at_a_time_and_resumed_is_the_session_never_stopped(speed: float, tmp_path: Path) -> None:
    tape = tmp_path / "part.tape"
    times = blocks(list(MARKET.rows))[0].row_ns
    border = int(times[len(times) * 2 // 5])
    first = replay.begin(lively(), session(MARKET, 50), [], tape, "epoch")
    pace = Pace(FakeClock(), speed=speed, stop_ns=border)

    await go(first, pace, nothing, clock_ns=lambda: 0)
    with TapeReader(tape) as reader:
        assert not reader.verify().clean
    again = replay.resume(lively(), session(MARKET, 64), [], tape)
    await go(again, Pace(FakeClock(), speed=speed), nothing, clock_ns=lambda: 0)

    assert pace.is_stopped
    assert first.rows == np.searchsorted(times, border, side="right")
    assert first.line.tap.digest.hex != decide(MARKET).digest
    assert again.line.tap.digest.hex == decide(MARKET).digest
    with TapeReader(tape) as reader:
        assert reader.verify().clean


# -------------------------------------------------------------------------- the event loop


@anyio_tests
@pytest.mark.parametrize("chunk", [50, 500, 0])
async def test_the_loop_has_its_turn_between_any_two_blocks_of_bounded_size(chunk: int) -> None:
    """By rows, not by time: with a clock that always says time is up, the rows between two turns are
    the rows that may hold up the loop."""
    market = recorded(trade_market(1, 400, 60, 3))
    run = run_of(market, chunk)
    ticks = iter(range(0, 10**15, 20_000_000))
    seen: list[int] = [0]

    async def turn() -> None:
        seen.append(run.line.tap.counts.rows.get("Trades", 0))
        await checkpoint()

    await fused(run, Pace(FakeClock()), nothing, clock_ns=lambda: next(ticks), turn=turn)

    assert seen[-1] == len(market.rows[0]) > 2 * MOST_ROWS
    assert max(np.diff(seen)) <= min(chunk or MOST_ROWS, MOST_ROWS)


@anyio_tests
async def test_the_loop_has_no_turn_while_time_is_not_up() -> None:
    turns = []

    async def turn() -> None:
        turns.append(1)

    await fused(run_of(DAILY, 50), Pace(FakeClock()), nothing, clock_ns=lambda: 0, turn=turn)

    assert turns == []


@pytest.mark.anyio
async def test_the_wall_clock_wakes_for_an_event_and_when_time_is_up() -> None:
    clock, event = WallClock(lambda: 7), anyio.Event()

    await clock.wait(event, 1)
    assert not event.is_set()
    event.set()
    await clock.wait(event, None)

    assert clock.now_ns() == 7


# ------------------------------------------------------------------------------- by hand


def test_keys_hold_step_and_stop() -> None:
    pace = Pace(FakeClock())
    states = []

    for keys in (" ", " ", "s", "x\n", " ", "q", " "):
        press(pace, keys)
        states.append(pace.state)

    assert [str(one) for one in states] == [
        "PAUSED", "RUNNING", "STEPPING", "STEPPING", "RUNNING", "STOPPED", "STOPPED",
    ]  # fmt: skip
    assert set(KEYS) == {" ", "s", "q"}


@pytest.mark.asyncio
async def test_signals_pause_and_step() -> None:
    pace = Pace(FakeClock())
    async with at_hand(pace, None):
        os.kill(os.getpid(), signal.SIGUSR1)
        while pace.state is PaceState.RUNNING:
            await checkpoint()
        assert pace.state is PaceState.PAUSED
        os.kill(os.getpid(), signal.SIGUSR2)
        while pace.state is PaceState.PAUSED:
            await checkpoint()

    assert pace.state is PaceState.STEPPING
    assert set(SIGNALS) == {signal.SIGUSR1, signal.SIGUSR2}


@pytest.mark.asyncio
async def test_keys_of_a_terminal_are_read_as_they_are_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    # A new terminal has no foreground yet; a shell's has this process there.
    monkeypatch.setattr("os.tcgetpgrp", lambda descriptor: os.getpgrp())
    pace = Pace(FakeClock())
    async with at_hand(pace, theirs):
        await checkpoint()
        os.write(ours, b" ")
        while pace.state is PaceState.RUNNING:
            await anyio.lowlevel.checkpoint()

    assert pace.state is PaceState.PAUSED
    os.close(ours)
    os.close(theirs)


@pytest.mark.asyncio
async def test_a_file_on_standard_input_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("q")
    with path.open() as stream:
        async with at_hand(pace := Pace(FakeClock()), stream.fileno()):
            await checkpoint()

        assert stream.read() == "q"
    assert pace.state is PaceState.RUNNING


# ------------------------------------------------------------------------------ what shows


@pytest.mark.parametrize(
    ("position", "shown"),
    [
        (Position(PaceState.RUNNING, START_NS, 10, 9.98), "2020-01-01T00:00:00Z  9.98x of 10x  1,234 rows"),
        (Position(PaceState.PAUSED, NEVER_NS, 0, 0), "before the first row  0x  1,234 rows  paused"),
    ],
)
def test_the_line_says_time_speed_and_rows(position: Position, shown: str) -> None:
    assert text(position, 1_234) == shown


def test_the_line_is_drawn_now_and_then_and_at_once_when_held() -> None:
    clock, stream = FakeClock(), io.StringIO()
    pace = Pace(clock, speed=1)
    drawn = PaceLine(pace, stream, clock.now_ns)
    pace.on_change = drawn.redraw

    for rows in range(10):
        drawn.move(rows)
        clock.ns += EVERY_NS // 5
    pace.pause()
    drawn.end()

    lines = stream.getvalue().split("\r")[1:]
    assert [one.split()[4:6] for one in lines[:3]] == [["0x", "of"], ["0x", "of"], ["0x", "of"]]
    assert "paused" in lines[2]
    assert lines[-2:] == [" " * len(lines[0]), ""]


@anyio_tests
async def test_the_speed_that_was_reached_is_measured() -> None:
    clock = FakeClock()
    pace = Pace(clock, speed=4)

    await let_go(pace, trades(*range(1, 50), step_ns=SECOND_NS))

    assert pace.position.reached == pytest.approx(4, rel=1e-6)
    assert pace.position.time_ns == START_NS + 48 * SECOND_NS


# ---------------------------------------------------------------------------- the command


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    days = bar_market(1, 300, 5)
    columns = (days.open_ns, days.open, days.high, days.low, days.close, days.volume)
    rows = (",".join(map(str, row)) for row in zip(*(one.tolist() for one in columns), strict=True))
    path = tmp_path / "days.csv"
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]) + "\n")
    return path


def wyckoff(*arguments: object) -> tuple[int, dict[str, object], str]:
    from typer.testing import CliRunner

    from engine.cli import app

    result = CliRunner().invoke(app, [str(one) for one in ("replay", *arguments, "--json")])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}, result.stderr


def test_the_command_decides_the_same_at_a_speed(feed: Path) -> None:
    _, fast, _ = wyckoff(feed)

    code, slow, _ = wyckoff(feed, "--speed", "1e6", "--to", "2020-01-05")

    assert code == 0
    assert slow["rows"] == {"Bars": 4}
    assert wyckoff(feed, "--to", "2020-01-05")[1] == slow
    assert fast["rows"] == {"Bars": 300}


def test_until_is_labelled_partial_and_resumes_to_the_whole(feed: Path, tmp_path: Path) -> None:
    tape = tmp_path / "part.tape"
    whole = wyckoff(feed)[1]

    _, part, _ = wyckoff(feed, "--tape", tape, "--until", "2020-04-10")
    _, resumed, _ = wyckoff(feed, "--tape", tape, "--resume")

    assert str(part["note"]).startswith("PARTIAL: stopped at 2020-04-10")
    assert f"--tape {tape} --resume" in str(part["note"])
    assert part["rows"] == {"Bars": 100}
    assert (resumed["digest"], resumed["note"]) == (whole["digest"], whole["note"])


def test_until_beyond_the_end_is_a_whole_run(feed: Path) -> None:
    assert wyckoff(feed, "--until", "2030-01-01")[1] == wyckoff(feed)[1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--speed", "-1"), "--speed must be between 0 and 1,000,000, was -1"),
        (("--speed", "nan"), "--speed must be"),
        (("--until", "soon"), "--until: time must be ISO 8601"),
        (("--from", "2020-03-01", "--until", "2020-02-01"), "--until must not be earlier than --from 2020-03-01"),
    ],
)
def test_odd_paces_are_refused(feed: Path, options: tuple[str, ...], told: str) -> None:
    code, _, error = wyckoff(feed, *options)

    assert code == 2
    assert told in error


def test_bars_and_an_end_of_feed_wait_for_their_time_too() -> None:
    clock = FakeClock()
    pace = Pace(clock, speed=1)
    day = bars((1, 1, 1, 1), (1, 1, 1, 1), timeframe="1m")

    left = anyio.run(let_go, pace, day, end_of_feed(START_NS + 3 * MINUTE_NS))

    assert len(left) == 3
    assert clock.ns == pytest.approx(2 * MINUTE_NS, abs=10)
    assert iso(pace.position.time_ns) == "2020-01-01T00:03:00Z"
