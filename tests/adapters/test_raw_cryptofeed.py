"""Recordings of cryptofeed: connections lie in the file in any order, and are heard as they were."""

import json
from pathlib import Path

import pytest

from adapters.feed_errors import EmptyError, FormatError, LayoutError
from adapters.raw import is_raw, open_raw, open_recordings
from adapters.raw_cryptofeed import MOST_LANES, CryptofeedRecording
from tests.adapters.raw_makers import (
    START_NS,
    connect,
    header,
    print_of,
    recv,
    recv_binary,
    replayed,
    write,
    write_cryptofeed,
)

HTTP = {"t": "http", "conn": "X.http.0", "ts": START_NS / 1e9, "url": "https://example", "data": "{}"}
SEND = {"t": "send", "conn": "a", "ts": START_NS / 1e9 + 1, "addr": "wss://example/stream", "data": "{}"}


@pytest.mark.parametrize("name", ["x.jsonl.zst", "x.jsonl.gz", "x.jsonl"])
def test_payloads_are_frames_and_other_records_are_counted(tmp_path: Path, name: str) -> None:
    records = [HTTP, connect("a", 0), SEND, recv("a", 1.5, print_of(1)), recv("a", 2, print_of(2))]
    path = write_cryptofeed(tmp_path / name, *records)

    found = replayed(open_raw(path))

    assert is_raw(path)
    assert found.trades.trade_id.tolist() == [1, 2]
    assert found.trades.received_ns.tolist() == [START_NS + 1_500_000_000, START_NS + 2_000_000_000]
    assert found.feed.counts == {"rows": 2}
    assert found.feed.messages == {"messages": 2, "connect": 1, "connections": 1, "http": 1, "send": 1}


def test_connections_one_after_the_other_are_merged_by_receipt(tmp_path: Path) -> None:
    frames = {name: [recv(name, second, print_of(second)) for second in seconds]
              for name, seconds in {"a": (1, 4, 7), "b": (2, 5, 8), "c": (3, 6, 9)}.items()}  # fmt: skip
    records = [record for name in frames for record in (connect(name, 0, f"wss://{name}"), *frames[name])]
    path = write_cryptofeed(tmp_path / "x", *records)

    found = replayed(open_raw(path))

    assert found.trades.trade_id.tolist() == list(range(1, 10))
    assert found.feed.messages["connections"] == 3
    assert "reconnections" not in found.feed.messages


def test_frames_of_one_moment_keep_the_order_of_the_file(tmp_path: Path) -> None:
    records = [connect("a", 0), recv("a", 1, print_of(1)), recv("a", 2, print_of(2)),
               connect("b", 0, "wss://b"), recv("b", 1, print_of(3)), recv("b", 2, print_of(4))]  # fmt: skip

    assert replayed(open_raw(write_cryptofeed(tmp_path / "x", *records))).trades.trade_id.tolist() == [1, 3, 2, 4]


def test_a_reconnection_is_counted_and_read_by_a_fresh_codec(tmp_path: Path) -> None:
    aggregate = print_of(5).replace("@trade", "@aggTrade").replace('"trade"', '"aggTrade"').replace('"t":', '"a":')
    records = [
        connect("a", 0), recv("a", 1, print_of(1)), recv("a", 2, aggregate),
        connect("a", 3), recv("a", 4, aggregate),
        connect("b", 5), recv("b", 6, print_of(6)),
    ]  # fmt: skip

    found = replayed(open_raw(write_cryptofeed(tmp_path / "x", *records)))

    # One connection sends a symbol as trades, the next as aggregates: each codec takes its first.
    assert found.trades.trade_id.tolist() == [1, 5, 6]
    assert found.feed.messages["connections"] == 3
    assert found.feed.messages["reconnections"] == 2
    assert found.feed.messages["same_trades_again"] == 1


def test_reconnections_that_follow_each_other_need_one_reader(tmp_path: Path) -> None:
    early = [connect("x", 0, "wss://x"), recv("x", 500, print_of(1))]
    many = [record for at in range(100) for record in (connect(f"a{at}", at), recv(f"a{at}", at, print_of(at)))]
    recording = CryptofeedRecording(write_cryptofeed(tmp_path / "x", *early, *many))

    assert len(recording._lanes) == 2
    assert [number for _, number, _ in recording.frames()] == [*range(1, 101), 0]


def test_a_name_that_connects_again_is_heard_once_whatever_reads_it(tmp_path: Path) -> None:
    records = [
        connect("a", 0), recv("a", 1, print_of(1)), recv("a", 9, print_of(9)),
        connect("a", 4), recv("a", 5, print_of(5)),
        connect("b", 10), recv("b", 11, print_of(11)),
        connect("a", 6), recv("a", 7, print_of(7)),
    ]  # fmt: skip

    found = replayed(open_raw(write_cryptofeed(tmp_path / "x", *records)))

    assert found.trades.trade_id.tolist() == [1, 5, 7, 9, 11]
    assert found.feed.counts == {"rows": 5}


def test_too_many_connections_at_once_are_refused(tmp_path: Path) -> None:
    records = [recv(f"a{at}", second, print_of(at)) for at in range(MOST_LANES + 1) for second in (1, 500)]

    with pytest.raises(FormatError, match=r"x: connections at the same time must be at most 64, was 65"):
        open_raw(write_cryptofeed(tmp_path / "x", *records))


