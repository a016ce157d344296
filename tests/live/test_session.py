"""A live session: its tape decides what it decided, whether it ran through, was stopped or died."""

import os
from pathlib import Path

import pytest

from engine import replay
from engine.blocks import Trades
from engine.config import Config, parse
from engine.live.decision_log import decisions_of
from engine.live.self_check import SelfCheckError, checked
from engine.live.session import LiveSession
from engine.live.tapes import DAY_NS, Tapes
from engine.proving import prove
from engine.replay import from_tape
from engine.tape import TapeMismatch, TapeReader
from tests.lines import lively
from tests.live.rig import ListedFeed, ToldClock, parts, play
from tests.markets import trade_market

pytestmark = pytest.mark.anyio
CONFIG = parse(lively().model_dump() | {"tape": {"snapshot_every_rows": 2_000}}, "test")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def market() -> list[Trades]:
    trades = trade_market(2, 900, 6, 7)
    return [trades.slice(start, min(start + 97, len(trades))) for start in range(0, len(trades), 97)]


def feed_of(market: list[Trades], **changes: object) -> ListedFeed:
    return ListedFeed(market, ("S000", "S001"), ToldClock(int(market[0].time_ns[0]) - 1), **changes)  # type: ignore[arg-type]


async def run(feed: ListedFeed, directory: Path, config: Config = CONFIG) -> LiveSession:
    session = LiveSession(parts(feed, directory, config))
    await session.begin()
    await play(session)
    return session


def digest(session: LiveSession) -> str:
    return session.opened.line.tap.digest.hex


def replayed(tape: Path, config: Config = CONFIG) -> tuple[str, int]:
    run = replay.begin(config, from_tape(tape, 64), (), None, "")
    run.finish()
    return run.line.tap.digest.hex, run.line.tap.digest.count


async def test_the_tape_of_a_session_decides_what_the_session_decided(market: list[Trades], tmp_path: Path) -> None:
    session = await run(feed_of(market), tmp_path)

    again, decisions = replayed(session.opened.tape.path)

    assert decisions > 20
    assert again == digest(session)


async def test_a_clean_end_is_marked_on_the_tape(market: list[Trades], tmp_path: Path) -> None:
    session = await run(feed_of(market), tmp_path)

    with TapeReader(session.opened.tape.path) as reader:
        found = reader.verify()

    assert found.ok
    assert found.clean


async def test_a_session_that_was_stopped_goes_on_with_its_tape(market: list[Trades], tmp_path: Path) -> None:
    whole = await run(feed_of(market), tmp_path / "whole")
    half = len(market) // 2
    await run(feed_of(market[:half]), tmp_path / "halves")

    feed = feed_of(market[half:])
    feed.clock.time_ns = int(market[half].time_ns[0]) - 1
    second = await run(feed, tmp_path / "halves")

    assert set(feed.resumed) == {"S000", "S001"}
    assert second.opened.line.tap.counts.rows == whole.opened.line.tap.counts.rows
    assert replayed(second.opened.tape.path)[0] == digest(second)


@pytest.mark.parametrize("dies_after", [1, 20, 41, 80])
async def test_a_session_that_died_has_the_state_of_its_tape(
    market: list[Trades], tmp_path: Path, dies_after: int
) -> None:
    feed = feed_of(market, dies_after=dies_after)
    session = LiveSession(parts(feed, tmp_path, CONFIG))
    await session.begin()
    with pytest.raises(BaseExceptionGroup):
        await play(session)

    again = LiveSession(parts(feed_of(market), tmp_path, CONFIG))
    await again.begin()

    assert again.opened.line.tap.digest.hex == digest(session)
    assert again.opened.line.chain.snapshot() == session.opened.line.chain.snapshot()
    await play(again)
    assert replayed(again.opened.tape.path)[0] == digest(again)


@pytest.mark.parametrize("facts", [0, 1, 2, 3])
async def test_a_start_that_was_cut_off_is_begun_again(market: list[Trades], tmp_path: Path, facts: int) -> None:
    undisturbed = await run(feed_of(market), tmp_path / "undisturbed")
    cut_off = LiveSession(parts(feed_of(market), tmp_path, CONFIG))
    await cut_off.begin()
    for fact in cut_off.opened.session.facts[:facts]:
        await cut_off.driver.push(fact)
    cut_off.opened.close(clean=False)

    again = await run(feed_of(market), tmp_path)

    assert digest(again) == digest(undisturbed)
    assert Tapes(tmp_path / "tapes").all() == [again.opened.tape.path]
    assert replayed(again.opened.tape.path)[0] == digest(again)


