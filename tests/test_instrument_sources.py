"""Instruments and sessions as a user gives them: files, recordings, tapes, and what is shown of them."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from engine import replay
from engine.blocks import Bars
from engine.calendars import Calendar, sessions_of, span_ns
from engine.cli import app
from engine.opening import configured, opened
from engine.replay_command import ReplayCommand
from engine.tape import TapeMismatch, TapeReader
from engine.tape_file import TapeFile
from tests.adapters.file_makers import SHARED
from tests.makers import START_NS
from tests.markets import trade_market

PRINTS = trade_market(1, 40, 5, 3)


def wyckoff(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def told(result: Result, code: int, *parts: str) -> None:
    assert result.exit_code == code, result.output
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.output


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """Forty minutes of prints of BTC_USDT from 2020-01-01, a Wednesday, 00:00 UTC."""
    path = tmp_path / "BTC_USDT.csv"
    rows = zip(PRINTS.time_ns.tolist(), PRINTS.price.tolist(), PRINTS.size.tolist(), strict=True)
    path.write_text("time,price,size\n" + "".join(f"{time_ns},{price},{size}\n" for time_ns, price, size in rows))
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.json"
    entry = {"id": "BTC_USDT", "quote": "USDT", "precision": 1, "amount_precision": 3, "min_quote_amount": "1"}
    path.write_text(json.dumps([entry, entry | {"id": "ODD_USDT", "precision": 99}]))
    return path


# ------------------------------------------------------------------------------- instruments


def test_a_venues_metadata_defines_what_is_replayed(feed: Path, pairs: Path) -> None:
    found = json.loads(wyckoff("replay", feed, "--instruments", pairs, "--json").stdout)

    assert found["instruments"] == {"pairs.json (Gate)": 1}
    assert "defined by" in wyckoff("replay", feed, "--instruments", pairs).stdout


def test_metadata_is_part_of_what_a_tape_remembers(feed: Path, pairs: Path, tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    told(wyckoff("replay", feed, "--instruments", pairs, "--tape", tape), 0)

    with TapeReader(tape) as reader:
        assert str(reader.header.instruments[0].tick) == "0.1"
    told(
        wyckoff("replay", feed, "--tape", tape, "--resume"),
        6,
        "instrument BTC_USDT: asset_class must be crypto, was stock",
    )
    told(wyckoff("replay", feed, "--instruments", pairs, "--tape", tape, "--resume"), 0)


def test_a_symbol_that_no_file_lists_is_refused(feed: Path, pairs: Path) -> None:
    pairs.write_text(pairs.read_text().replace("BTC_USDT", "ETH_USDT"))

    told(wyckoff("replay", feed, "--instruments", pairs), 78, "BTC_USDT: must be in pairs.json (Gate) or have tick")


def test_a_damaged_entry_of_the_replayed_symbol_is_refused(feed: Path, pairs: Path) -> None:
    pairs.write_text(pairs.read_text().replace('"precision": 1', '"precision": 99'))

    told(wyckoff("replay", feed, "--instruments", pairs), 78, "pairs.json (Gate): BTC_USDT: precision: must be")


def test_mistakes_with_files_of_instruments_have_their_codes(feed: Path, tmp_path: Path) -> None:
    told(wyckoff("replay", feed, "--instruments", tmp_path / "nowhere.json"), 4, "nowhere.json")
    told(wyckoff("replay", feed, "--instruments", feed), 78, "must be Binance exchangeInfo")
    told(wyckoff("replay", feed, "--recorded-instruments"), 2, "needs a recording")
    told(wyckoff("replay", feed, "--hours", "nights"), 2, "--hours must be regular or extended, was nights")
    told(wyckoff("replay", feed, "--protocol", "binance"), 2, "--protocol is for recordings")
    told(wyckoff("replay", feed, "--dates", "odd"), 2, "--dates: ")


@pytest.mark.parametrize("option", [["--calendar", "FX"], ["--hours", "regular"], ["--recorded-instruments"]])
def test_a_tape_has_its_own_instruments_and_sessions(option: list[str], feed: Path, tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    wyckoff("replay", feed, "--tape", tape)

    told(wyckoff("replay", tape, *option), 2, option[0])


def test_the_list_of_a_feed_says_who_said_what(feed: Path, pairs: Path) -> None:
    shown = wyckoff("list-instruments", feed, "--instruments", pairs).stdout.splitlines()
    fields = json.loads(wyckoff("list-instruments", feed, "--instruments", pairs, "--json").stdout)[0]["fields"]

    assert shown[0].split()[:3] == ["symbol", "class", "tick"]
    assert shown[1].split()[:7] == ["BTC_USDT", "crypto", "a", "0.1", "a", "0.001", "a"]
    assert "a  pairs.json (Gate)" in shown
    assert fields["tick"] == ["0.1", "pairs.json (Gate)"]
    assert fields["hours"] == ["regular", "instruments.default"]
    assert fields["match_on"] == ["trades", "the feed"]


def test_the_list_of_an_answer_shows_what_can_be_used_and_tells_the_rest(pairs: Path) -> None:
    result = wyckoff("list-instruments", pairs)

    told(result, 10, "ODD_USDT: precision: must be between -18 and 18, was 99")
    assert result.stdout.splitlines()[1].startswith("BTC_USDT")
    told(wyckoff("list-instruments", pairs, "--symbol", "BTC_USDT"), 0)
    told(wyckoff("list-instruments", pairs, "--symbol", "NOPE"), 10, "NOPE: must be in pairs.json (Gate)")


def test_the_list_of_a_tape_is_what_it_was_begun_with(feed: Path, pairs: Path, tmp_path: Path) -> None:
    tape = tmp_path / "day.tape"
    wyckoff("replay", feed, "--instruments", pairs, "--tape", tape)

    assert "a  the tape" in wyckoff("list-instruments", tape).stdout


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")
def test_a_recording_may_bring_its_own_instruments() -> None:
    path = SHARED / "feeds/cryptofeed/KRAKEN.jsonl.zst"

    found = json.loads(wyckoff("replay", path, "--recorded-instruments", "--json").stdout)

    assert found["instruments"] == {"KRAKEN.jsonl.zst, api.kraken.com/0/public/AssetPairs (Kraken)": 2}
    assert found["lateness_ms"] == 250


# ---------------------------------------------------------------------------------- sessions


def test_a_tape_holds_its_sessions_and_replays_without_the_package(
    feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("exchange_calendars")
    tape = tmp_path / "day.tape"
    first = json.loads(wyckoff("replay", feed, "--calendar", "CMES", "--tape", tape, "--json").stdout)
    monkeypatch.setitem(__import__("sys").modules, "exchange_calendars", None)

    again = json.loads(wyckoff("replay", tape, "--json").stdout)

    assert first["sessions"] == again["sessions"] == ["CMES regular"]
    assert (first["digest"], first["bars"]) == (again["digest"], again["bars"])
    with TapeReader(tape) as reader:
        assert reader.header.calendar_version.startswith("exchange_calendars 4.")


def test_trades_outside_of_every_session_are_counted(feed: Path) -> None:
    """Midnight UTC is after the close of New York and before its first extended hour."""
    pytest.importorskip("exchange_calendars")

    found = json.loads(wyckoff("replay", feed, "--calendar", "XNYS", "--json").stdout)

    assert found["rows_unbarred"] == {"outside_session": len(PRINTS)}
    assert found["bars"] == {}


def test_calendar_mistakes_are_one_message(feed: Path) -> None:
    pytest.importorskip("exchange_calendars")

    told(wyckoff("replay", feed, "--calendar", "NOPE"), 78, "calendar must be", "'NOPE'")
    told(wyckoff("replay", feed, "--calendar", "XLON", "--hours", "extended"), 78, "hours of calendar XLON")
    told(wyckoff("replay", feed, "--hours", "extended"), 78, "without a calendar must be regular")


def test_a_run_is_not_resumed_under_other_sessions(feed: Path, tmp_path: Path) -> None:
    tape, other = tmp_path / "day.tape", tmp_path / "other.toml"
    other.write_text("[instruments.default]\ncalendar = 'FX'\n")
    wyckoff("replay", feed, "--tape", tape)

    told(
        wyckoff("replay", feed, "-c", other, "--tape", tape, "--resume"), 6, "sessions must be around the clock, was FX"
    )


def test_a_tape_whose_sessions_were_changed_is_refused(feed: Path, tmp_path: Path) -> None:
    tape, forged = tmp_path / "day.tape", tmp_path / "forged.tape"
    wyckoff("replay", feed, "--calendar", "FX", "--tape", tape)
    with TapeReader(tape) as reader:
        header = reader.header
    opens_ns, closes_ns = sessions_of("FX", "regular", *span_ns(START_NS)) or (np.zeros(1), np.zeros(1))
    other = Calendar.of("FX", "regular", opens_ns, closes_ns - 1)
    TapeFile.create(forged, msgspec.structs.replace(header, calendars=(other,))).close()

    with pytest.raises(TapeMismatch, match=r"forged\.tape: sessions must be FX regular \w+, was FX regular"):
        replay.from_tape(forged, 4_096)
    told(wyckoff("replay", forged), 6, "sessions must be")


def test_a_daily_file_closes_with_the_calendar_of_its_symbol(tmp_path: Path) -> None:
    """Else the week would close before its Friday, whose bar would come late."""
    pytest.importorskip("exchange_calendars")
    path, mine = tmp_path / "AAA.csv", tmp_path / "mine.toml"
    days = [day for day in range(2, 32) if np.is_busday(f"2020-01-{day:02d}") and day != 20]
    rows = "".join(f"2020-01-{day:02d},10,11,9,10,100\n" for day in days)
    path.write_text("date,open,high,low,close,volume\n" + rows)
    mine.write_text("[instruments.symbols.AAA]\ncalendar = 'XNYS'\n")

    found = json.loads(wyckoff("replay", path, "-c", mine, "--json").stdout)

    assert (found["sessions"], found["rows_unbarred"]) == (["XNYS regular"], {})
    assert found["bars"] == {"1d": len(days), "1w": 5}


HOURS = "time,open,high,low,close,volume\n" + "".join(
    f"2024-07-0{day}T{hour}:30:00-04:00,10,11,9,10,100\n" for day in (1, 2) for hour in (14, 15)
)


@pytest.mark.parametrize(
    ("table", "ends"),
    [
        ("calendar = 'XNYS'", ["15:30", "16:00"]),
        ("calendar = 'XNYS'\nhours = 'extended'", ["15:30", "16:30"]),
        ("calendar = ''", ["15:30", "16:30"]),
    ],
)
def test_an_hour_ends_with_the_session_of_its_symbol_and_never_earlier(
    table: str, ends: list[str], tmp_path: Path
) -> None:
    """Whatever the calendar of the others: a bar that is known before it is over looks ahead."""
    pytest.importorskip("exchange_calendars")
    path, mine = tmp_path / "AAA.csv", tmp_path / "mine.toml"
    path.write_text(HOURS)
    mine.write_text(f"[instruments.default]\ncalendar = 'XNYS'\n[instruments.symbols.AAA]\n{table}\n")
    command = ReplayCommand(feeds=(path,), config=(mine,))

    (feed,) = opened(command, configured(command)).feeds
    blocks = [fact for fact in feed.facts({"AAA": 0}, 0, 4_096) if isinstance(fact, Bars)]

    closes = np.concatenate([block.close_ns for block in blocks]) - 4 * 3_600 * 10**9
    assert [str(one)[11:16] for one in closes.astype("datetime64[ns]")] == ends * 2


def test_one_file_of_days_has_one_calendar(tmp_path: Path) -> None:
    path, mine = tmp_path / "two.csv", tmp_path / "mine.toml"
    path.write_text("symbol,date,open,high,low,close,volume\nA,2020-01-02,1,1,1,1,1\nB,2020-01-02,1,1,1,1,1\n"
                    "A,2020-01-03,1,1,1,1,1\nB,2020-01-03,1,1,1,1,1\n")  # fmt: skip
    mine.write_text("[instruments.symbols.A]\ncalendar = 'FX'\n")

    told(
        wyckoff("replay", path, "-c", mine),
        78,
        "two.csv: bars must be of one calendar a file, was none regular, FX regular",
    )


def test_lateness_on_a_tape_is_the_tapes(feed: Path, tmp_path: Path) -> None:
    tape, late = tmp_path / "day.tape", tmp_path / "late.toml"
    late.write_text("[run]\nlateness_ms = 250\n")
    first = json.loads(wyckoff("replay", feed, "-c", late, "--tape", tape, "--json").stdout)

    again = json.loads(wyckoff("replay", tape, "--json").stdout)

    assert first["lateness_ms"] == again["lateness_ms"] == 250
    assert first["bars"] == again["bars"]
