"""The page: head, account, charts, tables, words, in one file that needs nothing else.

Its policy lets it load nothing and run only its own script, so that what a feed calls itself can do
nothing, however it is written.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.resources import files

from engine.iso import iso
from engine.report import tables, words
from engine.report.account import account
from engine.report.chart import figure
from engine.report.markup import Child, Html, tag
from engine.report.material import Chart, Material
from engine.report.selection import Kept
from engine.text_table import day

MOST_CHART_BYTES = 6_500_000
"""Of all figures; with the tables a page stays under 8 MB."""


def page(material: Material) -> str:
    """The whole file. The same run gives the same bytes."""
    style, script = _asset("page.css"), _asset("page.js")
    figures, missing = _figures(material.parts, material)
    title = f"{_subject(material)}: Wyckoff replay"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(style)),
    )
    body = tag("body", tag("main", _sections(material, figures, missing)), tag("script", Html(script)))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _sections(material: Material, figures: dict[Chart, list[Html]], missing: int) -> Iterator[Html]:
    numbered = {chart: f"chart-{number}" for number, chart in enumerate(figures, 1)}
    of_campaigns = {
        one.subject: f"figure-{numbered[one.symbol, one.timeframe][6:]}-{one.part}"
        for one in material.parts
        if one.subject and one.part < len(figures.get((one.symbol, one.timeframe), ()))
    }
    yield _header(material)
    yield _section("Account", account(material))
    yield _section("Charts", *_charts(material, figures, numbered, missing), id_="charts")
    yield _section("Campaigns", *tables.campaigns(material, of_campaigns), _campaigns_note())
    yield _section("Trades", *tables.trades(material))
    yield _section("Refused and declined", *tables.refused(material))
    if len(material.reach) > 1:
        yield _section("Symbols", *tables.symbols(material, numbered))
    yield _section("How orders are filled", tag("ul", (tag("li", line) for line in words.fills(material))))
    yield _section("How much this says", *(tag("p", line) for line in words.sample(material)))
    yield _section("Data", tables.quality(material))


def _section(title: str, *children: Child, id_: str | None = None) -> Html:
    return tag("section", tag("h2", title), children, id_=id_)


# ------------------------------------------------------------------------------------ head


def _header(material: Material) -> Html:
    summary, run = material.summary, material.book.run
    span = f"{day(iso(run.started_ns))} to {day(iso(run.ended_ns or run.started_ns))}"
    return tag(
        "header",
        tag("p", "Wyckoff replay", class_="eyebrow"),
        tag("h1", _subject(material)),
        tag("p", words.verdict(material), class_="verdict"),
        tag("p", summary.note, class_="notice") if summary.note and summary.trades else None,
        _tiles(material),
        tag(
            "dl",
            _fact("feeds", ", ".join(summary.feeds)),
            _fact("period", f"{span}, UTC"),
            _fact("bars", ", ".join(f"{number:,} of {name}" for name, number in summary.bars.items()) or "none"),
            _fact("digest", tag("code", summary.digest)),
            _fact("configuration", tag("code", summary.config_hash)),
            _fact("build", tag("code", summary.build_hash)),
            class_="facts",
        ),
        tag(
            "div",
            tag("pre", tag("code", material.command, id="command")),
            tag("button", "Copy", type="button", id="copy", hidden=True),
            class_="command",
        ),
        tag("p", words.reproduction(summary), class_="note"),
    )


def _subject(material: Material) -> str:
    """The symbols, where they can be read at a glance, else the feeds."""
    session = material.book.session
    symbols = session.symbols if session else ()
    if 0 < len(symbols) <= 6:
        return ", ".join(symbols)
    feeds = material.summary.feeds
    return f"{', '.join(feeds[:3])}{' and more' if len(feeds) > 3 else ''}, {len(symbols):,} symbols"


def _fact(name: str, told: Child) -> list[Html]:
    return [tag("dt", name), tag("dd", told)]


def _tiles(material: Material) -> Html:
    summary = material.summary
    made = "gain" if summary.pnl > 0 else "loss" if summary.pnl < 0 else None
    factor = "-" if summary.profit_factor is None else f"{summary.profit_factor:.2f}"
    each = "-" if summary.expectancy_r is None else f"{summary.expectancy_r:+.2f} R"
    shown = (
        ("closed trades", f"{summary.trades:,}", None),
        (f"P&L, {summary.currency}", f"{summary.pnl:+,.2f}" if summary.pnl else "0.00", made),
        ("a trade", each, None),
        ("profit factor", factor, None),
        ("campaigns", f"{summary.campaigns.get('CAMPAIGN_FORMED', 0):,}", None),
        ("events", f"{sum(summary.events.values()):,}", None),
    )
    return tag(
        "ul",
        (tag("li", tag("span", name), tag("strong", value, class_=kind)) for name, value, kind in shown),
        class_="tiles",
    )


# ---------------------------------------------------------------------------------- charts


def _figures(parts: Sequence[Kept], material: Material) -> tuple[dict[Chart, list[Html]], int]:
    """Figures by chart until the page is full; how many charts it has no room for."""
    of: dict[Chart, list[Kept]] = {}
    for one in parts:
        of.setdefault((one.symbol, one.timeframe), []).append(one)
    drawn: dict[Chart, list[Html]] = {}
    size = 0
    for number, (chart, kept) in enumerate(of.items(), 1):
        made = [figure(material, one, f"{number}-{one.part}") for one in kept if len(one.candles)]
        size += sum(len(html) for html in made)
        if size > MOST_CHART_BYTES:
            break
        drawn[chart] = made
    return drawn, len(material.reach) - len(drawn)


def _charts(
    material: Material, figures: dict[Chart, list[Html]], numbered: dict[Chart, str], missing: int
) -> Iterator[Html]:
    if not figures:
        why = "The store holds no bars of this run." if material.reach else "There was no bar to draw."
        yield tag("p", why)
        return
    first = _first(material, list(figures))
    options = [
        tag("option", f"{symbol} {timeframe}", value=name, selected=(symbol, timeframe) == first)
        for (symbol, timeframe), name in numbered.items()
    ]
    picker = tag("label", "Chart", tag("select", options, id="pick"), class_="picker", hidden=True)
    yield tag("div", picker, _legend(), class_="bar")
    for (symbol, timeframe), made in figures.items():
        title = tag("h3", f"{symbol} ", tag("small", timeframe))
        yield tag("article", title, made, id=numbered[symbol, timeframe], class_="charted")
    if material.bars_left_out:
        yield tag("p", f"{material.bars_left_out:,} later bars were too many to keep and are not drawn.", class_="note")
    if missing:
        yield tag(
            "p", f"{missing:,} of {len(material.reach):,} charts are not drawn: those with trades, campaigns and "
            "events come first. Their numbers stand under Symbols.", class_="note",
        )  # fmt: skip


def _first(material: Material, charts: Sequence[Chart]) -> Chart:
    """Where most was traded, else where most was seen."""
    traded = Counter((one.symbol, one.timeframe) for one in material.book.trades)
    return max(charts, key=lambda chart: (traded[chart], len(material.events.get(chart, ()))))


def _legend() -> Html:
    shown = (
        ("accumulation", "accumulation"), ("distribution", "distribution"), ("known", "points at, known at"),
        ("entry", "entry"), ("sold", "exit"), ("stop", "stop"), ("target", "target"),
    )  # fmt: skip
    return tag("ul", (tag("li", tag("i", class_=f"key {name}"), told) for name, told in shown), class_="legend")


def _campaigns_note() -> Html:
    return tag(
        "p", "A leg is filled, working, skipped, lapsed or refused; numbers are percent of the risk a campaign may "
        "take, taken and planned. A target with ✓ was hit. R is all profit over all initial risk.", class_="note",
    )  # fmt: skip


# ---------------------------------------------------------------------------------- assets


def _asset(name: str) -> str:
    return (files("engine") / "report" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
