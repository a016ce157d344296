"""The pipeline before an entry: which check fails where, in which order, and what it says."""

from collections.abc import Callable

import msgspec
import pytest
from pydantic import ValidationError

from engine.campaigns import pipeline
from engine.campaigns.pipeline import PIPELINE, STAGES, Case, PipelineSettings, Stage, judge, net_reward, stage_of
from engine.messages import EventKind, Leg, Phase
from engine.ports import Decline, Moment
from tests.campaigns.campaign_makers import NAN, day, event, proposal
from tests.makers import instrument

SPRING, TEST, SOS, LPS = EventKind.SPRING, EventKind.TEST, EventKind.SOS, EventKind.LPS
KNOWN = ("spring_volume_ratio", "atr_rank", "volume_rank")
PLAN = ("entry", "target", "stop", "leg", "asset_class", "confidence")


def case(kind: EventKind = SPRING, **changes: object) -> Case:
    """Entry at 100, stop at 98 with an ATR of 1, target at 112 above a range of 98..110: 6 R before costs."""
    plan = {name: changes.pop(name) for name in PLAN if name in changes}
    known = {name: changes.pop(name) for name in KNOWN if name in changes}
    leg = plan.get("leg", Leg.SPRING if kind in (SPRING, TEST) else Leg(kind))
    seen = event(kind, **changes)
    fields: dict[str, object] = {
        "decision_ns": seen.known_ns,
        "instrument": instrument(asset_class=plan.get("asset_class", "stock")),
        "event": seen,
        "mark": None,
        "phase": seen.phase,
        "confidence": float(str(plan.get("confidence", 90.0))),
        "taken": (),
        "asked": (),
    }
    return Case(
        event=seen,
        moment=Moment(**(fields | known)),  # type: ignore[arg-type]
        proposal=proposal(kind, stop=plan.get("stop", 98.0), leg=leg),
        entry=float(str(plan.get("entry", 100.0))),
        target=float(str(plan.get("target", 112.0))),
    )


def code(one: Case, **settings: object) -> str:
    failed = judge(PipelineSettings(**settings), one).failed
    return "" if failed is None else failed.code


def cautions(one: Case, **settings: object) -> list[str]:
    return [found.code for found in judge(PipelineSettings(**settings), one).cautions]


@pytest.mark.parametrize("kind", [SPRING, TEST, LPS])
def test_a_good_entry_passes_every_stage(kind: EventKind) -> None:
    assert code(case(kind)) == ""


CRYPTO: dict[str, object] = {"asset_class": "crypto", "target": 130.0}
BLACKOUT = {"blackouts": [{"symbol": "AAA", "begin": "2020-02-01T00:00:00Z", "end": "2020-02-02T00:00:00Z"}]}

