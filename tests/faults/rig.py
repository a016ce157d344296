"""A whole session on two loopback venues: one that is made to fail, and one that goes on trading.

The healthy feed keeps closing bars while the other is lost, so there are always entries to refuse and positions to
get out of. Time runs fast; the session, its tape and its status are the real ones.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters import alpaca_feed
from adapters.codecs.alpaca import trade_number
from adapters.live import build, warm
from adapters.live.clock import FastClock
from adapters.live.settings import FeedSettings, Keys
from adapters.loopback.alpaca import EXCHANGE, KEY, SECRET, AlpacaVenue
from adapters.loopback.binance import BinanceVenue
from adapters.loopback.venue import LoopbackVenue
from engine.config import Config
from engine.control.status import LoopView, SessionState
from engine.control.target import OperatorCommand, Outcome
from engine.live.decision_log import decisions_of
from engine.live.kernels import warm as warm_line
from engine.live.ports import Clock, FeedReport, LiveFeed
from engine.live.session import LiveParts, LiveSession
from engine.live.tapes import Tapes
from engine.live.target import EngineTarget
from engine.messages import Action, Approved
from engine.paths import find_paths
from engine.proving import Proof, prove
from engine.timeframes import TIMEFRAMES
from tests.faults.probing import HELD, NAME, Probing, register
from tests.faults.watching import Look, Noted, verdicts
from tests.lines import SHIPPED, config

SPEED = 20.0
PATIENCE_S = 30.0
"""Of the host: how long what must happen may take. No law of a scenario is about it."""

LOOK_S = 0.05
FAILING, HEALTHY = 0, 1
SYMBOLS = (("BTCUSDT", "ETHUSDT"), ("ETCUSDT", "SOLUSDT"))
STOCKS = ("AAPL", "ETSY")
"""Of a venue of stocks, where one is the failing venue."""

RULES = [rule for rule in SHIPPED["risk"]["rules"] if rule not in ("daily_loss", "drawdown")]
FREE = {"stock": 0, "crypto": 0, "fx": 0, "future": 0}
BARS = "tick:12"
LONG_LIVED = {
    name: dict.fromkeys((*TIMEFRAMES, BARS), 500) for name in ("dormant_bars", "expire_bars", "time_stop_bars")
}
BUILT = register()
Makes = type[BinanceVenue] | type[AlpacaVenue]


def settings(**tables: dict) -> Config:
    """Bars of few trades, an account so small that one trade of a loopback venue fills it, no costs."""
    ours = {
        "run": {
            "strategies": [NAME], "detect_on": [BARS], "timeframes": [BARS, "1m"], "cash": "2000", "currency": "USDT",
        },
        "strategies": {NAME: {}},
        "campaigns": {"cooldown_days": FREE, **LONG_LIVED},
        "risk": {"rules": RULES},
        "paper": {
            "participation": "0.5", "half_spread_bp": "0", "impact_bp": "0", "crypto_taker_bp": "0",
            "latency_ns": 1_000_000,
        },
        "tape": {"snapshot_every_rows": 1_500},
    }  # fmt: skip
    return config(**{name: ours.get(name, {}) | tables.get(name, {}) for name in {**ours, **tables}})


def stocks() -> Config:
    """The same, with the numbers that Alpaca's data does not tell."""
    numbers = {"asset_class": "crypto", "tick": "0.0001", "lot": "0.001"}
    return settings(instruments={"symbols": dict.fromkeys(STOCKS, numbers)})


def warm_up() -> None:
    """Everything that a session compiles, before any clock is looked at."""
    warm()
    warm_line(settings())


