"""Following brackets from the answer of the venue to flat: what fills and watches make of them.

Protective orders live at the venue; here they are only moved, and positions whose reason has
gone are closed. Each function yields the wishes and requests that one fact leads to.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from math import isfinite

from engine.campaigns import exits, intents
from engine.campaigns.book import CampaignBook
from engine.campaigns.lots import ZERO, folded, initial_risk, realised, total
from engine.campaigns.state import Bracket, BracketState, Campaign
from engine.campaigns.watches import Purpose
from engine.instruments import MONEY, mark_price
from engine.messages import CampaignState, Fill, Message, Role, Watched, WatchKind
from engine.timeframes import settings_of, usual_length_ns

EXITS_LIMIT = 3
"""Exit intents after which a bracket does not repeat itself; its stop remains at the venue."""

UNPROTECTING = ("rejected", "not sent")
"""Endings of a protective stop for which nothing has taken its place."""

EVERY_PURPOSE = (Purpose.LAPSE, Purpose.INVALID, Purpose.TRAIL, Purpose.TIME, Purpose.LEAVE)


def on_accepted(book: CampaignBook, order_id: str) -> Iterable[Message]:
    """Of entries and exits it matters that they are at the venue."""
    group, _, order = order_id.rpartition("/")
    found = book.bracket(group)
    if found is None:
        return ()
    if order == "ENTRY":
        return _working(book, *found)
    return book.watches.drop(group, Purpose.LEAVE) if order.startswith("EXIT") else ()


def _working(book: CampaignBook, campaign: Campaign, bracket: Bracket) -> Iterator[Message]:
    if bracket.lapsed:
        # Somebody else may have its share by now.
        bracket.lapsed, bracket.entry_live = False, True
        bracket.state, bracket.cancel_cause = BracketState.WORKING, "answered too late"
        yield from _cancel_late(book, campaign, bracket)
    elif bracket.state is BracketState.ASKED:
        bracket.state = BracketState.WORKING
        yield from book.watches.drop(bracket.group, Purpose.LAPSE)
        yield from _cancel_late(book, campaign, bracket)


def on_ended(book: CampaignBook, order_id: str, *, cause: str, filled: Decimal = ZERO) -> Iterator[Message]:
    """An order will not fill any more: rejected, cancelled, expired or never sent.

    `filled` is the venue's count of what it had filled; some of it may not have been heard of yet.
    """
    group, _, order = order_id.rpartition("/")
    found = book.bracket(group)
    if found is None:
        return
    campaign, bracket = found
    if order == "ENTRY":
        bracket.entry_live = False
        bracket.owed = filled
        yield from book.watches.drop(group, Purpose.LAPSE)
    elif order.startswith("EXIT"):
        yield from _ask_exit_again(book, campaign, bracket, cause=f"exit {cause}")
    elif cause in UNPROTECTING and order == f"STOP{bracket.stops}":
        yield from ask_exit(book, campaign, bracket, cause=f"protective stop {cause}")
    yield from settle(book, campaign)


def on_fill(book: CampaignBook, fill: Fill) -> Iterator[Message]:
    found = book.bracket(fill.group)
    if found is None or not book.executions.first(fill):
        return
    campaign, bracket = found
    bracket.lot = folded(bracket.lot, fill)
    if fill.role is Role.ENTRY:
        # An earlier part may be heard of after the last one, or after the order's end.
        bracket.entry_live = bracket.entry_live and fill.remaining > 0
    if bracket.state is not BracketState.OPEN:
        yield from _open(book, campaign, bracket)
    bracket.stopped = bracket.stopped or fill.role is Role.STOP
    if fill.role is not Role.ENTRY:
        yield from ask_cancel(book, campaign, bracket, cause="leg is being closed")
    if fill.role is Role.TARGET:
        yield from _reach_target(book, campaign, bracket, fill)
    if fill.role is Role.EXIT and not fill.remaining:
        yield from _ask_exit_again(book, campaign, bracket, cause="entry filled on while leaving")
    yield from settle(book, campaign)


def on_watched(book: CampaignBook, subject: str, purpose: Purpose, watched: Watched) -> Iterator[Message]:
    """A watch of a bracket fired. The caller has taken it off the list."""
    found = book.bracket(subject)
    if found is None:
        return
    campaign, bracket = found
    if purpose is Purpose.LAPSE and bracket.state is BracketState.ASKED:
        bracket.entry_live, bracket.lapsed = False, True
    elif bracket.state is BracketState.OPEN and purpose is Purpose.INVALID:
        yield from _break(book, campaign, bracket, watched)
    elif bracket.state is BracketState.OPEN and purpose is Purpose.TRAIL:
        yield from _trail(book, campaign, bracket, watched)
    elif bracket.state is BracketState.OPEN and purpose is Purpose.TIME:
        yield from _time(book, campaign, bracket)
    elif purpose is Purpose.LEAVE:
        yield from _ask_exit_again(book, campaign, bracket, cause="exit not accepted")
    yield from settle(book, campaign)


def abandon(book: CampaignBook, campaign: Campaign, cause: str) -> Iterator[Message]:
    """Take back every entry and close every leg."""
    for bracket in campaign.brackets:
        yield from ask_cancel(book, campaign, bracket, cause=cause)
        yield from ask_exit(book, campaign, bracket, cause=cause)


def ask_cancel(book: CampaignBook, campaign: Campaign, bracket: Bracket, *, cause: str) -> Iterator[Message]:
    """Once per bracket, while its entry may still fill.

    What no venue has confirmed cannot be taken back, and was perhaps refused: that cancel waits
    for the answer.
    """
    if not bracket.is_live or not bracket.entry_live or bracket.cancelling:
        return
    if bracket.state is BracketState.ASKED:
        bracket.cancel_cause = bracket.cancel_cause or cause
        return
    bracket.cancelling = True
    yield intents.cancel(campaign, bracket, now_ns=book.now_ns, reason=cause)


def ask_exit(book: CampaignBook, campaign: Campaign, bracket: Bracket, *, cause: str) -> Iterator[Message]:
    """One exit at a time, while something is held; the rest of the entry is taken back first."""
    if bracket.lot.open and not bracket.exiting:
        yield from ask_cancel(book, campaign, bracket, cause=cause)
        bracket.exiting = True
        bracket.exits += 1
        time_ns = book.now_ns + usual_length_ns(campaign.timeframe)
        yield book.watches.at_time(bracket.group, Purpose.LEAVE, time_ns=time_ns, now_ns=book.now_ns)
        yield intents.leave(campaign, bracket, now_ns=book.now_ns, reason=cause)


def settle(book: CampaignBook, campaign: Campaign) -> Iterator[Message]:
    """Close brackets with nothing left, then the campaign when all are and it is over."""
    for bracket in campaign.brackets:
        if bracket.is_live and bracket.is_settled:
            bracket.state = BracketState.DONE
            yield from book.watches.drop(bracket.group, *EVERY_PURPOSE)
    if campaign.is_live:
        return
    if campaign.has_exited and (campaign.broken or _was_stopped_out(book, campaign)):
        book.cool_down(campaign)
    if campaign.broken:
        yield from book.step(campaign, CampaignState.INVALIDATED, campaign.broken)
    elif campaign.has_exited:
        yield from book.step(campaign, CampaignState.COMPLETED, f"flat: {outcome(book, campaign)}")


def _was_stopped_out(book: CampaignBook, campaign: Campaign) -> bool:
    return any(one.stopped for one in campaign.brackets) and _profit(book, campaign) < 0


def _profit(book: CampaignBook, campaign: Campaign) -> Decimal:
    point_value = book.table.named(campaign.symbol).point_value
    taken = [one.lot for one in campaign.brackets if one.is_taken]
    return total([realised(lot, campaign.direction, point_value) for lot in taken])


def outcome(book: CampaignBook, campaign: Campaign) -> str:
    """Profit, and R weighted by risk: all profit over all initial risk."""
    point_value = book.table.named(campaign.symbol).point_value
    lots = [(one.lot, one.first_stop) for one in campaign.brackets if one.is_taken]
    pnl = _profit(book, campaign)
    risk = total([initial_risk(lot, stop, campaign.direction, point_value) for lot, stop in lots])
    multiple = f"{MONEY.divide(pnl, risk):.2f} R" if risk else "R unknown"
    return f"pnl {pnl:.2f}, {multiple}"


def _cancel_late(book: CampaignBook, campaign: Campaign, bracket: Bracket) -> Iterator[Message]:
    """The entry is at the venue after all: take back what was not wanted any more."""
    if bracket.cancel_cause:
        yield from ask_cancel(book, campaign, bracket, cause=bracket.cancel_cause)


def _ask_exit_again(book: CampaignBook, campaign: Campaign, bracket: Bracket, *, cause: str) -> Iterator[Message]:
    """The exit that was asked for is over; where something is still held, ask for another."""
    bracket.exiting = False
    yield from book.watches.drop(bracket.group, Purpose.LEAVE)
    if bracket.exits < EXITS_LIMIT:
        yield from ask_exit(book, campaign, bracket, cause=cause)


def _open(book: CampaignBook, campaign: Campaign, bracket: Bracket) -> Iterator[Message]:
    bracket.state, bracket.lapsed = BracketState.OPEN, False
    bracket.entry_bars = book.bars.count(campaign.symbol, campaign.timeframe)
    yield from book.watches.drop(bracket.group, *EVERY_PURPOSE)
    yield from _cancel_late(book, campaign, bracket)
    if campaign.state is CampaignState.FORMING:
        yield from book.step(campaign, CampaignState.ACTIVE, f"{bracket.leg} filled")
    for other in campaign.brackets:
        if other.leg is bracket.leg and other.is_waiting:
            yield from ask_cancel(book, campaign, other, cause=f"{bracket.group} filled")
    if campaign.broken:
        yield from ask_exit(book, campaign, bracket, cause=campaign.broken)
        return
    yield from _watch_structure(book, campaign, bracket)
    bars = book.settings.time_stop_bars[settings_of(campaign.timeframe)]
    yield _time_watch(book, campaign, bracket, bars)


def _watch_structure(book: CampaignBook, campaign: Campaign, bracket: Bracket) -> Iterator[Message]:
    if isfinite(bracket.invalid_price):
        yield book.watches.on_bars(
            bracket.group,
            Purpose.INVALID,
            WatchKind.CLOSE_BELOW,
            bars=(campaign.symbol, campaign.timeframe),
            level=bracket.invalid_price,
            now_ns=book.now_ns,
        )


def _watch_swings(book: CampaignBook, campaign: Campaign, bracket: Bracket) -> Message:
    return book.watches.on_bars(
        bracket.group,
        Purpose.TRAIL,
        WatchKind.SWING_LOW,
        bars=(campaign.symbol, campaign.timeframe),
        level=float("nan"),
        now_ns=book.now_ns,
    )


def _time_watch(book: CampaignBook, campaign: Campaign, bracket: Bracket, bars: int) -> Message:
    time_ns = book.now_ns + bars * usual_length_ns(campaign.timeframe)
    return book.watches.at_time(bracket.group, Purpose.TIME, time_ns=time_ns, now_ns=book.now_ns)


def _reach_target(book: CampaignBook, campaign: Campaign, bracket: Bracket, fill: Fill) -> Iterator[Message]:
    """Breakeven at the first target that fills, trailing from the second on; each once."""
    if not bracket.lot.open:
        return
    if not bracket.at_breakeven:
        bracket.at_breakeven = True
        stop = exits.breakeven_stop(book.table.named(campaign.symbol), bracket.lot)
        yield from _move_stop(book, campaign, bracket, stop=stop, market=fill.price, cause="breakeven")
    if not fill.order_id.endswith("/TARGET1") and not bracket.trailing:
        bracket.trailing = True
        yield _watch_swings(book, campaign, bracket)


def _break(book: CampaignBook, campaign: Campaign, bracket: Bracket, watched: Watched) -> Iterator[Message]:
    bracket.closes_left -= 1
    if bracket.closes_left > 0:
        yield from _watch_structure(book, campaign, bracket)
    else:
        cause = f"close {watched.price:.10g} below {bracket.invalid_price:.10g}"
        yield from ask_exit(book, campaign, bracket, cause=cause)


def _trail(book: CampaignBook, campaign: Campaign, bracket: Bracket, watched: Watched) -> Iterator[Message]:
    if isfinite(watched.price) and isfinite(watched.close) and isfinite(watched.atr):
        instrument = book.table.named(campaign.symbol)
        stop = exits.trailing_stop(instrument, swing=watched.price, close=watched.close, atr=watched.atr)
        market = mark_price(watched.close)
        yield from _move_stop(book, campaign, bracket, stop=stop, market=market, cause="trail")
    yield _watch_swings(book, campaign, bracket)


def _time(book: CampaignBook, campaign: Campaign, bracket: Bracket) -> Iterator[Message]:
    limit = book.settings.time_stop_bars[settings_of(campaign.timeframe)]
    elapsed = book.bars.count(campaign.symbol, campaign.timeframe) - bracket.entry_bars
    if elapsed < limit:
        yield _time_watch(book, campaign, bracket, limit - elapsed)
        return
    close = book.bars.close(campaign.symbol, campaign.timeframe)
    if not exits.has_earned_one_r(bracket.lot, bracket.first_stop, close):
        yield from ask_exit(book, campaign, bracket, cause=f"time stop: less than +1 R after {limit} bars")


def _move_stop(
    book: CampaignBook, campaign: Campaign, bracket: Bracket, *, stop: Decimal, market: Decimal, cause: str
) -> Iterator[Message]:
    if bracket.exiting or not exits.may_move(stop, previous=bracket.stop_price, market=market):
        return
    bracket.stop_price = stop
    bracket.stops += 1
    yield intents.move_stop(campaign, bracket, now_ns=book.now_ns, reason=cause)
