"""RiskGate: the only maker of `Approved`, and the single writer of the portfolio.

Each intent leaves with its verdict, each verdict with a receipt from which the sum can be
recomputed. An entry is sized, asked of every rule, and reserved before the next one is judged;
whatever the rules say, the last step keeps the law: no approval leaves projected heat at or
above the limit. With no rules nothing is approved.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from engine.blocks import MarketBlock
from engine.instruments import MONEY, InstrumentTable
from engine.messages import (
    Accepted,
    AccountState,
    Action,
    Approved,
    CampaignChange,
    CampaignState,
    Cancelled,
    Command,
    Detections,
    EndOfFeed,
    Expired,
    ExternalOrder,
    FeedStatus,
    Fill,
    Heartbeat,
    HeatChange,
    HeatState,
    Instrument,
    Intent,
    Message,
    NotSent,
    Receipt,
    Refused,
    Rejected,
    SessionStart,
    Watched,
)
from engine.ports import Assessment, Exposure, Finding, Item, RiskRule
from engine.risk import exits
from engine.risk.heat import border, heat_bp, heat_state, reaches
from engine.risk.portfolio import Portfolio, PortfolioSnapshot
from engine.risk.position import ZERO
from engine.risk.rules import load
from engine.risk.settings import RiskSettings
from engine.risk.sizing import Sized, size
from engine.risk.units import amount, on_wire

LIVE = "LIVE"
HALTS = {"pause": "resume", "kill": "unkill"}
"""Operator commands that stop entries, and the command that takes each back."""

REPLACED = "replaced"
"""The reason of a cancellation by which the venue says that the next order took the place."""

TERMINAL = (CampaignState.COMPLETED, CampaignState.INVALIDATED, CampaignState.EXPIRED)

NO_RULES: Final = Finding("NO_RULES", ZERO, Decimal(1))
UNKNOWN_INSTRUMENT: Final = Finding("DATA_INSTRUMENT", ZERO, Decimal(1))


HEATING = (
    SessionStart, AccountState, ExternalOrder, Fill, Accepted, Rejected, Cancelled, Expired, NotSent,
    Watched, Heartbeat, EndOfFeed,
)  # fmt: skip
"""Facts after which heat is looked at. Never a market block: where one ends is nobody's decision."""


class GateState(msgspec.Struct):
    portfolio: PortfolioSnapshot
    heat: HeatState
    not_live: dict[int, str]
    halts: dict[str, str]


