"""Order of rows: newest-first files turned, misplaced rows sorted, repeated rows dropped.

Order is judged within each symbol, so that files which stack one symbol after the other need no
repair: they are merged by time, then symbol. Among rows of one symbol and time the line decides:
the first in the file is kept.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from adapters.rows import Rows
from engine.blocks import Column, Int64


class Order(NamedTuple):
    """`index_of` sorts by (time, symbol, line). `misplaced` rows step back in time, once turned.
    `first_back` is the index of the first row that steps back in the file, or -1."""

    index_of: Int64
    newest_first: bool
    misplaced: int
    first_back: int


def order_of(rows: Rows, time_ns: Int64, symbol: Column) -> Order:
    """`symbol` is ranked: its order is that of the names."""
    by_symbol = np.argsort(symbol, kind="stable")
    times = time_ns[by_symbol]
    same = np.diff(symbol[by_symbol]) == 0
    back = same & (times[1:] < times[:-1])
    forward = same & (times[1:] > times[:-1])
    steps_back, steps_forward = int(back.sum()), int(forward.sum())
    newest_first = steps_back > steps_forward
    first_back = int(by_symbol[1:][back].min()) if steps_back else -1
    index = np.lexsort((rows["lines"], symbol, time_ns)).astype(np.int64)
    return Order(index, newest_first, steps_forward if newest_first else steps_back, first_back)


def turned(order: Order, rows: Rows, time_ns: Int64, symbol: Column) -> Int64:
    """The order of prints: in a newest-first file, prints of one moment are turned as well."""
    lines = -rows["lines"] if order.newest_first else rows["lines"]
    return np.lexsort((lines, symbol, time_ns)).astype(np.int64)


def repeats(
    keys: tuple[Column, ...], values: tuple[Column, ...]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Rows that repeat the first row of their run of equal keys: with equal values, with others.

    Rows with equal keys must be neighbours.
    """
    size = len(keys[0])
    fresh = np.ones(size, np.bool_)
    fresh[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    first = np.maximum.accumulate(np.where(fresh, np.arange(size), 0))
    equal = np.logical_and.reduce([value == value[first] for value in values])
    return ~fresh & equal, ~fresh & ~equal
