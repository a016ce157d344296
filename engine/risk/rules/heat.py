"""HEAT_LIMIT: no entry brings portfolio heat to its limit; exactly the limit is refused."""

from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.heat import BASIS, border
from engine.risk.settings import RiskSettings
from engine.risk.units import amount


class Heat:
    code: Final = "HEAT_LIMIT"
    stage: Final = "RISK"

    def __init__(self, settings: RiskSettings) -> None:
        self._limit_bp: Final = settings.heat_limit_bp

    def judge(self, assessment: Assessment) -> Finding | None:
        exposure = assessment.exposure
        projected = exposure.open_risk + exposure.working_risk + assessment.new_risk
        if exposure.equity > 0 and projected * BASIS < exposure.equity * self._limit_bp:
            return None
        return Finding(self.code, amount(projected), border(exposure.equity, self._limit_bp))
