"""What the monitor says of facts: alerts that end, and the sum behind a refusal."""

import msgspec
import pytest

from engine.messages import FILLED, FeedStatus, SymbolStatus
from engine.monitor.alerts import Alerts
from engine.monitor.frames import hello as hello_of
from engine.monitor.replica import Replica
from engine.monitor.views import verdict_text
from engine.risk.rules.heat import Heat
from tests.monitor.rig import start
from tests.test_tap import receipt

S_NS = 1_000_000_000
FEEDS = ("sim", "other")


def feed(at_s: int, status: str, reason: str = "", number: int = 0) -> FeedStatus:
    return FeedStatus(at_s * S_NS, number, status, reason)


def told(*facts: FeedStatus | SymbolStatus) -> list[tuple[str, str, str]]:
    alerts = Alerts()
    found = [alerts.of(one, FEEDS) for one in facts]
    return [(one.level, one.code, one.text) for one in found if one]


def test_a_feed_that_is_live_again_ends_its_warning_and_says_how_long_it_lasted() -> None:
    assert told(feed(10, "STALE", "no rows"), feed(30, "RECOVERING"), feed(74, "LIVE", FILLED)) == [
        ("warning", "feed_stale", "feed sim: stale, no rows"),
        ("warning", "feed_stale", "feed sim: recovering"),
        ("info", "feed_live", "feed sim: live again after 64 s, nothing is missing"),
    ]


def test_a_symbol_that_cannot_be_bought_and_can_again_is_news() -> None:
    halted = SymbolStatus(S_NS, "AAPL", "HALTED", True, "volatility pause")
    resumed = SymbolStatus(2 * S_NS, "AAPL", "HALTED", False, "trading resumed")

    assert told(halted, resumed) == [
        ("warning", "symbol", "AAPL: halted, volatility pause, no entries"),
        ("info", "symbol", "AAPL: halted, trading resumed, entries again"),
    ]


def test_a_feed_that_nobody_was_warned_of_is_no_news() -> None:
    assert told(feed(1, "LIVE"), feed(2, "LIVE", number=1)) == []
    again = told(feed(1, "STALE", "x"), feed(2, "LIVE"), feed(3, "LIVE"), feed(4, "LIVE", number=1))
    assert [level for level, _, _ in again] == ["warning", "info"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, " after 0 s"), (119, " after 119 s"), (720, " after 12 min"), (18_360, " after 5.1 h"), (-5, "")],
)
def test_a_length_is_told_in_the_unit_that_says_enough(seconds: int, words: str) -> None:
    assert told(feed(100, "STALE", "x"), feed(100 + seconds, "LIVE"))[1][2] == f"feed sim: live again{words}"


def test_a_warning_outlives_the_connection_that_it_came_by() -> None:
    replica = Replica(lambda: 0)
    hello = hello_of("r1", "1", start(), ())
    for one in (hello, feed(1, "STALE", "x"), hello, feed(6, "LIVE")):
        replica.apply(one)

    levels = [msgspec.json.decode(one)["level"] for one in replica.rings["alert"]]
    assert levels == ["warning", "info"]


@pytest.mark.parametrize(
    ("equity", "open_risk", "new_risk", "text"),
    [
        (10**12, 96 * 10**9, 11 * 10**9, "heat 9.60 % + 1.10 % >= 10.00 %"),
        (10**12, 100 * 10**9, 0, "heat 10.00 % + 0.00 % >= 10.00 %"),
        (0, 1, 1, "heat: no equity left to risk"),
    ],
)
def test_a_refusal_for_heat_is_told_with_its_sum(equity: int, open_risk: int, new_risk: int, text: str) -> None:
    assert verdict_text(receipt(Heat.code, equity=equity, open_risk=open_risk, new_risk=new_risk)) == text
