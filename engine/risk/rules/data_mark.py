"""DATA_MARK: without a mark of everything held, and of the entry itself, equity is not known."""

from decimal import Decimal
from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.settings import RiskSettings


class DataMark:
    code: Final = "DATA_MARK"
    stage: Final = "DATA"

    def __init__(self, settings: RiskSettings) -> None:
        self.settings = settings

    def judge(self, assessment: Assessment) -> Finding | None:
        return Finding(self.code, Decimal(1), Decimal(0)) if assessment.exposure.unmarked else None
