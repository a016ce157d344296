"""The campaigns of a session, found by id, by group and by what makes them one.

The book owns everything the manager remembers between messages. A campaign that has ended leaves
it; what is kept of it is that its range is over, so that a late event cannot begin it anew.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from math import ceil
from typing import TypeVar

import msgspec

from engine.campaigns.bars_seen import BarsSeen, BarsState
from engine.campaigns.lifecycle import EDGES, TERMINAL
from engine.campaigns.settings import CampaignSettings
from engine.campaigns.state import Bracket, Campaign, Key
from engine.campaigns.watches import Purpose, Watches
from engine.executions import Executions
from engine.instruments import InstrumentTable
from engine.messages import NEVER_NS, BarTaint, CampaignChange, CampaignState, Message, Phase
from engine.naming import base_name, numbered_name
from engine.sightings import Shown
from engine.timeframes import DAY_NS, usual_length_ns

ENDED_KEPT = 10_000
"""Ranges remembered as over, and names remembered as used; the oldest are forgotten first."""

K = TypeVar("K")
V = TypeVar("V")

PhaseKey = tuple[str, str, int]
SideKey = tuple[str, int]
"""(symbol, direction)."""
TaintKey = tuple[str, str, int]
"""(symbol, timeframe, open_ns)."""

TAINTS_KEPT = 4_096
"""Doubtful bars remembered, the last ones: a decision looks at bars that closed a little while ago."""


class Cooldown(msgspec.Struct, frozen=True):
    """Until so many bars of `timeframe` are counted, or until line time `until_ns` where none are built."""

    timeframe: str
    bars: int
    until_ns: int


class _Saved(msgspec.Struct):
    now_ns: int
    campaigns: list[Campaign]
    over: list[Key]
    names: dict[str, int]
    phases: list[tuple[PhaseKey, Phase, float]]
    watches: list[str]
    bars: BarsState
    executions: list[str]
    tainted: list[tuple[TaintKey, str]]
    cooldowns: list[tuple[SideKey, Cooldown]]


class CampaignBook:
    """`settings`, `table` and `timeframes` are the session's; the rest is state. `living` counts the
    campaigns of each symbol that has any."""

    def __init__(self, settings: CampaignSettings, table: InstrumentTable, timeframes: tuple[str, ...]) -> None:
        self.settings = settings
        self.table = table
        self.now_ns = NEVER_NS
        self.campaigns: dict[str, Campaign] = {}
        self.watches = Watches()
        self.bars = BarsSeen(table, timeframes)
        self.executions = Executions()
        self.living: Counter[str] = Counter()
        self._by_key: dict[Key, str] = {}
        self._brackets: dict[str, tuple[Campaign, Bracket]] = {}
        self._over: dict[Key, None] = {}
        self._names: dict[str, int] = {}
        self._phases: dict[PhaseKey, tuple[Phase, float]] = {}
        self._tainted: dict[TaintKey, str] = {}
        self._cooldowns: dict[SideKey, Cooldown] = {}

    def advance(self, time_ns: int) -> None:
        """Decisions never carry an earlier time than one already made."""
        if time_ns > self.now_ns:
            self.now_ns = time_ns

    def find(self, key: Key) -> Campaign | None:
        name = self._by_key.get(key)
        return None if name is None else self.campaigns[name]

    def newest(self, symbol: str, timeframe: str, direction: int) -> Campaign | None:
        """The campaign formed last on this symbol and timeframe that has not ended."""
        for campaign in reversed(self.campaigns.values()):
            if campaign.symbol == symbol and campaign.timeframe == timeframe and campaign.direction == direction:
                return campaign
        return None

    def is_over(self, key: Key) -> bool:
        """A campaign of this range has completed or failed."""
        return key in self._over

    def add(self, campaign: Campaign, bracket: Bracket) -> None:
        """One more attempt at a leg of a campaign."""
        campaign.brackets.append(bracket)
        self._brackets[bracket.group] = (campaign, bracket)

    def bracket(self, group: str) -> tuple[Campaign, Bracket] | None:
        """None where the campaign has ended, or never was."""
        return self._brackets.get(group)

    def bars_since_event(self, campaign: Campaign) -> int:
        return self.bars.count(campaign.symbol, campaign.timeframe) - campaign.event_bars

    def form(self, key: Key) -> Campaign:
        """A new campaign for this key, which must have none."""
        assert key not in self._by_key
        symbol, timeframe, direction, range_start_ns = key
        base = base_name(symbol, range_start_ns)
        ordinal = self._names.pop(base, 0) + 1
        self._names[base] = ordinal
        _forget_oldest(self._names, ENDED_KEPT)
        seen = self.bars.count(symbol, timeframe)
        campaign = Campaign(numbered_name(base, ordinal), symbol, timeframe, direction, range_start_ns, seen)
        self.campaigns[campaign.campaign] = campaign
        self._by_key[key] = campaign.campaign
        self.living[symbol] += 1
        return campaign

    def note(self, campaign: Campaign, kind: str, cause: str) -> CampaignChange:
        """One step in a campaign's life that leaves its state alone."""
        return self._change(campaign, kind, campaign.state, cause)

    def step(self, campaign: Campaign, state: CampaignState, cause: str) -> Iterator[Message]:
        """Along an edge of the table; a campaign that ends leaves the book."""
        kind = EDGES[campaign.state, state]
        yield self._change(campaign, kind, state, cause)
        if state in TERMINAL:
            assert not campaign.is_live
            yield from self.watches.drop(campaign.campaign, Purpose.CLOCK)
            self._end(campaign)

    def phase(self, key: PhaseKey) -> tuple[Phase, float]:
        """Phase and its confidence, 0..100."""
        return self._phases.get(key, (Phase.WARMUP, 0.0))

    def follow(self, phases: Iterable[Shown]) -> None:
        """Direction 0 speaks for both directions."""
        known = self._phases
        for symbol, timeframe, direction, phase, confidence in phases:
            if direction:
                known[symbol, timeframe, direction] = (phase, confidence)
            else:
                known[symbol, timeframe, 1] = known[symbol, timeframe, -1] = (phase, confidence)

    def taint(self, taint: BarTaint) -> None:
        self._tainted[taint.symbol, taint.timeframe, taint.open_ns] = taint.reason
        _forget_oldest(self._tainted, TAINTS_KEPT)

    def tainted(self, symbol: str, timeframe: str, bars_ns: tuple[int, int]) -> str:
        """Why one of the two bars with these open times is in doubt, or ""."""
        if not self._tainted:
            return ""
        found = (self._tainted.get((symbol, timeframe, open_ns), "") for open_ns in bars_ns)
        return next((reason for reason in found if reason), "")

    def cool_down(self, campaign: Campaign) -> None:
        """After a loss that the structure or its stop decided, the symbol is left alone for a while."""
        days = self.settings.cooldown_days[self.table.named(campaign.symbol).asset_class]
        length_ns = max(DAY_NS, usual_length_ns(campaign.timeframe))
        unit = campaign.timeframe if length_ns > DAY_NS else "1d"
        if not self.bars.knows(unit):
            unit = campaign.timeframe
        bars = self.bars.count(campaign.symbol, unit) + ceil(days * DAY_NS / length_ns)
        # Trading days are bars of a day; twice as many days of the calendar hold at least that many.
        until_ns = self.now_ns + 2 * days * DAY_NS
        self._cooldowns[campaign.symbol, campaign.direction] = Cooldown(unit, bars, until_ns)

    def cooldown_bars(self, symbol: str, direction: int) -> int:
        """How many bars are left before the symbol may be entered again; 0 for none."""
        found = self._cooldowns.get((symbol, direction))
        if found is None:
            return 0
        left = 0 if self.now_ns >= found.until_ns else max(0, found.bars - self.bars.count(symbol, found.timeframe))
        if not left:
            del self._cooldowns[symbol, direction]
        return left

    def snapshot(self) -> bytes:
        saved = _Saved(
            now_ns=self.now_ns,
            campaigns=list(self.campaigns.values()),
            over=list(self._over),
            names=self._names,
            phases=[(key, phase, confidence) for key, (phase, confidence) in self._phases.items()],
            watches=list(self.watches.out),
            bars=self.bars.save(),
            executions=self.executions.save(),
            tainted=list(self._tainted.items()),
            cooldowns=list(self._cooldowns.items()),
        )
        return msgspec.msgpack.encode(saved)

    def restore(self, data: bytes) -> None:
        saved = msgspec.msgpack.decode(data, type=_Saved)
        self.now_ns = saved.now_ns
        self.campaigns = {one.campaign: one for one in saved.campaigns}
        self._by_key = {one.key: one.campaign for one in saved.campaigns}
        self._brackets = {bracket.group: (one, bracket) for one in saved.campaigns for bracket in one.brackets}
        self.living = Counter(one.symbol for one in saved.campaigns)
        self._over = dict.fromkeys(saved.over)
        self._names = saved.names
        self._phases = {key: (phase, confidence) for key, phase, confidence in saved.phases}
        self.watches.out = dict.fromkeys(saved.watches)
        self.bars.load(saved.bars)
        self.executions = Executions(saved.executions)
        self._tainted = dict(saved.tainted)
        self._cooldowns = dict(saved.cooldowns)

    def _change(self, campaign: Campaign, kind: str, state: CampaignState, cause: str) -> CampaignChange:
        assert campaign.state not in TERMINAL
        previous, campaign.state = campaign.state, state
        campaign.number += 1
        return CampaignChange(campaign.campaign, campaign.number, self.now_ns, kind, previous, state, cause)

    def _end(self, campaign: Campaign) -> None:
        del self.campaigns[campaign.campaign]
        del self._by_key[campaign.key]
        for bracket in campaign.brackets:
            del self._brackets[bracket.group]
        self.living[campaign.symbol] -= 1
        if not self.living[campaign.symbol]:
            del self.living[campaign.symbol]
        # An expired campaign never held anything: a later pattern of its range may try again.
        if campaign.state is not CampaignState.EXPIRED:
            self._over[campaign.key] = None
            _forget_oldest(self._over, ENDED_KEPT)


def _forget_oldest(kept: dict[K, V], most: int) -> None:
    if len(kept) > most:
        del kept[next(iter(kept))]
