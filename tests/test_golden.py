"""Decisions do not drift: a small tape in the repository and what the line decides on it.

The digest changes when, and only when, a change means to change decisions; then it is replaced
in the same commit, which says why. `python -m tests.test_golden` writes the tape anew.
"""

from pathlib import Path

import pytest

from engine import replay
from engine.messages import Approved, Fill
from engine.tape import TapeReader
from tests.lines import lively, recorded
from tests.markets import bar_market

TAPE = Path(__file__).parent / "tapes" / "four-symbols.tape"
DIGEST = "d14ecb7ac04040765e2c206bc388a744100d56f72ec00ae362836e9362690838"


def decided(chunk: int) -> replay.Run:
    run = replay.begin(lively(), replay.from_tape(TAPE, chunk), [], None, "golden")
    run.finish()
    return run


@pytest.mark.parametrize("chunk", [1, 64, 65_536])
def test_the_line_decides_on_a_known_tape_what_it_always_has(chunk: int) -> None:
    run = decided(chunk)

    assert run.line.tap.digest.hex == DIGEST


def test_the_known_tape_makes_the_line_trade() -> None:
    counts = decided(4096).line.tap.counts

    assert counts.of(Approved) >= 5
    assert counts.of(Fill) >= 5


def test_the_known_tape_is_whole() -> None:
    with TapeReader(TAPE) as reader:
        found = reader.verify()

    assert found.ok
    assert found.clean


def write() -> None:
    market = recorded(bar_market(4, 400, 5), symbols=4)
    session = replay.Session(market.start, market.table, market.facts(400))
    TAPE.unlink(missing_ok=True)
    replay.begin(lively(), session, [], TAPE, "golden").finish()


if __name__ == "__main__":
    write()
