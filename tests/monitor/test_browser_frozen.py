"""A tab that its browser has frozen: the server holds little for it, it holds nothing, and it wakes to the truth."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from anyio.to_thread import run_sync

from engine.monitor.hub import MOST_SLOT_BYTES, Client
from tests.chromium import Tab, tab
from tests.monitor.browser_pages import needs_browser
from tests.monitor.rig import OPERATE, Rig, running, until
from tests.monitor.test_monitor_stream import fill

pytestmark = [needs_browser, pytest.mark.asyncio]

LIVE = "document.querySelector('#link').textContent === 'live'"
GROWTH_BYTES = 1_000_000
"""More than a tab at rest varies by, far less than what it is sent."""


@asynccontextmanager
async def signed_in(directory: Path) -> AsyncIterator[tuple[Rig, Tab, Client]]:
    """The browser's protocol blocks, so that it stands in a thread."""
    with tab(is_served=True) as browser:
        async with running(directory) as rig:
            await run_sync(enter, browser, rig.base)
            (client,) = rig.monitor.hub.clients
            yield rig, browser, client


def enter(browser: Tab, address: str) -> None:
    browser.open(address)
    browser.until("document.querySelector('#sign-in').open")
    browser.value("token.focus()")
    browser.call("Input.insertText", text=OPERATE)
    browser.press("Enter", code=13, text="\r")
    browser.until(f"document.body.dataset.signed === 'yes' && {LIVE}")


async def call(browser: Tab, method: str, **parameters: Any) -> Any:
    return await run_sync(partial(browser.call, method, **parameters))


async def test_a_frozen_tab_under_a_flood_is_cut_and_wakes_to_the_newest_state(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as (rig, browser, client):
        before = await run_sync(browser.heap_bytes)

        freezer = browser.frozen()
        await run_sync(freezer.__enter__)
        deepest = await flooded(rig, client)
        held = await run_sync(browser.heap_bytes)
        rig.engine.now = msgspec.structs.replace(rig.engine.now, equity=Decimal("123456.78"))
        await run_sync(freezer.__exit__, None, None, None)

        assert rig.monitor.hub.cut == 1
        assert deepest <= 2 * MOST_SLOT_BYTES
        assert held < before + GROWTH_BYTES
        await run_sync(browser.until, f"{LIVE} && document.querySelector('#equity').textContent === '123,457 USD'")
        assert len(rig.monitor.hub.clients) == 1


async def flooded(rig: Rig, client: Client) -> int:
    """Decisions that may not be left out, until the tab is given up; the most bytes that were held for it."""
    number = deepest = 0
    async with asyncio.timeout(30):
        while client in rig.monitor.hub.clients:
            for _ in range(100):
                number += 1
                rig.stream.write(fill(number))
            await asyncio.sleep(0.01)
            deepest = max(deepest, client._bytes)
    assert number > 1_000
    return deepest


async def test_what_is_conflated_waits_for_a_frozen_tab_at_its_newest_and_no_more(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as (rig, browser, client):
        before, sent = await run_sync(browser.heap_bytes), client.sent

        freezer = browser.frozen()
        await run_sync(freezer.__enter__)
        for number in range(4):
            rig.engine.now = msgspec.structs.replace(rig.engine.now, equity=Decimal(200_000 + number))
            await until(lambda least=sent + number: client.sent > least)
            assert client._bytes < MOST_SLOT_BYTES
        held = await run_sync(browser.heap_bytes)
        await run_sync(freezer.__exit__, None, None, None)

        assert client in rig.monitor.hub.clients
        assert held < before + GROWTH_BYTES
        await run_sync(browser.until, f"{LIVE} && document.querySelector('#equity').textContent === '200,003 USD'")
