"""What keeps entries from being judged at all: operators' halts, feeds, measurements of the shell, and of single
symbols what their venues say.

Each is left only by the fact that takes it back, and all of them outlive a restart.
"""

from typing import Final

import msgspec

from engine.messages import Command, FeedStatus, Health, SymbolStatus

LIVE: Final = "LIVE"
PAUSE, KILL = "pause", "kill"

RELEASES: Final = {"resume": PAUSE, "unkill": KILL}
"""The command that takes each halt back; it takes back no other."""

LEVELS: Final = ("", "entries", "cancel", "flatten")
"""How far a kill goes, each further than the one before. It only ever goes further."""


class Halt(msgspec.Struct, frozen=True):
    """`level` of a kill is entries, cancel or flatten; that of a pause is ""."""

    level: str
    operator: str
    reason: str
    since_ns: int


class Unwell(msgspec.Struct, frozen=True):
    """A measurement beyond its limit, and since when."""

    value: float
    limit: float
    since_ns: int


class Block(msgspec.Struct, frozen=True):
    """One reason why nothing is bought now: the code that an entry would be refused with, and why."""

    code: str
    cause: str


class Holds(msgspec.Struct):
    not_live: dict[int, str] = {}
    halts: dict[str, Halt] = {}
    unwell: dict[str, Unwell] = {}
    symbols: dict[str, dict[str, str]] = {}
    """Symbol -> cause -> reason."""

    def hold(self, fact: SymbolStatus) -> None:
        causes = self.symbols.pop(fact.symbol, {})
        causes.pop(fact.cause, None)
        if fact.holds:
            causes[fact.cause] = fact.reason
        if causes:
            self.symbols[fact.symbol] = causes

    def untradable(self) -> list[Block]:
        """Why single symbols cannot be bought while others can."""
        return [block for symbol in self.symbols for block in self.of_symbol(symbol)]

    def of_symbol(self, symbol: str) -> list[Block]:
        """What stands against entries of this one."""
        causes = self.symbols.get(symbol, {})
        return [Block(f"SYMBOL_{cause}", f"{symbol}: {reason}") for cause, reason in causes.items()]

    def take(self, fact: FeedStatus | Health | SymbolStatus | Command) -> None:
        match fact:
            case FeedStatus():
                self.follow(fact)
            case Health():
                self.feel(fact)
            case SymbolStatus():
                self.hold(fact)
            case _:
                self.obey(fact)

    def follow(self, fact: FeedStatus) -> None:
        self.not_live.pop(fact.feed, None)
        if fact.status != LIVE:
            self.not_live[fact.feed] = fact.status

    def feel(self, fact: Health) -> None:
        """A value that is no number is beyond any limit."""
        before = self.unwell.pop(fact.name, None)
        if not fact.value <= fact.limit:
            since_ns = before.since_ns if before else fact.time_ns
            self.unwell[fact.name] = Unwell(fact.value, fact.limit, since_ns)

    def obey(self, fact: Command) -> None:
        if fact.name in RELEASES:
            self.halts.pop(RELEASES[fact.name], None)
        elif fact.name in (PAUSE, KILL):
            level = fact.argument if fact.name == KILL else ""
            before = self.halts.get(fact.name)
            if before is None or _reach(level) > _reach(before.level):
                self.halts[fact.name] = Halt(level, fact.operator, fact.reason, fact.time_ns)

    def blocks(self) -> list[Block]:
        halted = [Block("HALTED", _told(name, one)) for name, one in self.halts.items()]
        stale = [Block("DATA_STALE", f"feed {feed} is {status}") for feed, status in self.not_live.items()]
        unwell = [
            Block(f"HEALTH_{name.upper()}", f"{one.value:g} > {one.limit:g}") for name, one in self.unwell.items()
        ]
        return [*halted, *stale, *unwell]


def _told(name: str, halt: Halt) -> str:
    return " ".join(filter(None, (name, halt.level, halt.operator and f"by {halt.operator}")))


def _reach(level: str) -> int:
    """An unknown word counts as the furthest: it is not known to be less."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
