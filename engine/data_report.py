"""What is known of a feed's data: the report of `wyckoff verify-data`, for programs and for people."""

from datetime import UTC, datetime

import msgspec

from engine.messages import NEVER_NS


class Sample(msgspec.Struct, frozen=True):
    """A row that shows a finding. `row` is its line in the file, or its number in the feed."""

    symbol: str
    row: int
    time_ns: int
    what: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with one thing in common. `effect` is quarantined, dropped, repaired or kept; a note says nothing
    against the data."""

    reason: str
    effect: str
    rows: int
    meaning: str
    is_note: bool = False
    symbols: dict[str, int] = {}
    examples: list[Sample] = []


class Gap(msgspec.Struct, frozen=True):
    """A stretch without bars in which there should be some, [start, end)."""

    symbol: str
    timeframe: str
    start_ns: int
    end_ns: int
    missing: int


class Gaps(msgspec.Struct, frozen=True, kw_only=True):
    """`judged_by` is the calendar, "24/7", or "" where nobody knows when the market is open: then `count` and
    `longest` are silences, and nothing is missing."""

    judged_by: str
    count: int
    missing: int
    longest: Gap | None = None


class DataReport(msgspec.Struct, frozen=True, kw_only=True):
    """One feed. `rows_out` is what is left of `rows` for the line."""

    name: str
    kind: str
    timeframe: str
    layout: str
    rows: int
    rows_out: int
    symbols: int
    first_ns: int
    last_ns: int
    findings: list[Finding]
    gaps: list[Gaps]
    notes: list[str]

    @property
    def withheld(self) -> int:
        return self.rows - self.rows_out

    @property
    def is_clean(self) -> bool:
        """Nothing was found but notes, and nothing is missing."""
        return all(one.is_note for one in self.findings) and not any(one.missing for one in self.gaps)

    @property
    def verdict(self) -> str:
        """One line."""
        if self.is_clean:
            return f"clean: {self.rows_out:,} rows, nothing found"
        remarks = [one for one in self.findings if not one.is_note]
        lost = sum(one.rows for one in remarks if one.effect in ("quarantined", "dropped"))
        parts = [f"{lost:,} of {self.rows:,} rows withheld ({share(lost, self.rows)})" if lost else "no row withheld"]
        parts += [
            f"{sum(one.rows for one in remarks if one.effect == effect):,} {text}"
            for effect, text in (("repaired", "repairs"), ("kept", "remarks"))
            if any(one.effect == effect for one in remarks)
        ]
        missing = sum(one.missing for one in self.gaps)
        parts += [f"{missing:,} bars missing"] if missing else []
        return "; ".join(parts)


def share(part: int, whole: int) -> str:
    """A percentage that never rounds something to nothing."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.1f} %" if percent >= 1 or not part else "< 0.01 %" if percent < 0.01 else f"{percent:.2f} %"


def moment(time_ns: int) -> str:
    """UTC, to the second where it is whole, else to the millisecond."""
    if time_ns == NEVER_NS:
        return "never"
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{text}.{rest_ns // 1_000_000:03d}" if rest_ns else text.removesuffix(":00")


def span(length_ns: int) -> str:
    """A duration in the two largest units that it has."""
    seconds = length_ns // 1_000_000_000
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number} {name}")
    return " ".join(parts[:2]) or f"{length_ns / 1e6:g} ms"