async def test_another_configuration_does_not_go_on_with_a_tape(market: list[Trades], tmp_path: Path) -> None:
    await run(feed_of(market[:5]), tmp_path)
    other = parse(CONFIG.model_dump() | {"tape": {"snapshot_every_rows": 3_000}}, "test")

    with pytest.raises(TapeMismatch, match="config_hash of the tape"):
        await run(feed_of(market[5:]), tmp_path, other)


async def test_each_day_has_a_tape_that_replays_on_its_own(market: list[Trades], tmp_path: Path) -> None:
    day_ns = 86_400 * 10**9
    shift = -int(market[0].time_ns[0]) % day_ns - 450 * 60 * 10**9
    moved = [block.derive(time_ns=block.time_ns + shift, received_ns=block.received_ns + shift) for block in market]

    session = await run(feed_of(moved), tmp_path)

    first, second = session.parts.tapes.all()
    assert session.ended_tapes == [first]
    assert replayed(second)[0] == digest(session)
    with TapeReader(second) as reader:
        assert reader.verify().clean
        assert reader.header.opening_snapshot


async def test_the_decisions_beside_a_tape_are_those_of_its_replay(market: list[Trades], tmp_path: Path) -> None:
    session = await run(feed_of(market), tmp_path)
    tape = session.opened.tape.path

    proof = prove(tape, decisions_of(tape), CONFIG)

    assert proof.ok
    assert proof.decisions == session.opened.line.tap.digest.count > 20


async def test_after_a_death_no_decision_is_missing_or_doubled(market: list[Trades], tmp_path: Path) -> None:
    session = LiveSession(parts(feed_of(market, dies_after=60), tmp_path, CONFIG))
    await session.begin()
    with pytest.raises(BaseExceptionGroup):
        await play(session)
    tape = session.opened.tape.path
    with decisions_of(tape).open("ab") as file:
        file.write(b'{"half a li')

    await run(feed_of(market), tmp_path)

    assert prove(tape, decisions_of(tape), CONFIG).ok


async def test_the_first_decision_that_differs_is_named(market: list[Trades], tmp_path: Path) -> None:
    session = await run(feed_of(market), tmp_path)
    tape = session.opened.tape.path
    lines = decisions_of(tape).read_text().splitlines(keepends=True)
    lines[4] = lines[4].replace("S00", "X00")
    decisions_of(tape).write_text("".join(lines))

    proof = prove(tape, decisions_of(tape), CONFIG)

    assert proof.number == 5
    assert "X00" in proof.was
    assert "S00" in proof.is_now


async def test_decisions_that_the_disk_lost_are_written_again(market: list[Trades], tmp_path: Path) -> None:
    half = len(market) // 2
    session = await run(feed_of(market[:half]), tmp_path)
    tape = session.opened.tape.path
    lines = decisions_of(tape).read_text().splitlines(keepends=True)
    decisions_of(tape).write_text("".join(lines[:-3]))

    await run(feed_of(market), tmp_path)

    assert prove(tape, decisions_of(tape), CONFIG).ok


async def test_a_day_is_checked_by_a_process_of_its_own(market: list[Trades], tmp_path: Path) -> None:
    session = await run(feed_of(market[:40]), tmp_path)
    tape = session.opened.tape.path

    proof = await checked(tape, CONFIG)

    assert proof.ok
    assert proof.digest == digest(session)


async def test_a_check_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(SelfCheckError, match="exit code"):
        await checked(tmp_path / "none.tape", CONFIG)


def test_old_tapes_go_and_the_latest_stays(tmp_path: Path) -> None:
    tapes = Tapes(tmp_path)
    paths = [tapes.fresh(day * DAY_NS) for day in (1, 2, 3)]
    for path in paths:
        path.touch()
        decisions_of(path).touch()
        os.utime(path, ns=(0, 0))

    old = tapes.older_than(5, 100 * DAY_NS)
    for path in old:
        tapes.forget(path)

    assert old == paths[:2]
    assert sorted(tmp_path.iterdir()) == sorted([paths[2], decisions_of(paths[2])])


async def test_what_was_decided_is_for_its_owner_alone(market: list[Trades], tmp_path: Path) -> None:
    session = await run(feed_of(market[:3]), tmp_path)

    assert decisions_of(session.opened.tape.path).stat().st_mode & 0o777 == 0o600
