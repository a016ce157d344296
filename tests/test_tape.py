"""The tape keeps what it was given, in order, and never passes damage off as content."""

import random
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import tape, tape_file
from engine.blocks import Bars, MarketBlock, Quotes, Trades, equal
from engine.messages import Command, Message, Sent
from engine.ports import Item
from engine.tape import (
    MemoryTape,
    TapeError,
    TapeHeader,
    TapeMismatch,
    TapeReader,
    TapeWriter,
    continue_tape,
    create_tape,
)
from engine.tape_codec import decode_fact, encode_fact
from tests.makers import bars, heartbeat, instrument, session, trades
from tests.test_chunks import mixed, numbered, rows

ROOT = Path(__file__).parent.parent


def header(**changes: object) -> TapeHeader:
    fields: dict[str, object] = {
        "build_hash": "b1",
        "lock_hash": "l1",
        "config_hash": "c1",
        "session": session("AAA", "BBB"),
        "instruments": (instrument("AAA"), instrument("BBB", asset_class="crypto")),
        "calendar_version": "4.5",
        "epoch": "s0m3",
        "opening_snapshot": b"state",
    }
    return TapeHeader(**(fields | changes))  # type: ignore[arg-type]


def written(path: Path, facts: list[Item], *, clean: bool = True, snapshot_at: int | None = None) -> Path:
    writer = create_tape(path, header())
    for fact in facts:
        writer.append(fact)
        if writer.last_sequence == snapshot_at:
            writer.snapshot(writer.last_sequence, b"line at %d" % writer.last_sequence)
    writer.close(clean=clean)
    return path


def read(path: Path, chunk: int | None = None, after_sequence: int = 0) -> list[Item]:
    with TapeReader(path) as reader:
        return list(reader.facts(chunk, after_sequence))


def ramp(size: int, sequence: int = 1) -> Trades:
    block = trades(*np.linspace(100.0, 101.0, size))
    block.sequence = sequence
    return block


# ------------------------------------------------------------------------ content


def test_a_tape_gives_back_header_and_facts(tmp_path: Path) -> None:
    facts = numbered(session("AAA", "BBB"), *mixed(), Sent(time_ns=5, order_id="a", venue_order_id="b"), heartbeat(9))

    path = written(tmp_path / "s.tape", facts)

    with TapeReader(path) as reader:
        assert reader.header == header()
        found = list(reader.facts())
    assert rows(found) == rows(facts)
    assert [type(fact) for fact in found] == [type(fact) for fact in facts]


@pytest.mark.parametrize("chunk", [None, 0, 1, 2, 3, 100])
@pytest.mark.parametrize("after_sequence", [0, 1, 2, 3, 4, 6, 7, 8, 14, 15, 99])
def test_any_chunking_from_any_number_gives_the_same_rows(
    tmp_path: Path, chunk: int | None, after_sequence: int
) -> None:
    facts = mixed()
    path = written(tmp_path / "s.tape", facts)

    found = read(path, chunk, after_sequence)

    assert rows(found) == [row for row in rows(facts) if row[0] > after_sequence]


def test_reading_goes_over_many_pages(tmp_path: Path) -> None:
    facts = numbered(*[heartbeat(time_ns) for time_ns in range(1, 1_001)])
    path = written(tmp_path / "s.tape", facts)

    assert read(path) == facts
    assert read(path, after_sequence=777) == facts[777:]


def test_columns_read_back_are_contiguous_and_of_their_type(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(5)])

    (block,) = read(path)

    assert isinstance(block, MarketBlock)
    for name, dtype in block.COLUMNS.items():
        column = getattr(block, name)
        assert column.flags.c_contiguous
        assert column.dtype == dtype


def column_values(dtype: np.dtype[np.generic], size: int) -> st.SearchStrategy[np.ndarray]:  # type: ignore[type-arg]
    if dtype.kind == "f":
        element: st.SearchStrategy[object] = st.floats(allow_nan=True, allow_infinity=True)
    else:
        info = np.iinfo(dtype)  # type: ignore[type-var]
        element = st.integers(int(info.min), int(info.max))
    constant = st.one_of(st.sampled_from([0, -0.0 if dtype.kind == "f" else 0]), element).map(lambda one: [one] * size)
    return st.one_of(constant, st.lists(element, min_size=size, max_size=size)).map(lambda one: np.array(one, dtype))


