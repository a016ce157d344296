"""What the page lets a person do: sign in, pause, kill, take it back. Everything asks first."""

import re
from collections.abc import Iterator

import pytest

from tests.chromium import Tab, tab
from tests.monitor.browser_pages import LOADED, PICTURES, SHOWN, needs_browser, shown, text
from tests.monitor.browser_stand_in import TOKEN, StandIn


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab(is_served=True) as opened:
        yield opened


@needs_browser
def test_pause_asks_first_and_resume_takes_it_back(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        browser.value("pause.click()")
        assert server.commands == []

        browser.value("document.querySelector('#ask-go').click()")
        browser.until("document.querySelector('#state').textContent === 'PAUSED'")

        assert [one["name"] for one in server.commands] == ["pause"]
        assert text(browser, "#pause") == "Resume…"
        browser.value(
            "document.querySelector('#ask-cancel').click(); pause.click(); document.querySelector('#ask-go').click()"
        )
        browser.until("document.querySelector('#state').textContent === 'RUNNING'")


@needs_browser
def test_kill_wants_a_level_and_a_reason_streams_what_happens_and_holds_until_unkill(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        browser.value("kill.click(); document.querySelector('[value=flatten]').click()")
        browser.until("document.querySelector('#preview-flatten').textContent.includes('closes 4 positions')")
        assert browser.value("document.querySelector('#ask-go').disabled") is True

        browser.value("document.querySelector('#ask-reason').focus()")
        browser.call("Input.insertText", text="spreads are absurd")
        browser.picture(PICTURES / "kill.png")
        browser.press("Enter", code=13, text="\r")
        browser.until("document.querySelector('#killed').checkVisibility()")
        browser.until("document.querySelector('#ask-result').textContent.includes('0 positions left')")

        (kill,) = server.commands
        assert re.fullmatch(r"\d{13}-[0-9a-f]{32}", kill.pop("nonce"))
        assert kill == {"name": "kill", "argument": "flatten", "reason": "spreads are absurd", "confirm": ""}
        result = text(browser, "#ask-result")
        assert "cancelled: BTC-USD" in result
        assert "fact 4711" in result
        browser.picture(PICTURES / "kill-done.png")

        browser.value("document.querySelector('#ask-cancel').click(); unkill.click()")
        assert browser.value("document.querySelector('#ask-go').disabled") is True
        browser.value("document.querySelector('#ask-reason').focus()")
        browser.call("Input.insertText", text="all is well")
        browser.value("document.querySelector('#ask-go').click()")
        browser.until("!document.querySelector('#killed').checkVisibility()")


@needs_browser
def test_kill_of_a_live_account_wants_its_last_four_characters(browser: Tab) -> None:
    with StandIn("live", signed=True).running() as server:
        shown(browser, server)
        assert browser.value("document.body.dataset.mode") == "live"
        browser.value("kill.click(); document.querySelector('#ask-reason').focus()")
        browser.call("Input.insertText", text="x")
        assert browser.value("document.querySelector('#ask-go').disabled") is True

        browser.value("document.querySelector('#ask-confirm').focus()")
        browser.call("Input.insertText", text="0000")
        browser.value("document.querySelector('#ask-go').click()")
        browser.until("document.querySelector('#ask-result').textContent.includes('last 4 characters')")
        assert browser.value("document.querySelector('#killed').checkVisibility()") is False

        browser.value("document.querySelector('#ask-confirm').select()")
        browser.call("Input.insertText", text="1KQ7"[-4:])
        browser.value("document.querySelector('#ask-go').click()")
        browser.until("document.querySelector('#killed').checkVisibility()")

        browser.value("document.querySelector('#ask-cancel').click(); unkill.click()")
        assert browser.value("document.querySelector('#ask-confirm').checkVisibility()") is True


@needs_browser
def test_a_replay_that_goes_on_can_be_held_and_not_killed(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        server.tell(mode="replay", blockers=[])
        browser.until("!document.querySelector('#kill').checkVisibility()")

        browser.value("pause.click()")
        assert text(browser, "#ask-title") == "Hold the replay?"
        browser.value("document.querySelector('#ask-go').click()")
        browser.until("document.querySelector('#state').textContent === 'PAUSED'")
        assert text(browser, "#why") == "The replay is held before its next fact"


@needs_browser
def test_signing_in_exchanges_the_token_for_a_cookie_and_leaves_it_nowhere(browser: Tab) -> None:
    with StandIn().running() as server:
        browser.open(server.address)
        browser.until("document.querySelector('#sign-in').open")
        assert browser.value("document.querySelector('header').checkVisibility({visibilityProperty: true})") is False
        browser.picture(PICTURES / "sign-in.png")

        for token in ("wrong", TOKEN):
            browser.value("token.select()")
            browser.call("Input.insertText", text=token)
            browser.press("Enter", code=13, text="\r")
            browser.until(
                "document.querySelector('#sign-error').textContent !== '' || document.body.dataset.signed === 'yes'"
            )
            assert (browser.value("document.body.dataset.signed") == "yes") is (token == TOKEN)
            browser.value("document.querySelector('#sign-error').textContent = ''")
        browser.until(LOADED)

        assert not any(TOKEN in one for one in server.asked)
        assert (
            browser.value("document.cookie + JSON.stringify({...localStorage, ...sessionStorage}) + token.value")
            == "{}"
        )
        browser.value("document.querySelector('#sign-out').click()")
        browser.until("document.querySelector('#sign-in').open")
        browser.call("Network.clearBrowserCookies")


@needs_browser
def test_without_the_libraries_the_page_says_how_to_install_them_and_its_tables_work(browser: Tab) -> None:
    with StandIn(signed=True, vendor=False).running() as server:
        browser.open(server.address)
        browser.until(SHOWN)

        assert "make page" in text(browser, "#missing")
        assert browser.value("document.querySelector('#missing').checkVisibility()") is True
        assert "BTC-USD-2026-11-01" in text(browser, "#campaigns")
        assert "refused" in text(browser, "#entries")
