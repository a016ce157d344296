"""The state at an instant is that of a session that was stopped there."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import msgspec
import pytest

from engine.app import Line
from engine.blocks import Trades
from engine.config import parse
from engine.live.rebuild import NoTapeError, at_end, rebuild, rebuilt
from engine.live.session import LiveSession
from engine.live.tapes import DAY_NS, Tapes
from engine.messages import FOREVER_NS
from engine.tape import TapeError, TapeMismatch, TapeReader
from tests.live.rig import ListedFeed, ToldClock, parts
from tests.live.test_session import CONFIG, feed_of, run
from tests.markets import trade_market

pytestmark = pytest.mark.anyio
SEPARATELY_S = 1e-4
"""Between blocks, so that they are not joined before the line takes them: a day ends between blocks."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def market() -> list[Trades]:
    """Two symbols, 450 minutes before and after a midnight."""
    trades = trade_market(2, 900, 6, 7)
    shift = -int(trades.time_ns[0]) % DAY_NS - 450 * 60 * 10**9
    moved = trades.derive(time_ns=trades.time_ns + shift, received_ns=trades.received_ns + shift)
    return blocks(moved)


def blocks(rows: Trades) -> list[Trades]:
    return [rows.slice(start, min(start + 97, len(rows))) for start in range(0, len(rows), 97)]


@pytest.fixture(scope="module")
def rows(market: list[Trades]) -> Trades:
    return Trades.join(market)


@pytest.fixture(scope="module")
def whole(market: list[Trades], tmp_path_factory: pytest.TempPathFactory) -> Tapes:
    """The tapes of a session that heard everything."""
    session = anyio.run(run, feed_of(market, pause_s=SEPARATELY_S), tmp_path_factory.mktemp("whole"))
    assert len(session.parts.tapes.all()) == 2
    return session.parts.tapes


async def stopped_at(rows: Trades, time_ns: int, directory: Path) -> LiveSession:
    """A session that has heard only what is not later; its stop comes just after."""
    heard = rows.slice(0, int((rows.time_ns <= time_ns).sum()))
    clock = ToldClock(int(rows.time_ns[0]) - 1)
    feed = ListedFeed(blocks(heard), ("S000", "S001"), clock, pause_s=SEPARATELY_S)
    session = LiveSession(parts(feed, directory, CONFIG))
    await session.begin()
    async with anyio.create_task_group() as group:
        group.start_soon(session.run)
        await feed.through.wait()
        feed.clock.time_ns = time_ns + 1
        session.stop()
    return session


@pytest.mark.parametrize("part", [0.0, 0.031, 0.25, 0.4, 0.4999, 0.5001, 0.51, 0.77, 0.998])
async def test_the_state_at_an_instant_is_that_of_a_session_stopped_there(
    whole: Tapes, rows: Trades, tmp_path: Path, part: float
) -> None:
    time_ns = int(rows.time_ns[int(part * (len(rows) - 1))])

    stopped = await stopped_at(rows, time_ns, tmp_path)
    found = rebuild(whole, CONFIG, time_ns)

    mine, theirs = states(found.line), states(stopped.opened.line)
    # These count messages or keep their time, and the stop is one.
    assert [name for name in mine if mine[name] != theirs[name]] == ["CampaignManager", "Tap", "Ledger"]
    assert mine == states(rebuilt(stopped.opened.tape.path, CONFIG, time_ns).line)
    assert found.line.tap.digest.hex == stopped.opened.line.tap.digest.hex


def states(line: Line) -> dict[str, object]:
    """By stage, without the numbers of facts: these begin anew on each tape."""
    found: dict[str, object] = {
        type(stage).__name__: one for stage, one in zip(line.chain.stages, line.chain.snapshot(), strict=True)
    }
    del found["Journal"]
    market = msgspec.msgpack.decode(found["Market"])  # type: ignore[arg-type]
    assert len(market.pop("announced")) == 2
    return found | {"Market": market}


def test_the_day_before_holds_until_the_first_row_of_the_next_tape(whole: Tapes) -> None:
    first, second = whole.all()
    last_ns, next_ns = (row_ns(first, -1), row_ns(second, 0))

    found = [
        (rebuild(whole, CONFIG, time_ns).tape, time_ns) for time_ns in (last_ns - 1, last_ns, next_ns - 1, next_ns)
    ]

    assert [tape for tape, _ in found] == [first, second, second, second]


def row_ns(tape: Path, place: int) -> int:
    with TapeReader(tape) as reader:
        return int([block for block in reader.facts() if isinstance(block, Trades)][place].time_ns[place])


def test_nothing_later_has_any_influence(whole: Tapes, rows: Trades, tmp_path: Path) -> None:
    time_ns = int(rows.time_ns[len(rows) // 3])

    found = rebuild(whole, CONFIG, time_ns)

    assert found.line.bars.line_time_ns < time_ns
    assert sum(found.line.tap.counts.rows.values()) == int((rows.time_ns <= time_ns).sum())
    assert not found.is_whole


def test_the_end_is_the_same_by_the_last_snapshot_and_by_the_whole_tape(whole: Tapes) -> None:
    last = whole.all()[-1]

    short, long = at_end(last, CONFIG), rebuilt(last, CONFIG, FOREVER_NS)

    assert short.line.chain.snapshot() == long.line.chain.snapshot()
    assert short.sequence == long.sequence
    assert short.unheard > long.unheard == 0


def test_no_tape_reaches_before_the_first(whole: Tapes, rows: Trades, tmp_path: Path) -> None:
    with pytest.raises(NoTapeError, match="the first begins at"):
        rebuild(whole, CONFIG, int(rows.time_ns[0]) - DAY_NS)
    with pytest.raises(NoTapeError, match="there is no tape"):
        rebuild(Tapes(tmp_path), CONFIG, FOREVER_NS)


def test_another_configuration_is_refused(whole: Tapes) -> None:
    other = parse(CONFIG.model_dump() | {"tape": {"snapshot_every_rows": 3_000}}, "test")

    with pytest.raises(TapeMismatch, match="config_hash of the tape"):
        rebuild(whole, other, FOREVER_NS)


def test_a_damaged_tape_is_told(whole: Tapes, tmp_path: Path) -> None:
    copy = tmp_path / whole.all()[0].name
    copy.write_bytes(whole.all()[0].read_bytes())
    with closing(sqlite3.connect(copy)) as tape:
        tape.execute("UPDATE facts SET payload = x'00' WHERE position = 5")
        tape.commit()

    with pytest.raises(TapeError, match="fact 5"):
        rebuild(Tapes(tmp_path), CONFIG, FOREVER_NS)


def test_reading_changes_nothing(whole: Tapes) -> None:
    before = [path.read_bytes() for path in whole.all()]

    rebuild(whole, CONFIG, FOREVER_NS)

    assert [path.read_bytes() for path in whole.all()] == before
