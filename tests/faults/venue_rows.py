"""Faults of venues that a trading session meets besides lost connections: books, keys, revisions, calendars."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

from adapters.live.clock import FastClock
from adapters.loopback.alpaca import AlpacaVenue
from adapters.loopback.binance import BinanceVenue
from engine.live.tapes import SECOND_NS
from engine.messages import Action, Approved, BarTaint, FeedStatus, SymbolStatus
from engine.timeframes import MINUTE_NS
from tests.faults.market_rows import HELD_S, Row
from tests.faults.rig import FAILING, SPEED, Whole, stocks
from tests.faults.watching import verdicts

BARS = {"data": "bars", "timeframe": "1m", "stale_ceiling_s": 300.0, "lateness_ms": 2_500}
MINUTES = 60.0
"""The speed at which a minute takes a second of the host."""

BAR_DELAY_S = 2.0
REVISIONS = 4


class CalendarClock(FastClock):
    """Begins at a moment of the calendar."""

    def __init__(self, *moment: int, speed: float = SPEED) -> None:
        super().__init__(speed)
        self._epoch_ns = at_ns(*moment)


def at_ns(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * SECOND_NS  # type: ignore[misc, arg-type]


async def trading(run: Whole) -> None:
    await run.live()
    await run.held()
    await run.entries(2)


async def ended(run: Whole) -> None:
    run.venue.faults.clear()
    await run.live()
    await run.entries(1)
    await run.quiet()


# ------------------------------------------------------------------------------------------------ bars


async def late_and_revised(run: Whole) -> None:
    """Bars come two seconds after their minute; some come again, changed by late trades."""
    venue = run.venue
    assert isinstance(venue, AlpacaVenue)
    venue.bar_delay_s = BAR_DELAY_S
    await trading(run)
    for _ in range(REVISIONS):
        before = run.report.applied
        await run.until(lambda before=before: run.report.applied >= before + 2, "another minute")  # type: ignore[misc]
        last_ms = run.noted.closed_at[run.symbols.index("AAPL")] // 1_000_000 - 60_000
        (candle,) = venue.market.listings["AAPL"].candles(60_000, last_ms, last_ms)
        venue.publish_bar("AAPL", candle._replace(high=candle.high * 1.01), updated=True)
    await run.until(lambda: len(run.noted.of(BarTaint)) >= REVISIONS, "doubts about what was revised")
    await ended(run)


def revisions_are_told(run: Whole) -> None:
    """M08: what has closed stays as it was; that it was revised is a message of its own."""
    number = run.symbols.index("AAPL")
    assert len({taint.open_ns for taint in run.noted.of(BarTaint)}) >= REVISIONS
    opens = [key[2] for key in run.noted.minutes if key[0] == number]
    assert len(opens) == len(set(opens)) > REVISIONS
    gaps = {later - sooner for sooner, later in pairwise(opens)}
    assert gaps == {MINUTE_NS}, gaps


# ------------------------------------------------------------------------------------------------ books


def book_is_sound(run: Whole) -> None:
    """M10, M13: no crossed or empty quote reached the line, quotes went on, and no storm of requests mended them."""
    assert run.noted.crossed == 0
    assert all(run.noted.quotes.get(run.symbols.index(symbol), 0) for symbol in run.venue.market.listings)
    asked = [path for _, path, _ in run.venue.ledger.requests if "aggTrades" in path]
    assert len(asked) <= 4 * len(run.venue.market.listings), asked


def strangers_are_counted(run: Whole) -> None:
    """M14: each of them, and none of them is a row."""
    struck = run.venue.faults.struck["strange"]
    assert 0 < struck == run.report.unknown, (struck, run.report)
    assert run.report.malformed == 0


def strange(value: str) -> dict:
    return {"fault": "strange", "options": {"value": value, "p": 0.1}, "judged": strangers_are_counted}


NEW_EVENT = '{"stream":"btcusdt@somethingNew","data":{"e":"somethingNew","s":"BTCUSDT","status":"some_new_status"}}'
NEW_SYMBOL = (
    '{"stream":"newusdt@aggTrade","data":{"e":"aggTrade","E":1,"s":"NEWUSDT","a":1,"p":"1.0","q":"1.0","f":1,"l":1,'
    '"T":1,"m":true,"M":true}}'
)

# ------------------------------------------------------------------------------------------------ keys


async def keys_expire(run: Whole) -> None:
    """The next log-in is refused for good: one attempt, and entries stand still until somebody acts."""
    await trading(run)
    venue = run.venue
    assert isinstance(venue, AlpacaVenue)
    venue.key = "another"
    before = len(venue.ledger.opened)
    await venue.kick("abort")
    await run.until(lambda: run.report.state == "DOWN", "down")
    refused = verdicts(run.noted.of(object)).refused_while_held
    await run.exits_pass()
    await run.until(lambda: verdicts(run.noted.of(object)).refused_while_held > refused, "a refusal")
    await asyncio.sleep(HELD_S)
    await run.session.parts.clock.sleep(60)
    assert len(venue.ledger.opened) - before <= 3, venue.ledger.opened[before:]
    assert "DATA_STALE" in run.blockers


async def keys_in_use(run: Whole) -> None:
    """Somebody else is connected with the same keys: waited for, half a minute at least."""
    await trading(run)
    venue = run.venue
    venue.faults.switch("conn_limit", count=2)
    before = len(venue.ledger.opened)
    await venue.kick("abort")
    await run.until(lambda: "406" in run.report.reason, "the reason that is shown")
    await run.until(lambda: len(venue.ledger.opened) >= before + 3, "three attempts")
    attempts = [one.at_ns for one in venue.ledger.opened[before:]]
    assert all(later - sooner >= 29 * SECOND_NS for sooner, later in pairwise(attempts))
    await ended(run)


# ------------------------------------------------------------------------------------------------ symbols


async def halted(run: Whole) -> None:
    """One symbol is halted: nothing of it is bought, all others are; it is gone on with when its venue says so."""
    await trading(run)
    run.venue.suspend("AAPL")
    await shown(run, "SYMBOL_HALTED")
    await run.entries(3)
    await asyncio.sleep(HELD_S)
    run.venue.suspend("AAPL", on=False)
    await released(run)
    await ended(run)


async def halted_unheard(run: Whole) -> None:
    """The word that it goes on is lost with the connection: trades say it too, once they are later than the halt."""
    await trading(run)
    venue = run.venue
    assert isinstance(venue, AlpacaVenue)
    venue.suspend("AAPL")
    await shown(run, "SYMBOL_HALTED")
    venue.suspend("AAPL", on=False, tell=False)
    await released(run)
    await ended(run)


async def delisted(run: Whole) -> None:
    """A market is gone while something of it is held: the others go on, and so does the engine."""
    await trading(run)
    venue = run.venue
    assert isinstance(venue, BinanceVenue)
    venue.delist("ETHUSDT")
    await shown(run, "SYMBOL_DELISTED")
    await run.rows(60)
    venue.suspend("ETHUSDT", on=False)
    await ended(run)


async def redefined(run: Whole) -> None:
    """The venue counts in other ticks now: nothing is bought by the old ones, nothing is tried twice."""
    await trading(run)
    venue = run.venue
    assert isinstance(venue, BinanceVenue)
    venue.ticks["BTCUSDT"] = "0.5000"
    await shown(run, "SYMBOL_REDEFINED")
    await run.until(lambda: "SYMBOL_REDEFINED" in verdicts(run.noted.of(object)).refused, "an entry that is refused")
    del venue.ticks["BTCUSDT"]
    await released(run)
    await ended(run)


async def shown(run: Whole, code: str) -> None:
    """In status, and wherever else facts go."""
    await run.until(lambda: any(one.code == code for one in run.target.status().untradable), f"{code} is shown")


async def released(run: Whole) -> None:
    await run.until(lambda: not run.target.status().untradable, "released")


def nothing_bought_while_held(run: Whole) -> None:
    """Judged from the facts alone: symbols that were held, and what was approved and filled meanwhile."""
    held: set[tuple[str, str]] = set()
    seen = 0
    for fact in run.noted.of(object):
        if isinstance(fact, SymbolStatus):
            (held.add if fact.holds else held.discard)((fact.symbol, fact.cause))
            seen += fact.holds
        elif isinstance(fact, Approved) and fact.intent.action is Action.ENTER:
            assert fact.intent.symbol not in {symbol for symbol, _ in held}, fact
    assert seen == 1, seen


# ------------------------------------------------------------------------------------------------ calendars

OPENS_NS = at_ns(2026, 11, 2, 14, 30)
"""New York, on the first trading day after its clocks went back: an hour later by UTC than the day before."""

SILENT_S = 20.0


def alarms(run: Whole, since: int) -> list[FeedStatus]:
    """That it is silent; a connection may be lost for other reasons meanwhile."""
    return [fact for fact in run.noted.of(FeedStatus)[since:] if fact.feed == FAILING and "silent" in fact.reason]


async def opens_an_hour_later(run: Whole) -> None:
    """Silence before the open is no alarm, though the same hour was within the session three days ago."""
    await trading(run)
    run.venue.halt()
    halted = len(run.noted.of(FeedStatus))
    assert run.now_ns < OPENS_NS - 120 * SECOND_NS, "the row began too late"
    await run.until(lambda: run.now_ns > OPENS_NS, "the open")
    assert alarms(run, halted) == [], alarms(run, halted)
    await run.until(lambda: alarms(run, halted), "an alarm")
    alarm = alarms(run, halted)[0]
    # Silence counts from the last look before the open, which a busy host may be late with.
    assert alarm.time_ns >= OPENS_NS + SILENT_S / 2 * SECOND_NS
    run.venue.halt(on=False)
    await ended(run)


async def year_ends(run: Whole) -> None:
    """Midnight of the last day of a year: the day's tape ends clean, and the next one goes on."""
    await trading(run)
    await run.until(lambda: run.session.ended_tapes, "another day")
    await run.entries(2)
    await ended(run)


