"""Phases NONE and A: a climax opens a range, a rally and a test give it its levels (4.4 T1 to T4)."""

from dataclasses import replace
from math import isnan, nan

from tests.wyckoff.reference import book, events, levels
from tests.wyckoff.reference.features import Bar
from tests.wyckoff.reference.gates import Gates
from tests.wyckoff.reference.machine import Machine
from tests.wyckoff.reference.ranges import Range
from tests.wyckoff.reference.swings import Start, Swing, swing_lows


class Beginning(Machine):
    """The part of a machine that leads to phase B."""

    # T1.

    def seek_climax(self) -> None:
        """3.2: the newest candidate of the last five bars, where it is confirmed at this bar and was not before.

        Reading: candidates are watched in every phase but A; one that is confirmed while its range
        lives (B, C, D) is forgotten.
        """
        climax = self.candidate()
        if climax is not None and events.closed_off_low(self.bars, climax, self.gates):
            if self.phase in ("NONE", "E"):
                self.open(climax, "T1")
            elif self.phase == "B" and self.open_range.is_soft and not self.parts.b_never_back_to_a:
                self.open(climax, "T20")
            return
        waits = climax is not None and self.now.number - climax.number < book.SC_CONFIRM_BARS
        if self.phase == "NONE" and not waits:
            self.seek_soft_stop()

    def seek_soft_stop(self) -> None:
        """3.2: no climax, but the lowest pivot low after a fall of 4 ATR, and a rally of 2 ATR from it.

        Readings: lowest of 60 bars and not undercut since; a climax that waits goes first; the pivot
        confirms while there is no range, and the rally comes within 15 bars of it.
        """
        for swing in reversed(self.view.swings):
            if self.now.number - swing.number > book.SOFT_HELD_BARS:
                return
            if swing.number + self.scale.pivot_k >= self.none_from and events.is_soft_stop(
                self.bars, swing, self.gates
            ):
                self.open_soft(swing)
                return

    def open_soft(self, anchor: Bar) -> None:
        """Its volume and spread, which tests are held against, count for at least 1."""
        score = min(book.SOFT_CAP, events.climax_score(self.bars, anchor, self.close_points))
        self.move("T1", "A")
        self.range = Range(
            climax=replace(anchor, vr=max(anchor.vr, book.SOFT_LEAST), sr=max(anchor.sr, book.SOFT_LEAST)),
            known=self.now.number, support=anchor.low, is_soft=True, scores={"SC": [score]},
        )  # fmt: skip
        self.emit("SOFT_STOP", anchor, anchor.low, score)

    @property
    def close_points(self) -> float:
        return book.BC_CLOSE_POINTS if self.is_exception else book.SC_CLOSE_POINTS

    def candidate(self) -> Bar | None:
        first = max(self.watch_from, self.now.number - book.SC_CONFIRM_BARS)
        for place in range(self.now.number, first - 1, -1):
            gates = self.gates if place == self.now.number else Gates()
            if events.is_climax(self.bars, place, gates):
                climax = self.bars[place]
                known = any(events.is_confirmed_by(climax, bar) for bar in self.bars[place:-1])
                return None if known else climax
        return None

    def open(self, climax: Bar, edge: str) -> None:
        """A range begins at its climax; 2.2: S is the climax's low until a secondary test lowers it."""
        score = events.climax_score(self.bars, climax, self.close_points)
        was_soft = self.range is not None and self.range.is_soft
        old, ps_score = self.names.get("SOFT_STOP" if was_soft else "SC"), nan
        self.move(edge, "A")
        if edge == "T2" and not was_soft:
            ps_score = self.relabel(climax)
        self.range = Range(climax=climax, known=self.now.number, support=climax.low, scores={"SC": [score]})
        self.range.ps_score = ps_score
        replaces = edge != "T1" and isnan(ps_score)
        self.emit("SC", climax, climax.low, score, supersedes=old if replaces else None)

    def relabel(self, climax: Bar) -> float:
        """T2: the old climax becomes preliminary support, where it was one; NaN where not."""
        old = self.open_range.climax
        score = events.preliminary_support(self.bars, old, climax, self.gates)
        if score is None:
            return nan
        self.emit("PS", old, old.low, score, supersedes=self.names["SC"])
        return score

    # T2, T3, T4.

    def in_a(self) -> None:
        """Readings: a far close is looked at only while no lower climax is waiting; a pending one that
        expires drops the range; T3's 20 bars are consecutive closes inside, from the rally's confirmation."""
        if self.anew_after_soft_stop() if self.open_range.is_soft else self.lower_climax():
            return
        range_, now = self.open_range, self.now
        far = range_.support - book.FAIL_ATR * now.atr_before
        if self.gates.below("T4 close", now.close, far) and self.gates.at_least("T4 vr", now.vr, 1.0):
            self.drop()
            return
        if range_.rally is None:
            self.seek_rally()
        if self.range is None or range_.rally is None:
            return
        self.seek_tests()
        assert range_.zigzag is not None
        held = self.bars[max(range_.zigzag.known, now.number - book.HOLD_BARS + 1) :]
        if range_.tests:
            self.begin_b()
        elif len(held) == book.HOLD_BARS and all(range_.support <= bar.close <= range_.resistance for bar in held):
            range_.was_held = True
            self.begin_b()
        elif now.number - range_.rally.number >= book.ST_BARS:
            self.drop()

    def drop(self) -> None:
        """T4. A climax is sought again from this bar on."""
        self.end("T4")
        self.watch_from = self.now.number

    def anew_after_soft_stop(self) -> bool:
        """Reading: a climax after a soft stop takes its place; one that is not confirmed, or a lower low
        that is no climax, ends the range."""
        range_, now = self.open_range, self.now
        if events.is_climax(self.bars, now.number, self.gates):
            range_.pending = now
        if range_.pending is None:
            if now.low < range_.climax.low:
                self.drop()
            return self.range is None
        if events.closed_off_low(self.bars, range_.pending, self.gates):
            self.open(range_.pending, "T2")
        elif now.number - range_.pending.number >= book.SC_CONFIRM_BARS:
            self.drop()
        return True

    def lower_climax(self) -> bool:
        """3.2 relabel: is a lower climactic bar there, waiting for its close off the low, or confirmed now?"""
        range_, now = self.open_range, self.now
        least = (range_.pending or range_.climax).low
        if (
            now.low < least
            and now.sr > 0.0
            and now.volume >= now.edge_volume
            and self.gates.at_least("T2 vr", now.vr, book.SC_AGAIN_VR * range_.climax.vr)
        ):
            range_.pending = now
        if range_.pending is None:
            return False
        if events.closed_off_low(self.bars, range_.pending, self.gates):
            self.open(range_.pending, "T2")
        elif now.number - range_.pending.number >= book.SC_CONFIRM_BARS:
            self.drop()
        return True

    def seek_rally(self) -> None:
        range_ = self.open_range
        top = events.rally(self.bars, range_.climax, self.scale.ar_floor, self.gates)
        if top is not None:
            range_.rally, range_.resistance, range_.atr = top, top.high, self.now.atr_before
            score = events.rally_score(self.bars, range_.climax, top)
            range_.scores["AR"] = [score]
            self.emit("AR", top, top.high, score)
            range_.zigzag = Start(top.number + 1, top.high, range_.support, self.now.number)
        elif events.is_overdue(self.bars, range_.climax):
            self.drop()

    def seek_tests(self) -> None:
        """3.4: swing lows that this bar confirms."""
        range_ = self.open_range
        assert range_.zigzag is not None
        for swing in swing_lows(self.bars, range_.zigzag):
            if max(swing.confirm, range_.zigzag.known) == self.now.number and self.is_test(swing):
                self.accept_test(swing)

    def is_test(self, swing: Swing) -> bool:
        range_ = self.open_range
        assert range_.rally is not None
        if not events.is_secondary_test(swing, range_.climax, range_.rally, self.gates):
            return False
        return not range_.tests or events.are_apart(self.bars, range_.tests[-1], swing, self.gates)

    def accept_test(self, swing: Swing) -> None:
        """In A an accepted test may lower S (2.2, 3.2), in B a little (2.5)."""
        range_ = self.open_range
        assert range_.rally is not None
        score = events.secondary_test_score(swing, range_.climax, range_.rally)
        range_.scores.setdefault("ST", []).append(score)
        range_.tests.append(swing.low)
        self.lower_support(swing.low.low)
        self.emit("ST", swing.low, swing.low.low, score)

    def freeze(self) -> None:
        """2.5, 2.6: levels freeze and the cause is counted when the range becomes ACTIVE. Reading: from phase B on."""
        range_ = self.open_range
        if isnan(range_.frozen) and range_.is_active(self.now):
            range_.frozen = range_.support
            start = range_.climax.number
            range_.objective = levels.count_objective(self.bars, start, range_.support, range_.atr, book.TICK)

    def begin_b(self) -> None:
        """T3, with the width of 2.2. Reading: a range too narrow or too wide is dropped here."""
        range_ = self.open_range
        if not levels.width_fits(range_.support, range_.resistance, range_.atr, self.scale.width_floor):
            self.drop()
            return
        self.move("T3", "B")
        self.watch_from = self.now.number
        range_.b_start, range_.cause = self.now.number, []
        range_.earliest_break = range_.earliest_thrust = self.now.number + 1
        self.freeze()
        self.measure()
