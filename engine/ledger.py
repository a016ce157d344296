"""Ledger: folds executions into closed trades at the end of the line, so that a run's profit is
part of its state and survives a snapshot."""

from collections.abc import Iterable

from engine.campaigns.performance import TradeLedger
from engine.instruments import InstrumentTable
from engine.messages import Fill, Intent, Message
from engine.ports import Item

FOLDED = frozenset((Fill, Intent))


class Ledger:
    """A stage behind the Tap: passes everything on."""

    def __init__(self, table: InstrumentTable) -> None:
        self.trades = TradeLedger(table)

    def process(self, message: Item) -> Iterable[Item]:
        if type(message) in FOLDED:
            assert isinstance(message, Message)
            self.trades.add(message)
        return (message,)

    def snapshot(self) -> bytes:
        return self.trades.snapshot()

    def restore(self, data: bytes) -> None:
        self.trades.restore(data)
