"""What a verdict says of itself: findings without a rule, margins, and words about what it let through."""

from decimal import Decimal
from typing import Final

from engine.instruments import MONEY
from engine.messages import Intent, Warned
from engine.ports import Assessment, Finding
from engine.risk.heat import border
from engine.risk.losses import OWNER
from engine.risk.position import ZERO
from engine.risk.sizing import Sized
from engine.risk.units import amount

NO_RULES: Final = Finding("NO_RULES", ZERO, Decimal(1))
UNKNOWN_INSTRUMENT: Final = Finding("DATA_INSTRUMENT", ZERO, Decimal(1))

PASSED: Final = Finding("", ZERO, ZERO)
"""What a receipt says of an approved exit."""

UNSIZED: Final = Sized(ZERO, ZERO, 0, ZERO)


def headroom(assessment: Assessment, limit_bp: int) -> Finding:
    """What a receipt says of an approved entry: projected risk and its limit, in account currency."""
    exposure = assessment.exposure
    projected = exposure.open_risk + exposure.working_risk + assessment.new_risk
    return Finding("", amount(projected), border(exposure.equity, limit_bp))


def margin(finding: Finding) -> Decimal:
    """limit - value; not a number where the value is none."""
    if not finding.value.is_finite():
        return Decimal("NaN")
    return MONEY.subtract(finding.limit, finding.value)


def campaign_warning(intent: Intent, found_bp: int, limit_bp: int) -> Warned:
    """An approved entry that takes its campaign near to its limit."""
    return Warned(
        time_ns=intent.decision_ns,
        campaign=intent.campaign,
        symbol=intent.symbol,
        subject=intent.intent_id,
        source=OWNER,
        stage="RISK",
        code="RISK_CAMPAIGN",
        value=float(found_bp),
        limit=float(limit_bp),
        margin=float(limit_bp - found_bp),
    )