# Each row is on the passing side of a limit, then on the failing side.
LIMITS = [
    ("VOL_ANOMALY", {"volume_ratio": 4.99, "timeframe": "4h"}, {"volume_ratio": 5.0, "timeframe": "4h"}, {}),
    ("VOL_ANOMALY", {"volume_ratio": 4.99, **CRYPTO}, {"volume_ratio": 5.0, **CRYPTO}, {}),
    ("VOL_MISSING", {"volume_ratio": 0.5}, {"volume_ratio": NAN}, {}),
    ("VOL_SPRING", {"volume_ratio": 0.69}, {"volume_ratio": 0.70}, {"strict_low_volume": True}),
    ("VOL_SPRING", {"volume_ratio": 0.84, **CRYPTO}, {"volume_ratio": 0.85, **CRYPTO}, {"strict_low_volume": True}),
    ("SPRING_UNTESTED", {"variant": 3}, {"variant": 2}, {}),
    ("PHASE_PATTERN", {"phase": Phase.C}, {"phase": Phase.B}, {}),
    ("PHASE_PATTERN", {"phase": Phase.C}, {"phase": Phase.A}, {}),
    ("PHASE_PATTERN", {"phase": Phase.C}, {"phase": Phase.D}, {}),
    ("PHASE_CONFIDENCE", {"confidence": 70.0}, {"confidence": 69.9}, {}),
    ("PHASE_CONFIDENCE", {"phase_confidence": 70.0}, {"phase_confidence": 69.9}, {}),
    ("PHASE_PREREQUISITE", {"follows": "ST"}, {"follows": ""}, {}),
    ("LEVEL_QUALITY", {"quality": 70.0}, {"quality": 69.9}, {}),
    ("LEVEL_QUALITY", {"quality": 70.0}, {"quality": NAN}, {}),
    ("LEVEL_STRENGTH", {"support_strength": 60.0}, {"support_strength": 59.9}, {}),
    ("LEVEL_STRENGTH", {"resistance_strength": 0.0}, {"support_strength": NAN}, {}),
    ("STRAT_VOLATILE", {"atr_rank": 94.9, "volume_rank": 85.0}, {"atr_rank": 95.0, "volume_rank": 85.0}, {}),
    ("STRAT_VOLATILE", {"atr_rank": 99.0, "volume_rank": 84.9}, {"atr_rank": 99.0, "volume_rank": 85.0}, {}),
    ("STRAT_BLACKOUT", {"known_ns": day(30)}, {"known_ns": day(31)}, BLACKOUT),
    ("STRAT_BLACKOUT", {"known_ns": day(32)}, {"known_ns": day(32) - 1}, BLACKOUT),
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
        failing = case(**{key: value for one in left.values() for key, value in one.items()})
        failed = judge(PipelineSettings(), failing).failed
        assert failed is not None
        met.append(stage_of(failed.code))
        del left[met[-1]]

    assert met == list(PIPELINE) == list(Stage)


def test_a_refusal_says_its_stage_code_value_and_limit() -> None:
    failed = judge(PipelineSettings(), case(range_bars=9)).failed

    assert failed == Decline("LEVEL_DURATION", 9.0, 15.0, "LEVELS")
    assert stage_of("LEVEL_DURATION") is Stage.LEVELS


def test_every_code_that_can_be_said_has_a_stage() -> None:
    said = {name for name, *_ in LIMITS} | {"STRAT_SOS_OFF", "VOL_TEST"}

    assert said == set(STAGES)
    for name, _, fails, settings in LIMITS:
        failed = judge(PipelineSettings.model_validate(settings), case(**fails)).failed
        assert failed is not None
        assert failed.stage == stage_of(name)


def test_a_test_on_the_volume_of_its_spring_is_no_test() -> None:
    assert code(case(TEST, volume_ratio=0.69, spring_volume_ratio=0.7)) == ""
    assert code(case(TEST, volume_ratio=0.7, spring_volume_ratio=0.7)) == "VOL_TEST"
    assert code(case(TEST, volume_ratio=0.7)) == ""


def test_a_day_of_a_stock_on_five_times_its_volume_is_only_said() -> None:
    unusual = case(volume_ratio=5.0)

    assert code(unusual) == ""
    assert cautions(unusual) == ["VOL_ANOMALY"]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (case(), []),
        (case(range_bars=15), ["LEVEL_DURATION"]),
        (case(quality=73.5), ["LEVEL_QUALITY"]),
        (case(quality=73.6), []),
        (case(score=72.0), ["STRAT_SCORE"]),
        (case(resistance_strength=59.9), ["LEVEL_OTHER"]),
        (case(objective=111.9), []),
        (case(objective=110.9), ["LEVEL_CAUSE_FAR"]),
        (case(objective=112.6), ["LEVEL_CAUSE_NEAR"]),
        (case(volume_ratio=4.9, range_bars=14, timeframe="4h"), ["VOL_ANOMALY"]),
    ],
)
def test_near_misses_and_what_speaks_against_an_entry_are_told(one: Case, said: list[str]) -> None:
    assert cautions(one) == said


def test_a_sign_of_strength_in_c_is_told() -> None:
    assert cautions(case(SOS, phase=Phase.C), sos_entry=True) == ["PHASE_LATE_C"]


def test_nothing_is_upgraded_by_a_warning() -> None:
    found = judge(PipelineSettings(), case(volume_ratio=4.9, range_bars=14, timeframe="4h"))

    assert found.failed == Decline("LEVEL_DURATION", 14.0, 15.0, "LEVELS")
    assert [one.code for one in found.cautions] == ["VOL_ANOMALY"]


CHECKS = [(stage, check) for stage, wanted in PIPELINE.items() for check in wanted]


@pytest.mark.parametrize(("stage", "check"), CHECKS, ids=[check.__name__ for _, check in CHECKS])
def test_without_a_check_something_passes_that_must_not(
    stage: Stage, check: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant of each check: with it taken out, a case of its own is not refused by its code."""
    others = {name: tuple(one for one in wanted if one is not check) for name, wanted in PIPELINE.items()}
    failing = [(name, case(**fails), settings) for name, _, fails, settings in LIMITS]
    failing += [
        ("STRAT_SOS_OFF", case(SOS), {}),
        ("VOL_TEST", case(TEST, volume_ratio=0.7, spring_volume_ratio=0.7), {}),
    ]
    assert all(code(one, **settings) == name for name, one, settings in failing)

    monkeypatch.setattr(pipeline, "PIPELINE", others)

    assert any(code(one, **settings) != name for name, one, settings in failing)
    assert stage in others


def test_settings_refuse_what_they_do_not_know_or_cannot_cost() -> None:
    with pytest.raises(ValidationError):
        PipelineSettings.model_validate({"no_such_key": 1})
    with pytest.raises(ValidationError, match=r"round_trip_cost_bp\.crypto"):
        PipelineSettings(round_trip_cost_bp={"stock": 1.0, "fx": 1.0, "future": 1.0})


def test_a_case_is_frozen() -> None:
    with pytest.raises(AttributeError):
        case().entry = 1.0  # type: ignore[misc]
    assert msgspec.structs.replace(case(), entry=101.0).distance == 3.0
