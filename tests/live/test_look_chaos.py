"""Chaos is labelled, apart from everything of the user's, and on paper alone."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine import exits
from engine.cli import app
from engine.config import Settled
from engine.config_command import settled
from engine.exits import ExitError
from engine.init_command import initialised
from engine.live.chaos import beside_venue, prepared, told
from engine.live.clock import SystemClock
from engine.live.daemon import build_feeds
from engine.paths import find_paths
from tests.faults.processes import PATIENCE_S, ROOT, Engine, environment

SEED = 3


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user, with temporary directories beside it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    initialised(tmp_path / "home")
    return tmp_path / "home"


def test_it_has_a_directory_of_its_own_with_a_configuration(home: Path) -> None:
    mine = find_paths(home, {}, home)

    paths, found = prepared(home, (), (), SEED)
    _, again = settled(paths.config, (), ())

    assert paths.config.parent == home.parent / "tmp"
    assert paths.state_of("paper") != mine.state_of("paper")
    assert not mine.state.exists()
    assert again.config.hash == found.config.hash
    assert again.config.run.mode == "paper"
    assert paths.config.stat().st_mode & 0o077 == 0


def test_decisions_are_set_as_the_user_set_them_and_only_the_feed_is_another(home: Path) -> None:
    _, own = settled(home, (), ("risk.heat_limit_bp=950",))

    _, found = prepared(home, (), ("risk.heat_limit_bp=950",), SEED)

    assert found.config.hash == own.config.hash
    assert found.config.risk == own.config.risk
    assert [one.kind for one in found.config.feeds] == ["binance"]
    assert found.config.monitor is None


def test_without_a_configuration_the_shipped_one_holds(home: Path, tmp_path: Path) -> None:
    _, found = prepared(tmp_path / "empty", (), (), SEED)

    assert found.config.strategies


def test_it_says_that_it_is_simulated_and_where_to_look(home: Path) -> None:
    paths, _ = prepared(home, (), (), SEED)

    text = told(SEED, paths)

    assert "SIMULATED" in text
    assert f"wyckoff status --home {paths.config}" in text


@pytest.mark.anyio
async def test_the_engine_is_given_a_venue_of_this_host_whose_feed_says_it_is_simulated(home: Path) -> None:
    _, found = prepared(home, (), (), SEED)
    clock = SystemClock()
    given: list[Settled] = []

    async def engine(one: Settled) -> None:
        given.append(one)
        (feed,) = build_feeds(one.config, clock, one.secrets)
        assert feed.simulated
        assert feed.name == "chaos"
        await feed.open()

    await beside_venue(SEED, found, clock, engine)

    (table,) = given[0].config.feeds
    assert table.url.startswith("ws://127.0.0.1:")  # type: ignore[union-attr]


def test_live_mode_is_refused(home: Path) -> None:
    with pytest.raises(ExitError, match=r"--chaos is for run\.mode = paper, was replay") as error:
        prepared(home, (), ("run.mode=replay",), SEED)
    assert error.value.code == exits.REFUSED


@pytest.mark.parametrize("option", ["--live", "--adopt"])
def test_it_goes_with_no_other_way_of_trading(home: Path, option: str) -> None:
    result = CliRunner().invoke(app, ["trade", "--chaos", "3", option, "--home", str(home)])

    assert result.exit_code == exits.USAGE
    assert "--chaos goes with neither" in " ".join(result.output.split())
    assert not (home / "state").exists()


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory in which the path of a socket is not too long."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        yield Path(place)


@pytest.mark.timeout(300)
def test_it_trades_until_it_is_told_to_stop(home: Path, short: Path) -> None:
    told = short / "said"
    words = [sys.executable, "-m", "engine", "trade", "--chaos", str(SEED), "--home", str(home)]
    variables = environment() | {"TMPDIR": str(short)}
    with told.open("w") as said:
        child = subprocess.Popen(words, stdout=said, stderr=said, text=True, cwd=ROOT, env=variables)
    try:
        (place,) = until(lambda: list(short.glob(f"wyckoff-chaos-{SEED}-*")), child, told)
        (place / "said.log").symlink_to(told)
        one = Engine(place, child=child)

        seen = one.running()

        assert (seen.feed_is_simulated, [feed.name for feed in seen.feeds]) == (True, ["chaos"])
        assert "a run of chaos keeps its configuration" in one.order("reload").message
        assert one.stop() == 0, told.read_text()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def until(found: Callable[[], list[Path]], child: "subprocess.Popen[str]", told: Path) -> list[Path]:
    ends = time.monotonic() + PATIENCE_S
    while not found():
        assert child.poll() is None, told.read_text()
        assert time.monotonic() < ends, told.read_text()
        time.sleep(0.05)
    return found()
