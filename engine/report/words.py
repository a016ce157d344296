"""What a page says in sentences: the verdict, how orders are filled, how little a sample says."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from engine.campaigns.curve import deepest
from engine.report.material import Material
from engine.statistics import Estimate, statistics
from engine.summary import RunSummary
from engine.text_table import percent, plain

YEAR_NS = 31_556_952 * 1_000_000_000
"""A Gregorian year."""

PARTIAL = "PARTIAL"
"""How the note of a run begins that was stopped."""

FEW_TRADES = 100
"""Below this many trades not even the sign of a mean of 0.2 R is known (at 1.2 R of scatter, z = 1.7)."""


def verdict(material: Material) -> str:
    """The run in one line."""
    summary = material.summary
    fall, heat = percent(deepest(material.curve), 2), f"{summary.heat_peak_bp / 100:.2f} %"
    held = _held(material)
    ends = f"{held}maximum drawdown {fall}, heat peak {heat}"
    if not summary.trades:
        return f"{summary.note or 'No trade.'} {ends[0].upper()}{ends[1:]}."
    each = "" if summary.expectancy_r is None else f", {summary.expectancy_r:+.2f} R a trade"
    trades = "1 trade" if summary.trades == 1 else f"{summary.trades:,} trades"
    return f"{trades}, {summary.wins:,} won: {summary.pnl:+,.2f} {summary.currency}{each}, {ends}."


def _held(material: Material) -> str:
    """What the account made in all, where that is not what closed trades made."""
    last = material.curve[-1].pnl if material.curve else material.summary.pnl
    if last == material.summary.pnl:
        return ""
    return f"{last:+,.2f} {material.summary.currency} with what is still held, "


def reproduction(summary: RunSummary) -> str:
    """What the command of the page is good for."""
    if summary.note.startswith(PARTIAL):
        return "The run was stopped before its end: the command without --until goes on to the last row."
    return "This command gives the same digest under the same build and configuration, with the same feeds."


def symbol_years(material: Material) -> float:
    """Of each symbol its longest chart."""
    longest: dict[str, int] = {}
    for one in material.reach:
        longest[one.symbol] = max(longest.get(one.symbol, 0), one.last_ns - one.first_ns)
    return sum(longest.values()) / YEAR_NS


def sample(material: Material) -> Iterator[str]:
    """How much was seen, and what that cannot show."""
    summary, years = material.summary, symbol_years(material)
    symbols = "1 symbol" if summary.symbols == 1 else f"{summary.symbols:,} symbols"
    yield (
        f"{symbols}, {years:,.1f} symbol-years, {sum(summary.events.values()):,} events, "
        f"{summary.campaigns.get('CAMPAIGN_FORMED', 0):,} campaigns, {summary.trades:,} closed trades."
    )
    if not summary.trades:
        yield "Without a trade this run says nothing about profit, and does not say that the rules would lose either."
        return
    found = statistics(material.book.trades)
    yield f"Mean R {_interval(found.mean_r)}; share won {_interval(found.win_rate)} (90 % bootstrap intervals)."
    if summary.trades < FEW_TRADES:
        yield (
            f"{summary.trades:,} trades are too few to tell skill from luck: with the usual scatter of R, at least "
            f"{FEW_TRADES} are needed before the sign of a small mean can be trusted, and trades that overlap in time "
            "count for less than their number."
        )
    else:
        yield (
            "Trades that overlap in time or stand in related markets are not independent: the intervals are too "
            "narrow by an unknown amount, and one market history is one sample."
        )
    yield "One run over recorded data, with a simulated venue. It is no evidence of what the next data will bring."


def _interval(one: Estimate) -> str:
    if one.value is None:
        return "unknown"
    if one.low is None or one.high is None:
        return f"{one.value:+.2f} (one value)"
    return f"{one.value:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"


def fills(material: Material) -> list[str]:
    """The rules of simulated fills, with the settings of the run."""
    paper = settings_of(material, "paper")
    share = _decimal(paper, "participation", "0.05")
    latency_ms = int(paper.get("latency_ns", 100_000_000)) / 1e6
    exits = "exits as well as entries" if paper.get("exits_participate", True) else "entries only; exits fill whole"
    return [
        f"An order may match a trade that comes more than {latency_ms:g} ms after its decision, or a bar that opens "
        "at or after its decision; on bars, latency is part of slippage.",
        f"Each row offers at most {plain(share * 100)} % of its size ({exits}), shared by all orders on it, best price "
        "first; what is left of an order waits for the next row, and stops and targets cover what has filled.",
        f"A taker pays half the spread, {_decimal(paper, 'half_spread_bp', '1')} bp of price"
        f"{_own_spreads(paper)}, and an impact of {_decimal(paper, 'impact_bp', '10')} bp times the square root of its "
        "share of the row, on the worse tick, never beyond its limit.",
        f"Commissions: stocks {_decimal(paper, 'stock_per_share', '0.0035')} a share, at least "
        f"{_decimal(paper, 'stock_minimum', '0.35')} an order; crypto {_decimal(paper, 'crypto_taker_bp', '10')} bp, "
        f"currencies {_decimal(paper, 'fx_taker_bp', '0.2')} bp, futures "
        f"{_decimal(paper, 'future_taker_bp', '0.1')} bp.",
        "A gap fills at the open. A bar that spans stop and target stops. The bar of the entry may stop out, and never "
        "reaches a target.",
        f"Entries may cost at most {plain(_decimal(paper, 'leverage', '1'))} times the account's equity.",
    ]


def settings_of(material: Material, table: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(material.settings.get(table, msgspec.Raw(b"{}")))
    return found


def _decimal(table: dict[str, Any], name: str, otherwise: str) -> Decimal:
    return Decimal(str(table.get(name, otherwise)))


def _own_spreads(paper: dict[str, Any]) -> str:
    own = paper.get("symbol_half_spread_bp") or {}
    if not own:
        return ""
    return f" ({', '.join(f'{symbol} {bp}' for symbol, bp in sorted(own.items())[:8])})"
