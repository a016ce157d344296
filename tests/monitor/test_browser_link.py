"""The page and its connection: silence is seen, gaps are healed, nothing grows while nobody looks."""

from collections.abc import Iterator

import pytest

from tests.chromium import Tab, tab
from tests.monitor import browser_scene as scene
from tests.monitor.browser_pages import LOADED, PICTURES, needs_browser, needs_libraries, shown
from tests.monitor.browser_stand_in import StandIn


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab(is_served=True) as opened:
        yield opened


@needs_browser
@needs_libraries
def test_a_server_that_falls_silent_is_seen_within_seconds_and_comes_back_by_itself(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        browser.until("document.querySelector('#link').textContent === 'live'")

        server.muted = True
        took = browser.until("document.querySelector('#lost').checkVisibility()", seconds=10)
        browser.picture(PICTURES / "lost.png")
        server.muted = False
        browser.until("!document.querySelector('#lost').checkVisibility()")

        # The page says so after 2.5 s; a busy machine may take as long again.
        assert took < 5.0
        assert browser.complaints == []


@needs_browser
def test_a_connection_that_is_closed_heals_with_a_whole_snapshot(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        before = server.snapshots

        server.cut()
        browser.until("document.querySelector('#lost').checkVisibility()", seconds=3)
        browser.until(f"document.querySelector('#link').textContent === 'live' && {LOADED}")

        assert server.snapshots > before


@needs_browser
def test_a_gap_in_the_numbers_asks_for_a_snapshot(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        assert {"type": "snapshot"} not in server.heard

        server.push(("price", {"symbol": "BTC-USD", "time_ms": 1, "price": 1.0}), skip=1)
        browser.until("monitor.inspect().sequence >= 4")

        assert {"type": "snapshot"} in server.heard
        server.tell(state="STOPPING")
        browser.until("document.querySelector('#state').textContent === 'STOPPING'")


@needs_browser
@needs_libraries
def test_a_tab_that_nobody_sees_does_not_grow_and_takes_a_snapshot_when_it_is_seen(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        browser.value("""
            Object.defineProperty(document, 'hidden', {get: () => window.pretended === true, configurable: true});
            window.pretended = true; document.dispatchEvent(new Event('visibilitychange'));
        """)
        held, before = browser.value("gc(); monitor.inspect().held"), _heap(browser)
        snapshots = server.snapshots

        for number in range(400):
            items = [
                ("decision", scene.decision(1000 + number * 50 + k, server.now_ms, "BTC-USD", "SOS", "Refused"))
                for k in range(50)
            ]
            server.push(*items, ("price", {"symbol": "BTC-USD", "time_ms": number, "price": 1.0}))
        browser.until(f"monitor.inspect().sequence >= {snapshots and 400}")

        assert browser.value("monitor.inspect().held") == held
        assert browser.value("monitor.inspect().backlog") == 0
        browser.value("gc()")
        assert _heap(browser) < before + 4_000_000
        assert server.snapshots == snapshots
        assert {"type": "subscribe", "bars": []} in server.heard

        browser.value("window.pretended = false; document.dispatchEvent(new Event('visibilitychange'))")
        browser.until("document.querySelector('#link').textContent === 'live' && monitor.inspect().bars > 0")
        assert server.snapshots == snapshots + 1


def _heap(browser: Tab) -> int:
    return int(browser.call("Runtime.getHeapUsage")["usedSize"])


@needs_browser
def test_a_long_stream_keeps_every_list_within_its_limit(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        for number in range(30):
            items = [
                ("decision", scene.decision(1000 + number * 50 + k, server.now_ms, "BTC-USD", "SOS", "Refused"))
                for k in range(50)
            ]
            alerts = [
                ("alert", {"time_ms": number * 50 + k, "level": "info", "code": "x", "text": f"alert {k}"})
                for k in range(20)
            ]
            server.push(*items, *alerts)
        browser.until("monitor.inspect().sequence >= 31")

        held = browser.value("monitor.inspect().held")
        assert held["decisions"] == 400
        assert held["alerts"] == 100
        browser.until("document.querySelectorAll('#entries li').length === 150")
