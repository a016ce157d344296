"""`record`: tapes of its own beside those of `trade`, a new one wherever the latest does not fit, no order ever."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from engine import exits
from engine.config import parse
from engine.config.examples import live_example
from engine.definitions import Definition, VenueMetadata
from engine.live.opening import OpenLine
from engine.live.session import LiveParts, LiveSession
from engine.messages import Command
from engine.record_command import without_orders
from engine.tape import TapeMismatch, TapeReader
from tests.config.makers import home, settled
from tests.faults.processes import Engine
from tests.lines import lively
from tests.live.child import feed
from tests.live.rig import ListedFeed, parts, play
from tests.operations.test_arming import FILLED


def taped(directory: Path, change: Callable[[LiveParts], LiveParts] = lambda made: made) -> OpenLine:
    """One session on the tapes of this directory, to its end."""

    async def run() -> OpenLine:
        listed = feed()
        session = LiveSession(change(parts(ListedFeed(listed.facts[:20], listed.symbols, listed.clock), directory)))
        await session.begin()
        opened = session.opened
        await play(session)
        return opened

    return anyio.run(run)


def other_settings(made: LiveParts) -> LiveParts:
    tables = lively().model_dump()
    return replace(made, config=parse(tables | {"tape": {**tables["tape"], "snapshot_every_rows": 7}}, "test"))


def other_feed(made: LiveParts) -> LiveParts:
    (listed,) = made.feeds
    assert isinstance(listed, ListedFeed)
    return replace(made, feeds=[replace(listed, name="another")])


class Venue:
    """Says of every symbol that its prices step by five cents, and nothing else."""

    name = "a venue"
    symbols = ("S000", "S001")

    def definition(self, symbol: str) -> Definition:
        return Definition(symbol=symbol, tick=Decimal("0.05"))


class Told(ListedFeed):
    async def open(self) -> VenueMetadata:
        return Venue()


def other_instruments(made: LiveParts) -> LiveParts:
    """The configuration is the same: it is the venue that has changed its mind."""
    (listed,) = made.feeds
    assert isinstance(listed, ListedFeed)
    return replace(made, feeds=[Told(listed.facts, listed.symbols, listed.clock)])


CHANGES = [(other_settings, "config_hash"), (other_feed, "feeds must be"), (other_instruments, "S000")]


@pytest.mark.parametrize(("change", "says"), CHANGES, ids=[one.__name__ for one, _ in CHANGES])
def test_a_recording_that_does_not_fit_its_tape_begins_another(
    change: Callable[[LiveParts], LiveParts], says: str, tmp_path: Path
) -> None:
    first = taped(tmp_path)

    second = taped(tmp_path, lambda made: replace(change(made), anew=True))

    assert second.tape.path != first.tape.path
    assert second.begun
    assert says in second.instead


@pytest.mark.parametrize(("change", "says"), CHANGES, ids=[one.__name__ for one, _ in CHANGES])
def test_who_trades_is_refused(change: Callable[[LiveParts], LiveParts], says: str, tmp_path: Path) -> None:
    taped(tmp_path)

    with pytest.raises(TapeMismatch, match=says):
        taped(tmp_path, change)


def test_a_recording_that_fits_goes_on(tmp_path: Path) -> None:
    first = taped(tmp_path, lambda made: replace(made, anew=True))

    second = taped(tmp_path, lambda made: replace(made, anew=True))

    assert (second.tape.path, second.instead) == (first.tape.path, "")


# --------------------------------------------------------------------------------------- a real process


class Recorder(Engine):
    """Starts `record`."""

    def command(self, *words: str) -> list[str]:
        return super().command(*("record" if one == "trade" and self.is_starting else one for one in words))

    is_starting = False

    def start(self) -> None:
        self.is_starting = True
        super().start()
        self.is_starting = False


def tapes(one: Engine) -> list[Path]:
    return sorted((one.home / "state" / "record" / "paper" / "tapes").glob("*.tape"))


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    one = Recorder(tmp_path / "home")
    one.home.mkdir()
    assert one.run("init", str(one.home), cwd=one.home).returncode == 0
    settings = one.home / "wyckoff.toml"
    settings.write_text(settings.read_text().replace("speed = 60.0", "speed = 3600.0"))
    yield one
    if one.child is not None and one.child.poll() is None:
        one.kill()


def begun(one: Recorder, *sets: str) -> None:
    one.sets = sets
    one.start()
    one.running()
    one.until(lambda seen: seen.tape is not None and seen.tape.rows > 0, "rows")


@pytest.mark.timeout(300)
def test_a_recording_is_kept_apart_and_replays_with_strategies(recorder: Recorder) -> None:
    one = recorder
    begun(one)
    second = one.run("trade", "--home", str(one.home))
    assert (second.returncode, str(one.pid) in second.stderr) == (exits.REFUSED, True), second.stderr
    stopped = one.run("stop", "--home", str(one.home))
    assert stopped.returncode == 0, stopped.stderr
    assert one.ended() == 0
    assert "no order is made" in one.told()

    (tape,) = tapes(one)
    assert one.tapes() == []
    begun(one, "detector.atr_bars=15")
    assert one.stop() == 0
    assert "tape_begun_anew" in one.told()
    assert len(tapes(one)) == 2

    replayed = one.run("replay", str(tape), "--json", "-q")
    assert replayed.returncode == 0, replayed.stderr
    with TapeReader(tape) as reader:
        assert [fact.name for fact in reader.facts() if isinstance(fact, Command)] == ["stop"]


def test_a_file_for_live_is_recorded_without_arming_or_account(tmp_path: Path) -> None:
    live = settled(home(tmp_path, FILLED, live_example())).config

    recorded = without_orders(live)

    assert (recorded.run.mode, recorded.run.strategies) == ("paper", ())
    assert (recorded.account, recorded.protections, recorded.monitor) == (None, (), None)
    assert recorded.feeds == live.feeds
    assert recorded.instruments == live.instruments
