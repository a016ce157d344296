"""The Python entry: the same decisions as the command, from files and from memory, anywhere."""

import ast
import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.api
from engine.api import FIELDS, ReplayError, replay
from engine.replay_command import ReplayCommand
from tests.markets import trade_market
from tests.report.runs import BUSY, lively, write_feed
from tests.test_cli import wyckoff

SYMBOLS = ("AAA", "BBB", "CCC")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("api")
    write_feed(made / "prices.csv", SYMBOLS)
    lively(made)
    return made


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, Any]:
    """What the command makes of the same feed."""
    found: dict[str, Any] = json.loads(
        wyckoff("replay", folder / "prices.csv", "-c", folder / "lively.toml", "--json").stdout
    )
    assert found["trades"] > 0
    return found


def columns(symbol: int) -> dict[str, np.ndarray]:
    mine = BUSY.instrument == symbol
    names = ("open", "high", "low", "close", "volume")
    return {"time": BUSY.open_ns[mine].view("datetime64[ns]"), **{name: getattr(BUSY, name)[mine] for name in names}}


def test_it_decides_what_the_command_decides(folder: Path, said: dict[str, Any]) -> None:
    result = replay(folder / "prices.csv", folder / "lively.toml")

    assert result.digest == said["digest"]
    assert json.loads(json.dumps(said["events"])) == result.summary.events
    assert len(result.events) == sum(said["events"].values())
    assert len(result.trades) == said["trades"]
    assert result.trades["pnl"].sum() == pytest.approx(float(said["pnl"]))
    assert (result.equity["equity"] - result.equity["pnl"] == 100_000).all()
    assert {name: len(bars) for name, bars in result.bars.items()} == {(symbol, "1d"): 700 for symbol in SYMBOLS}


def test_columns_are_those_of_the_exports(folder: Path) -> None:
    text = folder / "events.csv"
    wyckoff("replay", folder / "prices.csv", "-c", folder / "lively.toml", "--events", text)
    rows = [line.split(",") for line in text.read_text().splitlines()[1:]]

    events = replay(folder / "prices.csv", folder / "lively.toml").events

    assert [row[3] for row in rows] == events["event"].tolist()
    assert [row[6][:10] for row in rows] == events["known_time"].astype("datetime64[D]").astype(str).tolist()
    assert [float(row[7]) for row in rows] == events["price"].tolist()


def test_bars_carry_what_was_measured_on_them(folder: Path) -> None:
    result = replay(folder / "prices.csv")
    bars = result.bars["AAA", "1d"]
    closes = BUSY.close[BUSY.instrument == 0]

    assert bars["close"].tolist() == closes.tolist()
    assert set(bars["phase"][:20]) == {"WARMUP"}
    assert {"A", "B"} <= set(bars["phase"].tolist())
    assert np.isfinite(bars["volume_ratio"][200:]).all()
    assert (np.diff(bars["time"]) > np.timedelta64(0)).all()


def test_memory_gives_what_a_file_gives(folder: Path, said: dict[str, Any]) -> None:
    by_symbol = {symbol: columns(number) for number, symbol in enumerate(SYMBOLS)}
    stacked = {name: np.concatenate([one[name] for one in by_symbol.values()]) for name in by_symbol["AAA"]}
    stacked["symbol"] = np.repeat(SYMBOLS, 700)
    structured = np.empty(len(stacked["time"]), [(name, column.dtype) for name, column in stacked.items()])
    for name, column in stacked.items():
        structured[name] = column
    epochs = {**stacked, "time": stacked["time"].astype("datetime64[s]").astype(np.int64)}

    for feed in (by_symbol, stacked, structured, epochs):
        assert replay(feed, folder / "lively.toml").digest == said["digest"]


def test_a_data_frame_is_a_feed_and_comes_back(folder: Path, said: dict[str, Any]) -> None:
    pandas = pytest.importorskip("pandas")
    frames = replay(folder / "prices.csv", folder / "lively.toml").to_pandas()
    indexed = pandas.DataFrame(columns(0)).set_index("time")

    assert replay(frames.bars, folder / "lively.toml").digest == said["digest"]
    assert len(frames.trades) == said["trades"]
    assert str(frames.events["known_time"].dtype) == "datetime64[ns, UTC]"
    assert list(frames.bars.columns[:3]) == ["symbol", "timeframe", "time"]
    assert replay(indexed, symbol="AAA").summary.rows_read == 700


def test_trades_in_memory_are_a_feed() -> None:
    market = trade_market(1, 300, 20, 4)

    result = replay({"time": market.time_ns, "price": market.price, "size": market.size}, symbol="AAA")

    assert result.summary.rows == {"Trades": len(market)}
    assert list(result.bars) == [("AAA", "1m")]


