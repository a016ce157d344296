"""HEALTH: while a measurement of the shell (clock, tape, inbox) is beyond its limit, nothing is bought."""

from decimal import Decimal
from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.settings import RiskSettings


class Health:
    """Findings are named by the measurement: HEALTH_CLOCK_SKEW."""

    code: Final = "HEALTH"
    stage: Final = "DATA"

    def __init__(self, settings: RiskSettings) -> None:
        self.settings = settings

    def judge(self, assessment: Assessment) -> Finding | None:
        seen = assessment.exposure
        if not seen.unhealthy:
            return None
        code = f"{self.code}_{seen.unhealthy.upper()}"
        return Finding(code, Decimal(repr(seen.health_value)), Decimal(repr(seen.health_limit)))
