"""Compiles what a live session will call, by carrying made-up markets through lines of their own.

`python -m engine.live.kernels` does so with the shipped configuration and leaves the cache.

A compile in the middle of a session would stall its loop for seconds. The strategies' gates are opened wide, so
that entries, fills and exits are among what is called; nothing of it is kept.
"""

import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from importlib import import_module
from typing import Any

import numpy as np

from engine.app import build_line
from engine.blocks import HISTORY, Bars, Quotes, Trades
from engine.config import Config, parse, shipped
from engine.instruments import InstrumentTable
from engine.messages import (
    EndOfFeed,
    ExternalOrder,
    FeedStatus,
    Heartbeat,
    Instrument,
    Quarantine,
    SessionStart,
    Side,
)
from engine.ports import Item
from engine.timeframes import MINUTE_NS, TIMEFRAMES, sorted_timeframes
from engine.wyckoff.schematics import as_bars, generate

WIDE = {
    "min_score": 1.0, "min_confidence": 0.0, "spring_reward": 0.1, "sos_reward": 0.1, "lps_reward": 0.1,
    "min_width_percent": 0.0, "min_range_bars": 1, "sos_entry": True, "shakeout_entry": True,
    "round_trip_cost_bp": {"stock": 0, "crypto": 0, "fx": 0, "future": 0},
}  # fmt: skip
"""What lets the shipped strategy buy nearly anything."""

START_NS = 1_577_836_800_000_000_000
SEEDS = range(3)


def warm(config: Config) -> None:
    """Takes a second once the kernels are cached; their first compile takes half a minute."""
    wide = {name: settings | WIDE for name, settings in config.strategies.items() if name == "wyckoff_bmad"}
    opened = config.model_copy(update={"strategies": dict(config.strategies) | wide})
    idle = config.model_copy(update={"run": config.run.model_copy(update={"strategies": ()})})
    for match_on in ("trades", "bars"):
        table = InstrumentTable([_instrument(f"WARM{seed}", match_on) for seed in SEEDS])
        _carry(opened, table, _facts(match_on, table))
        # Nobody acts here, so that blocks with many points reach a gate that has something to look at.
        foreign = ExternalOrder(START_NS, "1", table.symbols[0], Side.BUY, Decimal(1), Decimal(1))
        _carry(idle, table, (foreign, *_facts(match_on, table)))


def _carry(config: Config, table: InstrumentTable, facts: Iterable[Item]) -> None:
    start = _start(config, table)
    line = build_line(config, start, table)
    for fact in (start, *table.all, *facts):
        line.chain.push(fact)
    line.chain.restore(line.chain.snapshot())


def _facts(match_on: str, table: InstrumentTable) -> Iterator[Item]:
    market = [as_bars(generate("accumulation", seed), "1m", START_NS, seed) for seed in range(len(table))]
    bars = Bars.join(market)
    bars = bars.derive(
        **{name: column[np.argsort(bars.close_ns, kind="stable")] for name, column in bars.columns().items()}
    )
    yield bars.slice(0, 3).derive(source=np.full(3, HISTORY, np.int8))
    yield FeedStatus(START_NS, 0, "RECOVERING", "")
    yield FeedStatus(START_NS, 0, "LIVE", "")
    rest = bars.slice(3, len(bars))
    yield rest if match_on == "bars" else _trades(rest)
    yield Quotes.of(
        time_ns=rest.close_ns[-1:], received_ns=rest.close_ns[-1:], bid=rest.close[-1:], ask=rest.close[-1:]
    )
    last_ns = int(bars.close_ns[-1])
    yield Quarantine(last_ns, 0, table.symbols[0], "far", 1)
    yield Heartbeat(last_ns + MINUTE_NS, 0)
    yield EndOfFeed(last_ns + MINUTE_NS, 0)


def _trades(bars: Bars) -> Trades:
    """Open, low, high and close of each bar as four trades of a quarter of its volume."""
    prices = np.stack([bars.open, bars.low, bars.high, bars.close], axis=1).reshape(-1)
    times = (bars.open_ns[:, None] + np.arange(4) * (MINUTE_NS // 4)).reshape(-1)
    order = np.argsort(times, kind="stable")
    return Trades.of(
        time_ns=times[order], received_ns=times[order], price=prices[order],
        size=np.repeat(bars.volume / 4, 4)[order], instrument=np.repeat(bars.instrument, 4)[order],
    )  # fmt: skip


def _start(config: Config, table: InstrumentTable) -> SessionStart:
    return SessionStart(
        time_ns=START_NS, mode="replay", feeds=("warm-up",), symbols=table.symbols, cash=Decimal(100_000),
        timeframes=sorted_timeframes((*TIMEFRAMES, *config.run.timeframes)), currency="USD", detect_on=("1m",),
    )  # fmt: skip


def _instrument(symbol: str, match_on: str) -> Instrument:
    return Instrument(
        symbol=symbol, asset_class="crypto", tick=Decimal("0.0001"), lot=Decimal("0.0001"), point_value=Decimal(1),
        min_notional=Decimal(0), currency="USD", calendar="", match_on=match_on, allows_negative=False,
    )  # fmt: skip


def warm_all(config: Config) -> None:
    """The line's kernels and those of the feeds."""
    warm(config)
    feeds: Any = import_module("adapters.live")
    feeds.warm()


def main() -> None:
    warm_all(parse(tomllib.loads(shipped("replay").read_text()), "shipped"))


if __name__ == "__main__":
    main()
