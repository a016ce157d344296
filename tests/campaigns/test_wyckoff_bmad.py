"""What the campaign strategy buys, where it puts its stops, and what it leaves alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaigns.entries import flaw
from engine.messages import Event, EventKind, Leg, OrderKind, Phase
from engine.ports import Decline, Moment, Proposal
from strategies.wyckoff_bmad import build
from tests.campaigns.campaign_makers import NAN, day, event
from tests.makers import instrument

SPRING, TEST, SOS, LPS = EventKind.SPRING, EventKind.TEST, EventKind.SOS, EventKind.LPS


@dataclass
class Given:
    """An event in a range 98..110, the phase confidence, and the strategy's settings."""

    event: Event
    confidence: float = 80.0
    spring_low: float = NAN
    settings: dict[str, object] = field(default_factory=dict)

    def proposals(self) -> list[Proposal]:
        return [one for one in self._said() if isinstance(one, Proposal)]

    def declined(self) -> list[str]:
        """Codes of the gates that failed."""
        return [one.code for one in self._said() if isinstance(one, Decline)]

    def _said(self) -> list[Proposal | Decline]:
        moment = Moment(day(21), instrument(), self.event, None, Phase.C, self.confidence, (), (), self.spring_low)
        return list(build(self.settings).propose(moment))


def spring(**changes: object) -> Event:
    """Low 97.5, confirmed by a bar with high 99.0; ATR 1.2."""
    return event(SPRING, **({"high": 99.0, "close": 98.8, "atr": 1.2} | changes))


def backup(**changes: object) -> Event:
    """Low 110.2, confirmed by a close at 111; ATR 1.2, range top 110."""
    return event(LPS, **({"price": 110.2, "close": 111.0, "atr": 1.2} | changes))


def test_a_quiet_spring_is_bought_above_its_reclaim_bar() -> None:
    (entry,) = Given(spring()).proposals()

    assert (entry.leg, entry.kind) == (Leg.SPRING, OrderKind.STOP_LIMIT)
    assert (entry.trigger, entry.worst) == (pytest.approx(99.01), pytest.approx(99.61))
    assert entry.stop == pytest.approx(97.5 - 0.3)
    assert entry.targets == (110.0, 122.0, 134.0)
    assert entry.score == 80.0


def test_the_stop_is_never_nearer_than_two_thousandths() -> None:
    (entry,) = Given(spring(atr=0.5, price=98.0)).proposals()

    assert entry.stop == pytest.approx(98.0 - 0.196)


@pytest.mark.parametrize(
    ("kind", "variant", "shakeouts", "bought"),
    [
        (SPRING, 3, False, True),
        (SPRING, 2, False, False),
        (SPRING, 1, True, False),
        (TEST, 3, False, True),
        (TEST, 2, False, True),
        (TEST, 1, False, False),
        (TEST, 1, True, True),
    ],
)
def test_springs_on_volume_need_a_test_and_shakeouts_a_setting(
    kind: EventKind, variant: int, shakeouts: bool, bought: bool
) -> None:
    found = spring(kind=kind, variant=variant)

    assert bool(Given(found, settings={"shakeout_entry": shakeouts}).proposals()) is bought


def test_a_test_is_stopped_out_under_the_low_of_its_spring() -> None:
    found = spring(kind=TEST, price=98.1, high=99.5)

    (known,) = Given(found, spring_low=97.4).proposals()
    (unknown,) = Given(found).proposals()

    assert known.stop == pytest.approx(97.4 - 0.3)
    assert unknown.stop == pytest.approx(98.0 - 0.3)


def test_a_backup_is_bought_no_worse_than_half_an_atr_above_the_close() -> None:
    (entry,) = Given(backup()).proposals()

    assert (entry.leg, entry.kind) == (Leg.LPS, OrderKind.LIMIT)
    assert isnan(entry.trigger)
    assert entry.worst == pytest.approx(111.6)
    assert entry.stop == pytest.approx(109.6)
    assert entry.targets == (122.0, 134.0, 146.0)


def test_the_stop_of_a_backup_keeps_its_distance() -> None:
    (entry,) = Given(backup(price=110.9)).proposals()

    assert entry.stop == pytest.approx(111.0 - 0.8 * 1.2)


def test_an_sos_is_bought_only_by_choice() -> None:
    found = event(SOS, close=111.0, atr=1.2)

    (entry,) = Given(found, settings={"sos_entry": True}).proposals()

    assert Given(found).proposals() == []
    assert (entry.leg, entry.worst, entry.stop) == (Leg.SOS, pytest.approx(111.6), pytest.approx(108.8))


