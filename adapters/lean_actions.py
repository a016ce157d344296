"""What a LEAN folder knows about an equity beside its prices: renames and corporate actions.

`map_files/<id>.csv` has rows `YYYYMMDD,ticker`: the ticker that held up to and including the day.
A file of prices lies under the ticker of its own day; its feed goes by the last one.
"""

from collections.abc import Iterator
from csv import reader
from itertools import pairwise
from pathlib import Path

from adapters.adjusting import Factors, read_factors
from adapters.archives import reading
from adapters.feed_errors import FormatError
from adapters.lean import LeanFile

_Map = list[tuple[str, str]]


def lean_symbol(file: LeanFile) -> tuple[str, Path | None]:
    """The last ticker, and the factor file if there is one. Raises FeedError."""
    path = _map_file(file)
    name = path.stem if path else file.ticker.lower()
    symbol = _rows(path)[-1][1].upper() if path else file.ticker
    factors = file.root / "factor_files" / f"{name}.csv"
    return symbol, factors if file.asset == "equity" and factors.is_file() else None


def lean_factors(path: Path) -> Factors:
    (factors,) = read_factors(path).values()
    return factors


def _map_file(file: LeanFile) -> Path | None:
    folder = file.root / "map_files"
    if file.asset != "equity" or not folder.is_dir():
        return None
    own = folder / f"{file.ticker.lower()}.csv"
    if own.is_file() and (not file.date or _holds(own, file)):
        return own
    return next((path for path in sorted(folder.glob("*.csv")) if file.date and _holds(path, file)), None)


def _holds(path: Path, file: LeanFile) -> bool:
    """Whether this was its ticker on the day."""
    rows = _rows(path)
    spans: Iterator[tuple[tuple[str, str], tuple[str, str]]] = pairwise([("", ""), *rows])
    return any(before[0] < file.date <= row[0] and row[1].upper() == file.ticker for before, row in spans)


def _rows(path: Path) -> _Map:
    with reading(str(path)):
        text = path.read_bytes()
    rows = [row for row in reader(text.decode("utf-8", "replace").splitlines()) if row]
    if not rows or any(len(row) < 2 or not (row[0].isdecimal() and len(row[0]) == 8) for row in rows):
        raise FormatError(f"{path}: rows must be YYYYMMDD,ticker, was {rows[0] if rows else 'empty'!r}")
    return [(row[0], row[1].strip()) for row in rows]
