"""DATA_STALE: while a feed is not live, nobody knows what an entry would meet."""

from decimal import Decimal
from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.settings import RiskSettings


class DataStale:
    code: Final = "DATA_STALE"
    stage: Final = "DATA"

    def __init__(self, settings: RiskSettings) -> None:
        self.settings = settings

    def judge(self, assessment: Assessment) -> Finding | None:
        return Finding(self.code, Decimal(1), Decimal(0)) if assessment.exposure.stale else None
