"""NUMERIC: an entry's numbers are usable and stand on the right sides of each other."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from engine.messages import Intent, OrderKind
from engine.ports import Assessment, Finding
from engine.risk.sanity import NUMERIC, ZERO, beyond, price_finding
from engine.risk.settings import RiskSettings

TRIGGERED = (OrderKind.STOP, OrderKind.STOP_LIMIT)


class Numeric:
    code: Final = NUMERIC
    stage: Final = "SANITY"

    def __init__(self, settings: RiskSettings) -> None:
        self.settings = settings

    def judge(self, assessment: Assessment) -> Finding | None:
        intent = assessment.intent
        if intent.direction not in (1, -1):
            return Finding(NUMERIC, Decimal(intent.direction), Decimal(1))
        if not intent.risk_bp.is_finite() or intent.risk_bp <= 0:
            return Finding(NUMERIC, intent.risk_bp, ZERO)
        for price in _prices(intent):
            finding = price_finding(price, assessment.instrument)
            if finding:
                return finding
        return _sides(intent)


def _prices(intent: Intent) -> Iterator[Decimal]:
    yield intent.limit_price
    yield intent.stop_price
    if intent.entry_kind in TRIGGERED:
        yield intent.entry_price
    yield from (intent.target_1, intent.target_2, intent.target_3)


def _sides(intent: Intent) -> Finding | None:
    """Stop behind the entry, worst price not before it, targets beyond it."""
    entry = intent.entry_price if intent.entry_kind in TRIGGERED else intent.limit_price
    if not beyond(intent.direction, entry, intent.stop_price):
        return Finding(NUMERIC, intent.stop_price, entry)
    if beyond(intent.direction, entry, intent.limit_price):
        return Finding(NUMERIC, intent.limit_price, entry)
    for target in (intent.target_1, intent.target_2, intent.target_3):
        if not beyond(intent.direction, target, entry):
            return Finding(NUMERIC, target, entry)
    return None
