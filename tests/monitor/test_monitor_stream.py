"""What the engine streams: bounded for each reader, conflated where it may be, whole where it must be."""

import asyncio
import os
import socket
import stat
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from engine.blocks import Bars
from engine.control.status import Status
from engine.live import stream as stream_module
from engine.live.stream import MOST_SLOT_BARS, SOCKET_NAME, EngineStream, ReaderSlot
from engine.messages import Approved, CampaignChange, Detections, Fill, Refused
from engine.monitor.frames import MOST_FRAME_BYTES, FrameError, FrameReader, Hello, Price, framed, told_by
from engine.store_bars import COLUMNS, OPEN_BARS, BarKeeper, BarPack, unpacked
from tests.control.makers import status
from tests.makers import bars, heartbeat, session, table, trades
from tests.monitor.rig import MovedClock, start, until
from tests.test_tap import decisions, detections, event, fill

FRAMED = [status(), BarPack("AAA", "1m", 1, 2, 2, b"x"), (Price("AAA", 5, 1.5),)]


def released(count: int, *, timeframe: str = "1m", instrument: int = 0, first: int = 0) -> Bars:
    found = bars(*[(10.0, 11.0, 9.0, 10.5)] * count, timeframe=timeframe, instrument=instrument)
    return Bars.of(**(found.columns() | {"open_ns": found.open_ns + first * 60_000_000_000}))


def streamed(directory: Path) -> EngineStream:
    (directory / "run").mkdir(mode=0o700)
    made = EngineStream(directory / "run" / SOCKET_NAME, MovedClock())
    made.begin(start(), table("AAA", "BBB").all, run="r1", status=status)
    return made


async def told(reader: asyncio.StreamReader, frames: FrameReader, count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            data = await reader.read(65_536)
            assert data, found
            found += frames.feed(data)
    return found


# ----------------------------------------------------------------------------------------- frames


def test_frames_are_read_again_however_they_are_cut() -> None:
    messages = [one for one in decisions() if not hasattr(one, "COLUMNS")]
    data = b"".join(framed(one) for one in [*FRAMED, *messages])  # type: ignore[arg-type]

    for size in (1, 7, 4_096, len(data)):
        reader = FrameReader()
        found = [one for at in range(0, len(data), size) for one in reader.feed(data[at : at + size])]
        assert [type(one) for one in found] == [type(one) for one in [*FRAMED, *messages]]
        assert found[0] == status()


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff\x01", b"\x00\x00\x00\x01\x09x", b"\x00\x00\x00\x01\x02x", b"\x00\x00\x00\x00\x01"]
)
def test_bytes_of_another_kind_are_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(data))


def test_another_release_is_told_apart() -> None:
    import msgspec

    hello = Hello(99, "r", "9.9", b"", ())
    with pytest.raises(FrameError, match="schema must be 2, was 99"):
        told_by(1, msgspec.msgpack.encode(hello))
    assert MOST_FRAME_BYTES >= 1_000_000


# ------------------------------------------------------------------------------------------- bars


def test_bars_are_packed_by_slot_and_read_again() -> None:
    keeper = BarKeeper(session("AAA", "BBB", detect_on=("1m",)), appends=False)
    keeper.add(released(3))
    keeper.add(released(2, instrument=1))
    keeper.add(released(4, timeframe="5m"))

    packs = list(keeper.packs())

    assert [(one.symbol, one.timeframe, one.count) for one in packs] == [("AAA", "1m", 3), ("BBB", "1m", 2)]
    columns = unpacked(packs[0].data)
    assert set(columns) == set(COLUMNS)
    assert columns["close"].tolist() == [10.5] * 3
    assert list(keeper.packs()) == []


def test_an_open_pack_grows_and_a_full_one_does_not() -> None:
    keeper = BarKeeper(session("AAA", detect_on=("1m",)))
    keeper.add(released(2))
    (first,) = keeper.packs()
    keeper.add(released(OPEN_BARS, first=2))
    (second,) = keeper.packs()
    keeper.add(released(1, first=500))
    (third,) = keeper.packs()

    assert (first.first_open_ns, first.count) == (second.first_open_ns, 2)
    assert second.count == OPEN_BARS + 2
    assert third.count == 1
    assert third.first_open_ns > second.last_open_ns


def test_packs_that_are_damaged_or_bombs_are_refused() -> None:
    import zstandard

    for data in (b"", b"junk", zstandard.compress(b"x" * 13), zstandard.compress(bytes(50_000_000))):
        with pytest.raises(ValueError, match="bars: "):
            unpacked(data)


# ------------------------------------------------------------------------------------------ slots


@pytest.mark.asyncio
async def test_a_slot_keeps_every_decision_and_the_latest_of_the_rest() -> None:
    slot = ReaderSlot()
    for number in range(100):
        slot.put(framed(fill(number)))
        slot.show(status=framed(status(campaigns=number)), prices=[Price("AAA", number, 1.0)], bars=[])

    found = list(FrameReader().feed(slot.take()))

    assert [one for one in found if isinstance(one, Fill)] == [fill(number) for number in range(100)]
    assert [one.campaigns for one in found if isinstance(one, Status)] == [99]
    assert [one for one in found if isinstance(one, tuple)] == [(Price("AAA", 99, 1.0),)]
    assert slot.take() == b""


