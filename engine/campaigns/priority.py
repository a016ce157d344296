"""Which entry comes first when several are wanted at one decision point.

Confidence, reward and pattern rank, each normalised to 0..1 and clamped, weighted 40/30/30. The
score is compared in whole millionths, so that the last bits of a float decide nothing.
"""

from engine.messages import Leg
from engine.ports import Proposal
from engine.timeframes import usual_length_ns

RANK = {Leg.SPRING: 1, Leg.LPS: 2, Leg.SOS: 3}

REWARD_TARGET = {Leg.SPRING: 1, Leg.SOS: 0, Leg.LPS: 0}
"""Which of the three targets is one range width beyond the range: a spring takes part at R first."""

OrderKey = tuple[int, int, str, int, str]


def priority_score(confidence: float, reward_multiple: float, leg: Leg) -> float:
    """0..100. Confidence counts from 70 to 95, reward from 2 to 5 R."""
    confident = _unit((confidence - 70.0) / 25.0)
    rewarding = _unit((reward_multiple - 2.0) / 3.0)
    ranked = (4 - RANK[leg]) / 3.0
    return 100.0 * (0.40 * confident + 0.30 * rewarding + 0.30 * ranked)


def proposal_score(proposal: Proposal) -> float:
    """The score of a proposal whose prices are finite and whose worst price is above its stop.

    Reward and risk are taken at the worst price, the only entry price that every kind has.
    """
    reward = proposal.targets[REWARD_TARGET[proposal.leg]] - proposal.worst
    return priority_score(proposal.score, reward / (proposal.worst - proposal.stop), proposal.leg)


def millionths(score: float) -> int:
    return round(score * 1_000_000)


def order_key(score: float, confirm_ns: int, symbol: str, timeframe: str, campaign: str) -> OrderKey:
    """Sorts entries: best score, earlier confirmation, symbol, longer timeframe, campaign."""
    return (-millionths(score), confirm_ns, symbol, -usual_length_ns(timeframe), campaign)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
