"""The command as a user meets it: outputs, exit codes, one clear message for each mistake."""

import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.config import shipped
from engine.summary import RunSummary
from tests.markets import bar_market

DAYS = bar_market(2, 900, 5)
HEADER = "symbol,time,open,high,low,close,volume"


def lines(*, symbols: tuple[str, ...] = ("AAA", "BBB")) -> list[str]:
    columns = (DAYS.instrument, DAYS.open_ns, DAYS.open, DAYS.high, DAYS.low, DAYS.close, DAYS.volume)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [HEADER, *(",".join(map(str, (symbols[number], *rest))) for number, *rest in rows)]


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "days.csv"
    path.write_text("\n".join(lines()) + "\n")
    return path


@pytest.fixture
def lively(tmp_path: Path) -> Path:
    path = tmp_path / "lively.toml"
    path.write_text(
        "[strategies.wyckoff_bmad]\nmin_score = 35.0\nmin_confidence = 40.0\nspring_reward = 1.0\n"
        "sos_reward = 0.8\nlps_reward = 0.8\nshakeout_entry = true\n"
    )
    return path


def wyckoff(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def told(result: Result, code: int, *parts: str) -> None:
    """One message, on stderr, that says these things."""
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("wyckoff: "), result.stderr
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.output


def test_replay_ends_with_a_table_and_the_digest(feed: Path) -> None:
    result = wyckoff("replay", feed)

    assert result.exit_code == 0
    assert "rows read" in result.stdout
    assert "1,800" in result.stdout
    assert result.stdout.strip().splitlines()[-1].startswith("digest  ")


def test_json_has_the_digest_and_the_same_counts(feed: Path, lively: Path) -> None:
    one = json.loads(wyckoff("replay", feed, "--json", "-c", lively).stdout)
    other = json.loads(wyckoff("replay", feed, "--json", "-c", lively, "--chunk", 7).stdout)

    assert one == other
    assert len(one["digest"]) == 64
    assert one["rows_read"] == 1_800
    assert one["bars"]["1d"] == 1_800
    assert one["intents"] > 0


def test_exports_hold_what_the_run_counted(feed: Path, lively: Path, tmp_path: Path) -> None:
    names = {name: tmp_path / f"{name}.csv" for name in ("events", "phases", "trades")}
    options = [part for name, path in names.items() for part in (f"--{name}", path)]
    decisions = tmp_path / "decisions.jsonl"

    found = json.loads(wyckoff("replay", feed, "--json", "-c", lively, "--decisions", decisions, *options).stdout)

    events, phases, trades = (list(csv.DictReader(path.read_text().splitlines())) for path in names.values())
    assert len(events) == sum(found["events"].values())
    assert ",".join(events[0]) == (
        "symbol,timeframe,direction,event,event_time,confirm_time,known_time,price,score,phase,support,resistance,"
        "supersedes"
    )
    assert {row["direction"] for row in events} == {"1", "-1"}
    assert all(row["event_time"] <= row["confirm_time"] < row["known_time"] for row in events)
    assert len(phases) == 1_800
    assert ",".join(phases[0]) == "symbol,timeframe,time,phase,direction,confidence"
    assert len(trades) == found["trades"] > 0
    assert ",".join(trades[0]) == (
        "symbol,campaign,leg,side,quantity,entry_time,entry_price,exit_time,exit_price,pnl,r"
    )
    decided = [json.loads(line) for line in decisions.read_text().splitlines()]
    assert len(decided) == found["decisions"]
    assert {"Intent", "Approved", "Order", "Accepted", "Fill"} <= {one["type"] for one in decided}


def test_dates_cut_the_feed_half_open(feed: Path) -> None:
    found = json.loads(wyckoff("replay", feed, "--json", "--from", "2020-02-01", "--to", "2020-02-11").stdout)

    assert found["bars"]["1d"] == 20


def test_a_tape_is_verified_and_replayed(feed: Path, lively: Path, tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    first = json.loads(wyckoff("replay", feed, "--json", "-c", lively, "--tape", tape).stdout)
    again = json.loads(wyckoff("replay", tape, "--json", "-c", lively, "--chunk", 3).stdout)

    assert again["digest"] == first["digest"]
    assert wyckoff("verify-tape", tape).exit_code == 0
    assert json.loads(wyckoff("verify-tape", tape, "--json").stdout)["clean"] is True


def test_a_flipped_byte_on_a_tape_is_told_with_10(feed: Path, tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    wyckoff("replay", feed, "--tape", tape)
    data = bytearray(tape.read_bytes())
    data[len(data) // 2] ^= 1
    tape.write_bytes(bytes(data))

    result = wyckoff("verify-tape", tape)

    assert result.exit_code in (10, 74), result.output
    assert str(tape) in result.output.replace("\n", "")


def test_the_store_holds_the_run(feed: Path, lively: Path, tmp_path: Path) -> None:
    import sqlite3

    store = tmp_path / "store.sqlite"
    found = json.loads(wyckoff("replay", feed, "--json", "-c", lively, "--store", store).stdout)

    connection = sqlite3.connect(store)
    assert connection.execute("SELECT digest FROM runs").fetchall() == [(found["digest"],)]
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (sum(found["events"].values()),)
    connection.close()


BAD_FEEDS = {
    "empty": ("", "empty"),
    "header_only": (HEADER + "\n", "header only"),
    "unknown_columns": ("alpha,beta\n1,2\n", "alpha"),
    "not_a_table": ("<html><body>Error 503</body></html>\n", ""),
    "text_for_a_price": (HEADER + "\nA,2020-01-01,1,1,1,x,1\nA,2020-01-02,1,1,1,1,1\n", "close"),
    "high_below_low": (HEADER + "\nA,2020-01-01,5,4,6,5,1\nA,2020-01-02,1,1,1,1,1\n", "high"),
    "negative_volume": (HEADER + "\nA,2020-01-01,1,1,1,1,-4\nA,2020-01-02,1,1,1,1,1\n", "volume"),
    "zero_price": (HEADER + "\nA,2020-01-01,0,1,0,1,4\nA,2020-01-02,1,1,1,1,1\n", "open"),
    "infinite": (HEADER + "\nA,2020-01-01,1,inf,1,1,4\nA,2020-01-02,1,1,1,1,1\n", "high"),
}


@pytest.mark.parametrize("name", BAD_FEEDS)
def test_a_bad_feed_is_one_message_and_65(name: str, tmp_path: Path) -> None:
    content, part = BAD_FEEDS[name]
    path = tmp_path / "bad.csv"
    path.write_text(content)
    export = tmp_path / "events.csv"

    result = wyckoff("replay", path, "--events", export, "--strict")

    told(result, 65, "bad.csv", part)
    assert not export.exists()
    assert [one.name for one in tmp_path.iterdir()] == ["bad.csv"]


def test_a_truncated_file_is_65(feed: Path, tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(feed.read_bytes())[:-4_000])

    told(wyckoff("replay", path), 65, "cut.csv.gz")


def test_unsorted_where_sorted_is_claimed_is_65(tmp_path: Path) -> None:
    path = tmp_path / "S.csv"
    rows = lines()
    rows[50], rows[90] = rows[90], rows[50]
    path.write_text("\n".join(rows))

    told(wyckoff("replay", path, "--sorted"), 65, "S.csv", "row")
    assert json.loads(wyckoff("replay", path, "--json").stdout)["rows_repaired"]


def test_repairs_and_drops_are_counted_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "S.csv"
    rows = lines()
    path.write_text("\n".join([rows[0], *reversed(rows[1:]), rows[-1]]))

    found = json.loads(wyckoff("replay", path, "--json").stdout)

    assert found["rows_read"] == 1_801
    assert found["rows_dropped"] == {"duplicate": 1}
    assert "reversed" in found["rows_repaired"] or "sorted" in found["rows_repaired"]


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["nowhere.csv"], 4, "nowhere.csv"),
        (["{feed}", "-c", "nowhere.toml"], 78, "nowhere.toml"),
        (["{feed}", "--from", "yesterday"], 2, "yesterday"),
        (["{feed}", "--map", "volume"], 2, "OURS=THEIRS"),
        (["{feed}", "--map", "volume=Menge"], 65, "Menge"),
        (["{feed}", "--timeframe", "7m"], 2, "7m"),
        (["{feed}", "--zone", "Atlantis"], 2, "Atlantis"),
        (["{feed}", "--resume"], 2, "--tape"),
        (["{feed}", "--resume", "--tape", "nowhere.tape"], 4, "nowhere.tape"),
        (["{feed}", "--events", "/nowhere/e.csv"], 73, "/nowhere/e.csv"),
        (["{feed}", "--tape", "/nowhere/t.tape"], 74, "/nowhere/t.tape"),
        (["{feed}", "--tape", "{feed}"], 2, "is a feed"),
        (["{feed}", "--tape", "{here}/mine.toml"], 74, "--resume"),
        (["{feed}", "--events", "{feed}"], 2, "--events"),
        (["{feed}", "--events", "e.csv", "--phases", "./e.csv"], 2, "--phases"),
        (["{feed}", "-c", "{here}/mine.toml", "--events", "{here}/mine.toml"], 2, "--config"),
        (["{feed}", "{feed}"], 2, "once"),
        (["{feed}", "--map", "volume=a", "--map", "volume=b"], 2, "once"),
        (["{feed}", "--from", "2020-02-01", "--to", "2020-01-01"], 2, "--to"),
        (["{feed}", "--columns", "a,b"], 65, "columns"),
        (["{feed}", "--events", "{here}"], 73, "directory"),
        (["{here}"], 65, "directory"),
        (["{feed}", "--store", "{here}"], 74, "directory"),
        (["{feed}", "--store", "{here}/mine.toml"], 74, "not a database"),
        (["{feed}", "--store", "/nowhere/s.sqlite"], 74, "/nowhere/s.sqlite"),
    ],
)
def test_a_mistake_on_the_command_line_is_told(arguments: list[str], code: int, part: str, feed: Path) -> None:
    (feed.parent / "mine.toml").write_text("[tape]\nsnapshot_every_rows = 1000\n")
    before = {path.name: path.read_bytes() for path in feed.parent.iterdir()}
    places = {"{feed}": feed, "{here}": feed.parent}
    for name, place in places.items():
        arguments = [one.replace(name, str(place)) for one in arguments]

    told(wyckoff("replay", *arguments), code, part)
    assert {path.name: path.read_bytes() for path in feed.parent.iterdir()} == before


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[risk]\nheat_limit_bp = 1001\n", "risk.heat_limit_bp"),
        ("[risk]\nheat_warning_bp = 950\n", "heat_warning_bp"),
        ("[risk]\nheat = 5\n", "risk.heat"),
        ('[risk]\nrules = ["luck"]\n', "luck"),
        ('[run]\nmode = "alive"\n', "run.mode"),
        ('[run]\nstrategies = ["nothing"]\n', "nothing"),
        ('[run]\ntimeframes = ["2m"]\n', "2m"),
        ('[run]\ncash = "-1"\n', "run.cash"),
        ("[strategies.wyckoff_bmad]\nmin_scores = 1\n", "min_scores"),
        ('[paper]\nparticipation = "2"\n', "paper.participation"),
        ("[campaigns]\nsplit_percent = { spring = 50 }\n", "split_percent"),
        ('[instruments.symbols.AAA]\ntick = "0"\n', "tick"),
        ("[run\n", "TOML"),
    ],
)
def test_a_configuration_mistake_names_its_key_with_78(text: str, part: str, feed: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)

    told(wyckoff("replay", feed, "-c", path), 78, part)


