"""Faults of market data as a table: what the venue does, and what must be true of the feed.

Every scenario ends quiet, and then the same laws hold: each trade that the venue made came once and in
order of numbers, or its absence was told; every row is accounted for; nothing insane came through.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from adapters.loopback.binance import BinanceVenue
from engine.messages import FILLED, Heartbeat, Quarantine
from tests.live_feeds.rig import Scene, account, assert_sane, fast, scene

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]

TABLE = {
    "name": "loop", "kind": "binance", "symbols": ["BTCUSDT", "ETHUSDT"], "stale_ceiling_s": 20.0, "tick_s": 0.2,
}  # fmt: skip


async def mute(run: Scene) -> None:
    run.venue.mute()


async def freeze(run: Scene) -> None:
    run.venue.freeze()


async def late_trade(run: Scene) -> None:
    run.venue.trade("BTCUSDT", age_ms=4_000)


def ending(how: str, code: int = 1001) -> Callable[[Scene], Awaitable[None]]:
    async def end(run: Scene) -> None:
        await run.venue.kick(how, code)

    return end


@dataclass(frozen=True)
class Scenario:
    """`told` is part of a reason that must be heard, `withheld` a reason for which rows must be kept back.

    `breaks` says that the connection must be made anew; `whole` that nothing may be missing in the end.
    """

    id: str
    fault: str = ""
    options: dict = field(default_factory=dict)
    act: Callable[[Scene], Awaitable[None]] | None = None
    told: str = ""
    withheld: str = ""
    breaks: bool = False
    whole: bool = True
    rows: int = 150
    table: dict = field(default_factory=dict)
    rate: float = 20.0


SCENARIOS = [
    Scenario("M01-mute", act=mute, told="silent", breaks=True),
    Scenario("M02-half-open", act=freeze, breaks=True),
    Scenario("M03-abort", act=ending("abort"), told="closed", breaks=True),
    Scenario("M03-fin", act=ending("fin"), told="closed", breaks=True),
    Scenario("M03-1000", act=ending("close", 1000), told="code 1000", breaks=True),
    Scenario("M03-1008", act=ending("close", 1008), told="code 1008", breaks=True),
    Scenario("M03-1011", act=ending("close", 1011), told="code 1011", breaks=True),
    Scenario("M03-1012", act=ending("close", 1012), told="code 1012", breaks=True),
    Scenario("M05-busy-kick", act=ending("abort"), breaks=True, rate=100, rows=800),
    Scenario("M05-gap-inside", "gap", {"p": 0.03}, told="missing"),
    Scenario("M06-duplicates", "dup", {"p": 0.2}),
    Scenario("M07-reordered", "reorder", {"p": 0.2}),
    Scenario("M07-late-trade", act=late_trade),
    Scenario("M11-badjson", "corrupt", {"p": 0.03, "how": "badjson"}, told="missing"),
    Scenario("M11-truncate", "corrupt", {"p": 0.03, "how": "truncate"}, told="missing"),
    Scenario("M11-binary", "corrupt", {"p": 0.03, "how": "binary"}, told="missing"),
    Scenario("M11-wrongtype", "corrupt", {"p": 0.03, "how": "wrongtype"}, told="missing"),
    Scenario("M11-empty", "corrupt", {"p": 0.03, "how": "empty"}, told="missing"),
    Scenario("M11-huge", "corrupt", {"count": 2, "how": "huge"}, told="missing"),
    Scenario("M12-nan", "mutate", {"p": 0.03, "value": "NaN"}, told="missing"),
    Scenario("M12-zero", "mutate", {"p": 0.03, "value": "0"}, withheld="bad_price", whole=False),
    Scenario("M12-negative", "mutate", {"p": 0.03, "value": "-5"}, withheld="bad_price", whole=False),
    Scenario("M12-tenfold", "mutate", {"p": 0.03, "factor": 10.0}, withheld="absurd_price", whole=False),
    Scenario("M12-hundredth", "mutate", {"p": 0.03, "factor": 0.01}, withheld="absurd_price", whole=False),
    Scenario("M16-burst", rate=400, rows=4_000),
    Scenario("M24-symbol-forgotten", "gap", {"symbol": "ETHUSDT"}, told="ETHUSDT: silent while", breaks=True),
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.id)
async def test_a_fault_of_market_data_is_survived_and_told(scenario: Scenario) -> None:
    venue = BinanceVenue(rate=scenario.rate, clock=fast())

    async with scene(venue, TABLE | scenario.table) as run:
        await run.live()
        await run.rows(40)
        if scenario.fault:
            venue.faults.switch(scenario.fault, **scenario.options)
        if scenario.act is not None:
            await scenario.act(run)
        if scenario.breaks:
            await run.until(lambda: run.report.reconnects >= 1, "a new connection")
            venue.faults.clear()
        await run.rows(scenario.rows)
        await run.quiet()

        for number in (0, 1):
            assert_no_row_is_lost(run, number, whole=scenario.whole)
        assert_all_is_accounted_for(run, waiting=6 if scenario.withheld else 0)
        assert_sane(run.heard)
        assert_proofs_hold(run, exempt=scenario.id == "M07-late-trade")
        assert any(scenario.told in reason for reason in run.heard.reasons), run.heard.reasons
        assert scenario.withheld in ("", *run.report.withheld)
        assert run.heard.states[0] == "RECOVERING"
        assert run.heard.states[-1] == "LIVE"


def assert_all_is_accounted_for(run: Scene, *, waiting: int) -> None:
    """I11. Prices that are far off wait for others to confirm them: at most `waiting` in all."""
    told = run.report
    counted = told.applied + told.duplicates + told.conflated + sum(told.withheld.values())
    assert 0 <= told.received - counted <= waiting


def assert_no_row_is_lost(run: Scene, number: int, *, whole: bool) -> None:
    """I10: what came is what was made, once each and in order; what was withheld is missing, and nothing else."""
    found, made = run.heard.ids(number), run.made(number)
    assert found == sorted(set(found))
    if whole:
        assert found == made
        assert run.heard.gaps == 0
    else:
        assert set(found) < set(made)


def assert_proofs_hold(run: Scene, *, exempt: bool) -> None:
    """No row is older than a heartbeat by more than rows may be late, but for what was told to be missing."""
    proven_ns, lateness_ns = 0, run.feed.lateness_ns
    live = False
    for fact in run.heard.facts:
        name = type(fact).__name__
        if name == "FeedStatus":
            live = fact.status == "LIVE"
        elif isinstance(fact, Heartbeat):
            assert live
            assert fact.time_ns >= proven_ns
            proven_ns = fact.time_ns
        elif name == "Trades" and live and not exempt and not run.heard.reasons.count("missing"):
            assert int(fact.time_ns.min()) > proven_ns - 60 * lateness_ns


async def test_a_refusal_of_keys_ends_the_feed_and_is_not_asked_again() -> None:
    venue = BinanceVenue(rate=20, clock=fast())
    venue.faults.switch("refuse", status=401)

    async with scene(venue, TABLE) as run:
        await run.until(lambda: run.task.done(), "the end")

        assert run.heard.states == ["RECOVERING", "DOWN"]
        assert "401" in run.heard.reasons[-1]
        assert len(venue.ledger.opened) <= 3


async def test_a_venue_that_drops_every_connection_is_not_stormed() -> None:
    venue = BinanceVenue(rate=20, clock=fast(40))
    venue.faults.switch("drop", how="close", code=1001)

    async with scene(venue, TABLE) as run:
        began_ns = venue.clock.now_ns()
        await run.until(lambda: venue.clock.now_ns() - began_ns > 60e9, "a minute")
        opened = sum(one.at_ns - began_ns < 60e9 for one in venue.ledger.opened)
        venue.faults.clear()
        await run.live()
        await run.rows(20)
        await run.quiet()

        assert 2 <= opened <= 12
        assert_no_row_is_lost(run, 0, whole=True)


async def test_a_venue_that_asks_for_patience_gets_it() -> None:
    venue = BinanceVenue(rate=20, clock=fast(40))
    venue.faults.switch("refuse", status=429, retry_after_s=20.0, count=1)

    async with scene(venue, TABLE) as run:
        await run.live()

        first, second = venue.ledger.opened[:2]
        assert (first.status, second.status) == (429, 101)
        assert second.at_ns - first.at_ns >= 20e9


async def test_history_that_fails_for_a_while_is_asked_again() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        venue.faults.switch("http", status=503, count=5, path="aggTrades")
        await venue.kick()
        await run.live(times=2)
        await run.rows(20)
        await run.quiet()

        assert venue.faults.struck["http"] == 5
        assert_no_row_is_lost(run, 0, whole=True)
        assert_no_row_is_lost(run, 1, whole=True)


async def test_a_gap_that_history_cannot_fill_is_told_and_given_up() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE | {"recover_s": 8.0}) as run:
        await run.live()
        await run.rows(40)
        venue.faults.switch("http", status=503, path="aggTrades")
        await venue.kick()
        await run.live(times=2)
        await run.rows(40)
        await run.quiet()

        found, made = run.heard.ids(0), run.made(0)
        missing = [one for one in made if one not in set(found)]
        assert missing
        assert run.heard.gaps >= len(missing)
        assert "with gaps" in run.heard.reasons
        assert {fact.symbol for fact in run.heard.of(Quarantine) if fact.reason == "gap"} >= {"BTCUSDT"}
        account(run.report)


async def test_a_quiet_market_is_told_from_a_dead_stream() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await run.rows(40)
        venue.halt()
        await run.until(lambda: any("silent" in one for one in run.heard.reasons), "an alarm")
        await run.live(times=2)
        venue.halt(on=False)
        await run.rows(40)

        assert run.report.reconnects == 0


async def test_no_heartbeat_proves_anything_while_the_feed_is_not_live() -> None:
    venue = BinanceVenue(rate=20, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        await venue.kick("abort")
        await run.live(times=2)

        live = False
        for fact in run.heard.facts:
            if type(fact).__name__ == "FeedStatus":
                live = fact.status == "LIVE"
            assert live or not isinstance(fact, Heartbeat)


async def test_a_clock_that_is_far_off_keeps_the_feed_from_being_live() -> None:
    venue = BinanceVenue(rate=20, clock=fast(40))
    venue.skew_ms = 60_000

    async with scene(venue, TABLE) as run:
        await run.until(lambda: any("clock skew" in one for one in run.heard.reasons), "the skew")
        venue.skew_ms = 0
        await run.live()

        assert run.heard.reasons[-1] == FILLED


async def test_a_connection_is_replaced_before_the_venue_ends_it_without_a_gap() -> None:
    venue = BinanceVenue(rate=20, clock=fast(40))

    async with scene(venue, TABLE | {"rotate_h": 0.003}) as run:
        await run.live()
        await run.until(lambda: run.report.reconnects >= 2, "two rotations")
        states = list(run.heard.states)
        await run.quiet()

        assert states == ["RECOVERING", "LIVE"]
        assert run.report.duplicates > 0
        assert_no_row_is_lost(run, 0, whole=True)


async def test_a_storm_of_damage_makes_a_new_connection() -> None:
    venue = BinanceVenue(rate=100, clock=fast())

    async with scene(venue, TABLE) as run:
        await run.live()
        venue.faults.switch("corrupt", how="badjson")
        await run.until(lambda: run.report.reconnects >= 1, "a new connection")
        venue.faults.clear()
        await run.live(times=2)
        await run.quiet()

        assert_no_row_is_lost(run, 0, whole=True)
