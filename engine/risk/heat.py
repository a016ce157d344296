"""Heat: risk over equity, and its four states.

State and law are decided on whole numbers, never on the rounded percentage, so that 9.999 % is
CRITICAL and allowed and 10.000 % is EXCEEDED and refused, by one and the same comparison.
"""

from decimal import Decimal
from math import inf
from typing import Final

from engine.messages import HeatState
from engine.risk.settings import RiskSettings
from engine.risk.units import UPWARD, WIRE_MAX, amount

BASIS = 10_000
"""Basis points of the whole."""

_BY_EQUITY: Final = (HeatState.EXCEEDED, HeatState.CRITICAL, HeatState.WARNING, HeatState.NORMAL)
"""What heat is in as equity rises and risk stays."""


def reaches(risk: int, equity: int, border_bp: int) -> bool:
    """Whether `risk` is at or above the border. True for any risk when equity is gone."""
    return equity <= 0 or risk * BASIS >= equity * border_bp


def border(equity: int, border_bp: int) -> Decimal:
    """The border in account currency: what a risk is compared with."""
    return amount(equity * border_bp).scaleb(-4, UPWARD)


def heat_state(risk: int, equity: int, settings: RiskSettings) -> HeatState:
    if reaches(risk, equity, settings.heat_limit_bp):
        return HeatState.EXCEEDED
    if reaches(risk, equity, settings.heat_critical_bp):
        return HeatState.CRITICAL
    if reaches(risk, equity, settings.heat_warning_bp):
        return HeatState.WARNING
    return HeatState.NORMAL


def span(state: HeatState, risk: int, settings: RiskSettings) -> tuple[float, float]:
    """(low, high): while risk stays, heat is in `state` where equity lies above the one and not above the other."""
    borders = (settings.heat_limit_bp, settings.heat_critical_bp, settings.heat_warning_bp)
    reached = [max(0, risk * BASIS // border_bp) for border_bp in borders]
    place = _BY_EQUITY.index(state)
    return (-inf, *reached)[place], (*reached, inf)[place]


def heat_bp(risk: int, equity: int) -> int:
    """Basis points, rounded up; the largest whole number a message carries stands for infinite."""
    if equity <= 0:
        return WIRE_MAX
    return min(-(-risk * BASIS // equity), WIRE_MAX)
