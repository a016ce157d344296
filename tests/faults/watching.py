"""What is noted of a session while it runs, and the laws that must hold of the notes.

The laws are written a second time here, in a few lines each, so that they do not agree with the engine by being it.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.blocks import Bars, MarketBlock, Quotes, Trades
from engine.messages import Action, Approved, Command, FeedStatus, Health, Refused
from engine.ports import Item

VISIBLE_S = 1.0
"""I20: a state is shown to people within this."""


@dataclass
class Noted:
    """A sink: wishes and facts in order with the host's clock, rows by symbol number."""

    facts: list[tuple[float, Item]] = field(default_factory=list)
    ids: dict[int, list[int]] = field(default_factory=dict)
    rows: dict[int, int] = field(default_factory=dict)
    backwards: int = 0
    bars: int = 0
    crossed: int = 0
    quotes: dict[int, int] = field(default_factory=dict)
    minutes: list[tuple[int, int, int]] = field(default_factory=list)
    closed_at: dict[int, int] = field(default_factory=dict)
    _closed: set[tuple[int, int, int]] = field(default_factory=set)
    closed_twice: int = 0

    def write(self, item: Item) -> None:
        if isinstance(item, MarketBlock):
            self._count(item)
        else:
            self.facts.append((time.monotonic(), item))

    def of(self, kind: type) -> list:
        return [fact for _, fact in self.facts if isinstance(fact, kind)]

    def _count(self, block: MarketBlock) -> None:
        for number in np.unique(block.instrument).tolist():
            mine = block.instrument == number
            self.rows[number] = self.rows.get(number, 0) + int(mine.sum())
            if isinstance(block, Quotes):
                self.quotes[number] = self.quotes.get(number, 0) + int(mine.sum())
                self.crossed += int(((block.bid > block.ask) | ~(block.bid > 0))[mine].sum())
            if isinstance(block, Trades):
                self.ids.setdefault(number, []).extend(block.trade_id[mine].tolist())
        if block.closed is not None and len(block.closed):
            self._close(block.closed)

    def _close(self, bars: Bars) -> None:
        self.bars += len(bars)
        columns = bars.instrument.tolist(), bars.timeframe.tolist(), bars.open_ns.tolist()
        for one, close_ns in zip(zip(*columns, strict=True), bars.close_ns.tolist(), strict=True):
            # Counted bars may open in the same instant; those of time may not.
            if one[1] < 7:
                self.closed_twice += one in self._closed
                self._closed.add(one)
            if one[1] == 0:
                self.minutes.append(one)
                self.closed_at[one[0]] = close_ns


@dataclass(frozen=True)
class Verdicts:
    """Entries and exits by whether something stood against entries when they were judged."""

    entries: int = 0
    entries_while_held: int = 0
    refused_while_held: int = 0
    exits_while_held: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


def verdicts(facts: Iterable[Item]) -> Verdicts:
    """I9, from the facts alone: what held when, and what was approved meanwhile."""
    not_live: set[int] = set()
    unwell: set[str] = set()
    halted: set[str] = set()
    counts = dict.fromkeys(("entries", "entries_while_held", "refused_while_held", "exits_while_held"), 0)
    codes: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, FeedStatus):
            (not_live.discard if fact.status == "LIVE" else not_live.add)(fact.feed)
        elif isinstance(fact, Health):
            (unwell.discard if fact.value <= fact.limit else unwell.add)(fact.name)
        elif isinstance(fact, Command):
            _obey(halted, fact.name)
        elif isinstance(fact, Approved | Refused):
            held = bool(not_live or unwell or halted)
            enters = fact.intent.action is Action.ENTER
            if isinstance(fact, Refused):
                codes[fact.receipt.code] = codes.get(fact.receipt.code, 0) + 1
                counts["refused_while_held"] += enters and held
            elif enters:
                counts["entries"] += 1
                counts["entries_while_held"] += held
            else:
                counts["exits_while_held"] += held
    return Verdicts(**counts, refused=codes)


def _obey(halted: set[str], name: str) -> None:
    if name in ("pause", "kill"):
        halted.add(name)
    halted.discard({"resume": "pause", "unkill": "kill"}.get(name, ""))


@dataclass(frozen=True)
class Look:
    """One look at `status`, by the host's clock."""

    at: float
    states: tuple[str, ...]
    codes: tuple[str, ...]
    waiting: int


def unseen(facts: Iterable[tuple[float, Item]], looks: list[Look]) -> list[str]:
    """I20: states of feeds that lasted for longer than a second and were not shown within it."""
    changes = [(at, fact) for at, fact in facts if isinstance(fact, FeedStatus)]
    missing = []
    for place, (at, fact) in enumerate(changes):
        until = next((then for then, other in changes[place + 1 :] if other.feed == fact.feed), float("inf"))
        looked = [look for look in looks if at <= look.at <= at + VISIBLE_S]
        if until - at <= VISIBLE_S or not looked or looked[-1].at - at < VISIBLE_S / 2:
            continue
        shown = any(look.states[fact.feed] == fact.status for look in looked)
        blocked = any("DATA_STALE" in look.codes for look in looked) or fact.status == "LIVE"
        if not (shown and blocked):
            missing.append(f"feed {fact.feed} {fact.status} {fact.reason}")
    return missing
