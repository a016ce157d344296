"""The pipeline before an entry: which check fails where, in which order, and what it says."""

from math import isnan

import msgspec
import pytest
from pydantic import ValidationError

from engine.campaigns.pipeline import PIPELINE, STAGES, Case, PipelineSettings, Stage, judge, net_reward, stage_of
from engine.messages import EventKind, Leg, Phase
from engine.ports import Decline
from tests.campaigns.campaign_makers import NAN, event, proposal
from tests.makers import instrument

SPRING, TEST, SOS, LPS = EventKind.SPRING, EventKind.TEST, EventKind.SOS, EventKind.LPS
PLAN = ("entry", "target", "stop", "leg", "asset_class", "confidence")


def case(kind: EventKind = SPRING, **changes: object) -> Case:
    """Entry at 100, stop at 98 with an ATR of 1, target at 112 above a range of 98..110: 6 R before costs."""
    plan = {name: changes.pop(name) for name in PLAN if name in changes}
    leg = plan.get("leg", Leg.SPRING if kind in (SPRING, TEST) else Leg(kind))
    return Case(
        event=event(kind, **changes),
        instrument=instrument(asset_class=plan.get("asset_class", "stock")),
        confidence=float(str(plan.get("confidence", 90.0))),
        proposal=proposal(kind, stop=plan.get("stop", 98.0), leg=leg),
        entry=float(str(plan.get("entry", 100.0))),
        target=float(str(plan.get("target", 112.0))),
    )


def code(one: Case, **settings: object) -> str:
    failed = judge(PipelineSettings(**settings), one)  # type: ignore[arg-type]
    return "" if failed is None else failed.code


@pytest.mark.parametrize("kind", [SPRING, TEST, LPS])
def test_a_good_entry_passes_every_stage(kind: EventKind) -> None:
    assert code(case(kind)) == ""


# Each row is on the passing side of a limit, then on the failing side.
LIMITS = [
    ("VOL_ANOMALY", {"volume_ratio": 4.99}, {"volume_ratio": 5.0}, {}),
    ("VOL_MISSING", {"volume_ratio": 0.5}, {"volume_ratio": NAN}, {}),
    ("VOL_SPRING", {"volume_ratio": 0.69}, {"volume_ratio": 0.70}, {"strict_low_volume": True}),
    ("SPRING_UNTESTED", {"variant": 3}, {"variant": 2}, {}),
    ("PHASE_PATTERN", {"phase": Phase.C}, {"phase": Phase.B}, {}),
    ("PHASE_PATTERN", {"phase": Phase.C}, {"phase": Phase.A}, {}),
    ("PHASE_PATTERN", {"phase": Phase.C}, {"phase": Phase.D}, {}),
    ("PHASE_CONFIDENCE", {"confidence": 70.0}, {"confidence": 69.9}, {}),
    ("LEVEL_WIDTH", {"resistance": 103.0, "support": 100.0}, {"resistance": 102.9, "support": 100.0}, {}),
    (
        "LEVEL_WIDTH",
        {"resistance": 102.1, "support": 100.0, "timeframe": "1h"},
        {"resistance": 102.0, "support": 100.0, "timeframe": "1h"},
        {},
    ),
    ("LEVEL_DURATION", {"range_bars": 15}, {"range_bars": 14}, {}),
    ("LEVEL_TARGET", {"target": 110.1}, {"target": 110.0}, {}),
    ("RISK_STOP_NEAR", {"stop": 99.2}, {"stop": 99.21}, {}),
    ("RISK_STOP_FAR", {"atr": 0.5}, {"atr": 0.49}, {}),
    ("RISK_STOP_FAR", {"stop": 90.0, "atr": 3.0, "target": 140.0}, {"stop": 89.9, "atr": 3.0, "target": 140.0}, {}),
    ("RR_MIN", {"target": 110.1, "stop": 96.8}, {"target": 110.1, "stop": 96.7}, {}),
    ("STRAT_SCORE", {"score": 70.0}, {"score": 69.9}, {}),
]


@pytest.mark.parametrize(("name", "passes", "fails", "settings"), LIMITS)
def test_an_entry_fails_at_its_limit(
    name: str, passes: dict[str, object], fails: dict[str, object], settings: dict[str, object]
) -> None:
    assert code(case(**passes), **settings) == ""
    assert code(case(**fails), **settings) == name


