"""A process beside the engine is started again, left alone when hopeless, and ended with the engine."""

import sys
from pathlib import Path

import anyio
import pytest

from engine import exits
from engine.live.supervision import keep_running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class QuickClock:
    """Pauses take no time; they are noted."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []
        self.third = anyio.Event()

    def now_ns(self) -> int:
        return 0

    def monotonic_ns(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        if len(self.slept_s) == 3:
            self.third.set()
        await anyio.lowlevel.checkpoint()


def noting(path: Path, code: int) -> list[str]:
    script = f"import pathlib, sys; p = pathlib.Path({str(path)!r}); p.open('a').write('x'); sys.exit({code})"
    return [sys.executable, "-c", script]


async def test_what_ends_is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    clock = QuickClock()

    with anyio.move_on_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(keep_running, "monitor", noting(tmp_path / "starts", 1), clock)
            await clock.third.wait()
            group.cancel_scope.cancel()

    assert clock.slept_s[:3] == [2.0, 4.0, 8.0]
    assert len((tmp_path / "starts").read_text()) >= 3


async def test_a_mistake_of_configuration_is_not_tried_again(tmp_path: Path) -> None:
    clock = QuickClock()

    await keep_running("monitor", noting(tmp_path / "starts", exits.BAD_CONFIG), clock)

    assert (tmp_path / "starts").read_text() == "x"
    assert not clock.slept_s


async def test_it_ends_with_the_engine(tmp_path: Path) -> None:
    script = f"import pathlib, time; pathlib.Path({str(tmp_path / 'pid')!r}).write_text('x'); time.sleep(600)"
    began = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(keep_running, "monitor", [sys.executable, "-c", script], QuickClock())
        while not (tmp_path / "pid").exists():  # noqa: ASYNC110  another process tells by a file
            await anyio.sleep(0.02)
        group.cancel_scope.cancel()

    assert anyio.current_time() - began < 60
