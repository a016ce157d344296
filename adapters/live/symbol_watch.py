"""What a venue says of its symbols while they are traded: halts as they come, and what they are once an hour.

A symbol that cannot be traded as the session knows it is not bought until the venue takes it back. Other symbols
go on.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from adapters.live.intake import Intake
from adapters.live.lost import LostError
from adapters.live.outlet import Outlet
from adapters.live.rest import Rest
from adapters.live.settings import FeedSettings
from adapters.live.venue import Venue
from adapters.venue_metadata import recognised
from engine.definitions import Definition, VenueMetadata
from engine.instruments import InstrumentError
from engine.live.ports import Clock, FeedRefusedError
from engine.messages import SymbolStatus

HALTED: Final = "HALTED"
DELISTED: Final = "DELISTED"
REDEFINED: Final = "REDEFINED"

UNKNOWN: Final = ("HTTP status 400", "HTTP status 404")
"""What venues answer to a symbol that they do not know."""

RESUMED_NS: Final = 10_000_000_000
"""A trade so much later than a halt was told of proves that the halt is over: trades are reported within this."""


class SymbolWatch:
    """`known` is what the venue said of its instruments when the session began."""

    def __init__(
        self, venue: Venue, rest: Rest, settings: FeedSettings, clock: Clock, intake: Intake, outlet: Outlet,
        known: VenueMetadata | None,
    ) -> None:  # fmt: skip
        self._venue = venue
        self._rest = rest
        self._settings = settings
        self._clock = clock
        self._intake = intake
        self._outlet = outlet
        self._known = known
        # Who tells halts does not say at the start whether one stands: an earlier run may have heard of it.
        told_ns = clock.now_ns() - RESUMED_NS
        self._halted_ns = dict.fromkeys(settings.symbols, told_ns) if venue.metadata is None else {}
        self._held: dict[tuple[str, str], str] = {}
        intake.on_status = self._on_status

    async def run(self) -> None:
        """Until cancelled. The first look is told in any case: an earlier run may have held what holds no more."""
        due_ns = 0
        while True:
            self._resume()
            if self._clock.monotonic_ns() >= due_ns:
                await self._refresh(first=due_ns == 0)
                due_ns = self._clock.monotonic_ns() + int(self._settings.refresh_s * 1e9)
            await self._clock.sleep(min(1.0, self._settings.refresh_s))

    def _on_status(self, symbol: str, trades: bool, reason: str) -> None:
        if not trades:
            self._halted_ns[symbol] = self._clock.now_ns()
        else:
            self._halted_ns.pop(symbol, None)
        self._say(symbol, HALTED, "" if trades else reason)

    def _resume(self) -> None:
        """The word that a halt is over may be lost with a connection; that it trades is told by trades."""
        last_ns = self._intake.last_ns
        for symbol in [one for one, at in self._halted_ns.items() if last_ns.get(one, 0) > at + RESUMED_NS]:
            del self._halted_ns[symbol]
            self._say(symbol, HALTED, "", always=True)

    async def _refresh(self, *, first: bool) -> None:
        """A venue that does not answer has said nothing."""
        if self._venue.metadata is None or self._known is None:
            return
        with suppress(LostError, FeedRefusedError):
            for symbol, found in (await self._asked(self._settings.symbols)).items():
                self._compare(symbol, found, first=first)

    async def _asked(self, symbols: Sequence[str]) -> dict[str, Definition | None]:
        """None for what the venue does not know any more. Raises LostError or FeedRefusedError."""
        assert self._venue.metadata is not None
        try:
            listed = recognised(self._venue.name, await self._venue.metadata(self._rest, symbols))
            return {symbol: listed.definition(symbol) for symbol in symbols}
        except LostError as lost:
            if lost.reason not in UNKNOWN:
                raise
        except InstrumentError:
            pass
        # One that is not known, or damaged, spoils the answer for all.
        if len(symbols) == 1:
            return {symbols[0]: None}
        found = [await self._asked((symbol,)) for symbol in symbols]
        return {symbol: one for each in found for symbol, one in each.items()}

    def _compare(self, symbol: str, found: Definition | None, *, first: bool) -> None:
        known = self._known.definition(symbol) if self._known is not None else None
        gone = "" if found is not None and found.trades else "the venue does not trade it"
        changed = _changes(known, found) if known is not None and found is not None else ()
        self._say(symbol, DELISTED, gone, always=first)
        self._say(symbol, REDEFINED, ", ".join(changed), always=first)

    def _say(self, symbol: str, cause: str, reason: str, *, always: bool = False) -> None:
        """Where it is not what was said last; "" takes back."""
        if self._held.get((symbol, cause), "") == reason and not always:
            return
        self._held[symbol, cause] = reason
        said = reason or "as it was"
        self._outlet.say(SymbolStatus(self._clock.now_ns(), symbol, cause, bool(reason), said))


def _changes(known: Definition, found: Definition) -> Sequence[str]:
    """What of a definition is not as the session knows it."""
    before, now = known.said, found.said
    return [f"{name} is {now[name]}, was {before.get(name)}" for name in now if now[name] != before.get(name)]