class RiskGate:
    """Facts in; facts, verdicts and heat changes out. `rules` are asked in order; by default the
    ones that the settings name."""

    def __init__(
        self, settings: RiskSettings, instruments: InstrumentTable, rules: Sequence[RiskRule] | None = None
    ) -> None:
        self.portfolio = Portfolio(instruments)
        self.heat = HeatState.NORMAL
        self._instruments = instruments
        self._settings = settings
        self._rules = load(settings) if rules is None else tuple(rules)
        self._not_live: dict[int, str] = {}
        self._halts: dict[str, str] = {}

    def process(self, message: Item) -> Iterable[Item]:
        if isinstance(message, MarketBlock):
            self.portfolio.marks.fold(message)
            return (message,)
        if isinstance(message, Intent):
            return (message, self._verdict(message), *self._heat_change(message.decision_ns))
        if isinstance(message, Detections):
            return (message, *self._heat_change(message.decision_ns))
        self._apply(message)
        if isinstance(message, HEATING):
            return (message, *self._heat_change(message.time_ns))
        return (message,)

    def snapshot(self) -> bytes:
        state = GateState(self.portfolio.save(), self.heat, self._not_live, self._halts)
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        state = msgspec.msgpack.decode(data, type=GateState)
        self.portfolio.load(state.portfolio)
        self.heat = state.heat
        self._not_live = state.not_live
        self._halts = state.halts

    # ------------------------------------------------------------------------------- verdicts

    def _verdict(self, intent: Intent) -> Approved | Refused:
        if intent.symbol not in self._instruments.symbols:
            return self._refuse(intent, "DATA", (UNKNOWN_INSTRUMENT, UNSIZED))
        instrument = self._instruments.named(intent.symbol)
        if intent.action is Action.ENTER:
            return self._judge_entry(intent, instrument)
        return self._judge_exit(intent, instrument)

    def _judge_entry(self, intent: Intent, instrument: Instrument) -> Approved | Refused:
        assessment, sized = self._assess(intent, instrument)
        for rule in self._rules:
            finding = rule.judge(assessment)
            if finding is not None:
                return self._refuse(intent, rule.stage, (finding, sized))
        stage, finding = self._last_step(assessment)
        if finding is not None:
            return self._refuse(intent, stage, (finding, sized))
        receipt = self._receipt(intent, _headroom(assessment, self._settings.heat_limit_bp), sized)
        self.portfolio.reserve(intent, sized.quantity)
        return Approved(intent=intent, quantity=sized.quantity, receipt=receipt)

    def _last_step(self, assessment: Assessment) -> tuple[str, Finding | None]:
        """What holds whatever the rules are: some rules, some size, a free group, and the law."""
        limit_bp = self._settings.heat_limit_bp
        projected = self.portfolio.open_risk + self.portfolio.working_risk + assessment.new_risk
        equity = assessment.exposure.equity
        if not self._rules:
            return "RULES", NO_RULES
        if assessment.quantity <= 0:
            return "SIZING", Finding("SIZE_MIN", assessment.quantity, assessment.instrument.lot)
        if assessment.exposure.group_live:
            return "RESERVE", Finding("DUPLICATE", Decimal(1), ZERO)
        if reaches(projected, equity, limit_bp):
            return "RESERVE", Finding("HEAT_LIMIT", amount(projected), border(equity, limit_bp))
        return "", None

    def _judge_exit(self, intent: Intent, instrument: Instrument) -> Approved | Refused:
        position = self.portfolio.positions.get(intent.group)
        finding = exits.judge_exit(intent, instrument, position)
        if finding is not None or position is None:
            return self._refuse(intent, exits.STAGE, (finding or UNKNOWN_INSTRUMENT, UNSIZED))
        quantity = exits.exit_quantity(intent, position)
        exits.take(intent, position, quantity)
        sized = Sized(quantity, ZERO, 0, ZERO)
        return Approved(intent=intent, quantity=quantity, receipt=self._receipt(intent, PASSED, sized))

    def _assess(self, intent: Intent, instrument: Instrument) -> tuple[Assessment, Sized]:
        equity, unmarked = self._equity()
        mark = self.portfolio.marks.of(self._instruments.number(intent.symbol))
        sized = size(intent, instrument, equity, self._settings.notional_cap_bp)
        exposure = Exposure(
            equity=equity,
            open_risk=self.portfolio.open_risk,
            working_risk=self.portfolio.working_risk,
            campaign_risk=self.portfolio.campaign_risk(intent.campaign),
            halted=next(iter(self._halts), ""),
            stale=bool(self._not_live),
            unmarked=unmarked or ("" if mark is not None else intent.symbol),
            group_live=intent.group in self.portfolio.positions,
            symbol_entries=self.portfolio.symbol_entries(intent.symbol),
            entries=self.portfolio.entries,
            currency=self.portfolio.currency,
        )
        assessment = Assessment(
            intent=intent,
            instrument=instrument,
            quantity=sized.quantity,
            unit_risk=sized.unit_risk,
            new_risk=sized.new_risk,
            notional=sized.notional,
            mark=mark or ZERO,
            exposure=exposure,
        )
        return assessment, sized

    def _equity(self) -> tuple[int, str]:
        """Equity and "", or 0 and the symbol that keeps it from being known."""
        unmarked = self.portfolio.unmarked()
        equity = None if unmarked else self.portfolio.equity()
        return (equity or 0), unmarked

    def _refuse(self, intent: Intent, stage: str, found: tuple[Finding, Sized]) -> Refused:
        return Refused(intent=intent, stage=stage, receipt=self._receipt(intent, *found))

    def _receipt(self, intent: Intent, finding: Finding, sized: Sized) -> Receipt:
        known = intent.symbol in self._instruments.symbols
        mark = self.portfolio.marks.of(self._instruments.number(intent.symbol)) if known else None
        return Receipt(
            code=finding.code,
            value=finding.value,
            limit=finding.limit,
            margin=_margin(finding),
            equity=on_wire(self._equity()[0]),
            open_risk=on_wire(self.portfolio.open_risk),
            working_risk=on_wire(self.portfolio.working_risk),
            new_risk=on_wire(sized.new_risk),
            campaign_risk=on_wire(self.portfolio.campaign_risk(intent.campaign)),
            limit_bp=self._settings.heat_limit_bp,
            unit_risk=sized.unit_risk,
            quantity=sized.quantity,
            mark=mark or ZERO,
        )

    # --------------------------------------------------------------------------- facts, heat

    def _apply(self, fact: Message) -> None:
        match fact:
            case Fill():
                self.portfolio.fill(fact)
            case Accepted():
                self.portfolio.accepted(fact.order_id)
            case Cancelled(reason=reason) if reason == REPLACED:
                self.portfolio.replaced(fact.order_id)
            case Cancelled() | Expired():
                self.portfolio.ended(fact.order_id, fact.filled)
            case Rejected() | NotSent():
                self.portfolio.ended(fact.order_id, ZERO)
            case SessionStart():
                self.portfolio.start(fact)
            case AccountState():
                self.portfolio.account(fact)
            case ExternalOrder():
                self.portfolio.external(fact)
            case CampaignChange(state=state) if state in TERMINAL:
                self.portfolio.finish(fact.campaign)
            case FeedStatus():
                self._follow_feed(fact)
            case Command():
                self._obey(fact)

    def _follow_feed(self, fact: FeedStatus) -> None:
        self._not_live.pop(fact.feed, None)
        if fact.status != LIVE:
            self._not_live[fact.feed] = fact.status

    def _obey(self, fact: Command) -> None:
        if fact.name in HALTS:
            self._halts[fact.name] = fact.operator
        for halt, release in HALTS.items():
            if fact.name == release:
                self._halts.pop(halt, None)

    def _heat_change(self, time_ns: int) -> tuple[HeatChange, ...]:
        """The transition that the last fact or verdict made; none while heat is not computable."""
        if self.heat is HeatState.NORMAL and self.portfolio.is_flat:
            return ()
        equity, unmarked = self._equity()
        if unmarked or not self.portfolio.currency:
            return ()
        risk = self.portfolio.open_risk + self.portfolio.working_risk
        previous, self.heat = self.heat, heat_state(risk, equity, self._settings)
        if self.heat is previous:
            return ()
        return (HeatChange(time_ns=time_ns, previous=previous, state=self.heat, heat_bp=heat_bp(risk, equity)),)


PASSED: Final = Finding("", ZERO, ZERO)
"""What a receipt says of an approved exit."""

UNSIZED: Final = Sized(ZERO, ZERO, 0, ZERO)


def _headroom(assessment: Assessment, limit_bp: int) -> Finding:
    """What a receipt says of an approved entry: projected risk and its limit, in account currency."""
    exposure = assessment.exposure
    projected = exposure.open_risk + exposure.working_risk + assessment.new_risk
    return Finding("", amount(projected), border(exposure.equity, limit_bp))


def _margin(finding: Finding) -> Decimal:
    """limit - value; not a number where the value is none."""
    if not finding.value.is_finite():
        return Decimal("NaN")
    return MONEY.subtract(finding.limit, finding.value)
