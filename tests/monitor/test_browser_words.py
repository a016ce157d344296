"""What the page says in words: what the engine sees, what it waits for, and why something was not done."""

import re
from collections.abc import Iterator

import pytest

from engine.campaigns.moments import COOLDOWN, TAINTED
from engine.campaigns.pipeline import STAGES
from tests.chromium import Tab, tab
from tests.monitor import browser_scene as scene
from tests.monitor.browser_pages import needs_browser, shown, text
from tests.monitor.browser_stand_in import STATIC, StandIn

CHIP = "[...document.querySelectorAll('#watch button')].find(one => one.textContent.startsWith('{}'))"
WHY = "document.querySelector('#why').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab(is_served=True) as opened:
        yield opened


@needs_browser
def test_each_symbol_says_its_price_and_phase_and_leads_to_its_chart(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        assert "E" in browser.value(CHIP.format("BTC-USD") + ".textContent")
        assert browser.value(CHIP.format("SOL-USD") + ".title") == "Phase C of distribution, 66 %"

        change = {"symbol": "SOL-USD", "timeframe": "5m", "direction": 1, "phase": "D", "confidence": 91.0}
        server.push(("phase", change), ("price", {"symbol": "SOL-USD", "time_ms": 1, "price": 211.25}))
        browser.until(f"{CHIP.format('SOL-USD')}.title === 'Phase D of accumulation, 91 %'")
        assert "211.25" in browser.value(CHIP.format("SOL-USD") + ".textContent")

        browser.value(CHIP.format("BTC-USD") + ".focus()")
        browser.press("ArrowRight", code=39)
        browser.press("Enter", code=13, text="\r")
        browser.until("document.querySelector('#symbol').value === 'ETH-USD'")
        assert browser.value(CHIP.format("ETH-USD") + ".getAttribute('aria-pressed')") == "true"
        assert browser.value("document.querySelectorAll('#watch button[tabindex=\"0\"]').length") == 1


@needs_browser
def test_an_engine_that_may_trade_says_what_it_waits_for(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        sos, lps = scene.candidates()

        server.tell(blockers=[], heat=scene.HEAT | {"candidates": [sos]})
        browser.until(f"{WHY} === 'Entries are possible; waits for SOS in SOL-USD'")
        server.tell(heat=scene.HEAT | {"candidates": [sos, lps]})
        browser.until(f"{WHY}.includes('the next LPS in BTC-USD would be refused: heat 10.29')")
        server.tell(heat=scene.HEAT | {"candidates": []})
        browser.until(f"{WHY} === 'Entries are possible; no campaign is open: 3 symbols watched for a setup'")


@needs_browser
def test_heat_shows_what_moves_together_and_what_the_next_signals_would_add(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        browser.until("document.querySelectorAll('#heat-stack li').length === 5")
        rows = browser.value(
            "[...document.querySelectorAll('#heat-stack li')].map(one => one.className + one.innerText)"
        )

        assert [re.match("[a-z]*", one)[0] for one in rows[:3]] == ["together", "part", "part"]
        assert "2 move together" in rows[0]
        assert "5.43" in rows[0]
        assert "ETH-USD" in rows[1]
        assert "SOL-USD SOS +0.40" in text(browser, "#heat-next")
        assert browser.value("document.querySelector('#heat-next [data-tone=bad]').innerText.includes('refused')")


@needs_browser
def test_an_engine_that_goes_takes_its_heat_and_its_buttons_along(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        link = {"state": "ABSENT", "age_s": 3.0, "reason": "the stream has ended"}

        server.push(("status", None), ("heat", None), ("link", link))
        browser.until("document.querySelector('#state').textContent === 'NO ENGINE'")

        assert text(browser, "#why") == "the stream has ended"
        assert text(browser, "#heat-value") == "–"
        assert browser.value("document.querySelector('#kill').checkVisibility()") is False
        assert browser.complaints == []


@needs_browser
def test_decisions_that_the_stream_has_not_numbered_are_all_listed(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        assert {one["item"] for one in server.decisions} == {0}
        browser.until("document.querySelectorAll('#entries li').length === 10")

        stop = {"action": "MOVE_STOP", "stop_price": "66100", "reason": "breakeven", "intent_id": "m1"}
        server.push(("decision", scene.decision(90, server.now_ms, "BTC-USD", "SPRING", "Approved", **stop)))
        browser.until("document.querySelector('#entries').textContent.includes('move the stop to 66,100.0: breakeven')")


@needs_browser
def test_a_refusal_is_told_in_words_and_not_in_codes(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        told = {"source": "strategy", "campaign": "", "subject": "BTC-USD:5m:+1:SPRING:1:1", "stage": "x"}
        codes = (("SPRING_UNTESTED", "2", "3"), ("PHASE_CONFIDENCE", "59.9891", "75"), ("NEW_CODE", "1", "2"))
        for number, (code, value, limit) in enumerate(codes):
            one = {"time_ms": server.now_ms + number, "symbol": "BTC-USD", "code": code, "value": value, "limit": limit}
            server.push(("declined", told | one | {"text": f"{code.lower()}: was {value}, limit {limit}"}))
        browser.until("document.querySelector('#entries').textContent.includes('new code: was 1, limit 2')")

        entries = text(browser, "#entries").replace("\u00a0", " ")
        assert "a type 2 spring is bought on its test alone" in entries
        assert "phase is certain to 60.0 %, needs 75.0 %" in entries


def test_every_code_of_the_pipeline_has_words() -> None:
    worded = set(re.findall(r"^  ([A-Z_]+):", (STATIC / "reasons.js").read_text(), flags=re.MULTILINE))

    assert {*STAGES, COOLDOWN, TAINTED} <= worded


@needs_browser
def test_the_engine_s_own_log_is_asked_for_only_when_somebody_looks(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        assert not any("/logs" in one for one in server.asked)

        browser.value("document.querySelector('#tab-lines').click()")
        browser.until("document.querySelector('#entries').textContent.includes('session begins')")
        assert "silent_s 64" in text(browser, "#entries")


@needs_browser
def test_a_feed_tells_what_is_wrong_with_it_before_how_much_it_brought(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        told = text(browser, "#feeds").replace("\u00a0", " ")

        assert "1 break in the numbers, 2 reconnects, 14 withheld, 31 joined, clock ahead by 120 ms" in told
        assert "64 s of 15 s" in told
