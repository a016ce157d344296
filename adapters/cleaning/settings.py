"""How rows are judged at the edge: every number a rule uses, with its reason."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.timeframes import DAY_NS, MINUTE_NS, TIMEFRAMES

CENTURY_1800_NS = -62_091 * DAY_NS  # 1800-01-01; no price series is older
CENTURY_2200_NS = 84_006 * DAY_NS  # 2200-01-01


class CleaningSettings(BaseModel):
    """Every field is safe to leave out. Ratios are > 1: 1.2 allows 20 % up and as far down.

    bad_rows         quarantine: a row that cannot be market data is withheld and counted; refuse: it stops the run
    reorder_ns       rows of a feed that step back at most this far are put back in order; later ones pass as late.
                     0 holds nothing back: files are sorted whole, live feeds take 250 ms
    remembered_ids   trade ids of one instrument that are surely remembered (up to twice as many are)
    consecutive_ids  the venue numbers the trades of an instrument one by one: a missing number is a gap
    trade_band       a print beyond this ratio to the last one and to the median of the last 8 waits for confirmation;
                     none of 1.3 million recorded prints of SPY, IBM and XRP/ETH did
    bar_bands        likewise for the four prices of a bar, by timeframe; above anything seen in four years of hours
                     and one year of minutes of Bitcoin except its bad prints, and above Apple's fall of 2000-09-29
    hole_band        replaces a smaller band where the feed was silent for `hole_lengths` bars or `hole_ns`: overnight,
                     prices jump. A bar that spans more than this within itself is never confirmed
    listing_band     replaces a smaller band for an instrument's first bar, which has only its own close to be near to:
                     a listing opens wide (30 to 45 in its first minute), a false first open is wider (652 for 301)
    confirmed_by     that many rows in a row, near each other, prove a price far from the last ones: all are let go
    settled_by       that many rows with the same far price, in a row or not, make it a price of its own: where bid and
                     ask are far apart, or bars are wide, the market is like that
    first_ns         times before it, and at or after `end_ns`, are not times of trading
    ahead_ns         nor are times later than this after the row was received
    reuse_ns         after a silence as long, a jump beyond `reuse_ratio` hints at another company under the symbol
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bad_rows: Literal["quarantine", "refuse"] = "quarantine"
    reorder_ns: int = Field(default=0, ge=0)
    remembered_ids: int = Field(default=4_096, ge=1, le=65_536)
    consecutive_ids: bool = False
    trade_band: float = Field(default=1.2, gt=1)
    bar_bands: tuple[float, ...] = (1.2, 1.25, 1.4, 1.5, 2.0, 3.0, 4.0)
    hole_band: float = Field(default=3.0, gt=1)
    listing_band: float = Field(default=2.0, gt=1)
    hole_lengths: int = Field(default=10, ge=1)
    hole_ns: int = Field(default=10 * MINUTE_NS, gt=0)
    confirmed_by: int = Field(default=3, ge=1, le=16)
    settled_by: int = Field(default=16, ge=1)
    first_ns: int = CENTURY_1800_NS
    end_ns: int = CENTURY_2200_NS
    ahead_ns: int = Field(default=60 * MINUTE_NS, ge=0)
    reuse_ns: int = Field(default=30 * DAY_NS, gt=0)
    reuse_ratio: float = Field(default=2.0, gt=1)

    @field_validator("bar_bands")
    @classmethod
    def _one_a_timeframe(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) != len(TIMEFRAMES) or not all(band > 1 for band in value):
            raise ValueError(f"bar_bands must be {len(TIMEFRAMES)} numbers > 1, one a timeframe, was {value}")
        return value
