"""What watches the engine: stalls, pauses, clocks that are set, memory; all on clocks that are given."""

import threading
from pathlib import Path

import pytest

from engine.watchdog import ClockSense, LoopWatch, PauseSense, RssGuard, StallReport, rss_mb

MS = 1_000_000
SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


def watch(clock: Clock, told: list[StallReport]) -> LoopWatch:
    return LoopWatch(clock, told.append, limit_ns=250 * MS, halt_ns=2 * SECOND)


def test_a_loop_that_beats_is_left_alone(clock: Clock) -> None:
    told: list[StallReport] = []
    one = watch(clock, told)

    for _ in range(100):
        clock.now_ns += 100 * MS
        one.beat()
        one.look()

    assert told == []
    assert one.longest_ns == 100 * MS


def test_a_silent_loop_is_told_once_and_once_more_when_it_halts(clock: Clock) -> None:
    told: list[StallReport] = []
    one = watch(clock, told)

    for _ in range(300):
        clock.now_ns += 10 * MS
        one.look()

    assert [(report.silent_ns, report.halts) for report in told] == [(250 * MS, False), (2 * SECOND, True)]
    assert one.stalls == 1
    assert one.beat() == 3 * SECOND
    assert one.look() is None


def test_each_stall_is_told_anew(clock: Clock) -> None:
    told: list[StallReport] = []
    one = watch(clock, told)

    for _ in range(3):
        clock.now_ns += 300 * MS
        one.look()
        one.beat()

    assert len(told) == one.stalls == 3


def test_the_report_shows_where_the_loop_is(clock: Clock) -> None:
    told: list[StallReport] = []
    ready, go = threading.Event(), threading.Event()

    def a_strategy_that_hangs() -> None:
        secret = "CANARY"  # noqa: F841
        ready.set()
        go.wait(5)

    loop = threading.Thread(target=a_strategy_that_hangs)
    loop.start()
    ready.wait(5)
    one = LoopWatch(clock, told.append, limit_ns=1, halt_ns=2, loop_thread=loop.ident)
    clock.now_ns += 1
    one.look()
    go.set()
    loop.join()

    assert "a_strategy_that_hangs" in told[0].stacks.split("\nthread ")[0]
    assert "MainThread" in told[0].stacks


def test_the_thread_looks_by_itself() -> None:
    seen, told = threading.Event(), []
    clock = Clock()

    def tell(report: StallReport) -> None:
        told.append(report)
        seen.set()

    one = LoopWatch(clock, tell, limit_ns=250 * MS, halt_ns=2 * SECOND)
    one.start()
    clock.now_ns += SECOND

    assert seen.wait(5)
    one.stop()
    assert "thread loop-watch" in told[0].stacks


def test_a_machine_that_slept_is_noticed() -> None:
    sense = PauseSense()

    assert sense.beat(5) == 0
    assert sense.beat(5 + 2 * SECOND) == 0
    assert sense.beat(5 + 4 * SECOND + 1) == 2 * SECOND + 1
    assert sense.beat(5 + 4 * SECOND + 2) == 0


def test_a_wall_clock_that_is_set_is_noticed_in_both_directions() -> None:
    sense = ClockSense(SECOND)

    assert sense.beat(100 * SECOND, 0) == 0
    assert sense.beat(101 * SECOND, SECOND) == 0
    assert sense.beat(102 * SECOND - 3_600 * SECOND, 2 * SECOND) == -3_600 * SECOND
    assert sense.beat(103 * SECOND, 3 * SECOND) == 3_600 * SECOND
    assert sense.beat(104 * SECOND, 4 * SECOND) == 0


@pytest.mark.parametrize(
    ("kilobytes", "alarms", "over"), [(781_249, False, False), (781_250, True, False), (976_563, True, True)]
)
def test_memory_alarms_before_it_is_full(kilobytes: int, alarms: bool, over: bool, tmp_path: Path) -> None:
    (tmp_path / "status").write_text(f"Name:\tpython\nVmRSS:\t  {kilobytes} kB\nThreads:\t1\n")

    found = RssGuard(1_000, tmp_path / "status").check()

    assert (found.alarms, found.is_over) == (alarms, over)


def test_memory_that_cannot_be_read_is_0(tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("VmRSS: much\n")

    assert rss_mb(tmp_path / "nowhere") == rss_mb(tmp_path / "odd") == 0
    assert rss_mb() > 10
