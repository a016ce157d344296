"""HALTED: an operator has stopped entries; exits go on."""

from decimal import Decimal
from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.settings import RiskSettings


class Halted:
    code: Final = "HALTED"
    stage: Final = "STATE"

    def __init__(self, settings: RiskSettings) -> None:
        self.settings = settings

    def judge(self, assessment: Assessment) -> Finding | None:
        return Finding(self.code, Decimal(1), Decimal(0)) if assessment.exposure.halted else None
