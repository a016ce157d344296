"""Whether a live feed can be trusted: how long it may be silent, what it has missed, what state it is in.

Pure: times are arguments and nothing here waits. The session reads the clock, asks, and turns the
answers into facts.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum

from engine.messages import NEVER_NS, FeedStatus

NS_PER_S = 1_000_000_000

SMOOTHING = 0.05
"""Share of the newest gap in the mean gap: about the last 40 gaps count."""

MOST_SAMPLES = 5
"""Round trips whose median is the clock offset."""


class State(StrEnum):
    """Only a LIVE feed holds line time and lets entries pass. DOWN is for good."""

    RECOVERING = "RECOVERING"
    LIVE = "LIVE"
    STALE = "STALE"
    DOWN = "DOWN"


class Freshness:
    """How long each key (a symbol, a channel) may be silent: `patience` mean gaps, between two bounds.

    A key that was never heard has the larger bound. A symbol that trades once an hour earns a long
    deadline by itself; one whose session is closed has none.
    """

    def __init__(self, *, patience: float, floor_ns: int, ceiling_ns: int) -> None:
        assert patience > 1
        assert 0 < floor_ns <= ceiling_ns
        self._patience = patience
        self._floor_ns = floor_ns
        self._ceiling_ns = ceiling_ns
        self._heard_ns: dict[str, int] = {}
        self._gap_ns: dict[str, float] = {}

    def change(self, *, floor_ns: int, ceiling_ns: int) -> None:
        """Other bounds from now on, also for a silence that has begun."""
        assert 0 < floor_ns <= ceiling_ns
        self._floor_ns, self._ceiling_ns = floor_ns, ceiling_ns

    def watch(self, key: str, now_ns: int) -> None:
        """Begin to wait for a key, or begin anew."""
        self._heard_ns[key] = now_ns

    def heard(self, key: str, now_ns: int, rows: int = 1) -> None:
        """`rows` came together since the last call."""
        before_ns = self._heard_ns.get(key)
        self._heard_ns[key] = now_ns
        if before_ns is None:
            return
        gap_ns = max(0, now_ns - before_ns) / rows
        known_ns = self._gap_ns.get(key)
        share = 1 - (1 - SMOOTHING) ** min(rows, 100)
        self._gap_ns[key] = gap_ns if known_ns is None else known_ns + share * (gap_ns - known_ns)

    def limit_ns(self, key: str) -> int:
        """The longest silence that is no alarm."""
        gap_ns = self._gap_ns.get(key)
        if gap_ns is None:
            return self._ceiling_ns
        return int(min(max(self._patience * gap_ns, self._floor_ns), self._ceiling_ns))

    def age_ns(self, key: str, now_ns: int) -> int:
        """Since the key was heard or begun to be waited for; 0 for one that is not watched."""
        return now_ns - self._heard_ns.get(key, now_ns)

    def overdue(self, now_ns: int, is_open: Callable[[str], bool]) -> list[str]:
        """Keys whose silence is too long. The time in which a key is closed does not count."""
        late = []
        for key in self._heard_ns:
            if not is_open(key):
                self._heard_ns[key] = now_ns
            elif self.age_ns(key, now_ns) > self.limit_ns(key):
                late.append(key)
        return late


class Place(StrEnum):
    """Where a numbered row stands: it follows, it repeats, or some are missing before it."""

    NEXT = "NEXT"
    REPEAT = "REPEAT"
    AHEAD = "AHEAD"


class Sequence:
    """The numbers of one symbol at a venue that counts its trades one by one.

    Rows are applied in order: what is ahead has to wait until the hole before it is filled or given up.
    """

    def __init__(self) -> None:
        self.next_id = 0
        self.missing = 0

    def place(self, number: int) -> Place:
        """Of a row that came; `take` says that it was applied. Whichever comes first is next."""
        if self.next_id == 0 or number == self.next_id:
            return Place.NEXT
        return Place.REPEAT if number < self.next_id else Place.AHEAD

    def take(self, number: int) -> None:
        """The row was applied. What lies between the last one and it is missing for good."""
        if self.next_id and number > self.next_id:
            self.missing += number - self.next_id
        self.next_id = number + 1


class Status:
    """The state of one feed. `move` gives a fact where something changes, and nothing where nothing does."""

    def __init__(self, feed: int) -> None:
        self.state = State.RECOVERING
        self.reason = "starting"
        self.since_ns = NEVER_NS
        self.changes = 0
        self._feed = feed

    @property
    def is_live(self) -> bool:
        return self.state is State.LIVE

    def begin(self, now_ns: int) -> FeedStatus:
        """The first fact of a feed: nothing is known of it yet."""
        self.since_ns = now_ns
        return self._fact(now_ns)

    def move(self, state: State, reason: str, now_ns: int) -> Iterator[FeedStatus]:
        """A feed that is DOWN stays so. Another reason for the same state is shown, but no fact."""
        if self.state is State.DOWN:
            return
        if state is self.state:
            self.reason = reason
            return
        self.state, self.reason, self.since_ns = state, reason, now_ns
        self.changes += 1
        yield self._fact(now_ns)

    def _fact(self, now_ns: int) -> FeedStatus:
        return FeedStatus(time_ns=now_ns, feed=self._feed, status=self.state.value, reason=self.reason)


class Skew:
    """How far a venue's clock is ahead of ours: the median of the last few round trips."""

    def __init__(self) -> None:
        self._offsets_ns: list[int] = []

    def measured(self, sent_ns: int, venue_ns: int, received_ns: int) -> None:
        """The venue is taken to have answered in the middle of the trip."""
        self._offsets_ns.append(venue_ns - (sent_ns + received_ns) // 2)
        del self._offsets_ns[:-MOST_SAMPLES]

    def clear(self) -> None:
        """Forget what was measured: one of the clocks was set."""
        self._offsets_ns.clear()

    @property
    def offset_ns(self) -> int:
        """0 before the first measurement."""
        found = sorted(self._offsets_ns)
        return found[len(found) // 2] if found else 0