@st.composite
def blocks(draw: st.DrawFn) -> MarketBlock:
    kind = draw(st.sampled_from([Trades, Quotes, Bars]))
    size = draw(st.sampled_from([0, 1, 2, 5]))
    columns = {name: draw(column_values(np.dtype(dtype), size)) for name, dtype in kind.COLUMNS.items()}
    return kind(sequence=draw(st.integers(0, 2**62)), **columns)


@given(block=blocks())
@settings(max_examples=150, deadline=None)
def test_every_column_survives_the_tape_bit_for_bit(block: MarketBlock) -> None:
    kind, size, payload = encode_fact(block)

    found = decode_fact(kind, block.sequence, size, payload)

    assert type(found) is type(block)
    assert isinstance(found, MarketBlock)
    assert found.sequence == block.sequence
    for name in block.COLUMNS:
        assert getattr(found, name).tobytes() == getattr(block, name).tobytes(), name


def test_columns_at_their_default_take_no_room() -> None:
    block = bars((1.0, 2.0, 0.5, 1.5), (1.0, 2.0, 0.5, 1.5))

    _, _, payload = encode_fact(block)

    assert b"swing_low" not in payload
    assert b"late" not in payload
    assert b"trades" in payload


def test_a_block_without_rows_is_no_fact(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [Trades.empty(), ramp(2), Bars.empty()])

    with TapeReader(path) as reader:
        assert reader.verify().facts == 1


def test_facts_must_follow_each_other(tmp_path: Path) -> None:
    with create_tape(tmp_path / "s.tape", header()) as writer:
        writer.append(ramp(3))

        with pytest.raises(AssertionError):
            writer.append(ramp(1, sequence=5))


def test_more_rows_than_the_queue_holds_only_make_the_line_wait(tmp_path: Path) -> None:
    path = tmp_path / "s.tape"
    facts: list[Item] = [ramp(10, sequence=1 + 10 * number) for number in range(50)]

    with create_tape(path, header(), queue_rows=7) as writer:
        for fact in facts:
            writer.append(fact)

    assert rows(read(path)) == rows(facts)


def test_a_full_queue_blocks_until_the_disk_has_caught_up(tmp_path: Path) -> None:
    writer = create_tape(tmp_path / "s.tape", header(), queue_rows=4)
    held = threading.Event()
    entered = threading.Event()
    write = writer._file.write

    def slow(entries: list[Item], *, durable: bool) -> None:
        entered.set()
        assert held.wait(10)
        write(entries, durable=durable)

    writer._file.write = slow  # type: ignore[method-assign, assignment]
    writer.append(ramp(4))
    assert entered.wait(10)
    writer.append(ramp(4, sequence=5))
    third = threading.Thread(target=writer.append, args=(ramp(4, sequence=9),))
    third.start()
    third.join(0.05)

    assert third.is_alive()

    held.set()
    third.join(10)
    writer.close()
    assert [fact.sequence for fact in read(tmp_path / "s.tape")] == [1, 5, 9]  # type: ignore[union-attr]


# ----------------------------------------------------------------- sync, end, modes


def test_what_was_synced_is_on_the_tape_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "s.tape"
    with create_tape(path, header()) as writer:
        writer.append(ramp(3))
        writer.sync()

        with TapeReader(path) as reader:
            found = reader.verify()
        assert (found.ok, found.clean, found.last_sequence, found.durable) == (True, False, 3, 3)

        writer.append(ramp(2, sequence=4))

    with TapeReader(path) as reader:
        found = reader.verify()
    assert (found.ok, found.clean, found.facts, found.rows, found.last_sequence) == (True, True, 2, 5, 5)


def test_a_commit_that_was_asked_to_last_is_made_with_full_synchronisation(tmp_path: Path) -> None:
    statements: list[str] = []
    with create_tape(tmp_path / "s.tape", header()) as writer:
        writer._file._connection.set_trace_callback(statements.append)
        writer.append(heartbeat_numbered(1))
        writer.sync()
        writer._file._connection.set_trace_callback(None)

    at = statements.index("PRAGMA synchronous = FULL")
    assert "COMMIT" in statements[at:]


