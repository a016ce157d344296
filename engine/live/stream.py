"""The engine's one-way stream to its monitor: a sink of the Tap and a Unix socket of mode 0600.

What the line does is put into one bounded slot per reader and never waited for. Status, prices and bars are
conflated by key and leave at most four times a second; decisions and executions are never left out: a reader
that falls behind is cut and begins again with a snapshot. While nobody reads, market data costs one test.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

import anyio
import msgspec
import numpy as np

from engine.blocks import Bars, MarketBlock, Quotes, Trades
from engine.control.peer import allowed_uids, peer_of
from engine.control.server import listen
from engine.control.status import QueuesView, Status
from engine.live.ports import Clock
from engine.messages import (
    Accepted,
    AccountState,
    Approved,
    BarTaint,
    CampaignChange,
    Cancelled,
    CancelRequest,
    Command,
    ConfigChange,
    Declined,
    Detections,
    Expired,
    FeedStatus,
    Fill,
    Health,
    HeatChange,
    Instrument,
    Message,
    Order,
    PhaseChange,
    Quarantine,
    Refused,
    Rejected,
    SessionStart,
    SymbolStatus,
)
from engine.monitor.frames import Price, framed, hello
from engine.ports import Item
from engine.store_bars import BarKeeper, BarPack

SOCKET_NAME: Final = "stream.sock"
TICK_S: Final = 0.25
STATUS_TICKS: Final = 4
"""Status leaves once a second."""

STALL_S: Final = 2.0
"""A reader that takes nothing for this long is cut."""

MOST_READERS: Final = 8
MOST_KEPT_BYTES: Final = 4_000_000
"""What may wait for one reader."""

MOST_SLOT_BARS: Final = 2_000
MOST_RECENT: Final = 1_000
MOST_CAMPAIGNS: Final = 2_000
MOST_PHASES: Final = 20_000

KEPT: Final = (
    Approved, Refused, Declined, Order, CancelRequest, Accepted, Rejected, Fill, Cancelled, Expired, HeatChange,
    FeedStatus, Command, ConfigChange, Quarantine, AccountState, BarTaint,
    SymbolStatus,
)  # fmt: skip
"""Messages that a reader is told as they are. Others are told in parts, or not at all."""

SlotKey = tuple[str, str]


class ReaderSlot:
    """What waits for one reader. `put` never waits; `is_cut` says that it has fallen behind for good."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.is_cut = False
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._status: bytes = b""
        self._prices: dict[str, Price] = {}
        self._bars: dict[SlotKey, deque[BarPack]] = {}

    def put(self, frame: bytes) -> None:
        """Never left out."""
        self._kept.append(frame)
        self._kept_bytes += len(frame)
        if self._kept_bytes > MOST_KEPT_BYTES:
            self.is_cut = True
        self.wake.set()

    def show(self, *, status: bytes, prices: Iterable[Price], bars: Iterable[BarPack]) -> None:
        """The latest takes the place of what still waits; of bars the oldest go."""
        self._status = status or self._status
        for price in prices:
            self._prices[price.symbol] = price
        for pack in bars:
            waiting = self._bars.setdefault((pack.symbol, pack.timeframe), deque())
            waiting.append(pack)
            while len(waiting) > 1 and sum(one.count for one in waiting) > MOST_SLOT_BARS:
                waiting.popleft()
        self.wake.set()

    def take(self) -> bytes:
        """All that waits, decisions first."""
        self.wake.clear()
        frames, self._kept, self._kept_bytes = self._kept, [], 0
        if self._status:
            frames.append(self._status)
        if self._prices:
            frames.append(framed(tuple(self._prices.values())))
        frames += [framed(pack) for packs in self._bars.values() for pack in packs]
        self._status, self._prices, self._bars = b"", {}, {}
        return b"".join(frames)


