"""Loss halts, heat alerts and what the shell says: what stops entries, until when, and what is told."""

from decimal import Decimal

import pytest

from engine.messages import (
    AccountState,
    Command,
    HaltChange,
    Health,
    HeatState,
    Unwatch,
    Warned,
    Watch,
    Watched,
    WatchKind,
    encode,
)
from engine.ports import Item
from engine.risk import gate as gate_module
from engine.risk import losses as losses_module
from engine.risk.gate import RiskGate
from engine.risk.holds import Halt
from engine.risk.losses import LossHalts
from engine.timeframes import DAY_NS
from tests.lines import config, decide, line, lively, recorded
from tests.makers import START_NS, table
from tests.markets import bar_market
from tests.risk.facts import accepted, code, enter, fill, gate, heat_changes, leave, marks, settings, tell, verdict

GROUP = "AAA-2020-01-01/SPRING/1"
OTHER = "BBB-2020-01-01/SPRING/1"
NAN = float("nan")


def holding(quantity: int = 200, price: int = 100) -> RiskGate:
    """100 000 of cash, 200 shares of AAA at 100 with a stop at 90."""
    stage = gate("AAA", "BBB")
    tell(stage, enter(risk_bp=200), accepted("STOP1"), fill(quantity=quantity, price=price))
    return stage


def restored(stage: RiskGate) -> RiskGate:
    copy = RiskGate(settings(), table("AAA", "BBB"))
    copy.restore(stage.snapshot())
    return copy


def fired(name: str, time_ns: int, price: float = NAN) -> Watched:
    kind = WatchKind.LINE_TIME if name == "DAY" else WatchKind.EQUITY_BELOW
    return Watched(f"risk/watch/{name}", "risk", kind, "", time_ns, price, NAN, NAN)


def of(kind: type, items: list[Item]) -> list:  # type: ignore[type-arg]
    return [one for one in items if isinstance(one, kind)]


def levels(items: list[Item]) -> dict[str, object]:
    """Each watch that was set: its level or its time."""
    return {
        one.watch_id.rpartition("/")[2]: one.time_ns if one.kind is WatchKind.LINE_TIME else one.level
        for one in of(Watch, items)
    }


def test_equity_is_watched_while_something_is_held_and_only_then() -> None:
    stage = gate("AAA", "BBB")

    asked = tell(stage, enter(risk_bp=200), accepted("STOP1"))
    bought = tell(stage, fill(quantity=200, price=100))
    sold = tell(stage, fill("STOP1", 200, 100, execution_id="2"))

    assert not levels(asked)
    assert levels(bought) == {"DAY": START_NS + DAY_NS, "DAILY_LOSS": 97_000.0, "DRAWDOWN": 85_000.0}
    assert {one.watch_id for one in of(Unwatch, sold)} == {f"risk/watch/{name}" for name in levels(bought)}


def test_a_day_that_has_lost_three_percent_buys_nothing_more_though_price_comes_back() -> None:
    stage = holding()
    tell(stage, marks(85))

    told = of(HaltChange, tell(stage, fired("DAILY_LOSS", START_NS + 1, 97_000.0)))
    tell(stage, marks(100))

    assert [(one.code, one.halted, one.loss_bp, one.limit_bp) for one in told] == [("DAILY_LOSS", True, 300, 300)]
    assert code(stage, enter(OTHER)) == "DAILY_LOSS"
    assert code(restored(stage), enter(OTHER)) == "DAILY_LOSS"
    assert verdict(stage, leave()).receipt.code == ""


def test_a_new_day_counts_from_what_the_old_one_ended_with() -> None:
    stage = holding()
    tell(stage, marks(85), fired("DAILY_LOSS", START_NS + 1, 97_000.0))

    line_ns = START_NS + 3 * DAY_NS + 10**9
    outputs = tell(restored(stage), fired("DAY", START_NS + DAY_NS, float(line_ns)))

    (told,) = of(HaltChange, outputs)
    assert (told.code, told.halted, told.cause) == ("DAILY_LOSS", False, "a new day")
    assert levels(outputs) == {"DAY": START_NS + 4 * DAY_NS, "DAILY_LOSS": 97_000.0 * 0.97}


def test_a_loss_between_looks_is_seen_at_the_entry_itself() -> None:
    stage = holding()
    tell(stage, marks(85))

    assert code(stage, enter(OTHER)) == "DAILY_LOSS"


