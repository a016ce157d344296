"""What the control socket answers: ids that mean nothing, kills that are weaker than the one that stands."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from engine import exits
from engine.config import Config, parse
from engine.control import killfile
from engine.control.status import KillLevel, LoopView
from engine.control.target import OperatorCommand, Outcome
from engine.live import views
from engine.live.opening import open_line, plan
from engine.live.session import LiveSession
from engine.live.tapes import Tapes
from engine.live.target import EngineTarget
from engine.messages import Command, Role
from engine.paths import Paths, find_paths
from engine.tape import TapeReader
from tests.lines import lively
from tests.live.child import feed
from tests.live.rig import ListedFeed, parts


def paper() -> Config:
    tables = lively().model_dump()
    stream = {"kind": "simulated", "name": "x", "symbols": ["A"], "seed": 1, "stale_after": {}}
    return parse(tables | {"run": {**tables["run"], "mode": "paper"}, "feeds": [stream]}, "test")


def working(directory: Path) -> tuple[ListedFeed, str]:
    """A market up to the block behind which an entry waits to fill, and that entry's id."""
    whole = feed()
    opened = open_line(plan(paper(), [whole], (), whole.clock.now_ns()), Tapes(directory))
    for fact in opened.session.facts:
        opened.line.chain.push(fact)
    for count, block in enumerate(whole.facts, 1):
        opened.line.chain.push(block)
        found = [one.order_id for one in views.orders(opened.line) if one.role == Role.ENTRY]
        if found:
            opened.close(clean=False)
            return replace(whole, facts=whole.facts[:count]), found[0]
    raise AssertionError("no entry ever waits in this market")


Act = Callable[[EngineTarget], Awaitable[None]]


def acted(directory: Path, act: Act, listed: ListedFeed | None = None) -> tuple[list[str], Paths]:
    """Names of the commands on the tape of a session whose feed is through before `act` begins."""
    (directory / "home").mkdir()
    paths = find_paths(directory / "home", {}, directory)
    paths.state_of("paper").mkdir(parents=True)

    async def run() -> None:
        given = listed or replace(feed(), facts=())
        session = LiveSession(parts(given, directory / "home", paper()))
        target = EngineTarget(session, session.parts.config, paths, _no_reload, _no_loop)
        await session.begin()
        target.recovered()
        async with anyio.create_task_group() as group:
            group.start_soon(session.run)
            await given.through.wait()
            await act(target)
            session.stop()

    anyio.run(run)
    (tape,) = (directory / "home" / "tapes").glob("*.tape")
    with TapeReader(tape) as reader:
        return [fact.name for fact in reader.facts() if isinstance(fact, Command)], paths


async def _no_reload(command: OperatorCommand) -> Outcome:
    return Outcome(0, command.name)


def _no_loop() -> LoopView:
    return LoopView(lag_s=0, stalls=0, waiting_control=0, waiting_market=0, rss_mb=0, rss_limit_mb=0)


def asked(name: str, argument: str = "", reason: str = "") -> OperatorCommand:
    return OperatorCommand(name, argument, "alice", reason)


@pytest.mark.parametrize(("name", "says"), [("cancel", "no working entry"), ("force-exit", "no campaign")])
def test_an_id_that_means_nothing_is_not_found_and_no_fact(name: str, says: str, tmp_path: Path) -> None:
    async def act(target: EngineTarget) -> None:
        found = await target.submit(asked(name, "nosuch"))
        assert (found.code, says in found.message, found.sequence) == (exits.NOT_FOUND, True, 0)
        assert (await target.submit(asked(name, "all"))).code == exits.OK

    assert acted(tmp_path, act)[0] == [name, "stop"]


@pytest.mark.parametrize("suffix", ["", f"/{Role.ENTRY}"])
def test_an_entry_that_works_is_cancelled_by_its_id(suffix: str, tmp_path: Path) -> None:
    listed, order_id = working(tmp_path / "looked")

    async def act(target: EngineTarget) -> None:
        while not target.status().orders:  # noqa: ASYNC110 - the line tells nobody that it is through
            await anyio.sleep(0.005)
        (campaign,) = {one.campaign for one in target.status().orders}
        found = await target.submit(asked("cancel", order_id.removesuffix(f"/{Role.ENTRY}") + suffix))
        assert (found.code, found.sequence > 0) == (exits.OK, True), found
        assert (await target.submit(asked("force-exit", campaign))).code == exits.OK

    assert acted(tmp_path, act, listed)[0] == ["cancel", "force-exit", "stop"]


def test_a_weaker_kill_takes_neither_level_nor_reason_of_the_one_that_stands(tmp_path: Path) -> None:
    async def act(target: EngineTarget) -> None:
        assert (
            await target.submit(asked("kill", "cancel", "the first"))
        ).message == "kill cancel is on the tape and holds"
        assert (await target.submit(asked("kill", "entries", "less"))).message == "kill cancel stands"
        assert (target.kill_level, target.kill_reason) == (KillLevel.CANCEL, "the first")
        resumed = await target.submit(asked("resume"))
        assert resumed.message == "resume is on the tape; kill cancel stands until `wyckoff unkill`"
        await target.submit(asked("kill", "flatten", "more"))
        assert (target.kill_level, target.kill_reason) == (KillLevel.FLATTEN, "more")

    _, paths = acted(tmp_path, act)

    record = killfile.read(paths.state_of("paper"))
    assert record is not None
    assert (record.level, record.reason) == (KillLevel.FLATTEN, "more")
