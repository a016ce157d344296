"""A loopback venue on which everything goes wrong now and then, as a seed will have it.

For trying a whole engine on paper before it meets a real venue: quiet stretches in which it must come
back to life, and stretches in which one of the switches is on.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from adapters.loopback.binance import BinanceVenue
from adapters.loopback.venue import LoopbackVenue
from engine.live.ports import Clock

CALM_S: Final = (20.0, 60.0)
TROUBLE_S: Final = (2.0, 20.0)
"""How long nothing is wrong, and how long something is, in seconds of the clock."""

TROUBLES: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("dup", {"p": 0.2}),
    ("reorder", {"p": 0.2}),
    ("gap", {"p": 0.05}),
    ("corrupt", {"p": 0.02, "how": "badjson"}),
    ("corrupt", {"p": 0.02, "how": "truncate"}),
    ("corrupt", {"p": 0.02, "how": "binary"}),
    ("mutate", {"p": 0.02, "value": "NaN"}),
    ("mutate", {"p": 0.02, "value": "0"}),
    ("mutate", {"p": 0.02, "factor": 10.0}),
    ("mutate", {"p": 0.02, "factor": 0.01}),
    ("delay", {"p": 0.1, "seconds": 0.2}),
    ("drop", {"how": "abort", "count": 1}),
    ("drop", {"how": "fin", "count": 1}),
    ("drop", {"how": "close", "code": 1012, "count": 3}),
    ("refuse", {"status": 429, "retry_after_s": 5.0, "count": 2}),
    ("refuse", {"status": 503, "count": 3}),
    ("http", {"status": 503, "p": 0.5}),
    ("http", {"status": 429, "retry_after_s": 3.0, "count": 3}),
)
"""Actions with their options."""

ACTS: Final = ("mute", "freeze", "halt", "skew", "late")
"""What is done to the venue as a whole beside its switches."""


@asynccontextmanager
async def chaos(
    seed: int, symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT", "SOLUSDT"), *, clock: Clock, rate: float = 50.0
) -> AsyncIterator[LoopbackVenue]:
    """A running venue in trouble; its `stream_url` and `rest_url` are for the table of a feed of kind binance."""
    venue = BinanceVenue(symbols, seed=seed, rate=rate, clock=clock)
    async with venue.running(), asyncio.TaskGroup() as tasks:
        trouble = tasks.create_task(make_trouble(venue, seed, clock))
        try:
            yield venue
        finally:
            trouble.cancel()


async def make_trouble(venue: LoopbackVenue, seed: int, clock: Clock) -> None:
    """Until cancelled; what was done is in `venue.ledger.troubles`, by its time."""
    draw = random.Random(seed)  # noqa: S311
    while True:
        await clock.sleep(draw.uniform(*CALM_S))
        name, options = draw.choice((*TROUBLES, *((act, {}) for act in ACTS)))
        venue.ledger.troubles.append(
            (clock.now_ns(), " ".join([name, *(f"{key}={one}" for key, one in options.items())]))
        )
        if name in ACTS:
            _act(venue, name, draw)
        else:
            venue.faults.switch(name, **options)
        await clock.sleep(draw.uniform(*TROUBLE_S))
        venue.faults.clear()
        venue.halt(on=False)
        venue.skew_ms = 0


def _act(venue: LoopbackVenue, name: str, draw: random.Random) -> None:
    match name:
        case "mute":
            venue.mute()
        case "freeze":
            venue.freeze()
        case "halt":
            venue.halt()
        case "skew":
            venue.skew_ms = draw.choice((-60_000, 60_000))
        case "late":
            venue.trade(draw.choice(list(venue.market.listings)), age_ms=draw.randrange(300, 5_000))
