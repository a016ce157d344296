"""MAX_OPEN_ORDERS: bounds the entries that work at once, in one symbol and in the account."""

from decimal import Decimal
from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.settings import RiskSettings


class OpenOrders:
    code: Final = "MAX_OPEN_ORDERS"
    stage: Final = "STATE"

    def __init__(self, settings: RiskSettings) -> None:
        self.settings = settings

    def judge(self, assessment: Assessment) -> Finding | None:
        exposure = assessment.exposure
        if exposure.symbol_entries >= self.settings.max_symbol_entries:
            return Finding(self.code, Decimal(exposure.symbol_entries + 1), Decimal(self.settings.max_symbol_entries))
        if exposure.entries >= self.settings.max_entries:
            return Finding(self.code, Decimal(exposure.entries + 1), Decimal(self.settings.max_entries))
        return None
