"""A session: what several feeds are together, and where a cut-off one goes on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from adapters.merging import merge
from engine.app import sessions_by
from engine.blocks import MarketBlock
from engine.config import Config, ConfigError, load, shipped
from engine.definitions import Definition, VenueMetadata
from engine.instruments import InstrumentError
from engine.messages import EndOfFeed, Instrument, Quarantine, SessionStart
from engine.ports import Item
from engine.session import Session, from_feeds, skip
from engine.timeframes import TIMEFRAMES
from tests.makers import START_NS, bars, end_of_feed, heartbeat, trades

CONFIG = load([shipped("replay")])
DAY = (10.0, 11.0, 9.0, 10.5)


@dataclass
class ListFeed:
    """A feed of three rows a symbol, one after the other."""

    name: str
    symbols: tuple[str, ...]
    kind: str = "bars"
    timeframe: str = "1d"
    rows: int = 3
    lateness_ns: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    quarantined: str = ""

    def allow_negative(self, symbols: frozenset[str]) -> None:
        self.negative = symbols

    @property
    def rows_estimate(self) -> int:
        return self.rows * len(self.symbols)

    def facts(self, numbers: Mapping[str, int], feed: int, chunk: int) -> Iterator[Item]:
        for symbol in self.symbols if self.rows else ():
            number = numbers[symbol]
            if self.kind == "bars":
                yield bars(*(DAY,) * self.rows, timeframe=self.timeframe, instrument=number, feed=feed)
            else:
                yield trades(*(10.0,) * self.rows, instrument=number, feed=feed)
        if self.quarantined:
            yield Quarantine(time_ns=START_NS, feed=feed, symbol=self.quarantined, reason="absurd_price", count=1)
        yield EndOfFeed(time_ns=START_NS, feed=feed)


def session(*feeds: ListFeed, config: Config = CONFIG, known: Sequence[VenueMetadata] = ()) -> Session:
    return from_feeds(config, feeds, merge, 4_096, known)


def configured(**run: object) -> Config:
    return CONFIG.model_copy(update={"run": CONFIG.run.model_copy(update=run)})


def matched(found: Session) -> dict[str, str]:
    return {one.symbol: one.match_on for one in found.table.all}


def test_symbols_are_the_union_of_the_feeds_in_order_of_name() -> None:
    found = session(ListFeed("one", ("C", "A")), ListFeed("two", ("B", "A")))

    assert found.start.symbols == found.table.symbols == ("A", "B", "C")
    assert "one" in "+".join(found.start.feeds)
    assert "two" in "+".join(found.start.feeds)


@pytest.mark.parametrize("is_first", [True, False])
def test_orders_match_on_trades_wherever_a_feed_has_them(is_first: bool) -> None:
    feeds = [ListFeed("ticks", ("A",), "trades", ""), ListFeed("days", ("A", "B"))]

    assert matched(session(*(feeds if is_first else reversed(feeds)))) == {"A": "trades", "B": "bars"}


def test_what_a_configuration_says_of_matching_wins() -> None:
    instruments = CONFIG.instruments.model_copy(update={"symbols": {"A": {"match_on": "bars"}}})
    config = CONFIG.model_copy(update={"instruments": instruments})

    assert matched(session(ListFeed("ticks", ("A",), "trades", ""), config=config)) == {"A": "bars"}


def test_detection_is_on_what_the_feeds_have() -> None:
    feeds = (ListFeed("days", ("A",)), ListFeed("hours", ("B",), timeframe="1h"), ListFeed("t", ("C",), "trades", ""))

    assert session(*feeds).start.detect_on == ("1m", "1h", "1d")


def test_detection_may_be_asked_for_by_name() -> None:
    assert session(ListFeed("days", ("A",)), config=configured(detect_on=("1d", "1w"))).start.detect_on == ("1d", "1w")


def test_counted_bars_join_the_table_and_may_be_detected_on() -> None:
    names = (*CONFIG.run.timeframes, "volume:50000", "tick:100")
    config = configured(timeframes=names, detect_on=("tick:100",))

    found = session(ListFeed("t", ("A",), "trades", ""), config=config).start

    assert found.timeframes == (*TIMEFRAMES, "tick:100", "volume:50000")
    assert found.detect_on == ("tick:100",)


@pytest.mark.parametrize(("wanted", "expected"), [("feed", 250_000_000), (0, 0), (1_500, 1_500_000_000)])
def test_lateness_is_that_of_the_slowest_feed_unless_it_is_said(wanted: object, expected: int) -> None:
    feeds = (ListFeed("file", ("A",)), ListFeed("raw", ("B",), lateness_ns=250_000_000))

    assert session(*feeds, config=configured(lateness_ms=wanted)).start.lateness_ns == expected


def test_a_session_without_calendars_names_none() -> None:
    found = session(ListFeed("days", ("A",)))

    assert (found.calendars, found.start.sessions) == ((), ())


def test_a_session_names_each_of_its_calendars_by_what_they_hold() -> None:
    found = session(
        ListFeed("days", ("A", "B", "C")), config=traded({"A": {"calendar": "FX"}, "C": {"calendar": "FX"}})
    )

    assert [one.identity for one in found.calendars] == list(found.start.sessions)
    assert [one.split()[:2] for one in found.start.sessions] == [["FX", "regular"]]
    assert sessions_by(found.table, found.calendars).calendar.tolist() == [0, -1, 0]  # type: ignore[union-attr]


def traded(symbols: dict[str, dict[str, str]]) -> Config:
    return CONFIG.model_copy(update={"instruments": CONFIG.instruments.model_copy(update={"symbols": symbols})})


@dataclass
class ListMetadata:
    """What a venue says, given as keyword arguments of one symbol."""

    name: str
    said: Definition

    @property
    def symbols(self) -> tuple[str, ...]:
        return (self.said.symbol,)

    def definition(self, symbol: str) -> Definition | None:
        return self.said if symbol == self.said.symbol else None


def test_a_table_of_its_own_beats_the_venue_and_the_venue_beats_the_default() -> None:
    venue = ListMetadata("v.json", Definition(symbol="A", tick=Decimal("0.5"), lot=Decimal("0.1"), currency="USDT"))

    found = session(ListFeed("days", ("A",)), config=traded({"A": {"lot": "3"}}), known=[venue])

    one = found.defined[0]
    assert (one.instrument.tick, one.instrument.lot, one.instrument.currency) == (Decimal("0.5"), Decimal(3), "USDT")
    origins = {name: one.origins[name] for name in ("lot", "tick", "currency", "asset_class", "match_on")}
    assert list(origins.values()) == ["instruments.symbols.A", "v.json", "v.json", "instruments.default", "the feed"]


def test_the_account_pays_in_its_own_currency_where_nobody_names_one() -> None:
    one = session(ListFeed("days", ("A",))).defined[0]

    assert (one.instrument.currency, one.origins["currency"]) == ("USD", "run.currency")


def test_a_symbol_that_no_venue_lists_needs_a_tick_and_a_lot_of_its_own() -> None:
    venue = ListMetadata("v.json", Definition(symbol="B", tick=Decimal(1)))

    with pytest.raises(InstrumentError, match=r"A: must be in v\.json or have tick and lot.*was in neither"):
        session(ListFeed("days", ("A",)), known=[venue])
    with pytest.raises(InstrumentError, match="A: must be in"):
        session(ListFeed("days", ("A",)), config=traded({"A": {"tick": "1"}}), known=[venue])

    found = session(ListFeed("days", ("A",)), config=traded({"A": {"tick": "1", "lot": "1"}}), known=[venue])
    assert found.table.named("A").tick == 1


def test_venues_at_odds_are_refused_unless_the_symbols_own_table_decides() -> None:
    venues = [ListMetadata(f"{lot}.json", Definition(symbol="A", lot=Decimal(lot))) for lot in (1, 2)]

    with pytest.raises(InstrumentError, match=r"A: lot is 1 in 1\.json and 2 in 2\.json"):
        session(ListFeed("days", ("A",)), known=venues)

    assert session(ListFeed("days", ("A",)), config=traded({"A": {"lot": "7"}}), known=venues).table[0].lot == 7
    assert session(ListFeed("days", ("A",)), known=[venues[0], venues[0]]).table[0].lot == 1


def test_what_a_venue_says_is_checked_like_all_else() -> None:
    venue = ListMetadata("v.json", Definition(symbol="A", tick=Decimal(0)))

    with pytest.raises(InstrumentError, match="A: tick must be > 0, was 0"):
        session(ListFeed("days", ("A",)), known=[venue])


def test_detection_on_bars_that_nobody_builds_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"run\.detect_on.*1h"):
        session(ListFeed("days", ("A",)), config=configured(detect_on=("1h",), timeframes=("1d",)))


def test_a_session_begins_with_its_start_and_its_instruments() -> None:
    found = session(ListFeed("days", ("B", "A")))

    kinds = [type(fact) for fact in found.facts]

    assert kinds[:3] == [SessionStart, Instrument, Instrument]
    assert kinds[-1] is EndOfFeed
    assert found.start.time_ns == START_NS


def test_every_fact_of_merged_feeds_names_the_one_feed_that_the_session_has() -> None:
    found = session(ListFeed("one", ("A",)), ListFeed("two", ("B",), quarantined="B"))

    facts = [fact for fact in found.facts if isinstance(fact, Quarantine | EndOfFeed)]

    assert len(found.start.feeds) == 1
    assert [fact.feed for fact in facts] == [0, 0]


def test_a_feed_without_rows_makes_a_session() -> None:
    kinds = [type(fact) for fact in session(ListFeed("days", ("A",), rows=0)).facts]

    assert kinds == [SessionStart, Instrument, EndOfFeed]


FACTS = (heartbeat(START_NS), bars(*(DAY,) * 5), heartbeat(START_NS), trades(1.0, 2.0, 3.0), end_of_feed(START_NS))


@pytest.mark.parametrize("rows", range(13))
def test_what_is_skipped_and_what_is_left_are_the_whole(rows: int) -> None:
    assert sizes(skip(FACTS, rows)) == expanded()[rows:]


def sizes(facts: Iterator[Item]) -> list[object]:
    """One entry a sequence number: the kind of the fact and, of a row, its time."""
    found: list[object] = []
    for fact in facts:
        if isinstance(fact, MarketBlock):
            found += [(type(fact).__name__, time_ns) for time_ns in fact.row_ns.tolist()]
        else:
            found.append(type(fact).__name__)
    return found


def expanded() -> list[object]:
    return sizes(iter(FACTS))
