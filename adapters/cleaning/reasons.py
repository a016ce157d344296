"""Why a row was withheld, moved, or let through with a remark: the closed list, and what each means.

A row is withheld for one reason only, so rows read = rows out + rows withheld. Remarks come on top:
a row may have several.
"""

from enum import Enum
from typing import NamedTuple


class Effect(Enum):
    """What becomes of the row: not market data, a copy of another, moved to its place, or just told."""

    QUARANTINED = "quarantined"
    DROPPED = "dropped"
    REPAIRED = "repaired"
    KEPT = "kept"


class Reason(NamedTuple):
    name: str
    effect: Effect
    meaning: str


REASONS = (
    Reason("bad_time", Effect.QUARANTINED, "outside the years of trading, or later than it was received"),
    Reason("not_finite", Effect.QUARANTINED, "a price or size is NaN or infinite"),
    Reason("bad_price", Effect.QUARANTINED, "a price is zero or negative"),
    Reason("negative_size", Effect.QUARANTINED, "a size or volume is negative"),
    Reason("bad_ohlc", Effect.QUARANTINED, "open, high, low and close contradict each other"),
    Reason("absurd_price", Effect.QUARANTINED, "far from the rows around it, and not confirmed by the next ones"),
    Reason("crossed_quote", Effect.QUARANTINED, "the bid is above the ask"),
    Reason("duplicate", Effect.DROPPED, "repeats an earlier row"),
    Reason("duplicate_conflicting", Effect.DROPPED, "repeats an earlier row with other values: the first stays"),
    Reason("forgotten_id", Effect.DROPPED, "older than every trade id still remembered"),
    Reason("unfinished_bar", Effect.DROPPED, "its interval had not ended when the file was made"),
    Reason("reordered", Effect.REPAIRED, "came after a later row, put back in order"),
    Reason("late_row", Effect.KEPT, "came after a later row, too late to be put back"),
    Reason("id_gap", Effect.KEPT, "trade ids are missing before it"),
    Reason("negative_latency", Effect.KEPT, "received before it happened: the two clocks disagree"),
    Reason("zero_volume", Effect.KEPT, "no volume and one price: nothing traded, or the venue was down"),
    Reason("moved_without_volume", Effect.KEPT, "the price moved but the volume is 0"),
    Reason("locked_quote", Effect.KEPT, "bid and ask are equal"),
    Reason("symbol_reused", Effect.KEPT, "another price level after a long silence: perhaps another company"),
    Reason("price_jump", Effect.KEPT, "far from the rows before it, confirmed by the next ones"),
)
"""In the order of their codes, which kernels use."""

(
    BAD_TIME, NOT_FINITE, BAD_PRICE, NEGATIVE_SIZE, BAD_OHLC, ABSURD, CROSSED,
    DUPLICATE, CONFLICTING, FORGOTTEN_ID, UNFINISHED,
    REORDERED,
    LATE, ID_GAP, NEGATIVE_LATENCY, ZERO_VOLUME, MOVED_WITHOUT_VOLUME, LOCKED, SYMBOL_REUSED, PRICE_JUMP,
) = range(len(REASONS))  # fmt: skip

WITHHELD = (Effect.QUARANTINED, Effect.DROPPED)

DROPPED = tuple(reason.name for reason in REASONS if reason.effect in WITHHELD)
"""Reasons for which a row does not come out; rows read = rows out + these."""

QUARANTINED = tuple(reason.name for reason in REASONS if reason.effect is Effect.QUARANTINED)

REPAIRED = tuple(reason.name for reason in REASONS if reason.effect is Effect.REPAIRED)
