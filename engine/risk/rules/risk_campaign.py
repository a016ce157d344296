"""RISK_CAMPAIGN: what a campaign risks, has lost, and would add stays within its limit of equity."""

from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.heat import BASIS, border
from engine.risk.settings import RiskSettings
from engine.risk.units import amount


class RiskCampaign:
    code: Final = "RISK_CAMPAIGN"
    stage: Final = "RISK"

    def __init__(self, settings: RiskSettings) -> None:
        self._limit_bp: Final = settings.campaign_limit_bp

    def judge(self, assessment: Assessment) -> Finding | None:
        equity = assessment.exposure.equity
        projected = assessment.exposure.campaign_risk + assessment.new_risk
        if projected * BASIS <= equity * self._limit_bp:
            return None
        return Finding(self.code, amount(projected), border(equity, self._limit_bp))
