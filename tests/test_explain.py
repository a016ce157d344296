"""`wyckoff explain`: the view at a moment, as a table, JSON that its schema describes, or a picture.

`python -m tests.test_explain` writes the schema anew.
"""

import datetime
import gzip
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from engine.config import shipped
from engine.explain_labels import Box, spread_out
from engine.timeframes import DAY_NS, MINUTE_NS
from engine.wyckoff.explained import Explanation
from tests.test_cli import told, wyckoff
from tests.wyckoff.series import ACCUMULATION, planted

SCHEMA = shipped("replay").parent / "schemas" / "explain.schema.json"
HEADER = "symbol,time,open,high,low,close,volume"
FIRST_DAY = 18_262
PNG = b"\x89PNG\r\n"


def day(number: int) -> str:
    return str(datetime.date(1970, 1, 1) + datetime.timedelta(days=FIRST_DAY + number))


def rows(symbol: str, bars: list[tuple[float, ...]]) -> list[str]:
    return [f"{symbol},{day(place)}," + ",".join(map(str, bar)) for place, bar in enumerate(bars)]


def walk(seed: int, count: int) -> list[tuple[float, ...]]:
    bars = planted(count, seed)
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two symbols, one of which walks a written accumulation."""
    path = tmp_path_factory.mktemp("explain") / "days.csv"
    lines = sorted(rows("AAA", ACCUMULATION) + rows("BBB", walk(3, 400)), key=lambda line: line.split(",")[1])
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def view(feed: Path, *arguments: object) -> Explanation:
    done = wyckoff("explain", feed, *arguments, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    return msgspec.json.decode(done.stdout, type=Explanation, strict=True)


def check_against(value: object, schema: dict[str, object], root: dict[str, object]) -> None:
    """As much of JSON Schema as these schemas use; unknown properties are refused."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[1]
        check_against(value, root["$defs"][name], root)  # type: ignore[index]
        return
    if "anyOf" in schema:
        errors = 0
        for option in schema["anyOf"]:  # type: ignore[attr-defined]
            try:
                check_against(value, option, root)
            except AssertionError:
                errors += 1
        assert errors < len(schema["anyOf"])  # type: ignore[arg-type]
        return
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "array": list,
             "object": dict}  # fmt: skip
    if "type" in schema:
        assert isinstance(value, kinds[str(schema["type"])]), (value, schema)  # type: ignore[arg-type]
    if isinstance(value, list):
        for one in value:
            check_against(one, schema.get("items", {}), root)  # type: ignore[arg-type]
    if isinstance(value, dict) and "properties" in schema:
        properties: dict[str, dict[str, object]] = schema["properties"]  # type: ignore[assignment]
        assert set(value) <= set(properties)
        assert set(schema.get("required", ())) <= set(value)  # type: ignore[call-overload]
        for name, one in value.items():
            check_against(one, properties[name], root)


def test_the_schema_is_current() -> None:
    assert json.loads(SCHEMA.read_text()) == msgspec.json.schema(Explanation)


@pytest.mark.parametrize("at", [30, 80, 95, 110, 125, 140])
def test_json_is_what_the_schema_says(feed: Path, at: int) -> None:
    done = wyckoff("explain", feed, "--symbol", "AAA", "--at", day(at), "--json", "-q")
    assert done.exit_code == 0, done.output

    schema = json.loads(SCHEMA.read_text())
    check_against(json.loads(done.stdout), schema, schema)


def test_a_wrong_answer_does_not_fit_the_schema(feed: Path) -> None:
    schema = json.loads(SCHEMA.read_text())
    found = json.loads(wyckoff("explain", feed, "--symbol", "AAA", "--at", day(80), "--json", "-q").stdout)

    for wrong in ({"direction": "up"}, {"unheard_of": 1}, {"lanes": [{}]}):
        with pytest.raises(AssertionError):
            check_against(found | wrong, schema, schema)


def test_a_person_sees_phase_levels_events_gates_and_what_comes_next(feed: Path) -> None:
    text = wyckoff("explain", feed, "--symbol", "AAA", "--at", day(101), "-q").stdout

    for part in ("AAA 1d: accumulation, phase C", "resistance", "width", "quality", "SC", "SPRING", "waits for",
                 "would end it", "the spring's low", "gates at the newest bar", "low below support"):  # fmt: skip
        assert part in text, part
    assert max(map(len, text.splitlines())) <= 100


