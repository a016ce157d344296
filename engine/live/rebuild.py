"""The line as it stood at an instant, rebuilt from the tapes: what `inspect` and `why` look at.

A tape that is still being written can be read; nothing about it changes. What counts are the facts before the
first one that is later than the instant, so the state is that of a session that was stopped there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from engine.app import Line, build_line
from engine.bars import AggregatorState
from engine.blocks import MarketBlock
from engine.config import Config
from engine.instruments import InstrumentTable
from engine.iso import iso
from engine.live.tapes import Tapes
from engine.messages import FOREVER_NS, SessionStart
from engine.ports import Item
from engine.replay import identity, states_of
from engine.tap import Sink
from engine.tape import TapeError, TapeHeader, TapeMismatch, TapeReader

BARS_STAGE = 1
"""The place of the BarAggregator among the stages of an opening snapshot."""

UNFIT = (ValueError, AssertionError, IndexError, KeyError, TypeError, msgspec.MsgspecError)
"""What a stage raises when a state is not one of its own."""

Witnesses = Callable[[TapeHeader, InstrumentTable], Sequence[Sink]]
"""Makes the sinks that shall hear a tape from its first fact on."""


class NoTapeError(Exception):
    """No tape reaches back to the instant."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A line that nobody goes on with. `sequence` is the number of the last fact that counted; `is_whole` says
    that no fact of the tape was later. `unheard` are the tape's first decisions, which no witness has heard."""

    line: Line
    tape: Path
    header: TapeHeader
    sequence: int
    is_whole: bool
    unheard: int

    @property
    def start(self) -> SessionStart:
        return self.header.session


def nobody(header: TapeHeader, table: InstrumentTable) -> Sequence[Sink]:
    """No witnesses."""
    return ()


def at_end(tape: Path, config: Config, witnesses: Witnesses = nobody) -> Rebuilt:
    """As `rebuilt` at the end of a tape, by way of its last snapshot: what came before it nobody hears."""
    return _rebuilt(tape, config, (FOREVER_NS, True), witnesses)


def rebuild(tapes: Tapes, config: Config, time_ns: int, witnesses: Witnesses = nobody) -> Rebuilt:
    """Raises NoTapeError, and what `rebuilt` raises."""
    found = tapes.all()
    place = _place(found, time_ns)
    if place is None:
        raise NoTapeError(_none(tapes, found))
    built = rebuilt(found[place], config, time_ns, witnesses)
    if built.is_whole and place + 1 < len(found) and _first_ns(found[place + 1]) <= time_ns:
        return rebuilt(found[place + 1], config, time_ns, witnesses)
    return built


def rebuilt(tape: Path, config: Config, time_ns: int, witnesses: Witnesses = nobody) -> Rebuilt:
    """Raises TapeError, and TapeMismatch under another build, lock file or configuration."""
    return _rebuilt(tape, config, (time_ns, False), witnesses)


def _rebuilt(tape: Path, config: Config, until: tuple[int, bool], witnesses: Witnesses) -> Rebuilt:
    time_ns, by_snapshot = until
    with TapeReader(tape) as reader:
        known = reader.header
        check_identity(tape, known, config)
        table = InstrumentTable(known.instruments)
        line = build_line(config, known.session, table, calendars=known.calendars, sinks=witnesses(known, table))
        if known.opening_snapshot:
            take_over(line, tape, known.opening_snapshot)
        before = line.tap.digest.count
        snapshot = reader.last_snapshot() if by_snapshot else None
        if snapshot is not None:
            take_over(line, tape, snapshot.payload)
        unheard = line.tap.digest.count - before
        facts = _Until(reader.facts(after_sequence=snapshot.sequence if snapshot else 0), time_ns)
        for fact in facts:
            line.chain.push(fact)
    return Rebuilt(line, tape, known, line.journal.next_sequence - 1, facts.is_whole, unheard)


def check_identity(tape: Path, known: TapeHeader, config: Config) -> None:
    """Raises TapeMismatch: under another build the same facts may lead elsewhere."""
    mine = identity(config)
    for name, was, given in (
        ("build_hash", known.build_hash, mine.build),
        ("lock_hash", known.lock_hash, mine.lock),
        ("config_hash", known.config_hash, mine.config),
    ):
        if was != given:
            raise TapeMismatch(f"{tape}: {name} of the tape must be {given}, was {was}")


def take_over(line: Line, tape: Path, state: bytes) -> None:
    """Bring a fresh line into a state of the whole line. Raises TapeMismatch that names the stage."""
    try:
        states = states_of(state)
    except msgspec.MsgspecError as error:
        raise TapeMismatch(f"{tape}: its state cannot be read: {error}") from error
    if len(states) != len(line.chain.stages):
        expected, was = len(line.chain.stages), len(states)
        raise TapeMismatch(f"{tape}: its state must be that of {expected} stages, was that of {was}")
    for stage, one in zip(line.chain.stages, states, strict=True):
        try:
            stage.restore(one)
        except UNFIT as error:
            name = type(stage).__name__
            raise TapeMismatch(f"{tape}: the state of its {name} cannot be taken over: {error}") from error


class _Until:
    """The facts before the first that is later than an instant, cut within a block where it lies there."""

    def __init__(self, facts: Iterator[Item], time_ns: int) -> None:
        self._facts = facts
        self._time_ns = time_ns
        self.is_whole = True

    def __iter__(self) -> Iterator[Item]:
        for fact in self._facts:
            if isinstance(fact, MarketBlock):
                later = np.flatnonzero(fact.row_ns > self._time_ns)
                if len(later):
                    self.is_whole = False
                    if later[0]:
                        yield fact.slice(0, int(later[0]))
                    return
            elif getattr(fact, "time_ns", self._time_ns) > self._time_ns:
                self.is_whole = False
                return
            yield fact


def _place(found: Sequence[Path], time_ns: int) -> int | None:
    """Of the latest tape before which nothing is later than the instant."""
    if time_ns == FOREVER_NS:
        return len(found) - 1 if found else None
    return next((place for place in reversed(range(len(found))) if begins_ns(found[place]) <= time_ns), None)


def begins_ns(path: Path) -> int:
    """From which instant on the opening of a tape is past: its first fact, or the last row before it."""
    with TapeReader(path) as reader:
        opening = reader.header.opening_snapshot
    if not opening:
        return _first_ns(path)
    state = msgspec.msgpack.decode(states_of(opening)[BARS_STAGE], type=AggregatorState)
    # A row proves its feed up to just before itself.
    return int(np.frombuffer(state.line.proven, np.int64).max()) + 1


def _first_ns(path: Path) -> int:
    """When the first fact of a tape was; a tape without facts begins never."""
    with TapeReader(path) as reader:
        for fact in reader.facts(1):
            if isinstance(fact, MarketBlock):
                return int(fact.row_ns[0])
            time_ns: int = getattr(fact, "time_ns", FOREVER_NS)
            return time_ns
    return FOREVER_NS


def _none(tapes: Tapes, found: Sequence[Path]) -> str:
    if not found:
        return f"{tapes.directory}: there is no tape; `wyckoff trade` writes them"
    first_ns = begins_ns(found[0])
    if first_ns == FOREVER_NS:
        return f"{found[0]}: the tape holds nothing yet"
    return f"{tapes.directory}: no tape begins that early: the first begins at {iso(first_ns)}"


__all__ = [
    "NoTapeError", "Rebuilt", "TapeError", "Witnesses", "at_end", "begins_ns", "check_identity", "nobody", "rebuild",
    "rebuilt", "take_over",
]  # fmt: skip
