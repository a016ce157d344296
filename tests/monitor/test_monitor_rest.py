"""REST: what the engine says, what the store knows, pages, ETags, caches, commands, problems."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.campaigns.curve import CurvePoint
from engine.control.target import Outcome
from engine.messages import Declined, Detections, EventKind
from engine.monitor import cache, server
from engine.monitor.audit import NAME as AUDIT
from engine.monitor.cache import Cache
from engine.monitor.openapi import GETS, openapi
from engine.ports import Item
from engine.store import Outcome as RunOutcome
from engine.store import Run, StoreWriter
from tests.control.makers import troubled
from tests.makers import session, table, trades
from tests.monitor.rig import OPERATE, MovedClock, Rig, frames, running, until
from tests.monitor.test_monitor_stream import released
from tests.test_tap import decisions, event, fill

pytestmark = pytest.mark.asyncio

RUN = Run(name="r1", mode="replay", build_hash="b", config_hash="c", started_ns=5)


def later(number: int) -> list[Item]:
    """Events and fills of other bars."""
    found = msgspec.structs.replace(event(EventKind.SOS, number), known_ns=number * 10**9, symbol="BBB")
    return [Detections(number, number, (found,), (), ()), fill(number)]


async def stored(directory: Path, *more: Item, name: str = "r1") -> Path:
    """A store with one of everything, and bars."""
    path = directory / "store.sqlite"
    store = StoreWriter(path, msgspec.structs.replace(RUN, name=name))
    store.write(session("AAA", "BBB", detect_on=("1m",)))
    for one in table("AAA", "BBB").all:
        store.write(one)
    for item in (*decisions()[1:], Declined(8, "c1", "AAA", "e1", "bmad", "SPRING_UNTESTED", 0.0, 1.0), *more):
        store.write(item)
    block = trades(1.0)
    block.closed = released(300)
    store.write(block)
    for number in range(3):
        store.record(5, CurvePoint("", number, number, Decimal(number), Decimal(0), Decimal(0)))
    store.close(RunOutcome(digest="d", ended_ns=9, counts="{}"))
    await store.run()
    return path


async def items(rig: Rig, path: str) -> list[dict[str, Any]]:
    status, found = await rig.get(path)
    assert status == 200, found
    listed: list[dict[str, Any]] = found["items"]
    return listed


# ------------------------------------------------------------------------------------ the engine


async def test_status_is_what_the_engine_says(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        _, found = await rig.get("status")
        _, feeds = await rig.get("feeds")
        _, queues = await rig.get("queues")
        _, heat = await rig.get("heat")
        _, instruments = await rig.get("instruments")

    assert (found["status"]["state"], found["link"]["state"], found["run"]) == ("RUNNING", "CONNECTED", "r1")
    assert feeds["items"][0]["name"] == "simulated"
    assert [one["stage"] for one in queues["items"]] == ["inbox.control", "inbox.market"]
    assert heat["heat"]["heat_bp"] == 312
    assert heat["campaigns"] == [{"campaign": "ACME-2026-11-20", "symbol": "ACME", "risk": "29.7500", "heat_bp": "2.9"}]
    assert [one["symbol"] for one in instruments["items"]] == ["AAA", "BBB"]
    assert instruments["detect_on"] == ["1m"]


async def test_without_an_engine_the_page_is_told_so(tmp_path: Path) -> None:
    async with running(tmp_path, with_engine=False) as rig:
        _, found = await rig.get("status")
        status, problem = await rig.get("events")

    assert (found["status"], found["link"]["state"]) == (None, "ABSENT")
    assert (status, problem["code"]) == (503, "no_store")


async def test_readiness_tells_why(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        async with rig.http.get(f"{rig.base}/readyz") as answer:
            good = (answer.status, (await answer.json())["reasons"])
        rig.engine.now = troubled()
        await until(lambda: rig.monitor.replica.status and rig.monitor.replica.status.mode == "live")
        async with rig.http.get(f"{rig.base}/readyz") as answer:
            bad = (answer.status, [one["code"] for one in (await answer.json())["reasons"]])
        rig.clock.ahead_ns += 10_000_000_000
        async with rig.http.get(f"{rig.base}/readyz") as answer:
            silent = (answer.status, [one["code"] for one in (await answer.json())["reasons"]])

    assert good == (200, [])
    assert bad == (503, ["killed", "feed_stale"])
    assert silent == (503, ["engine_silent"])


async def test_lists_are_served_from_the_stream_where_no_store_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for one in decisions()[1:]:
            rig.stream.write(one)
        block = trades(1.0)
        block.closed = released(5)
        rig.stream.write(block)
        await until(lambda: rig.monitor.replica.bars.bars)

        assert [one["name"] for one in await items(rig, "events")] == ["TEST", "SPRING"]
        assert [one["name"] for one in await items(rig, "events?kind=SPRING")] == ["SPRING"]
        assert len(await items(rig, "signals")) == 2
        _, bars = await rig.get("bars?symbol=AAA&timeframe=1m")
        assert len(bars["rows"]) == 5


# ------------------------------------------------------------------------------------- the store


async def test_everything_a_run_left_is_found(tmp_path: Path) -> None:
    store = await stored(tmp_path)
    async with running(tmp_path, store=store, with_engine=False) as rig:
        assert [one["name"] for one in await items(rig, "runs")] == ["r1"]
        assert [one["name"] for one in await items(rig, "events")] == ["TEST", "SPRING"]
        assert (await items(rig, "phases"))[0]["phase"] == "C"
        assert (await items(rig, "ranges")) == []
        assert [one["verdict"] for one in await items(rig, "signals")] == ["Refused", "Approved"]
        assert [one["verdict"] for one in await items(rig, "signals?verdict=Approved")] == ["Approved"]
        refusals = await items(rig, "refusals")
        assert [(one["source"], one["code"]) for one in refusals] == [
            ("strategy", "SPRING_UNTESTED"),
            ("gate", "HEAT_LIMIT"),
        ]
        (order,) = await items(rig, "orders")
        assert (order["state"], order["filled"]) == ("CANCELLED", "100")
        (filled,) = await items(rig, "fills")
        assert (filled["price"], filled["campaign"]) == ("10.51", "c1")
        assert [one["state"] for one in await items(rig, "heat/history")] == ["WARNING"]
        (campaign,) = await items(rig, "campaigns")
        assert (campaign["campaign"], campaign["state"], campaign["next_event"]) == ("c1", "ACTIVE", "SOS")
        _, curve = await rig.get("curve")
        assert [one["pnl"] for one in curve["items"]] == ["0", "1", "2"]
        for path in ("statistics", "statistics/legs", "statistics/phases", "trades", "instruments"):
            assert (await rig.get(path))[0] == 200, path


async def test_one_campaign_is_told_whole_and_in_parts(tmp_path: Path) -> None:
    store = await stored(tmp_path)
    async with running(tmp_path, store=store) as rig:
        _, whole = await rig.get("campaigns/c1")
        parts = {
            part: (await rig.get(f"campaigns/c1/{part}"))[1]
            for part in ("progression", "positions", "exit-plan", "risk", "allocation", "performance", "curve")
        }
        status, problem = await rig.get("campaigns/c9")

    assert [one["state"] for one in whole["changes"]] == ["FORMING", "ACTIVE"]
    assert "/" not in whole["store"]
    assert parts["progression"]["changes"] == whole["changes"]
    assert parts["exit-plan"]["exit_plans"] == whole["exit_plans"]
    assert set(parts["risk"]) == {"campaign", "currency", "allocation", "refusals"}
    assert (status, problem["code"]) == (404, "not_found")


async def test_bars_are_pages_of_columns_and_the_stream_adds_the_newest(tmp_path: Path) -> None:
    store = await stored(tmp_path)
    async with running(tmp_path, store=store) as rig:
        block = trades(1.0)
        block.closed = released(10, first=295)
        rig.stream.write(block)
        await until(lambda: rig.monitor.replica.bars.bars)
        _, newest = await rig.get("bars?symbol=AAA&timeframe=1m&limit=100")
        _, older = await rig.get(f"bars?symbol=AAA&timeframe=1m&limit=2000&before_ms={newest['rows'][0][0]}")
        _, none = await rig.get("bars?symbol=ZZZ&timeframe=1m")

    opens = [row[0] for row in [*older["rows"], *newest["rows"]]]
    assert len(opens) == 305
    assert opens == sorted(set(opens))
    assert (newest["older"], older["older"]) == (True, False)
    assert none["rows"] == []


async def test_pages_follow_each_other_without_a_gap_while_the_run_goes_on(tmp_path: Path) -> None:
    store = await stored(tmp_path, *(item for number in range(20, 45) for item in later(number)))
    async with running(tmp_path, store=store) as rig:
        found, cursor, pages = [], "", 0
        while True:
            _, page = await rig.get(f"events?limit=7{cursor}")
            found += [one["event_id"] for one in page["items"]]
            pages += 1
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        only = await items(rig, "events?symbol=BBB&limit=1000")
        between = await items(rig, "events?symbol=BBB&from_ms=30000&to_ms=32000")

    assert found == [f"e{number}" for number in range(44, 19, -1)] + ["e2", "e1"]
    assert pages == 4
    assert len(only) == 25
    assert [one["event_id"] for one in between] == ["e32", "e31", "e30"]


async def test_runs_are_chosen_by_number_or_name_and_the_newest_is_meant_otherwise(tmp_path: Path) -> None:
    await stored(tmp_path)
    store = await stored(tmp_path, *later(7), name="r2")
    async with running(tmp_path, store=store) as rig:
        assert len(await items(rig, "events")) == 3
        assert len(await items(rig, "events?run=1")) == 2
        assert len(await items(rig, "events?run=r2")) == 3
        assert (await rig.get("events?run=9"))[0] == 404


# ---------------------------------------------------------------------------------------- answers


async def test_who_has_an_answer_is_told_that_nothing_changed(tmp_path: Path) -> None:
    store = await stored(tmp_path)
    async with running(tmp_path, store=store) as rig:
        url, auth = f"{rig.base}/api/v1/events", {"Authorization": f"Bearer {OPERATE}"}
        async with rig.http.get(url, headers=auth) as answer:
            tag, timing = answer.headers["ETag"], answer.headers["Server-Timing"]
        async with rig.http.get(url, headers=auth | {"If-None-Match": tag}) as answer:
            again = (answer.status, await answer.read())
        async with rig.http.get(url, headers=auth | {"If-None-Match": '"other"'}) as answer:
            other = answer.status

    assert timing.startswith("total;dur=")
    assert again == (304, b"")
    assert other == 200


@pytest.mark.parametrize(
    "path",
    [
        "bars", "bars?symbol=A", "bars?symbol=A&timeframe=1m&limit=0", "bars?symbol=A&timeframe=1m&limit=2001",
        "bars?symbol=A&timeframe=1m&limit=x", "events?limit=1001", "events?cursor=x", "events?curser=1",
        "events?from_ms=-1", "events?from_ms=1e99", "signals?verdict=Maybe", "events?symbol=A&symbol=B", "logs?last=0",
    ],
)  # fmt: skip
async def test_a_mistake_in_a_query_is_told_as_a_problem(tmp_path: Path, path: str) -> None:
    async with running(tmp_path) as rig:
        status, problem = await rig.get(path)

    assert (status, problem["status"]) == (400, 400)
    assert set(problem) == {"type", "title", "status", "detail", "code"}


async def test_statistics_are_made_once_in_their_time(tmp_path: Path) -> None:
    store = await stored(tmp_path)
    async with running(tmp_path, store=store) as rig:
        for _ in range(3):
            await rig.get("statistics")
        made = rig.monitor.cache.misses
        rig.clock.ahead_ns += cache.STATISTICS_S * 1_000_000_000
        await rig.get("statistics")
        await rig.get("statistics/legs")

    assert made == 1
    assert rig.monitor.cache.misses == 3
    assert (cache.STATISTICS_S, cache.BY_LEG_S, cache.BY_PHASE_S, cache.CURVE_S) == (300, 900, 1_800, 900)


async def test_a_cache_is_bounded() -> None:
    kept = Cache(MovedClock(), most=2)

    async def make() -> bytes:
        return b"x"

    for key in ("a", "b", "c", "a"):
        await kept.of(key, 60, make)

    assert (kept.misses, kept.hits) == (4, 0)


async def test_the_log_is_told_from_its_end(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir(parents=True)
    lines = [b'{"event":"%d"}' % number for number in range(500)]
    (tmp_path / "logs" / "wyckoff.jsonl").write_bytes(b"\n".join([*lines, b"half a li"]))

    async with running(tmp_path) as rig:
        found = await items(rig, "logs?last=3")

    assert [one["event"] for one in found] == ["497", "498", "499"]


# --------------------------------------------------------------------------------------- commands


async def test_commands_reach_the_engine_and_come_back_on_the_tape(tmp_path: Path) -> None:
    async with running(tmp_path) as rig, rig.watch() as seen:
        await frames(seen, lambda one: one["type"] == "snapshot")
        status, answer = await rig.post({"name": "kill", "argument": "flatten", "reason": "smoke"})

    assert (status, answer["code"]) == (200, 0)
    (command,) = rig.engine.commands
    assert (command.name, command.argument) == ("kill", "flatten")
    assert command.reason == "smoke [monitor: operate, token, 127.0.0.1]"


async def test_the_engines_refusal_is_an_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.engine.acts = lambda _: Outcome(6, "not while stopping")
        status, answer = await rig.post({"name": "resume"})

    assert (status, answer["code"], answer["message"]) == (200, 6, "not while stopping")


@pytest.mark.parametrize("name", ["cancel", "force-exit", "kill", "unkill", "note"])
async def test_what_changes_much_needs_a_reason(tmp_path: Path, name: str) -> None:
    async with running(tmp_path) as rig:
        status, problem = await rig.post({"name": name, "argument": "all", "reason": "  "})

    assert (status, problem["code"]) == (400, "no_reason")


async def test_stop_and_reload_are_not_for_the_network(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for name in ("stop", "reload"):
            assert (await rig.post({"name": name, "argument": "0", "reason": "x"}))[0] == 400
    assert rig.engine.commands == []


async def test_in_live_the_account_has_to_be_named(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.engine.now = troubled()
        await until(lambda: rig.monitor.replica.status and rig.monitor.replica.status.mode == "live")
        kill = {"name": "kill", "argument": "flatten", "reason": "smoke"}
        without = await rig.post(kill)
        wrong = await rig.post(kill | {"confirm": "A124"})
        right = await rig.post(kill | {"confirm": "A123"})

    assert [one[0] for one in (without, wrong, right)] == [409, 409, 200]
    audit = (tmp_path / "logs" / AUDIT).read_bytes().splitlines()
    assert len(audit) == 3


async def test_a_kill_overtakes_commands_that_hang(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.engine.holds = ("pause",)
        hanging = [asyncio.ensure_future(rig.post({"name": "pause"})) for _ in range(5)]
        await until(lambda: rig.engine.commands)
        async with asyncio.timeout(5):
            status, _ = await rig.post({"name": "kill", "argument": "entries", "reason": "smoke"})
        rig.engine.release.set()
        await asyncio.gather(*hanging)

    assert status == 200
    assert "kill" in [one.name for one in rig.engine.commands][:6]


async def test_without_an_engine_a_command_fails_and_is_audited(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        (tmp_path / "run" / "ctl.sock").unlink()
        status, problem = await rig.post({"name": "pause"})

    assert (status, problem["code"]) == (502, "no_engine")
    assert b"no engine runs here" in (tmp_path / "logs" / AUDIT).read_bytes()


async def test_a_preview_says_what_would_be_touched(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        _, flatten = await rig.get("commands/preview?name=kill&argument=flatten")
        _, cancel = await rig.get("commands/preview?name=cancel&argument=all")
        _, leave = await rig.get("commands/preview?name=force-exit&argument=ACME-2026-11-20")

    assert flatten == {"orders": 0, "positions": 1, "text": "refuses new entries; closes 1 position"}
    assert cancel["text"] == "touches no order and no position"
    assert leave["positions"] == 1


# ---------------------------------------------------------------------------------------- document


async def test_every_route_is_documented_and_every_document_is_served(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        app = server.application(rig.monitor, set())
        served = {one.canonical for one in app.router.resources() if one.canonical.startswith("/api/v1")}
        _, document = await rig.get("openapi.json")

    assert served == set(document["paths"])
    assert len(GETS) == len({path for path, *_ in GETS})
    assert document == msgspec.json.decode(msgspec.json.encode(openapi()))
