"""A new tape from the state of an old one: all of it, or nothing."""

from pathlib import Path

import anyio
import msgspec
import pytest

from engine.blocks import Trades
from engine.config import Config, parse
from engine.live.adoption import adopt_state
from engine.live.session import LiveSession
from engine.replay import state_of, states_of
from engine.tape import TapeError, TapeMismatch
from tests.live.rig import ListedFeed, parts, play
from tests.live.test_session import CONFIG, feed_of, replayed
from tests.markets import trade_market

pytestmark = pytest.mark.anyio
OTHER = parse(CONFIG.model_dump() | {"tape": {"snapshot_every_rows": 3_000}}, "test")
RICHER = parse(CONFIG.model_dump() | {"run": CONFIG.run.model_dump() | {"cash": "200000"}}, "test")

HOLDING = 55
"""Blocks after which something is held."""
GATE = 5
"""The place of the RiskGate on the line."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def market() -> list[Trades]:
    trades = trade_market(2, 900, 6, 7)
    return [trades.slice(start, min(start + 97, len(trades))) for start in range(0, len(trades), 97)]


def session_of(feed: ListedFeed, directory: Path, config: Config, *, adopt: bool = False) -> LiveSession:
    made = parts(feed, directory, config)
    made.adopt = adopt
    return LiveSession(made)


async def ended(market: list[Trades], directory: Path) -> LiveSession:
    """A session that holds something, was killed by its operator, and ended clean."""
    feed = feed_of(market[:HOLDING])
    session = session_of(feed, directory, CONFIG)
    await session.begin()
    async with anyio.create_task_group() as group:
        group.start_soon(session.run)
        await feed.through.wait()
        # Commands overtake rows that wait.
        await anyio.wait_all_tasks_blocked()
        await session.command("kill", "entries", "tester", "to see it survive")
        session.stop()
    assert session.opened.line.gate.portfolio.is_holding
    return session


async def test_all_of_the_old_state_is_taken_over(market: list[Trades], tmp_path: Path) -> None:
    old = await ended(market, tmp_path)
    feed = feed_of(market)

    new = session_of(feed, tmp_path, OTHER, adopt=True)
    await new.begin()

    assert new.parts.tapes.all() == [old.opened.tape.path, new.opened.tape.path]
    assert new.opened.line.chain.snapshot()[1:] == old.opened.line.chain.snapshot()[1:]
    assert new.opened.line.gate.halts["kill"].level == "entries"
    assert new.opened.line.gate.portfolio.positions
    assert repr(new.opened.line.campaigns.campaigns) == repr(old.opened.line.campaigns.campaigns)
    assert new.opened.line.campaigns.campaigns
    new.opened.close(clean=False)


async def test_it_goes_on_behind_the_last_row_and_replays_on_its_own(market: list[Trades], tmp_path: Path) -> None:
    old = await ended(market, tmp_path)
    feed = feed_of(market)
    new = session_of(feed, tmp_path, OTHER, adopt=True)
    await new.begin()
    was = new.opened.line.tap.digest.hex

    await play(new)

    assert set(feed.resumed) == {"S000", "S001"}
    assert new.opened.line.tap.counts.rows["Trades"] == sum(map(len, market))
    assert new.opened.line.tap.digest.hex != was
    assert replayed(new.opened.tape.path, OTHER)[0] == new.opened.line.tap.digest.hex
    assert old.opened.tape.path != new.opened.tape.path


async def test_the_adopting_tape_is_gone_on_with_as_any_other(market: list[Trades], tmp_path: Path) -> None:
    await ended(market, tmp_path)
    for _ in range(2):
        session = session_of(feed_of(market), tmp_path, OTHER, adopt=True)
        await session.begin()
        await play(session)

    assert len(session.parts.tapes.all()) == 2


async def test_without_being_asked_nothing_is_adopted_and_the_way_is_told(market: list[Trades], tmp_path: Path) -> None:
    await ended(market, tmp_path)

    with pytest.raises(TapeMismatch, match=r"config_hash of the tape .* `wyckoff trade --adopt` begins a new tape"):
        await session_of(feed_of(market), tmp_path, OTHER).begin()
    assert len(list((tmp_path / "tapes").glob("*.tape"))) == 1


async def test_a_tape_that_was_cut_off_is_not_adopted(market: list[Trades], tmp_path: Path) -> None:
    session = session_of(feed_of(market, dies_after=40), tmp_path, CONFIG)
    await session.begin()
    with pytest.raises(BaseExceptionGroup):
        await play(session)

    with pytest.raises(TapeMismatch, match="only a tape that ended clean can be adopted"):
        await session_of(feed_of(market), tmp_path, OTHER, adopt=True).begin()
    assert len(session.parts.tapes.all()) == 1


async def test_another_account_or_other_symbols_are_not_adopted(market: list[Trades], tmp_path: Path) -> None:
    await ended(market, tmp_path)
    fewer = feed_of(market)
    fewer.symbols = ("S000",)

    with pytest.raises(TapeMismatch, match="cash must be 100000, was 200000"):
        await session_of(feed_of(market), tmp_path, RICHER, adopt=True).begin()
    with pytest.raises(TapeMismatch, match="symbols must be"):
        await session_of(fewer, tmp_path, OTHER, adopt=True).begin()
    assert len(list((tmp_path / "tapes").glob("*.tape"))) == 1


async def test_a_damaged_tape_is_not_adopted(market: list[Trades], tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    old = await ended(market, tmp_path)
    with closing(sqlite3.connect(old.opened.tape.path)) as tape:
        tape.execute("UPDATE facts SET payload = x'00' WHERE position = 5")
        tape.commit()

    with pytest.raises(TapeError, match="fact 5"):
        await session_of(feed_of(market), tmp_path, OTHER, adopt=True).begin()
    assert len(old.parts.tapes.all()) == 1


def changed(states: list[bytes], place: int, change: object) -> bytes:
    state = msgspec.msgpack.decode(states[place])
    change(state)  # type: ignore[operator]
    return msgspec.msgpack.encode([*states[:place], msgspec.msgpack.encode(state), *states[place + 1 :]])


CHANGES = [
    (lambda state: state.update(margin_call=1), "nothing here is called margin_call"),
    (lambda state: state.pop("heat"), ".*heat"),
    (lambda state: state.update(heat="TEPID"), ".*TEPID"),
    (lambda state: state["portfolio"]["state"].update(cash="1e2"), ".*portfolio.state.cash"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), CHANGES)
async def test_a_state_that_is_not_understood_to_the_last_field_is_refused(
    market: list[Trades], tmp_path: Path, change: object, told: str
) -> None:
    old = await ended(market, tmp_path)
    states = states_of(state_of(old.opened.line))
    fresh = session_of(feed_of(market), tmp_path / "fresh", CONFIG)
    await fresh.begin()

    with pytest.raises(TapeMismatch, match=f"the state of its RiskGate cannot be taken over: {told}"):
        adopt_state(fresh.opened.line, old.opened.tape.path, changed(states, GATE, change))
    fresh.opened.close(clean=False)


async def test_a_state_of_another_number_of_stages_is_refused(market: list[Trades], tmp_path: Path) -> None:
    old = await ended(market, tmp_path)
    states = states_of(state_of(old.opened.line))

    with pytest.raises(TapeMismatch, match="must be that of 9 stages, was that of 8"):
        adopt_state(old.opened.line, old.opened.tape.path, msgspec.msgpack.encode(states[:-1]))
