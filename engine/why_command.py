"""`wyckoff why SYMBOL`: what the engine saw in a symbol, what it asked for, and which limit refused it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine import exits
from engine.config import Config
from engine.exits import ExitError, emit
from engine.inspect_command import is_simulated, known_errors, moment, pretty, tapes_of
from engine.inspect_text import campaign_lines
from engine.live.rebuild import begins_ns, rebuild, rebuilt
from engine.live.tapes import Tapes
from engine.live.why import CandidateLook, Why, why
from engine.live.witness import SymbolWitness
from engine.messages import FOREVER_NS, SessionStart
from engine.status_text import heat_lines, position_lines, printable
from engine.tap import Sink
from engine.tape import TapeHeader, TapeMismatch
from engine.text_table import NOTHING, columns, day, plain, price, shortened
from engine.timeframes import LENGTH_NS

MOST_CANDIDATES = 10

MOST_EARLIER = 2
"""Tapes before the one of the instant that are read for what began on them."""

Asked = tuple[str, str | None, str]
"""Symbol, timeframe, instant, as they were typed."""


def run_why(home: Path | None, files: Sequence[Path], sets: Sequence[str], asked: Asked, *, as_json: bool) -> None:
    """Raises ExitError."""
    at_ns = moment(asked[2])
    tapes, config = tapes_of(home, files, sets)
    with known_errors():
        found = told(tapes, config, asked[:2], at_ns)
    emit(pretty(found) if as_json else why_text(found))


def told(tapes: Tapes, config: Config, slot: tuple[str, str | None], at_ns: int) -> Why:
    """Raises NoTapeError, TapeError, TapeMismatch, ExitError where there is no such symbol or timeframe."""
    heard: list[tuple[SymbolWitness, tuple[str, str]]] = []

    def witness(header: TapeHeader, _: object) -> Sequence[Sink]:
        # A tape that turns out to be past is heard in vain.
        chosen = _chosen(header.session, *slot)
        heard.append((SymbolWitness(config, header, chosen, MOST_CANDIDATES), chosen))
        return (heard[-1][0],)

    latest = tapes.latest()
    if at_ns == FOREVER_NS and latest is not None:
        built = rebuilt(latest, config, at_ns, witness)
    else:
        built = rebuild(tapes, config, at_ns, witness)
    mine, chosen = heard[-1]
    _look_back(tapes, config, built.tape, (mine, chosen))
    return why(built, config, chosen, at_ns, mine, is_simulated=is_simulated(config))


def _look_back(tapes: Tapes, config: Config, tape: Path, heard: tuple[SymbolWitness, tuple[str, str]]) -> None:
    """A day is a tape: what is asked for may have begun on one before."""
    mine, chosen = heard
    known = tapes.all()
    for earlier in reversed(known[max(0, known.index(tape) - MOST_EARLIER) : known.index(tape)]):
        if mine.candidates and mine.range_began_ns >= begins_ns(tape):
            return
        older: list[SymbolWitness] = []

        def listen(header: TapeHeader, _: object, older: list[SymbolWitness] = older) -> Sequence[Sink]:
            older.append(SymbolWitness(config, header, chosen, MOST_CANDIDATES))
            return older

        try:
            rebuilt(earlier, config, FOREVER_NS, listen)
        except TapeMismatch:
            return
        mine.follow(older[0])
        tape = earlier


def _chosen(start: SessionStart, symbol: str, timeframe: str | None) -> tuple[str, str]:
    if symbol not in start.symbols:
        shown = ", ".join(start.symbols[:8]) + (" ..." if len(start.symbols) > 8 else "")
        raise ExitError(exits.NOT_FOUND, f"SYMBOL must be among {shown}, was {symbol}")
    if timeframe is None:
        return symbol, max(start.detect_on, key=lambda name: LENGTH_NS[name])
    if timeframe not in start.detect_on:
        raise ExitError(
            exits.NOT_FOUND, f"--timeframe: structure is looked for on {', '.join(start.detect_on)}, was {timeframe}"
        )
    return symbol, timeframe


# ---------------------------------------------------------------------------- for people


def why_text(found: Why) -> str:
    from engine.explain_text import as_text

    parts = [
        _head(found), _now(found), heat_lines(found.heat),
        position_lines(found.positions, len(found.positions)), campaign_lines(found.campaigns),
        _candidates(found.candidates),
    ]  # fmt: skip
    text = printable("\n\n".join("\n".join(part) for part in map(list, parts) if part))
    return f"{text}\n\n{as_text(found.explanation, color=True)}"


def _head(found: Why) -> Iterator[str]:
    feed = "SIMULATED FEED" if found.feed_is_simulated else "real feed"
    asked = f"at {found.at}" if found.at else "at the end of the latest tape"
    yield f"[{found.mode.upper()}]  {found.symbol} {asked}, line time {found.line_time or NOTHING}  {feed}"
    yield f"tape      {found.tape}"


def _now(found: Why) -> Iterator[str]:
    if not found.blockers:
        yield "Nothing stood against every entry; each is judged by itself."
        return
    yield "NO ENTRY WAS POSSIBLE:"
    for one in found.blockers:
        yield f"  {one.code:12}{one.text}"


def _candidates(found: Sequence[CandidateLook]) -> Iterator[str]:
    if not found:
        yield "candidates none lately: no event that a strategy trades"
        return
    yield "the last candidates, and what became of each"
    head = ("time", "candidate", "score", "verdict", "stage", "code", "value", "limit", "margin", "quantity", "")
    rows = [
        (day(one.time), shortened(one.subject), NOTHING if one.score is None else f"{one.score:.0f}", one.verdict,
         one.stage or NOTHING, one.code or NOTHING, price(one.value), price(one.limit), price(one.margin),
         plain(one.quantity), ";  ".join(filter(None, (one.sum, shortened(one.reason)))))
        for one in found
    ]  # fmt: skip
    yield from (f"  {line}" for line in columns(head, rows, left=(0, 1, 3, 4, 5, 10)))
