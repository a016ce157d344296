"""One run of a store as a reader needs it: its messages, and what they add up to by group.

Sums are made from the executions themselves, by the `Lot` that the engine folds too.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from typing import TypeVar

import msgspec

from engine.campaigns.curve import ACCOUNT, CurvePoint
from engine.campaigns.lots import ZERO, Lot, folded, initial_risk, realised
from engine.campaigns.performance import Trade, is_grouped
from engine.campaigns.settings import CampaignSettings
from engine.executions import Executions
from engine.messages import Action, Approved, CampaignChange, Fill, Intent, Order, Refused, Role, SessionStart
from engine.store_reader import RunRow, StoreReader

S = TypeVar("S")

APPROVED, REFUSED = Approved.__name__, Refused.__name__


class VerdictRow(msgspec.Struct, frozen=True):
    """`equity` and `new_risk` in 1e-8 account units."""

    intent_id: str
    campaign: str
    symbol: str
    decision_ns: int
    verdict: str
    stage: str
    code: str
    value: str
    limit: str
    equity: int
    new_risk: int
    quantity: Decimal
    missed_by: float | None


class DeclineRow(msgspec.Struct, frozen=True):
    time_ns: int
    campaign: str
    symbol: str
    event_id: str
    strategy: str
    code: str
    value: float | None
    limit: float | None
    missed_by: float | None
    stage: str | None = None


class WarningRow(msgspec.Struct, frozen=True):
    time_ns: int
    campaign: str
    symbol: str
    subject: str
    source: str
    stage: str
    code: str
    value: float | None
    limit: float | None
    missed_by: float | None


class RejectionRow(msgspec.Struct, frozen=True):
    time_ns: int
    order_id: str
    code: str
    reason: str


class Origin(msgspec.Struct, frozen=True):
    """Where a campaign stands."""

    symbol: str
    timeframe: str
    direction: int


class StoreBook:
    """A run, whole or of one campaign. Lists are in the order in which they left the line."""

    def __init__(self, reader: StoreReader, run: RunRow, campaign: str | None = None) -> None:
        self._reader = reader
        self._campaign = campaign
        self.run = run

    @cached_property
    def session(self) -> SessionStart | None:
        rows = self._reader.rows("SELECT * FROM sessions WHERE run = ?", self.run.run)
        for row in rows:
            for name in ("feeds", "timeframes", "symbols", "detect_on", "sessions"):
                row[name] = msgspec.json.decode(row[name])
        return msgspec.convert(rows[0], SessionStart, strict=False) if rows else None

    @cached_property
    def campaigns(self) -> CampaignSettings | None:
        """The budget this run was under, where the store has its configuration."""
        tables = msgspec.json.decode(self.run.config) if self.run.config else {}
        return CampaignSettings.model_validate(tables["campaigns"]) if "campaigns" in tables else None

    @cached_property
    def changes(self) -> dict[str, list[CampaignChange]]:
        found: dict[str, list[CampaignChange]] = {}
        for one in self._of_campaign(CampaignChange, "campaign_changes"):
            found.setdefault(one.campaign, []).append(one)
        return found

    @cached_property
    def intents(self) -> list[Intent]:
        return self._of_campaign(Intent, "intents")

    @cached_property
    def entries(self) -> dict[str, Intent]:
        """ENTER intents by group."""
        return {one.group: one for one in self.intents if one.action is Action.ENTER}

    @cached_property
    def verdicts(self) -> dict[str, VerdictRow]:
        """By intent."""
        return {one.intent_id: one for one in self._of_campaign(VerdictRow, "verdicts")}

    @cached_property
    def orders(self) -> list[Order]:
        return self._of_campaign(Order, "orders")

    @cached_property
    def declines(self) -> list[DeclineRow]:
        return self._of_campaign(DeclineRow, "declines")

    @cached_property
    def warnings(self) -> list[WarningRow]:
        return self._of_campaign(WarningRow, "warnings")

    @cached_property
    def rejections(self) -> list[RejectionRow]:
        """What the venue refused."""
        found = self._reader.all(RejectionRow, "executions", self.run.run, "AND report = 'Rejected'")
        return [one for one in found if self._campaign in (None, one.order_id.rsplit("/", 3)[0])]

    @cached_property
    def trades(self) -> list[Trade]:
        return self._of_campaign(Trade, "trades")

    @cached_property
    def fills(self) -> list[Fill]:
        found = "AND report = 'Fill'"
        if self._campaign is None:
            return self._reader.all(Fill, "executions", self.run.run, found)
        # All strings that begin with `campaign/`: 0 follows the slash.
        bounds = (f"{self._campaign}/", f"{self._campaign}0")
        return self._reader.all(Fill, "executions", self.run.run, f'{found} AND "group" >= ? AND "group" < ?', *bounds)

    @cached_property
    def groups(self) -> dict[str, list[Fill]]:
        """Executions of each leg and attempt, one that was reported again once."""
        found: dict[str, list[Fill]] = {}
        seen = Executions()
        for fill in self.fills:
            if is_grouped(fill) and seen.first(fill):
                found.setdefault(fill.group, []).append(fill)
        return found

    @cached_property
    def lots(self) -> dict[str, Lot]:
        found = {}
        for group, fills in self.groups.items():
            lot = Lot()
            for fill in fills:
                lot = folded(lot, fill)
            found[group] = lot
        return found

    @cached_property
    def point_values(self) -> dict[str, Decimal]:
        rows = self._reader.rows("SELECT symbol, point_value FROM instruments WHERE run = ?", self.run.run)
        return {row["symbol"]: Decimal(row["point_value"]) for row in rows}

    @cached_property
    def origins(self) -> dict[str, Origin]:
        """By campaign: of the event that formed it, else of its first intent."""
        sql = (
            "SELECT c.campaign AS campaign, e.symbol AS symbol, e.timeframe AS timeframe, e.direction AS direction"
            # Without statistics SQLite would walk all events for each campaign.
            " FROM campaign_changes c CROSS JOIN events e INDEXED BY events_by_id"
            " ON e.run = c.run AND e.event_id = substr(c.cause, instr(c.cause, ' ') + 1)"
            " WHERE c.run = ? AND c.number = 1"
        )
        found = {
            row["campaign"]: Origin(row["symbol"], row["timeframe"], row["direction"])
            for row in self._reader.rows(sql, self.run.run)
        }
        for one in self.intents:
            found.setdefault(one.campaign, Origin(one.symbol, one.timeframe, one.direction))
        return found

    def curve(self, campaign: str = ACCOUNT) -> list[CurvePoint]:
        sql = "SELECT * FROM curve WHERE run = ? AND campaign = ? ORDER BY item, number"
        return self._reader.structs(CurvePoint, sql, self.run.run, campaign)

    def point_value(self, symbol: str) -> Decimal:
        return self.point_values.get(symbol, Decimal(1))

    def pnl(self, group: str) -> Decimal:
        """Realised, costs in."""
        first = self.groups[group][0]
        return realised(self.lots[group], self.direction(group), self.point_value(first.symbol))

    def risk(self, group: str) -> Decimal:
        """What its entry put at risk; 0 where nothing filled or its first stop is unknown."""
        entry, lot = self.entries.get(group), self.lots.get(group)
        if entry is None or lot is None:
            return ZERO
        return initial_risk(lot, entry.stop_price, entry.direction, self.point_value(entry.symbol))

    def direction(self, group: str) -> int:
        for fill in self.groups[group]:
            if fill.role is Role.ENTRY:
                return 1 if fill.side == "BUY" else -1
        return 1

    @cached_property
    def reasons(self) -> dict[str, str]:
        """By intent."""
        return {one.intent_id: one.reason for one in self.intents}

    @cached_property
    def _asked(self) -> dict[str, list[Intent]]:
        found: dict[str, list[Intent]] = {}
        for one in self.entries.values():
            found.setdefault(one.campaign, []).append(one)
        return found

    @cached_property
    def _filled(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for group in self.groups:
            found.setdefault(campaign_of(group), []).append(group)
        return found

    def entries_of(self, campaign: str) -> Sequence[Intent]:
        """Entries that it asked for."""
        return self._asked.get(campaign, ())

    def groups_of(self, campaign: str) -> Sequence[str]:
        """Its legs and attempts with executions."""
        return self._filled.get(campaign, ())

    def _of_campaign(self, kind: type[S], table: str) -> list[S]:
        """Rows of the run, or of its one campaign."""
        if self._campaign is None:
            return self._reader.all(kind, table, self.run.run)
        return self._reader.all(kind, table, self.run.run, "AND campaign = ?", self._campaign)


def campaign_of(group: str) -> str:
    return group.rsplit("/", 2)[0]
