"""The options of the commands that read feeds, as data: name, help, and the panel each stands in."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

READING = "Reading files"
ADJUSTING = "Splits and dividends"
INSTRUMENTS = "Instruments and sessions"
OUTPUT = "Output"
TAPE = "Tape"
PACE = "Pace"


def _in(panel: str | None, name: str, metavar: str, text: str, default: bool | str = True) -> Any:
    return typer.Option(*name.split(), metavar=metavar, help=text, show_default=default, rich_help_panel=panel)


FEED = "Files of bars, trades or quotes, recordings of a venue's messages, or one tape."
Feeds = Annotated[list[Path], typer.Argument(metavar="FEED", help=FEED)]
Configs = Annotated[
    list[Path] | None, _in(None, "-c --config", "FILE", "TOML over the shipped settings; repeatable, the last wins.")
]
Chunk = Annotated[int, typer.Option(min=1, metavar="N", help="Rows a block; any number gives the same digest.")]
From = Annotated[str | None, _in(None, "--from", "TIME", "First time, ISO 8601, UTC.", "all")]
Until = Annotated[str | None, _in(None, "--to", "TIME", "End time, not included.", "all")]
Symbol = Annotated[str | None, _in(None, "--symbol", "NAME", "Symbol where no column says it.", "the file's name")]

Timeframe = Annotated[
    str | None, _in(READING, "--timeframe", "NAME", "Of bars: 1m 5m 15m 1h 4h 1d 1w.", "the spacing of the stamps")
]
Layout = Annotated[str | None, _in(READING, "--layout", "NAME", "Of a file without a header.", "what fits its rows")]
Columns = Annotated[
    str, _in(READING, "--columns", "A,B,...", "Column names of a file without a header.", "row 1, or --layout")
]
Mapping = Annotated[
    list[str] | None,
    _in(READING, "--map", "OURS=THEIRS", "Name a column that is not recognised: volume=Qty. Repeatable."),
]
Member = Annotated[str | None, _in(READING, "--member", "NAME", "Of an archive, by name or pattern.", "all of them")]
Dates = Annotated[str, _in(READING, "--dates", "ORDER", "Of dates like 03/04/2020: mdy or dmy.")]
Zone = Annotated[str, _in(READING, "--zone", "ZONE", "Time zone of stamps that name none.")]
Fold = Annotated[str | None, _in(READING, "--fold", "NAME", "Timeframe that finer bars are put together to.")]
Sorted = Annotated[bool, _in(READING, "--sorted", "", "Refuse a file that is out of time order.", "sort it")]
Strict = Annotated[bool, _in(READING, "--strict", "", "Stop at a row that is no market data.", "withhold, count it")]
Protocol = Annotated[
    str, _in(READING, "--protocol", "NAME", "Of a recording that does not say it: binance, kraken.", "what fits")
]

Adjust = Annotated[str, _in(ADJUSTING, "--adjust", "HOW", "Rescale prices and volume: auto, none, splits, all.")]
Adjustments = Annotated[
    Path | None, _in(ADJUSTING, "--adjustments", "FILE", "Splits and dividends, where the feed has none.")
]
AdjustAsOf = Annotated[
    str | None, _in(ADJUSTING, "--adjust-as-of", "DAY", "Whose prices stay as they are.", "the last one known")
]

Calendar = Annotated[
    str | None,
    _in(INSTRUMENTS, "--calendar", "NAME", "Sessions that close bars: XNYS, XLON, CMES, FX.", "the configuration's"),
]
Hours = Annotated[
    str | None,
    _in(INSTRUMENTS, "--hours", "NAME", "regular, or extended (US stocks, 04:00 to 20:00).", "the configuration's"),
]
Instruments = Annotated[
    list[Path] | None,
    _in(
        INSTRUMENTS, "--instruments", "FILE", "Ticks and lots as a venue answers: exchangeInfo, AssetPairs. Repeatable."
    ),
]
RecordedInstruments = Annotated[
    bool, _in(INSTRUMENTS, "--recorded-instruments", "", "Believe what a recording was told by its venue.")
]

Tape = Annotated[Path | None, _in(TAPE, "--tape", "FILE", "Record the session on a new tape.")]
Resume = Annotated[bool, _in(TAPE, "--resume", "", "Go on with the --tape that was cut off.")]

Speed = Annotated[float, _in(PACE, "--speed", "N", "Times real time, through queues as in live; 0: as fast as it can.")]
StopAt = Annotated[
    str | None, _in(PACE, "--until", "TIME", "Stop before the first row after it; a --tape can be resumed.", "the end")
]

Monitor = Annotated[bool, _in(OUTPUT, "--monitor", "", "Show the run in the browser; the page stays until Ctrl-C.")]
Listen = Annotated[
    str | None, _in(OUTPUT, "--listen", "ADDRESS:PORT", "Where the page of --monitor is.", "127.0.0.1:8787")
]
Store = Annotated[Path | None, _in(OUTPUT, "--store", "FILE", "Keep the run in an SQLite store.")]
Events = Annotated[Path | None, _in(OUTPUT, "--events", "FILE.csv", "Wyckoff events as they became known.")]
Phases = Annotated[Path | None, _in(OUTPUT, "--phases", "FILE.csv", "Phase and confidence, one row a bar.")]
Trades = Annotated[Path | None, _in(OUTPUT, "--trades", "FILE.csv", "Closed legs with profit and R.")]
Decisions = Annotated[
    Path | None, _in(OUTPUT, "--decisions", "FILE.jsonl", "Intents, verdicts, orders, executions, in order.")
]
Report = Annotated[
    Path | None, _in(OUTPUT, "--report", "FILE.html", "One page: charts, trades, refusals, the account.")
]
Json = Annotated[bool, _in(OUTPUT, "--json", "", "JSON instead of the table.")]
Quiet = Annotated[bool, _in(OUTPUT, "-q --quiet", "", "No progress bar, no notes while it runs.")]
Color = Annotated[bool, _in(OUTPUT, "--color/--no-color", "", "Colour on a terminal; NO_COLOR is heeded.")]


@dataclass(frozen=True)
class Reading:
    """How feeds are read, as every command that reads them may be told. The order is that of --help."""

    layout: Layout = None
    columns: Columns = ""
    mapping: Mapping = None
    member: Member = None
    dates: Dates = "auto"
    zone: Zone = "UTC"
    fold: Fold = None
    is_sorted: Sorted = False
    strict: Strict = False
    protocol: Protocol = ""
    adjust: Adjust = "auto"
    adjustments: Adjustments = None
    adjust_as_of: AdjustAsOf = None
    calendar: Calendar = None
    hours: Hours = None

    @property
    def given(self) -> dict[str, Any]:
        """By the names of `ReplayCommand`."""
        return {**vars(self), "mapping": tuple(self.mapping or ())}


def reads(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of `Reading` where it has the parameter `reading`: typer looks at signatures."""
    before = inspect.signature(command).parameters
    options = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=one.type)
        for one in fields(Reading)
    ]
    parameters = [
        found
        for name, own in before.items()
        for found in (options if name == "reading" else [own.replace(kind=inspect.Parameter.KEYWORD_ONLY)])
    ]

    @wraps(command)
    def told(**given: Any) -> None:
        reading = Reading(**{one.name: given.pop(one.name) for one in options})
        command(**given, reading=reading)

    told.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    told.__annotations__ = {one.name: one.annotation for one in parameters}
    return told