def heartbeat_numbered(sequence: int) -> Item:
    return numbered(*[heartbeat(7)] * sequence)[-1]


def test_a_clean_tape_is_one_plain_file_of_its_owner(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", mixed())

    assert [file.name for file in tmp_path.iterdir()] == ["s.tape"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes()[18:20] == b"\x01\x01"  # rollback journal: needs no second file to be read
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert len(read(path)) == len(mixed())
    finally:
        tmp_path.chmod(0o700)


def test_a_tape_ends_unclean_when_its_session_raised(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), create_tape(tmp_path / "s.tape", header()) as writer:  # noqa: PT012
        writer.append(ramp(2))
        raise ZeroDivisionError

    with TapeReader(tmp_path / "s.tape") as reader:
        found = reader.verify()
    assert (found.ok, found.clean, found.rows) == (True, False, 2)


def test_a_reader_at_work_does_not_disturb_the_end(tmp_path: Path) -> None:
    writer = create_tape(tmp_path / "s.tape", header())
    writer.append(ramp(2))
    writer.sync()
    with TapeReader(tmp_path / "s.tape") as reader:
        writer.close()

        assert reader.verify().clean


# ------------------------------------------------------------------------ snapshots


def test_the_latest_snapshot_is_found(tmp_path: Path) -> None:
    path = tmp_path / "s.tape"
    with create_tape(path, header()) as writer:
        writer.snapshot(0, b"fresh")
        writer.append(ramp(3))
        writer.snapshot(3, b"three")
        writer.append(ramp(3, sequence=4))
        writer.snapshot(6, b"six")

    with TapeReader(path) as reader:
        latest = reader.last_snapshot()
        assert latest is not None
        assert (latest.sequence, latest.position, latest.payload) == (6, 2, b"six")
        assert (latest.build_hash, latest.lock_hash, latest.config_hash) == ("b1", "l1", "c1")
        for up_to, payload in [(5, b"three"), (3, b"three"), (2, b"fresh")]:
            found = reader.last_snapshot(up_to)
            assert found is not None
            assert found.payload == payload
        assert reader.last_snapshot(-1) is None
        assert reader.verify().snapshots == 3


def test_a_snapshot_belongs_behind_the_last_fact(tmp_path: Path) -> None:
    with create_tape(tmp_path / "s.tape", header()) as writer:
        writer.append(ramp(3))

        with pytest.raises(AssertionError):
            writer.snapshot(2, b"")


def test_a_tape_without_snapshots_has_none(tmp_path: Path) -> None:
    with TapeReader(written(tmp_path / "s.tape", mixed())) as reader:
        assert reader.last_snapshot() is None


# -------------------------------------------------------------------- going on, crash


def test_a_tape_is_continued_where_it_ended(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)], clean=False)

    writer, last = continue_tape(path, header(epoch="later"))
    writer.append(ramp(2, sequence=last + 1))
    writer.close()

    assert last == 3
    assert rows(read(path)) == rows([ramp(3), ramp(2, sequence=4)])
    with TapeReader(path) as reader:
        found = reader.verify()
        assert (found.ok, found.clean) == (True, True)
        assert reader.header == header()


def test_a_continued_tape_is_no_longer_clean_until_it_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)])

    writer, _ = continue_tape(path, header())
    writer.append(ramp(2, sequence=4))
    writer.close(clean=False)

    with TapeReader(path) as reader:
        found = reader.verify()
    assert (found.ok, found.clean, found.last_sequence) == (True, False, 5)


@pytest.mark.parametrize("name", ["build_hash", "lock_hash", "config_hash"])
def test_another_build_does_not_continue_a_tape(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)])

    with pytest.raises(TapeMismatch, match=f"{name} of the tape must be other, was .1"):
        continue_tape(path, header(**{name: "other"}))


def test_a_damaged_tape_is_not_continued(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3), ramp(3, sequence=4)])
    alter(path, "UPDATE facts SET payload = zeroblob(9) WHERE position = 2")

    with pytest.raises(TapeError, match=r"fact 2 .*chain is broken"):
        continue_tape(path, header())


