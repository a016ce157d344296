"""A symbol that its venue halts: entries that wait are taken back, others are bought; and it is remembered."""

from engine.messages import Accepted, Action, Approved, Cancelled, Message, Refused, SymbolStatus
from tests.campaigns.test_campaign_commands import MARKET, Played, entered, of, worked
from tests.lines import line


def status(symbol: str, *, holds: bool = True, cause: str = "HALTED") -> SymbolStatus:
    return SymbolStatus(0, symbol, cause, holds, "news")


def symbol_of_first(when: type[Message]) -> str:
    run = Played(worked if when is Accepted else entered, status("NOBODY"))
    return str(next(one.symbol for one in reversed(run.before) if isinstance(one, when)))  # type: ignore[attr-defined]


def bought(run: Played) -> set[str]:
    return {one.intent.symbol for one in of(run.after, Approved) if one.intent.action is Action.ENTER}  # type: ignore[attr-defined]


def test_the_entry_that_waits_is_taken_back_and_none_follows_while_others_are_bought() -> None:
    symbol = symbol_of_first(Accepted)

    run = Played(worked, status(symbol))

    taken = run.intents(Action.CANCEL)
    assert {one.symbol for one in taken} == {symbol}
    gone = {one.order_id for one in of([*run.answer, *run.after], Cancelled)}  # type: ignore[attr-defined]
    assert {f"{one.group}/ENTRY" for one in taken} <= gone
    assert symbol not in bought(run) != set()
    codes = {one.receipt.code for one in of(run.after, Refused) if one.intent.symbol == symbol}  # type: ignore[attr-defined]
    assert codes == {"SYMBOL_HALTED"}


def test_another_symbol_is_no_reason() -> None:
    assert Played(worked, status("NOBODY")).intents(Action.CANCEL) == []


def test_each_cause_has_to_be_taken_back_by_itself() -> None:
    symbol = symbol_of_first(Accepted)

    both = Played(worked, status(symbol), status(symbol, cause="REDEFINED"), status(symbol, holds=False))
    none = Played(worked, status(symbol), status(symbol, holds=False))

    assert [one.code for one in both.line.gate.untradable] == ["SYMBOL_REDEFINED"]
    assert symbol not in bought(both)
    assert none.line.gate.untradable == []
    assert symbol in bought(none)


def test_it_stands_over_a_restart() -> None:
    run = Played(worked, status("S001"))
    again = line(MARKET)

    again.gate.restore(run.line.gate.snapshot())

    assert [(one.code, one.cause) for one in again.gate.untradable] == [("SYMBOL_HALTED", "S001: news")]
