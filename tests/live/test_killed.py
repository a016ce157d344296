"""A session that is killed at any instant and started again decides what an undisturbed one decides."""

import os
import random
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from engine.live.decision_log import decisions_of
from engine.live.session import LiveSession
from engine.live.tapes import Tapes
from engine.proving import prove
from tests.live.child import config, feed
from tests.live.rig import parts, play

SOAK = bool(os.environ.get("WYCKOFF_SOAK"))
KILLS = 300 if SOAK else 5
PAUSE_S = 0.002


def start(directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.live.child", str(directory), str(PAUSE_S)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    return child


@pytest.mark.timeout(3_600 if SOAK else 300)
@pytest.mark.anyio
async def test_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    undisturbed = LiveSession(parts(feed(), tmp_path / "undisturbed", config()))
    await undisturbed.begin()
    await play(undisturbed)
    expected = undisturbed.opened.line.tap.digest
    dice = random.Random(3)
    directory, kills = tmp_path / "0", 0

    while kills < KILLS:
        child = start(directory)
        await anyio.sleep(dice.uniform(0.0, 0.5))
        finished = child.poll() is not None
        child.kill()
        out, _ = child.communicate()
        kills += not finished
        if finished:
            assert out.split() == [expected.hex, str(expected.count)]
            directory = tmp_path / str(kills)
    out, _ = start(directory).communicate()

    assert out.split() == [expected.hex, str(expected.count)]
    (tape,) = Tapes(directory / "tapes").all()
    assert prove(tape, decisions_of(tape), config()).ok


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
