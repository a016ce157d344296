"""A session: what several feeds are together, and where a cut-off one goes on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from adapters.merging import merge
from engine.blocks import MarketBlock
from engine.config import Config, ConfigError, load, shipped
from engine.messages import EndOfFeed, Instrument, SessionStart
from engine.ports import Item
from engine.session import Session, from_feeds, skip
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
    counts: Mapping[str, int] = field(default_factory=dict)

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
        yield EndOfFeed(time_ns=START_NS, feed=feed)


def session(*feeds: ListFeed, config: Config = CONFIG) -> Session:
    return from_feeds(config, feeds, merge, 4_096)


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


def test_detection_on_bars_that_nobody_builds_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"run\.detect_on.*1h"):
        session(ListFeed("days", ("A",)), config=configured(detect_on=("1h",), timeframes=("1d",)))


def test_a_session_begins_with_its_start_and_its_instruments() -> None:
    found = session(ListFeed("days", ("B", "A")))

    kinds = [type(fact) for fact in found.facts]

    assert kinds[:3] == [SessionStart, Instrument, Instrument]
    assert kinds[-1] is EndOfFeed
    assert found.start.time_ns == START_NS


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
