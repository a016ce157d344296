"""Does a tape, replayed, decide what was decided? Decision by decision, naming the first that differs.

The replay is the ordinary one. What it is compared with is a file of decisions, one JSON object a line: the one
that a live session keeps beside its tape, or an export of an earlier replay.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import msgspec

from engine.config import Config
from engine.decision_lines import TOLD, decision_line
from engine.ports import Item
from engine.replay import Run, begin, from_tape

CHUNK_ROWS = 4_096


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """`number` is that of the first decision that differs, from 1; 0 where none does. `was` is what the file
    says, `is_now` what the replay decided, "" where one of them had ended."""

    tape: str
    decisions: int
    digest: str
    number: int = 0
    was: str = ""
    is_now: str = ""

    @property
    def ok(self) -> bool:
        return self.number == 0


class _Lines:
    """A sink that gives the decisions as lines."""

    reads = TOLD

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, item: Item) -> None:
        if line := decision_line(item):
            self.lines.append(line.decode().rstrip("\n"))

    def take(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines


def prove(tape: Path, against: Path, config: Config) -> Proof:
    """Raises TapeError, TapeMismatch, ConfigError, OSError."""
    found = _Lines()
    run = begin(config, from_tape(tape, CHUNK_ROWS), (found,), None, "")
    number = 0
    with against.open(encoding="utf-8") as file:
        for number, (was, is_now) in enumerate(zip_longest(_told(file), _decided(run, found), fillvalue=""), 1):
            if was != is_now:
                digest = run.line.tap.digest.hex
                return Proof(tape=str(tape), decisions=number - 1, digest=digest, number=number, was=was, is_now=is_now)
    return Proof(tape=str(tape), decisions=number, digest=run.line.tap.digest.hex)


def _told(file: Iterator[str]) -> Iterator[str]:
    for line in file:
        yield line.rstrip("\n")


def _decided(run: Run, found: _Lines) -> Iterator[str]:
    for _ in run.steps(lambda rows: None):
        yield from found.take()
    yield from found.take()
