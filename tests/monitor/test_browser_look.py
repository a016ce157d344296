"""The page as a person sees it: wide and narrow, light and dark, by keyboard, with hostile names."""

import gzip
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.chromium import SETTLED, Tab, tab
from tests.monitor import browser_scene as scene
from tests.monitor.browser_pages import CONTRAST, PICTURES, needs_browser, needs_libraries, shown, text
from tests.monitor.browser_stand_in import STATIC, StandIn

ROOT = STATIC.parents[2]
WEIGHT_LIMIT = 300 * 1024


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab(is_served=True) as opened:
        yield opened


@needs_browser
@needs_libraries
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 860), (390, 844)])
def test_page_loads_under_its_policy_without_a_complaint(width: int, height: int, scheme: str, browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server, width=width, height=height, scheme=scheme)
        browser.until("document.querySelectorAll('#stages tr').length > 0")

        assert browser.complaints == []
        assert {one.split("/")[2] for one in browser.requests} == {server.address.split("/")[2]}
        assert browser.value("document.documentElement.scrollWidth") <= width
        browser.picture(PICTURES / f"busy-{width}-{scheme}.png")


@needs_browser
def test_one_screen_is_enough_on_a_desk_and_nothing_in_the_header_is_cut(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)

        assert browser.value("document.documentElement.scrollHeight <= innerHeight") is True
        cut = "one.clientWidth && one.scrollWidth > one.clientWidth + 1"
        inside = f"[...document.querySelectorAll('header *')].filter(one => {cut})"
        assert browser.value(f"{inside}.map(one => one.id || one.className)") == []
        assert browser.value(
            "[...document.querySelectorAll('.panel')].every(one => one.getBoundingClientRect().bottom <= innerHeight)"
        )


@needs_browser
def test_no_part_of_the_page_is_wider_than_a_phone(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server, width=390, height=844)

        scrolls = "one.closest('.scroll, dialog, .alerts, .skip, .canvas, .watch')"
        outside = f"!{scrolls} && one.getBoundingClientRect().right > 390 + 1"
        assert browser.value(f"[...document.querySelectorAll('body *')].filter(one => {outside}).length") == 0
        assert browser.value("document.querySelector('#campaigns').getBoundingClientRect().right <= 390")
        browser.value("scrollTo(0, 2000)")
        assert browser.value("document.querySelector('#kill').getBoundingClientRect().top >= 0")


@needs_browser
@needs_libraries
@pytest.mark.parametrize("width", [1440, 390])
def test_a_hostile_symbol_is_only_text(width: int, browser: Tab) -> None:
    with StandIn("hostile", signed=True).running() as server:
        shown(browser, server, width=width)
        for name in ("events", "orders", "commands", "decisions"):
            browser.value(f"document.querySelector('#tab-{name}').click()")
        server.push(("alert", {"time_ms": 1, "level": "critical", "code": "x", "text": scene.HOSTILE}))
        browser.until("document.querySelector('#alerts-line').textContent.includes('onerror')")
        browser.value("kill.click()")

        assert browser.value("window.owned") is None
        assert browser.value("document.querySelectorAll('img').length") == 0
        assert scene.HOSTILE in text(browser, "#campaigns")
        assert scene.HOSTILE in text(browser, "#account")
        assert browser.complaints == []
        assert browser.value("document.documentElement.scrollWidth") <= width


