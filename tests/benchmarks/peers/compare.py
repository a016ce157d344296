"""Two lists of trades, difference by difference: which rule of matching made it, or none.

The reference is run under this engine's rules, then under one rule of the peer after the other. A trade
of the peer is equal, or belongs to the first rule that yields it, or is unexplained; so is one it misses.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tests.benchmarks.peers.strategy import (
    NAMES,
    OURS,
    Plan,
    Rules,
    Trade,
    expected_on_bars,
    expected_on_trades,
)


@dataclass
class Compared:
    """`by_rule` counts trades by the rule they differ by; `missing` are trades the peer should have made."""

    made: int
    equal: int
    by_rule: dict[str, int] = field(default_factory=dict)
    unexplained: int = 0
    missing: int = 0

    @property
    def is_explained(self) -> bool:
        return not self.unexplained and not self.missing


def expected(kind: str, columns: Any, plan: Plan, rules: Rules) -> list[Trade]:
    compute: Callable[[Any, Plan, Rules], list[Trade]] = expected_on_trades if kind == "trades" else expected_on_bars
    return compute(columns, plan, rules)


def compared(made: Sequence[Trade], kind: str, columns: Any, plan: Plan, rules: Rules) -> Compared:
    """`made` under the peer's `rules` against what this engine's rules yield."""
    steps = list(path(rules))
    lists = [Counter(expected(kind, columns, plan, one)) for one, _ in steps]
    found = Compared(made=len(made), equal=0)
    left = Counter(made)
    for (_, name), yielded in zip(steps, lists, strict=True):
        same = left & yielded
        left -= same
        if name:
            found.by_rule[name] = same.total()
        else:
            found.equal = same.total()
    found.unexplained = left.total()
    found.missing = (lists[-1] - Counter(made)).total()
    return found


def path(rules: Rules) -> Sequence[tuple[Rules, str]]:
    """From this engine's rules to `rules`, one difference at a time, with its name."""
    reached = OURS
    steps = [(OURS, "")]
    for name, value in asdict(rules).items():
        if value != getattr(OURS, name):
            reached = replace(reached, **{name: value})
            steps.append((reached, NAMES[replace(OURS, **{name: value})]))
    return steps
