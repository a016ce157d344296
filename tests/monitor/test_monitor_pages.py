"""Lists of REST: one page after the other, filtered, kept as long as the store has not changed."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.campaigns.performance import Trade
from engine.messages import CampaignChange, CampaignState, Leg, Phase, Side
from engine.monitor import cache
from engine.store import Outcome, StoreWriter
from tests.makers import session
from tests.monitor.rig import MovedClock, Rig, running, until
from tests.monitor.test_monitor_rest import RUN, stored
from tests.test_tap import decisions, fill, order

pytestmark = pytest.mark.asyncio


def trade(number: int, symbol: str = "AAA") -> Trade:
    one = Decimal(1)
    return Trade(
        symbol=symbol, campaign=f"c{number}", leg=Leg.SPRING, side=Side.BUY, quantity=one, entry_ns=number,
        entry_price=one, exit_ns=number + 1, exit_price=one, costs=one, pnl=one, r=one, phase=Phase.C,
    )  # fmt: skip


async def pages(rig: Rig, path: str, name: str = "items") -> list[list[dict[str, Any]]]:
    found, cursor = [], ""
    while True:
        status, page = await rig.get(f"{path}{cursor}")
        assert status == 200, page
        found.append(page[name])
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


async def test_runs_are_paged_newest_first(tmp_path: Path) -> None:
    for number in range(5):
        store = await stored(tmp_path, name=f"run{number}")
    async with running(tmp_path, store=store, with_engine=False) as rig:
        found = await pages(rig, "runs?limit=2")

    assert [[one["name"] for one in page] for page in found] == [["run4", "run3"], ["run2", "run1"], ["run0"]]


async def test_trades_are_paged_and_filtered(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = StoreWriter(path, RUN)
    store.write(session("AAA", "BBB"))
    for number in range(1, 8):
        store.record(number, trade(number, "AAA" if number % 2 else "BBB"))
    store.close(Outcome(digest="d", ended_ns=9, counts="{}"))
    await store.run()

    async with running(tmp_path, store=path, with_engine=False) as rig:
        found = await pages(rig, "trades?limit=3", "trades")
        only = await pages(rig, "trades?symbol=BBB", "trades")
        made = rig.monitor.cache.misses

    assert [[one["campaign"] for one in page] for page in found] == [["c7", "c6", "c5"], ["c4", "c3", "c2"], ["c1"]]
    assert [one["campaign"] for one in only[0]] == ["c6", "c4", "c2"]
    assert made == 1


async def test_working_orders_are_those_that_no_report_has_ended(tmp_path: Path) -> None:
    half = msgspec.structs.replace(fill(3), order_id=order(3).order_id, remaining=Decimal("0.5"))
    whole = msgspec.structs.replace(fill(4), order_id=order(4).order_id, remaining=Decimal("0.000"))
    store = await stored(tmp_path, order(5), order(3), half, order(4), whole)
    async with running(tmp_path, store=store, with_engine=False) as rig:
        every = await pages(rig, "orders?limit=1000")
        working = await pages(rig, "orders?working=true&limit=1")

    assert [one["state"] for one in every[0]] == ["FILLED", "WORKING", "PENDING", "CANCELLED"]
    assert [[one["state"] for one in page] for page in working] == [["WORKING"], ["PENDING"]]
    assert {one["leg"] for one in every[0]} == {"SPRING"}


async def test_alerts_and_commands_are_as_many_as_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for one in decisions()[1:]:
            rig.stream.write(one)
        for number in range(5):
            rig.stream.write(msgspec.structs.replace(decisions()[8], heat_bp=700 + number))
        await until(lambda: len(rig.monitor.replica.rings["alert"]) == 6)
        _, two = await rig.get("alerts?limit=2")
        _, every = await rig.get("alerts")
        wrong, _ = await rig.get("alerts?limt=2")

    assert [one["text"] for one in two["items"]] == [one["text"] for one in every["items"]][:2]
    assert "7.04 %" in two["items"][0]["text"]
    assert len(every["items"]) == 6
    assert wrong == 400


async def test_campaigns_are_kept_until_the_store_changes(tmp_path: Path) -> None:
    path = await stored(tmp_path)
    async with running(tmp_path, store=path) as rig:
        for _ in range(3):
            _, first = await rig.get("campaigns")
            await rig.get("campaigns/c1")
            await rig.get("campaigns/c1/performance")
        made = rig.monitor.cache.misses

        later = CampaignChange("c9", 1, 9, "CAMPAIGN_FORMED", CampaignState.FORMING, CampaignState.FORMING, "SPRING")
        store = StoreWriter(path, RUN, first_item=1_000, session=session("AAA", "BBB"))
        store.write(later)
        store.close()
        await store.run()
        _, second = await rig.get("campaigns")
        changed = rig.monitor.cache.misses
        rig.clock.ahead_ns += cache.CAMPAIGNS_S * 1_000_000_000
        await rig.get("campaigns")

    assert made == 2
    assert [one["campaign"] for one in first["items"]] == ["c1"]
    assert [one["campaign"] for one in second["items"]] == ["c9", "c1"]
    assert (changed, rig.monitor.cache.misses) == (3, 4)


async def test_an_answer_of_another_version_is_made_anew() -> None:
    kept, made = cache.Cache(MovedClock()), []

    async def make() -> int:
        made.append(1)
        return len(made)

    found = [(await kept.of("a", 60, make, version=version))[0] for version in ("1", "1", "2", "2", "1")]

    assert found == [1, 1, 2, 2, 3]
