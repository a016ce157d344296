"""What a live session asks of the outside: a clock, and feeds that run until they are told to stop."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

import msgspec

from engine.blocks import Bars
from engine.definitions import VenueMetadata
from engine.messages import NEVER_NS
from engine.ports import Item


class Clock(Protocol):
    """The one seam to time. `now_ns` is since the epoch, UTC; `monotonic_ns` never steps back."""

    def now_ns(self) -> int: ...

    def monotonic_ns(self) -> int: ...

    def sleep(self, seconds: float) -> Awaitable[None]: ...


class Inbox(Protocol):
    """Where facts go in; both wait while their lane is full. `engine.ingress.Ingress` is one."""

    def market(self, fact: Item) -> Awaitable[None]: ...

    def control(self, fact: Item) -> Awaitable[None]: ...


class FeedReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a feed does, for people and metrics. `state` is the last FeedStatus; ages are derived from the times.
    `sequence_breaks` counts holes in the venue's numbers, `gaps` those that history could not fill; `malformed` counts
    frames, `unknown` messages of kinds or symbols that nobody knows.

    received = applied + duplicates + withheld + conflated, in rows.
    """

    name: str
    state: str
    reason: str
    since_ns: int
    last_row_ns: int = NEVER_NS
    last_frame_ns: int = NEVER_NS
    stale_after_ns: int = 0
    received: int = 0
    applied: int = 0
    duplicates: int = 0
    conflated: int = 0
    withheld: dict[str, int] = {}
    gaps: int = 0
    sequence_breaks: int = 0
    reconnects: int = 0
    malformed: int = 0
    unknown: int = 0
    skew_ns: int = 0


class Seen(msgspec.Struct, frozen=True):
    """The last row of a symbol that is on the tape: where a backfill begins."""

    time_ns: int
    trade_id: int


class LiveFeed(Protocol):
    """Market data as it happens. Raises FeedUnreachableError or FeedRefusedError from `open` and `history`.

    `kind` is trades or bars, what structure is built from; `timeframe` is that of bars, else "".
    `lateness_ns` is how long a bar has to wait for rows that this feed brings late. `simulated` feeds say so
    everywhere they are shown.
    """

    name: str
    kind: str
    timeframe: str
    symbols: tuple[str, ...]
    simulated: bool
    lateness_ns: int

    def open(self) -> Awaitable[VenueMetadata | None]:
        """Reach the source once, before anything else is begun; what it says of its instruments."""
        ...

    def history(self, symbol: str, timeframe: str, bars: int, until_ns: int) -> Awaitable[Bars]:
        """At most `bars` closed bars, oldest first, closing at or before `until_ns`; numbers are the caller's."""
        ...

    def resume_after(self, seen: Mapping[str, Seen]) -> None:
        """Called before `run` when a session goes on: what lies behind these rows is to be filled."""
        ...

    def run(self, inbox: Inbox, numbers: Mapping[str, int], feed: int) -> Awaitable[None]:
        """Put facts into the inbox until cancelled.

        Begins RECOVERING; says LIVE when nothing is missing any more. Heartbeats prove quiet markets. Returns only
        where the source has refused for good, after a FeedStatus that says why.
        """
        ...

    def report(self) -> FeedReport: ...


class FeedUnreachableError(Exception):
    """The source cannot be reached now; trying again later may help."""


class FeedRefusedError(Exception):
    """The source refused the credentials or the request; trying again will not help."""


Feeds = Sequence[LiveFeed]