@pytest.mark.parametrize(
    ("found", "confidence", "bought"),
    [
        (spring(phase=Phase.B), 80.0, False),
        (spring(phase=Phase.D), 80.0, False),
        (spring(score=70.0), 70.0, True),
        (spring(score=69.9), 80.0, False),
        (spring(), 69.9, False),
        (backup(phase=Phase.C), 90.0, False),
        (backup(phase=Phase.E), 80.0, True),
        (event(SOS, close=111.0, atr=1.2), 74.9, False),
        (event(SOS, close=111.0, atr=1.2), 75.0, True),
        (event(SOS, close=111.0, atr=1.2, phase=Phase.C), 84.9, False),
        (event(SOS, close=111.0, atr=1.2, phase=Phase.C), 85.0, True),
        (spring(direction=-1), 80.0, False),
        (spring(atr=NAN), 80.0, False),
        (spring(support=110.0), 80.0, False),
        (event(EventKind.BREAKOUT_WEAK), 80.0, False),
    ],
)
def test_phase_score_and_confidence_are_gates(found: Event, confidence: float, bought: bool) -> None:
    assert bool(Given(found, confidence, settings={"sos_entry": True}).proposals()) is bought


@pytest.mark.parametrize(
    ("high", "bought"),
    [(98.08, False), (98.17, True), (101.98, True), (102.1, False)],
)
def test_a_stop_too_near_or_too_far_is_no_trade(high: float, bought: bool) -> None:
    """Stop 97.2, ATR 1.2: the trigger, one tick above the high, may be 0.96 to 4.8 above it."""
    wide = spring(high=high, resistance=130.0)

    assert bool(Given(wide).proposals()) is bought


def test_a_stop_farther_than_a_tenth_of_the_price_is_no_trade() -> None:
    wide = {"atr": 4.0, "resistance": 160.0, "support": 98.0}

    assert Given(spring(**wide, high=106.0)).proposals()
    assert not Given(spring(**wide, high=108.0)).proposals()


@pytest.mark.parametrize(("resistance", "bars", "bought"), [(101.4, 20, True), (101.3, 20, False), (101.2, 25, True)])
def test_a_spring_must_pay_three_to_one(resistance: float, bars: int, bought: bool) -> None:
    """Risk 1.81 from 99.01, 0.069 of costs: one width beyond the range, two where it is old enough."""
    found = spring(resistance=resistance, range_bars=bars)

    assert bool(Given(found).proposals()) is bought


@pytest.mark.parametrize(("support", "bought"), [(105.2, True), (105.3, False)])
def test_a_backup_must_pay_two_and_a_half_to_one(support: float, bought: bool) -> None:
    """Risk 1.4 from 111, 0.078 of costs: the target, one width above 110, must be 114.78 or more."""
    assert bool(Given(backup(support=support)).proposals()) is bought


PRICES = st.one_of(st.floats(1.0, 200.0), st.sampled_from([NAN, float("inf"), 0.0, -5.0]))


@given(
    st.sampled_from(EventKind),
    PRICES,
    PRICES,
    PRICES,
    PRICES,
    PRICES,
    st.one_of(st.floats(0.01, 10.0), st.just(NAN)),
    st.integers(0, 3),
)
def test_whatever_is_proposed_can_be_traded(
    kind: EventKind,
    price: float,
    support: float,
    resistance: float,
    high: float,
    close: float,
    atr: float,
    variant: int,
) -> None:
    found = event(
        kind,
        price=price,
        support=support,
        resistance=resistance,
        high=high,
        close=close,
        atr=atr,
        variant=variant,
        phase=Phase.C if kind in (SPRING, TEST) else Phase.D,
    )

    for one in Given(found, settings={"sos_entry": True, "shakeout_entry": True}).proposals():
        assert flaw(one) in ("", "worst price must lie between stop and first target")


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (lambda: Given(spring(score=69.9)), "STRAT_SCORE"),
        (lambda: Given(spring(), confidence=10.0), "PHASE_CONFIDENCE"),
        (lambda: Given(spring(phase=Phase.B)), "PHASE_PATTERN"),
        (lambda: Given(spring(variant=2)), "SPRING_UNTESTED"),
        (lambda: Given(spring(atr=12.0)), "RISK_STOP_NEAR"),
        (lambda: Given(spring(price=80.0)), "RISK_STOP_FAR"),
    ],
)
def test_an_event_that_is_not_bought_says_which_gate_failed(seen: Callable[[], Given], code: str) -> None:
    assert seen().proposals() == []
    assert seen().declined() == [code]


def test_an_event_that_is_never_bought_says_nothing() -> None:
    assert Given(event(EventKind.SC)).declined() == []
    assert Given(spring(direction=-1)).declined() == []