@pytest.mark.parametrize(
    ("variant", "kind", "shakeouts", "passes"),
    [
        (3, SPRING, False, True), (3, TEST, False, True), (2, SPRING, False, False), (2, TEST, False, True),
        (1, SPRING, True, False), (1, TEST, False, False), (1, TEST, True, True),
    ],
)  # fmt: skip
def test_springs_on_volume_need_their_test(variant: int, kind: EventKind, shakeouts: bool, passes: bool) -> None:
    assert (code(case(kind, variant=variant), shakeout_entry=shakeouts) == "") is passes


@pytest.mark.parametrize(
    ("phase", "confidence", "expected"),
    [(Phase.D, 75.0, ""), (Phase.D, 74.9, "PHASE_CONFIDENCE"), (Phase.C, 85.0, ""), (Phase.C, 84.9, "PHASE_CONFIDENCE"),
     (Phase.B, 99.0, "PHASE_PATTERN"), (Phase.E, 75.0, "")],
)  # fmt: skip
def test_a_sign_of_strength_needs_more_confidence_the_earlier_it_comes(
    phase: Phase, confidence: float, expected: str
) -> None:
    assert code(case(SOS, phase=phase, confidence=confidence), sos_entry=True) == expected


def test_a_sign_of_strength_is_bought_only_by_choice() -> None:
    assert (code(case(SOS)), code(case(SOS), sos_entry=True)) == ("STRAT_SOS_OFF", "")


@pytest.mark.parametrize(("leg", "least"), [(Leg.SPRING, 3.0), (Leg.SOS, 2.0), (Leg.LPS, 2.5)])
def test_each_leg_has_its_least_reward_net_of_costs(leg: Leg, least: float) -> None:
    """Risk 4 of 100 and 0.07 of costs: the reward must be least times 4.07, and 0.07."""
    needed = least * 4.07 + 0.07
    kind, settings = EventKind(leg), {"sos_entry": True}
    shape = {"stop": 96.0, "resistance": 102.0, "support": 98.0}

    assert code(case(kind, target=100.001 + needed, **shape), **settings) == ""
    assert code(case(kind, target=99.999 + needed, **shape), **settings) == "RR_MIN"


def test_costs_are_those_of_the_asset_class() -> None:
    near_limit = {"stop": 96.0, "target": 112.3, "resistance": 102.0}

    assert code(case(**near_limit)) == ""
    assert code(case(**near_limit, asset_class="crypto")) == "RR_MIN"
    assert net_reward(12.3, 4.0, 0.0) == pytest.approx(3.075)


def test_stages_go_from_volume_to_strategy_and_the_first_failure_ends_them() -> None:
    everything = {
        Stage.VOLUME: {"variant": 2},
        Stage.PHASE: {"phase": Phase.B},
        Stage.LEVELS: {"range_bars": 3},
        Stage.RISK: {"stop": 99.9},
        Stage.STRATEGY: {"score": 10.0},
    }
    left, met = dict(everything), []

    while left:
        failed = judge(PipelineSettings(), case(**{key: value for one in left.values() for key, value in one.items()}))
        assert failed is not None
        met.append(stage_of(failed.code))
        del left[met[-1]]

    assert met == list(PIPELINE) == list(Stage)


def test_a_refusal_says_its_stage_code_value_and_limit() -> None:
    failed = judge(PipelineSettings(), case(range_bars=9))

    assert failed == Decline("LEVEL_DURATION", 9.0, 15.0)
    assert stage_of("LEVEL_DURATION") is Stage.LEVELS


def test_every_code_that_can_be_said_has_a_stage() -> None:
    said = {name for name, *_ in LIMITS} | {"STRAT_SOS_OFF"}

    assert said == set(STAGES)
    for name, _, fails, settings in LIMITS:
        failed = judge(PipelineSettings(**settings), case(**fails))  # type: ignore[arg-type]
        assert failed is not None
        assert any(check(PipelineSettings(**settings), case(**fails)) == failed or isnan(failed.value)  # type: ignore[arg-type]
                   for check in PIPELINE[stage_of(name)])  # fmt: skip


def test_settings_refuse_what_they_do_not_know_or_cannot_cost() -> None:
    with pytest.raises(ValidationError):
        PipelineSettings.model_validate({"no_such_key": 1})
    with pytest.raises(ValidationError, match=r"round_trip_cost_bp\.crypto"):
        PipelineSettings(round_trip_cost_bp={"stock": 1.0, "fx": 1.0, "future": 1.0})


def test_a_case_is_frozen() -> None:
    with pytest.raises(AttributeError):
        case().entry = 1.0  # type: ignore[misc]
    assert msgspec.structs.replace(case(), entry=101.0).distance == 3.0
