"""Tables of a page: campaigns, trades, refusals, symbols, data quality."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from engine.campaign_views import CampaignRow, LegView
from engine.campaigns.lots import total
from engine.campaigns.performance import Trade
from engine.campaigns_command import campaign_row
from engine.iso import iso
from engine.messages import Role
from engine.report.markup import Child, Html, tag
from engine.report.material import Chart, Material
from engine.store_book import REFUSED
from engine.text_table import NOTHING, amount, day, multiple, plain, price, shortened

MOST_CAMPAIGNS = 400
MOST_TRADES = 1_000
MOST_SYMBOLS = 1_000
NEAREST = 5
"""Misses shown of each code."""

OPENED = 4
"""Codes whose misses are in sight at once."""

SIDES = {1: "long", -1: "short"}


def table(head: Sequence[str], rows: Iterable[Iterable[Child]], *, left: Sequence[int], caption: str = "") -> Html:
    """Columns named in `left` hold words, the others numbers."""
    kinds = ["" if place in left else "n" for place in range(len(head))]
    top = tag("tr", (tag("th", name, class_=kind or None) for name, kind in zip(head, kinds, strict=True)))
    body = [
        tag("tr", (tag("td", cell, class_=kind or None) for cell, kind in zip(row, kinds, strict=True))) for row in rows
    ]
    named = tag("caption", caption) if caption else None
    return tag("div", tag("table", named, tag("thead", top), tag("tbody", body)), class_="scroll", tabindex="0")


def left_out(shown: int, of: int, what: str) -> Html | None:
    return tag("p", f"{of - shown:,} more {what} are in the store.", class_="note") if of > shown else None


# ------------------------------------------------------------------------------- campaigns


def campaigns(material: Material, figures: dict[str, str]) -> list[Html | None]:
    """`figures` has the id of the figure of each campaign that is drawn."""
    book = material.book
    if not book.changes:
        return [tag("p", "No campaign was formed.")]
    asked = sorted((one for one in book.changes if book.entries_of(one)), key=lambda one: not book.groups_of(one))
    formed = [one for one in book.changes if not book.entries_of(one)]
    rows = [campaign_row(book, one) for one in asked[:MOST_CAMPAIGNS]]
    others = [campaign_row(book, one) for one in formed[:MOST_CAMPAIGNS]]
    head = ("campaign", "state", "R", material.summary.currency, "spring", "SOS", "LPS", "average", "stop", "targets",
            "MFE R", "MAE R", "opened", "closed", "why")  # fmt: skip
    made = table(head, (_campaign(material, one, figures) for one in rows), left=(0, 1, 4, 5, 6, 9, 12, 13, 14))
    return [
        made if rows else tag("p", "No campaign asked for an entry."),
        left_out(len(rows), len(asked), "campaigns that asked for an entry"),
        _formed(others, len(formed), figures, is_open=not rows),
    ]


def _formed(rows: Sequence[CampaignRow], of: int, figures: dict[str, str], *, is_open: bool) -> Html | None:
    """Campaigns that never asked for an entry: why they ended is all there is to say."""
    if not rows:
        return None
    told = (
        (_named(row.campaign, figures), _state(row), row.symbol, row.timeframe, day(row.opened), day(row.closed),
         shortened(row.cause))
        for row in rows
    )  # fmt: skip
    head = ("campaign", "state", "symbol", "tf", "opened", "closed", "why")
    title = tag("summary", f"Formed, without an entry: {of:,}")
    return tag("details", title, table(head, told, left=range(7)), left_out(len(rows), of, "such"), open=is_open)


def _campaign(material: Material, row: CampaignRow, figures: dict[str, str]) -> Iterator[Child]:
    trades = [one for one in material.book.trades if one.campaign == row.campaign]
    yield _named(row.campaign, figures)
    yield _state(row)
    yield signed(multiple(row.r), row.r)
    yield signed(amount(row.pnl), row.pnl) if row.risk else NOTHING
    yield from (_leg(material, row, leg) for leg in row.legs)
    yield _average(material, row)
    yield _stop(material, row)
    yield _targets(material, row)
    yield multiple(max((one.mfe_r for one in trades if one.mfe_r is not None), default=None))
    yield multiple(min((-one.mae_r for one in trades if one.mae_r is not None), default=None))
    yield day(row.opened)
    yield day(row.closed)
    yield shortened(row.last_exit or row.cause)


def _named(campaign: str, figures: dict[str, str]) -> Child:
    figure = figures.get(campaign)
    return tag("a", campaign, href=f"#{figure}") if figure else campaign


def _state(row: CampaignRow) -> Html:
    return tag("span", row.state.lower(), class_=f"state {row.state.lower()}")


def _leg(material: Material, row: CampaignRow, leg: LegView) -> Html:
    """What became of a leg, with what it took of its share of the cap."""
    book = material.book
    entries = [one for one in book.entries_of(row.campaign) if one.leg.value == leg.leg]
    lots = [book.lots[one.group] for one in entries if one.group in book.lots and book.lots[one.group].entered]
    planned = NOTHING if leg.planned_percent is None else f"{leg.planned_percent:g}"
    if lots:
        took = "" if leg.filled_percent is None else f" {leg.filled_percent:.0f}/{planned}"
        return tag("span", f"{'held' if any(lot.open for lot in lots) else 'filled'}{took}", class_="leg filled")
    if not entries:
        return tag("span", "skipped", class_="leg skipped")
    verdict = book.verdicts.get(entries[-1].intent_id)
    if verdict is not None and verdict.verdict != "Approved":
        return tag("span", f"refused {verdict.code}", class_="leg refused")
    over = row.closed is not None
    return tag("span", f"{'lapsed' if over else 'working'} 0/{planned}", class_="leg working")


def _average(material: Material, row: CampaignRow) -> str:
    """Of all entries, weighted by quantity."""
    lots = [material.book.lots[one] for one in material.book.groups_of(row.campaign)]
    quantity = total([lot.entered for lot in lots])
    if not quantity:
        return NOTHING
    return price(total([lot.entered * lot.entry_price for lot in lots]) / quantity)


def _stop(material: Material, row: CampaignRow) -> str:
    """Where the last stop stood."""
    stops = [
        one.stops[-1][1]
        for one in material.brackets.get(row.symbol, ())
        if one.entry.campaign == row.campaign and one.group in material.book.lots
    ]
    return f"{stops[-1]:.6g}" if stops else NOTHING


def _targets(material: Material, row: CampaignRow) -> str:
    """Hit and planned, of the first leg that filled."""
    for group in material.book.groups_of(row.campaign):
        entry = material.book.entries.get(group)
        if entry is not None:
            fills = material.book.groups[group]
            return "  ".join(
                f"{plain(target)}{' ✓' if any(one.order_id == f'{group}/TARGET{number}' for one in fills) else ''}"
                for number, target in enumerate((entry.target_1, entry.target_2, entry.target_3), 1)
            )
    return NOTHING


# ---------------------------------------------------------------------------------- trades


def trades(material: Material) -> list[Html | None]:
    found = material.book.trades
    if not found:
        return [tag("p", material.summary.note or "No trade was closed.")]
    head = ("symbol", "tf", "leg", "phase", "entered", "at", "quantity", "left", "at", "by", "MFE R", "MAE R", "R",
            "costs", material.summary.currency)  # fmt: skip
    shown = found[:MOST_TRADES]
    made = table(head, (_trade(material, one) for one in shown), left=(0, 1, 2, 3, 4, 7, 9))
    return [made, left_out(len(shown), len(found), "trades")]


def _trade(material: Material, one: Trade) -> Iterator[Child]:
    yield from (one.symbol, one.timeframe, one.leg.value, one.phase.value, day(iso(one.entry_ns)))
    yield price(one.entry_price)
    yield plain(one.quantity)
    yield day(iso(one.exit_ns))
    yield price(one.exit_price)
    sold = [fill.role for fill in material.book.groups.get(one.group, ()) if fill.role is not Role.ENTRY]
    yield " ".join(dict.fromkeys(role.value.lower() for role in sold))
    yield multiple(one.mfe_r)
    yield multiple(None if one.mae_r is None else -one.mae_r)
    yield signed(multiple(one.r), one.r)
    yield amount(one.costs)
    yield signed(amount(one.pnl), one.pnl)


def signed(text: str, value: Decimal | None) -> Child:
    if value is None or not value:
        return text
    return tag("span", text, class_="gain" if value > 0 else "loss")


# -------------------------------------------------------------------------------- refusals


class Miss(NamedTuple):
    """`missed_by` is a fraction of the limit; None where there is no such ratio."""

    stage: str
    code: str
    symbol: str
    subject: str
    time_ns: int
    value: str
    limit: str
    missed_by: float | None


def misses(material: Material) -> Iterator[Miss]:
    """What the strategy declined, the gate refused and the venue rejected."""
    for one in material.book.declines:
        value, limit = (repr(number) if number is not None else "" for number in (one.value, one.limit))
        yield Miss("STRATEGY", one.code, one.symbol, one.event_id, one.time_ns, value, limit, one.missed_by)
    for row in material.book.verdicts.values():
        if row.verdict == REFUSED:
            about = row.symbol, row.intent_id, row.decision_ns
            yield Miss(row.stage, row.code, *about, row.value, row.limit, row.missed_by)
    for said in material.book.rejections:
        yield Miss("VENUE", said.code, "", said.order_id, said.time_ns, said.reason, "", None)


def refused(material: Material) -> list[Html]:
    """By stage and code, with those that came nearest to passing."""
    of: dict[tuple[str, str], list[Miss]] = {}
    for one in misses(material):
        of.setdefault((one.stage, one.code), []).append(one)
    if not of:
        return [tag("p", "Nothing was declined or refused.")]
    made: list[Html] = []
    for (stage, code), found in sorted(of.items(), key=lambda each: (-len(each[1]), each[0])):
        nearest = sorted(found, key=_nearness)[:NEAREST]
        rows = [
            (one.symbol, shortened(one.subject), day(iso(one.time_ns)), _figure(one.value), _figure(one.limit),
             _margin(one))
            for one in nearest
        ]  # fmt: skip
        who = {"STRATEGY": "declined by the strategy", "VENUE": "rejected by the venue"}.get(
            stage, f"refused by the gate, {stage.lower()}"
        )
        title = tag("summary", tag("code", code), tag("span", f"{len(found):,} {who}", class_="note"))
        head = ("symbol", "nearest misses", "time", "value", "limit", "missed by")
        made.append(tag("details", title, table(head, rows, left=(0, 1, 2)), open=len(made) < OPENED))
    return made


def _nearness(one: Miss) -> tuple[bool, float, int]:
    return one.missed_by is None, one.missed_by or 0.0, one.time_ns


def _margin(one: Miss) -> str:
    return NOTHING if one.missed_by is None else f"{one.missed_by * 100:.1f} %"


def _figure(text: str) -> str:
    """A number to six digits; anything else as it is."""
    try:
        return f"{float(text):,.6g}" if text else NOTHING
    except ValueError:
        return text


# --------------------------------------------------------------------------- symbols, data


def symbols(material: Material, figures: dict[Chart, str]) -> list[Html | None]:
    """One row a chart: what was seen there, and its picture where it has one."""
    book = material.book
    formed: dict[Chart, int] = {}
    for campaign in book.changes:
        origin = book.origins.get(campaign)
        if origin is not None:
            formed[origin.symbol, origin.timeframe] = formed.get((origin.symbol, origin.timeframe), 0) + 1
    closed: dict[Chart, list[Trade]] = {}
    for one in book.trades:
        closed.setdefault((one.symbol, one.timeframe), []).append(one)
    rows = []
    for span in material.reach:
        chart = span.symbol, span.timeframe
        figure, made = figures.get(chart), closed.get(chart, [])
        pnl = total([one.pnl for one in made])
        rows.append((
            tag("a", span.symbol, href=f"#{figure}") if figure else span.symbol, span.timeframe, f"{span.bars:,}",
            day(iso(span.first_ns)), day(iso(span.last_ns)), f"{len(material.events.get(chart, ())):,}",
            f"{formed.get(chart, 0):,}", f"{len(made):,}", signed(amount(pnl), pnl) if made else NOTHING,
        ))  # fmt: skip
    head = ("symbol", "tf", "bars", "from", "to", "events", "campaigns", "trades", material.summary.currency)
    return [table(head, rows[:MOST_SYMBOLS], left=(0, 1, 3, 4)), left_out(MOST_SYMBOLS, len(rows), "charts")]


def quality(material: Material) -> Html:
    """Every row accounted for."""
    summary = material.summary
    rows: list[tuple[Child, Child]] = [("rows read", f"{summary.rows_read:,}")]
    named = (
        ("dropped", summary.rows_dropped), ("repaired", summary.rows_repaired), ("noted", summary.rows_noted),
        ("in no bar", summary.rows_unbarred), ("unknown messages", summary.unknown_messages),
        ("bars", summary.bars), ("instruments by", summary.instruments),
    )  # fmt: skip
    for name, counts in named:
        told = ", ".join(f"{reason} {number:,}" for reason, number in counts.items())
        if told or name in ("dropped", "repaired"):
            rows.append((name, told or "none"))
    rows.append(("trading sessions", ", ".join(summary.sessions) or "around the clock"))
    rows.append(("lateness", f"{summary.lateness_ms:,} ms"))
    return tag("dl", ((tag("dt", name), tag("dd", told)) for name, told in rows), class_="facts")
