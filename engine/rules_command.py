"""`list-rules`: everything that can refuse an entry or an exit, its limit, and where that is set.

The rules are the modules of `engine.risk.rules`; what one blocks is the first line of its module, its
limits are the settings that its code reads. So a new rule lists itself.
"""

import ast
from collections.abc import Iterator, Sequence
from importlib import import_module
from inspect import getdoc, getsource
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from engine.campaign_views import View
from engine.campaigns.settings import CampaignSettings, LegPercents
from engine.campaigns_command import show
from engine.commands import known_errors
from engine.config import Config
from engine.opening import configuration
from engine.risk import rules
from engine.risk.settings import RiskSettings
from engine.text_table import NOTHING, columns

UNITS = {
    "_bp": "bp of equity",
    "_percent": "% of equity",
    "_score": "score, 0..100",
    "_entries": "working entries",
    "_positions": "legs held",
}
"""By the end of a setting's name."""


class LimitView(View, frozen=True):
    """`key` is where the configuration sets it."""

    key: str
    value: str
    unit: str


class RuleView(View, frozen=True):
    """`kind` is rule (configured, asked in order), gate (always on) or budget (what a campaign asks for).
    `order` is a rule's place among the active ones, from 1."""

    name: str
    kind: str
    code: str
    stage: str
    blocks: str
    limits: list[LimitView]
    active: bool
    order: int | None


class RulesView(View, frozen=True):
    rules: list[RuleView]


GATE = (
    ("instrument", "DATA_INSTRUMENT", "DATA", "an intent for a symbol that is not in the session", ()),
    ("no_rules", "NO_RULES", "RULES", "every entry while no rule is configured", ()),
    ("size", "SIZE_MIN", "SIZING", "an entry whose size, capped by notional, is below a lot", ("notional_cap_bp",)),
    (
        "near_campaign",
        "RISK_CAMPAIGN",
        "WARNING",
        "nothing: says that a campaign's risk nears its limit",
        ("campaign_warning_bp",),
    ),
    ("reserve_group", "DUPLICATE", "RESERVE", "an entry of a group that works or holds something", ()),
    ("reserve_heat", "HEAT_LIMIT", "RESERVE", "an entry that brings portfolio heat to its limit", ("heat_limit_bp",)),
    ("exit_nothing", "EXIT_NONE", "EXIT_SANITY", "an exit, stop or cancel of what is not there", ()),
    ("exit_again", "DUPLICATE", "EXIT_SANITY", "an exit or stop that was asked for before", ()),
    ("exit_widens", "STOP_WIDENS", "EXIT_SANITY", "a stop further from profit than one that holds", ()),
    ("exit_price", "NUMERIC", "EXIT_SANITY", "a stop that is no price of the instrument", ()),
)
"""What the gate does whatever the rules are: name, code, stage, what it blocks, settings of [risk]."""

BUDGET = (
    ("budget_campaign", "an entry beyond what its campaign may risk, losses counted", ("cap_percent",)),
    ("budget_leg", "an entry beyond its leg's share of the cap and that of legs skipped before", ("split_percent",)),
    ("budget_pattern", "risk beyond that of the pattern: the entry is made smaller", ("pattern_percent",)),
    ("budget_trade", "risk beyond that of one trade: the entry is made smaller", ("trade_percent",)),
    ("budget_positions", "a leg while its campaign holds this many", ("max_positions",)),
    ("budget_low", "nothing: says that little of a campaign's budget is left", ("low_budget_percent",)),
    ("cooldown", "an entry in a symbol for so many trading days after a loss by stop or structure", ("cooldown_days",)),
    ("taint", "an entry on a bar that is in doubt (late, revised, gap, quarantine, differing)", ()),
    ("budget_lps", "an LPS without legs before it, below this score", ("lps_alone_score",)),
)
"""What the campaign manager asks for at most: name, what it blocks, settings of [campaigns]."""


def run_list_rules(config: Sequence[Path], *, as_json: bool) -> None:
    with known_errors(config):
        show(rules_view(configuration(config)), rules_text, as_json=as_json)


def rules_view(config: Config) -> RulesView:
    active = {name: order for order, name in enumerate(config.risk.rules, 1)}
    rest = [name for name in rules.names() if name not in active]
    found = [_rule(name, config.risk, active.get(name)) for name in (*active, *rest)]
    return RulesView(rules=[*found, *_gate(config.risk), *_budget(config.campaigns)])


def rules_text(view: RulesView) -> str:
    rows = [
        (
            NOTHING if one.kind != "rule" else str(one.order or "off"), one.name, one.code, one.stage,
            "; ".join(f"{limit.value} {limit.unit}" for limit in one.limits) or NOTHING,
            ", ".join(limit.key for limit in one.limits) or NOTHING,
        )
        for one in view.rules
    ]  # fmt: skip
    head, *lines = columns(("order", "rule", "code", "stage", "limit", "set by"), rows, left=(1, 2, 3, 4, 5))
    said = [line for row, one in zip(lines, view.rules, strict=True) for line in (row, f"       {one.blocks}")]
    note = "order: the place of an active rule, off: not configured, -: always on"
    return "\n".join([head, *said, "", note])


def settings_read(module: ModuleType) -> list[str]:
    """Names of the settings that a rule's code reads: `settings.NAME`, `self.settings.NAME`."""
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(getsource(module))):
        if isinstance(node, ast.Attribute) and _is_settings(node.value) and node.attr in RiskSettings.model_fields:
            found[node.attr] = None
    return list(found)


def _is_settings(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.lstrip("_") == "settings"


def _rule(name: str, settings: RiskSettings, order: int | None) -> RuleView:
    module = import_module(f"{rules.__name__}.{name}")
    kind = getattr(module, rules.class_name(name))
    said = " ".join((getdoc(module) or "").split("\n\n")[0].split())
    return RuleView(
        name=name,
        kind="rule",
        code=kind.code,
        stage=kind.stage,
        blocks=said.removeprefix(f"{kind.code}: "),
        limits=[_limit("risk", settings, key) for key in settings_read(module)],
        active=order is not None,
        order=order,
    )


def _gate(settings: RiskSettings) -> Iterator[RuleView]:
    for name, code, stage, blocks, keys in GATE:
        limits = [_limit("risk", settings, key) for key in keys]
        yield RuleView(
            name=name, kind="gate", code=code, stage=stage, blocks=blocks, limits=limits, active=True, order=None
        )


def _budget(settings: CampaignSettings) -> Iterator[RuleView]:
    for name, blocks, keys in BUDGET:
        limits = [_limit("campaigns", settings, key) for key in keys]
        yield RuleView(
            name=name, kind="budget", code="", stage="CAMPAIGN", blocks=blocks, limits=limits, active=True, order=None
        )


def _limit(table: str, settings: BaseModel, key: str) -> LimitView:
    value = getattr(settings, key)
    unit = next((unit for end, unit in UNITS.items() if key.endswith(end)), "")
    if isinstance(value, dict):
        value, unit = (
            ", ".join(f"{name} {one}" for name, one in value.items()),
            "days" if key.endswith("_days") else unit,
        )
    if isinstance(value, LegPercents):
        value = f"{value.spring}/{value.sos}/{value.lps}"
        unit = "% of the cap, spring/SOS/LPS" if key == "split_percent" else f"{unit}, spring/SOS/LPS"
    return LimitView(key=f"{table}.{key}", value=str(value), unit=unit)
