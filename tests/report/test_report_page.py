"""The page of a run: complete, the same for the same run, whole or absent, and nobody else's code."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from engine.report import levels
from engine.report import page as page_module
from engine.report.frame import framed
from engine.report_command import material
from engine.store_reader import reading
from tests.report.runs import INERT, lively, report, write_feed
from tests.test_cli import told, wyckoff

SYMBOLS = ("AAA", "BBB", "CCC")


class Tags(HTMLParser):
    """Every element and attribute of a page; the text of those that hold code apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br", "hr", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]

    def classed(self, name: str) -> int:
        return sum(1 for _, attributes in self.found if name in (attributes.get("class") or "").split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("report")
    write_feed(made / "busy.csv", SYMBOLS)
    lively(made)
    return made


@pytest.fixture(scope="module")
def busy(folder: Path) -> str:
    return report(folder, folder / "busy.csv", "-c", folder / "lively.toml", "--store", folder / "runs.sqlite")


def test_page_says_what_was_run_and_what_came_of_it(folder: Path, busy: str) -> None:
    found = json.loads(wyckoff("replay", folder / "busy.csv", "-c", folder / "lively.toml", "--json").stdout)

    assert found["trades"] > 0
    assert f"{found['trades']} trades, {found['wins']} won" in busy
    for part in ("digest", "config_hash", "build_hash"):
        assert found[part] in busy
    assert f"wyckoff replay {folder / 'busy.csv'} --config {folder / 'lively.toml'}</code>" in busy
    for code in (*found["declined"], *found["refused"]):
        assert f"<code>{code}</code>" in busy
    assert "5 % of its size" in busy
    assert "symbol-years" in busy
    assert "too few to tell skill from luck" in busy


def test_charts_have_candles_phases_marks_and_what_was_traded(busy: str) -> None:
    tags = Tags(busy)

    assert tags.open == []
    assert len([one for one in tags.of("svg") if one["class"] == "plot"]) == 1 + len(tags.of("figure")) - 1
    for name in ("candles", "phase", "shade", "range", "event", "known", "fill", "entry", "stop", "target", "limit"):
        assert tags.classed(name) > 0, name
    assert {one["value"] for one in tags.of("option")} == {f"chart-{number}" for number in (1, 2, 3)}


def test_every_mark_says_when_it_was_known(busy: str) -> None:
    tags = Tags(busy)
    marks = [one for tag, one in tags.found if tag == "g" and "event" in (one.get("class") or "").split()]

    assert marks
    assert all((one["data-k"] or "").isdigit() for one in marks)


def test_the_same_run_gives_the_same_bytes_from_the_store_and_in_any_chunks(folder: Path, busy: str) -> None:
    again = report(folder, folder / "busy.csv", "-c", folder / "lively.toml", "--chunk", 7, name="again.html")
    done = wyckoff("report", "1", "--store", folder / "runs.sqlite", "--out", folder / "kept.html")

    assert done.exit_code == 0, done.output
    assert again == busy
    assert (folder / "kept.html").read_text(encoding="utf-8") == busy


def test_page_needs_nothing_but_itself(busy: str) -> None:
    tags = Tags(busy)
    loading = {"src", "srcset", "poster", "data", "action", "formaction", "background", "cite", "manifest", "ping"}

    assert not [(tag, one) for tag, one in tags.found if loading & one.keys()]
    assert all((one["href"] or "").startswith("#") for one in tags.of("a"))
    assert not {"link", "iframe", "object", "embed", "img", "image", "use", "base"} & {tag for tag, _ in tags.found}
    assert not re.search(r"url\(|@import|https?://|\bfetch\(|XMLHttpRequest|WebSocket|import\(", busy)
    policy = next(one["content"] for one in tags.of("meta") if one.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_symbol_that_looks_like_a_tag_is_text(folder: Path) -> None:
    write_feed(folder / "odd.csv", (INERT, "'><script>alert(2)</script>"))

    text = report(folder, folder / "odd.csv", "-c", folder / "lively.toml", name="odd.html")

    tags = Tags(text)
    assert INERT.replace("<", "&lt;").replace(">", "&gt;") in text
    assert tags.of("img") == []
    assert not any(name.startswith("on") for _, one in tags.found for name in one)
    assert [one for one in tags.of("script") if one.get("type") != "application/json"] == [{}]


def test_without_a_trade_it_says_why(folder: Path) -> None:
    text = report(folder, folder / "busy.csv", "--to", "2020-09-01", name="calm.html")

    assert "No trade: " in text
    assert "says nothing about profit" in text


def test_a_feed_of_a_few_bars_has_a_page(folder: Path) -> None:
    write_feed(folder / "few.csv", ("AAA",), rows=9)

    text = report(folder, folder / "few.csv", name="few.html")

    assert "No trade: no structure was recognised." in text
    assert "No campaign was formed." in text
    assert "Nothing was declined or refused." in text


def test_a_page_has_a_limit_and_says_what_it_leaves_out(
    folder: Path, busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = [len(one) for one in re.findall(r"<article .*?</article>", busy, re.DOTALL)]
    monkeypatch.setattr(page_module, "MOST_CHART_BYTES", sum(figures[:2]) + 100)

    wyckoff("report", "1", "--store", folder / "runs.sqlite", "--out", folder / "short.html")

    text = (folder / "short.html").read_text(encoding="utf-8")
    assert "1 of 3 charts are not drawn" in text
    assert len(Tags(text).of("article")) == 2


def test_a_run_that_fails_leaves_no_page(folder: Path) -> None:
    (folder / "bad.csv").write_text((folder / "busy.csv").read_text() + "AAA,never,1,1,1,1,1\n")
    (folder / "bad.html").write_text("before")

    result = wyckoff("replay", folder / "bad.csv", "--report", folder / "bad.html")

    told(result, 65, "bad.csv")
    assert (folder / "bad.html").read_text() == "before"
    assert not list(folder.glob(".*.part"))


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (("report", "1", "--out", "x.html"), 2, "--store"),
        (("report", "9", "--store", "runs.sqlite", "--out", "x.html"), 4, "was 9"),
        (("report", "runs.sqlite", "--out", "runs.sqlite"), 2, "which is the store"),
        (("report", "1", "--store", "none.sqlite", "--out", "x.html"), 4, "none.sqlite"),
        (("report", "1", "--store", "busy.csv", "--out", "x.html"), 74, "busy.csv"),
        (("report", "runs.sqlite", "--out", "/nowhere/x.html"), 73, "/nowhere/x.html"),
        (("replay", "busy.csv", "--report", "busy.csv"), 2, "--report"),
    ],
)
def test_a_mistake_is_told(
    arguments: tuple[str, ...], code: int, part: str, folder: Path, busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    told(wyckoff(*arguments), code, part)


def test_a_store_may_stand_for_its_last_run(folder: Path, busy: str) -> None:
    done = wyckoff("report", folder / "runs.sqlite", "--out", folder / "last.html")

    assert done.stdout.strip() == str(folder / "last.html")
    assert (folder / "last.html").read_text(encoding="utf-8") == busy


def test_what_is_still_held_counts_in_the_verdict(folder: Path) -> None:
    trades = folder / "trades.csv"
    options = ("-c", folder / "lively.toml", "--store", folder / "cut.sqlite", "--trades", trades, "--json")
    wyckoff("replay", folder / "busy.csv", *options)
    entered = max(row.split(",")[5] for row in trades.read_text().splitlines()[1:])

    text = report(
        folder, folder / "busy.csv", "-c", folder / "lively.toml", "--to", f"{entered[:10]}T12:00", name="h.html"
    )

    assert "USD with what is still held" in text


def test_a_stop_is_drawn_as_it_moved_and_while_something_was_held(folder: Path, busy: str) -> None:
    with reading(folder / "runs.sqlite") as reader:
        known = material(reader, "1")
        charts = {one.symbol: one.candles for one in known.parts if one.part == 0}
        filled = [one for found in known.brackets.values() for one in found if one.group in known.book.groups]

        assert any(len(one.stops) > 1 for one in filled), "the run must move a stop"
        for symbol, candles in charts.items():
            frame = framed(candles, levels.levels(known, symbol, "1d", 0, 2**62))
            drawn = "".join(levels.trades(frame, known, symbol, "1d"))
            stops = re.findall(r'class="stop tip"[^>]*><desc>[^<]*</desc><path d="([^"]*)"', drawn)
            mine = [one for one in filled if one.entry.symbol == symbol]
            assert len(stops) == len(mine)
            for path, bracket in zip(stops, mine, strict=True):
                fills = known.book.groups[bracket.group]
                first, last = (candles.known_place(fills[place].time_ns) for place in (0, -1))
                heights = [f"{frame.price(level):.1f}" for _, level in bracket.stops]
                is_open = bool(known.book.lots[bracket.group].open)
                end = len(candles) - 1 if is_open else last
                assert path.startswith(f"M{frame.x(first):.1f} {heights[0]}")
                assert path.endswith(f"H{frame.x(end):.1f}")
                assert re.findall(r"V([\d.]+)", path) == heights[1:]
