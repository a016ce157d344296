"""What the page shows of the line: candles, marks, heat, legs, decisions, and a run gone through again."""

import re
from collections.abc import Iterator

import pytest

from tests.chromium import Tab, tab
from tests.monitor import browser_scene as scene
from tests.monitor.browser_pages import PICTURES, colours, needs_browser, needs_libraries, rgb, shown, text
from tests.monitor.browser_stand_in import StandIn


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab(is_served=True) as opened:
        yield opened


@needs_browser
@needs_libraries
def test_chart_marks_and_shading_are_there_in_pixels_and_in_words(browser: Tab) -> None:
    with StandIn(signed=True, count=300).running() as server:
        shown(browser, server)
        browser.until("monitor.inspect().drawn.marks > 0")
        drawn = browser.value("monitor.inspect().drawn")

        assert drawn["marks"] >= 8
        assert drawn["labels"] >= 6
        assert drawn["runs"] >= 4
        assert drawn["fills"] == 3
        seen = colours(browser.picture(PICTURES / "chart.png"))
        for name in ("up", "down", "bull"):
            assert (
                rgb(browser.value(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}')")) in seen
            ), name

        browser.value("document.querySelector('#tab-events').click()")
        browser.until("document.querySelectorAll('#entries li').length > 5")
        assert "SPRING" in text(browser, "#entries")
        assert "86 at" in text(browser, "#entries")


@needs_browser
@needs_libraries
def test_as_known_at_moves_each_mark_to_the_bar_that_confirmed_it(browser: Tab) -> None:
    with StandIn(signed=True, count=300).running() as server:
        shown(browser, server)
        browser.value("document.querySelector('#known').click()")

        assert browser.value("document.querySelector('#known').getAttribute('aria-pressed')") == "true"
        assert browser.value("monitor.inspect().isKnown") is True
        browser.until("monitor.inspect().drawn.marks > 0")
        at = browser.value("monitor.inspect().marks")
        bars = server.charts["BTC-USD"].rows
        confirmed = {one["name"]: one["confirm_ms"] for one in server.charts["BTC-USD"].events}
        assert {bars[one["at"]][0] for one in at if one["name"] == "SPRING"} == {confirmed["SPRING"]}
        browser.picture(PICTURES / "known.png")


@needs_browser
@needs_libraries
def test_a_range_in_which_a_phase_stands_goes_on_to_the_newest_bar(browser: Tab) -> None:
    with StandIn(signed=True, count=300).running() as server:
        shown(browser, server)
        last = browser.value("monitor.inspect().bars") - 1
        ends = server.charts["BTC-USD"].ranges[0]["end_ms"]
        assert ends < server.charts["BTC-USD"].rows[last][0]

        browser.until("monitor.inspect().lines.length > 0")
        lines = browser.value("monitor.inspect().lines")
        assert lines == [{"word": word, "to": last, "open": True} for word in ("creek", "ice")]

        over = scene.phases(server.charts.values())[0] | {"phase": "NONE", "previous": "E"}
        server.push(("phase", over))
        browser.until(f"monitor.inspect().lines.every(one => !one.open && one.to < {last})")


@needs_browser
@needs_libraries
def test_working_entries_stop_and_target_stand_on_the_price_axis(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        browser.until("monitor.inspect().levels.length > 2")

        levels = {(one["title"], one["price"]) for one in browser.value("monitor.inspect().levels")}
        assert levels == {("stop", 65980), ("target", 69800), ("buy 0.21", 65610)}

        server.tell(orders=[])
        browser.until("monitor.inspect().levels.length === 2")


@needs_browser
def test_heat_bar_moves_and_says_its_zone(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        before = browser.value("document.querySelector('#heat-fill').style.transform")

        server.push(
            ("heat", {"heat_bp": 480, "state": "NORMAL", "warning_bp": 700, "critical_bp": 900, "limit_bp": 1000})
        )
        browser.until("document.querySelector('#heat').getAttribute('aria-valuenow') === '4.80'")

        assert browser.value("document.querySelector('#heat-fill').style.transform") == "scaleX(0.4)"
        assert before != "scaleX(0.4)"
        marks = browser.value(
            "[...document.querySelectorAll('.heat-track .mark')].map(one => parseFloat(one.style.left))"
        )
        assert marks == pytest.approx([100 * bp / 1200 for bp in (700, 900, 1000)], abs=1e-3)


@needs_browser
def test_refusals_are_told_with_their_sums(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)

        assert "heat 9.60\u00a0% + 1.10\u00a0% ≥\u00a010.00\u00a0%" in text(browser, "#entries")
        assert "No entries: feed alpaca-iex: no trades for 64 s" in text(browser, "#why")

        browser.value("filter.value = 'msft'; filter.dispatchEvent(new Event('input'))")
        assert browser.value("document.querySelectorAll('#entries li').length") == 1


@needs_browser
@needs_libraries
def test_clicking_a_decision_shows_its_bar(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        browser.value(
            "[...document.querySelectorAll('.entry')].find(one => one.textContent.includes('ETH-USD')).click()"
        )

        browser.until("document.querySelector('#symbol').value === 'ETH-USD' && monitor.inspect().highlighted !== null")


@needs_browser
def test_legs_show_what_is_filled_working_skipped_and_who_has_the_share_now(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        told = "[...document.querySelectorAll('#campaigns tr')].find(one => one.textContent.includes('{}'))"
        legs = f"[...{told}.querySelectorAll('.leg')].map(one => one.className + ' ' + one.textContent)"

        assert browser.value(legs.format("BTC-USD")) == ["leg filled 40", "leg filled 30", "leg working 30"]
        assert browser.value(legs.format("ETH-USD")) == ["leg skipped 0", "leg filled 70", "leg empty 30"]
        assert browser.value(legs.format("LINK-USD")) == ["leg filled 40", "leg skipped 0", "leg filled 60"]
        assert browser.value(legs.format("AAPL")) == ["leg empty 40", "leg empty 30", "leg empty 30"]
        label = f"{told.format('LINK-USD')}.querySelector('.legs').getAttribute('aria-label')"
        assert "SOW skipped" in browser.value(label)


@needs_browser
@needs_libraries
def test_a_finished_run_is_gone_through_bar_by_bar_with_no_mark_before_it_was_known(browser: Tab) -> None:
    with StandIn("replay", signed=True).running() as server:
        shown(browser, server)
        assert browser.value("document.querySelector('#kill').checkVisibility()") is False

        browser.value("document.querySelector('#replay-event').click()")
        first = server.charts["BTC-USD"].events[0]
        rows = server.charts["BTC-USD"].rows
        shown_bars = browser.value("monitor.inspect().shown")
        assert rows[shown_bars - 1][1] >= first["known_ms"] > rows[shown_bars - 2][1]
        assert [one["name"] for one in browser.value("monitor.inspect().marks")] == ["SC"]

        browser.value("document.querySelector('#replay-back').click()")
        assert browser.value("monitor.inspect().marks") == []
        browser.value("for (let i = 0; i < 6; i += 1) document.querySelector('#replay-event').click()")
        browser.picture(PICTURES / "replay.png")


@needs_browser
@needs_libraries
def test_older_bars_come_on_scroll_and_never_more_than_the_cap(browser: Tab) -> None:
    with StandIn(signed=True, count=7000).running() as server:
        shown(browser, server)
        assert browser.value("monitor.inspect().bars") == 600
        for _ in range(12):
            before = browser.value("monitor.inspect().bars")
            if before >= 5000:
                break
            browser.until(f"monitor.scrollTo(0), monitor.inspect().bars > {before}")
        browser.value("monitor.scrollTo(0)")

        assert browser.value("monitor.inspect().bars") == 5000
        limits = [
            int(one) for one in re.findall(r"limit=(\d+)", " ".join(one for one in server.asked if "/bars" in one))
        ]
        assert max(limits) <= 2000
