"""The compile that happens once: it is noticed, and what it replays is a file that replays."""

import os
import subprocess
import sys
from pathlib import Path

from engine import compiling
from engine.api import replay

ROOT = Path(__file__).parents[1]


def test_a_machine_without_a_cache_is_cold_whatever_was_imported(tmp_path: Path) -> None:
    program = "import engine.commands; from engine.compiling import is_cold; print(is_cold())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "True\n"


def test_after_a_replay_it_is_not(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(compiling.lines()) + "\n")

    result = replay(path)

    assert not compiling.is_cold()
    assert {event["symbol"] for event in result.events} == {"AAA", "BBB"}


def test_a_compile_that_fails_is_nobodys_end() -> None:
    compiling.compile_apart("engine.no_such_module")
