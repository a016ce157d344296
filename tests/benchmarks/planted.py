"""How much of what was planted is found, and how much of what is found was planted.

`python -m tests.benchmarks.planted [SEEDS]` runs the detector over SEEDS (default 40) generated markets of
every kind, and prints for each event: how many were planted, the share found (same kind and side,
within three bars), the share of findings near its schematic that were planted, and how often a decoy
shows one. A planted market proves that rules can fire; it says nothing about real ones.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from engine.messages import Event
from engine.naming import event_name
from engine.wyckoff.schematics import DECOYS, SCHEMATICS, Series, as_bars, generate
from tests.makers import START_NS
from tests.wyckoff.series import events

NEAR_BARS = 3
"""Bars around a planted event that count as the same, on daily bars (wyckoff.md 8.5)."""


class Tally(NamedTuple):
    """Counts by the name of an event. `found` are those of a schematic's bars, `decoys` those in decoys."""

    planted: Counter[str]
    recalled: Counter[str]
    found: Counter[str]
    decoys: Counter[str]


def name_of(event: Event) -> str:
    return f"{event_name(event.kind, event.direction)} {event.direction:+d}"


def tally(schematics: Iterable[Series], decoys: Iterable[Series]) -> Tally:
    out = Tally(Counter(), Counter(), Counter(), Counter())
    for series in schematics:
        match(series, out)
    for series in decoys:
        out.decoys.update(map(name_of, events(as_bars(series, "1d", START_NS))))
    return out


def match(series: Series, out: Tally) -> None:
    """Each planted event takes the nearest finding of its kind and side that no other took."""
    bars = as_bars(series, "1d", START_NS)
    length_ns = int(bars.close_ns[0] - bars.open_ns[0])
    rows = [(name_of(event), (event.event_ns - START_NS) // length_ns) for event in events(bars)]
    first, last = series.planted[0].row - NEAR_BARS, series.planted[-1].row + NEAR_BARS
    free = [(name, row) for name, row in rows if first <= row <= last]
    out.found.update(name for name, _ in free)
    for one in series.planted:
        name = f"{event_name(one.kind, one.direction)} {one.direction:+d}"
        out.planted[name] += 1
        near = [each for each in free if each[0] == name and abs(each[1] - one.row) <= NEAR_BARS]
        if near:
            out.recalled[name] += 1
            free.remove(min(near, key=lambda each: abs(each[1] - one.row)))


def main() -> None:
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
    decoys = [generate(kind, seed) for kind in DECOYS for seed in seeds]
    bars = sum(map(len, decoys))
    found = tally((generate(kind, seed) for kind in SCHEMATICS for seed in seeds), decoys)
    table = Table(title=f"{len(SCHEMATICS) * len(seeds)} schematics; {len(decoys)} decoys of {bars:,} bars")
    for name in ("event", "planted", "recall", "found", "precision", "in decoys", "per 1,000 bars"):
        table.add_column(name, justify="left" if name == "event" else "right")
    for name in sorted(found.planted):
        planted, recalled, seen, noise = (column[name] for column in found)
        table.add_row(
            name, str(planted), f"{recalled / planted:.2f}", str(seen), f"{recalled / seen:.2f}" if seen else "-",
            str(noise), f"{noise / bars * 1_000:.2f}",
        )  # fmt: skip
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
