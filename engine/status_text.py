"""`wyckoff status` for people: what an operator must know first stands first."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from engine.control.status import FeedView, HeatView, OrderView, PositionView, Status
from engine.text_table import NOTHING, amount, columns, plain, price

BAR = 40
"""Characters of the heat bar, up to the limit."""


def status_text(status: Status) -> str:
    parts = [
        _head(status), _trading(status), heat_lines(status.heat), _account(status), _feeds(status), _warmups(status),
        position_lines(status.positions, status.position_count), order_lines(status.orders, status.order_count),
        _machine(status),
    ]  # fmt: skip
    return printable("\n\n".join("\n".join(part) for part in map(list, parts) if part))


def _head(status: Status) -> Iterator[str]:
    feed = "SIMULATED FEED" if status.feed_is_simulated else "real feed"
    venue = "simulated venue" if status.venue_is_simulated else f"REAL VENUE {status.venue}"
    account = f", account {status.account}" if status.account else ""
    yield f"[{status.mode.upper()}]  {status.state}  {feed}, {venue}{account}"
    if status.kill_level:
        yield f"KILLED ({status.kill_level}): {status.kill_reason}; release with `wyckoff unkill --reason ...`"


def _trading(status: Status) -> Iterator[str]:
    if not status.blockers:
        yield "Trading: entries are possible."
        return
    yield "NOT TRADING:"
    for one in status.blockers:
        yield f"  {one.code:12}{one.text}"


def heat_lines(heat: HeatView) -> Iterator[str]:
    if heat.heat_bp is None:
        yield f"heat      unknown: a held instrument has no mark  (limit {_percent(heat.limit_bp)})"
        return
    marks = {_place(heat.warning_bp, heat.limit_bp): "7", _place(heat.critical_bp, heat.limit_bp): "9"}
    filled = min(BAR, _place(heat.heat_bp, heat.limit_bp))
    bar = "".join("#" if place < filled else "|" if place in marks else "." for place in range(BAR))
    limits = " / ".join(_percent(one) for one in (heat.warning_bp, heat.critical_bp, heat.limit_bp))
    yield f"heat      {_percent(heat.heat_bp)}  [{bar}]  {heat.state}  (warning / critical / limit {limits})"


def _account(status: Status) -> Iterator[str]:
    day = status.day
    yield f"equity    {amount(status.equity)} {status.currency}   cash {amount(status.cash)}"
    yield (
        f"day P&L   {_signed(day.pnl)}   realised {_signed(day.realised)}   open {_signed(day.unrealised)}   "
        f"costs {amount(day.costs)}   entries {day.entries}   exits {day.exits}   refused {day.refused}"
    )


def _feeds(status: Status) -> Iterator[str]:
    head = ("feed", "kind", "state", "age", "limit", "rows", "gaps", "reconnects", "withheld", "why")
    rows = [
        (one.name, f"{one.kind}{' (simulated)' if one.simulated else ''}", one.status, _span(one.age_s), _limit(one),
         f"{one.rows:,}", str(one.gaps), str(one.reconnects), str(one.withheld), one.reason)
        for one in status.feeds
    ]  # fmt: skip
    yield from columns(head, rows, left=(0, 1, 2, 9))


def _warmups(status: Status) -> Iterator[str]:
    if not status.warmups_left:
        return
    yield f"warming up: {status.warmups_left} of (symbol, timeframe) lack history"
    for one in [one for one in status.warmups if one.bars < one.needed][:10]:
        yield f"  {one.symbol} {one.timeframe}  {one.bars}/{one.needed} bars"


def position_lines(positions: Sequence[PositionView], count: int) -> Iterator[str]:
    """`count` says how many there are, of which `positions` may be the first."""
    if not count:
        yield "positions none"
        return
    head = ("position", "quantity", "average", "mark", "open P&L", "stop", "campaign")
    rows = [
        (one.symbol, plain(one.quantity), price(one.average_price), price(one.mark), _signed(one.unrealised),
         price(one.stop), one.campaign)
        for one in positions
    ]  # fmt: skip
    yield from columns(head, rows, left=(0, 6))
    yield from _more(count - len(rows))


def order_lines(orders: Sequence[OrderView], count: int) -> Iterator[str]:
    """`count` says how many there are, of which `orders` may be the first."""
    if not count:
        yield "orders    none"
        return
    head = ("order", "role", "side", "kind", "symbol", "quantity", "filled", "limit", "stop", "state")
    rows = [
        (one.order_id, one.role, one.side, one.kind, one.symbol, plain(one.quantity), plain(one.filled),
         price(one.limit_price), price(one.stop_price), one.state)
        for one in orders
    ]  # fmt: skip
    yield from columns(head, rows, left=(0, 1, 2, 3, 4, 9))
    yield from _more(count - len(rows))


def _machine(status: Status) -> Iterator[str]:
    loop, tape = status.loop, status.tape
    if tape is not None:
        yield (
            f"tape      {tape.path}  fact {tape.sequence:,}  {tape.size_bytes / 1e6:,.1f} MB  "
            f"on disk {_span(tape.lag_s)} ago"
        )
    yield (
        f"engine    pid {status.pid}  up {_span(status.uptime_s)}  loop lag {loop.lag_s * 1000:.0f} ms  "
        f"memory {loop.rss_mb} of {loop.rss_limit_mb} MB  stalls {loop.stalls}  log lines lost {loop.logs_dropped}"
    )
    yield f"line      {status.line_time or NOTHING}  campaigns {status.campaigns}  digest {status.digest[:16]}"
    yield f"build     {status.release}  {status.build_hash[:12]}  config {status.config_hash[:12]}"


def _limit(feed: FeedView) -> str:
    return "off" if feed.limit_s is None else f"{_span(feed.limit_s)}{f' {feed.channel}' if feed.channel else ''}"


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"  and {count} more: --json has the first ones, the store all"


def _place(value_bp: int, limit_bp: int) -> int:
    return value_bp * BAR // max(1, limit_bp)


def _percent(value_bp: int) -> str:
    return f"{value_bp / 100:.2f} %"


def _signed(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:+,.2f}"


def _span(seconds: float | None) -> str:
    """`0.4 s`, `64 s`, `12 min`, `5.1 h`, `3.0 d`."""
    if seconds is None:
        return NOTHING
    for most, unit_s, unit in ((10, 1, "s"), (120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < most:
            return f"{seconds / unit_s:.{1 if most == 10 or unit == 'h' else 0}f} {unit}"
    return f"{seconds / 86_400:.1f} d"


def printable(text: str) -> str:
    """Symbols and reasons are strangers' words: they must not drive the terminal."""
    return "".join(one if one.isprintable() or one == "\n" else "?" for one in text)
