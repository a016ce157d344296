"""Exits, stop moves and cancels: how much they concern, or why they make no sense.

Nothing here asks for heat, data or operators: what lowers risk always goes out. It is refused
only where it names nothing that is there, repeats itself, or would do the opposite.
"""

from decimal import Decimal

from engine.instruments import MONEY
from engine.messages import Action, Instrument, Intent
from engine.ports import Finding
from engine.risk.position import ZERO, Position
from engine.risk.sanity import beyond, price_finding

STAGE = "EXIT_SANITY"
EXIT_NONE = "EXIT_NONE"
STOP_WIDENS = "STOP_WIDENS"
DUPLICATE = "DUPLICATE"


def attempt(intent: Intent) -> int:
    """The n of `group/ACTION-n`, from which the order is named."""
    return int(intent.intent_id.rpartition("-")[2])


def judge_exit(intent: Intent, instrument: Instrument, position: Position | None) -> Finding | None:
    """None passes. `position` is the intent's group, None when it is not live."""
    if intent.action is Action.MOVE_STOP:
        finding = price_finding(intent.stop_price, instrument)
        if finding:
            return finding
    if position is None:
        return Finding(EXIT_NONE, ZERO, Decimal(1))
    if intent.action is Action.MOVE_STOP:
        return _judge_move(intent, position)
    if intent.action is Action.EXIT:
        return _judge_flatten(intent, position)
    return None if position.awaited else Finding(EXIT_NONE, ZERO, Decimal(1))


def exit_quantity(intent: Intent, position: Position) -> Decimal:
    """EXIT: what is open and not being exited. MOVE_STOP: open and still to come. CANCEL: 0."""
    if intent.action is Action.EXIT:
        return max(ZERO, MONEY.subtract(position.open_quantity, position.working_exit_quantity))
    if intent.action is Action.MOVE_STOP:
        return MONEY.add(position.open_quantity, position.awaited)
    return ZERO


def take(intent: Intent, position: Position, quantity: Decimal) -> None:
    """Remember an approved exit or stop move until the venue answers."""
    if intent.action is Action.EXIT:
        position.last_exit = attempt(intent)
        if quantity:
            position.working_exits[position.last_exit] = quantity
    elif intent.action is Action.MOVE_STOP:
        position.last_stop = attempt(intent)
        position.asked_stops[position.last_stop] = intent.stop_price


def _judge_move(intent: Intent, position: Position) -> Finding | None:
    if attempt(intent) <= position.last_stop:
        return Finding(DUPLICATE, Decimal(attempt(intent)), Decimal(position.last_stop + 1))
    for stop in _protecting(position):
        if beyond(position.direction, stop, intent.stop_price):
            return Finding(STOP_WIDENS, intent.stop_price, stop)
    return None


def _judge_flatten(intent: Intent, position: Position) -> Finding | None:
    """An exit needs something left to close, or an entry to take back."""
    if attempt(intent) <= position.last_exit:
        return Finding(DUPLICATE, Decimal(attempt(intent)), Decimal(position.last_exit + 1))
    if not position.awaited and not exit_quantity(intent, position):
        return Finding(EXIT_NONE, ZERO, Decimal(1))
    return None


def _protecting(position: Position) -> list[Decimal]:
    """Stops that hold or are on their way: a new one may be wider than none of them."""
    confirmed = [] if position.stop_lost else [position.stop_price]
    return confirmed + list(position.asked_stops.values())
