"""A status with everything in it, and an engine that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.control.client import ControlClient
from engine.control.server import ControlServer
from engine.control.status import (
    Blocker,
    DayView,
    FeedView,
    HeatView,
    KillLevel,
    LoopView,
    OrderView,
    PositionView,
    SessionState,
    Status,
    TapeView,
    WarmUpView,
)
from engine.control.target import OperatorCommand, Outcome

D = Decimal


def status(**changes: Any) -> Status:
    """Paper, running on a simulated feed, with one position; `changes` replace fields."""
    plain = Status(
        mode="paper", feed_is_simulated=True, venue="paper", venue_is_simulated=True, account="", currency="USD",
        state=SessionState.RUNNING, blockers=(), equity=D("101250.5"), cash=D("90000"),
        heat=HeatView(heat_bp=312, state="NORMAL", warning_bp=700, critical_bp=900, limit_bp=1000),
        day=DayView(pnl=D("-120.25"), realised=D("-20"), unrealised=D("-100.25"), costs=D("3.5"), entries=2, exits=1,
                    refused=4),
        feeds=(FeedView(name="simulated", kind="simulated", simulated=True, status="LIVE", channel="bars",
                        age_s=0.4, limit_s=15.0, rows=12_345),),
        warmups=(), warmups_left=0,
        positions=(PositionView(symbol="ACME", quantity=D("100"), average_price=D("12.5"), mark=D("11.4975"),
                                unrealised=D("-100.25"), stop=D("11.2"), campaign="ACME-2026-11-20"),),
        position_count=1,
        orders=(OrderView(order_id="ACME-2026-11-20/SPRING/1/STOP", symbol="ACME", campaign="ACME-2026-11-20",
                          role="STOP", side="SELL", kind="STOP", quantity=D("100"), filled=D("0"),
                          stop_price=D("11.2")),),
        order_count=1, campaigns=3,
        tape=TapeView(path="/x/state/paper/tapes/1.tape", sequence=4_711, rows=12_345, lag_s=0.02, size_bytes=1_500_000),  # noqa: E501
        loop=LoopView(lag_s=0.002, stalls=0, waiting_control=0, waiting_market=1, rss_mb=240, rss_limit_mb=2_000),
        line_time="2026-11-21T09:00:00Z", started="2026-11-21T08:00:00Z", uptime_s=3_600.0, pid=4_242,
        release="0.1.0", build_hash="b" * 32, config_hash="c" * 32, digest="d" * 64,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def troubled() -> Status:
    """Live, killed, a stale feed, still warming up."""
    return status(
        mode="live", feed_is_simulated=False, venue="alpaca", venue_is_simulated=False, account="PA123",
        state=SessionState.HALTED, kill_level=KillLevel.FLATTEN, kill_reason="too much \x1b[31m risk",
        blockers=(Blocker(code="killed", text="kill flatten by alice (uid 1000): too much risk"),
                  Blocker(code="feed_stale", text="feed iex: no trades for 64 s, limit 15 s")),
        heat=HeatView(heat_bp=None, state="NORMAL", warning_bp=700, critical_bp=900, limit_bp=1000),
        feeds=(FeedView(name="iex", kind="alpaca", simulated=False, status="STALE", reason="no trades",
                        channel="trades", age_s=64.0, limit_s=15.0, rows=7, reconnects=3),),
        warmups=(WarmUpView(symbol="SPY", timeframe="1h", bars=120),), warmups_left=1,
        positions=(), position_count=0, orders=(), order_count=0, tape=None,
    )  # fmt: skip


class Engine:
    """Notes commands; `acts` may be replaced to answer otherwise."""

    def __init__(self) -> None:
        self.commands: list[OperatorCommand] = []
        self.now = status()
        self.release = asyncio.Event()
        self.acts: Callable[[OperatorCommand], Outcome] = lambda _: Outcome(0, "done", len(self.commands))
        self.holds: tuple[str, ...] = ()

    def status(self) -> Status:
        return self.now

    async def submit(self, command: OperatorCommand) -> Outcome:
        self.commands.append(command)
        if command.name in self.holds:
            await self.release.wait()
        await asyncio.sleep(0)
        return self.acts(command)


class Lines:
    """A log of fixed lines; `follow` gives one more and ends."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def last(self, count: int) -> list[str]:
        return self.lines[-count:] if count else []

    async def follow(self) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        yield '{"event":"later"}'


def server(directory: Path, engine: Engine, **options: Any) -> ControlServer:
    return ControlServer(engine, directory / "run" / "ctl.sock", Lines('{"event":"one"}', '{"event":"two"}'), **options)


def client(directory: Path) -> ControlClient:
    return ControlClient(directory / "run" / "ctl.sock")


async def until(condition: Callable[[], object]) -> None:
    """Waits for what another task or process does, which tells nobody."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def aside(call: Callable[..., Any], *arguments: Any) -> Any:
    """The client blocks: it must not do so on the server's loop."""
    return await asyncio.to_thread(call, *arguments)
