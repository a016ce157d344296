"""Risk rules: one module a rule, one class a module, named alike (`risk_trade`, `RiskTrade`).

A rule is built from the gate's settings and judges one sized entry; it is pure. The settings
name the modules in the order in which they are asked, cheap ones first.
"""

from importlib import import_module
from pkgutil import iter_modules

from engine.ports import RiskRule
from engine.risk.settings import RiskSettings


def names() -> tuple[str, ...]:
    """Every rule there is, by module name, sorted."""
    return tuple(sorted(one.name for one in iter_modules(__path__)))


def load(settings: RiskSettings) -> tuple[RiskRule, ...]:
    """The configured rules in their order."""
    return tuple(_build(name, settings) for name in settings.rules)


def class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _build(name: str, settings: RiskSettings) -> RiskRule:
    rule: RiskRule = getattr(import_module(f"{__name__}.{name}"), class_name(name))(settings)
    return rule
