"""Recorded raw sessions as feeds: what a venue sent, through the codec that live feeds use.

Rows come in order of receipt, each at its venue's own time, and prove that time only: nothing is
added, no heartbeat, no sorting. A first pass over the recording finds what must be known before
the first fact: the symbols, and that the protocol is understood at all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from adapters.archives import reading
from adapters.cleaning import Cleaner, CleaningSettings, Findings, cleaned
from adapters.codecs.codec import MARKET_KINDS, RowBuffer
from adapters.codecs.protocols import PROTOCOLS, known
from adapters.feed_errors import EmptyError, FeedError, FormatError, LayoutError
from adapters.raw_cryptofeed import CryptofeedRecording
from adapters.raw_lines import HEAD, LineRecording, Recording, head
from adapters.raw_survey import Decoding, Survey, protocol_of, survey
from engine.blocks import Bars, MarketBlock
from engine.messages import FOREVER_NS, NEVER_NS
from engine.ports import Item

BATCH_ROWS = 16_384
"""Rows decoded before they become blocks."""

LATENESS_NS = 250_000_000
"""What live feeds wait for late rows: a recorded session brings them as late as it received them."""

UNREAD = (
    "unwanted_symbol", "unwanted_kind", "unfinished_bar", "outside_range", "unknown_message", "malformed_frame",
    "malformed_record",
)  # fmt: skip
"""Why a message, or a row of one, was not looked at any further."""

HEADER = b'"t":"header"'


class RawOptions(BaseModel):
    """Every field is safe to leave out.

    protocol    of recordings that do not name their exchange; default: the one that understands the first messages
    kinds       rows wanted. Quotes are on request: they are most of a recording, nothing is detected on them, and
                Binance stamps spot quotes with nothing, so that their times are those of another clock
    symbols     venue symbols wanted, as the venue writes them; default: all
    start_ns    first moment wanted, of a bar's open or a row; `end_ns` is the first not wanted
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str = ""
    kinds: frozenset[str] = frozenset(("trades", "bars"))
    symbols: tuple[str, ...] = ()
    start_ns: int = NEVER_NS
    end_ns: int = FOREVER_NS
    cleaning: CleaningSettings = Field(default_factory=CleaningSettings)

    @field_validator("protocol")
    @classmethod
    def _known_protocol(cls, value: str) -> str:
        if value and value not in PROTOCOLS:
            raise ValueError(f"protocol must be one of {known()}, was {value!r}")
        return value

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, value: frozenset[str]) -> frozenset[str]:
        if not value or value - MARKET_KINDS:
            raise ValueError(f"kinds must be some of {', '.join(sorted(MARKET_KINDS))}, was {sorted(value)}")
        return value

    @model_validator(mode="after")
    def _forward(self) -> "RawOptions":
        if self.start_ns >= self.end_ns:
            raise ValueError(f"start_ns must be before end_ns {self.end_ns}, was {self.start_ns}")
        return self


class RawFeed:
    """One recording, of one file or of several that follow each other. `facts` may be asked for
    again; every time it gives the same rows."""

    lateness_ns = LATENESS_NS

    def __init__(self, recording: Recording, protocol: str, found: Survey, options: RawOptions) -> None:
        """Raises LayoutError where a wanted symbol is not there, EmptyError where no row is."""
        self.name = "+".join(path.name for path in recording.paths)
        self.protocol = protocol
        self.recording = recording
        self.found = found
        self.symbols = _chosen(self.name, found, options.symbols)
        self._options = options
        self._messages = found.messages
        self._told = found.told
        self._cleaned: Counter[str] = Counter(rows=self.rows_estimate)
        self.findings: Findings | None = None
        self._negative: frozenset[str] = frozenset()

    def allow_negative(self, symbols: frozenset[str]) -> None:
        """Prices of these may be 0 or less; others that are so are withheld."""
        self._negative = symbols

    @property
    def kind(self) -> str:
        """What orders match on: trades where there are any, else bars, else quotes."""
        return next((kind for kind in ("trades", "bars") if self._rows_of(kind)), "quotes")

    @property
    def timeframe(self) -> str:
        """The shortest of the bars; "" where there are trades."""
        return "" if self.kind == "trades" else self.found.timeframe

    @property
    def rows_estimate(self) -> int:
        return sum(map(self._rows_of, self.found.rows))

    @property
    def counts(self) -> Mapping[str, int]:
        """`rows` read, then why some did not come out. A message that could not be read or was not
        wanted counts as one row. Final after `facts`."""
        unread = Counter({reason: self._told[reason] for reason in UNREAD})
        counts = self._cleaned + unread
        counts["rows"] += unread.total()
        return dict(counts)

    @property
    def messages(self) -> Mapping[str, int]:
        """`messages` received in all; those without rows by what they were, and what was recorded
        beside them: `http`, `connections`, `reconnections`. Final after `facts`."""
        beside = {name: count for name, count in sorted(self._told.items()) if count and name not in UNREAD}
        return {"messages": self._messages} | beside

    @property
    def unknown_kinds(self) -> Mapping[str, int]:
        """The venue's words for the messages that nobody knew, most frequent first."""
        return dict(self.found.unknown_kinds.most_common())

    @cached_property
    def content_hash(self) -> str:
        """BLAKE2b of the file's bytes as they lie on the disk; of several files, of their hashes."""
        hashes = [_hash(path) for path in self.recording.paths]
        return hashes[0] if len(hashes) == 1 else blake2b("".join(hashes).encode(), digest_size=32).hexdigest()

    def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
        """Blocks of at most `chunk` rows, then EndOfFeed at the latest row (NEVER_NS without rows)."""
        wanted = {symbol: numbers[symbol] for symbol in self.symbols}
        rows = RowBuffer(wanted, feed, self._options.kinds)
        decoding = Decoding(self.recording, self.protocol, rows)
        consecutive = PROTOCOLS[self.protocol].consecutive_ids
        settings = self._options.cleaning.model_copy(update={"consecutive_ids": consecutive})
        cleaner = Cleaner(wanted, settings, source=self.name, allows_negative=self._negative)
        self.findings = cleaner.findings
        outside: Counter[str] = Counter()
        yield from cleaned(_wanted(decoding.blocks(BATCH_ROWS), self._options, outside), cleaner, feed, chunk)
        self._messages = decoding.messages
        self._told = rows.counts + self.recording.counts + outside
        self._cleaned = Counter(cleaner.counts)
        if self._messages != self.found.messages:
            raise FormatError(
                f"{self.name}: must not change while it is read, "
                f"was {self._messages:,} messages instead of {self.found.messages:,}"
            )

    def _rows_of(self, kind: str) -> int:
        counted = self.found.rows[kind]
        return sum(counted[symbol] for symbol in self.symbols)


