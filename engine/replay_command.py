"""`wyckoff replay` as given, and what must hold of its options before a file is opened.

An output never replaces an input or another output, and an option that would do nothing is
refused: silence would look like consent.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from engine import exits
from engine.exits import ExitError
from engine.iso import TimeError, parse_iso
from engine.messages import FOREVER_NS, NEVER_NS

TAPE_MAGIC = b"SQLite format 3\0"

FASTEST = 1e6
"""Times real time; what is meant to go faster goes at 0."""


class ReplayCommand(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `wyckoff replay`, as given."""

    feeds: tuple[Path, ...]
    config: tuple[Path, ...] = ()
    chunk: int = 4096
    start: str | None = None
    until: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    layout: str | None = None
    mapping: tuple[str, ...] = ()
    columns: str = ""
    member: str | None = None
    dates: str = "auto"
    zone: str = "UTC"
    fold: str | None = None
    adjust: str = "auto"
    adjustments: Path | None = None
    adjust_as_of: str | None = None
    is_sorted: bool = False
    strict: bool = False
    protocol: str = ""
    calendar: str | None = None
    hours: str | None = None
    instruments: tuple[Path, ...] = ()
    recorded_instruments: bool = False
    tape: Path | None = None
    resume: bool = False
    speed: float = 0
    stop_at: str | None = None
    store: Path | None = None
    events: Path | None = None
    phases: Path | None = None
    trades: Path | None = None
    decisions: Path | None = None
    report: Path | None = None
    monitor: bool = False
    listen: str | None = None
    as_json: bool = False
    quiet: bool = False
    color: bool = True

    @property
    def outputs(self) -> dict[str, Path]:
        """Option -> file, of the outputs that were asked for."""
        named = {
            "--events": self.events, "--phases": self.phases, "--trades": self.trades, "--decisions": self.decisions,
            "--report": self.report, "--store": self.store, "--tape": self.tape,
        }  # fmt: skip
        return {option: path for option, path in named.items() if path is not None}

    @property
    def range_ns(self) -> tuple[int, int]:
        """First time and end time. Raises ExitError."""
        start_ns = _moment("--from", self.start, NEVER_NS)
        end_ns = _moment("--to", self.until, FOREVER_NS)
        if start_ns >= end_ns:
            raise ExitError(exits.USAGE, f"--to must be later than --from {self.start}, was {self.until}")
        return start_ns, end_ns

    @property
    def stop_ns(self) -> int:
        """Of --until: the last time that goes. Raises ExitError."""
        return _moment("--until", self.stop_at, FOREVER_NS)

    @property
    def column_of(self) -> dict[str, str]:
        """--map as our column -> the file's. Raises ExitError."""
        found: dict[str, str] = {}
        for pair in self.mapping:
            ours, sign, theirs = pair.partition("=")
            if not sign or not theirs:
                raise ExitError(exits.USAGE, f"--map must be OURS=THEIRS, such as volume=Qty, was {pair}")
            if ours in found:
                raise ExitError(exits.USAGE, f"--map must name {ours} once, was {found[ours]} and {theirs}")
            found[ours] = theirs
        return found


def check(command: ReplayCommand) -> None:
    """Raises ExitError where files or options contradict each other."""
    for path in (*command.feeds, *command.instruments):
        check_exists(path)
    _check_once(command.feeds)
    _check_pace(command)
    _check_outputs(command)
    if command.store is not None and command.store.exists() and not command.store.is_file():
        raise ExitError(exits.IO_FAILED, f"{command.store}: must be a store, was a directory, device or pipe")
    if command.listen is not None and not command.monitor:
        raise ExitError(exits.USAGE, "--listen is for --monitor: without it nothing listens")
    if command.resume and command.tape is None:
        raise ExitError(exits.USAGE, "--resume needs --tape FILE: the tape that was cut off")
    if command.resume and command.tape is not None:
        check_exists(command.tape)
    elif command.tape is not None and command.tape.exists():
        raise ExitError(
            exits.IO_FAILED,
            f"{command.tape}: exists, and a tape is never replaced: name another file, or go on with it by --resume",
        )
    if is_tape(command.feeds):
        _check_tape_alone(command)


def check_exists(path: Path) -> None:
    if not path.exists():
        raise ExitError(exits.NOT_FOUND, f"{path}: there is no such file")


def is_tape(feeds: Sequence[Path]) -> bool:
    """Whether the one feed is a tape, by its first bytes; a tape among other feeds is refused."""
    tapes = [path for path in feeds if _begins_like_a_tape(path)]
    if tapes and len(feeds) > 1:
        raise ExitError(exits.USAGE, f"{tapes[0]}: a tape is replayed on its own, {len(feeds)} feeds were given")
    return bool(tapes)


def _check_once(feeds: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for path in feeds:
        if path.resolve() in seen:
            raise ExitError(exits.USAGE, f"{path}: a feed must be given once, was given again")
        seen.add(path.resolve())


def _check_pace(command: ReplayCommand) -> None:
    if not 0 <= command.speed <= FASTEST:
        raise ExitError(exits.USAGE, f"--speed must be between 0 and {FASTEST:,.0f}, was {command.speed:g}")
    if command.start is not None and command.stop_ns < command.range_ns[0]:
        raise ExitError(exits.USAGE, f"--until must not be earlier than --from {command.start}, was {command.stop_at}")


def _check_outputs(command: ReplayCommand) -> None:
    taken = {path.resolve(): "a feed" for path in command.feeds}
    taken |= {path.resolve(): "a file given with --config" for path in command.config}
    taken |= {path.resolve(): "a file given with --instruments" for path in command.instruments}
    for option, path in command.outputs.items():
        if path.resolve() in taken:
            raise ExitError(
                exits.USAGE, f"{option} must name a file of its own, was {path}, which is {taken[path.resolve()]}"
            )
        taken[path.resolve()] = f"that of {option}"


def _check_tape_alone(command: ReplayCommand) -> None:
    unused = next(options_of_files(command), None)
    if unused:
        raise ExitError(exits.USAGE, f"{unused} is for files: a tape is replayed as it was recorded")


def options_of_files(command: ReplayCommand) -> Iterator[str]:
    given = {
        "--from": command.start is not None, "--to": command.until is not None, "--symbol": command.symbol is not None,
        "--timeframe": command.timeframe is not None, "--layout": command.layout is not None,
        "--map": bool(command.mapping), "--columns": bool(command.columns), "--member": command.member is not None,
        "--dates": command.dates != "auto", "--zone": command.zone != "UTC", "--fold": command.fold is not None,
        "--adjust": command.adjust != "auto", "--adjustments": command.adjustments is not None,
        "--adjust-as-of": command.adjust_as_of is not None, "--sorted": command.is_sorted, "--strict": command.strict,
        "--protocol": bool(command.protocol), "--calendar": command.calendar is not None,
        "--hours": command.hours is not None, "--instruments": bool(command.instruments),
        "--recorded-instruments": command.recorded_instruments,
    }  # fmt: skip
    return (option for option, is_given in given.items() if is_given)


def _moment(option: str, text: str | None, otherwise: int) -> int:
    try:
        return otherwise if text is None else parse_iso(text)
    except TimeError as error:
        raise ExitError(exits.USAGE, f"{option}: {error}") from None


def _begins_like_a_tape(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(TAPE_MAGIC)) == TAPE_MAGIC
    except OSError:
        return False
