"""Compiles what a feed's first rows would otherwise wait for, with the loop at a stand."""

from adapters.cleaning import Cleaner, CleaningSettings
from adapters.codecs.codec import RowBuffer
from engine.blocks import BUYER

MOMENT_NS = 1_600_000_000_000_000_000
MINUTE_NS = 60_000_000_000


def warm() -> None:
    """To be called once before the first feed runs; takes half a minute where nothing is cached."""
    rows = RowBuffer({"A": 0}, 0)
    for number in range(1, 3):
        rows.trade("A", MOMENT_NS, MOMENT_NS, 10.0, 1.0, BUYER, number)
        rows.quote("A", MOMENT_NS, MOMENT_NS, 9.0, 1.0, 10.0, 1.0)
        rows.bar("A", "1m", MOMENT_NS - number * MINUTE_NS, MOMENT_NS, MOMENT_NS, 10.0, 11.0, 9.0, 10.0, 1.0)
    cleaner = Cleaner({"A": 0}, CleaningSettings())
    for block in rows.take():
        cleaner.clean(block)
    cleaner.finish()
