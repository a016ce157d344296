"""Why a symbol was traded or not: the detector's explanation, the campaigns, and what became of each candidate.

The explanation is the one that `explain` gives of a feed, from the same state. A candidate is an event that a
strategy trades or a wish that it led to; each is told with the stage where it ended and how far it was off.
"""

from collections.abc import Sequence
from decimal import Decimal

from engine.app import Line
from engine.config import Config
from engine.control.status import Blocker, HeatView, PositionView, View
from engine.iso import iso
from engine.live import look, views
from engine.live.look import CampaignLook
from engine.live.rebuild import Rebuilt
from engine.live.witness import Candidate, SymbolWitness
from engine.messages import FOREVER_NS, NEVER_NS, Approved, Declined, Refused, Warned
from engine.wyckoff.explained import Explanation, Slot, explain

WHY_VERSION = 1
"""Rises when a field changes its meaning or goes; new fields do not raise it."""

DECLINED, WARNED = "DECLINED", "WARNED"


class CandidateLook(View, frozen=True, kw_only=True):
    """`verdict` is APPROVED or REFUSED by the gate, DECLINED by the strategy or the campaign, WARNED where something
    spoke against it and it went on. `stage` and `code` say which limit it was, "" where none; `margin` is
    limit - value. `score` is None where the event was long before. `quantity` is what was asked of the
    gate, `sum` the heat that it would have made, and `reason` what the strategy said for it."""

    time: str
    subject: str
    campaign: str
    strategy: str
    verdict: str
    score: float | None
    stage: str
    code: str
    value: Decimal
    limit: Decimal
    margin: Decimal
    quantity: Decimal | None
    sum: str
    reason: str


class Why(View, frozen=True, kw_only=True):
    """`at` is the instant asked for, "" for the end of the latest tape. `blockers` are what the gate holds against
    every entry. `candidates` are the last ones of this day and up to two before, oldest first, warnings among
    them."""

    version: int = WHY_VERSION
    symbol: str
    at: str
    line_time: str
    tape: str
    mode: str
    feed_is_simulated: bool
    explanation: Explanation
    campaigns: tuple[CampaignLook, ...]
    positions: tuple[PositionView, ...]
    candidates: tuple[CandidateLook, ...]
    blockers: tuple[Blocker, ...]
    heat: HeatView


def why(
    built: Rebuilt, config: Config, slot: tuple[str, str], at_ns: int, witness: SymbolWitness, *, is_simulated: bool
) -> Why:
    """`witness` has heard the tape for this slot."""
    line, symbol = built.line, slot[0]
    line_ns = line.bars.line_time_ns
    return Why(
        symbol=symbol,
        at="" if at_ns == FOREVER_NS else iso(at_ns),
        line_time="" if line_ns == NEVER_NS else iso(line_ns),
        tape=str(built.tape),
        mode=built.start.mode,
        feed_is_simulated=is_simulated,
        explanation=_explained(built, slot, line_ns if at_ns == FOREVER_NS else at_ns, witness),
        campaigns=tuple(look.campaigns(line, config.campaigns, symbol)),
        positions=tuple(one for one in views.positions(line) if one.symbol == symbol),
        candidates=tuple(_candidates(line, witness)),
        blockers=views.blockers(line),
        heat=views.heat(line, config.risk),
    )


def _explained(built: Rebuilt, slot: tuple[str, str], at_ns: int, witness: SymbolWitness) -> Explanation:
    now = look.slot_of(built.line, built.start, *slot)
    return explain(Slot(*slot, at_ns), now, witness.before, tuple(witness.events), tuple(witness.changes))


def _candidates(line: Line, witness: SymbolWitness) -> Sequence[CandidateLook]:
    found = [(_time_ns(one), _candidate(one, witness)) for one in witness.candidates]
    first_ns = min((time_ns for time_ns, _ in found), default=FOREVER_NS)
    found += [(one.time_ns, _warned(one, witness)) for one in witness.warnings if one.time_ns >= first_ns]
    return [view for _, view in sorted(found, key=lambda pair: pair[0])]


def _time_ns(one: Candidate) -> int:
    return one.time_ns if isinstance(one, Declined) else one.intent.decision_ns


def _candidate(one: Candidate, witness: SymbolWitness) -> CandidateLook:
    return _declined(one, witness) if isinstance(one, Declined) else _judged(one)


def _judged(one: Approved | Refused) -> CandidateLook:
    said, intent = look.verdict(one), one.intent
    return CandidateLook(
        time=said.time,
        subject=f"{intent.leg} of {intent.campaign}",
        campaign=intent.campaign,
        strategy="",
        verdict=said.verdict,
        score=intent.score,
        stage=said.stage,
        code=said.code,
        value=said.value,
        limit=said.limit,
        margin=said.margin,
        quantity=said.quantity,
        sum=said.sum,
        reason=said.reason,
    )


def _declined(one: Declined, witness: SymbolWitness) -> CandidateLook:
    return _limited(
        one.event_id, (iso(one.time_ns), one.campaign, one.strategy, DECLINED), one, witness.scores.get(one.event_id)
    )


def _warned(one: Warned, witness: SymbolWitness) -> CandidateLook:
    return _limited(
        one.subject, (iso(one.time_ns), one.campaign, one.source, WARNED), one, witness.scores.get(one.subject)
    )


def _limited(
    subject: str, said: tuple[str, str, str, str], one: Declined | Warned, score: float | None
) -> CandidateLook:
    time, campaign, strategy, verdict = said
    return CandidateLook(
        time=time,
        subject=subject,
        campaign=campaign,
        strategy=strategy,
        verdict=verdict,
        score=score,
        stage=one.stage,
        code=one.code,
        value=_decimal(one.value),
        limit=_decimal(one.limit),
        margin=_decimal(one.margin),
        quantity=None,
        sum="",
        reason="",
    )


def _decimal(value: float) -> Decimal:
    """As it is printed: a float's last binary digits mean nothing to a person."""
    return Decimal(f"{value:.10g}")
