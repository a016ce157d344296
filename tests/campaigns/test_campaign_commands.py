"""Operators' commands on the whole line: entries go, positions are left, stops stay until they are not needed."""

from collections.abc import Callable, Iterable

import msgspec
import pytest

from engine.app import Line
from engine.messages import Accepted, Action, Approved, Cancelled, Command, Fill, Intent, Message, Refused, Role
from engine.ports import Item
from tests.lines import Recorded, line, recorded
from tests.markets import bar_market

MARKET = recorded(bar_market(6, 900, 5), symbols=6)


def command(name: str, argument: str = "", time_ns: int = 0) -> Command:
    return Command(time_ns=time_ns, name=name, argument=argument, operator="alice", reason="test")


class Played:
    """A market that an operator interrupts as soon as `when` holds of what has left the line."""

    def __init__(self, when: Callable[[Message], bool], *commands: Command, market: Recorded = MARKET) -> None:
        self.line: Line = line(market)
        self.before: list[Item] = []
        self.answer: list[Item] = []
        self.after: list[Item] = []
        for fact in market.facts(1):
            out = self.line.chain.run(fact)
            (self.after if self.answer else self.before).extend(out)
            if not self.answer and any(isinstance(one, Message) and when(one) for one in out):
                now_ns = max(getattr(one, "time_ns", 0) for one in out)
                self.answer = [
                    item
                    for one in commands
                    for item in self.line.chain.run(msgspec.structs.replace(one, time_ns=now_ns))
                ]
        assert self.answer

    def intents(self, action: Action) -> list[Intent]:
        return [one for one in self.answer if isinstance(one, Intent) and one.action is action]


def entered(message: Message) -> bool:
    return isinstance(message, Fill) and message.role is Role.ENTRY


def worked(message: Message) -> bool:
    return isinstance(message, Accepted) and message.order_id.endswith("/ENTRY")


def of(items: Iterable[Item], kind: type[Message]) -> list[Message]:
    return [one for one in items if isinstance(one, kind)]


def test_flatten_leaves_every_position_and_lets_nothing_in() -> None:
    run = Played(entered, command("kill", "flatten"))

    exits = run.intents(Action.EXIT)
    assert {one.symbol for one in exits} == {one.symbol for one in run.before if isinstance(one, Fill)} != set()
    assert all(isinstance(one, Approved) for one in run.answer if getattr(one, "intent", None) in exits)
    assert not run.line.gate.portfolio.positions
    assert not [one for one in of(run.after, Approved) if one.intent.action is Action.ENTER]  # type: ignore[attr-defined]
    assert [one for one in of(run.after, Refused) if one.receipt.code == "HALTED"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", [command("cancel", "all"), command("kill", "cancel"), command("stop", "20")])
def test_working_entries_are_taken_back_and_stops_stay(given: Command) -> None:
    run = Played(worked, given)

    waiting = {one.group for one in run.intents(Action.CANCEL)}
    assert waiting
    assert not run.intents(Action.EXIT)
    gone = {one.order_id for one in of([*run.answer, *run.after], Cancelled)}  # type: ignore[attr-defined]
    assert {f"{group}/ENTRY" for group in waiting} <= gone


def test_one_order_is_cancelled_by_its_id_and_no_other() -> None:
    wanted = next(one.order_id for one in Played(worked, command("note")).before if isinstance(one, Accepted))

    run = Played(worked, command("cancel", wanted))
    other = Played(worked, command("cancel", "nobody/ENTRY"))

    assert [f"{one.group}/ENTRY" for one in run.intents(Action.CANCEL)] == [wanted]
    assert not other.intents(Action.CANCEL)


def test_force_exit_leaves_one_campaign_and_goes_on_trading() -> None:
    run = Played(entered, command("force-exit", "all"))

    assert run.intents(Action.EXIT)
    assert [one for one in of(run.after, Approved) if one.intent.action is Action.ENTER]  # type: ignore[attr-defined]


def test_a_command_given_twice_acts_once() -> None:
    once = Played(entered, command("kill", "flatten"))
    twice = Played(entered, command("kill", "flatten"), command("kill", "flatten"))

    assert len(twice.intents(Action.EXIT)) == len(once.intents(Action.EXIT))


@pytest.mark.parametrize("name", ["pause", "resume", "unkill", "note", "reload"])
def test_commands_of_the_gate_move_no_campaign(name: str) -> None:
    assert not of(Played(entered, command(name)).answer, Intent)
