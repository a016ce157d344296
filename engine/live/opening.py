"""The line of a live session: begun fresh, gone on with after a stop or a crash, or opened for the next day.

A crash and a stop are told apart by nothing but how much there is to replay: the last snapshot of the tape is
restored and the facts behind it go through the line again, recorded nowhere. In paper mode the book is a part
of the line, so orders and positions come back with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from engine.app import Line, build_line
from engine.blocks import Bars, MarketBlock, Trades
from engine.calendars import calendars_of
from engine.config import Config
from engine.definitions import VenueMetadata
from engine.instruments import InstrumentTable
from engine.live.adoption import ADOPTION, adopt_state, check_same, final_state, stranger
from engine.live.decision_log import DecisionLog, decisions_of
from engine.live.ports import LiveFeed, Seen
from engine.live.tapes import Tapes, day_of, epoch
from engine.messages import SessionStart
from engine.replay import check_instruments, header, state_of, states_of
from engine.session import Session, definitions, session_start
from engine.tap import Sink
from engine.tape import TapeHeader, TapeMismatch, TapeReader, TapeWriter, continue_tape, create_tape

SEEN_ROWS = 200_000
"""How far back a recovery looks for the last row of each symbol."""


Prepare = Callable[[Line, Session], None]
"""Told of a line in the state in which it will go on, before the first fact, and of its session."""


def nothing(line: Line, session: Session) -> None:
    """Nobody prepares anything."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a session of these feeds is, whenever it begins."""

    config: Config
    session: Session

    @property
    def start(self) -> SessionStart:
        return self.session.start

    @property
    def table(self) -> InstrumentTable:
        return self.session.table


@dataclass(slots=True)
class OpenLine:
    """A line that stands ready behind the last fact of its tape.

    `begun` says that nothing is on the tape yet: its opening facts are still to be pushed, then history. `seen` are
    the last rows of the tape by symbol, `replayed` the rows that recovery took through the line. `instead` says why
    the latest tape was not gone on with, where a new one was begun.
    """

    line: Line
    tape: TapeWriter
    session: Session
    decisions: DecisionLog
    begun: bool
    seen: Mapping[str, Seen]
    replayed: int = 0
    instead: str = ""

    @property
    def day(self) -> int:
        """The day of line time, in days since the epoch; -1 before any is proven."""
        return day_of(self.line.bars.line_time_ns)

    def keep_state(self) -> None:
        """Put a snapshot on the tape. Only between facts."""
        self.decisions.sync()
        self.tape.snapshot(self.tape.last_sequence, state_of(self.line))

    def close(self, *, clean: bool) -> None:
        """End the tape and the decisions beside it; what is missing of these a recovery writes again."""
        try:
            self.decisions.close()
        finally:
            self.tape.close(clean=clean)


def plan(config: Config, feeds: Sequence[LiveFeed], known: Sequence[VenueMetadata], now_ns: int) -> Plan:
    """Raises ConfigError, InstrumentError, CalendarError."""
    table = InstrumentTable(one.instrument for one in definitions(config, feeds, known))
    calendars = calendars_of(table.all, now_ns)
    start = session_start(config, feeds, table, calendars, now_ns)
    start = msgspec.structs.replace(start, trades_from_ns=now_ns)
    return Plan(config, Session(start, table, (start, *table.all), calendars))


def open_line(
    planned: Plan,
    tapes: Tapes,
    sinks: Sequence[Sink] = (),
    prepare: Prepare = nothing,
    *,
    adopt: bool = False,
    anew: bool = False,
) -> OpenLine:
    """Go on with the latest tape, or begin the first. `prepare` is called before anything reaches the sinks.

    Raises TapeMismatch when the latest tape is of another build, lock file, configuration, feeds or
    instruments, TapeError when it is damaged. With `adopt` a tape of another build, lock file or configuration
    that ended clean is followed by a new one, which opens with the state that it ended in; with `anew` a fresh one
    is begun wherever the latest does not fit: for recordings, which have no state to lose.
    """
    latest = tapes.latest()
    if latest is not None and _is_only_begun(latest):
        # A start that was cut off: nothing has been decided on it, nobody was heard.
        tapes.discard(latest)
        latest = tapes.latest()
    log = DecisionLog()
    if latest is None:
        return _begin(planned, tapes, (*sinks, log), log, prepare)
    strange = _stranger(latest, planned, is_final=not anew)
    if strange and anew:
        opened = _begin(planned, tapes, (*sinks, log), log, prepare)
        opened.instead = strange
        return opened
    if strange and adopt:
        return _adopt(planned, tapes, (*sinks, log), log, prepare)
    if strange:
        raise TapeMismatch(f"{strange}; {ADOPTION}")
    return _go_on(planned, latest, (*sinks, log), log, prepare)


def _is_only_begun(tape: Path) -> bool:
    """Whether nothing is on the tape but what a session opens with, or a part of that."""
    with TapeReader(tape) as reader:
        opening = 0 if reader.header.opening_snapshot else 1 + len(reader.header.instruments)
        return bool(opening) and len(list(islice(reader.facts(), opening + 1))) <= opening


def _stranger(latest: Path, planned: Plan, *, is_final: bool) -> str:
    """As `stranger`; what no state fits raises TapeMismatch where that is final, else it is told as well."""
    try:
        strange = stranger(latest, planned.config, planned.start)
        if not is_final and not strange:
            with TapeReader(latest) as reader:
                check_instruments(latest, reader.header.instruments, planned.table)
    except TapeMismatch as error:
        if is_final:
            raise
        return str(error)
    return strange