def both_days_replay(run: Whole) -> None:
    proofs = run.proofs()
    assert len(proofs) == 2
    assert all(proof.ok for proof in proofs), proofs


ROWS_OF_VENUES = [
    Row(
        "M08-late-and-revised", kind=AlpacaVenue, config=stocks, table=BARS, clock=lambda: FastClock(MINUTES),
        script=late_and_revised, judged=revisions_are_told,
    ),
    Row("M10-quotes-lost", "gap", {"channel": "bookTicker", "p": 0.5}, table={"quotes": True}, judged=book_is_sound),
    Row(
        "M13-crossed", "mutate", {"channel": "bookTicker", "factor": 1.01, "p": 0.5},
        table={"quotes": True}, withheld="crossed_quote", judged=book_is_sound, short=True,
    ),
    Row(
        "M13-empty-book", "mutate", {"channel": "bookTicker", "value": "0", "p": 0.5}, table={"quotes": True},
        withheld="bad_price", judged=book_is_sound,
    ),
    Row("M14-new-event", **strange(NEW_EVENT), short=True),
    Row("M14-new-symbol", **strange(NEW_SYMBOL)),
    Row("M15-keys-expired", kind=AlpacaVenue, config=stocks, script=keys_expire, whole=False, told="402", short=True),
    Row("M15-keys-in-use", kind=AlpacaVenue, config=stocks, script=keys_in_use, told="closed"),
    Row("M18-halted", kind=AlpacaVenue, config=stocks, script=halted, judged=nothing_bought_while_held, short=True),
    Row("M18-halted-unheard", kind=AlpacaVenue, config=stocks, script=halted_unheard, judged=nothing_bought_while_held),
    Row("M20-delisted", script=delisted, table={"refresh_s": 5.0}, judged=nothing_bought_while_held, short=True),
    Row("M21-redefined", script=redefined, table={"refresh_s": 5.0}, judged=nothing_bought_while_held),
    Row(
        "M23-clocks-went-back", kind=AlpacaVenue, config=stocks, script=opens_an_hour_later,
        table={"calendar": "XNYS", "stale_floor_s": SILENT_S},
        clock=lambda: CalendarClock(2026, 11, 2, 14, 15, speed=40.0), told="silent",
    ),
    Row(
        "M23-year-ends", script=year_ends, judged=both_days_replay,
        clock=lambda: CalendarClock(2027, 12, 31, 23, 57, speed=SPEED),
    ),
]  # fmt: skip
