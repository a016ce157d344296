"""A strategy for trying engines: wants to buy at every bar, and notes whatever it should never have been shown.

Symbols that begin with ET are held for long, so that there is something to get out of; all others turn over
within seconds, so that there is always an entry to judge. `register` lets a configuration name it.
"""

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from engine.blocks import HISTORY, Bars
from engine.messages import Leg, OrderKind
from engine.ports import Decline, Moment, Proposal

NAME = "probing"
HELD = "ET"
QUICK, WIDE = 0.001, 0.2
SCORE = 90.0


class Probing:
    """`stall_file`: while it exists, one call sleeps `stall_s`; `raise_file`: a call raises."""

    name = NAME

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.oddities: list[str] = []
        self._closes_ns: dict[tuple[int, int], int] = {}
        self._stall_file = Path(str(settings.get("stall_file", "/nonexistent")))
        self._raise_file = Path(str(settings.get("raise_file", "/nonexistent")))

    def marks(self, bars: Bars) -> npt.NDArray[np.bool_]:
        self.oddities += self._odd(bars)
        if self._stall_file.exists():
            self._stall_file.unlink()
            time.sleep(3.0)
        if self._raise_file.exists():
            raise RuntimeError("a strategy with a bug")
        return bars.source != HISTORY

    def propose(self, moment: Moment) -> Iterable[Proposal | Decline]:
        if moment.mark is None:
            return
        price = moment.mark.close
        move = WIDE if moment.mark.symbol.startswith(HELD) else QUICK
        worst = price * 1.0005
        targets = (worst * (1 + move), worst * (1 + 1.5 * move), worst * (1 + 2 * move))
        yield Proposal(
            leg=Leg.LPS, kind=OrderKind.LIMIT, trigger=float("nan"), worst=worst, stop=price * (1 - 2 * move),
            targets=targets, score=SCORE, valid_bars=1, reason="always",
        )  # fmt: skip

    def _odd(self, bars: Bars) -> Iterable[str]:
        """I19: what a strategy must never see."""
        prices = np.stack([bars.open, bars.high, bars.low, bars.close])
        if not (np.isfinite(prices).all() and (prices > 0).all()):
            yield "a price that is none"
        if not (np.isfinite(bars.volume).all() and (bars.volume >= 0).all()):
            yield "a volume that is none"
        if not ((bars.high >= prices.max(axis=0)) & (bars.low <= prices.min(axis=0))).all():
            yield "a close outside its bar"
        for instrument, frame, close_ns in zip(bars.instrument, bars.timeframe, bars.close_ns, strict=True):
            before_ns = self._closes_ns.get((instrument, frame), 0)
            if close_ns < before_ns:
                yield f"time going backwards by {before_ns - close_ns} ns"
            self._closes_ns[instrument, frame] = int(close_ns)


def register() -> list[Probing]:
    """Make `run.strategies = ["probing"]` mean this one; gives those that are built, as they are."""
    built: list[Probing] = []

    def build(settings: Mapping[str, object]) -> Probing:
        built.append(Probing(settings))
        return built[-1]

    module = ModuleType(f"strategies.{NAME}")
    module.__dict__["build"] = build
    sys.modules[module.__name__] = module
    return built
