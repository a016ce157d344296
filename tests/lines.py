"""A whole line over facts in memory, for the laws: build it, run it, compare what it decided."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
import msgspec

from engine.actor import run_line
from engine.app import MARKET, ROUTER, Line, build_line
from engine.blocks import Bars, MarketBlock, Trades
from engine.chunks import rechunk
from engine.config import Config, parse, shipped
from engine.digest import DECISIONS, EXECUTIONS
from engine.instruments import InstrumentTable
from engine.messages import EndOfFeed, Message, SessionStart
from engine.ports import Item
from engine.sightings import spread
from engine.timeframes import TIMEFRAMES
from tests.makers import end_of_feed, instrument, session

SHIPPED = tomllib.loads(shipped("replay").read_text())


def config(**tables: dict[str, Any]) -> Config:
    """The shipped configuration with some keys of some tables changed."""
    merged = {name: dict(table) if isinstance(table, dict) else table for name, table in SHIPPED.items()}
    for name, table in tables.items():
        merged[name] = dict(merged.get(name, {})) | table
    return parse(merged, "test")


def lively() -> Config:
    """Gates so wide that a small market gives the line much to decide: for laws, not for results."""
    wide = {"min_score": 35, "min_confidence": 40, "spring_reward": 1.0, "sos_reward": 0.8, "lps_reward": 0.8}
    levels = {"min_width_percent": 0, "min_range_bars": 1, "min_quality": 0, "min_strength": 0}
    nothing = {"stock": 0, "crypto": 0, "fx": 0, "future": 0}
    free = {"round_trip_cost_bp": nothing, "volatile_volume_rank": 100}
    strategy = {"sos_entry": True, "shakeout_entry": True} | wide | levels | free
    return config(strategies={"wyckoff_bmad": strategy}, campaigns={"cooldown_days": nothing})


@dataclass(frozen=True)
class Recorded:
    """A session in memory: facts can be taken as often as wanted, in any chunking."""

    start: SessionStart
    table: InstrumentTable
    rows: tuple[Item, ...]

    def facts(self, chunk: int | None = None) -> Iterable[Item]:
        return [self.start, *self.table.all, *rechunk((fresh(row) for row in self.rows), chunk)]


def fresh(item: Item) -> Item:
    """Blocks as a feed gives them: a line must never see what another line wrote on one."""
    return replace(item, line_ns=None, closed=None) if isinstance(item, MarketBlock) else item


def recorded(*rows: Item, symbols: int = 1, detect_on: Sequence[str] = (), **changes: object) -> Recorded:
    """A session of these rows, closed by EndOfFeed for each feed that has none."""
    first = rows[0]
    assert isinstance(first, Bars | Trades)
    on = "trades" if any(isinstance(row, Trades) for row in rows) else "bars"
    frame = TIMEFRAMES[int(first.timeframe[0])] if isinstance(first, Bars) else "1m"
    names = [f"S{number:03d}" for number in range(symbols)]
    table = InstrumentTable(instrument(name, **({"match_on": on} | changes)) for name in names)
    blocks = [row for row in rows if isinstance(row, MarketBlock)]
    ended = () if any(isinstance(row, EndOfFeed) for row in rows) else (end_of_feed(int(blocks[-1].row_ns.max())),)
    start = session(*names, detect_on=tuple(detect_on) or (frame,))
    return Recorded(start, table, (*rows, *ended))


def line(market: Recorded, settings: Config | None = None, **parts: Any) -> Line:
    chosen = settings or lively()
    late_ms = chosen.run.lateness_ms
    start = market.start if late_ms == "feed" else msgspec.structs.replace(market.start, lateness_ns=late_ms * 10**6)
    return build_line(chosen, start, market.table, **parts)


@dataclass(frozen=True)
class Decided:
    digest: str
    decisions: tuple[Message, ...]
    left: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.decisions)


def outcome(built: Line, left: Sequence[Item]) -> Decided:
    decisions = tuple(item for item in left if isinstance(item, DECISIONS + EXECUTIONS))
    return Decided(built.tap.digest.hex, decisions, tuple(left))


def decide(market: Recorded, chunk: int | None = None, built: Line | None = None) -> Decided:
    """Run fused."""
    built = built or line(market)
    return outcome(built, [item for fact in market.facts(chunk) for item in built.chain.run(fact)])


async def decide_queued(market: Recorded, capacity: int, chunk: int | None = None) -> Decided:
    """Run as actors joined by queues."""
    built = line(market)

    async def facts() -> Any:
        for fact in market.facts(chunk):
            yield fact

    async def run() -> None:
        await run_line(built.chain.stages, facts(), outlet, capacity=capacity, market=MARKET, router=ROUTER)

    outlet, sink = anyio.create_memory_object_stream[Item](capacity)
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        async with sink:
            left = [part async for item in sink for part in spread(item)]
    return outcome(built, left)
