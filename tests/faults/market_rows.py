"""Faults of market data, as rows: what the venue does to a running session, and what must be true of it then.

Each row is run against a whole session that trades. While the feed is lost entries are refused and exits are not;
afterwards it trades again, its tape replays to the same decisions, and every row is accounted for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from adapters.live.clock import FastClock
from adapters.loopback.binance import BinanceVenue
from engine.config import Config
from engine.live.ports import Clock
from engine.messages import FeedStatus
from tests.faults.rig import SPEED, Makes, Whole, settings, whole
from tests.faults.watching import Verdicts, unseen, verdicts

ROWS = 120
"""How many rows a fault has to strike on."""

WAITING = 12
"""Rows that may wait to be confirmed when a session ends: prices that were far off."""

HELD_S = 1.2
"""How long a feed stays lost after that: longer than its state may take to be shown."""

Act = Callable[[Whole], Awaitable[object]]


class SteppedClock(FastClock):
    """The wall clock can be set, the monotonic one goes on. `true` is the venue's, which nobody sets."""

    def __init__(self, speed: float) -> None:
        super().__init__(speed)
        self.true = FastClock(speed)
        self.step_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.step_ns


@dataclass(frozen=True)
class Row:
    """`lost`: the feed stops being live, and is kept lost until entries were refused and exits were not.

    `told` is part of a reason that must be on the tape, `withheld` a reason for which rows are kept back, `whole`
    that nothing may be missing in the end. `blocks` is a code that must stand against entries meanwhile.
    `script` is done in place of all that, and `judged` is asked beside the laws of every row.
    """

    id: str
    fault: str = ""
    options: dict = field(default_factory=dict)
    act: Act | None = None
    after: Act | None = None
    lost: bool = False
    told: str = ""
    withheld: str = ""
    whole: bool = True
    blocks: str = ""
    rate: float = 6.0
    rows: int = ROWS
    table: dict = field(default_factory=dict)
    clock: Callable[[], Clock] = lambda: FastClock(SPEED)
    config: Callable[[], Config] = settings
    short: bool = False
    kind: Makes = BinanceVenue
    script: Act | None = None
    judged: Callable[[Whole], None] | None = None


async def mute(run: Whole) -> None:
    run.venue.mute()


async def freeze(run: Whole) -> None:
    run.venue.freeze()


async def late_trade(run: Whole) -> None:
    run.venue.trade("BTCUSDT", age_ms=4_000)


async def silence(run: Whole) -> None:
    """Three minutes in which nothing trades on one venue."""
    run.venue.halt()
    await run.session.parts.clock.sleep(180)
    run.venue.halt(on=False)


async def skew(run: Whole) -> None:
    run.venue.skew_ms = 60_000


async def no_skew(run: Whole) -> None:
    run.venue.skew_ms = 0


async def step_back(run: Whole) -> None:
    clock = run.session.parts.clock
    assert isinstance(clock, SteppedClock)
    clock.step_ns = -3_600 * 10**9


async def step_forth(run: Whole) -> None:
    clock = run.session.parts.clock
    assert isinstance(clock, SteppedClock)
    clock.step_ns = 0


async def kick_often(run: Whole) -> None:
    for _ in range(10):
        await run.venue.kick("abort")
        await asyncio.sleep(0.1)


async def flood(run: Whole) -> None:
    run.venue.rate = 100.0
    await asyncio.sleep(2.0)
    run.venue.rate = 6.0


def ending(how: str, code: int = 1001) -> Act:
    async def end(run: Whole) -> None:
        await run.venue.kick(how, code)

    return end


def corrupt(how: str, **options: object) -> dict:
    return {"fault": "corrupt", "options": {"how": how, "p": 0.03} | options, "told": "missing"}


def mutate(**options: object) -> dict:
    return {"fault": "mutate", "options": {"p": 0.03} | options}


FAR = {"whole": False, "rows": 250}