def test_while_it_warms_up_it_says_how_far(feed: Path) -> None:
    text = wyckoff("explain", feed, "--symbol", "AAA", "--at", day(34), "-q").stdout

    assert "WARMUP 34/60" in text
    assert "volume percentile 13/250" in text


@pytest.mark.parametrize("symbol", ["AAA", "BBB"])
@pytest.mark.parametrize("at", [60, 101, 117, 139, 250])
def test_nothing_later_has_any_influence(feed: Path, tmp_path: Path, symbol: str, at: int) -> None:
    head, *lines = feed.read_text().splitlines()
    cut = tmp_path / "days.csv"
    cut.write_text("\n".join([head, *(line for line in lines if line.split(",")[1] < day(at))]) + "\n")

    assert view(feed, "--symbol", symbol, "--at", day(at)) == view(cut, "--symbol", symbol, "--at", day(at))


def test_a_moment_within_a_bar_shows_the_bars_before_it(feed: Path) -> None:
    noon = view(feed, "--symbol", "AAA", "--at", f"{day(110)}T12:00:00Z")

    assert msgspec.structs.replace(noon, at="") == msgspec.structs.replace(
        view(feed, "--symbol", "AAA", "--at", day(110)), at=""
    )
    assert noon.bar is not None
    assert noon.bar.opened.startswith(day(109))


@pytest.mark.parametrize("chunk", [1, 7, 5_000])
def test_it_knows_what_a_replay_knew(feed: Path, tmp_path: Path, chunk: int) -> None:
    exported = tmp_path / "events.csv"
    done = wyckoff("replay", feed, "--events", exported, "--to", day(130), "--chunk", chunk, "-q")
    assert done.exit_code == 0, done.output
    head, *lines = exported.read_text().splitlines()
    names = head.split(",")
    known = [dict(zip(names, line.split(","), strict=False)) for line in lines]
    mine = [one["event"] for one in known if one["symbol"] == "AAA"]

    assert [one.event for one in view(feed, "--symbol", "AAA", "--at", day(130)).recent] == mine[-8:]


def test_longer_bars_are_made_of_the_feeds(feed: Path) -> None:
    found = view(feed, "--symbol", "BBB", "--at", day(300), "--timeframe", "1w")

    assert (found.timeframe, found.phase) == ("1w", "WARMUP")
    assert found.warmup is not None
    assert 40 <= found.warmup.bars <= 43


def test_a_tape_is_explained_as_it_was_recorded(feed: Path, tmp_path: Path) -> None:
    assert wyckoff("replay", feed, "--tape", tmp_path / "run.tape", "-q").exit_code == 0

    assert view(tmp_path / "run.tape", "--symbol", "AAA", "--at", day(120)) == view(
        feed, "--symbol", "AAA", "--at", day(120)
    )


def test_the_only_symbol_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("\n".join([HEADER, *rows("AAA", ACCUMULATION)]) + "\n")

    assert view(path, "--at", day(100)).symbol == "AAA"


MISTAKES = [
    ((), 2, ("--symbol must name one of the 2 symbols: AAA, BBB",)),
    (("--symbol", "CCC"), 4, ("--symbol must be among AAA, BBB, was CCC",)),
    (("--symbol", "AAA", "--timeframe", "1h"), 4, ("bars of 1d make 1d, 1w, was 1h",)),
    (("--symbol", "AAA", "--timeframe", "2d"), 2, ("--timeframe must be one of", "was 2d")),
    (("--symbol", "AAA", "--picture", "x.gif"), 2, ("--picture must end in .png or .svg, was x.gif",)),
    (("--symbol", "AAA", "--picture", "x.png", "--bars", "5"), 2, ("--bars must be 20 to 2,000, was 5",)),
    (("--symbol", "AAA", "--picture", "/nowhere/x.png"), 73, ("there is no folder /nowhere",)),
]


@pytest.mark.parametrize(("arguments", "code", "parts"), MISTAKES)
def test_a_mistake_is_named(feed: Path, arguments: tuple[str, ...], code: int, parts: tuple[str, ...]) -> None:
    told(wyckoff("explain", feed, "--at", day(100), *arguments), code, *parts)