def test_another_configuration_cannot_resume_a_tape(feed: Path, lively: Path, tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    wyckoff("replay", feed, "--tape", tape)

    told(wyckoff("replay", feed, "--tape", tape, "--resume", "-c", lively), 6, "config_hash")


def test_a_full_disk_while_writing_the_tape_is_told_and_leaves_no_export(feed: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the end of the disk."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    events = tmp_path / "events.csv"
    command = [sys.executable, "-m", "engine", "replay", str(feed), "--tape", str(tmp_path / "day.tape")]
    done = subprocess.run(
        [*command, "--chunk", "1", "--events", str(events)],
        capture_output=True, text=True, check=False, preexec_fn=limited, env=os.environ | {"PYTHONWARNINGS": "error"},
    )  # fmt: skip

    assert done.returncode == 74, done.stderr
    assert "day.tape" in done.stderr
    assert "Traceback" not in done.stderr
    assert not events.exists()


@pytest.mark.parametrize(
    "option", [["--from", "2020-01-01"], ["--map", "volume=v"], ["--sorted"], ["--adjust", "none"]]
)
def test_an_option_for_files_is_refused_with_a_tape(option: list[str], feed: Path, tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    wyckoff("replay", feed, "--tape", tape)

    told(wyckoff("replay", tape, *option), 2, option[0])


def test_a_file_without_a_header_is_read_by_named_columns(feed: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(lines()[1:]) + "\n")

    found = json.loads(wyckoff("replay", bare, "--json", "--columns", HEADER).stdout)

    assert found["digest"] == json.loads(wyckoff("replay", feed, "--json").stdout)["digest"]
    assert found["rows_read"] == 1_800
    told(wyckoff("replay", bare), 65, "header", "columns")


def test_rows_that_are_all_out_of_range_are_said_to_be(feed: Path) -> None:
    result = wyckoff("replay", feed, "--from", "2040-01-01")

    assert result.exit_code == 0
    assert "outside_range 1,800" in result.stdout
    assert "no row was left" in result.stdout


def running(feed: Path, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "engine", "replay", str(feed), "--chunk", "1", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_a_tape_to_go_on_with_and_no_export(
    number: signal.Signals, feed: Path, lively: Path, tmp_path: Path
) -> None:
    tape, events, phases = (tmp_path / name for name in ("day.tape", "events.csv", "phases.csv"))
    options = ("-c", lively, "--tape", tape)
    process = running(feed, *options, "--events", events, "--phases", phases)
    while not tape.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.05)

    process.send_signal(number)
    _, errors = process.communicate(timeout=60)

    # Python ends by the signal itself where text was being executed; a shell shows 130 for both.
    assert process.returncode in (130, -signal.SIGINT)
    assert errors == "wyckoff: interrupted\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day.tape", "days.csv", "lively.toml"]
    resumed = json.loads(wyckoff("replay", feed, "--json", *options, "--resume").stdout)
    assert resumed["digest"] == json.loads(wyckoff("replay", feed, "--json", "-c", lively).stdout)["digest"]


def test_a_reader_that_leaves_early_is_no_error(feed: Path) -> None:
    process = running(feed)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None

    errors = process.stderr.read()

    assert (process.wait(), errors) == (0, "")
    process.stderr.close()


def test_an_output_that_takes_nothing_is_told(feed: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "engine", "replay", str(feed)], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip

    assert (done.returncode, done.stderr) == (
        73,
        "wyckoff: standard output: cannot be written: No space left on device\n",
    )


def test_an_export_never_goes_where_the_table_goes(feed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with out.open("w") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "engine", "replay", str(feed), "--events", str(out)], stdout=stream,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert done.returncode == 73
    assert "out.csv" in done.stderr


def test_tables_keep_to_the_width_and_a_name_keeps_its_number(feed: Path, lively: Path) -> None:
    found = wyckoff("replay", feed, "-c", lively).stdout.splitlines()

    assert max(map(len, found)) <= 80
    assert not any(line.endswith(" ") or re.match(r" +[\d,]+(  |$)", line) for line in found)


def test_json_is_what_the_schema_says(feed: Path, lively: Path) -> None:
    schema = json.loads((shipped("replay").parent / "schemas" / "replay.schema.json").read_text())
    found = json.loads(wyckoff("replay", feed, "--json", "-c", lively).stdout)
    msgspec.convert(found, RunSummary, strict=False)
    (definition,) = schema["$defs"].values()

    assert schema == msgspec.json.schema(RunSummary)
    assert set(found) == set(definition["properties"]) == set(definition["required"])


def test_help_explains_each_command() -> None:
    assert "verify-tape" in wyckoff("--help").stdout
    assert "--decisions" in wyckoff("replay", "--help").stdout


def test_every_option_has_a_line_of_help() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]

    assert [
        f"{name} {option.name}"
        for name, command in commands.items()
        for option in command.params
        if not option.help or len(option.help) > 80
    ] == []


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, engine.cli; "
        "heavy = {'numba', 'numpy', 'pandas', 'pyarrow', 'ccxt', 'alpaca', 'exchange_calendars'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.returncode == 0


def test_heavy_libraries_are_imported_only_where_they_are_used(feed: Path) -> None:
    code = (
        "import sys; from engine.cli import app; "
        f"app(['replay', {str(feed)!r}, '--json'], standalone_mode=False); "
        "heavy = {'pandas', 'pyarrow', 'ccxt', 'alpaca', 'exchange_calendars'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
