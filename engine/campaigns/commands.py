"""What operators' commands do to campaigns; that nothing new is bought meanwhile is the gate's part.

Protective stops are never touched: a command takes entries back or leaves positions, and what it leaves is
left at market. A command that finds nothing to do does nothing.
"""

from collections.abc import Callable, Iterator, Mapping

from engine.campaigns import positions
from engine.campaigns.book import CampaignBook
from engine.campaigns.state import Bracket, Campaign
from engine.messages import Command, Message, SymbolStatus

ALL = "all"
ENTRY = "/ENTRY"
FLATTEN = "flatten"
CANCELLING = ("cancel", FLATTEN)
"""Levels of a kill at which working entries go."""


def obey(book: CampaignBook, command: Command) -> Iterator[Message]:
    """Intents that the command leads to, campaigns in the order in which they were formed."""
    act = ACTIONS.get(command.name)
    if act is not None:
        book.advance(command.time_ns)
        yield from act(book, command)


def withdraw(book: CampaignBook, status: SymbolStatus) -> Iterator[Message]:
    """A symbol that cannot be bought now: its entries that wait to fill are taken back."""
    book.advance(status.time_ns)
    for campaign, bracket in _waiting(book) if status.holds else ():
        if campaign.symbol == status.symbol:
            yield from positions.ask_cancel(book, campaign, bracket, cause=f"{status.cause}: {status.reason}")


def _cancel(book: CampaignBook, command: Command) -> Iterator[Message]:
    """`cancel all`, or the entry of one order id."""
    group = command.argument.removesuffix(ENTRY)
    for campaign, bracket in _waiting(book):
        if command.argument == ALL or bracket.group == group:
            yield from positions.ask_cancel(book, campaign, bracket, cause=_cause(command))


def _leave(book: CampaignBook, command: Command) -> Iterator[Message]:
    """`force-exit all`, or one campaign."""
    for campaign in list(book.campaigns.values()):
        if command.argument in (ALL, campaign.campaign):
            yield from positions.abandon(book, campaign, _cause(command))


def _kill(book: CampaignBook, command: Command) -> Iterator[Message]:
    if command.argument in CANCELLING:
        yield from _stop(book, command)
    if command.argument == FLATTEN:
        for campaign in list(book.campaigns.values()):
            yield from positions.abandon(book, campaign, _cause(command))


def _stop(book: CampaignBook, command: Command) -> Iterator[Message]:
    """The session ends, or entries are killed: whatever waits to fill is taken back."""
    for campaign, bracket in _waiting(book):
        yield from positions.ask_cancel(book, campaign, bracket, cause=_cause(command))


def _waiting(book: CampaignBook) -> list[tuple[Campaign, Bracket]]:
    """Every bracket whose entry may still fill."""
    return [(one, bracket) for one in book.campaigns.values() for bracket in one.brackets if bracket.entry_live]


def _cause(command: Command) -> str:
    return " ".join(filter(None, (command.name, command.argument, f"by {command.operator}")))


ACTIONS: Mapping[str, Callable[[CampaignBook, Command], Iterator[Message]]] = {
    "cancel": _cancel,
    "force-exit": _leave,
    "kill": _kill,
    "stop": _stop,
}
"""Command -> what it does here. The others are the gate's alone."""
