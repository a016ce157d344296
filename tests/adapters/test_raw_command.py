"""`wyckoff replay` takes recordings of raw messages as it takes files."""

from pathlib import Path
from typing import Any

import pytest

from adapters.feed_errors import FeedError
from engine.blocks import BlockError
from engine.exits import ExitError
from engine.opening import configured
from engine.opening import opened as open_all
from engine.replay_command import ReplayCommand
from tests.adapters.file_makers import DAILY
from tests.adapters.raw_makers import START_NS, print_of, recv, replayed, write, write_cryptofeed, write_lines

DAY_NS = 86_400_000_000_000


def opened(*feeds: Path, **options: Any) -> list[Any]:
    command = ReplayCommand(feeds=feeds, **options)
    return list(open_all(command, configured(command)).feeds)


def test_recordings_are_told_from_tables_by_what_is_in_them(tmp_path: Path) -> None:
    table = write(tmp_path / "AAA.csv", DAILY)
    recording = write_cryptofeed(tmp_path / "session", recv("a", 1, print_of(1)))

    feeds = opened(recording, table)

    assert [(feed.name, feed.kind, feed.symbols) for feed in feeds] == [
        ("AAA.csv", "bars", ("AAA",)),
        ("session", "trades", ("BTCUSDT",)),
    ]
    assert [feed.lateness_ns for feed in feeds] == [0, 250_000_000]


def test_days_of_one_recording_are_one_feed(tmp_path: Path) -> None:
    monday = write_lines(tmp_path / "mon", print_of(1))
    tuesday = write_lines(tmp_path / "tue", print_of(2), start_ns=START_NS + DAY_NS)

    (feed,) = opened(tuesday, monday)

    assert replayed(feed).trades.trade_id.tolist() == [1, 2]


def test_range_and_symbol_reach_the_recording(tmp_path: Path) -> None:
    frames = [print_of(number, symbol=symbol) for number in range(3) for symbol in ("BTCUSDT", "ETHUSDT")]
    path = write_lines(tmp_path / "a", *frames)

    (feed,) = opened(path, symbol="ETHUSDT", start="2024-08-08T23:54:16Z", until="2024-08-08T23:54:17Z")

    assert feed.symbols == ("ETHUSDT",)
    assert replayed(feed).trades.trade_id.tolist() == [1]


@pytest.mark.parametrize(("options", "named"), [
    ({"mapping": ("volume=Qty",)}, "--map"), ({"timeframe": "1m"}, "--timeframe"), ({"zone": "Asia/Tokyo"}, "--zone"),
    ({"columns": "a,b"}, "--columns"), ({"adjust": "none"}, "--adjust"), ({"is_sorted": True}, "--sorted"),
])  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    path = write_lines(tmp_path / "a", print_of(1))

    with pytest.raises(ExitError, match=f"{named} is for tables: .* is a recording of a venue's messages"):
        opened(path, **options)


def test_options_of_tables_may_stand_beside_a_recording(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", DAILY)
    recording = write_lines(tmp_path / "b", print_of(1))

    feeds = opened(table, recording, symbol="GLD", zone="Asia/Tokyo")

    assert [feed.symbols for feed in feeds] == [("GLD",), ("BTCUSDT",)]


def test_a_protocol_may_be_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", *["{}"] * 300, print_of(1))

    with pytest.raises(FeedError, match="messages must be of one of"):
        opened(path)
    assert opened(path, protocol="binance")[0].symbols == ("BTCUSDT",)
    with pytest.raises(ExitError, match=r"protocol must be one of .*binance.*, was 'mtgox'"):
        opened(path, protocol="mtgox")


def test_a_strict_run_stops_at_a_bad_row(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", print_of(1), print_of(2, price="-1"))

    assert len(replayed(opened(path)[0]).trades) == 1
    with pytest.raises(BlockError, match=r"a: row 2: price must be .* was -1"):
        replayed(opened(path, strict=True)[0])