ROWS_OF_MARKET = [
    Row("M01-mute", act=mute, lost=True, told="silent", short=True),
    Row("M02-half-open", act=freeze, lost=True, short=True),
    Row("M03-abort", act=ending("abort"), lost=True, told="closed", short=True),
    Row("M03-fin", act=ending("fin"), lost=True, told="closed"),
    Row("M03-1000", act=ending("close", 1000), lost=True, told="code 1000"),
    Row("M03-1008", act=ending("close", 1008), lost=True, told="code 1008"),
    Row("M03-1011", act=ending("close", 1011), lost=True, told="code 1011"),
    Row("M03-1012", act=ending("close", 1012), lost=True, told="code 1012"),
    Row("M03-rotation", table={"rotate_h": 0.005}, rows=400),
    Row("M04-storm", "drop", {"how": "close", "code": 1001}, act=ending("close"), lost=True, short=True),
    Row("M04-429", act=ending("abort"), lost=True),
    Row("M05-kick-while-busy", act=ending("abort"), lost=True, rate=60.0, rows=600),
    Row("M05-gap-inside", "gap", {"p": 0.03}, told="missing", short=True),
    Row("M05-history-fails", "http", {"status": 503, "count": 4, "path": "aggTrades"}, act=ending("abort"), lost=True),
    Row("M05-many-kicks", act=kick_often, told="closed"),
    Row("M06-duplicates", "dup", {"p": 0.2}, short=True),
    Row("M07-reordered", "reorder", {"p": 0.2}),
    Row("M07-late-trade", act=late_trade),
    Row("M07-delayed", "delay", {"p": 0.1, "seconds": 0.2}),
    Row("M09-nothing-trades", act=silence, whole=True),
    Row("M11-badjson", **corrupt("badjson")),
    Row("M11-truncate", **corrupt("truncate")),
    Row("M11-binary", **corrupt("binary")),
    Row("M11-wrongtype", **corrupt("wrongtype")),
    Row("M11-empty", **corrupt("empty")),
    Row("M11-huge", **corrupt("huge", p=1.0, count=2)),
    Row("M11-all-bad", "corrupt", {"how": "badjson"}, lost=True, short=True),
    Row("M12-nan", **mutate(value="NaN"), told="missing", short=True),
    Row("M12-zero", **mutate(value="0"), withheld="bad_price", **FAR),
    Row("M12-negative", **mutate(value="-5"), withheld="bad_price", **FAR),
    Row("M12-tenfold", **mutate(factor=10.0), withheld="absurd_price", short=True, **FAR),
    Row("M12-hundredth", **mutate(factor=0.01), withheld="absurd_price", **FAR),
    Row("M16-flood", act=flood, rows=1_000, short=True),
    Row("M22-venue-clock-ahead", act=skew, after=no_skew, lost=True, told="skew", table={"skew_s": 4.0}, whole=False),
    Row("M24-symbol-forgotten", "gap", {"symbol": "ETHUSDT"}, told="ETHUSDT: silent", lost=True),
    Row(
        "P17-clock-steps-back", act=step_back, after=step_forth, lost=True, clock=lambda: SteppedClock(SPEED),
        table={"skew_s": 4.0},
    ),
]  # fmt: skip


async def play(row: Row, directory: Path, seed: int = 0) -> Verdicts:
    """Runs one row and asserts its laws."""
    run = whole(
        directory, clock=row.clock(), rate=row.rate, table=row.table, chosen=row.config(), seed=seed, kind=row.kind
    )  # fmt: skip
    async with run as session:
        if row.script is not None:
            await row.script(session)
            session.venue.faults.clear()
        else:
            await _struck(row, session)
    return judge(row, session)


async def _struck(row: Row, session: Whole) -> None:
    """It trades, the fault strikes, and it trades again."""
    await session.live()
    await session.held()
    await session.entries(2)
    if row.fault:
        session.venue.faults.switch(row.fault, **row.options)
    if row.lost:
        await lose(row, session)
    elif row.act is not None:
        await row.act(session)
    if row.after is not None:
        await row.after(session)
    await session.rows(row.rows)
    session.venue.faults.clear()
    await session.live()
    await session.entries(1)
    await session.quiet()


async def lose(row: Row, run: Whole) -> None:
    """The feed is lost; whatever comes now is refused, what is held can be sold."""
    if row.act is not None:
        await row.act(run)
    if row.after is None:
        run.venue.faults.switch("refuse", status=429 if row.id.endswith("429") else 503, retry_after_s=2.0)
    await run.until(lambda: "DATA_STALE" in run.blockers, "blocked")
    before = verdicts(run.noted.of(object)).refused_while_held
    await run.exits_pass()
    await run.until(lambda: verdicts(run.noted.of(object)).refused_while_held > before, "a refusal")
    await asyncio.sleep(HELD_S)
    run.venue.faults.clear("refuse")
    if row.after is None:
        run.venue.faults.clear(row.fault if row.fault in ("drop", "gap", "corrupt") else "refuse")


def judge(row: Row, run: Whole) -> Verdicts:
    """The laws of every row (I9 to I12, I15, I16, I19, I20); gives the verdicts that were passed."""
    found = verdicts(run.noted.of(object))
    reasons = [fact.reason for fact in run.noted.of(FeedStatus) if fact.feed == 0]
    assert found.entries_while_held == 0, found
    assert not row.lost or (found.refused_while_held and found.exits_while_held), found
    assert any(row.told in reason for reason in reasons), reasons
    assert row.withheld in ("", *run.report.withheld), run.report.withheld
    for number, symbol in enumerate(run.symbols):
        if symbol in run.venue.market.listings and number in run.noted.ids:
            _judge_rows(row, run, number, symbol)
    assert run.noted.closed_twice == 0
    told = run.report
    counted = told.applied + told.duplicates + told.conflated + sum(told.withheld.values())
    assert 0 <= told.received - counted <= WAITING, told
    assert run.probe.oddities == []
    capacity = run.config.live.market_queue
    assert max(look.waiting for look in run.looks) <= capacity
    late = unseen(run.noted.facts, run.looks)
    assert late == [], late
    proof = run.proof()
    assert proof.ok, proof
    assert proof.digest == run.session.opened.line.tap.digest.hex
    if row.judged is not None:
        row.judged(run)
    return found


def _judge_rows(row: Row, run: Whole, number: int, symbol: str) -> None:
    """I10: each trade that was made came once and in order, or was withheld and counted."""
    came, made = run.noted.ids[number], run.made(symbol)
    assert came == sorted(set(came))
    # A feed asks for what was made since its first minute began.
    assert not row.whole or came == made[made.index(came[0]) :], sorted(set(made) - set(came))[:5]
    assert set(came) <= set(made)
