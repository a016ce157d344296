"""RiskGate: the only maker of `Approved`, and the single writer of the portfolio.

Each intent leaves with its verdict, each verdict with a receipt from which the sum can be
recomputed. An entry is sized, asked of every rule, and reserved before the next one is judged;
whatever the rules say, the last step keeps the law: no approval leaves projected heat at or
above the limit. With no rules nothing is approved.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from engine.blocks import MarketBlock
from engine.instruments import InstrumentTable
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
    Health,
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
    SymbolStatus,
    Watched,
)
from engine.ports import Assessment, Exposure, Finding, Item, RiskRule
from engine.risk import exits
from engine.risk.along import Along
from engine.risk.heat import border, heat_bp, heat_state, reaches, span
from engine.risk.holds import Block, Halt, Holds
from engine.risk.losses import OWNER, RESET, Losses, LossHalts, Quiet
from engine.risk.portfolio import NEVER_KNOWN, Portfolio, PortfolioSnapshot
from engine.risk.position import ZERO
from engine.risk.receipts import (
    NO_RULES,
    PASSED,
    UNKNOWN_INSTRUMENT,
    UNSIZED,
    campaign_warning,
    headroom,
    margin,
)
from engine.risk.rules import load
from engine.risk.settings import RiskSettings
from engine.risk.sizing import Sized, size
from engine.risk.units import amount, on_wire
from engine.sightings import Cuts

ALERT_COOLDOWN_NS: Final = 300 * 10**9
"""A state of heat is alerted to once in this time (wyckoff.md 6.2); crossings are always told."""

REPLACED = "replaced"
"""The reason of a cancellation by which the venue says that the next order took the place."""

TERMINAL = (CampaignState.COMPLETED, CampaignState.INVALIDATED, CampaignState.EXPIRED)

APPLIED = frozenset((
    Fill, Accepted, Cancelled, Expired, Rejected, NotSent, SessionStart, AccountState, ExternalOrder, CampaignChange,
    FeedStatus, Health, Watched, Command, SymbolStatus,
))  # fmt: skip
"""Facts that change what the gate knows."""

HEATING = (
    SessionStart, AccountState, ExternalOrder, Fill, Accepted, Rejected, Cancelled, Expired, NotSent,
    Watched, Heartbeat, EndOfFeed,
)  # fmt: skip
"""Facts after which heat is looked at. Never a market block: where one ends is nobody's decision."""

HEARD = APPLIED.union(HEATING)


