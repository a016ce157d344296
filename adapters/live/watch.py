"""Watches a running feed: silence, holes, damage, clocks. Decides nothing that `engine.feed_health` can."""

import asyncio
from collections import Counter

import numpy as np

from adapters.cleaning import Cleaner
from adapters.live.keeper import Keeper
from adapters.live.lost import LostError
from adapters.live.rest import Rest
from adapters.live.settings import NEVER_STALE_S, FeedSettings
from adapters.live.venue import Venue
from engine.blocks import Int64
from engine.calendars import sessions_of
from engine.feed_health import Freshness, Skew
from engine.live.ports import Clock
from engine.messages import Health, Heartbeat, Quarantine
from engine.timeframes import DAY_NS

NS_PER_S = 1_000_000_000

DAMAGE_S, MOST_DAMAGED = 10.0, 10
"""More damaged frames than this in this time, and the connection is made anew."""

TELL_S = 1.0
"""How often withheld rows are told."""

SKEWED_S = 10.0
"""How often clocks are compared while they disagree too much."""

BEHIND_NS = 1_000_000_000
"""History that is so much newer than the stream proves that the stream is missing something."""


class Watch:
    def __init__(
        self, venue: Venue, rest: Rest, settings: FeedSettings, clock: Clock, keeper: Keeper, cleaner: Cleaner,
        feed: int,
    ) -> None:  # fmt: skip
        self.skew = Skew()
        self.probes = 0
        self._venue = venue
        self._rest = rest
        self._settings = settings
        self._clock = clock
        self._keeper = keeper
        self._cleaner = cleaner
        self._feed = feed
        self._heartbeat_symbol = settings.heartbeat_symbol or settings.symbols[0]
        self._freshness = Freshness(
            patience=settings.patience,
            floor_ns=int(settings.stale_floor_s * NS_PER_S),
            ceiling_ns=int(settings.stale_ceiling_s * NS_PER_S),
        )
        self._hours = _hours(settings.calendar, clock.now_ns())
        self._suspects: asyncio.Queue[str] = asyncio.Queue(len(settings.symbols))
        self._suspected: dict[str, bool] = {}
        self._told: Counter[tuple[str, str]] = Counter()
        self._damaged = 0
        self._due_ns = dict.fromkeys(("ping", "heartbeat", "tell", "damage"), 0)

    @property
    def stale_after_ns(self) -> int:
        """0 where silence is no alarm."""
        is_watched = self._settings.stale_ceiling_s < NEVER_STALE_S
        return self._freshness.limit_ns(self._heartbeat_symbol) if is_watched else 0

    def change(self, settings: FeedSettings) -> None:
        """How long to wait for what, from the next look on."""
        self._settings = settings
        self._freshness.change(
            floor_ns=int(settings.stale_floor_s * NS_PER_S), ceiling_ns=int(settings.stale_ceiling_s * NS_PER_S)
        )

    async def run(self) -> None:
        """Looks at everything every `tick_s`, until cancelled."""
        was_whole = False
        while True:
            await self._clock.sleep(self._settings.tick_s)
            now_ns = self._clock.monotonic_ns()
            self._keeper.follow()
            self._hear(now_ns)
            self._look_for_damage(now_ns)
            if self._keeper.is_whole:
                if not was_whole:
                    self._await_all(now_ns)
                self._look(now_ns)
            was_whole = self._keeper.is_whole
            if self._is_due("ping", self._venue.ping_s, now_ns) and self._keeper.link is not None:
                await self._keeper.link.ping()
            if self._is_due("heartbeat", self._settings.heartbeat_s, now_ns):
                self._beat()
            if self._is_due("tell", TELL_S, now_ns):
                self._tell()

    async def measure(self) -> None:
        """Compares the venue's clock with ours where it tells one, until cancelled."""
        ask = self._venue.time_ns
        while ask is not None:
            sent_ns = self._clock.now_ns()
            try:
                venue_ns = await ask(self._rest)
            except LostError:
                await self._clock.sleep(SKEWED_S)
                continue
            if venue_ns == 0:
                return
            self._compared(sent_ns, venue_ns)
            await self._clock.sleep(SKEWED_S if self._keeper.skewed else self._settings.skew_s)

    async def probe(self) -> None:
        """Asks history about symbols that are too silent, one after the other, until cancelled."""
        while True:
            symbol = await self._suspects.get()
            self.probes += 1
            behind = await self._is_behind(symbol)
            now_ns = self._clock.monotonic_ns()
            del self._suspected[symbol]
            if behind:
                link = self._keeper.link
                self._keeper.broken(f"{symbol}: {behind}")
                if link is not None:
                    link.end(LostError("mute", f"{symbol}: {behind}"))
            elif self._keeper.is_whole:
                self._freshness.heard(symbol, now_ns)
                if not self._suspected:
                    self._keeper.settle()

    async def _is_behind(self, symbol: str) -> str:
        """Why the stream cannot be believed; "" where its silence is the market's."""
        intake, now_ns = self._keeper.intake, self._clock.now_ns()
        try:
            if self._settings.data == "bars":
                return await self._is_bar_missing(symbol, now_ns)
            number, time_ns = await self._venue.latest(self._rest, symbol, now_ns)
        except LostError as lost:
            return f"silent, and history cannot be asked: {lost}"
        if symbol in intake.sequences:
            missing = number - intake.newest_id(symbol)
            return f"silent while {missing} trades were made" if missing > 0 else ""
        late_ns = time_ns - intake.last_ns.get(symbol, 0)
        return f"silent for {late_ns / 1e9:.1f} s of trading" if time_ns and late_ns > BEHIND_NS else ""

    async def _is_bar_missing(self, symbol: str, now_ns: int) -> str:
        last_ns = self._keeper.intake.closed_ns.get((symbol, self._settings.timeframe), now_ns)
        found = await self._venue.bars(self._rest, symbol, self._settings.timeframe, last_ns, now_ns, now_ns)
        return f"silent while {len(found)} bars closed" if found else ""

    # ------------------------------------------------------------------------- each tick

    def _hear(self, now_ns: int) -> None:
        touched = self._keeper.intake.touched
        for symbol, rows in touched.items():
            self._freshness.heard(symbol, now_ns, rows)
        touched.clear()

    def _await_all(self, now_ns: int) -> None:
        for symbol in self._settings.symbols:
            self._freshness.watch(symbol, now_ns)

    def _look(self, now_ns: int) -> None:
        overdue = self._freshness.overdue(now_ns, self._is_open)
        for symbol in overdue:
            if symbol not in self._suspected:
                self._suspected[symbol] = True
                self._suspects.put_nowait(symbol)
        if self._heartbeat_symbol in overdue or len(overdue) == len(self._settings.symbols):
            symbol = self._heartbeat_symbol if self._heartbeat_symbol in overdue else overdue[0]
            self._keeper.stale(f"{symbol}: silent for {self._freshness.age_ns(symbol, now_ns) / 1e9:.1f} s")

    def _look_for_damage(self, now_ns: int) -> None:
        damaged = self._keeper.intake.counts["malformed_frame"]
        if damaged - self._damaged > MOST_DAMAGED and self._keeper.link is not None:
            self._keeper.link.end(LostError("protocol", f"{damaged - self._damaged} damaged frames in {DAMAGE_S:g} s"))
            self._damaged = damaged
        if self._is_due("damage", DAMAGE_S, now_ns):
            self._damaged = damaged

    def _beat(self) -> None:
        """Proves a quiet market, up to as long ago as rows may be late."""
        if self._keeper.status.is_live and not self._keeper.intake.held:
            time_ns = self._clock.now_ns() + self.skew.offset_ns - self._settings.lateness_ms * 1_000_000
            self._keeper.outlet.say(Heartbeat(time_ns=time_ns, feed=self._feed))

    def _tell(self) -> None:
        """Rows that were withheld since the last time."""
        for fact in self._cleaner.findings.quarantines(self._feed, self._clock.now_ns()):
            key = fact.symbol, fact.reason
            fresh, self._told[key] = fact.count - self._told[key], fact.count
            if fresh > 0:
                told = Quarantine(
                    time_ns=fact.time_ns, feed=self._feed, symbol=fact.symbol, reason=fact.reason, count=fresh
                )
                self._keeper.outlet.say(told)

    def _compared(self, sent_ns: int, venue_ns: int) -> None:
        limit_s, now_ns = self._settings.skew_limit_s, self._clock.now_ns()
        if abs(venue_ns - now_ns - self.skew.offset_ns) > limit_s * NS_PER_S:
            self.skew.clear()
        self.skew.measured(sent_ns, venue_ns, now_ns)
        skew_s = self.skew.offset_ns / NS_PER_S
        self._keeper.outlet.say(Health(time_ns=now_ns, name="clock_skew", value=abs(skew_s), limit=limit_s))
        was = self._keeper.skewed
        self._keeper.skewed = f"clock skew of {skew_s:.1f} s" if abs(skew_s) > limit_s else ""
        if was or self._keeper.skewed:
            self._keeper.settle()

    def _is_due(self, what: str, every_s: float, now_ns: int) -> bool:
        if now_ns < self._due_ns[what]:
            return False
        self._due_ns[what] = now_ns + int(every_s * NS_PER_S)
        return True

    def _is_open(self, _: str) -> bool:
        if self._hours is None:
            return True
        opens_ns, closes_ns = self._hours
        now_ns = self._clock.now_ns()
        place = int(np.searchsorted(opens_ns, now_ns, "right")) - 1
        return place >= 0 and now_ns < int(closes_ns[place])


def _hours(calendar: str, now_ns: int) -> tuple[Int64, Int64] | None:
    """When the market is open, None for one that never closes."""
    return sessions_of(calendar, "regular", now_ns - 7 * DAY_NS, now_ns + 366 * DAY_NS) if calendar else None
