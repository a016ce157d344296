"""The rule book's dates (13.2) on real days of AAPL: what is recognised at each, and what is not and why.

A changed gate shows here as a changed line. `because` names the gates that failed at that day's close, with
their values and limits, or that no range was there to be judged.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from adapters.files import FileOptions, open_feed
from engine.blocks import Bars
from engine.iso import iso
from engine.messages import EventKind
from engine.timeframes import DAY_NS
from engine.wyckoff.explained_gates import Candidate, Gate
from engine.wyckoff.explained_judging import judged
from engine.wyckoff.explained_lanes import as_judged
from engine.wyckoff.kinds import PHASES
from engine.wyckoff.layout import PHASE
from tests.test_explain_gates import Watch
from tests.wyckoff.series import REAL, closed, real_days

LEAN = REAL.parents[1] / "lean/Data/equity/usa/daily/aapl.zip"
"""AAPL to 2021-03, adjusted by its splits."""

NO_DATA = ("2022-05-12", "2024-08-05", "2025-04-07", "2025-04-08")
"""Dates of the rule book that no data here reach."""


class Control(NamedTuple):
    """`wanted` is what the rule book sees at `day`; `phase` the one that judged it (event range, direction +1);
    `found` the events that came to point at it, each with the day it was known from."""

    day: str
    wanted: str
    phase: str
    found: str
    because: str


BOKEH = [
    Control("2001-09-21", "SC", "NONE", "SC 2001-09-21", ""),
    Control("2008-01-23", "SC", "NONE", "SC 2008-01-23, SPRING_FAILED1 2008-01-23, RANGE_FAILED2 2008-01-23", ""),
    Control("2008-09-29", "SC", "A", "SC 2008-09-30", "close off its low 0.24 >= 0.50"),
    Control("2008-10-10", "SC", "A", "", "volume ratio, against the climax's 1.49 >= 2.05"),
    Control("2008-10-24", "ST", "NONE", "", "nothing waits for it in phase NONE"),
    Control("2008-11-20", "SPRING", "NONE", "", "nothing waits for it in phase NONE"),
    Control("2009-01-20", "SPRING", "NONE", "SOFT_STOP 2009-01-27", "nothing waits for it in phase NONE"),
    Control("2009-04-06", "BREAKOUT_WEAK", "NONE", "", "nothing waits for it in phase NONE"),
    Control("2011-06-16", "SPRING", "C", "SPRING2 2011-06-16", ""),
    Control(
        "2011-06-20",
        "SPRING",
        "B",
        "SPRING1 2011-06-21, SUPPLY_WARNING 2011-06-21",
        "close back above support 40.52 >= 40.91",
    ),
    Control("2011-10-04", "SC", "E", "SC 2011-10-04", ""),
    Control("2012-11-16", "SC", "NONE", "SC 2012-11-16", ""),
    Control(
        "2013-01-15",
        "RANGE_FAILED",
        "C",
        "SPRING_FAILED2 2013-01-15, RANGE_FAILED2 2013-01-15, SOFT_STOP 2013-01-23",
        "nothing waits for it in phase C",
    ),
    Control("2013-01-24", "RANGE_FAILED", "A", "", "nothing waits for it in phase A"),
]
LATER = [
    Control("2015-08-24", "SC", "A", "SC 2015-08-24", ""),
    Control("2018-12-21", "SC", "NONE", "SC 2018-12-26, PS 2019-01-04", "close off its low 0.13 >= 0.50"),
    Control("2018-12-24", "SC", "NONE", "", "close above the middle of the climactic bar 36.71 > 38.47"),
    Control("2019-01-30", "SOS", "A", "", "nothing waits for it in phase A"),
    Control("2020-02-28", "SC", "NONE", "SC 2020-02-28", ""),
]


@cache
def lean_days() -> Bars | None:
    if not LEAN.exists():
        return None
    feed = open_feed(Path(LEAN), FileOptions())
    numbers = {symbol: number for number, symbol in enumerate(feed.symbols)}
    bars = Bars.join([block for block in feed.facts(numbers, 0, 100_000) if isinstance(block, Bars)])
    days = bars.open_ns // DAY_NS * DAY_NS
    prices = np.stack([bars.open, bars.high, bars.low, bars.close, bars.volume], axis=1)
    return closed(prices, open_ns=days, close_ns=days + DAY_NS)


def told(bars: Bars, wanted: list[tuple[str, str]]) -> list[Control]:
    """One line a day, in order of the days."""
    watch, done = Watch(), 0
    seen = []
    for day, kind in wanted:
        place = int(np.searchsorted(bars.open_ns, _time_ns(day)))
        assert bars.open_ns[place] == _time_ns(day), day
        if place > done:
            watch.see(bars.slice(done, place))
        watch.see(bars.slice(place, place + 1))
        done = place + 1
        lanes = as_judged(watch.before, watch.now)
        phase = PHASES[int(lanes[0].wholes[PHASE])].value
        seen.append((day, kind, phase, because(judged(lanes)[0], kind, phase)))
    watch.see(bars.slice(done, len(bars)))
    return [Control(day, kind, phase, _pointing_at(watch, day), why) for day, kind, phase, why in seen]


def because(candidates: list[Candidate], kind: str, phase: str) -> str:
    candidate = next((one for one in candidates if one.kind == kind), None)
    if candidate is None:
        return f"nothing waits for it in phase {phase}"
    return "; ".join(_shown(gate) for gate in candidate.gates if not gate.passes)


def _shown(gate: Gate) -> str:
    if gate.unit == "yes/no":
        return f"no {gate.name}"
    assert gate.value is not None
    return f"{gate.name} {gate.value:.2f} {gate.relation} {gate.limit:.2f}"


def _pointing_at(watch: Watch, day: str) -> str:
    return ", ".join(
        f"{one.kind.value}{one.variant or ''} {iso(one.confirm_ns)[:10]}"
        for one in watch.events
        if one.event_ns == _time_ns(day) and one.direction > 0 and one.kind is not EventKind.RANGE_FORMED
    )


def _time_ns(day: str) -> int:
    return int(np.datetime64(day, "ns").astype(np.int64))


def test_the_dates_until_2013() -> None:
    if "AAPL" not in real_days():
        pytest.skip(f"no {REAL}")

    assert told(real_days()["AAPL"], [(one.day, one.wanted) for one in BOKEH]) == BOKEH


def test_the_dates_from_2015() -> None:
    bars = lean_days()
    if bars is None:
        pytest.skip(f"no {LEAN}")

    assert told(bars, [(one.day, one.wanted) for one in LATER]) == LATER


def test_a_gate_that_moves_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table would notice: with a climax that needs twice the volume, lines change."""
    if "AAPL" not in real_days():
        pytest.skip(f"no {REAL}")
    honest = Watch.__init__

    def deaf(self: Watch) -> None:
        honest(self)
        from engine.wyckoff import gates as g

        self.stage._rules.gates[..., g.SC_VR_FLOOR] *= 2
        self.stage._rules.gates[..., g.SC_VR_CEILING] *= 2

    monkeypatch.setattr(Watch, "__init__", deaf)
    first = BOKEH[0]

    assert told(real_days()["AAPL"].slice(0, 600), [(first.day, first.wanted)]) != [first]


@pytest.mark.skip(reason=f"no daily AAPL here reaches {', '.join(NO_DATA)}")
def test_the_dates_from_2022() -> None:
    """Stands for what 13.2 names and nothing here can show."""
