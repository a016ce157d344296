"""What every machine of section 4.4 shares: its views of the bars, its phase, how it speaks, its confidence."""

from dataclasses import dataclass
from math import isnan

from tests.wyckoff.reference import book
from tests.wyckoff.reference.features import Bar
from tests.wyckoff.reference.gates import Gates
from tests.wyckoff.reference.parts import Parts
from tests.wyckoff.reference.ranges import Name, Range, confidence


@dataclass(frozen=True)
class Found:
    """An event in the view of its side. `range_start_ns` and `range_bars` are those of the climax's range."""

    kind: str
    bar: Bar
    price: float
    score: float
    phase: str
    support: float
    resistance: float
    range_start_ns: int
    range_bars: int
    variant: int
    supersedes: Name | None
    follows: Name | None
    origin: str
    objective: float
    quality: float
    support_strength: float
    resistance_strength: float


@dataclass
class View:
    """The bars and the confirmed swing lows of one view; grows bar by bar."""

    bars: list[Bar]
    swings: list[Bar]


class Machine:
    """Sees `view` as its own and `other`, the mirrored one; both end with the newest bar. `direction` is +1 or -1.

    `told` is the list all machines of a market speak into, in the order in which they do.
    """

    is_cluster = False

    def __init__(self, direction: int, views: tuple[View, View], scale: book.Scale, parts: Parts) -> None:
        self.direction, self.scale, self.parts = direction, scale, parts
        self.view, self.other = views
        self.is_exception = direction < 0
        self.phase, self.edge = "NONE", ""
        self.range: Range | None = None
        self.watch_from = self.none_from = book.PRIOR_BARS - 1
        self.confidence = 0.0
        self.changed = False
        self.told: list[tuple[Machine, Found]] = []
        self.names: dict[str, Name] = {}
        self.gates = Gates()

    @property
    def bars(self) -> list[Bar]:
        return self.view.bars

    @property
    def now(self) -> Bar:
        return self.view.bars[-1]

    @property
    def open_range(self) -> Range:
        assert self.range is not None
        return self.range

    def begin_bar(self) -> None:
        self.gates.bar = self.now.number
        self.changed = False

    def settle(self, *, is_opposed: bool, has_swing: bool) -> None:
        """T13, then 4.2. Readings: a climax is sought again from the next bar on; confidence is worked out
        where something changed or a swing confirmed."""
        if is_opposed and self.phase == "E":
            self.end("T13")
            self.watch_from = self.none_from = self.now.number + 1
        if has_swing and self.phase in ("B", "C", "D", "E"):
            self.measure()
        if self.changed:
            self.confidence = 0.0 if self.range is None else confidence(self.phase, self.range, self.bars)

    def move(self, edge: str, phase: str) -> None:
        self.edge, self.phase, self.changed = edge, phase, True

    def end(self, edge: str) -> None:
        """The range is forgotten; a climax that waits for its confirmation outlives it."""
        self.move(edge, "NONE")
        self.range, self.none_from = None, self.now.number

    def stop(self) -> None:
        """T14: after a gap nothing is known; nothing failed either. Candidates are forgotten."""
        self.edge, self.phase, self.range, self.confidence = "T14", "NONE", None, 0.0
        self.watch_from = self.none_from = self.now.number

    def emit(
        self, kind: str, bar: Bar, price: float, score: float, variant: int = 0, supersedes: Name | None = None
    ) -> None:
        range_ = self.open_range
        found = Found(
            kind=kind,
            bar=bar,
            price=price,
            score=min(score, self.scale.score_cap),
            phase=self.phase,
            support=range_.support,
            resistance=range_.resistance,
            range_start_ns=range_.climax.open_ns,
            range_bars=range_.age(self.now),
            variant=variant,
            supersedes=supersedes,
            follows=range_.last,
            origin=range_.origin,
            objective=range_.objective,
            quality=range_.quality,
            support_strength=range_.support_strength,
            resistance_strength=range_.resistance_strength,
        )
        self.told.append((self, found))
        self.names[kind] = range_.last = (kind, bar.number, self.now.number)
        self.changed = True

    def fail(self, edge: str) -> None:
        """RANGE_FAILED. 4.6: labelled 1 without volume (vr 1.5), 2 with it, 3 after two upthrusts."""
        range_, now = self.open_range, self.now
        label = 3 if range_.upthrusts >= book.LABEL_UTS else 2 if now.vr > book.LABEL_VR else 1
        self.move(edge, "NONE")
        self.emit("RANGE_FAILED", now, now.close, 0.0, label)
        self.end(edge)

    def measure(self) -> None:
        """2.3, 2.4; confidence follows."""
        self.changed = True
        lows, highs = (view.swings[-book.SWINGS_SEEN :] for view in (self.view, self.other))
        self.open_range.measure(lows, highs, self.now)

    def lower_support(self, low: float) -> None:
        """2.2: S = min(S, accepted ST low). 2.5: once ACTIVE, no further than .25 ATR from where it was frozen."""
        range_ = self.open_range
        if not isnan(range_.frozen):
            low = max(low, range_.frozen - book.FREEZE_ATR * range_.atr)
        range_.support = min(range_.support, low)