def test_binary_frames_are_decoded(tmp_path: Path) -> None:
    whole = str(recv_binary("a", 2, print_of(2))["b64"])
    broken = recv_binary("a", 2, print_of(2)) | {"b64": f"{whole[:8]}!{whole[8:]}"}
    path = write_cryptofeed(tmp_path / "x", recv_binary("a", 1, print_of(1)), broken, recv("a", 3, print_of(3)))

    found = replayed(open_raw(path))

    assert found.trades.trade_id.tolist() == [1, 3]
    assert found.feed.counts == {"rows": 3, "malformed_frame": 1}


@pytest.mark.parametrize("line", [
    '{"t":"recv","conn":"a","ts":1.0,"data":"{', '{"t":"recv","conn":"a"', "[]", '{"conn":"a"}', '{"t":1}',
    '{"t":"recv","conn":"a","ts":"soon","data":"{}"}', '{"t":"recv","conn":"a","ts":-1,"data":"{}"}',
    "\xff", "[" * 9_999,
])  # fmt: skip
def test_a_damaged_record_is_counted_and_passed_over(tmp_path: Path, line: str) -> None:
    path = write_cryptofeed(tmp_path / "x", recv("a", 1, print_of(1)), line, recv("a", 2, print_of(2)), line)

    found = replayed(open_raw(path))

    assert found.trades.trade_id.tolist() == [1, 2]
    assert found.feed.counts == {"rows": 4, "malformed_record": 2}


def test_a_record_without_payload_is_a_malformed_frame(tmp_path: Path) -> None:
    empty = recv("a", 2, "") | {"data": None}
    found = replayed(open_raw(write_cryptofeed(tmp_path / "x", recv("a", 1, print_of(1)), empty)))

    assert found.feed.counts == {"rows": 2, "malformed_frame": 1}


def test_an_unknown_record_is_counted(tmp_path: Path) -> None:
    found = replayed(open_raw(write_cryptofeed(tmp_path / "x", {"t": "note", "ts": 1.0}, recv("a", 1, print_of(1)))))

    assert found.feed.messages["unknown_record"] == 1


def test_a_clock_that_steps_back_leaves_the_connection_s_order(tmp_path: Path) -> None:
    records = [recv("a", second, print_of(at)) for at, second in enumerate((3, 1, 5))]

    found = replayed(open_raw(write_cryptofeed(tmp_path / "x", *records)))

    assert found.trades.trade_id.tolist() == [0, 1, 2]
    assert found.feed.messages["receipt_stepped_back"] == 1


@pytest.mark.parametrize(("head", "expected"), [
    (header(format=3), "must be a recording of format 2, was header of format 3"),
    (header(t="head"), "must be a recording of format 2, was head of format 2"),
    ({"t": "header", "format": "two"}, "line 1 must be a header record"),
])  # fmt: skip
def test_another_format_is_refused(tmp_path: Path, head: dict[str, object], expected: str) -> None:
    path = write_cryptofeed(tmp_path / "x", recv("a", 1, print_of(1)), head=head)

    with pytest.raises(FormatError, match=expected):
        CryptofeedRecording(path)


def test_an_exchange_nobody_knows_is_refused_with_the_known_protocols(tmp_path: Path) -> None:
    path = write_cryptofeed(tmp_path / "x", recv("a", 1, "{}"), head=header("DERIBIT"))

    with pytest.raises(LayoutError, match=r"x: exchange must speak one of binance, .*, was DERIBIT"):
        open_raw(path)


def test_a_recording_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyError, match="x: must hold received messages, was a header only"):
        open_raw(write_cryptofeed(tmp_path / "x"))
    with pytest.raises(EmptyError, match=r"x: must hold received messages, was .*'http': 1"):
        open_raw(write_cryptofeed(tmp_path / "x", HTTP))


def test_a_cut_recording_is_read_to_its_last_whole_record(tmp_path: Path) -> None:
    whole = write_cryptofeed(tmp_path / "x", recv("a", 1, print_of(1)), recv("a", 2, print_of(2))).read_bytes()

    found = replayed(open_raw(write(tmp_path / "y", whole[:-9])))

    assert found.trades.trade_id.tolist() == [1]
    assert found.feed.counts == {"rows": 2, "malformed_record": 1}


def test_recordings_of_cryptofeed_are_feeds_of_their_own(tmp_path: Path) -> None:
    one = write_cryptofeed(tmp_path / "a", recv("a", 1, print_of(1)))
    two = write_cryptofeed(tmp_path / "b", recv("a", 9, print_of(2)))

    assert [feed.name for feed in open_recordings([two, one])] == ["a", "b"]
    with pytest.raises(FormatError, match="a: a recording of cryptofeed must be one file, was 2"):
        open_raw([one, two])


def test_chunks_do_not_show_in_a_merged_recording(tmp_path: Path) -> None:
    connections = {"a": "AAA", "b": "BBB", "c": "CCC"}
    records = [recv(conn, at, print_of(at, symbol=symbol)) for conn, symbol in connections.items() for at in range(20)]
    feed = open_raw(write_cryptofeed(tmp_path / "x", *records))

    whole = replayed(feed)

    assert [replayed(feed, chunk).rows for chunk in (1, 7)] == [whole.rows, whole.rows]
    assert whole.trades.instrument.tolist() == [0, 1, 2] * 20


def test_the_header_may_be_spaced(tmp_path: Path) -> None:
    text = json.dumps(header()) + "\n" + json.dumps(recv("a", 1, print_of(1))) + "\n"

    assert is_raw(write(tmp_path / "x", text))
    assert len(replayed(open_raw(tmp_path / "x")).trades) == 1