class EngineStream:
    """Give it to the line as a sink, tell it the session with `begin`, let `run` serve it."""

    reads = (Message, MarketBlock)

    def __init__(self, path: Path, clock: Clock, *, uids: frozenset[int] | None = None) -> None:
        self._path = path
        self.clock = clock
        self._uids = allowed_uids() if uids is None else uids
        self._slots: list[ReaderSlot] = []
        self._session: SessionStart | None = None
        self._instruments: dict[str, Instrument] = {}
        self._run_name = ""
        self._status: Callable[[], Status] | None = None
        self._queues: Callable[[], QueuesView] | None = None
        self._recent: deque[Message] = deque(maxlen=MOST_RECENT)
        self._campaigns: dict[str, CampaignChange] = {}
        self._phases: dict[tuple[str, str, int], Detections] = {}
        self._bars = BarKeeper(appends=False)
        self._price = np.zeros(0)
        self._price_ns = np.zeros(0, np.int64)
        self._told_ns = np.zeros(0, np.int64)
        self.cut = 0

    @property
    def readers(self) -> int:
        return len(self._slots)

    def begin(
        self,
        session: SessionStart,
        instruments: Iterable[Instrument] = (),
        *,
        run: str = "",
        status: Callable[[], Status] | None = None,
        queues: Callable[[], QueuesView] | None = None,
    ) -> None:
        """Which session this is; a resumed one does not tell its opening facts again."""
        self._session, self._run_name = session, run or self._run_name
        self._status, self._queues = status or self._status, queues or self._queues
        self._instruments |= {one.symbol: one for one in instruments}
        self._bars.begin(session)
        if len(self._price) != len(session.symbols):
            self._price = np.full(len(session.symbols), np.nan)
            self._price_ns = np.zeros(len(session.symbols), np.int64)
            self._told_ns = np.zeros(len(session.symbols), np.int64)

    def write(self, item: Item) -> None:
        """Never waits and never fails."""
        if isinstance(item, MarketBlock):
            if self._slots:
                self._see(item)
            return
        for message in self._kept(item):
            self._recent.append(message)
            if self._slots:
                frame = framed(message)
                for slot in self._slots:
                    slot.put(frame)

    async def run(self) -> None:
        """Serve readers until cancelled. Raises PathError, OSError, SocketTakenError."""
        server = await asyncio.start_unix_server(self._serve, sock=listen(self._path), limit=1_024)
        ticks = 0
        try:
            while True:
                await self.clock.sleep(TICK_S)
                ticks += 1
                if self._slots:
                    self._tick(with_status=ticks % STATUS_TICKS == 0)
        finally:
            server.close()
            for slot in self._slots:
                slot.is_cut = True
                slot.wake.set()
            with suppress(FileNotFoundError):
                self._path.unlink()

    # ------------------------------------------------------------------------------ what is told

    def _kept(self, item: Message) -> Iterable[Message]:
        match item:
            case SessionStart():
                self.begin(item)
            case Instrument():
                self._instruments[item.symbol] = item
            case Detections():
                if item.events or item.phases:
                    for phase in item.phases:
                        self._phase(item, phase)
                    return (msgspec.structs.replace(item, marks=()),)
            case CampaignChange():
                self._campaigns.pop(item.campaign, None)
                self._campaigns[item.campaign] = item
                if len(self._campaigns) > MOST_CAMPAIGNS:
                    del self._campaigns[next(iter(self._campaigns))]
                return (item,)
            case Health():
                return (item,) if item.value > item.limit else ()
            case _ if isinstance(item, KEPT):
                return (item,)
        return ()

    def _phase(self, found: Detections, phase: PhaseChange) -> None:
        key = (phase.symbol, phase.timeframe, phase.direction)
        if key in self._phases or len(self._phases) < MOST_PHASES:
            self._phases[key] = msgspec.structs.replace(found, events=(), phases=(phase,), marks=())

    def _see(self, block: MarketBlock) -> None:
        """Last prices, and the bars that have closed."""
        if block.closed is not None and self._bars.add(block.closed):
            self._tick(with_status=False)
        if len(block) and isinstance(block, Trades | Bars) and len(self._price):
            # Where an instrument stands several times, the last assignment holds.
            self._price[block.instrument] = block.price if isinstance(block, Trades) else block.close
            self._price_ns[block.instrument] = block.row_ns
        elif len(block) and isinstance(block, Quotes):
            return

    def _tick(self, *, with_status: bool) -> None:
        status = b"".join(self._measured()) if with_status else b""
        prices, bars = self._prices(), list(self._bars.packs())
        for slot in self._slots:
            slot.show(status=status, prices=prices, bars=bars)

    def _measured(self) -> Iterable[bytes]:
        """How the engine does."""
        if self._status is not None:
            yield framed(self._status())
        if self._queues is not None:
            yield framed(self._queues())

    def _prices(self) -> list[Price]:
        """Those that have moved since they were last told."""
        session = self._session
        if session is None:
            return []
        changed = np.flatnonzero(self._price_ns != self._told_ns).tolist()
        self._told_ns[:] = self._price_ns
        return [Price(session.symbols[one], int(self._price_ns[one]), float(self._price[one])) for one in changed]

    def _snapshot(self) -> Iterable[bytes]:
        assert self._session is not None
        yield framed(hello(self._run_name, _release(), self._session, tuple(self._instruments.values())))
        yield from self._measured()
        for message in (*self._campaigns.values(), *self._phases.values(), *self._recent):
            yield framed(message)

    # ----------------------------------------------------------------------------------- readers

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        is_owner = peer_of(connection).uid in self._uids
        if not is_owner or self._session is None or len(self._slots) >= MOST_READERS:
            writer.transport.abort()
            return
        slot = ReaderSlot()
        for frame in self._snapshot():
            slot.put(frame)
        slot.is_cut = False
        self._slots.append(slot)
        self._told_ns[:] = 0
        try:
            with suppress(ConnectionError):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._wait_for_end, reader, group.cancel_scope)
                    await self._feed(slot, writer)
                    group.cancel_scope.cancel()
        finally:
            self._slots.remove(slot)
            writer.transport.abort()

    async def _feed(self, slot: ReaderSlot, writer: asyncio.StreamWriter) -> None:
        while True:
            await slot.wake.wait()
            if slot.is_cut:
                self.cut += 1
                return
            writer.write(slot.take())
            try:
                async with asyncio.timeout(STALL_S):
                    await writer.drain()
            except (TimeoutError, ConnectionError):
                self.cut += 1
                return

    async def _wait_for_end(self, reader: asyncio.StreamReader, scope: anyio.CancelScope) -> None:
        """Readers have nothing to say; that they have left is all there is to hear."""
        with suppress(ConnectionError):
            while await reader.read(1_024):
                pass
        scope.cancel()


def _release() -> str:
    return version("wyckoff-engine")
