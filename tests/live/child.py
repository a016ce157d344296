"""A live session in a process of its own, for tests that kill it: `python -m tests.live.child DIRECTORY PAUSE_S`.

Prints `begun` when rows may come, and its digest when every row has gone through.
"""

import sys
from pathlib import Path

import anyio

from engine.blocks import Trades
from engine.config import Config, parse
from engine.live.session import LiveSession
from tests.lines import lively
from tests.live.rig import ListedFeed, ToldClock, parts, play
from tests.markets import trade_market

ROWS_A_BLOCK = 29


def config() -> Config:
    return parse(lively().model_dump() | {"tape": {"snapshot_every_rows": 1_500}}, "test")


def market() -> list[Trades]:
    trades = trade_market(2, 900, 6, 7)
    starts = range(0, len(trades), ROWS_A_BLOCK)
    return [trades.slice(start, min(start + ROWS_A_BLOCK, len(trades))) for start in starts]


def feed(pause_s: float = 0.0) -> ListedFeed:
    blocks = market()
    return ListedFeed(blocks, ("S000", "S001"), ToldClock(int(blocks[0].time_ns[0]) - 1), pause_s=pause_s)


async def main(directory: Path, pause_s: float) -> None:
    session = LiveSession(parts(feed(pause_s), directory, config()))
    await session.begin()
    print("begun", flush=True)
    await play(session)
    print(session.opened.line.tap.digest.hex, session.opened.line.tap.digest.count, flush=True)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), float(sys.argv[2]))
