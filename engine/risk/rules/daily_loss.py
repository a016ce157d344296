"""DAILY_LOSS: after a loss of this part of the equity that a day began with, nothing is bought that day."""

from typing import Final

from engine.ports import Assessment, Finding
from engine.risk.heat import border
from engine.risk.losses import has_lost
from engine.risk.settings import RiskSettings
from engine.risk.units import amount


class DailyLoss:
    code: Final = "DAILY_LOSS"
    stage: Final = "STATE"

    def __init__(self, settings: RiskSettings) -> None:
        self._limit_bp: Final = settings.daily_loss_bp

    def judge(self, assessment: Assessment) -> Finding | None:
        seen = assessment.exposure
        if self.code not in seen.stopped and not has_lost(seen.day_start, seen.equity, self._limit_bp):
            return None
        return Finding(self.code, amount(seen.day_start - seen.equity), border(seen.day_start, self._limit_bp))
