"""DATA_CURRENCY: risk in another currency than the account's cannot be added up."""

from decimal import Decimal
from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.settings import RiskSettings


class Currency:
    code: Final = "DATA_CURRENCY"
    stage: Final = "DATA"

    def __init__(self, settings: RiskSettings) -> None:
        self.settings = settings

    def judge(self, assessment: Assessment) -> Finding | None:
        if assessment.instrument.currency == assessment.exposure.currency:
            return None
        return Finding(self.code, Decimal(1), Decimal(0))
