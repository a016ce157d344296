"""Limits of the risk gate, as they stand in the configuration's `[risk]` table.

Every limit has a ceiling that no configuration can raise; a file may only be stricter. None has
a default: a number that can lose money is written down where an operator reads it.
"""

from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

HEAT_CEILING_BP: Final = 1000
"""Portfolio heat blocks at 10 % (wyckoff.md 6.1); never higher."""
TRADE_CEILING_BP: Final = 200
"""One trade risks at most 2 % of equity (6.1)."""
CAMPAIGN_CEILING_BP: Final = 500
"""One campaign risks at most 5 % of equity, realised loss included (5.5)."""
CAMPAIGN_WARNING_CEILING_BP: Final = 400
"""A campaign's risk is worth a word from 4 % on (5.5)."""
DAILY_LOSS_CEILING_BP: Final = 300
"""A day may lose at most 3 % of what it began with (6.1)."""
DRAWDOWN_CEILING_BP: Final = 1500
"""Entries stop at the latest 15 % below the highest equity (6.1)."""
NOTIONAL_CEILING_BP: Final = 2000
"""One position is worth at most 20 % of equity; larger sizes are capped (6.1)."""
SYMBOL_ENTRIES_CEILING: Final = 2
"""Working entry orders in one symbol (faults.md C16)."""
TOTAL_ENTRIES_CEILING: Final = 50
"""Working entry orders in the account (faults.md C16)."""

RULES_FOLDER: Final = Path(__file__).parent / "rules"


class RiskSettings(BaseModel):
    """`rules` names modules of `engine.risk.rules`, judged in this order; none approves nothing.

    Borders are basis points of equity: heat is WARNING from `heat_warning_bp`, CRITICAL from
    `heat_critical_bp`, EXCEEDED from `heat_limit_bp`, where entries are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    rules: tuple[str, ...]
    heat_warning_bp: int = Field(gt=0)
    heat_critical_bp: int = Field(gt=0)
    heat_limit_bp: int = Field(gt=0, le=HEAT_CEILING_BP)
    trade_limit_bp: int = Field(gt=0, le=TRADE_CEILING_BP)
    campaign_limit_bp: int = Field(gt=0, le=CAMPAIGN_CEILING_BP)
    campaign_warning_bp: int = Field(gt=0, le=CAMPAIGN_WARNING_CEILING_BP)
    notional_cap_bp: int = Field(gt=0, le=NOTIONAL_CEILING_BP)
    max_symbol_entries: int = Field(gt=0, le=SYMBOL_ENTRIES_CEILING)
    max_entries: int = Field(gt=0, le=TOTAL_ENTRIES_CEILING)
    daily_loss_bp: int = Field(gt=0, le=DAILY_LOSS_CEILING_BP)
    drawdown_bp: int = Field(gt=0, le=DRAWDOWN_CEILING_BP)

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        known = sorted(path.stem for path in RULES_FOLDER.glob("[a-z]*.py"))
        for name in rules:
            if name not in known:
                raise ValueError(f"rules must be among {', '.join(known)}, was {name}")
        return rules

    @model_validator(mode="after")
    def _borders_rise(self) -> Self:
        if not self.heat_warning_bp < self.heat_critical_bp < self.heat_limit_bp:
            raise ValueError(
                "heat_warning_bp < heat_critical_bp < heat_limit_bp is required, "
                f"was {self.heat_warning_bp}, {self.heat_critical_bp}, {self.heat_limit_bp}"
            )
        return self