def test_a_flat_account_begins_its_day_with_what_it_has() -> None:
    stage = holding()
    tell(stage, fill("STOP1", 200, 90, execution_id="2"))

    tomorrow = enter(OTHER, decision_ns=START_NS + DAY_NS)
    refused = code(stage, enter("BBB-2020-01-02/SPRING/1", risk_bp=10))
    assert refused == ""
    tell(stage, AccountState(START_NS + 5, Decimal(96_900), Decimal(96_900), "USD"))

    assert code(stage, enter("BBB-2020-01-03/SPRING/1")) == "DAILY_LOSS"
    assert code(stage, tomorrow) == ""


def test_a_drawdown_stops_until_an_operator_resets_it() -> None:
    stage = holding()
    tell(stage, marks(25), fired("DRAWDOWN", START_NS + 1, 85_000.0))
    later = START_NS + 9 * DAY_NS

    assert code(stage, enter(OTHER, decision_ns=later)) == "DRAWDOWN"
    assert code(restored(stage), enter(OTHER, decision_ns=later)) == "DRAWDOWN"
    assert [one.code for one in restored(stage).blocks()] == ["DRAWDOWN", "DAILY_LOSS"][:1]
    tell(stage, Command(later, "resume", "", "op", ""))
    assert code(stage, enter(OTHER, decision_ns=later)) == "DRAWDOWN"
    told = of(HaltChange, tell(stage, Command(later, "reset-drawdown", "", "op", "seen")))

    assert [(one.code, one.halted, one.cause) for one in told] == [("DRAWDOWN", False, "reset by op")]
    assert code(stage, enter(OTHER, decision_ns=later)) == ""


def test_the_watch_of_a_drawdown_follows_the_peak_but_not_each_step_of_it() -> None:
    stage = holding()
    tell(stage, marks(100.2))
    little = tell(stage, AccountState(START_NS + 1, Decimal(80_000), Decimal(10**9), "USD"))
    tell(stage, marks(110))
    much = tell(stage, AccountState(START_NS + 2, Decimal(80_000), Decimal(10**9), "USD"))

    assert "DRAWDOWN" not in levels(little)
    assert levels(much)["DRAWDOWN"] == 102_000 * 0.85


def test_losses_are_only_watched_where_a_rule_asks() -> None:
    stage = RiskGate(settings(rules=("numeric", "heat")), table("AAA"))

    assert LossHalts(settings(rules=("numeric",)))._limits == {}
    assert not levels(tell(stage, enter(), accepted("STOP1"), fill()))


def test_every_crossing_of_heat_is_told_and_a_state_alerts_once_in_300_seconds() -> None:
    stage = gate(*"ABCDEF")
    tell(stage, *(enter(f"{one}-2020-01-01/SPRING/1", risk_bp=190, limit_price=10, stop_price=5,
                        target_1=11, target_2=12, target_3=13) for one in "ABCD"))  # fmt: skip
    cash = {HeatState.CRITICAL: 80_000, HeatState.WARNING: 100_000, HeatState.NORMAL: 200_000}

    def come_to(state: HeatState, seconds: int) -> tuple[HeatState, bool]:
        money = Decimal(cash[state])
        (told,) = heat_changes(tell(stage, AccountState(START_NS + seconds * 10**9, money, money, "USD")))
        return told.state, told.alert

    first = stage.heat
    crossings = [
        (HeatState.CRITICAL, 10), (HeatState.WARNING, 20), (HeatState.CRITICAL, 309), (HeatState.NORMAL, 309),
        (HeatState.CRITICAL, 310), (HeatState.WARNING, 320), (HeatState.NORMAL, 900),
    ]  # fmt: skip
    told = [come_to(*one) for one in crossings]

    assert first is HeatState.WARNING
    assert [state for state, _ in told] == [state for state, _ in crossings]
    assert [alert for _, alert in told] == [True, False, False, False, True, True, False]


def test_a_campaign_near_its_limit_is_told_and_still_approved() -> None:
    stage = gate(*"ABC", rules=None)
    plan = {"limit_price": 10, "stop_price": 8, "target_1": 11, "target_2": 12, "target_3": 13, "symbol": "A"}
    first = tell(stage, *(enter(f"A-2020-01-01/{leg}/1", risk_bp=199, **plan) for leg in ("SPRING", "SOS")))
    campaign = "A-2020-01-01"

    more = tell(stage, fill(quantity=1, price=10, group=f"{campaign}/SPRING/1", remaining=994))

    assert not of(Warned, first)
    assert stage.portfolio.campaign_risk(campaign) >= 0
    outputs = tell(stage, fill(quantity=1, price=10, group=f"{campaign}/SOS/1", remaining=994))
    assert not of(Warned, [*more, *outputs])
    third = gate("A", rules=None, max_symbol_entries=2)
    tell(third, enter("A-2020-01-01/SPRING/1", risk_bp=200, **plan))
    (warned,) = of(Warned, tell(third, enter("A-2020-01-01/SOS/1", risk_bp=200, **plan)))
    assert (warned.code, warned.value, warned.limit, warned.margin) == ("RISK_CAMPAIGN", 400.0, 400.0, 0.0)


