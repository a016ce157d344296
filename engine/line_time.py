"""Line time: the moment up to which every feed that counts has proven itself complete.

A row of time t proves its feed to t - 1 ns, a heartbeat to t, and the end of a feed takes it out.
Line time is the minimum over the feeds that are neither stale nor closed, and never steps back:
a feed that comes back from being stale waits until it has caught up.
"""

import msgspec
import numpy as np

from engine.blocks import Bars, BlockError, Int8, Int16, Int64, Quotes, Trades
from engine.kernels import kernel
from engine.messages import NEVER_NS, EndOfFeed, FeedStatus, Heartbeat

LIVE = 0
EXCLUDED = 1
CLOSED = 2
"""States of a feed. Only LIVE feeds hold line time; CLOSED is final."""

TimeFact = Heartbeat | EndOfFeed | FeedStatus
Rows = Trades | Quotes | Bars


class LineTimeState(msgspec.Struct, frozen=True):
    """What a snapshot holds: per feed int64 and int8 columns as bytes."""

    proven: bytes
    status: bytes
    now_ns: int
    closing_ns: int


class LineTime:
    """Follows `feeds` feeds. A feed that has proven nothing holds line time at NEVER_NS."""

    def __init__(self, feeds: int) -> None:
        if feeds < 1:
            raise ValueError(f"line time: feeds must be at least 1, was {feeds}")
        self.now_ns = NEVER_NS
        self._closing_ns = NEVER_NS
        self._proven = np.full(feeds, NEVER_NS, np.int64)
        self._status = np.full(feeds, LIVE, np.int8)

    @property
    def ended(self) -> bool:
        """All feeds are closed: nothing more can arrive."""
        return bool((self._status == CLOSED).all())

    def prove(self, block: Rows) -> Int64:
        """Line time on arrival of each row, (n,), after the row has updated its feed.

        Raises BlockError on a feed number that the session has not declared.
        """
        line_ns = np.empty(len(block), np.int64)
        rows = prove_rows(block.row_ns, block.feed, self._proven, self._status, self.now_ns, line_ns)
        if rows < len(block):
            self._refuse_feed(int(block.feed[rows]), block.sequence + rows)
        if rows:
            self.now_ns = int(line_ns[-1])
        return line_ns

    def is_live(self, feed: int) -> bool:
        return bool(self._status[feed] == LIVE)

    def proven_ns(self, feed: int) -> int:
        """Up to when the feed is complete, NEVER_NS before it has proven anything."""
        return int(self._proven[feed])

    def hear(self, fact: TimeFact) -> None:
        """Raises BlockError on a feed number that the session has not declared."""
        if not 0 <= fact.feed < len(self._proven):
            self._refuse_feed(fact.feed, fact.sequence)
        if isinstance(fact, Heartbeat):
            self._proven[fact.feed] = max(int(self._proven[fact.feed]), fact.time_ns)
        elif isinstance(fact, EndOfFeed):
            self._status[fact.feed] = CLOSED
            self._closing_ns = max(self._closing_ns, fact.time_ns)
        elif self._status[fact.feed] != CLOSED:
            self._status[fact.feed] = LIVE if fact.status == "LIVE" else EXCLUDED
        slowest_ns = self._closing_ns if self.ended else int(slowest(self._proven, self._status))
        self.now_ns = max(self.now_ns, slowest_ns)

    def state(self) -> LineTimeState:
        return LineTimeState(self._proven.tobytes(), self._status.tobytes(), self.now_ns, self._closing_ns)

    def resume(self, state: LineTimeState) -> None:
        """Inverse of `state`. Raises ValueError when it was taken with another number of feeds."""
        if len(state.status) != len(self._status):
            raise ValueError(f"line time: snapshot must hold {len(self._status)} feeds, was {len(state.status)}")
        self._proven = np.frombuffer(state.proven, np.int64).copy()
        self._status = np.frombuffer(state.status, np.int8).copy()
        self.now_ns = state.now_ns
        self._closing_ns = state.closing_ns

    def _refuse_feed(self, feed: int, sequence: int) -> None:
        last = len(self._proven) - 1
        raise BlockError(f"sequence {sequence}: feed must be between 0 and {last}, was {feed}")


@kernel
def prove_rows(row_ns: Int64, feed: Int16, proven: Int64, status: Int8, now_ns: int, line_ns: Int64) -> int:
    """Fill `line_ns`; returns the rows done, fewer than all at the first undeclared feed.

    Line time is at or above the slowest live feed, so a feed that was already beyond line time
    cannot be the one that holds it, and its rows cost one comparison.
    """
    for row in range(len(row_ns)):
        number = feed[row]
        if number < 0 or number >= len(proven):
            return row
        before_ns = proven[number]
        if row_ns[row] - 1 > before_ns:
            proven[number] = row_ns[row] - 1
            if before_ns <= now_ns and status[number] == LIVE:
                now_ns = max(now_ns, slowest(proven, status))
        line_ns[row] = now_ns
    return len(row_ns)


@kernel
def slowest(proven: Int64, status: Int8) -> int:
    """The least that a live feed has proven; NEVER_NS when no feed is live."""
    least_ns = NEVER_NS
    found = False
    for feed in range(len(proven)):
        if status[feed] == LIVE and (not found or proven[feed] < least_ns):
            least_ns = proven[feed]
            found = True
    return least_ns