def test_a_tape_is_never_written_over(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)])
    before = path.read_bytes()

    with pytest.raises(TapeError, match=r"s\.tape: cannot create: .*exists"):
        create_tape(path, header())

    assert path.read_bytes() == before


CRASH = """
    import sys
    from pathlib import Path
    from engine.tape import create_tape
    from tests.test_tape import header, ramp

    writer = create_tape(Path(sys.argv[1]), header())
    while True:
        writer.append(ramp(50, sequence=writer.last_sequence + 1))
        if writer.last_sequence % 500 == 0:
            writer.sync()
            print(writer.last_sequence, flush=True)
"""


def test_all_that_was_synced_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "s.tape"
    process = python(CRASH, path)
    assert process.stdout
    promised = [int(process.stdout.readline()) for _ in range(20)][-1]
    process.send_signal(signal.SIGKILL)
    promised = max([promised, *map(int, process.stdout.read().split())])
    process.wait()
    process.stdout.close()

    with TapeReader(path) as reader:
        found = reader.verify()
        facts = list(reader.facts())
    assert (found.ok, found.clean) == (True, False)
    assert found.last_sequence >= found.durable >= promised
    assert rows(facts) == rows([ramp(50, sequence=1 + 50 * number) for number in range(len(facts))])

    writer, last = continue_tape(path, header())
    writer.append(ramp(1, sequence=last + 1))
    writer.close()
    with TapeReader(path) as reader:
        assert reader.verify().clean


def test_any_prefix_of_the_log_of_a_crashed_tape_gives_a_prefix_of_its_facts(tmp_path: Path) -> None:
    live = tmp_path / "live.tape"
    facts: list[Item] = [ramp(50, sequence=1 + 50 * number) for number in range(30)]
    with create_tape(live, header()) as writer:
        for fact in facts:
            writer.append(fact)
            writer.sync()
        main, log = live.read_bytes(), live.with_name("live.tape-wal").read_bytes()

    ends = set()
    chooser = random.Random(5)
    for number in range(25):
        torn = tmp_path / f"{number}.tape"
        torn.write_bytes(main)
        torn.with_name(torn.name + "-wal").write_bytes(log[: chooser.randrange(len(log))])
        with TapeReader(torn) as reader:
            found = reader.verify()
            assert found.ok
            assert rows(list(reader.facts())) == rows(facts[: found.facts])
            ends.add(found.facts)
        assert torn.read_bytes() == main
    assert len(ends) > 5


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


# --------------------------------------------------------------------------- damage


def alter(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute(statement).rowcount
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE facts SET payload = zeroblob(9) WHERE position = 2", "fact 2 .* chain is broken"),
        ("UPDATE facts SET kind = 'Quotes' WHERE position = 2", "fact 2 .* chain is broken"),
        ("UPDATE facts SET hash = zeroblob(32) WHERE position = 2", "fact 2 .* chain is broken"),
        ("UPDATE facts SET sequence = 99 WHERE position = 2", "fact 2: sequence must be 4, was 99"),
        ("UPDATE facts SET rows = 4 WHERE position = 2", "fact 2 .* chain is broken"),
        ("UPDATE facts SET rows = 0 WHERE position = 2", "fact 2: sequence must be 4, was 4 with 0 rows"),
        ("UPDATE facts SET rows = 'x' WHERE position = 2", "fact 2 .* wrong type"),
        ("DELETE FROM facts WHERE position = 2", "fact 2 is missing: the next is 3"),
        ("DELETE FROM facts WHERE position = 3", "facts to sequence 9 were kept, the last found was 6"),
        ("DELETE FROM snapshots", "end mark does not match the 3 facts"),
        ("UPDATE snapshots SET payload = x'00'", "snapshot at sequence 6 is damaged"),
        ("UPDATE snapshots SET sequence = 3", "snapshot at sequence 3 is damaged"),
        ("UPDATE clean SET position = 2", "end mark does not match"),
        ("UPDATE durable SET sequence = 10", "facts to sequence 10 were kept, the last found was 9"),
        ("DELETE FROM durable", "facts to sequence None were kept"),
    ],
)
def test_every_change_behind_its_back_is_reported(tmp_path: Path, statement: str, reason: str) -> None:
    path = written(tmp_path / "s.tape", [ramp(3), ramp(3, sequence=4), ramp(3, sequence=7)], snapshot_at=6)
    alter(path, statement)

    with TapeReader(path) as reader:
        found = reader.verify()

    assert not found.ok
    assert re.search(reason, found.reason)


