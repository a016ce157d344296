"""How an instrument comes to its definition: who says what, and who is believed.

For each field the first of these that says anything: the symbol's own table in the configuration, what
its venue says (metadata files, or the recording itself), the default table. The quote currency is the
account's where nobody names one. Where an instrument's numbers came from stays beside them, for people.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from engine.instruments import InstrumentError
from engine.messages import Instrument


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue says of one instrument, None where it says nothing.

    `symbol` is as its market stream writes it. `lot` is the step of quantities, `min_quantity` the
    least of an order, `min_notional` the least value of one in `currency`, the quote currency.
    `trades` is False where it is listed and cannot be traded now: that is no property of the instrument.
    """

    symbol: str
    asset_class: str | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    point_value: Decimal | None = None
    min_notional: Decimal | None = None
    min_quantity: Decimal | None = None
    currency: str | None = None
    calendar: str | None = None
    hours: str | None = None
    allows_negative: bool | None = None
    trades: bool = True

    @property
    def said(self) -> dict[str, Any]:
        """Field -> value of what the venue says."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("symbol", "trades")}
        return {name: value for name, value in fields.items() if value is not None}


class VenueMetadata(Protocol):
    """The instruments of one venue, as one file lists them; `name` is for people."""

    name: str

    @property
    def symbols(self) -> Sequence[str]: ...

    def definition(self, symbol: str) -> Definition | None:
        """None for a symbol that is not listed. Raises InstrumentError on an entry that is damaged."""
        ...


class Defined(msgspec.Struct, frozen=True):
    """An instrument, and for each of its fields where the value came from."""

    instrument: Instrument
    origins: dict[str, str]


def define(symbol: str, tables: Mapping[str, Mapping[str, Any]], known: Iterable[VenueMetadata]) -> Defined:
    """`tables` are what the configuration says, origin -> fields: the first one rules, the others fill
    what venues leave open. Raises InstrumentError.

    Where metadata is given every symbol must be in it, or have the numbers of its orders in its own
    table: a stock's tick and lot on a coin are a mistake that costs money.
    """
    (own_name, own), *rest = tables.items()
    given = [(one.name, one.definition(symbol)) for one in known]
    heard = [(name, found) for name, found in given if found is not None]
    if given and not heard and not {"tick", "lot"} <= own.keys():
        names = ", ".join(name for name, _ in given)
        raise InstrumentError(f"{symbol}: must be in {names} or have tick and lot in [{own_name}], was in neither")
    _check_agreement(symbol, heard, own)
    layers = [(own_name, own), *((name, found.said) for name, found in heard), *rest]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, fields in layers:
        fresh = {field: value for field, value in fields.items() if value is not None and field not in values}
        values |= fresh
        origins |= dict.fromkeys(fresh, name)
    return Defined(Instrument(symbol=symbol, **values), {name: origins[name] for name in _FIELDS if name in origins})


def _check_agreement(symbol: str, heard: Sequence[tuple[str, Definition]], own: Mapping[str, Any]) -> None:
    """One symbol may mean two markets, such as a spot pair and a perpetual: who is meant must be said."""
    for name, found in heard[1:]:
        first_name, first = heard[0]
        for field, value in found.said.items():
            other = first.said.get(field, value)
            if other != value and field not in own:
                raise InstrumentError(
                    f"{symbol}: {field} is {other} in {first_name} and {value} in {name}: "
                    f'name one file, or set {field} in [instruments.symbols."{symbol}"]'
                )


_FIELDS = tuple(name for name in Instrument.__struct_fields__ if name not in ("symbol", "sequence"))

__all__ = ["Defined", "Definition", "VenueMetadata", "define"]
