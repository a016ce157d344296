"""Recordings of raw messages as feeds: order of receipt, every message accounted for."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.feed_errors import EmptyError, FeedError, FileError, FormatError, LayoutError, OrderError
from adapters.raw import RawOptions, is_raw, open_raw, open_recordings
from engine.messages import EndOfFeed
from tests.adapters.raw_makers import (
    MS,
    SECOND_NS,
    START_NS,
    book_of,
    print_of,
    replayed,
    write,
    write_lines,
)

KLINE = (
    '{"e":"kline","s":"BTCUSDT","k":{"t":1723161240000,"T":1723161299999,"s":"BTCUSDT","i":"1m","o":"100","c":"100.5",'
    '"h":"101","l":"99.5","v":"9","n":4,"x":true}}'
)
QUOTE = '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}}'


@pytest.mark.parametrize("name", ["btc.txt", "btc.gz", "btc.zst", "no-suffix"])
def test_frames_come_out_as_rows_at_the_venue_s_time(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / name, print_of(0), book_of(), print_of(1), start_ns=START_NS - 7)

    found = replayed(open_raw(path), symbols=("AAA", "BTCUSDT"))

    assert is_raw(path)
    assert found.trades.time_ns.tolist() == [START_NS, START_NS + SECOND_NS]
    assert found.trades.received_ns.tolist() == [START_NS - 7, START_NS - 7 + 2 * SECOND_NS]
    assert found.trades.instrument.tolist() == [1, 1]
    assert found.trades.feed.tolist() == [3, 3]
    assert found.facts[-1] == EndOfFeed(time_ns=START_NS + SECOND_NS, feed=3)
    assert (found.feed.symbols, found.feed.kind, found.feed.timeframe) == (("BTCUSDT",), "trades", "")
    assert (found.feed.rows_estimate, found.feed.lateness_ns) == (2, 250_000_000)
    assert found.feed.counts == {"rows": 2}
    assert found.feed.messages == {"messages": 3, "book": 1, "connections": 1}


def test_order_is_that_of_receipt_not_of_time(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", *(print_of(number) for number in (2, 1, 3)))

    found = replayed(open_raw(path))

    assert found.trades.trade_id.tolist() == [2, 1, 3]
    assert found.facts[-1] == EndOfFeed(time_ns=START_NS + 3 * SECOND_NS, feed=3)


def test_a_feed_closes_at_its_latest_row(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", print_of(5), print_of(1))

    assert replayed(open_raw(path)).facts[-1] == EndOfFeed(time_ns=START_NS + 5 * SECOND_NS, feed=3)


def test_kinds_follow_each_other_as_received(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", print_of(1), KLINE, QUOTE, print_of(2))
    every = frozenset(("trades", "quotes", "bars"))

    found = replayed(open_raw(path, RawOptions(kinds=every)))
    usual = replayed(open_raw(path))

    assert [row[0] for row in found.rows] == ["Trades", "Bars", "Quotes", "Trades"]
    assert [row[0] for row in usual.rows] == ["Trades", "Bars", "Trades"]
    assert usual.feed.counts == {"rows": 4, "unwanted_kind": 1}
    assert usual.bars.close_ns.tolist() == [1_723_161_300_000 * MS]


def test_bars_alone_are_matched_on_bars(tmp_path: Path) -> None:
    feed = open_raw(write_lines(tmp_path / "a", KLINE, QUOTE))

    assert (feed.kind, feed.timeframe) == ("bars", "1m")
    assert open_raw(write_lines(tmp_path / "b", QUOTE), RawOptions(kinds=frozenset(("quotes",)))).kind == "quotes"


def test_only_the_symbols_asked_for_come_out(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", print_of(1), print_of(1, symbol="ETHUSDT"), print_of(2, symbol="ETHUSDT"))

    found = replayed(open_raw(path, RawOptions(symbols=("ETHUSDT",))))

    assert found.feed.symbols == ("ETHUSDT",)
    assert found.feed.rows_estimate == 2
    assert found.trades.trade_id.tolist() == [1, 2]
    assert found.feed.counts == {"rows": 3, "unwanted_symbol": 1}
    with pytest.raises(LayoutError, match=r"a: symbol must be one of BTCUSDT, ETHUSDT, was BTC-USD"):
        open_raw(path, RawOptions(symbols=("BTC-USD",)))


def test_a_range_is_of_the_venue_s_times(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", *(print_of(number) for number in range(5)))
    options = RawOptions(start_ns=START_NS + SECOND_NS, end_ns=START_NS + 3 * SECOND_NS)

    found = replayed(open_raw(path, options))

    assert found.trades.trade_id.tolist() == [1, 2]
    assert found.feed.counts == {"rows": 5, "outside_range": 3}


def test_what_is_wrong_is_counted_and_named(tmp_path: Path) -> None:
    frames = [print_of(1), '{"e":"listenKeyExpired"}', '{"e":"listenKeyExpired"}', print_of(2)[:-9], print_of(3)]
    path = write_lines(tmp_path / "a", *frames, print_of(4, price="NaN"))

    found = replayed(open_raw(path))

    assert found.trades.trade_id.tolist() == [1, 3]
    assert found.feed.counts == {"rows": 6, "unknown_message": 2, "malformed_frame": 2}
    assert found.feed.unknown_kinds == {"listenKeyExpired": 2}
    assert found.feed.messages["messages"] == 6


@pytest.mark.parametrize(
    "line", ["nonsense", "12 {}", "99999999999999999999 {}", f"{2**63} {{}}", "-723161255000000000 {}"]
)
def test_a_line_without_a_stamp_is_malformed(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a", f"{START_NS} {print_of(1)}\n{line}\n\n{START_NS} {print_of(2)}\n")

    found = replayed(open_raw(path))

    assert found.trades.trade_id.tolist() == [1, 2]
    assert found.feed.counts == {"rows": 3, "malformed_frame": 1}


def test_a_last_line_cut_off_is_malformed(tmp_path: Path) -> None:
    whole = write_lines(tmp_path / "a", print_of(1), print_of(2)).read_bytes()

    found = replayed(open_raw(write(tmp_path / "b", whole[:-20])))

    assert found.trades.trade_id.tolist() == [1]
    assert found.feed.counts == {"rows": 2, "malformed_frame": 1}


def test_bad_rows_are_cleaned_like_any_feed_s(tmp_path: Path) -> None:
    frames = [print_of(1), print_of(1), print_of(2, price="-5"), print_of(6)]
    found = replayed(open_raw(write_lines(tmp_path / "a", *frames)))

    assert found.trades.trade_id.tolist() == [1, 6]
    assert found.feed.counts == {"rows": 4, "duplicate": 1, "bad_price": 1}
    assert found.feed.findings is not None
    assert found.feed.findings.all["id_gap"] == 1


def test_a_feed_gives_the_same_again(tmp_path: Path) -> None:
    feed = open_raw(write_lines(tmp_path / "a", print_of(1), KLINE, "{", print_of(2)))

    first, counts = replayed(feed), feed.counts
    again = replayed(feed)

    assert again.rows == first.rows
    assert feed.counts == counts


def test_days_of_one_recording_are_one_feed(tmp_path: Path) -> None:
    monday = write_lines(tmp_path / "mon.gz", print_of(1), print_of(2))
    tuesday = write_lines(tmp_path / "tue.gz", print_of(3), print_of(4), start_ns=START_NS + 10 * SECOND_NS)

    (feed,) = open_recordings([tuesday, monday])
    found = replayed(feed)

    assert feed.name == "mon.gz+tue.gz"
    assert found.trades.trade_id.tolist() == [1, 2, 3, 4]
    assert found.feed.rows_estimate == 4
    assert found.feed.findings is not None
    assert "id_gap" not in found.feed.findings.all
    assert [fact for fact in found.facts if isinstance(fact, EndOfFeed)] == found.facts[-1:]
    assert found.rows == replayed(open_raw([monday, tuesday])).rows


def test_recordings_that_overlap_or_share_nothing_stay_apart(tmp_path: Path) -> None:
    one = write_lines(tmp_path / "a", print_of(1), print_of(2))
    overlapping = write_lines(tmp_path / "b", print_of(1), print_of(2))
    other = write_lines(tmp_path / "c", print_of(3, symbol="ETHUSDT"), start_ns=START_NS + 9 * SECOND_NS)

    assert [feed.name for feed in open_recordings([one, overlapping, other])] == ["a", "b", "c"]
    with pytest.raises(OrderError, match=r"b: must begin after 2024-08-08T23:54:16Z, .* was 2024-08-08T23:54:15Z"):
        open_raw([one, overlapping])


def test_a_receipt_that_steps_back_within_a_file_is_counted(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", print_of(1), print_of(2), print_of(3), step_ns=-5)

    found = replayed(open_raw(path))

    assert found.trades.trade_id.tolist() == [1, 2, 3]
    assert found.feed.messages["receipt_stepped_back"] == 2


def test_content_hash_is_of_the_bytes(tmp_path: Path) -> None:
    one, same = (write_lines(tmp_path / name, print_of(1)) for name in "ab")
    other = write_lines(tmp_path / "c", print_of(2), start_ns=START_NS + SECOND_NS)

    assert open_raw(one).content_hash == open_raw(same).content_hash
    assert open_raw(one).content_hash != open_raw(other).content_hash
    assert open_raw([one, other]).content_hash not in (open_raw(one).content_hash, open_raw(other).content_hash)


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("text", ["", "date,open\n1,2\n", "{}\n", '{"a":1}\n', "1723161255 {}\n", "<html>", "[1,2]"])
def test_other_files_are_no_recordings(tmp_path: Path, text: str) -> None:
    assert not is_raw(write(tmp_path / "a", text))


def test_a_missing_file_is_no_recording(tmp_path: Path) -> None:
    assert not is_raw(tmp_path / "missing")
    assert not is_raw(tmp_path)
    with pytest.raises(FileError):
        open_raw(tmp_path / "missing")


def test_an_unknown_protocol_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", '{"channel":"l2Book","data":{"coin":"BTC"}}')

    with pytest.raises(LayoutError, match=r"a: messages must be of one of binance, .*coinbase.*, was .*l2Book"):
        open_raw(path)
    with pytest.raises(ValidationError, match=r"protocol must be one of .*binance.*, was 'mtgox'"):
        RawOptions(protocol="mtgox")


def test_a_protocol_may_be_named(tmp_path: Path) -> None:
    unclear = ['{"e":"oddity"}'] * 300
    path = write_lines(tmp_path / "a", *unclear, print_of(1))

    with pytest.raises(LayoutError, match="messages must be of one of"):
        open_raw(path)
    assert replayed(open_raw(path, RawOptions(protocol="binance"))).trades.trade_id.tolist() == [1]


def test_a_recording_without_rows_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(EmptyError, match=r"a: must hold rows of the kinds asked for, was .*'book': 2"):
        open_raw(write_lines(tmp_path / "a", book_of(), book_of()))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_truncated_container_stops_at_opening(tmp_path: Path, suffix: str) -> None:
    whole = write_lines(tmp_path / f"a{suffix}", *(print_of(number) for number in range(2_000))).read_bytes()
    path = tmp_path / f"b{suffix}"
    path.write_bytes(whole[:-100])

    with pytest.raises(FormatError, match=r"b\S+: (gzip|zstd) data must be complete, was truncated"):
        open_raw(path)


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a", print_of(1), print_of(2))
    feed = open_raw(path)
    write_lines(path, print_of(1), print_of(2), print_of(3))

    with pytest.raises(FormatError, match="a: must not change while it is read, was 3 messages instead of 2"):
        replayed(feed)


@pytest.mark.parametrize(
    "changes", [{"kinds": ()}, {"kinds": ("books",)}, {"start_ns": 5, "end_ns": 5}, {"zone": "UTC"}]
)
def test_options_that_mean_nothing_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RawOptions(**changes)


# ------------------------------------------------------------------------------ laws

FRAMES = (print_of(1), print_of(2, symbol="ETHUSDT"), print_of(3), KLINE, QUOTE, book_of(), "{", '{"e":"new"}', "")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(FRAMES), max_size=30), st.integers(1, 40))
def test_rows_do_not_depend_on_the_chunk_and_all_are_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, frames: list[str], chunk: int
) -> None:
    path = write_lines(tmp_path_factory.mktemp("raw") / "a", print_of(7), *frames)
    feed = open_raw(path, RawOptions(kinds=frozenset(("trades", "quotes", "bars")), protocol="binance"))

    whole, cut = replayed(feed), replayed(feed, chunk)

    assert cut.rows == whole.rows
    assert all(len(block) <= chunk for block in cut.blocks)
    counts = dict(feed.counts)
    assert counts.pop("rows") == len(cut.rows) + sum(counts.values())
    assert feed.messages["messages"] == 1 + len(frames)
    assert sum(feed.messages.values()) - feed.messages["messages"] + feed.counts["rows"] - 1 == 1 + len(frames)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("raw") / "a"
    path.write_bytes(f"{START_NS} {print_of(1)}\n".encode() + data)

    try:
        found = replayed(open_raw(path, RawOptions(protocol="binance")))
    except FeedError:
        return

    assert len(found.trades) == 1
    assert np.isfinite(found.trades.price).all()


def test_gzip_is_told_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress(f"{START_NS} {print_of(1)}\n".encode()))

    assert is_raw(path)
    assert len(replayed(open_raw(path)).trades) == 1