@pytest.mark.parametrize(
    ("at", "code", "part"),
    [
        ("yesterday", 2, "--at: time must be ISO 8601"),
        ("1999-01-01", 4, "--at must be no earlier than 2020-01-02T00:00:00Z, when the first 1d bar of AAA is known"),
        (day(0), 4, "was 2020-01-01"),
    ],
)
def test_a_moment_that_cannot_be_shown_is_named(feed: Path, at: str, code: int, part: str) -> None:
    told(wyckoff("explain", feed, "--symbol", "AAA", "--at", at), code, part)


def test_a_feed_that_is_not_there_is_named(tmp_path: Path) -> None:
    told(wyckoff("explain", tmp_path / "no.csv", "--at", "2020-01-01"), 4, "no.csv: there is no such file")


def test_a_picture_needs_its_extra(feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("engine.explain_picture.find_spec", lambda name: None)
    picture = tmp_path / "x.png"

    told(wyckoff("explain", feed, "--symbol", "AAA", "--at", day(100), "--picture", picture), 78,
         "pip install 'wyckoff-engine[pictures]'")  # fmt: skip
    assert not picture.exists()


@pytest.mark.parametrize(("ending", "bars"), [("png", 160), ("svg", 40)])
def test_a_picture_is_drawn_whole(feed: Path, tmp_path: Path, ending: str, bars: int) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / f"x.{ending}"

    done = wyckoff("explain", feed, "--symbol", "AAA", "--at", day(130), "--picture", picture, "--bars", bars, "-q")

    assert done.exit_code == 0, done.output
    data = picture.read_bytes()
    if ending == "png":
        assert data.startswith(PNG)
    else:
        assert ElementTree.fromstring(data).tag.endswith("svg")
    assert list(tmp_path.iterdir()) == [picture]


def test_the_same_view_is_drawn_with_the_same_bytes(feed: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = []
    for name in ("one.svg", "other.svg"):
        wyckoff("explain", feed, "--symbol", "AAA", "--at", day(120), "--picture", tmp_path / name, "-q")
        drawn.append((tmp_path / name).read_bytes())

    assert drawn[0] == drawn[1]


def test_a_picture_that_cannot_be_finished_leaves_the_old_one(
    feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "x.png"
    picture.write_bytes(b"old")

    def full(part: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    done = wyckoff("explain", feed, "--symbol", "AAA", "--at", day(100), "--picture", picture, "-q")

    told(done, 73, "x.png: cannot be written: No space left on device")
    assert picture.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [picture]


def test_a_picture_never_replaces_its_feed(feed: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "feed.png"
    path.write_bytes(feed.read_bytes())

    told(wyckoff("explain", path, "--at", day(100), "--picture", path), 2, "--picture must name a file of its own")
    assert path.read_bytes() == feed.read_bytes()


def test_trades_are_explained_on_bars_made_of_them(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv.gz"
    lines = ["symbol,time,price,size"]
    for place, (opened, high, low, close, volume) in enumerate(walk(5, 90)):
        start_ns = FIRST_DAY * DAY_NS + place * MINUTE_NS
        for step, price in enumerate((opened, high, low, close)):
            lines.append(f"AAA,{start_ns + step * 10**10},{price},{volume}")
    path.write_bytes(gzip.compress("\n".join(lines).encode()))

    found = view(path, "--at", f"{day(0)}T01:10:00Z")

    assert (found.timeframe, found.warmup) == ("1m", None)
    assert found.bar is not None
    assert found.bar.opened == f"{day(0)}T01:09:00Z"


def test_help_comes_at_once_and_without_matplotlib() -> None:
    code = "import sys; sys.argv = ['wyckoff', 'explain', '--help']\nfrom engine.cli import main\n"
    code += (
        "try: main()\nexcept SystemExit: pass\nprint([n for n in ('matplotlib', 'numba', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert "--picture" in done.stdout


def test_labels_are_spread_and_stay_inside() -> None:
    heights = spread_out([1.0, 1.1, 1.2, 9.9], 1.0, 0.0, 10.0)

    assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in pairwise(heights))
    assert heights[0] >= 0.0
    assert Box(0, 0, 2, 2).meets(Box(1, 1, 3, 3))
    assert not Box(0, 0, 1, 1).meets(Box(1, 0, 2, 1))


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(msgspec.json.schema(Explanation), indent=2) + "\n")
