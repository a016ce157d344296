"""Raw messages a second: from a recording's decompressed bytes to blocks, and through each codec alone.

`python -m tests.benchmarks.codecs [FILE ...]` prints, for each recording: messages; messages/s to
open it (survey), to replay it, and both together; then for its codec alone messages/s over those
it decodes to rows and over those it skips unread. Best of the runs, files of one recording may be
joined by a comma. Without arguments: the recordings of the shared data folder. Containers are
unpacked and kernels are compiled before the clock starts. Compare runs of one machine only.
"""

import gc
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from adapters.codecs.codec import Codec, RowBuffer
from adapters.codecs.protocols import PROTOCOLS
from adapters.feed_errors import FeedError
from adapters.raw import RawFeed, RawOptions, open_raw
from adapters.raw_lines import lines

RUNS = 5
CHUNK = 65_536
BATCH_ROWS = 4_096
REPEATED_FRAMES = 20_000
"""A codec alone is timed over at least as many frames, repeated where a recording has fewer."""

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "feeds"
EVERY_KIND = RawOptions(kinds=frozenset(("trades", "quotes", "bars")))


class Speed(NamedTuple):
    """Messages a second; `decoded` and `skipped` are of the codec alone, 0 where it has none such."""

    name: str
    protocol: str
    messages: int
    rows: int
    opening: float
    replaying: float
    both: float
    decoded: float
    decoded_share: float
    skipped: float


def measure(paths: Sequence[Path], options: RawOptions) -> Speed:
    with tempfile.TemporaryDirectory() as folder:
        plain = [_unpacked(path, Path(folder) / path.name) for path in paths]
        feed = open_raw(plain, options)
        numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
        opening = _best(lambda: open_raw(plain, options))
        replaying = _best(lambda: list(feed.facts(numbers, 0, CHUNK)))
        decoded, skipped = _split(feed, options)
        total = feed.messages["messages"]
        return Speed(
            f"{paths[0].parent.name}/{feed.name}", feed.protocol, total, feed.rows_estimate,
            total / opening, total / replaying, total / (opening + replaying),
            _alone(feed, decoded, options), len(decoded) / total, _alone(feed, skipped, options),
        )  # fmt: skip


def _split(feed: RawFeed, options: RawOptions) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Frames that give rows, and frames that do not. A codec with a memory sees them in order."""
    rows = _buffer(feed, options)
    codecs: dict[int, Codec] = {}
    found: tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]] = ([], [])
    for received_ns, connection, frame in feed.recording.frames():
        before = rows.rows
        codecs.setdefault(connection, PROTOCOLS[feed.protocol].make()).decode(frame, received_ns, rows)
        found[rows.rows == before].append((received_ns, frame))
    return found


def _alone(feed: RawFeed, frames: list[tuple[int, bytes]], options: RawOptions) -> float:
    if not frames:
        return 0.0
    repeated = frames * max(1, REPEATED_FRAMES // len(frames))
    make = PROTOCOLS[feed.protocol].make

    def decode() -> None:
        rows, codec = _buffer(feed, options), make()
        for received_ns, frame in repeated:
            codec.decode(frame, received_ns, rows)
            if rows.rows >= BATCH_ROWS:
                rows.take()

    return len(repeated) / _best(decode)


def _buffer(feed: RawFeed, options: RawOptions) -> RowBuffer:
    return RowBuffer({symbol: number for number, symbol in enumerate(feed.symbols)}, 0, options.kinds)


def _unpacked(path: Path, target: Path) -> Path:
    with target.open("wb") as file:
        for batch in lines(path):
            file.writelines(line + b"\n" for line in batch)
    return target


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest run, after one that is thrown away."""
    seconds = []
    for _ in range(1 + RUNS):
        gc.collect()  # what the run before left behind
        begins = perf_counter()
        work()
        seconds.append(perf_counter() - begins)
    return min(seconds[1:])


def show(results: Sequence[Speed], title: str) -> None:
    table = Table(title=title)
    columns = (
        "recording",
        "protocol",
        "messages",
        "rows",
        "open",
        "replay",
        "both",
        "codec: decoded",
        "codec: skipped",
    )
    for name in columns:
        table.add_column(name, justify="left" if name in columns[:2] else "right")
    for one in results:
        table.add_row(
            one.name, one.protocol, f"{one.messages:,}", f"{one.rows:,}",
            f"{one.opening:,.0f}", f"{one.replaying:,.0f}",
            f"{one.both:,.0f}", f"{one.decoded:,.0f} ({one.decoded_share:.0%})", f"{one.skipped:,.0f}",
        )  # fmt: skip
    Console(width=160).print(table)


def recordings() -> Iterator[list[Path]]:
    spot = sorted((SHARED / "hftbacktest" / "spot").glob("*.gz"))
    usdm = sorted((SHARED / "hftbacktest" / "usdm").glob("*.gz"))
    yield from filter(None, (spot, usdm))
    for path in sorted((SHARED / "cryptofeed").glob("*.zst")):
        yield [path]


def main() -> None:
    asked = [[Path(name) for name in each.split(",")] for each in sys.argv[1:]] or list(recordings())
    if not asked:
        sys.exit(f"no recording at {SHARED}; name one")
    for title, options in (("trades and bars, messages/s", RawOptions()), ("quotes too, messages/s", EVERY_KIND)):
        results = []
        for paths in asked:
            try:
                results.append(measure(paths, options))
            except FeedError as error:
                print(error, file=sys.stderr)
        show(results, f"{title}, best of {RUNS}")


if __name__ == "__main__":
    main()