def test_several_files_and_a_tape_are_feeds(folder: Path, said: dict[str, Any]) -> None:
    for number, symbol in enumerate(SYMBOLS):
        rows = (folder / "prices.csv").read_text().splitlines()
        mine = [rows[0], *(row for row in rows if row.startswith(symbol))]
        (folder / f"{symbol}.csv").write_text("\n".join(mine) + "\n")
        assert len(mine) == 701, number
    tape = folder / "day.tape"
    wyckoff("replay", folder / "prices.csv", "-c", folder / "lively.toml", "--tape", tape)

    several = replay([folder / f"{symbol}.csv" for symbol in SYMBOLS], folder / "lively.toml")

    assert several.digest == said["digest"]
    assert replay(str(tape), [folder / "lively.toml"]).digest == said["digest"]


def test_tables_over_the_settings_do_what_a_file_does(folder: Path, said: dict[str, Any]) -> None:
    tables = {
        "strategies": {
            "wyckoff_bmad": {
                "min_score": 35.0, "min_confidence": 40.0, "spring_reward": 1.0, "sos_reward": 0.8, "lps_reward": 0.8,
                "shakeout_entry": True, "min_quality": 0.0, "min_strength": 0.0, "volatile_volume_rank": 100.0,
            }
        },
        "campaigns": {"cooldown_days": {"stock": 0, "crypto": 0, "fx": 0, "future": 0}},
    }  # fmt: skip

    result = replay(folder / "prices.csv", tables)

    assert result.digest == said["digest"]
    assert result.summary.config_hash == said["config_hash"]


def test_options_are_those_of_the_command(folder: Path) -> None:
    kept = {"feeds", "config", "tape", "resume", "store", "events", "phases", "trades", "decisions", "report",
            "as_json", "quiet", "color", "speed", "stop_at", "monitor",
            "listen"}  # fmt: skip

    assert set(FIELDS) >= set(ReplayCommand.__struct_fields__) - kept - {"until"}
    cut = replay(folder / "prices.csv", start="2020-02-01", end="2020-02-11", chunk=3)
    assert cut.summary.bars["1d"] == 30


def test_without_events_and_trades_there_are_empty_columns(folder: Path) -> None:
    result = replay(folder / "prices.csv", end="2020-01-05")

    assert len(result.events) == len(result.trades) == 0
    assert result.events["price"].dtype == np.float64
    assert result.trades["entry_time"].dtype == np.dtype("datetime64[ns]")
    assert len(result.to_pandas().trades) == 0


@pytest.mark.parametrize(
    ("feed", "config", "options", "part"),
    [
        ("nowhere.csv", None, {}, "nowhere.csv: there is no such file"),
        ([], None, {}, "an empty list"),
        ({"time": np.array([1])}, None, {}, "open, high, low, close"),
        ({name: column[: 5 if name == "low" else 6] for name, column in columns(0).items()}, None, {}, r"low must be"),
        ({name: column[:0] for name, column in columns(0).items()}, None, {}, "must hold rows"),
        (columns(0), {"run": {"cas": 1}}, {}, "config: run.cas: unknown key"),
        (columns(0), None, {"timeframe": "3m"}, "timeframe"),
        (columns(0), None, {"start": "soon"}, "ISO 8601"),
    ],
)
def test_what_is_wrong_is_told(feed: Any, config: Any, options: dict[str, Any], part: str) -> None:
    with pytest.raises(ReplayError, match=part):
        replay(feed, config, **options)


def test_an_unknown_option_is_a_type_error(folder: Path) -> None:
    with pytest.raises(TypeError, match="no option speeed"):
        replay(folder / "prices.csv", speeed=2)


def test_to_pandas_says_what_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = replay(folder / "prices.csv", end="2020-01-05")
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_pandas()


def test_importing_it_imports_no_pandas() -> None:
    script = "import sys, engine.api; assert 'pandas' not in sys.modules and 'pyarrow' not in sys.modules"

    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


def test_it_runs_where_an_event_loop_runs_already(folder: Path, said: dict[str, Any]) -> None:
    """As in a notebook."""

    async def cell() -> str:
        return replay(folder / "prices.csv", folder / "lively.toml").digest

    assert asyncio.run(cell()) == said["digest"]


def examples() -> list[str]:
    """What the documentation shows: in the module, and in the README."""
    docstring = ast.get_docstring(ast.parse(Path(engine.api.__file__).read_text())) or ""
    shown = [textwrap.dedent(part) for part in re.findall(r"(?:^    .*\n|^\n)+", docstring, re.MULTILINE)]
    readme = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [text for text in (*shown, *readme) if "engine.api" in text]


@pytest.mark.parametrize("example", examples())
def test_what_the_documentation_shows_runs_as_a_script(example: str, folder: Path, said: dict[str, Any]) -> None:
    pytest.importorskip("pandas")
    (folder / "example.py").write_text(example)

    # The kernels that this machine has compiled already are found by these.
    caches = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"], cwd=folder, env=caches | {"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert " known " in done.stdout
    assert "phase" in done.stdout


def test_there_is_an_example() -> None:
    assert len(examples()) >= 1
