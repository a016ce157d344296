"""Ledger: folds executions into closed trades at the end of the line, so that a run's profit is
part of its state and survives a snapshot."""

from collections.abc import Iterator

from engine.campaigns.performance import TradeLedger
from engine.instruments import InstrumentTable
from engine.messages import Message
from engine.ports import Item


class Ledger:
    """A stage behind the Tap: passes everything on."""

    def __init__(self, table: InstrumentTable) -> None:
        self.trades = TradeLedger(table)

    def process(self, message: Item) -> Iterator[Item]:
        if isinstance(message, Message):
            self.trades.add(message)
        yield message

    def snapshot(self) -> bytes:
        return self.trades.snapshot()

    def restore(self, data: bytes) -> None:
        self.trades.restore(data)
