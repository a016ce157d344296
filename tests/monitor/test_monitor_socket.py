"""The WebSocket: hello, snapshot, deltas without a gap; slow viewers are closed, others do not notice."""

import asyncio
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect

from engine.messages import Command, FeedStatus
from engine.monitor import hub as hub_module
from engine.monitor import watching
from engine.monitor.hub import MOST_SLOT_ITEMS, SCHEMA, Client, Hub
from engine.monitor.openapi import websocket_schema
from engine.monitor.replica import Delta, Replica
from tests.monitor.rig import OPERATE, READ, Rig, frames, item, running, until
from tests.monitor.test_monitor_stream import released
from tests.test_tap import decisions, fill, order

pytestmark = pytest.mark.asyncio


class Wire:
    """Takes frames; stops taking while `is_stuck`."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, message: bytes) -> None:
        await self.free.wait()
        self.told.append(msgspec.json.decode(message))


def made() -> tuple[Hub, Client]:
    hub = Hub(Replica(lambda: 0), lambda role: b'{"type":"hello","role":"%s"}' % role.encode())
    return hub, hub.join("read")


def delta(number: int, key: str = "") -> Delta:
    return Delta("alert" if not key else "status", key, b"%d" % number)


async def drained(client: Client, wire: Wire) -> None:
    running_ = asyncio.ensure_future(client.run(wire, lambda: 0))
    for _ in range(10):
        await asyncio.sleep(0)
    running_.cancel()
    await asyncio.wait((running_,))


# ------------------------------------------------------------------------------------------ slots


async def test_the_first_frames_are_hello_and_snapshot_and_numbers_have_no_gap() -> None:
    hub, client = made()
    wire = Wire()
    await drained(client, wire)
    for number in range(5):
        hub.publish([delta(number)])
        await drained(client, wire)

    assert [one["type"] for one in wire.told] == ["hello", "snapshot", *["delta"] * 5]
    assert [one["seq"] for one in wire.told[1:]] == [1, 2, 3, 4, 5, 6]


async def test_status_is_conflated_and_alerts_are_not() -> None:
    hub, client = made()
    wire = Wire()
    await drained(client, wire)
    for number in range(100):
        hub.publish([delta(number), delta(number, "status")])
    await drained(client, wire)

    items = wire.told[-1]["items"]
    assert [one["data"] for one in items if one["topic"] == "alert"] == list(range(100))
    assert [one["data"] for one in items if one["topic"] == "status"] == [99]


async def test_what_happens_while_a_snapshot_is_wanted_is_told_once() -> None:
    hub, client = made()
    wire = Wire()
    hub.publish([delta(1)])
    await drained(client, wire)

    assert [one["type"] for one in wire.told] == ["hello", "snapshot"]


async def test_nothing_is_held_for_a_viewer_that_is_given_up() -> None:
    """A write that hangs keeps it for seconds; all the while the flood goes on."""
    hub, client = made()
    for number in range(3 * MOST_SLOT_ITEMS):
        hub.publish([delta(number)])
        client.answer(b"{}")
    held = (client._bytes, len(client._items), len(client._answers))

    assert client.closing == 1013
    assert held == (0, 0, 0)


async def test_a_viewer_that_is_given_up_during_a_write_is_told_no_more() -> None:
    hub, client = made()
    wire = Wire()
    hub.publish([delta(1)])

    async def send(message: bytes) -> None:
        await Wire.send(wire, message)
        client.close(1001)

    wire.send = send  # type: ignore[method-assign]
    assert await client.run(wire, lambda: 0) == 1001
    assert [one["type"] for one in wire.told] == ["hello"]


async def test_a_slot_that_runs_over_closes_with_1013() -> None:
    hub, client = made()
    for number in range(MOST_SLOT_ITEMS + 1):
        hub.publish([delta(number)])

    assert await client.run(Wire(), lambda: 0) == 1013
    hub.leave(client)
    assert hub.cut == 1


async def test_bars_reach_only_who_subscribed_and_missed_ones_are_fetched_again() -> None:
    hub, client = made()
    wire = Wire()
    await drained(client, wire)
    hub.publish([Delta("bars", "bars AAA 1m", b'"a"', ("AAA", "1m"))])
    client.bars = frozenset([("AAA", "1m")])
    await drained(client, wire)
    hub.publish([Delta("bars", "bars AAA 1m", b'"b"', ("AAA", "1m"))])
    await drained(client, wire)
    for text in (b'"c"', b'"d"'):
        hub.publish([Delta("bars", "bars AAA 1m", text, ("AAA", "1m"))])
    await drained(client, wire)

    assert [one["items"][0]["data"] for one in wire.told[2:]] == [
        "b",
        {"symbol": "AAA", "timeframe": "1m", "reload": True},
    ]


# --------------------------------------------------------------------------------------- the wire


async def test_a_viewer_sees_the_engine(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for one in decisions()[1:]:
            rig.stream.write(one)
        await until(lambda: rig.monitor.replica.rings["execution"])
        async with rig.watch(READ) as seen:
            hello = await seen.receive_json()
            snapshot = await seen.receive_json()
            rig.stream.write(order(3))
            asked = await item(seen, "order")
            rig.stream.write(fill(3))
            filled = await item(seen, "execution")
            rig.stream.write(FeedStatus(5, 0, "STALE", "no rows"))
            alert = await item(seen, "alert")
            rig.stream.write(Command(6, "pause", "", "alice", "lunch"))
            command = await item(seen, "command")

    assert (hello["schema"], hello["run"], hello["role"], hello["symbols"]) == (SCHEMA, "r1", "read", ["AAA", "BBB"])
    state = snapshot["state"]
    assert state["status"]["state"] == "RUNNING"
    assert [one["verdict"] for one in state["decisions"]] == ["Approved", "Refused"]
    assert state["decisions"][1]["text"] == "heat 7.00 % + 9.00 % >= 10.00 %"
    assert [one["name"] for one in state["events"]] == ["SPRING", "TEST"]
    assert (asked["order_id"], asked["state"]) == ("c1/SPRING/3/ENTRY", "PENDING")
    assert filled["price"] == "10.51"
    assert alert["text"] == "feed sim: stale, no rows"
    assert command["operator"] == "alice"


async def test_bars_and_prices_are_pushed(tmp_path: Path) -> None:
    from tests.makers import trades

    async with running(tmp_path) as rig, rig.watch() as seen:
        await seen.send_json({"type": "subscribe", "bars": [["AAA", "1m"]]})
        await until(lambda: any(client.bars for client in rig.monitor.hub.clients))
        block = trades(10.0, 12.0)
        block.closed = released(3)
        rig.stream.write(block)
        told = await frames(seen, lambda one: len(one.get("items", ())) >= 2)
        topics = {one["topic"]: one["data"] for one in told["items"]}

    assert topics["price"] == {"symbol": "AAA", "time_ms": topics["price"]["time_ms"], "price": 12.0}
    assert len(topics["bars"]["rows"]) == 3
    assert topics["bars"]["columns"][0] == "open_ms"


async def test_a_viewer_may_ask_again_and_nonsense_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as rig, rig.watch() as seen:
        await frames(seen, lambda one: one["type"] == "snapshot")
        await seen.send_str('{"type":"snapshot"}')
        again = await frames(seen, lambda one: one["type"] == "snapshot")
        for nonsense in ("x", "[]", '{"type":"kill"}', '{"type":"snapshot","x":1}', '{"type":"subscribe","bars":[1]}'):
            await seen.send_str(nonsense)
            assert (await frames(seen, lambda one: one["type"] == "error"))["code"] == "bad_message"
        await seen.send_json({"type": "subscribe", "bars": [["A", str(number)] for number in range(17)]})
        too_many = await frames(seen, lambda one: one["type"] == "error")
        await seen.send_str('{"type":"ping"}')
        pong = await frames(seen, lambda one: one["type"] == "pong")

    assert again["seq"] >= 2
    assert too_many["code"] == "too_many"
    assert pong["server_ms"] > 0


async def test_when_the_engine_goes_viewers_are_told_and_when_it_comes_they_begin_again(tmp_path: Path) -> None:

    async with running(tmp_path) as rig, rig.watch() as seen:
        await frames(seen, lambda one: one["type"] == "snapshot")
        for slot in rig.stream._slots:
            slot.is_cut = True
            slot.wake.set()
        gone = await item(seen, "link")
        back = await frames(seen, lambda one: one["type"] == "hello")

    assert gone["state"] == "CONNECTING"
    assert back["run"] == "r1"


async def test_a_viewer_that_never_reads_is_closed_and_others_do_not_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCH_S", 0.05)
    monkeypatch.setattr(watching, "PING_NS", 200_000_000)
    monkeypatch.setattr(watching, "STALL_NS", 300_000_000)
    headers = {"Authorization": f"Bearer {OPERATE}"}
    async with (
        running(tmp_path) as rig,
        connect(f"ws://127.0.0.1:{rig.port}/ws", additional_headers=headers, proxy=None) as seen,
    ):
        with closing(_stuck(rig)):
            await until(lambda: len(rig.monitor.hub.clients) == 2)
            await until(lambda: len(rig.monitor.hub.clients) == 1)
        assert rig.monitor.hub.cut == 1
        rig.stream.write(fill(2))
        async with asyncio.timeout(10):
            while b'"execution_id":"x2"' not in await seen.recv(decode=False):
                pass


async def test_there_are_only_so_many_viewers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    monkeypatch.setattr(hub_module, "MOST_CLIENTS", 2)
    async with running(tmp_path) as rig, rig.watch(), rig.watch():
        with pytest.raises(aiohttp.WSServerHandshakeError) as found:
            await rig.watch()
    assert found.value.status == 503


async def test_every_topic_has_a_schema() -> None:
    topics = {
        "link", "status", "heat", "price", "bars", "event", "phase", "decision", "declined", "order", "execution",
        "campaign", "heat_change", "feed", "command", "alert",
    }  # fmt: skip
    assert topics <= set(websocket_schema()["topics"])


def _stuck(rig: Rig) -> socket.socket:
    """A connection that is upgraded and then never read."""
    plain = socket.create_connection(("127.0.0.1", rig.port))
    plain.sendall(
        f"GET /ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPERATE}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    return plain
