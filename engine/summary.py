"""What a run comes to: counts, profit, digest; one object for programs, lines for people."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from engine.app import Line
from engine.campaigns.performance import summarise
from engine.config import Config
from engine.identity import build_hash
from engine.messages import Approved, Fill, Intent, Order
from engine.naming import NAMES
from engine.session import NS_PER_MS, RecordedFeed, Session

READ = "rows"
REPAIRED = ("reversed", "sorted", "stacked", "reordered", "mixed_units")
"""Keys of `Feed.counts` that are no reasons for dropping rows."""

HINTS = dict.fromkeys(("NUMERIC", "SIZE_MIN"), "Do tick and lot in [instruments] fit this market?")
"""Refusal -> what to look at first."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`heat_peak_bp` is the highest heat reached or approved, in basis points of equity; `pnl` is
    that of closed legs, costs in. `decisions` counts what the digest covers. `instruments` counts
    them by who gave their tick; `rows_noted` came out with something made up or marked by their publisher,
    `rows_unbarred` are rows that no bar could take, `unknown_messages`
    a recording's that no codec knows, by the venue's word. `note` says why no trade was completed,
    "" where one was."""

    digest: str
    decisions: int
    config_hash: str
    build_hash: str
    feeds: tuple[str, ...]
    symbols: int
    rows: dict[str, int]
    rows_read: int
    rows_dropped: dict[str, int]
    rows_repaired: dict[str, int]
    rows_noted: dict[str, int]
    rows_unbarred: dict[str, int]
    unknown_messages: dict[str, int]
    instruments: dict[str, int]
    sessions: tuple[str, ...]
    lateness_ms: int
    bars: dict[str, int]
    events: dict[str, int]
    campaigns: dict[str, int]
    declined: dict[str, int]
    intents: int
    approved: int
    refused: dict[str, int]
    orders: int
    executions: int
    trades: int
    wins: int
    pnl: Decimal
    currency: str
    expectancy_r: Decimal | None
    profit_factor: Decimal | None
    heat_peak_bp: int
    note: str


def summary_of(line: Line, config: Config, session: Session, feeds: Sequence[RecordedFeed]) -> RunSummary:
    counts = line.tap.counts
    trades = summarise(line.ledger.trades.closed)
    found = RunSummary(
        digest=line.tap.digest.hex,
        decisions=line.tap.digest.count,
        config_hash=config.hash,
        build_hash=build_hash(),
        feeds=tuple(feed.name for feed in feeds) or session.start.feeds,
        symbols=len(session.table),
        rows=dict(counts.rows),
        rows_read=sum(feed.counts.get(READ, 0) for feed in feeds) or sum(counts.rows.values()),
        rows_dropped=_reasons(feeds, repaired=False),
        rows_repaired=_reasons(feeds, repaired=True),
        rows_noted=_summed(feeds, "told"),
        rows_unbarred={reason: rows for reason, rows in line.bars.counts.items() if rows},
        unknown_messages=_most_first(Counter(_summed(feeds, "unknown_kinds"))),
        instruments=_most_first(Counter(one.origins["tick"] for one in session.defined)),
        sessions=tuple(f"{one.name} {one.hours}" for one in session.calendars),
        lateness_ms=session.start.lateness_ns // NS_PER_MS,
        bars=_in_order(counts.bars, session.start.timeframes),
        events=_in_order(counts.events, NAMES),
        campaigns=dict(sorted(counts.campaigns.items())),
        declined=_most_first(counts.declines),
        intents=counts.of(Intent),
        approved=counts.of(Approved),
        refused=_most_first(counts.refusals),
        orders=counts.of(Order),
        executions=counts.of(Fill),
        trades=trades.trades,
        wins=trades.wins,
        pnl=trades.pnl,
        currency=session.start.currency,
        expectancy_r=trades.expectancy_r,
        profit_factor=trades.profit_factor,
        heat_peak_bp=counts.heat_peak_bp,
        note="",
    )
    return msgspec.structs.replace(found, note=why_no_trade(found))


def why_no_trade(summary: RunSummary) -> str:
    """One sentence for a run that closed no trade."""
    if summary.trades:
        return ""
    if not summary.rows:
        return "No trade: no row was left to replay."
    if not summary.events:
        return "No trade: no structure was recognised."
    if not summary.intents and not summary.declined:
        return "No trade: no event called for an entry."
    if not summary.intents:
        return f"No trade: no event passed the strategy's gates for an entry ({_said(summary.declined)})."
    if not summary.approved:
        return f"No trade: the risk gate refused every entry ({_said(summary.refused)}).{_hint(summary.refused)}"
    if not summary.executions:
        return "No trade: entries were approved, but their prices were not reached in time."
    return "No trade was completed: what was bought is still held."


def _reasons(feeds: Sequence[RecordedFeed], *, repaired: bool) -> dict[str, int]:
    found: dict[str, int] = {}
    for feed in feeds:
        for reason, rows in feed.counts.items():
            if rows and reason != READ and (reason in REPAIRED) is repaired:
                found[reason] = found.get(reason, 0) + rows
    return dict(sorted(found.items()))


def _summed(feeds: Sequence[RecordedFeed], counts: str) -> dict[str, int]:
    """Counts that only some kinds of feed have: notes on a file's rows, a recording's unknown messages."""
    found: Counter[str] = Counter()
    for feed in feeds:
        found.update(getattr(feed, counts, {}))
    return dict(sorted(found.items()))


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{code} {number}" for code, number in counts.items())


def _hint(refused: dict[str, int]) -> str:
    """What to look at first, where the refusal most often is a matter of configuration."""
    hints = [HINTS[code] for code in refused if code in HINTS]
    return f" {hints[0]}" if hints else ""


def _in_order(counts: dict[str, int], names: Sequence[str]) -> dict[str, int]:
    return {name: counts[name] for name in names if name in counts}
