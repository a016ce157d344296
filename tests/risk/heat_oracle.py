"""Heat by the rules, computed afresh from the whole log: shares no code with the gate.

Risk of a position: max(0, d * (average entry - confirmed stop)) * open; of a working entry:
max(0, d * (worst price - stop)) * remaining; without a stop the full notional. Each is rounded
up to 1e-8, equity (cash and holdings at marks) down. Fractions throughout.
"""

from fractions import Fraction
from math import ceil, floor

from engine.messages import Accepted as StopAccepted
from engine.messages import AccountState, Action, Approved, Cancelled, Expired, ExternalOrder, Fill, Rejected, Side

UNIT = 10**8


class Oracle:
    """`tell` it everything that happened; `marks` by symbol; point value 1 for every symbol."""

    def __init__(self, cash: int) -> None:
        self.cash, self.marks = Fraction(cash), dict[str, Fraction]()
        self.groups: dict[str, dict] = {}  # type: ignore[type-arg]
        self.held: dict[str, Fraction] = {}
        self.foreign: dict[str, Fraction] = {}
        self.seen: set[tuple[str, str]] = set()

    def tell(self, fact: object) -> None:
        if isinstance(fact, Approved):
            self._approve(fact)
        elif isinstance(fact, AccountState):
            self.cash = Fraction(fact.cash)
        elif isinstance(fact, ExternalOrder):
            self.foreign[fact.venue_order_id] = Fraction(fact.price) * Fraction(fact.quantity)
        elif isinstance(fact, Fill) and (fact.order_id, fact.execution_id) not in self.seen:
            self.seen.add((fact.order_id, fact.execution_id))
            self._fill(fact)
        elif isinstance(fact, StopAccepted | Cancelled | Expired | Rejected):
            group, name = fact.order_id.rsplit("/", 1)
            if group in self.groups and name == "ENTRY" and not isinstance(fact, StopAccepted):
                known = Fraction(getattr(fact, "filled", 0)) - _total(self.groups[group]["in"])[0]
                self.groups[group]["left"] = max(Fraction(0), known)
            elif group in self.groups and name.startswith("STOP"):
                self._stop(self.groups[group], int(name[4:]), fact)

    def risk(self) -> tuple[int, int]:
        working = sum(ceil(self._working(one) * UNIT) for one in self.groups.values())
        return (
            sum(ceil(self._open(one) * UNIT) + ceil(_ahead(one) * UNIT) for one in self.groups.values()),
            working + sum(ceil(one * UNIT) for one in self.foreign.values()),
        )

    def equity(self) -> int:
        return floor((self.cash + sum(self.marks[symbol] * q for symbol, q in self.held.items())) * UNIT)

    def campaign(self, campaign: str) -> int:
        ours = [one for one in self.groups.values() if one["campaign"] == campaign]
        lost = -sum(floor(self._realised(one) * UNIT) for one in ours)
        parts = (part for one in ours for part in (self._open(one), _ahead(one), self._working(one)))
        return sum(ceil(part * UNIT) for part in parts) + max(0, lost)

    def _approve(self, fact: Approved) -> None:
        intent = fact.intent
        if intent.action is Action.ENTER:
            self.groups[intent.group] = {
                "campaign": intent.campaign, "d": intent.direction, "worst": Fraction(intent.limit_price),
                "left": Fraction(fact.quantity), "in": [], "out": [], "costs": Fraction(0),
                "asked": {1: Fraction(intent.stop_price)}, "stop": Fraction(intent.stop_price),
                "number": 0, "lost": False, "swapping": False,
            }  # fmt: skip
        elif intent.action is Action.MOVE_STOP:
            number = int(intent.intent_id.rsplit("-", 1)[1])
            self.groups[intent.group]["asked"][number] = Fraction(intent.stop_price)

    def _fill(self, fact: Fill) -> None:
        one, part = self.groups[fact.group], (Fraction(fact.quantity), Fraction(fact.price))
        sign = 1 if fact.side is Side.BUY else -1
        self.cash -= sign * part[0] * part[1] + Fraction(fact.costs)
        self.held[fact.symbol] = self.held.get(fact.symbol, Fraction(0)) + sign * part[0]
        one["costs"] += Fraction(fact.costs)
        one["in" if fact.role == "ENTRY" else "out"].append(part)
        if fact.role == "ENTRY":
            one["left"] -= part[0]
        elif fact.role == "STOP" and not fact.remaining:
            self._stop(one, int(fact.order_id.rsplit("STOP", 1)[1]), fact)

    def _stop(self, one: dict, number: int, fact: object) -> None:  # type: ignore[type-arg]
        price = one["asked"].pop(number, None)
        if isinstance(fact, StopAccepted):
            if price is not None and number > one["number"]:
                one.update(stop=price, number=number, lost=False, swapping=False)
        elif getattr(fact, "reason", "") == "replaced" and number == one["number"] and one["asked"]:
            one["swapping"] = True
        elif one["swapping"] or one["number"] in (0, number):
            one.update(lost=True, swapping=False)

    def _open(self, one: dict) -> Fraction:  # type: ignore[type-arg]
        bought, value = _total(one["in"])
        held = bought - _total(one["out"])[0]
        if held <= 0:
            return Fraction(0)
        average = value / bought
        safe = one["number"] and not one["lost"]
        return held * (max(Fraction(0), one["d"] * (average - one["stop"])) if safe else average)

    def _working(self, one: dict) -> Fraction:  # type: ignore[type-arg]
        distance = one["worst"] if one["lost"] else max(Fraction(0), one["d"] * (one["worst"] - one["stop"]))
        return Fraction(one["left"] * distance)

    def _realised(self, one: dict) -> Fraction:  # type: ignore[type-arg]
        bought, value = _total(one["in"])
        sold, proceeds = _total(_until(one["out"], bought))
        gained = proceeds - value / bought * sold if bought else Fraction(0)
        return Fraction(one["d"] * gained - one["costs"])


def _ahead(one: dict) -> Fraction:  # type: ignore[type-arg]
    """The value of exits beyond what was bought: their purchase has not been heard of."""
    return _total(one["out"])[1] - _total(_until(one["out"], _total(one["in"])[0]))[1]


def _until(parts: list[tuple[Fraction, Fraction]], quantity: Fraction) -> list[tuple[Fraction, Fraction]]:
    """The first parts, up to `quantity` in all."""
    found = []
    for size, price in parts:
        taken = min(size, quantity)
        quantity -= taken
        found.append((taken, price))
    return found


def _total(parts: list[tuple[Fraction, Fraction]]) -> tuple[Fraction, Fraction]:
    return sum((q for q, _ in parts), Fraction(0)), sum((q * price for q, price in parts), Fraction(0))
