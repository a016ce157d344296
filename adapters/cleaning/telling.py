"""Findings in words: what each reason means, what became of the rows, and what was seen in the examples."""

from collections.abc import Mapping

from adapters.cleaning.findings import Example, Findings
from adapters.cleaning.reasons import REASONS, Effect
from engine.data_report import Finding, Sample

READERS = {
    "nan_row": (Effect.DROPPED, "every price is empty"),
    "no_session": (Effect.DROPPED, "on a day without a session of the calendar"),
    "outside_range": (Effect.DROPPED, "before --from or not before --to"),
    "folded": (Effect.DROPPED, "put together into bars of a longer timeframe"),
    "reversed": (Effect.REPAIRED, "the file is newest first, turned"),
    "sorted": (Effect.REPAIRED, "earlier than the row above, sorted into place"),
    "stacked": (Effect.REPAIRED, "symbol upon symbol: read whole and merged by time"),
    "mixed_units": (Effect.REPAIRED, "stamps in another unit than most: s, ms, us, ns"),
    "no_volume": (Effect.KEPT, "the file has no volume, 0 stands for it"),
    "no_size": (Effect.KEPT, "the file has no sizes, 1 stands for them"),
    "suspicious": (Effect.KEPT, "marked as suspicious by their publisher"),
    "unwanted_symbol": (Effect.DROPPED, "of a symbol that was not asked for"),
    "unwanted_kind": (Effect.DROPPED, "of a kind that was not asked for"),
    "unknown_message": (Effect.DROPPED, "messages that the protocol's reader does not know"),
    "malformed_frame": (Effect.DROPPED, "messages that are damaged"),
    "malformed_record": (Effect.DROPPED, "records of the recording that are damaged"),
    "unfinished_bar": (Effect.DROPPED, "candles that their venue had not closed yet"),
    "other_member": (Effect.KEPT, "files of the archive that are no market data, passed over"),
}
"""Reasons that readers count before rows are cleaned."""

NOTES = (
    "outside_range",
    "folded",
    "stacked",
    "no_size",
    "unwanted_symbol",
    "unwanted_kind",
    "other_member",
    "locked_quote",
)
"""Reasons that say nothing against the data."""

RAW_NOTES = (*NOTES, "unfinished_bar")
"""A venue sends each bar many times before it is closed."""

_KNOWN = {reason.name: (reason.effect, reason.meaning) for reason in REASONS}


def told(findings: Findings | None, counts: Mapping[str, int], *, is_raw: bool) -> list[Finding]:
    """All that was found, the worst first. `counts` is what readers say, `rows` apart."""
    seen = {} if findings is None else findings.all
    everything = {reason: rows for reason, rows in counts.items() if rows and reason != "rows"} | seen
    harmless = RAW_NOTES if is_raw else NOTES
    found = [
        _finding(reason, rows, findings if reason in seen else None, is_note=reason in harmless)
        for reason, rows in everything.items()
    ]
    order = [effect.value for effect in Effect]
    return sorted(found, key=lambda one: (one.is_note, order.index(one.effect), -one.rows))


def _finding(reason: str, rows: int, findings: Findings | None, *, is_note: bool) -> Finding:
    tables = (READERS, _KNOWN) if findings is None else (_KNOWN, READERS)
    unknown = (Effect.KEPT, reason.replace("_", " "))
    effect, meaning = tables[0].get(reason) or tables[1].get(reason) or unknown
    if findings is None:
        return Finding(reason=reason, effect=effect.value, rows=rows, meaning=meaning, is_note=is_note)
    by_symbol = sorted(findings.by_symbol(reason).items(), key=lambda one: (-one[1], one[0]))
    samples = [Sample(one.symbol, one.place, one.time_ns, what(reason, one)) for one in findings.examples(reason)]
    return Finding(
        reason=reason, effect=effect.value, rows=rows, meaning=meaning + _more(reason, findings), is_note=is_note,
        symbols=dict(by_symbol), examples=samples,
    )  # fmt: skip


def _more(reason: str, findings: Findings) -> str:
    """What is known of all rows together."""
    if reason == "id_gap":
        return f"; {int(findings.notes.missing_ids.sum()):,} ids are missing"
    skew_ns = findings.skew_ns
    if reason == "negative_latency" and skew_ns is not None:
        least, middle, largest = (f"{skew / 1e6:,.1f}" for skew in skew_ns)
        return f"; by {least} to {largest} ms, half of them by more than {middle} ms"
    return ""


def what(reason: str, row: Example) -> str:
    """One row in a few words."""
    found, other = _number(row.found), _number(row.other)
    if reason in ("late_row", "reordered"):
        return f"{row.found / 1e9:,.3f} s behind"
    if reason == "negative_latency":
        return f"{row.found / 1e6:,.1f} ms too early"
    return {
        "bad_time": "no time of trading",
        "not_finite": f"{found}",
        "bad_price": f"price {found}",
        "negative_size": f"size {found}",
        "bad_ohlc": f"{found} beside a close of {other}",
        "absurd_price": f"{found} after {other}",
        "price_jump": f"{found} after {other}",
        "symbol_reused": f"{found} after {other}",
        "crossed_quote": f"bid {found}, ask {other}",
        "locked_quote": f"bid and ask {found}",
        "duplicate": _repeat(row),
        "duplicate_conflicting": _repeat(row),
        "forgotten_id": f"id {row.found:.0f}",
        "id_gap": f"id {row.other:.0f} follows {row.found:.0f}",
        "zero_volume": f"{found} all along",
        "moved_without_volume": f"{other} to {found}",
    }.get(reason, "")


def _repeat(row: Example) -> str:
    """Bars are shown by close, now and before; trades by id and price."""
    if row.found.is_integer() and abs(row.found) > 1e6:
        return f"id {row.found:.0f} at {_number(row.other)}"
    return f"close {_number(row.found)}, before {_number(row.other)}"


def _number(value: float) -> str:
    return f"{value:,.10g}"
