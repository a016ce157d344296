"""Phases B to E: cause, its test, the breakout, markup (4.4 T5 to T17); one bar at a time."""

from tests.wyckoff.reference import book, probes, springs, strength
from tests.wyckoff.reference.start import Beginning
from tests.wyckoff.reference.swings import Start


class Side(Beginning):
    """The machine of one side of the mirror."""

    def step(self) -> None:
        """One bar. A range that ends at this bar leaves it free to be a new climax."""
        self.begin_bar()
        if self.phase != "NONE":
            {"A": self.in_a, "B": self.in_b, "C": self.in_c, "D": self.in_d, "E": self.in_e}[self.phase]()
        self.seek_climax()

    # B: T5, T6, T7, T15.

    def in_b(self) -> None:
        self.open_range.cause.append(self.now)
        self.freeze()
        self.watch_support()
        if self.phase == "B":
            self.watch_resistance()
        if self.phase == "B":
            self.seek_strength()
        if self.phase == "B":
            self.seek_tests()

    def watch_support(self) -> None:
        range_ = self.open_range
        range_.supports[self.now.number] = range_.support
        below = springs.break_below(self.bars, range_.supports, range_.earliest_break)
        if below is None:
            return
        if self.now.close >= range_.support:
            if not self.judge_spring(below) and self.phase == "B":
                self.judge_shakeout(below)
        elif springs.clock_ran_out(self.bars, range_.support, below, self.gates):
            self.fail("T7")

    def judge_spring(self, below: springs.Break) -> bool:
        """3.6 gates. 4.4: B must have lasted, unless the spring scores over 85 after two tests."""
        range_, now = self.open_range, self.now
        most = 1e300 if self.is_exception else self.scale.spring_depth
        if not springs.depth_fits(below, range_.support, most, self.gates):
            return False
        if not range_.is_active(now) or range_.test_count < 1:
            return False
        if self.is_exception and not (springs.is_upthrust(self.bars, below) and self.has_background()):
            return False
        self.measure()
        base, kind = self.spring_base(below), springs.spring_type(below)
        score = base / 0.8 if kind == 3 else base
        overrides = range_.test_count >= 2 and self.gates.above("spring override", score, book.B_OVERRIDE_SCORE)
        if not self.has_cause() and not overrides:
            return False
        assert below.deepest is not None
        self.accept_spring(springs.Spring(below.deepest, now.number, kind, below.vr, below.sr, base=base, score=score))
        return True

    def spring_base(self, below: springs.Break) -> float:
        range_ = self.open_range
        if self.is_exception:
            return springs.upthrust_base(self.now, below, range_.signs, has_climax=range_.has_climax)
        strong, climax, dry = range_.support_strength, range_.has_climax, range_.dries_up
        return springs.spring_base(self.now, range_.support, below, strong, has_climax=climax, dries_up=dry)

    def has_cause(self) -> bool:
        """4.4 Bmin, 5 in a re-accumulation. Reading: bars after the one that began B, also when B is entered again."""
        range_ = self.open_range
        least = springs.minimum_cause(self.bars, self.scale.b_min)
        if range_.is_cluster and range_.trend > 0:
            least = min(least, book.B_MIN_AGAIN)
        return self.gates.at_least("B bars", self.now.number - range_.b_start, least)

    def has_background(self) -> bool:
        """3.9 distribution bias: a rise led into the range, or it shows two signs of supply."""
        range_ = self.open_range
        return not range_.is_cluster or range_.trend < 0 or range_.signs >= book.UTAD_SIGNS

    def accept_spring(self, spring: springs.Spring) -> None:
        """T5; S moves down to the spring's low, the event still shows the support that was broken."""
        range_ = self.open_range
        self.move("T5", "C")
        range_.spring, range_.scores["SPRING"] = spring, [spring.score]
        range_.scores.pop("TEST", None)
        range_.tested, range_.inside = None, []
        self.emit("SPRING", spring.deepest, spring.deepest.low, spring.score, spring.type)
        range_.support = spring.deepest.low
        range_.springs += 1
        if range_.springs >= book.WARNING_SPRINGS:
            range_.lean(-book.WARNING_POINTS)
            self.emit("SUPPLY_WARNING", spring.deepest, spring.deepest.low, book.WARNING_SCORE)

    def judge_shakeout(self, below: springs.Break) -> None:
        """3.5. A sign of supply seen from the other side."""
        range_ = self.open_range
        probe = probes.shakeout(self.bars, range_.support, below, self.gates)
        if probe is not None:
            range_.lean(probe.bias)
            range_.signs += 1
            self.emit("SHAKE", probe.bar, probe.bar.low, probe.score)

    def watch_resistance(self) -> None:
        range_ = self.open_range
        probe = probes.upthrust(self.bars, range_.resistance, range_.earliest_thrust, self.gates)
        if probe is not None:
            range_.lean(probe.bias)
            range_.upthrusts += 1
            self.emit("UT", probe.bar, probe.bar.high, probe.score)

    def seek_strength(self) -> None:
        """3.10, T6, T8, T15."""
        range_, now = self.open_range, self.now
        if range_.breakout is not None:
            back = range_.resistance - book.SOS_FAIL_ATR * now.atr_before
            if self.gates.below("weak breakout close", now.close, back):
                self.forget_weak(range_.breakout)
                return
        if strength.crosses(now, range_.resistance, self.scale.sos_floor, self.gates):
            self.judge_breakout()
        elif self.is_exception:
            self.seek_minor()
        weak = range_.breakout
        if weak is None or not weak.is_weak:
            return
        if sum(bar.close > range_.resistance for bar in self.bars[weak.bar.number :]) >= book.WEAK_CLOSES:
            self.move("T15", "D")

    def forget_weak(self, weak: strength.Breakout) -> None:
        """T15. Reading: in B and C the phase stays, the weak breakout is said to have failed."""
        self.say_failed(weak)
        self.open_range.forget_breakout()

    def seek_minor(self) -> None:
        """3.10 SOW: a leg that stops at the level, from .25 ATR short of it. Reading: once, and again after 1 ATR."""
        range_, now = self.open_range, self.now
        if now.close < range_.resistance - book.MINOR_AGAIN_ATR * now.atr_before:
            range_.minor_said = False
        touches = self.gates.at_least("SOS_MINOR close", now.close, range_.resistance - book.MINOR_ATR * now.atr_before)
        if touches and range_.test_count and not range_.minor_said and self.shows_demand():
            range_.minor_said = True
            range_.signs += 1
            self.emit("SOS_MINOR", now, now.close, min(self.breakout_score(), book.WEAK_CAP))

    def shows_demand(self) -> bool:
        return strength.shows_demand(self.bars, self.gates, self.scale.sos_vr, by_ratio=self.scale.is_intraday)

    def breakout_score(self) -> float:
        range_ = self.open_range
        return strength.breakout_score(
            self.bars, range_.resistance, range_.climax.number, "SPRING" in range_.scores, "TEST" in range_.scores
        )

    def judge_breakout(self) -> None:
        """Reading: a leg out of B that T6 does not take is a weak breakout; it is said once."""
        score = self.breakout_score()
        if self.is_strong(score):
            self.move("T6" if self.phase == "B" else "T8", "D")
            self.break_out("SOS", score)
        elif self.open_range.breakout is None:
            self.break_out("BREAKOUT_WEAK", min(score, book.WEAK_CAP))

    def is_strong(self, score: float) -> bool:
        range_ = self.open_range
        if not (self.shows_demand() and range_.test_count and range_.is_active(self.now)):
            return False
        if self.phase == "C":
            return True
        self.measure()
        return (
            self.has_cause()
            and self.gates.at_least("T6 score", score, book.SOS_SCORE)
            and self.gates.at_least("T6 level", range_.resistance_strength, book.SOS_LEVEL)
        )

    def break_out(self, kind: str, score: float) -> None:
        range_ = self.open_range
        range_.breakout = strength.Breakout(self.now, kind, strength.leg_volume(self.bars), score)
        range_.backups.clear()
        range_.springs = 0 if kind == "SOS" else range_.springs
        range_.scores["SOS"] = [score]
        range_.scores.pop("LPS", None)
        self.emit(kind, self.now, self.now.close, score)

    # C: T5 again, T8, T9, T10, T15.

    def in_c(self) -> None:
        range_ = self.open_range
        range_.cause.append(self.now)
        spring = range_.spring
        assert spring is not None
        if self.gates.below("T10 close", self.now.close, spring.deepest.low):
            self.void_spring(spring)
            return
        self.watch_support()
        if range_.spring is spring:
            if self.test_spring(spring):
                self.back_to_cause("T9")
                return
            self.seek_inside_backup()
        self.seek_strength()
        assert range_.spring is not None
        if self.phase == "C" and self.now.number - range_.spring.reclaim >= book.STALE_BARS:
            range_.scores["SPRING"] = [range_.scores["SPRING"][0] * book.STALE_SHARE]
            self.back_to_cause("T9")

    def void_spring(self, spring: springs.Spring) -> None:
        """T10."""
        self.move("T10", "NONE")
        self.emit("SPRING_FAILED", self.now, self.now.close, 0.0, spring.type, self.names["SPRING"])
        self.fail("T10")

    def test_spring(self, spring: springs.Spring) -> bool:
        """3.7; True where supply was met."""
        range_ = self.open_range
        verdict = springs.spring_test(self.bars, spring, range_.resistance, self.gates)
        if verdict.tested is not None:
            range_.scores["TEST"] = [verdict.score]
            range_.tested, range_.test_known = verdict.tested, self.now.number
            self.emit("TEST", verdict.tested, verdict.tested.low, verdict.score, spring.type)
        return verdict.met_supply

    def seek_inside_backup(self) -> None:
        """3.11: a higher low above the middle of the range, after a spring and its test."""
        range_ = self.open_range
        if range_.tested is None or range_.test_known == self.now.number:
            return
        after = max([range_.test_known, *range_.inside])
        levels = (range_.support, range_.resistance)
        found = strength.inside_backup(self.bars, after, levels, range_.tested, range_.scores["TEST"][0], self.gates)
        if found is not None:
            range_.inside.append(self.now.number)
            self.emit("LPS_INSIDE", found.low, found.low.low, found.score)

    def back_to_cause(self, edge: str) -> None:
        """T9, T12. Reading: the zigzag of tests begins anew at this bar's high."""
        range_ = self.open_range
        self.move(edge, "B")
        range_.zigzag = Start(self.now.number + 1, self.now.high, range_.support, self.now.number)
        range_.earliest_break = range_.earliest_thrust = self.now.number + 1

    # D and E: T11, T12, T13, and what the table leaves open: T16 (60 bars without markup), T17 (close under S).

    def in_d(self) -> None:
        range_, now = self.open_range, self.now
        breakout = range_.breakout
        assert breakout is not None
        if now.close < range_.support:
            self.fail("T17")
            return
        failed = strength.has_failed(self.bars, breakout, range_.resistance, self.gates)
        if failed or (not range_.backups and strength.reaction_cancels(self.bars, breakout, self.gates)):
            self.fail_breakout(breakout)
            return
        if range_.backups and self.gates.above("T11 close", now.close, breakout.bar.high):
            self.move("T11", "E")
            return
        self.seek_backup()
        if now.number - breakout.bar.number >= book.D_BARS:
            self.end("T16")

    def fail_breakout(self, breakout: strength.Breakout) -> None:
        """T12; with heavy volume and a low close at the top it was an upthrust."""
        self.move("T12", "B")
        self.say_failed(breakout)
        self.open_range.forget_breakout()
        self.back_to_cause("T12")

    def say_failed(self, breakout: strength.Breakout) -> None:
        """SOS_FAILED, and UT where the highest bar since met supply. Reading: each failure counts as a UT."""
        range_, name = self.open_range, self.names[breakout.kind]
        self.emit("SOS_FAILED", self.now, self.now.close, 0.0, supersedes=name)
        range_.upthrusts += 1
        top = max(self.bars[breakout.bar.number :], key=lambda bar: (bar.high, -bar.number))
        if top.vr >= book.UT_VR and top.cp <= book.UT_CP:
            range_.lean(-book.UT_POINTS)
            score = probes.upthrust_score(top, self.now.number - breakout.bar.number)
            self.emit("UT", top, top.high, score, supersedes=name)

    def seek_backup(self) -> None:
        """3.11. Reading: the next pullback starts at the bar that confirmed the last backup."""
        range_ = self.open_range
        breakout = range_.breakout
        assert breakout is not None
        after = max([breakout.bar.number, *range_.backups])
        found = strength.backup(self.bars, breakout, after, range_.resistance, self.gates)
        if found is not None:
            range_.backups.append(self.now.number)
            range_.scores["LPS"] = [found.score]
            self.emit("LPS", found.low, found.low.low, found.score)

    def in_e(self) -> None:
        """T13. Reading: a close under support ends a markup too."""
        if self.now.close < self.open_range.support:
            self.end("T13")
            return
        self.seek_backup()