def test_the_first_damage_is_named_and_what_stands_before_it_counts(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3), ramp(3, sequence=4), ramp(3, sequence=7)])
    alter(path, "UPDATE facts SET payload = zeroblob(9) WHERE position = 2")

    with TapeReader(path) as reader:
        found = reader.verify()
        facts = reader.facts()
        first = next(facts)
        with pytest.raises(TapeError, match="fact 2"):
            next(facts)

    assert (found.facts, found.rows, found.last_sequence, found.bad_position) == (1, 3, 3, 2)
    assert isinstance(first, Trades)
    assert equal(first, ramp(3))


def test_a_changed_header_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)])
    alter(path, "UPDATE header SET payload = x'00'")

    with pytest.raises(TapeError, match="header is damaged"):
        TapeReader(path)


def test_a_header_exchanged_whole_breaks_the_chain(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)])
    with create_tape(tmp_path / "other.tape", header(build_hash="b2")):
        pass
    connection = sqlite3.connect(path)
    connection.execute("ATTACH ? AS other", (str(tmp_path / "other.tape"),))
    connection.execute("DELETE FROM main.header")
    connection.execute("INSERT INTO main.header SELECT * FROM other.header")
    connection.commit()
    connection.close()

    with TapeReader(path) as reader:
        assert "fact 1" in reader.verify().reason


def content(path: Path) -> object:
    """All that a reader can learn from a tape, or None when the tape is refused."""
    try:
        with TapeReader(path) as reader:
            found = reader.verify()
            if not found.ok:
                return None
            return (
                reader.header,
                rows(list(reader.facts())),
                rows(list(reader.facts(after_sequence=200))),
                reader.last_snapshot(),
                found.last_hash,
            )
    except TapeError:
        return None


def test_a_flipped_byte_is_detected_or_changes_nothing(tmp_path: Path) -> None:
    facts = numbered(
        *(fact for _ in range(8) for fact in (ramp(40), heartbeat(5), Command(1, "pause", "", "ann", "test")))
    )
    path = written(tmp_path / "s.tape", facts, snapshot_at=42)
    whole = path.read_bytes()
    sound = content(path)
    assert sound is not None

    chooser = random.Random(11)
    flips = [(chooser.randrange(len(whole)), chooser.randrange(1, 256)) for _ in range(400)]
    in_the_schema = [(offset, 0x80) for offset in range(0, 4_096, 17)]
    refused = 0
    for offset, mask in flips + in_the_schema:
        flipped = bytearray(whole)
        flipped[offset] ^= mask
        path.write_bytes(flipped)

        found = content(path)

        assert found in (None, sound), f"byte {offset} of {len(whole)}"
        refused += found is None
    assert refused > 50  # the rest of a small file is mostly free space


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = written(tmp_path / "s.tape", [ramp(400, sequence=1 + 400 * number) for number in range(20)])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    assert content(path) is None


def test_what_is_no_tape_is_refused_with_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "s.tape"
    with pytest.raises(TapeError, match=r"s\.tape: cannot open: .*No such file"):
        TapeReader(path)

    path.write_bytes(b"")
    with pytest.raises(TapeError, match=r"s\.tape: not a tape: the file is empty"):
        TapeReader(path)

    path.write_text("time,price\n" * 100)
    with pytest.raises(TapeError, match=r"s\.tape: cannot read: file is not a database"):
        TapeReader(path)

    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE facts (position INTEGER)")
    connection.close()
    with pytest.raises(TapeError, match=r"s\.tape: not a tape: application id must be"):
        TapeReader(path)


def test_a_tape_of_a_later_format_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)])
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()

    with pytest.raises(TapeError, match="tape format must be 1, was 2"):
        TapeReader(path)


