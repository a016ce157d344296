"""The machine of a cluster range: phases B to E only, seen from one side of the mirror."""

from tests.wyckoff.reference import book, levels
from tests.wyckoff.reference.clusters import trend_into
from tests.wyckoff.reference.features import Bar
from tests.wyckoff.reference.ranges import Range
from tests.wyckoff.reference.side import Side


class ClusterSide(Side):
    """No climax, rally or secondary test: touches stand in for them."""

    is_cluster = True

    def step(self) -> None:
        self.begin_bar()
        if self.phase != "NONE":
            {"B": self.in_b, "C": self.in_c, "D": self.in_d, "E": self.in_e}[self.phase]()

    def seek_tests(self) -> None:
        """3.4 is about a climax."""

    def form(self, start: int, support: float, resistance: float, touches: int, pivot: Bar) -> None:
        """T18. Readings: ATR is that before now; volume dries up where it does over the touches of support."""
        self.move("T18", "B")
        range_ = self.range = Range(
            climax=self.bars[start], known=self.now.number, support=support, resistance=resistance,
            atr=self.now.atr_before, is_cluster=True, touches=touches, trend=trend_into(self.bars, start),
        )  # fmt: skip
        range_.b_start = self.now.number
        range_.earliest_break = range_.earliest_thrust = self.now.number + 1
        near = book.TOUCH_ATR * range_.atr
        lows = levels.touches(self.view.swings[-book.SWINGS_SEEN :], support, near, start)
        range_.touches_dry_up = levels.measured(lows, support, self.now).volume_ratio < 1.0
        self.freeze()
        self.measure()
        self.emit("RANGE_FORMED", pivot, support, range_.quality)
