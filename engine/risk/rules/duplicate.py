"""DUPLICATE: a group that works or holds something is never entered again."""

from decimal import Decimal
from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.settings import RiskSettings


class Duplicate:
    code: Final = "DUPLICATE"
    stage: Final = "STATE"

    def __init__(self, settings: RiskSettings) -> None:
        self.settings = settings

    def judge(self, assessment: Assessment) -> Finding | None:
        return Finding(self.code, Decimal(1), Decimal(0)) if assessment.exposure.group_live else None
