"""`wyckoff verify-data` as a user meets it: what it shows, what it says to a program, how it leaves."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from tests.adapters.file_makers import PRINTS, SHARED, write

HEADER = "time,open,high,low,close,volume\n"


def minutes(*rows: str) -> str:
    return HEADER + "".join(f"{1577836800 + 60 * number},{row}\n" for number, row in enumerate(rows))


SOUND = ["10,10,10,10,5"] * 30
DIRTY = minutes(*SOUND, "10,31,10,10,5", *SOUND, "10,9,10,10,5", "10,10,10,10,0", *SOUND)


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["verify-data", *map(str, arguments)])


def test_a_clean_feed_is_told_in_one_line_and_leaves_with_0(tmp_path: Path) -> None:
    result = verify(write(tmp_path, minutes(*SOUND)))

    assert result.exit_code == 0, result.output
    assert "1m bars, 1 symbol, 30 rows read, 30 good" in result.stdout
    assert "2020-01-01 00:00 to 2020-01-01 00:30 UTC" in result.stdout
    assert "clean: 30 rows, nothing found" in result.stdout


def test_findings_are_shown_with_rows_and_leave_with_10(tmp_path: Path) -> None:
    result = verify(write(tmp_path, DIRTY))

    assert result.exit_code == 10, result.output
    for part in ("absurd_price", "row 32  2020-01-01 00:31  31 after 10", "bad_ohlc", "zero_volume", "1.1 %"):
        assert part in result.stdout
    assert "2 of 93 rows withheld (2.2 %); 1 remarks" in result.stdout


def test_a_program_gets_all_of_it(tmp_path: Path) -> None:
    result = verify(write(tmp_path, DIRTY), "--json")

    found = json.loads(result.stdout)
    (feed,) = found["feeds"]
    assert (feed["rows"], feed["rows_out"], feed["symbols"]) == (93, 91, 1)
    by_reason = {one["reason"]: one for one in feed["findings"]}
    assert {reason: one["rows"] for reason, one in by_reason.items()} == {
        "absurd_price": 1, "bad_ohlc": 1, "zero_volume": 1,
    }  # fmt: skip
    assert by_reason["absurd_price"]["examples"] == [
        {"symbol": "AAA", "row": 32, "time_ns": 1577838660 * 10**9, "what": "31 after 10"}
    ]
    assert result.exit_code == 10


def test_strict_stops_at_the_first_bad_row_with_65(tmp_path: Path) -> None:
    result = verify(write(tmp_path, DIRTY), "--strict")

    assert result.exit_code == 65
    assert "row 63: high must be >= low, was 9.0" in result.stderr


def test_missing_days_are_found_by_a_calendar(tmp_path: Path) -> None:
    days = ["2020-01-02", "2020-01-03", "2020-01-07", "2020-01-08"]
    path = write(tmp_path, HEADER + "".join(f"{day},10,10,10,10,5\n" for day in days))

    assert verify(path).exit_code == 0
    result = verify(path, "--calendar", "XNYS")

    assert result.exit_code == 10
    assert "missing bars in 1 gaps, judged by XNYS regular" in result.stdout
    assert "1 bars missing" in result.stdout


def test_rows_that_feeds_share_are_told(tmp_path: Path) -> None:
    one, other = minutes(*SOUND), minutes(*SOUND[:20], "10,10,10,10,6")

    result = verify(write(tmp_path, one, "A.1.csv"), write(tmp_path, other, "A.2.csv"))

    assert result.exit_code == 10
    assert "together: 20 rows repeat a row of an earlier feed, 1 with other values" in result.stdout
    assert result.stdout.count("clean: ") == 2


def test_trades_and_bars_side_by_side(tmp_path: Path) -> None:
    result = verify(write(tmp_path, minutes(*SOUND)), write(tmp_path, PRINTS, "T.csv"))

    assert result.exit_code == 0
    assert "trades, 1 symbol, 4 rows read, 4 good" in result.stdout


def test_mistakes_have_their_exit_codes(tmp_path: Path) -> None:
    path = write(tmp_path, minutes(*SOUND))

    assert verify(tmp_path / "no.csv").exit_code == 4
    assert verify(write(tmp_path, "a,b\n1,2\n", "x.csv")).exit_code == 65
    assert verify(path, "--from", "yesterday").exit_code == 2
    assert verify(path, path).exit_code == 2


def test_a_tape_is_verified_elsewhere(tmp_path: Path) -> None:
    path, tape = write(tmp_path, minutes(*SOUND)), tmp_path / "T.tape"
    CliRunner().invoke(app, ["replay", str(path), "--tape", str(tape)])

    result = verify(tape)

    assert result.exit_code == 2
    assert "verify-tape" in result.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")
def test_a_day_that_archives_repeat_is_told_with_its_revisions() -> None:
    paths = [SHARED / f"daily-universe/pystock-data/2017/2017011{day}.tar.gz" for day in (2, 3)]

    found = json.loads(verify(*paths, "--json").stdout)

    assert found["repeated"] + found["repeated_otherwise"] > 5_900
    assert 0.001 < found["repeated_otherwise"] / found["repeated"] < 0.1
    assert np.array([feed["rows"] for feed in found["feeds"]]).tolist() == [12_017, 12_020]