@needs_browser
def test_everything_can_be_reached_and_worked_with_the_keyboard(browser: Tab) -> None:
    with StandIn(signed=True).running() as server:
        shown(browser, server)
        reached = set()
        for _ in range(80):
            browser.press("Tab", code=9)
            reached.add(browser.value("document.activeElement.id || document.activeElement.className"))
            outline = browser.value("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none" or browser.value("document.activeElement === document.body"), reached
        assert {
            "pause",
            "kill",
            "alerts-all",
            "symbol",
            "known",
            "canvas",
            "filter",
            "tab-decisions",
            "about-open",
        } <= reached

        browser.value("kill.focus()")
        browser.press("Enter", code=13, text="\r")
        assert browser.value("document.querySelector('#ask').open") is True
        browser.press("Escape", code=27)
        browser.until("!document.querySelector('#ask').open")
        assert browser.value("document.activeElement.id") == "kill"


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["busy", "live", "killed"])
def test_every_word_has_the_contrast_that_wcag_aa_asks_for(kind: str, scheme: str, browser: Tab) -> None:
    with StandIn(kind, signed=True).running() as server:
        shown(browser, server, scheme=scheme)
        browser.value("document.querySelector('#ask').checkVisibility()")

        assert browser.value(CONTRAST) == []


def test_the_whole_page_weighs_less_than_its_limit() -> None:
    files = [one for one in STATIC.rglob("*") if one.is_file() and one.name != "LICENSE"]
    weight = sum(len(gzip.compress(one.read_bytes(), 6)) for one in files)

    assert len(files) > 15
    assert weight <= WEIGHT_LIMIT


@needs_browser
@needs_libraries
def test_two_thousand_bars_are_painted_at_hardly_more_cost_than_two_hundred(browser: Tab) -> None:
    browser.call("Performance.enable", timeDomain="threadTicks")
    few, many = (painted(browser, count) for count in (200, 2000))
    browser.call("Performance.disable")

    print(f"first paint {many['paint_ms']:.0f} ms, chart of 2,000 bars {many['chart_ms']:.0f} ms after the request")
    assert many["bars"] == 2000
    assert many["task_s"] < 3 * few["task_s"]


def painted(browser: Tab, count: int) -> dict[str, float]:
    """Wall times since the request, and the thread's own time, until the chart of a run stands on the screen."""
    with StandIn("replay", signed=True, count=count).running() as server:
        browser.open(server.address)
        browser.until("performance.getEntriesByName('chart').length > 0")
        browser.value(SETTLED)
        measured = {one["name"]: one["value"] for one in browser.call("Performance.getMetrics")["metrics"]}
        entry = "performance.getEntriesByName('{}')[0].startTime"
        return {
            "paint_ms": browser.value(entry.format("first-contentful-paint")),
            "chart_ms": browser.value(entry.format("chart")),
            "bars": browser.value("monitor.inspect().bars"),
            "task_s": measured["TaskDuration"],
        }


def test_every_module_is_asked_for_at_once() -> None:
    """A module that is found only inside another costs a round trip."""
    told = re.findall(r'<link rel="modulepreload" href="/static/([^"]+)">', (STATIC / "index.html").read_text())
    libraries = re.findall(r'"/static/(vendor/[^"]+js)"', (STATIC / "libraries.js").read_text())

    assert sorted(told) == sorted([*(one.name for one in STATIC.glob("*.js") if one.name != "main.js"), *libraries])
    assert len(libraries) == 2


def test_nothing_in_the_page_makes_markup_out_of_text_or_speaks_to_strangers() -> None:
    for one in (*STATIC.glob("*.js"), STATIC / "index.html"):
        source = one.read_text()
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
        ):
            assert forbidden not in source, f"{one.name} has {forbidden}"
        assert not re.search(r"(src|from|import\(|fetch\(|connect\()\s*=?\s*[\"'`]https?:", source), one.name
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|style=", (STATIC / "index.html").read_text())


def test_the_libraries_are_locked_by_content_and_name_no_address() -> None:
    lock = (STATIC.parent / "package-lock.json").read_text()

    assert lock.count('"integrity": "sha512-') == 3
    assert "resolved" not in lock
    assert "http" not in lock


@pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="only a checkout knows what is committed"
)
def test_no_library_is_committed() -> None:
    told = subprocess.run(["git", "ls-files", STATIC / "vendor"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert told.stdout == ""