@dataclass
class Whole:
    """The session and all that was noted of it. `spoilt_from` is when the fault began, by the host's clock."""

    venues: tuple[LoopbackVenue, LoopbackVenue]
    feeds: list[LiveFeed]
    session: LiveSession
    target: EngineTarget
    noted: Noted
    probe: Probing
    config: Config
    looks: list[Look] = field(default_factory=list)
    longest_look_s: float = 0.0
    task: "asyncio.Task[None] | None" = None

    @property
    def venue(self) -> LoopbackVenue:
        """The one that fails."""
        return self.venues[FAILING]

    @property
    def symbols(self) -> list[str]:
        """By their numbers."""
        return sorted(symbol for venue in self.venues for symbol in venue.market.listings)

    @property
    def now_ns(self) -> int:
        return self.session.parts.clock.now_ns()

    @property
    def report(self) -> FeedReport:
        return self.feeds[FAILING].report()

    @property
    def blockers(self) -> tuple[str, ...]:
        return tuple(one.code for one in self.target.status().blockers)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not condition():
            if self.task is not None and self.task.done():
                await self.task
            assert time.monotonic() < ends, f"never: {what}; {self.report}; {self.blockers}"
            await asyncio.sleep(0.02)

    async def live(self) -> None:
        await self.until(lambda: all(one.report().state == "LIVE" for one in self.feeds), "live")

    async def rows(self, more: int) -> None:
        goal = self.report.applied + more
        await self.until(lambda: self.report.applied >= goal, f"{more} more rows")

    async def entries(self, more: int = 1) -> None:
        """Until so many more are approved."""
        goal = verdicts(self.noted.of(object)).entries + more
        await self.until(lambda: verdicts(self.noted.of(object)).entries >= goal, f"{more} more entries")

    async def held(self) -> None:
        """Until something is held that stays held."""
        await self.until(lambda: any(one.symbol.startswith(HELD) for one in self.target.status().positions), "held")

    async def order(self, name: str, argument: str = "", reason: str = "") -> Outcome:
        return await self.target.submit(OperatorCommand(name, argument, "a test", reason))

    async def exits_pass(self) -> None:
        """Everything is sold now; the verdicts on it are awaited."""
        before = _exits(self.noted)
        await self.order("force-exit", "all")
        await self.until(lambda: _exits(self.noted) > before, "an exit")

    async def quiet(self) -> None:
        """The fault is over, the market stops, and all that was made has arrived or been given up."""
        self.venue.faults.clear()
        for venue in self.venues:
            venue.halt()
            for symbol in venue.market.listings:
                venue.trade(symbol)
        await self.live()
        before = -1
        while before != self.report.received:
            before = self.report.received
            await asyncio.sleep(0.2)
        await self.live()

    def made(self, symbol: str) -> list[int]:
        """Numbers of trades, as they are ours."""
        ids = [one.id for one in self.venue.market.listings[symbol].prints]
        return [trade_number(one, EXCHANGE) for one in ids] if isinstance(self.venue, AlpacaVenue) else ids

    def proof(self) -> Proof:
        """Of the day that it is."""
        return self.proofs()[-1]

    def proofs(self) -> list[Proof]:
        return [prove(tape, decisions_of(tape), self.config) for tape in self.session.parts.tapes.all()]

    async def look(self) -> None:
        """Status as a second process would ask for it, twenty times a second."""
        while True:
            at = time.monotonic()
            seen = self.target.status()
            self.longest_look_s = max(self.longest_look_s, time.monotonic() - at)
            waiting = self.session.inbox.statistics()
            self.looks.append(
                Look(
                    at, tuple(one.status for one in seen.feeds), tuple(one.code for one in seen.blockers),
                    max(waiting.values()),
                )
            )  # fmt: skip
            await asyncio.sleep(LOOK_S)


def _exits(noted: Noted) -> int:
    return sum(one.intent.action is not Action.ENTER for one in noted.of(Approved))


@asynccontextmanager
async def whole(
    directory: Path, *, clock: Clock | None = None, rate: float = 6.0, table: dict | None = None,
    chosen: Config | None = None, seed: int = 0, kind: Makes = BinanceVenue,
) -> AsyncIterator[Whole]:  # fmt: skip
    """Both venues open, the session running and trading; stopped cleanly at the end."""
    passing = clock or FastClock(SPEED)
    true: Clock = getattr(passing, "true", passing)
    symbols = STOCKS if kind is AlpacaVenue else SYMBOLS[FAILING]
    failing = kind(symbols, rate=rate, clock=true, history=10, seed=seed)
    healthy = BinanceVenue(SYMBOLS[HEALTHY], rate=6.0, clock=true, history=10, seed=seed + 1)
    async with failing.running(), healthy.running():
        run = await _begun(directory, (failing, healthy), passing, table or {}, chosen or settings())
        run.task = running = asyncio.create_task(run.session.run())
        looking = asyncio.create_task(run.look())
        try:
            run.target.state = SessionState.RUNNING
            yield run
            run.session.stop()
            await asyncio.wait_for(running, PATIENCE_S)
        finally:
            looking.cancel()
            running.cancel()
            await asyncio.gather(running, looking, return_exceptions=True)


async def _begun(
    directory: Path, venues: tuple[LoopbackVenue, LoopbackVenue], clock: Clock, table: dict, chosen: Config
) -> Whole:
    names, tables = ("failing", "healthy"), (table, {})
    feeds = [_feed(*parts, clock) for parts in zip(names, venues, tables, strict=True)]
    noted = Noted()
    session = LiveSession(LiveParts(chosen, feeds, Tapes(directory / "tapes"), clock, (noted,)))
    await session.begin()
    paths = find_paths(directory, {}, directory)
    paths.state_of(chosen.run.mode).mkdir(parents=True, exist_ok=True)
    target = EngineTarget(session, chosen, paths, _no_reload, _loop_view)
    target.recovered()
    return Whole(venues, feeds, session, target, noted, BUILT[-1], chosen)


def _feed(name: str, venue: LoopbackVenue, table: dict, clock: Clock) -> LiveFeed:
    given = {
        "name": name, "kind": "binance", "symbols": list(venue.market.listings), "stream_url": venue.stream_url,
        "rest_url": venue.rest_url, "stale_ceiling_s": 20.0, "tick_s": 0.2,
    } | table  # fmt: skip
    if not isinstance(venue, AlpacaVenue):
        return build(given, clock)
    chosen = FeedSettings.model_validate(given | {"kind": "alpaca", "exchange": "iex"})
    return alpaca_feed.build(chosen, clock, "paper", Keys(KEY, SECRET))


async def _no_reload(command: OperatorCommand) -> Outcome:
    return Outcome(0, f"{command.name}: nothing to read")


def _loop_view() -> LoopView:
    return LoopView(lag_s=0, stalls=0, waiting_control=0, waiting_market=0, rss_mb=0, rss_limit_mb=0)
