"""Campaigns in the whole line: what the manager asks for is there when the gate looks for it."""

from engine.messages import Action, CancelRequest, Intent, Refused
from tests.lines import SHIPPED, config, decide, line, lively, recorded
from tests.markets import bar_market


def test_no_exit_or_cancel_names_something_that_is_not_there() -> None:
    """Heat so low that the gate refuses many entries: none of those is taken back later."""
    market = recorded(bar_market(16, 900, 3), symbols=16)
    wide = lively().strategies
    tight = {"heat_warning_bp": 20, "heat_critical_bp": 40, "heat_limit_bp": 60}
    built = line(market, config(strategies=wide, risk=SHIPPED["risk"] | tight))

    left = decide(market, built=built).left

    refused = [one for one in left if isinstance(one, Refused)]
    assert [one for one in refused if one.intent.action is not Action.ENTER] == []
    assert len(refused) >= 5
    asked = [one for one in left if isinstance(one, Intent) and one.action is Action.CANCEL]
    assert asked
    assert len(asked) == sum(1 for one in left if isinstance(one, CancelRequest))
