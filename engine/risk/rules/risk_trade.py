"""RISK_TRADE: one entry risks at most its limit of equity; exactly the limit passes."""

from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.heat import BASIS, border
from engine.risk.settings import RiskSettings
from engine.risk.units import amount


class RiskTrade:
    code: Final = "RISK_TRADE"
    stage: Final = "RISK"

    def __init__(self, settings: RiskSettings) -> None:
        self._limit_bp: Final = settings.trade_limit_bp

    def judge(self, assessment: Assessment) -> Finding | None:
        equity = assessment.exposure.equity
        if assessment.new_risk * BASIS <= equity * self._limit_bp:
            return None
        return Finding(self.code, amount(assessment.new_risk), border(equity, self._limit_bp))
