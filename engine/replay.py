"""Running a recorded session: the line from its first fact to its last, with or without a tape.

A run that keeps a tape puts a snapshot on it between facts every so many rows. A run that was
cut off goes on from there: restore the snapshot, replay what the tape holds beyond it, then take
the feeds up where the tape ends. The decisions are those of a run that was never cut off.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec

from engine.app import Line, build_line
from engine.blocks import MarketBlock
from engine.chunks import count, sequence_of
from engine.config import Config
from engine.identity import Identity, build_hash, lock_hash
from engine.instruments import InstrumentTable
from engine.messages import Instrument
from engine.ports import Item, Recorder
from engine.session import Session, skip
from engine.tap import Sink
from engine.tape import TapeHeader, TapeMismatch, TapeReader, TapeWriter, continue_tape, create_tape

Progress = Callable[[int], None]
"""Told how many rows have gone through, after each fact."""

_states = msgspec.msgpack.Decoder(list[bytes])


def state_of(line: Line) -> bytes:
    """The whole line's state, between facts."""
    return msgspec.msgpack.encode(line.chain.snapshot())


def states_of(state: bytes) -> list[bytes]:
    """What `Chain.restore` takes."""
    return _states.decode(state)


def identity(config: Config) -> Identity:
    return Identity(build=build_hash(), lock=lock_hash(), config=config.hash)


def header(config: Config, session: Session, epoch: str) -> TapeHeader:
    """`epoch` is the creation second in base 36: the shell's clock, never the line's."""
    known = identity(config)
    return TapeHeader(
        build_hash=known.build,
        lock_hash=known.lock,
        config_hash=known.config,
        session=session.start,
        instruments=session.table.all,
        calendar_version=", ".join(sorted({one.maker for one in session.calendars if one.maker})),
        epoch=epoch,
        calendars=session.calendars,
    )


@dataclass(slots=True)
class Run:
    """One session on its way through a line. `known` are facts that its tape holds already."""

    line: Line
    facts: Iterator[Item]
    tape: TapeWriter | None = None
    snapshot_every_rows: int = 0
    rows: int = 0
    known: Iterable[Item] = ()
    _rows_at_snapshot: int = 0

    def steps(self, progress: Progress) -> Iterator[None]:
        """Push every fact, pausing after each hop; the tape, where there is one, ends clean."""
        for fact in chain(self.known, self.facts):
            yield from self.push(fact)
            progress(self.rows)
        self.end()

    def push(self, fact: Item) -> Iterator[None]:
        """One fact, pausing after each hop."""
        yield from self.line.chain.steps(fact)
        self.rows += count(fact) if isinstance(fact, MarketBlock) else 0
        self._keep()

    def end(self) -> None:
        """After the last fact: the tape ends clean."""
        if self.tape is not None:
            self.tape.close()

    def finish(self, progress: Progress = lambda rows: None) -> None:
        """All steps at once."""
        for _ in self.steps(progress):
            pass

    def abandon(self) -> None:
        """Leave the tape as a crash would: what was committed stays, the end mark is missing."""
        if self.tape is not None:
            self.tape.close(clean=False)

    def _keep(self) -> None:
        if self.tape is None or self.rows - self._rows_at_snapshot < self.snapshot_every_rows:
            return
        self.tape.snapshot(self.tape.last_sequence, state_of(self.line))
        self._rows_at_snapshot = self.rows


def from_tape(path: Path, chunk: int) -> Session:
    """What a tape holds, as a session: a tape replays on its own.

    Raises TapeMismatch when its trading sessions are not those that it was begun with.
    """
    with TapeReader(path) as reader:
        known = reader.header
    found = tuple(one.identity for one in known.calendars)
    if found != known.session.sessions:
        raise TapeMismatch(f"{path}: sessions must be {_listed(known.session.sessions)}, was {_listed(found)}")
    table = InstrumentTable(known.instruments)
    facts = _recorded(path, 0, chunk)
    return Session(known.session, table, facts, known.calendars, opening=known.opening_snapshot)


def begin(config: Config, session: Session, sinks: Sequence[Sink], tape: Path | None, epoch: str) -> Run:
    """A run from the first fact. Raises TapeError when the tape cannot be begun."""
    line = build_line(config, session.start, session.table, calendars=session.calendars, sinks=sinks)
    if session.opening:
        line.chain.restore(states_of(session.opening))
    # Only now: a line that cannot be built leaves no empty tape behind.
    writer = None if tape is None else create_tape(tape, header(config, session, epoch))
    line.journal.recorder = writer
    return Run(line, iter(session.facts), writer, config.tape.snapshot_every_rows)


def resume(config: Config, session: Session, sinks: Sequence[Sink], tape: Path) -> Run:
    """A run that goes on where `tape` was cut off.

    With sinks the tape is replayed from its first fact, so that they miss nothing; without, from
    its last snapshot (`snapshot_every_rows` bounds how far back that is). Raises TapeMismatch
    under another build, lock file or configuration, for other feeds, instruments or sessions.
    """
    with TapeReader(tape) as reader:
        _check_same(tape, reader.header, session)
    writer, last = continue_tape(tape, header(config, session, ""))
    recorder = _Beyond(writer, last)
    line = build_line(config, session.start, session.table, calendars=session.calendars, recorder=recorder, sinks=sinks)
    known = 0 if sinks else _restore(line, tape)
    recorded, beyond = _recorded(tape, known), skip(session.facts, last)
    return Run(line, beyond, writer, config.tape.snapshot_every_rows, known=recorded)


def _check_same(tape: Path, header: TapeHeader, session: Session) -> None:
    was, given = header.session, session.start
    if given.sessions != was.sessions:
        raise TapeMismatch(f"{tape}: sessions must be {_listed(was.sessions)}, was {_listed(given.sessions)}")
    if given != was:
        raise TapeMismatch(f"{tape}: the feeds must be those of the tape, {was.feeds}")
    check_instruments(tape, header.instruments, session.table)


def check_instruments(tape: Path, was: Sequence[Instrument], given: InstrumentTable) -> None:
    """Raises TapeMismatch where an instrument is defined otherwise than on the tape."""
    for old, new in zip(was, given.all, strict=True):
        if old != new:
            names = [name for name in new.__struct_fields__ if getattr(old, name) != getattr(new, name)]
            found = f"{names[0]} must be {getattr(old, names[0])}, was {getattr(new, names[0])}"
            raise TapeMismatch(f"{tape}: instrument {old.symbol}: {found}")


def _listed(sessions: Sequence[str]) -> str:
    return ", ".join(sessions) or "around the clock"


class _Beyond:
    """Records only what is not on the tape yet."""

    def __init__(self, recorder: Recorder, last: int) -> None:
        self._recorder = recorder
        self._last = last

    def append(self, fact: Item) -> None:
        if sequence_of(fact) > self._last:
            self._recorder.append(fact)


def _restore(line: Line, tape: Path) -> int:
    """Bring `line` to the tape's last snapshot; its sequence number, 0 where there is none."""
    with TapeReader(tape) as reader:
        snapshot = reader.last_snapshot()
    if snapshot is None:
        return 0
    line.chain.restore(states_of(snapshot.payload))
    return snapshot.sequence


def _recorded(tape: Path, known: int, chunk: int | None = None) -> Iterator[Item]:
    with TapeReader(tape) as reader:
        yield from reader.facts(chunk, after_sequence=known)