def test_a_snapshot_of_another_tape_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)], snapshot_at=3)
    other = written(tmp_path / "other.tape", [noise(3, 1)], snapshot_at=3)
    connection = sqlite3.connect(path)
    connection.execute("ATTACH ? AS other", (str(other),))
    connection.execute("DELETE FROM main.snapshots")
    connection.execute("INSERT INTO main.snapshots SELECT * FROM other.snapshots")
    connection.commit()
    connection.close()

    with TapeReader(path) as reader, pytest.raises(TapeError, match="snapshot at sequence 3 does not belong"):
        reader.last_snapshot()


def test_rows_that_vanish_from_a_page_are_missed_even_where_nothing_was_promised(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", numbered(*[heartbeat(1)] * 100), clean=False)
    alter(path, "UPDATE durable SET sequence = 0")
    whole = path.read_bytes()
    sound = content(path)
    leaf = 0x0D  # the first byte of a page that holds rows; bytes 3 and 4 count them
    leaves = [page for page in range(4_096, len(whole), 4_096) if whole[page] == leaf and whole[page + 4] > 1]

    for page in leaves:
        shortened = bytearray(whole)
        shortened[page + 4] -= 1
        path.write_bytes(shortened)

        assert content(path) in (None, sound)
    assert len(leaves) > 2


# ------------------------------------------------------------------------ disk, paths


def test_a_tape_that_cannot_be_begun_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_file, "SCHEMA", tape_file.SCHEMA + "CREATE TABLE header (x);")

    with pytest.raises(TapeError, match=r"s\.tape: cannot create: table header already exists"):
        create_tape(tmp_path / "s.tape", header())

    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"missing/s\.tape: cannot create: .*No such file or directory"):
        create_tape(tmp_path / "missing" / "s.tape", header())


def filled_up(path: Path) -> TapeWriter:
    """A writer whose tape may not grow any more and that has failed once."""
    writer = create_tape(path, header())
    writer.append(ramp(3))
    writer.sync()
    writer._file._connection.execute("PRAGMA max_page_count = 1")
    writer.append(noise(20_000, sequence=4))
    with pytest.raises(TapeError, match=r"s\.tape: cannot write 1 facts after sequence 3: database or disk is full"):
        writer.sync()
    return writer


def noise(size: int, sequence: int) -> Trades:
    block = trades(*np.random.default_rng(1).random(size))
    block.sequence = sequence
    return block


def test_a_full_disk_stops_every_call_and_loses_nothing_once_there_is_room(tmp_path: Path) -> None:
    writer = filled_up(tmp_path / "s.tape")

    for call in (
        lambda: writer.append(ramp(1, 20_004)),
        lambda: writer.snapshot(20_003, b""),
        writer.sync,
        writer.retry,
    ):
        with pytest.raises(TapeError, match="disk is full"):
            call()

    writer._file._connection.execute("PRAGMA max_page_count = 1000000")
    writer.retry()
    writer.append(ramp(1, sequence=20_004))
    writer.close()
    assert rows(read(tmp_path / "s.tape")) == rows([ramp(3), noise(20_000, 4), ramp(1, 20_004)])


def test_a_tape_closed_on_a_full_disk_is_sound_and_not_clean(tmp_path: Path) -> None:
    writer = filled_up(tmp_path / "s.tape")

    with pytest.raises(TapeError, match="disk is full"):
        writer.close()
    writer.close()

    with TapeReader(tmp_path / "s.tape") as reader:
        found = reader.verify()
    assert (found.ok, found.clean, found.last_sequence) == (True, False, 3)


LIMITED = """
    import resource, sys
    from pathlib import Path
    from engine.tape import TapeError, TapeReader, create_tape
    from tests.test_tape import header, noise

    path = Path(sys.argv[1])
    writer = create_tape(path, header())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        while True:
            writer.append(noise(1_000, sequence=writer.last_sequence + 1))
    except TapeError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    writer.retry()
    writer.close()
    with TapeReader(path) as reader:
        found = reader.verify()
        print(found.ok, found.clean, found.last_sequence == writer.last_sequence, found.rows > 1_000)
"""


