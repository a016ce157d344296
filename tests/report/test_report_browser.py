"""The page as a person meets it: in Chromium, wide and narrow, light and dark.

Skipped, visibly, where no Chromium is installed (Debian: `apt-get install chromium`).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import Tab, installed, tab
from tests.report.runs import INERT, lively, report, write_feed

pytestmark = pytest.mark.skipif(installed() is None, reason="no chromium is installed")

SHOWN = "document.querySelectorAll('.charted:not([hidden])')"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    write_feed(folder / "busy.csv", ("AAA", "BBB", "A-very-long-symbol-that-nobody-would-ever-choose-on-purpose"))
    write_feed(folder / "odd.csv", (INERT, "</script><script>document.title=1</script>"))
    settings = lively(folder)
    report(folder, folder / "busy.csv", "-c", settings, name="busy.html")
    report(folder, folder / "odd.csv", "-c", settings, name="odd.html")
    write_feed(folder / "few.csv", ("AAA",), rows=30)
    report(folder, folder / "few.csv", name="few.html")
    return {name: folder / f"{name}.html" for name in ("busy", "odd", "few")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab() as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ["busy", "odd", "few"])
def test_page_loads_in_silence_and_asks_nobody_for_anything(
    name: str, width: int, scheme: str, browser: Tab, pages: dict[str, Path]
) -> None:
    browser.open(pages[name], width=width, scheme=scheme)

    assert browser.complaints == []
    assert browser.requests == [pages[name].resolve().as_uri()]
    assert browser.value("document.documentElement.classList.contains('ready')") is True
    assert browser.value("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1440, 390])
def test_no_chart_or_table_is_wider_than_the_page(width: int, browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["busy"], width=width)
    browser.value("document.querySelectorAll('.charted').forEach(one => one.hidden = false)")
    browser.value("document.querySelectorAll('details').forEach(one => one.open = true)")

    assert browser.value("document.documentElement.scrollWidth") <= width
    outside = "[...document.querySelectorAll('main *')].filter(one => !one.closest('.scroll') && "
    assert browser.value(f"{outside}one.getBoundingClientRect().right > {width} + 1).length") == 0


def test_charts_and_marks_are_there_one_chart_at_a_time(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["busy"], width=1440)

    assert browser.value(f"{SHOWN}.length") == 1
    for mark in (".body", ".volume", ".strip", ".event circle", ".event .known", ".fill path", ".stop path"):
        assert browser.value(f"document.querySelectorAll('.charted {mark}').length") > 0, mark
    assert browser.value(f"{SHOWN}[0].querySelector('svg').getBoundingClientRect().height") > 200

    browser.value("pick.value = 'chart-2'; pick.dispatchEvent(new Event('change'))")

    assert browser.value(f"{SHOWN}[0].id") == "chart-2"
    assert browser.value(f"{SHOWN}.length") == 1


def test_a_link_to_a_campaign_shows_its_chart(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["busy"], width=1440)
    links = "[...document.querySelectorAll('td a[href^=\"#figure\"]')]"
    wanted = browser.value(f"{links}.map(one => one.hash).find(one => !one.startsWith('#figure-' + pick.value[6]))")

    browser.value(f"location.hash = '{wanted}'; new Promise(done => setTimeout(done, 50))")

    assert browser.value(f"document.querySelector('{wanted}').closest('.charted').hidden") is False
    assert browser.value(f"{SHOWN}.length") == 1


def test_what_was_not_known_yet_is_hidden(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["busy"], width=1440)
    figure = f"{SHOWN}[0].querySelector('figure')"
    marks = f"[...{figure}.querySelectorAll('[data-k]')]"
    browser.value(f"slider = {figure}.querySelector('input')")
    places = sorted(set(browser.value(f"{marks}.map(one => Number(one.dataset.k))")))

    assert len(places) > 2
    for known in (places[0] - 1, *places[:-1]):
        browser.value(f"slider.value = {known}; slider.dispatchEvent(new Event('input'))")
        hidden = browser.value(f"{marks}.map(one => [getComputedStyle(one).visibility, Number(one.dataset.k)])")
        assert all((visibility == "hidden") is (place > known) for visibility, place in hidden)
    assert browser.value(f"Number({figure}.querySelector('.veil').getAttribute('width'))") > 0

    browser.value("slider.value = slider.max; slider.dispatchEvent(new Event('input'))")

    assert browser.value(f"{marks}.some(one => getComputedStyle(one).visibility === 'hidden')") is False


def test_pointing_at_a_candle_reads_it_out(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["busy"], width=1440)
    browser.value(
        f"drawn = {SHOWN}[0].querySelector('svg'); drawn.scrollIntoView(); box = drawn.getBoundingClientRect()"
    )
    x, y = browser.value("box.left + box.width / 2"), browser.value("box.top + box.height / 2")

    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    told = browser.value(f"{SHOWN}[0].querySelector('output').textContent")
    assert " O " in told
    assert " C " in told
    assert told[:2] == "20"


def test_pointing_at_a_mark_tells_when_it_was_known(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["busy"], width=1440)
    browser.value(f"dot = {SHOWN}[0].querySelector('.event circle'); dot.scrollIntoView({{block: 'center'}})")
    at = browser.value("(({left, top, width}) => [left + width / 2, top + width / 2])(dot.getBoundingClientRect())")

    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])

    assert "known 20" in browser.value("document.querySelector('.tooltip:not([hidden])').textContent")


def test_the_guard_against_requests_would_notice_one(browser: Tab, tmp_path: Path) -> None:
    page = tmp_path / "leaky.html"
    page.write_text('<!doctype html><title>x</title><img src="http://127.0.0.1:9/a.png"><p style="width:4000px">x</p>')

    browser.open(page, width=390)

    assert len(browser.requests) == 2
    assert browser.value("document.documentElement.scrollWidth <= 390") is False


def test_the_policy_stops_a_script_that_is_not_the_page_s_own(
    browser: Tab, pages: dict[str, Path], tmp_path: Path
) -> None:
    text = pages["busy"].read_text(encoding="utf-8")
    page = tmp_path / "spoilt.html"
    page.write_text(text.replace("<main>", "<script>document.title = 'owned'</script><main>", 1))

    browser.open(page, width=1440)

    assert browser.value("document.title") != "owned"
    assert any("Content Security Policy" in one for one in browser.complaints)
