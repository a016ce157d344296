"""Heat: what the next entries may add, what moves together, and how it came to this."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine.control.status import CandidateView, HeatView, PositionView
from engine.live import views
from engine.live.candidates import candidates
from engine.messages import Action, HeatState, Intent
from engine.monitor.correlation import LEAST_BARS, Moves, groups, moves
from engine.monitor.rest_heat import MOST_POINTS, thinned
from engine.store import Outcome, Run, StoreWriter
from engine.store_heat import MINUTE_NS, MOST_SAMPLES, HeatSample, HeatSampler
from tests.control.makers import status
from tests.lines import line, lively, recorded
from tests.makers import session
from tests.markets import bar_market
from tests.monitor.rig import Rig, running, until

D = Decimal


# ------------------------------------------------------------------------------------- candidates


def test_the_next_entry_of_a_campaign_never_asks_for_more_than_its_candidate() -> None:
    settings, market = lively(), recorded(bar_market(12, 1_000, seed=5), symbols=12)
    built = line(market, settings)
    entries = met = 0
    for fact in market.facts(1):
        heat_bp, _ = built.gate.heat_now()
        next_ones = candidates(built, settings.campaigns, heat_bp, settings.risk.heat_limit_bp)
        offered = {one.campaign: one for one in next_ones}
        for item in built.chain.run(fact):
            if not isinstance(item, Intent) or item.action is not Action.ENTER:
                continue
            entries += 1
            found = offered.get(item.campaign)
            if found is not None and found.leg == item.leg.value:
                met += 1
                assert item.risk_bp <= found.risk_bp, item

    assert entries > 20
    assert met > 5


def test_a_candidate_says_whether_it_would_pass() -> None:
    settings, market = lively(), recorded(bar_market(3, 1_200, seed=5), symbols=3)
    built = line(market, settings)
    told = views.heat(built, settings.risk, settings.campaigns)
    for fact in market.facts(64):
        for _ in built.chain.run(fact):
            pass
        told = views.heat(built, settings.risk, settings.campaigns)
        if told.candidates and told.heat_bp:
            break

    plain = views.heat(built, settings.risk)
    unknown = list(candidates(built, settings.campaigns, None, 1_000))
    at_limit = list(candidates(built, settings.campaigns, 999, 1_000))

    assert plain.candidates == ()
    assert told.heat_bp
    for one in told.candidates:
        assert one.projected_bp is not None
        assert one.projected_bp - told.heat_bp >= one.risk_bp
        assert one.passes == (one.projected_bp < told.limit_bp)
    assert not any(one.passes for one in (*unknown, *at_limit))
    assert all(one.projected_bp is None for one in unknown)


# -------------------------------------------------------------------------------------- together


def moved(seed: int, *, like: Moves | None = None, bars: int = 200) -> Moves:
    noise = np.random.default_rng(seed).normal(0, 0.01, bars)
    return Moves(np.arange(bars) * MINUTE_NS, noise if like is None else like.change[:bars] + noise * 0.2)


def test_markets_that_move_together_are_one_group_and_others_are_none() -> None:
    first, other = moved(1), moved(2)
    found = {"A": first, "B": other, "C": moved(3, like=first), "D": moved(4, like=first)}

    (group,) = groups({"A": 1, "B": 1, "C": 1, "D": 1}, found)

    assert group.symbols == ("A", "C", "D")
    assert 0.7 <= group.correlation <= 1


def test_a_long_and_a_short_in_the_same_move_are_no_group() -> None:
    first = moved(1)
    found = {"A": first, "B": moved(3, like=first)}
    mirrored = found["B"]._replace(change=-found["B"].change)

    assert groups({"A": 1, "B": -1}, found) == []
    assert [one.symbols for one in groups({"A": -1, "B": -1}, found)] == [("A", "B")]
    assert [one.symbols for one in groups({"A": 1, "B": -1}, found | {"B": mirrored})] == [("A", "B")]


def test_nothing_is_said_of_too_few_bars_or_of_markets_that_stand_still() -> None:
    first = moved(1)
    short = moved(3, like=first, bars=LEAST_BARS - 1)
    still = moved(1)._replace(change=np.zeros(200))

    assert groups({"A": 1, "B": 1}, {"A": first, "B": short}) == []
    assert groups({"A": 1, "B": 1}, {"A": first, "B": still}) == []
    assert groups({"A": 1, "B": 1}, {"A": first}) == []


def test_returns_are_those_of_bars_at_the_same_time() -> None:
    found = moves({"open_ns": np.array([1, 2, 3]), "close": np.array([10.0, 11.0, 0.0])})
    after = moves({"open_ns": np.array([1, 2, 3]), "close": np.array([0.0, 10.0, 11.0])})

    assert found.open_ns.tolist() == [2, 3]
    assert found.change.tolist() == pytest.approx([0.1, -1.0])
    assert after.open_ns.tolist() == [3]


@pytest.mark.asyncio
async def test_the_page_is_told_who_makes_heat_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def together(monitor: Any, symbol: str) -> Moves:
        return moved(1)

    monkeypatch.setattr("engine.monitor.rest_heat._moves", together)
    held = [
        PositionView(symbol=symbol, quantity=D(10), average_price=D(100), mark=D(100), unrealised=D(0), stop=D(stop),
                     campaign=f"{symbol}-1")
        for symbol, stop in (("AAA", 95), ("BBB", 90))
    ]  # fmt: skip
    following = CandidateView(campaign="AAA-1", symbol="AAA", direction=1, leg="SOS", risk_bp=D(150), projected_bp=300,
                              limit_bp=1_000, passes=True)  # fmt: skip
    heat = HeatView(
        heat_bp=150, state="NORMAL", warning_bp=700, critical_bp=900, limit_bp=1_000, candidates=(following,)
    )
    async with running(tmp_path) as rig:
        rig.engine.now = status(positions=tuple(held), position_count=2, equity=D(10_000), heat=heat)
        await until(lambda: rig.monitor.replica.status and rig.monitor.replica.status.position_count == 2)
        _, found = await rig.get("heat")

    assert [(one["campaign"], one["heat_bp"]) for one in found["campaigns"]] == [("AAA-1", "50.0"), ("BBB-1", "100.0")]
    (group,) = found["groups"]
    assert (group["symbols"], group["campaigns"]) == (["AAA", "BBB"], ["AAA-1", "BBB-1"])
    assert (group["heat_bp"], group["correlation"]) == ("150.0", 1.0)
    (candidate,) = found["candidates"]
    assert (candidate["leg"], candidate["risk_bp"], candidate["projected_bp"]) == ("SOS", "150", 300)


# ---------------------------------------------------------------------------------------- series


def test_heat_is_looked_at_once_a_minute_and_kept_where_it_has_changed() -> None:
    asked, heat = [], [0, 0, 120, 120, None, 90]

    def now() -> tuple[int | None, HeatState]:
        asked.append(1)
        return heat[len(asked) - 1], HeatState.NORMAL

    sampler = HeatSampler(now)
    times = [t * MINUTE_NS // 2 for t in range(2, 14)]
    found = [one for t in times if (one := sampler.look(t)) is not None]

    assert len(asked) == 6
    assert [(one.time_ns // MINUTE_NS, one.heat_bp) for one in found] == [(1, 0), (3, 120), (6, 90)]


def test_samples_of_a_long_run_lie_further_apart() -> None:
    heat = iter(range(10**9))
    sampler = HeatSampler(lambda: (next(heat), HeatState.NORMAL))
    minutes = 4 * MOST_SAMPLES

    kept = sum(sampler.look(minute * MINUTE_NS) is not None for minute in range(1, minutes))

    assert MOST_SAMPLES < kept <= 2.5 * MOST_SAMPLES


def test_of_many_points_the_highest_stay() -> None:
    points = [(number, 5) for number in range(50_000)]
    points[33_333] = (33_333, 900)

    found = thinned(points, MOST_POINTS)

    assert len(found) <= MOST_POINTS
    assert (33_333, 900) in found
    assert found[-1] == points[-1]
    assert thinned(points[:10], MOST_POINTS) == points[:10]


async def with_heat(directory: Path, *samples: HeatSample) -> Path:
    path = directory / "store.sqlite"
    store = StoreWriter(path, Run(name="r1", mode="replay", build_hash="b", config_hash="c", started_ns=5))
    store.write(session("AAA", "BBB", detect_on=("1m",)))
    for one in samples:
        store.record(1, one)
    store.close(Outcome(digest="d", ended_ns=9, counts="{}"))
    await store.run()
    return path


@pytest.mark.asyncio
async def test_the_series_is_that_of_the_store_and_then_of_the_stream(tmp_path: Path) -> None:
    store = await with_heat(tmp_path, *(HeatSample(n * MINUTE_NS, n) for n in range(1, 6)))

    async with running(tmp_path, store=store) as rig:
        await until(lambda: rig.monitor.replica.heats)
        _, whole = await rig.get("heat/series")
        _, some = await rig.get("heat/series?from_ms=120000&to_ms=240000")
        missing, _ = await rig.get("heat/series?run=9")

    assert [one["heat_bp"] for one in whole["items"]] == [1, 2, 3, 4, 5, 312]
    assert [one["heat_bp"] for one in some["items"]] == [2, 3, 4]
    assert missing == 404


@pytest.mark.asyncio
async def test_without_a_store_the_series_is_what_this_monitor_has_heard(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.engine.now = status(line_time="2026-11-21T09:05:00Z", heat=hot(400))
        await until(lambda: len(rig.monitor.replica.heats) == 2)
        rig.engine.now = status(line_time="2026-11-21T09:05:30Z", heat=hot(500))
        await until(lambda: rig.monitor.replica.status and rig.monitor.replica.status.heat.heat_bp == 500)
        found = await heats(rig)
    async with running(tmp_path / "none", with_engine=False) as rig:
        none, _ = await rig.get("heat/series")

    assert found == [312, 400]
    assert none == 503


@pytest.mark.asyncio
async def test_a_run_that_trades_leaves_its_heat_in_the_store(tmp_path: Path) -> None:
    settings, market = lively(), recorded(bar_market(3, 1_200, seed=5), symbols=3)
    path = tmp_path / "store.sqlite"
    store = StoreWriter(path, Run(name="r1", mode="replay", build_hash="b", config_hash="c", started_ns=5))
    built, bare = line(market, settings, sinks=[store]), line(market, settings)
    store.follow_heat(built.gate.heat_now)
    for fact in market.facts(64):
        for _ in built.chain.run(fact):
            pass
    for fact in market.facts(64):
        for _ in bare.chain.run(fact):
            pass
    store.close(Outcome(digest="d", ended_ns=9, counts="{}"))
    await store.run()

    async with running(tmp_path, store=path, with_engine=False) as rig:
        found = await heats(rig)

    assert built.tap.digest.hex == bare.tap.digest.hex
    assert len(found) > 20
    assert 0 < max(found) < settings.risk.heat_limit_bp
    assert 0 in found


def hot(heat_bp: int) -> HeatView:
    return msgspec.structs.replace(status().heat, heat_bp=heat_bp)


async def heats(rig: Rig) -> list[int]:
    _, found = await rig.get("heat/series")
    return [one["heat_bp"] for one in found["items"]]