class GateState(msgspec.Struct):
    portfolio: PortfolioSnapshot
    heat: HeatState
    alerted: dict[str, int]
    holds: Holds
    losses: Losses


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
        self._alerted: dict[str, int] = {}
        self._holds = Holds()
        self._losses = LossHalts(settings)
        self._looked = NEVER_KNOWN

    @property
    def halts(self) -> Mapping[str, Halt]:
        """What operators have halted: `pause`, `kill`."""
        return self._holds.halts

    def heat_now(self) -> tuple[int | None, HeatState]:
        """Heat in basis points of equity, None while it cannot be known, and the state it is in."""
        equity, unmarked = self.portfolio.known_equity()
        risk = self.portfolio.open_risk + self.portfolio.working_risk
        return (None if unmarked or equity <= 0 else heat_bp(risk, equity)), self.heat

    def blocks(self) -> list[Block]:
        """Why no entry would pass now, whatever it is; none where entries are judged one by one."""
        lost = [
            Block(code, f"since {since_ns}, {self._losses.loss_bp(code, self._losses.state.equity)} bp")
            for code, since_ns in self._losses.state.stopped.items()
        ]
        hot = [Block("HEAT_LIMIT", "heat is at its limit")] if self.heat is HeatState.EXCEEDED else []
        unmarked = self.portfolio.unmarked()
        unknown = [Block("DATA_MARK", f"{unmarked} has no mark")] if unmarked else []
        return [*self._holds.blocks(), *unknown, *lost, *hot]

    @property
    def untradable(self) -> list[Block]:
        return self._holds.untradable()

    def process(self, message: Item) -> Iterable[Item]:
        if isinstance(message, MarketBlock):
            if message.known is not None and not self._is_at_rest:
                return self._along(message)
            self.portfolio.marks.fold(message)
            return (message,)
        if isinstance(message, Intent):
            lost = self._look(message.decision_ns)
            return (message, *self._judged(message), *lost, *self._heat_change(message.decision_ns))
        if isinstance(message, Detections):
            if self._is_at_rest:
                return (message,)
            return (message, *self._look(message.decision_ns), *self._heat_change(message.decision_ns))
        kind = type(message)
        if kind not in HEARD or (isinstance(message, CampaignChange) and message.state not in TERMINAL):
            return (message,)
        before = self.portfolio.version
        lost = [*self._apply(message)] if kind in APPLIED else []
        if isinstance(message, HEATING):
            if self.portfolio.version != before:
                lost += self._look(message.time_ns)
            return (message, *lost, *self._heat_change(message.time_ns))
        return (message, *lost)

    def snapshot(self) -> bytes:
        state = GateState(self.portfolio.save(), self.heat, self._alerted, self._holds, self._losses.state)
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        state = msgspec.msgpack.decode(data, type=GateState)
        self.portfolio.load(state.portfolio)
        self.heat = state.heat
        self._alerted = state.alerted
        self._holds = state.holds
        self._losses.load(state.losses)
        self._looked = NEVER_KNOWN

    # ------------------------------------------------------------------------------- verdicts

    def _judged(self, intent: Intent) -> tuple[Message, ...]:
        """The verdict, and a word where it takes its campaign near to its limit."""
        verdict = self._verdict(intent)
        if isinstance(verdict, Refused) or intent.action is not Action.ENTER:
            return (verdict,)
        risk, equity = self.portfolio.campaign_risk(intent.campaign), verdict.receipt.equity
        if not reaches(risk, equity, self._settings.campaign_warning_bp):
            return (verdict,)
        return (verdict, campaign_warning(intent, heat_bp(risk, equity), self._settings.campaign_warning_bp))

    def _verdict(self, intent: Intent) -> Approved | Refused:
        if intent.symbol not in self._instruments.symbols:
            return self._refuse(intent, "DATA", (UNKNOWN_INSTRUMENT, UNSIZED))
        instrument = self._instruments.named(intent.symbol)
        if intent.action is not Action.ENTER:
            return self._judge_exit(intent, instrument)
        if held := self._holds.of_symbol(intent.symbol):
            return self._refuse(intent, "DATA", (Finding(held[0].code, Decimal(1), ZERO), UNSIZED))
        return self._judge_entry(intent, instrument)

    def _judge_entry(self, intent: Intent, instrument: Instrument) -> Approved | Refused:
        assessment, sized = self._assess(intent, instrument)
        for rule in self._rules:
            finding = rule.judge(assessment)
            if finding is not None:
                return self._refuse(intent, rule.stage, (finding, sized))
        stage, finding = self._last_step(assessment)
        if finding is not None:
            return self._refuse(intent, stage, (finding, sized))
        receipt = self._receipt(intent, headroom(assessment, self._settings.heat_limit_bp), sized)
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
        equity, unmarked = self.portfolio.known_equity()
        mark = self.portfolio.marks.of(self._instruments.number(intent.symbol))
        unhealthy, measured = next(iter(self._holds.unwell.items()), ("", None))
        sized = size(intent, instrument, equity, self._settings.notional_cap_bp)
        exposure = Exposure(
            equity=equity,
            open_risk=self.portfolio.open_risk,
            working_risk=self.portfolio.working_risk,
            campaign_risk=self.portfolio.campaign_risk(intent.campaign),
            halted=next(iter(self._holds.halts), ""),
            stale=bool(self._holds.not_live),
            unmarked=unmarked or ("" if mark is not None else intent.symbol),
            group_live=intent.group in self.portfolio.positions,
            symbol_entries=self.portfolio.symbol_entries(intent.symbol),
            entries=self.portfolio.entries,
            currency=self.portfolio.currency,
            day_start=self._losses.state.day_start,
            peak=self._losses.state.peak,
            stopped=tuple(self._losses.state.stopped),
            unhealthy=unhealthy,
            health_value=measured.value if measured else 0.0,
            health_limit=measured.limit if measured else 0.0,
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

    def _refuse(self, intent: Intent, stage: str, found: tuple[Finding, Sized]) -> Refused:
        return Refused(intent=intent, stage=stage, receipt=self._receipt(intent, *found))

    def _receipt(self, intent: Intent, finding: Finding, sized: Sized) -> Receipt:
        known = intent.symbol in self._instruments.symbols
        mark = self.portfolio.marks.of(self._instruments.number(intent.symbol)) if known else None
        return Receipt(
            code=finding.code,
            value=finding.value,
            limit=finding.limit,
            margin=margin(finding),
            equity=on_wire(self.portfolio.known_equity()[0]),
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

    def _apply(self, fact: Message) -> Iterable[Message]:
        """Take a fact into the books; what it means for loss halts."""
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
                self._losses.start(fact.time_ns, self.portfolio.known_equity()[0])
            case AccountState():
                self.portfolio.account(fact)
            case ExternalOrder():
                self.portfolio.external(fact)
            case CampaignChange(state=state) if state in TERMINAL:
                self.portfolio.finish(fact.campaign)
            case Watched(owner=owner) if owner == OWNER:
                return self._losses.fired(fact, self._equity_now(), holding=self.portfolio.is_holding)
            case Command(name=name) if name == RESET:
                equity, holding = self._equity_now(), self.portfolio.is_holding
                return self._losses.reset(fact.time_ns, equity, fact.operator, holding=holding)
            case FeedStatus() | Health() | SymbolStatus() | Command():
                self._holds.take(fact)
        return ()

    def _look(self, time_ns: int) -> Iterable[Message]:
        """Loss halts by equity as it is now; none while it is not computable."""
        equity, unmarked = self.portfolio.known_equity()
        if unmarked or not self.portfolio.currency:
            return ()
        return self._losses.look(time_ns, equity, holding=self.portfolio.is_holding)

    def _equity_now(self) -> int:
        """Equity, or that of the last look where a mark is missing."""
        equity, unmarked = self.portfolio.known_equity()
        return self._losses.state.equity if unmarked else equity

    @property
    def _is_at_rest(self) -> bool:
        """Heat is 0, was told so, and no price can change that."""
        return self.heat is HeatState.NORMAL and self.portfolio.is_flat

    def _along(self, block: MarketBlock) -> Iterable[Item]:
        """Losses and heat are looked at after each point at which something became known; the block is cut
        only where they say something."""
        way, cuts = Along(block, self.portfolio), Cuts(block)
        told: list[Item] = []
        while way.go(self._quiet):
            said = (*self._look(way.decision_ns), *self._heat_change(way.decision_ns))
            if said:
                told += (cuts.behind(way.point), *said)
        return (*told, *cuts.rest())

    def _quiet(self) -> Quiet:
        """Which looks would say nothing as long as no fact comes."""
        risk = self.portfolio.open_risk + self.portfolio.working_risk
        low, high = span(self.heat, risk, self._settings)
        return self._losses.quiet(holding=self.portfolio.is_holding).within(low, high)

    def _heat_change(self, time_ns: int) -> tuple[HeatChange, ...]:
        """The transition that the last fact or verdict made; none while heat is not computable."""
        looked = (self.portfolio.version, self.portfolio.marks.version)
        if looked == self._looked or self._is_at_rest:
            return ()
        self._looked = looked
        equity, unmarked = self.portfolio.known_equity()
        if unmarked or not self.portfolio.currency:
            return ()
        risk = self.portfolio.open_risk + self.portfolio.working_risk
        previous, self.heat = self.heat, heat_state(risk, equity, self._settings)
        if self.heat is previous:
            return ()
        return (
            HeatChange(
                time_ns=time_ns,
                previous=previous,
                state=self.heat,
                heat_bp=heat_bp(risk, equity),
                alert=self._alerts(time_ns),
            ),
        )

    def _alerts(self, time_ns: int) -> bool:
        """Whether a person is to hear of the state that heat has just come to. Remembers that it is."""
        last_ns = self._alerted.get(self.heat)
        if self.heat is HeatState.NORMAL or (last_ns is not None and time_ns < last_ns + ALERT_COOLDOWN_NS):
            return False
        self._alerted[self.heat] = time_ns
        return True