def is_raw(path: Path) -> bool:
    """Whether the file is a recording of raw messages, by its first bytes."""
    try:
        first = head(path)
    except FeedError:
        return False
    return _is_cryptofeed(first) or HEAD.match(first) is not None


def open_raw(paths: Path | Sequence[Path], options: RawOptions | None = None) -> RawFeed:
    """One recording, whose files are given in order of time. Raises FeedError."""
    files = (paths,) if isinstance(paths, Path) else tuple(paths)
    chosen = options or RawOptions()
    recording = _recording(files)
    protocol = protocol_of(recording, chosen.protocol)
    return RawFeed(recording, protocol, survey(recording, protocol, chosen.kinds), chosen)


def open_recordings(paths: Sequence[Path], options: RawOptions | None = None) -> list[RawFeed]:
    """Files of one recording as one feed: those of one protocol and symbol that follow each other
    in time. Raises FeedError."""
    chosen = options or RawOptions()
    feeds: list[RawFeed] = []
    for feed in sorted((open_raw(path, chosen) for path in paths), key=_begins):
        place = next((place for place, earlier in enumerate(feeds) if _continues(earlier, feed)), None)
        if place is None:
            feeds.append(feed)
        else:
            feeds[place] = _joined(feeds[place], feed, chosen)
    return feeds


def _recording(paths: tuple[Path, ...]) -> Recording:
    if not any(_is_cryptofeed(head(path)) for path in paths):
        return LineRecording(paths)
    if len(paths) > 1:
        raise FormatError(f"{paths[0]}: a recording of cryptofeed must be one file, was {len(paths)}")
    return CryptofeedRecording(paths[0])


def _begins(feed: RawFeed) -> int:
    return feed.recording.first_ns


def _continues(earlier: RawFeed, later: RawFeed) -> bool:
    lines = isinstance(earlier.recording, LineRecording) and isinstance(later.recording, LineRecording)
    same = earlier.protocol == later.protocol and not set(earlier.symbols).isdisjoint(later.symbols)
    return lines and same and earlier.recording.last_ns <= later.recording.first_ns


def _joined(earlier: RawFeed, later: RawFeed, options: RawOptions) -> RawFeed:
    recording = LineRecording((*earlier.recording.paths, *later.recording.paths))
    recording.first_ns, recording.last_ns = earlier.recording.first_ns, later.recording.last_ns
    return RawFeed(recording, earlier.protocol, earlier.found + later.found, options)


def _is_cryptofeed(first: bytes) -> bool:
    return first.startswith(b"{") and HEADER in first.split(b"\n", 1)[0].replace(b" ", b"")


def _chosen(name: str, found: Survey, wanted: tuple[str, ...]) -> tuple[str, ...]:
    if not found.symbols:
        raise EmptyError(f"{name}: must hold rows of the kinds asked for, was {dict(found.told) or 'empty'}")
    for symbol in wanted:
        if symbol not in found.symbols:
            shown = ", ".join(found.symbols[:40])
            raise LayoutError(f"{name}: symbol must be one of {shown}, was {symbol}")
    return tuple(sorted(set(wanted))) or found.symbols


def _wanted(
    blocks: Iterator[MarketBlock], options: RawOptions, outside: Counter[str]
) -> Iterator[tuple[MarketBlock, None]]:
    """Rows of the range, without places: no row has a line of its own. What is outside is counted."""
    for block in blocks:
        begins_ns = block.open_ns if isinstance(block, Bars) else block.row_ns
        inside = (begins_ns >= options.start_ns) & (begins_ns < options.end_ns)
        if inside.all():
            yield block, None
            continue
        outside["outside_range"] += int(np.count_nonzero(~inside))
        yield type(block).of(**{name: column[inside] for name, column in block.columns().items()}), None


def _hash(path: Path) -> str:
    with reading(str(path)), path.open("rb") as stream:
        return file_digest(stream, lambda: blake2b(digest_size=32)).hexdigest()