def next_day(config: Config, last: OpenLine, tapes: Tapes, now_ns: int) -> OpenLine:
    """End `last` clean and open the next tape with its state; the line itself stays, with its sinks."""
    last.keep_state()
    last.close(clean=True)
    # Numbers begin anew on each tape.
    last.line.journal.next_sequence = 1
    opening = state_of(last.line)
    session = Session(last.session.start, last.session.table, (), last.session.calendars, opening=opening)
    path = tapes.fresh(now_ns)
    writer = create_tape(path, _header(config, session, now_ns))
    last.line.journal.recorder = writer
    last.decisions.open(decisions_of(path), 0)
    return OpenLine(last.line, writer, session, last.decisions, begun=False, seen={})


def _begin(planned: Plan, tapes: Tapes, sinks: Sequence[Sink], log: DecisionLog, prepare: Prepare) -> OpenLine:
    session, now_ns = planned.session, planned.start.time_ns
    line = _line(planned.config, session, sinks)
    # Only now: a line that cannot be built leaves no empty tape behind.
    path = tapes.fresh(now_ns)
    writer = create_tape(path, _header(planned.config, session, now_ns))
    line.journal.recorder = writer
    log.open(decisions_of(path), 0)
    prepare(line, session)
    return OpenLine(line, writer, session, log, begun=True, seen={})


def _go_on(planned: Plan, latest: Path, sinks: Sequence[Sink], log: DecisionLog, prepare: Prepare) -> OpenLine:
    with TapeReader(latest) as reader:
        known = reader.header
        check_same(latest, known.session, planned.start)
        check_instruments(latest, known.instruments, planned.table)
        session = Session(known.session, planned.table, (), known.calendars, opening=known.opening_snapshot)
        writer, last = continue_tape(latest, _header(planned.config, session, 0))
        line = _line(planned.config, session, sinks)
        known_to = _restore(line, reader, session.opening, log)
        prepare(line, session)
        replayed = 0
        for fact in reader.facts(after_sequence=known_to):
            line.chain.push(fact)
            replayed += len(fact) if isinstance(fact, MarketBlock) else 0
        seen = _seen(reader, planned.table, last)
    line.journal.recorder = writer
    return OpenLine(line, writer, session, log, begun=False, seen=seen, replayed=replayed)


def _adopt(planned: Plan, tapes: Tapes, sinks: Sequence[Sink], log: DecisionLog, prepare: Prepare) -> OpenLine:
    """Facts are not replayed: under another build they might lead elsewhere. The state alone is taken over."""
    latest = tapes.latest()
    assert latest is not None
    now_ns = planned.start.time_ns
    with TapeReader(latest) as reader:
        known = reader.header
        state, last = final_state(reader)
        check_instruments(latest, known.instruments, planned.table)
        session = Session(known.session, planned.table, (), known.calendars)
        line = _line(planned.config, session, sinks)
        adopt_state(line, latest, state)
        seen = _seen(reader, planned.table, last)
    # Numbers begin anew on each tape.
    line.journal.next_sequence = 1
    session = Session(known.session, planned.table, (), known.calendars, opening=state_of(line))
    path = tapes.fresh(now_ns)
    line.journal.recorder = writer = create_tape(path, _header(planned.config, session, now_ns))
    log.open(decisions_of(path), 0)
    prepare(line, session)
    return OpenLine(line, writer, session, log, begun=False, seen=seen)


def _restore(line: Line, reader: TapeReader, opening: bytes, log: DecisionLog) -> int:
    """Bring `line` to the last snapshot of the tape, and the log of decisions with it; its sequence number.

    Where the log lacks decisions from before the snapshot the line stays at the opening: the whole tape is
    replayed and writes them again.
    """
    fresh, snapshot = line.chain.snapshot(), reader.last_snapshot()
    try:
        if opening:
            line.chain.restore(fresh := states_of(opening))
        before = line.tap.digest.count
        if snapshot:
            line.chain.restore(states_of(snapshot.payload))
    except (ValueError, AssertionError, msgspec.MsgspecError) as error:
        raise TapeMismatch(f"{reader.path}: its state cannot be taken over: {error}") from error
    decided = line.tap.digest.count - before
    log.open(decisions_of(reader.path), decided)
    if log.count == decided:
        return snapshot.sequence if snapshot else 0
    line.chain.restore(fresh)
    log.open(decisions_of(reader.path), 0)
    return 0


def _seen(reader: TapeReader, table: InstrumentTable, last: int) -> dict[str, Seen]:
    found: dict[str, Seen] = {}
    for fact in reader.facts(after_sequence=max(0, last - SEEN_ROWS)):
        if isinstance(fact, Trades | Bars):
            ids = fact.trade_id if isinstance(fact, Trades) else None
            for number in np.unique(fact.instrument).tolist():
                row = int(np.flatnonzero(fact.instrument == number)[-1])
                trade_id = -1 if ids is None else int(ids[row])
                found[table.symbols[number]] = Seen(int(fact.row_ns[row]), trade_id)
    return found


def _line(config: Config, session: Session, sinks: Sequence[Sink]) -> Line:
    return build_line(config, session.start, session.table, calendars=session.calendars, sinks=sinks)


def _header(config: Config, session: Session, now_ns: int) -> TapeHeader:
    return msgspec.structs.replace(header(config, session, epoch(now_ns)), opening_snapshot=session.opening)
