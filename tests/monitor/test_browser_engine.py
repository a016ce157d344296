"""The page and a real engine: what is pressed here happens there, and outlasts its process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import Tab, tab
from tests.faults.processes import Engine
from tests.monitor.browser_engine import sign_in, trading
from tests.monitor.browser_pages import LOADED, PICTURES, needs_browser, needs_libraries, text

pytestmark = [needs_browser, needs_libraries, pytest.mark.timeout(300)]

GO = "document.querySelector('#ask-go').click()"
CLOSE = "document.querySelector('#ask-cancel').click()"
NOTES_SIGN_IN = """window.asked = document.querySelector("#sign-in").open;
new MutationObserver(() => { window.asked ||= document.querySelector("#sign-in").open; })
  .observe(document.querySelector("#sign-in"), {attributes: true})"""
STATE = "document.querySelector('#state').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab(is_served=True) as opened:
        yield opened


def test_pause_and_kill_reach_the_engine_and_a_restart_keeps_the_kill(browser: Tab, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with trading(home) as (one, address):
        sign_in(browser, home, address)
        browser.until(f"{STATE} === 'RUNNING'")

        paused_and_resumed(browser, one)
        browser.value("window.unbroken = 'since the first load'")
        killed_with_positions(browser, one)
        one.kill()
        browser.until("document.querySelector('#lost').checkVisibility()")
        one.start()

        again = one.running()
        assert again.kill_level == "flatten"
        assert again.position_count == 0
        comes_back(browser)
        assert "spreads are absurd" in text(browser, "#killed-text")
        assert browser.value("window.unbroken") == "since the first load"
        browser.picture(PICTURES / "engine-killed.png")


def paused_and_resumed(browser: Tab, one: Engine) -> None:
    browser.value("pause.click()")
    browser.until("document.querySelector('#ask').open")
    assert one.status().paused_by == ""

    browser.value(GO)
    paused = one.until(lambda seen: seen.state == "PAUSED", "paused")
    assert paused.paused_by
    browser.until(f"{STATE} === 'PAUSED' && document.querySelector('#why').textContent.includes('No entries')")
    assert "pause" in text(browser, "#why")

    browser.value(f"{CLOSE}; pause.click(); {GO}")
    one.until(lambda seen: seen.state == "RUNNING", "resumed")
    browser.until(f"{STATE} === 'RUNNING'")
    browser.value(CLOSE)


def killed_with_positions(browser: Tab, one: Engine) -> None:
    one.until(lambda seen: seen.position_count > 0, "a position")
    browser.value("kill.click(); document.querySelector('[value=flatten]').click()")
    assert browser.value("document.querySelector('#ask-go').disabled") is True
    browser.value("document.querySelector('#ask-reason').focus()")
    browser.call("Input.insertText", text="spreads are absurd")
    held = one.status().position_count
    browser.value(GO)

    killed = one.until(lambda seen: seen.kill_level == "flatten" and seen.position_count == 0, "killed and flat")
    assert "spreads are absurd" in killed.kill_reason
    assert killed.state == "HALTED"
    browser.until("document.querySelector('#killed').checkVisibility()")
    browser.until("document.querySelector('#ask-result').textContent.includes('0 positions left')")
    assert held > 0
    browser.value(CLOSE)


def comes_back(browser: Tab) -> None:
    """By itself: the session outlasts the monitor."""
    browser.value(NOTES_SIGN_IN)
    lost = "document.querySelector('#lost').checkVisibility()"
    browser.until(f"!{lost} && {LOADED}", seconds=60)
    assert browser.value("window.asked") is False
    browser.until(f"{STATE} === 'HALTED' && document.querySelector('#killed').checkVisibility()")
