"""Section 9.3: what an intraday bar's volume is held against, the same time of day of earlier sessions."""

from datetime import UTC, datetime
from math import ceil, inf, isnan, nan
from statistics import median
from struct import pack, unpack
from zoneinfo import ZoneInfo

from tests.wyckoff.reference import book

DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000


def stored(volume: float) -> float:
    """Volumes of earlier sessions are kept in single precision."""
    return float(unpack("f", pack("f", volume))[0])


def usual_volume(sessions: list[float]) -> float:
    """The median of the last 20 volumes at this time of day; NaN with fewer than ten, or a median of 0."""
    last = sessions[-book.RVOL_SESSIONS :]
    usual = median(last) if len(last) >= book.RVOL_LEAST else nan
    return usual if usual > 0.0 else nan


def local_ns(open_ns: int, zone: str) -> int:
    offset = datetime.fromtimestamp(open_ns // 10**9, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return open_ns + int(offset.total_seconds()) * 10**9


class Clock:
    """One (symbol, intraday timeframe): the volumes of each slot, oldest first.

    A slot is a local time of day; for crypto Saturday and Sunday have slots of their own.
    """

    def __init__(self, scale: book.Scale) -> None:
        self.scale = scale
        self.slots: dict[tuple[int, int], list[float]] = {}
        self.usual, self.edge_volume = nan, 0.0

    @property
    def is_thin(self) -> bool:
        return self.scale.is_intraday and isnan(self.usual)

    def tell(self, open_ns: int, volume: float) -> None:
        """Sets `usual`, NaN where there were too few sessions, and what a climax needs here; keeps the volume."""
        day, time = divmod(local_ns(open_ns, self.scale.market.zone), DAY_NS)
        weekend = max(0, (day + 3) % 7 - 4) if self.scale.market.asset_class == "crypto" else 0
        slot = self.slots.setdefault((weekend, time // self.scale.length_ns), [])
        self.usual, self.edge_volume = usual_volume(slot), 0.0
        if self.is_edge(time // MINUTE_NS):
            self.edge_volume = edge_volume(slot)
        slot.append(stored(volume))

    def is_edge(self, minute: int) -> bool:
        """The first and last 15 minutes of regular hours. Reading: of bars of at most 15 minutes."""
        hours = self.scale.market.hours
        if hours is None or self.scale.length_ns > book.EDGE_MINUTES * MINUTE_NS:
            return False
        return hours[0] <= minute < hours[0] + book.EDGE_MINUTES or hours[1] - book.EDGE_MINUTES <= minute < hours[1]


def edge_volume(sessions: list[float]) -> float:
    """9.3: no climax at the edges of the session below twice the slot's p95; none at all with too few sessions."""
    last = sorted(sessions[-book.RVOL_SESSIONS :])
    if len(last) < book.RVOL_LEAST:
        return inf
    return book.EDGE_MULTIPLE * last[ceil(book.EDGE_RANK * len(last)) - 1]