def test_writing_goes_on_when_the_system_allows_it_again(tmp_path: Path) -> None:
    process = python(LIMITED, tmp_path / "s.tape")
    output, _ = process.communicate(timeout=60)

    first, second = output.splitlines()
    assert "s.tape: cannot write" in first
    assert second == "True True True True"


def test_two_writers_of_one_tape_do_not_mix(tmp_path: Path) -> None:
    path = written(tmp_path / "s.tape", [ramp(3)], clean=False)
    first, _ = continue_tape(path, header())
    second, _ = continue_tape(path, header())
    first.append(ramp(2, sequence=4))
    first.sync()

    second.append(ramp(1, sequence=4))
    for call in (second.sync, second.retry):
        with pytest.raises(TapeError, match="UNIQUE constraint failed"):
            call()

    with pytest.raises(TapeError):
        second.close()
    first.close()
    assert rows(read(path)) == rows([ramp(3), ramp(2, sequence=4)])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_writer_that_a_bug_has_ended(tmp_path: Path) -> None:
    writer = create_tape(tmp_path / "s.tape", header())
    wrong = ramp(3)
    wrong.price = wrong.price.astype(np.int64)  # type: ignore[assignment]
    writer.append(wrong)

    with pytest.raises(TapeError, match=r"s\.tape: the writer thread has died"):
        writer.sync()
    with pytest.raises(TapeError):
        writer.close()


# --------------------------------------------------------------------------- memory


def test_a_memory_tape_reads_like_a_tape(tmp_path: Path) -> None:
    tape = MemoryTape(header())
    path = tmp_path / "s.tape"
    with create_tape(path, header()) as writer:
        for recorder in (tape, writer):
            for fact in mixed():
                recorder.append(fact)
            recorder.snapshot(15, b"state")
            recorder.sync()

    with TapeReader(path) as reader:
        for chunk, start in [(None, 0), (0, 2), (1, 5), (2, 0)]:
            assert rows(list(tape.facts(chunk, start))) == rows(list(reader.facts(chunk, start)))
        assert tape.header == reader.header
        kept, stored = tape.last_snapshot(), reader.last_snapshot(15)
        assert kept is not None
        assert stored is not None
        assert (kept.sequence, kept.payload) == (stored.sequence, stored.payload)
        assert tape.last_snapshot(up_to=14) is None
    tape.close()


def test_a_memory_tape_does_not_share_what_the_line_writes_onto_blocks() -> None:
    tape = MemoryTape()
    block = ramp(2)
    tape.append(block)
    block.line_ns = block.time_ns

    for _ in range(2):
        (found,) = tape.facts(0)
        assert isinstance(found, Trades)
        assert found.line_ns is None
        found.line_ns = found.time_ns


def groups_of(writer: TapeWriter, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many facts each commit of the writer takes, as they come."""
    write, groups = writer._file.write, []

    def counted(entries: Sequence[tape_file.Entry], *, durable: bool) -> None:
        groups.append(len(entries))
        write(entries, durable=durable)

    monkeypatch.setattr(writer._file, "write", counted)
    return groups


def test_facts_gather_for_one_commit_until_somebody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "GATHER_S", 3_600.0)
    with create_tape(tmp_path / "a.tape", header()) as writer:
        groups = groups_of(writer, monkeypatch)
        for number in range(50):
            writer.append(sequenced(heartbeat(number), number + 1))
        writer.sync()

        assert groups == [50]


def test_facts_are_committed_before_their_queue_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "GATHER_S", 3_600.0)
    with create_tape(tmp_path / "a.tape", header(), queue_rows=4) as writer:
        groups = groups_of(writer, monkeypatch)
        for number in range(40):
            writer.append(sequenced(heartbeat(number), number + 1))

        assert groups


def test_facts_are_committed_though_nobody_asks_also_after_a_rest(tmp_path: Path) -> None:
    with create_tape(tmp_path / "a.tape", header()) as writer:
        for number in range(3):
            writer.append(sequenced(heartbeat(number), number + 1))
            while writer.lag_ns():
                threading.Event().wait(0.002)
            while not writer._is_idle:
                threading.Event().wait(0.002)


def sequenced(fact: Message, sequence: int) -> Message:
    return msgspec.structs.replace(fact, sequence=sequence)
