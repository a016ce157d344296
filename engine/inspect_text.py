"""`wyckoff inspect` for people: what stood where, in the order in which an operator asks."""

from collections.abc import Iterator, Sequence

from engine.inspect_command import Inspection
from engine.live.look import CampaignLook, LegView, VerdictLook
from engine.status_text import heat_lines, order_lines, position_lines, printable
from engine.text_table import NOTHING, amount, columns, day, plain, price, shortened

SIDES = {1: "long", -1: "short"}


def inspect_text(found: Inspection) -> str:
    parts = [
        _head(found), _trading(found), heat_lines(found.heat), _account(found),
        position_lines(found.positions, len(found.positions)), order_lines(found.orders, len(found.orders)),
        campaign_lines(found.campaigns), _phases(found), verdict_lines(found.verdicts), _tape(found),
    ]  # fmt: skip
    return printable("\n\n".join("\n".join(part) for part in map(list, parts) if part))


def _head(found: Inspection) -> Iterator[str]:
    feed = "SIMULATED FEED" if found.feed_is_simulated else "real feed"
    asked = f"at {found.at}" if found.at else "at the end of the latest tape"
    yield f"[{found.mode.upper()}]  {asked}, line time {found.line_time or NOTHING}  {feed}, simulated venue"
    if found.kill_level:
        yield f"KILLED ({found.kill_level}): {found.kill_reason}"
    if found.paused_by:
        yield f"PAUSED by {found.paused_by}"


def _trading(found: Inspection) -> Iterator[str]:
    if not found.blockers:
        yield "Trading: nothing stood against every entry."
        return
    yield "NOT TRADING:"
    for one in found.blockers:
        yield f"  {one.code:12}{one.text}"


def _account(found: Inspection) -> Iterator[str]:
    yield f"equity    {amount(found.equity)} {found.currency}   cash {amount(found.cash)}"


def campaign_lines(found: Sequence[CampaignLook]) -> Iterator[str]:
    if not found:
        yield "campaigns none"
        return
    head = ("campaign", "side", "state", "last", "spring", "SOS", "LPS", "broken by")
    rows = [
        (one.campaign, SIDES[one.direction], one.state, one.last_pattern or NOTHING, *map(_leg, one.legs),
         shortened(one.broken) or NOTHING)
        for one in found
    ]  # fmt: skip
    yield from columns(head, rows, left=(0, 1, 2, 3, 4, 5, 6, 7))


def _leg(leg: LegView) -> str:
    planned = f"{plain(leg.planned_percent)} % {leg.state}"
    if not leg.quantity:
        return planned
    kept = " at breakeven" if leg.at_breakeven else " trailing" if leg.trailing else ""
    return f"{planned} {plain(leg.quantity)} @ {price(leg.entry_price)}, stop {price(leg.stop)}{kept}"


def _phases(found: Inspection) -> Iterator[str]:
    if not found.phases:
        yield "phases    no bar yet"
        return
    head = ("symbol", "timeframe", "phase", "side", "confidence", "support", "resistance", "bars")
    rows = [
        (one.symbol, one.timeframe, one.phase, one.side or NOTHING, _number(one.confidence, 0), _number(one.support),
         _number(one.resistance), f"{one.bars:,}")
        for one in found.phases
    ]  # fmt: skip
    yield from columns(head, rows, left=(0, 1, 2, 3))


def verdict_lines(found: Sequence[VerdictLook]) -> Iterator[str]:
    if not found:
        yield "decisions none"
        return
    yield f"the last {len(found)} verdicts"
    head = ("time", "intent", "verdict", "quantity", "why", "the sum")
    rows = [
        (day(one.time), one.intent, one.verdict, plain(one.quantity), verdict_reason(one), one.sum) for one in found
    ]
    yield from (f"  {line}" for line in columns(head, rows, left=(0, 1, 2, 4, 5)))


def verdict_reason(one: VerdictLook) -> str:
    if not one.code:
        return shortened(one.reason)
    return f"{one.stage} {one.code}: {price(one.value)} against {price(one.limit)} (margin {price(one.margin)})"


def _tape(found: Inspection) -> Iterator[str]:
    yield f"tape      {found.tape}  fact {found.sequence:,}"
    yield f"line      decisions {found.decisions:,}  digest {found.digest[:16]}"


def _number(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"
