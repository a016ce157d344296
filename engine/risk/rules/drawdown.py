"""DRAWDOWN: this far below its highest equity the account buys nothing until an operator resets it."""

from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.heat import border
from engine.risk.losses import has_lost
from engine.risk.settings import RiskSettings
from engine.risk.units import amount


class Drawdown:
    code: Final = "DRAWDOWN"
    stage: Final = "STATE"

    def __init__(self, settings: RiskSettings) -> None:
        self._limit_bp: Final = settings.drawdown_bp

    def judge(self, assessment: Assessment) -> Finding | None:
        seen = assessment.exposure
        if self.code not in seen.stopped and not has_lost(seen.peak, seen.equity, self._limit_bp):
            return None
        return Finding(self.code, amount(seen.peak - seen.equity), border(seen.peak, self._limit_bp))
