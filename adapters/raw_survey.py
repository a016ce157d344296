"""What a recording holds, found by decoding it once: symbols, kinds of rows, whether it is understood.

Nothing is kept but names and counts. The protocol comes from the exchange that the recording names;
where it names none, from the first messages: the codec that understands most of them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from adapters.codecs.codec import Codec, RowBuffer
from adapters.codecs.protocols import PROTOCOLS, known, of_exchange
from adapters.feed_errors import LayoutError
from adapters.raw_lines import Recording
from engine.blocks import MarketBlock
from engine.timeframes import LENGTH_NS

SAMPLE = 200
"""Messages that decide which protocol a recording without an exchange speaks."""

FOREIGN_SHARE = 4
"""A codec understands less than a quarter of another venue's messages: some acknowledgements look alike."""


@dataclass(frozen=True, slots=True)
class Survey:
    """`rows` is kind -> symbol -> rows. `timeframe` is the shortest of the bars, "" without bars.
    `told` is what the codecs counted, `unknown_kinds` the venue's words for what nobody knew."""

    rows: Mapping[str, Counter[str]]
    timeframe: str
    messages: int
    told: Counter[str]
    unknown_kinds: Counter[str]

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(sorted({symbol for counted in self.rows.values() for symbol in counted}))

    def __add__(self, other: "Survey") -> "Survey":
        rows = {kind: self.rows[kind] + other.rows[kind] for kind in self.rows}
        timeframe = shorter(self.timeframe, other.timeframe)
        unknown = self.unknown_kinds + other.unknown_kinds
        return Survey(rows, timeframe, self.messages + other.messages, self.told + other.told, unknown)


class Decoding:
    """A recording through one codec a connection into `rows`. `messages` is final after `blocks`."""

    def __init__(self, recording: Recording, protocol: str, rows: RowBuffer) -> None:
        self.messages = 0
        self._recording = recording
        self._make = PROTOCOLS[protocol].make
        self._rows = rows

    def blocks(self, batch: int) -> Iterator[MarketBlock]:
        """All rows, at most about `batch` at a time."""
        codecs: dict[int, Codec] = {}
        rows, messages = self._rows, 0
        for received_ns, connection, frame in self._recording.frames():
            codec = codecs.get(connection)
            if codec is None:
                codec = codecs[connection] = self._make()
            codec.decode(frame, received_ns, rows)
            messages += 1
            if rows.rows >= batch:
                yield from rows.take()
        self.messages = messages
        yield from rows.take()


def survey(recording: Recording, protocol: str, kinds: frozenset[str]) -> Survey:
    """Reads all of it. Raises FeedError where the container is damaged."""
    seen = _Seen(kinds)
    decoding = Decoding(recording, protocol, seen)
    for _ in decoding.blocks(1):
        raise AssertionError("a survey keeps no rows")
    told = seen.counts + recording.counts
    return Survey(seen.seen, seen.timeframe, decoding.messages, told, seen.unknown_kinds)


def protocol_of(recording: Recording, named: str = "") -> str:
    """`named`, or the protocol of the recording's exchange, or that of its messages. Raises LayoutError."""
    source = recording.paths[0]
    candidates = [named] if named else of_exchange(recording.exchange) if recording.exchange else list(PROTOCOLS)
    if not candidates:
        raise LayoutError(f"{source}: exchange must speak one of {known()}, was {recording.exchange}")
    if len(candidates) == 1:
        return candidates[0]
    sample = list(islice(recording.frames(), SAMPLE))
    understood = sorted(((_understood(sample, name), name) for name in candidates), reverse=True)
    (most, best), (next_most, second) = understood[:2]
    if most * FOREIGN_SHARE <= len(sample):
        raise LayoutError(f"{source}: messages must be of one of {known()}, was {_shown(sample)}")
    if most == next_most:
        raise LayoutError(f"{source}: messages could be of {second} or of {best}: name the protocol")
    return best


def shorter(one: str, other: str) -> str:
    """The shorter of two timeframes, of which either may be ""."""
    return min(filter(None, (one, other)), key=LENGTH_NS.__getitem__, default="")


def _understood(sample: list[tuple[int, int, bytes]], protocol: str) -> int:
    seen = _Seen(frozenset(("trades", "quotes", "bars")))
    codecs: dict[int, Codec] = {}
    for received_ns, connection, frame in sample:
        codecs.setdefault(connection, PROTOCOLS[protocol].make()).decode(frame, received_ns, seen)
    return len(sample) - seen.counts["unknown_message"] - seen.counts["malformed_frame"]


def _shown(sample: list[tuple[int, int, bytes]]) -> str:
    return repr(sample[0][2][:60]) if sample else "nothing"


class _Seen(RowBuffer):
    """Keeps the symbols and timeframes of rows instead of the rows."""

    def __init__(self, kinds: frozenset[str]) -> None:
        super().__init__({}, 0, kinds)
        self.seen: dict[str, Counter[str]] = {"trades": Counter(), "quotes": Counter(), "bars": Counter()}
        self.timeframe = ""
        self._trades, self._quotes, self._bars = self.seen["trades"], self.seen["quotes"], self.seen["bars"]

    def trade(
        self, symbol: str, time_ns: int, received_ns: int, price: float, size: float, side: int, trade_id: int
    ) -> None:
        if self.wants_trades:
            self._trades[symbol] += 1
        else:
            self.skipped()

    def quote(
        self, symbol: str, time_ns: int, received_ns: int, bid: float, bid_size: float, ask: float, ask_size: float
    ) -> None:
        if self.wants_quotes:
            self._quotes[symbol] += 1
        else:
            self.skipped()

    def bar(
        self, symbol: str, timeframe: str, open_ns: int, close_ns: int, received_ns: int,
        open_: float, high: float, low: float, close: float, volume: float, trades: int = -1,
    ) -> None:  # fmt: skip
        if self.wants_bars:
            self._bars[symbol] += 1
            self.timeframe = shorter(self.timeframe, timeframe)
        else:
            self.skipped()