def test_an_unwell_shell_buys_nothing_until_it_is_well() -> None:
    stage = gate()

    tell(stage, Health(START_NS, "clock_skew", 1.5, 1.0), Health(START_NS, "tape_lag", NAN, 1.0))
    assert code(restored_one(stage), enter()) == "HEALTH_CLOCK_SKEW"
    assert [one.code for one in stage.blocks()] == ["HEALTH_CLOCK_SKEW", "HEALTH_TAPE_LAG"]

    tell(stage, Health(START_NS, "clock_skew", 1.0, 1.0))
    assert code(stage, enter()) == "HEALTH_TAPE_LAG"
    tell(stage, Health(START_NS, "tape_lag", 0.0, 1.0))
    assert code(stage, enter()) == ""
    assert stage.blocks() == []


def test_a_kill_only_goes_further_and_each_halt_has_its_own_release() -> None:
    stage = gate()

    def command(name: str, argument: str = "") -> Command:
        return Command(START_NS, name, argument, "op", "why")

    tell(stage, command("kill", "cancel"), command("kill", "entries"), command("pause"))
    assert restored_one(stage).halts == {
        "kill": Halt("cancel", "op", "why", START_NS),
        "pause": Halt("", "op", "why", START_NS),
    }
    tell(stage, command("kill", "flatten"), command("resume"))
    assert [(name, one.level) for name, one in stage.halts.items()] == [("kill", "flatten")]
    tell(stage, command("pause"))
    assert [one.cause for one in stage.blocks()] == ["kill flatten by op", "pause by op"]
    tell(stage, command("resume"))
    assert code(stage, enter()) == "HALTED"
    tell(stage, command("unkill"))
    assert code(stage, enter()) == ""
    assert stage.portfolio.cash == 100_000


def restored_one(stage: RiskGate) -> RiskGate:
    copy = RiskGate(settings(), table("AAA"))
    copy.restore(stage.snapshot())
    return copy


def test_what_is_told_can_be_encoded() -> None:
    stage = holding()

    outputs = tell(stage, marks(1), fired("DAILY_LOSS", START_NS + 1, 97_000.0))

    assert all(encode(one) for one in outputs if isinstance(one, HaltChange | Watch))


MUTANTS = {
    "loss at the look": (losses_module, "has_lost", lambda *_: False),
    "latch": (LossHalts, "_stop", lambda *_: iter(())),
    "watch": (LossHalts, "_watch", lambda *_, **__: iter(())),
    "release": (LossHalts, "_release", lambda *_: iter(())),
    "new day": (LossHalts, "_begin_day", lambda *_: iter(())),
    "alerts": (gate_module.RiskGate, "_alerts", lambda *_: True),
}
NOTICED_BY = {
    "loss at the look": test_a_flat_account_begins_its_day_with_what_it_has,
    "latch": test_a_day_that_has_lost_three_percent_buys_nothing_more_though_price_comes_back,
    "watch": test_equity_is_watched_while_something_is_held_and_only_then,
    "release": test_a_new_day_counts_from_what_the_old_one_ended_with,
    "new day": test_a_new_day_counts_from_what_the_old_one_ended_with,
    "alerts": test_every_crossing_of_heat_is_told_and_a_state_alerts_once_in_300_seconds,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_without_a_guard_its_test_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, value = MUTANTS[name]
    monkeypatch.setattr(owner, attribute, value)
    if name == "loss at the look":
        monkeypatch.setattr("engine.risk.rules.daily_loss.has_lost", value)

    with pytest.raises((AssertionError, ValueError)):
        NOTICED_BY[name]()


def test_a_line_that_loses_halts_at_the_same_moments_whatever_the_blocks() -> None:
    market = recorded(bar_market(6, 700, 9), symbols=6)
    tight = {"daily_loss_bp": 5, "drawdown_bp": 30}
    settings = config(strategies=lively().strategies, campaigns=lively().campaigns.model_dump(), risk=tight)

    told = []
    for chunk in (1, 64, None):
        left = decide(market, chunk, line(market, settings)).left
        told.append([one for one in left if isinstance(one, HaltChange)])

    assert told[0] == told[1] == told[2]
    assert ("DRAWDOWN", True) in [(one.code, one.halted) for one in told[0]]
    assert ("DAILY_LOSS", False) in [(one.code, one.halted) for one in told[0]]