@pytest.mark.asyncio
async def test_a_slot_that_runs_over_is_cut_and_keeps_no_more_than_its_bars() -> None:
    slot, pack = ReaderSlot(), BarPack("AAA", "1m", 1, 2, 100, b"x" * 100)
    for _ in range(1_000):
        slot.show(status=b"", prices=[], bars=[pack])
    kept = sum(one.count for one in FrameReader().feed(slot.take()) if isinstance(one, BarPack))
    while not slot.is_cut:
        slot.put(b"x" * 100_000)

    assert kept <= MOST_SLOT_BARS


# ----------------------------------------------------------------------------------------- socket


@pytest.mark.asyncio
async def test_a_reader_gets_the_state_and_then_what_happens(tmp_path: Path) -> None:
    stream = streamed(tmp_path)
    for item in decisions()[1:]:
        stream.write(item)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await until((tmp_path / "run" / SOCKET_NAME).exists)
        reader, writer = await asyncio.open_unix_connection(tmp_path / "run" / SOCKET_NAME)
        frames = FrameReader()
        first = await told(reader, frames, 12)
        stream.write(fill(9))
        later = await told(reader, frames, 1)
        writer.close()
        await until(lambda: stream.readers == 0)
        tasks.cancel_scope.cancel()

    assert isinstance(first[0], Hello)
    assert isinstance(first[1], Status)
    assert [type(one) for one in first[2:4]] == [CampaignChange, Detections]
    assert {Approved, Refused, Fill} <= {type(one) for one in first}
    assert fill(9) in later
    assert not (tmp_path / "run" / SOCKET_NAME).exists()


@pytest.mark.asyncio
async def test_prices_and_bars_leave_with_the_tick(tmp_path: Path) -> None:
    stream = streamed(tmp_path)
    block = trades(10.0, 11.0, 12.0, instrument=[0, 1, 0])
    block.closed = released(2)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await until((tmp_path / "run" / SOCKET_NAME).exists)
        reader, writer = await asyncio.open_unix_connection(tmp_path / "run" / SOCKET_NAME)
        frames = FrameReader()
        await told(reader, frames, 2)
        stream.write(block)
        found = await told(reader, frames, 2)
        writer.close()
        tasks.cancel_scope.cancel()

    prices = next(one for one in found if isinstance(one, tuple))
    assert [(one.symbol, one.price) for one in prices] == [("AAA", 12.0), ("BBB", 11.0)]
    assert [one.count for one in found if isinstance(one, BarPack)] == [2]


@pytest.mark.asyncio
async def test_market_data_costs_nothing_while_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = streamed(tmp_path)
    looked: list[object] = []
    monkeypatch.setattr(EngineStream, "_see", lambda _, block: looked.append(block))

    stream.write(trades(1.0))
    stream.write(heartbeat(5))

    assert looked == []


@pytest.mark.asyncio
async def test_a_reader_that_does_not_read_is_cut_and_the_line_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "STALL_S", 0.2)
    stream = streamed(tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await until((tmp_path / "run" / SOCKET_NAME).exists)
        stuck = socket.socket(socket.AF_UNIX)
        stuck.connect(str(tmp_path / "run" / SOCKET_NAME))
        await until(lambda: stream.readers == 1)
        many = detections(*[event(number=number) for number in range(200)])
        async with asyncio.timeout(10):
            while stream.readers:
                stream.write(many)
                await asyncio.sleep(0)
        stuck.close()
        tasks.cancel_scope.cancel()

    assert stream.cut == 1


@pytest.mark.asyncio
async def test_only_the_owner_reads(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    stream = EngineStream(tmp_path / "run" / SOCKET_NAME, MovedClock(), uids=frozenset((os.geteuid() + 1,)))
    stream.begin(start(), run="r1")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await until((tmp_path / "run" / SOCKET_NAME).exists)
        mode = stat.S_IMODE((tmp_path / "run" / SOCKET_NAME).stat().st_mode)
        reader, writer = await asyncio.open_unix_connection(tmp_path / "run" / SOCKET_NAME)
        try:
            data = await reader.read()
        except ConnectionResetError:
            data = b""
        writer.close()
        tasks.cancel_scope.cancel()

    assert mode == 0o600
    assert data == b""


def test_the_recent_past_is_bounded(tmp_path: Path) -> None:
    stream = streamed(tmp_path)
    for number in range(5_000):
        stream.write(fill(number))
        stream.write(CampaignChange(f"c{number}", 1, 3, "CAMPAIGN_FORMED", "FORMING", "FORMING", "x"))  # type: ignore[arg-type]

    assert len(list(stream._snapshot())) <= 2 + stream_module.MOST_RECENT + stream_module.MOST_CAMPAIGNS
    assert np.isnan(stream._price).all()
