"""Composition root: configuration -> feeds, stages, venue -> run and drain.

The one place where modules named in a configuration are imported, stages are put in order and
a run is driven from its first fact to its last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from engine.actor import Chain
from engine.bars import BarAggregator
from engine.calendars import Calendar
from engine.campaigns.interest import concern
from engine.campaigns.manager import CampaignManager
from engine.config import Config, ConfigError, Problem, problems
from engine.digest import Digest
from engine.instruments import InstrumentTable
from engine.journal import Journal
from engine.ledger import Ledger
from engine.market import Market
from engine.messages import SessionStart
from engine.orders import OrderRouter
from engine.ports import Book, Recorder, RiskRule, Stage, Strategy
from engine.risk import rules
from engine.risk.gate import RiskGate
from engine.risk.settings import RiskSettings
from engine.sessions import ALWAYS_OPEN, Sessions, sessions_of
from engine.tap import Sink, Tap
from engine.timeframes import sorted_timeframes
from engine.wyckoff.detector import PhaseDetector

MARKET = 3
ROUTER = 6
"""Positions of the two ends of the line's back edge."""


@dataclass(frozen=True, slots=True)
class Line:
    """The stages of one session, in order, and the parts a run asks about."""

    chain: Chain
    journal: Journal
    bars: BarAggregator
    detector: PhaseDetector
    campaigns: CampaignManager
    gate: RiskGate
    tap: Tap
    ledger: Ledger
    table: InstrumentTable


def build_line(
    config: Config,
    session: SessionStart,
    table: InstrumentTable,
    *,
    calendars: Sequence[Calendar] = (),
    recorder: Recorder | None = None,
    sinks: Sequence[Sink] = (),
) -> Line:
    """All stages of a simulated session, wired: the paper book is the venue.

    `calendars` are those that `session` names, in its order.
    """
    assert tuple(one.identity for one in calendars) == session.sessions
    strategies = [strategy(name, config.strategies.get(name, {})) for name in config.run.strategies]
    lateness_ns = session.lateness_ns
    # A tape is detected on as it was recorded, also under a configuration that builds other bars.
    build = sorted_timeframes((*config.run.timeframes, *session.detect_on))
    bars = BarAggregator(
        table, session.timeframes, build, len(session.feeds), lateness_ns, sessions_by(table, calendars)
    )
    detector = PhaseDetector(
        config.detector, table, session.timeframes, session.detect_on, lateness_ns, strategies,
        folded=True, concerns=concern,
    )  # fmt: skip
    market = Market(table, session.timeframes, paper_book(config.paper, table, session.cash), lateness_ns)
    tap = Tap(Digest(simulated=True), sinks)
    ledger = Ledger(table, sinks)
    journal = Journal(recorder)
    campaigns = CampaignManager(config.campaigns, table, session.timeframes, strategies, session.trades_from_ns)
    gate = RiskGate(config.risk, table, _rules(config.risk))
    router = OrderRouter(market, table)
    stages: list[Stage] = [journal, bars, detector, market, campaigns, gate, router, tap, ledger]
    return Line(Chain(stages), journal, bars, detector, campaigns, gate, tap, ledger, table)


def sessions_by(table: InstrumentTable, calendars: Sequence[Calendar]) -> Sessions | None:
    """The trading sessions of each instrument; None where nobody has a calendar."""
    if not calendars:
        return None
    numbers = {(one.name, one.hours): number for number, one in enumerate(calendars)}
    of = [numbers[one.calendar, one.hours] if one.calendar else ALWAYS_OPEN for one in table.all]
    return sessions_of([(one.opens_ns, one.closes_ns) for one in calendars], of)


def strategy(name: str, settings: Mapping[str, Any]) -> Strategy:
    """The strategy in `strategies/<name>.py`. Raises ConfigError where there is none."""
    module = _module("strategies", name, "run.strategies")
    built: Strategy = _checked(f"strategies.{name}", lambda: module.build(settings))
    return built


def paper_book(settings: Mapping[str, Any], table: InstrumentTable, cash: Decimal) -> Book:
    """The venue of a simulated session."""
    module = _module("adapters", "paper", "paper")

    def build() -> Book:
        book: Book = module.PaperBook(table, module.PaperSettings.model_validate(settings), cash)
        return book

    built: Book = _checked("paper", build)
    return built


def _checked(table: str, build: Callable[[], Any]) -> Any:
    """Settings that a module declares itself, with its mistakes named like all others."""
    try:
        return build()
    except ValidationError as error:
        raise ConfigError(problems(error, table)) from None


def _rules(settings: RiskSettings) -> tuple[RiskRule, ...]:
    try:
        return rules.load(settings)
    except ValueError as error:
        raise ConfigError([Problem("risk.rules", str(error), "risk")]) from None


def _module(package: str, name: str, key: str) -> Any:
    try:
        return import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.{name}":
            raise
        raise ConfigError([Problem(key, f"names {name}, but there is no {package}/{name}.py", package)]) from None
