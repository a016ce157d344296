"""What a venue says of its symbols while they are traded: halts as they come, and what they are once an hour.

A symbol that cannot be traded as the session knows it is not bought until the venue takes it back. Other symbols
go on.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from adapters.live.intake import Intake
from adapters.live.lost import LostError
from adapters.live.outlet import Outlet
from adapters.live.rest import Rest
from adapters.live.settings import FeedSettings
from adapters.live.venue import Venue
from adapters.venue_metadata import MetadataError, UnlistedError, recognised
from engine.definitions import Definition, VenueMetadata
from engine.instruments import InstrumentError
from engine.live.ports import Clock, FeedRefusedError
from engine.messages import SymbolStatus

HALTED: Final = "HALTED"
DELISTED: Final = "DELISTED"
REDEFINED: Final = "REDEFINED"

CAUSES: Final = (HALTED, DELISTED, REDEFINED)

UNKNOWN: Final = ("HTTP status 400", "HTTP status 404")
"""What venues answer to a symbol that they do not know, where they have no word of their own for it."""

SILENT: Final = (LostError, FeedRefusedError, MetadataError)
"""No answer, or one that cannot be read: limits of requests, maintenance. It says nothing of any symbol."""

RESUMED_NS: Final = 10_000_000_000
"""A trade so much later than a halt was told of proves that the halt is over: trades are reported within this."""

RETRY_S: Final = 60.0
"""How soon a venue is asked again that has left a symbol open."""

TAKEN_BACK: Final = "as it was"
TRADED: Final = "it trades, and its venue says nothing else of it"


class SymbolWatch:
    """`known` is what the venue said of its instruments when the session began.

    A hold outlives the run that heard of it, so the first word on each symbol is told in any case. What a venue never
    says a word about is taken back by the first trade since the start: that of a halt everywhere, and of any cause
    where the venue has no metadata. Until then the hold stands.
    """

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
        told_ns = clock.now_ns() - RESUMED_NS
        causes = CAUSES if known is None or venue.metadata is None else (HALTED,)
        self._until_traded = {(symbol, cause): told_ns for symbol in settings.symbols for cause in causes}
        self._unseen = dict.fromkeys(settings.symbols)
        self._held: dict[tuple[str, str], str] = {}
        intake.on_status = self._on_status

    async def run(self) -> None:
        """Until cancelled."""
        due_ns = 0
        while True:
            self._resume()
            if self._clock.monotonic_ns() >= due_ns:
                is_whole = await self._refresh()
                wait_s = self._settings.refresh_s if is_whole else min(RETRY_S, self._settings.refresh_s)
                due_ns = self._clock.monotonic_ns() + int(wait_s * 1e9)
            await self._clock.sleep(min(1.0, self._settings.refresh_s))

    def _on_status(self, symbol: str, trades: bool, reason: str) -> None:
        """That it trades is told in any case: an earlier run may have heard of the halt."""
        if not trades:
            self._until_traded[symbol, HALTED] = self._clock.now_ns()
        else:
            self._until_traded.pop((symbol, HALTED), None)
        self._say(symbol, HALTED, "" if trades else reason, always=trades)

    def _resume(self) -> None:
        """The word that a halt is over may be lost with a connection; that it trades is told by trades.

        Of a bar all of it must be later than the halt: its trades may be as old as its open.
        """
        traded_ns = self._intake.opened_ns if self._settings.data == "bars" else self._intake.last_ns
        for symbol, cause in [
            one for one, at in self._until_traded.items() if traded_ns.get(one[0], 0) > at + RESUMED_NS
        ]:
            del self._until_traded[symbol, cause]
            self._say(symbol, cause, "", always=True, back=TAKEN_BACK if cause == HALTED else TRADED)

    async def _refresh(self) -> bool:
        """Whether something was learnt of each symbol; of a venue without metadata there is nothing to learn."""
        if self._venue.metadata is None or self._known is None:
            return True
        found: Mapping[str, Definition | None] = {}
        with suppress(*SILENT):
            found = await self._asked(self._settings.symbols)
        for symbol, definition in found.items():
            self._compare(symbol, definition)
        return len(found) == len(self._settings.symbols)

    async def _asked(self, symbols: Sequence[str]) -> Mapping[str, Definition | None]:
        """What was learnt: None for what the venue does not know any more, nothing of what its answer leaves open.

        Raises what SILENT names.
        """
        assert self._venue.metadata is not None
        try:
            return _read(self._venue.name, await self._venue.metadata(self._rest, symbols), symbols)
        except UnlistedError:
            pass
        except LostError as lost:
            if lost.reason not in UNKNOWN:
                raise
        if len(symbols) == 1:
            return {symbols[0]: None}
        # One that is not known spoils the answer for all.
        found: dict[str, Definition | None] = {}
        for symbol in symbols:
            with suppress(*SILENT):
                found.update(await self._asked((symbol,)))
        return found

    def _compare(self, symbol: str, found: Definition | None) -> None:
        is_first = symbol in self._unseen
        self._unseen.pop(symbol, None)
        known = self._known.definition(symbol) if self._known is not None else None
        gone = "" if found is not None and found.trades else "the venue does not trade it"
        changed = _changes(known, found) if known is not None and found is not None else ()
        self._say(symbol, DELISTED, gone, always=is_first)
        self._say(symbol, REDEFINED, ", ".join(changed), always=is_first)

    def _say(
        self, symbol: str, cause: str, reason: str, *, always: bool = False, back: str = TAKEN_BACK
    ) -> None:  # fmt: skip
        """Where it is not what was said last; "" takes back."""
        if self._held.get((symbol, cause), "") == reason and not always:
            return
        self._held[symbol, cause] = reason
        self._outlet.say(SymbolStatus(self._clock.now_ns(), symbol, cause, bool(reason), reason or back))


def _read(venue: str, told: bytes, symbols: Sequence[str]) -> Mapping[str, Definition | None]:
    """A damaged entry says nothing, of its own symbol alone. Raises MetadataError."""
    listed = recognised(venue, told)
    if listed.venue.lower() != venue or not listed.symbols:
        raise MetadataError(f"{listed.name}: must list instruments of {venue}, was a document without")
    found: dict[str, Definition | None] = {}
    for symbol in symbols:
        with suppress(InstrumentError):
            found[symbol] = listed.definition(symbol)
    return found


def _changes(known: Definition, found: Definition) -> Sequence[str]:
    """What of a definition is not as the session knows it."""
    before, now = known.said, found.said
    return [f"{name} is {now[name]}, was {before.get(name)}" for name in now if now[name] != before.get(name)]
