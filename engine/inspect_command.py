"""`wyckoff inspect`: the engine as it stood at an instant, rebuilt from its tapes, for people and for programs.

Nothing is changed and nobody is asked: it works while an engine runs, and long after one has ended.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec

from engine import exits
from engine.calendars import CalendarError
from engine.config import Config, ConfigError, problem_table
from engine.config_command import settled
from engine.control.status import Blocker, HeatView, OrderView, PositionView, View
from engine.exits import ExitError, emit
from engine.iso import TimeError, iso, parse_iso
from engine.live import look, views
from engine.live.look import CampaignLook, PhaseLook, VerdictLook
from engine.live.rebuild import NoTapeError, Rebuilt, at_end, rebuild
from engine.live.tapes import Tapes
from engine.live.witness import Verdict, VerdictWitness, verdicts_in
from engine.messages import FOREVER_NS, NEVER_NS
from engine.tape import TapeError, TapeMismatch

INSPECT_VERSION = 1
"""Rises when a field changes its meaning or goes; new fields do not raise it."""

MOST_VERDICTS = 10


class Inspection(View, frozen=True, kw_only=True):
    """`at` is the instant asked for, "" for the end of the latest tape; `line_time` what all feeds had proven then.

    `feed_is_simulated` says that the configuration has a feed of a generated market or on this host. `blockers` are
    what the gate alone holds against every entry: warming up and the like are a process's own. `digest` covers all
    decisions so far.
    """

    version: int = INSPECT_VERSION
    at: str
    line_time: str
    tape: str
    sequence: int
    mode: str
    feed_is_simulated: bool
    currency: str
    equity: Decimal | None
    cash: Decimal
    heat: HeatView
    blockers: tuple[Blocker, ...]
    kill_level: str
    kill_reason: str
    paused_by: str
    positions: tuple[PositionView, ...]
    orders: tuple[OrderView, ...]
    campaigns: tuple[CampaignLook, ...]
    phases: tuple[PhaseLook, ...]
    verdicts: tuple[VerdictLook, ...]
    decisions: int
    digest: str


def run_inspect(home: Path | None, files: Sequence[Path], sets: Sequence[str], at: str, *, as_json: bool) -> None:
    """Raises ExitError."""
    at_ns = moment(at)
    tapes, config = tapes_of(home, files, sets)
    with known_errors():
        found = inspected(tapes, config, at_ns)
    if as_json:
        emit(pretty(found))
        return
    from engine.inspect_text import inspect_text

    emit(inspect_text(found))


def inspected(tapes: Tapes, config: Config, at_ns: int) -> Inspection:
    """Raises NoTapeError, TapeError, TapeMismatch."""
    witness = VerdictWitness(MOST_VERDICTS)
    built = rebuilt_at(tapes, config, at_ns, witness)
    line, gate, start = built.line, built.line.gate, built.start
    kill, pause = gate.halts.get("kill"), gate.halts.get("pause")
    line_ns = line.bars.line_time_ns
    return Inspection(
        at="" if at_ns == FOREVER_NS else iso(at_ns),
        line_time="" if line_ns == NEVER_NS else iso(line_ns),
        tape=str(built.tape),
        sequence=built.sequence,
        mode=start.mode,
        feed_is_simulated=is_simulated(config),
        currency=start.currency,
        equity=views.equity(line),
        cash=gate.portfolio.cash,
        heat=views.heat(line, config.risk),
        blockers=views.blockers(line),
        kill_level=kill.level if kill else "",
        kill_reason=kill.reason if kill else "",
        paused_by=pause.operator if pause else "",
        positions=tuple(views.positions(line)),
        orders=tuple(views.orders(line)),
        campaigns=tuple(look.campaigns(line, config.campaigns)),
        phases=tuple(look.phases(line, start)),
        verdicts=tuple(map(look.verdict, _verdicts(tapes, built, witness))),
        decisions=line.tap.digest.count,
        digest=line.tap.digest.hex,
    )


def rebuilt_at(tapes: Tapes, config: Config, at_ns: int, witness: VerdictWitness) -> Rebuilt:
    """The end of the latest tape is reached by its last snapshot."""
    latest = tapes.latest()
    if at_ns == FOREVER_NS and latest is not None:
        return at_end(latest, config, lambda header, table: (witness,))

    def anew(*_: object) -> tuple[VerdictWitness]:
        # A tape that turns out to be past is heard in vain.
        witness.verdicts.clear()
        return (witness,)

    return rebuild(tapes, config, at_ns, anew)


def _verdicts(tapes: Tapes, built: Rebuilt, witness: VerdictWitness) -> list[Verdict]:
    """The last ones: what was heard, and before it what stands beside the tapes."""
    found = list(witness.verdicts)
    known = tapes.all()
    earlier = [(built.tape, built.unheard), *((one, None) for one in reversed(known[: known.index(built.tape)]))]
    for tape, decisions in earlier:
        lacking = MOST_VERDICTS - len(found)
        if lacking > 0:
            found = [*verdicts_in(tape, decisions, lacking), *found]
    return found


def tapes_of(home: Path | None, files: Sequence[Path], sets: Sequence[str]) -> tuple[Tapes, Config]:
    """Where the engine of this home keeps its tapes, and what it runs on. Raises ExitError."""
    paths, found = settled(home, files, sets)
    return Tapes(paths.state_of(found.config.run.mode) / "tapes"), found.config


def moment(text: str) -> int:
    """The instant of `--at`, FOREVER_NS of "". Raises ExitError."""
    if not text:
        return FOREVER_NS
    try:
        return parse_iso(text)
    except TimeError as error:
        raise ExitError(exits.USAGE, f"--at: {error}") from None


def is_simulated(config: Config) -> bool:
    """Whether any feed is of a generated market, or comes from this very host."""
    return any(one.kind == "simulated" or "://127.0.0.1" in one.url for one in config.feeds)


@contextmanager
def known_errors() -> Iterator[None]:
    """What may be wrong with tapes, with its exit code."""
    try:
        yield
    except NoTapeError as error:
        raise ExitError(exits.NOT_FOUND, str(error)) from None
    except TapeMismatch as error:
        raise ExitError(
            exits.REFUSED,
            f"{error}; only what wrote a tape can tell what it led to: use that release and configuration",
        ) from None
    except TapeError as error:
        raise ExitError(exits.IO_FAILED, str(error)) from None
    except ConfigError as error:
        raise ExitError(
            exits.BAD_CONFIG, f"the configuration cannot be used\n{problem_table(error.problems)}"
        ) from None
    except CalendarError as error:
        raise ExitError(exits.BAD_CONFIG, str(error)) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise ExitError(exits.IO_FAILED, f"beside the tapes: {error}") from None


def pretty(found: msgspec.Struct) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
