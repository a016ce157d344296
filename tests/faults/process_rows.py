"""Faults of the process and its host, as rows: what is done to a trading engine, and what must be true of it then.

Each row has an engine of its own as a process of its own, on a loopback venue in this one. Whatever was done, in the
end it goes on trading or says why not, nothing is decided twice, and its tapes replay to what was decided.
"""

import asyncio
import os
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine import exits, replay
from engine.config import Config, settle, shipped
from engine.live.decision_log import decisions_of
from engine.messages import Health
from engine.paths import find_paths
from engine.proving import prove
from engine.tape import TapeReader
from tests.faults.hosts import RATE, Host, write_settings
from tests.faults.probing import register
from tests.faults.processes import Engine, engine
from tests.faults.watching import Noted, Verdicts, verdicts

CHILD = "tests.faults.child"


@dataclass(frozen=True)
class Row:
    """`act` does it and expects; `exit_code` is that of the end, None where the row ends its engine itself."""

    id: str
    act: Callable[[Engine, Host], None]
    exit_code: int | None = 0
    short: bool = False


@contextmanager
def trading(home: Path, rate: float = RATE) -> Iterator[tuple[Engine, Host]]:
    """An engine that has bought something."""
    with Host(rate) as host, engine(home, module=CHILD) as one:
        write_settings(home, host)
        one.configs = (shipped("replay"), home / "wyckoff.toml")
        one.start()
        traded(one)
        yield one, host


def traded(one: Engine) -> None:
    """Until it is RUNNING, live and has filled a further entry."""
    before: list[int] = []

    def more(seen: object) -> bool:
        entries, feeds = seen.day.entries, seen.feeds  # type: ignore[attr-defined]
        before.append(entries)
        return not seen.blockers and feeds[0].status == "LIVE" and entries > before[0]  # type: ignore[attr-defined]

    one.until(more, "a further fill")


def held(seen: object, code: str) -> bool:
    return any(one.code.startswith(code) for one in seen.blockers)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------ the acts


def killed(one: Engine, host: Host) -> None:
    one.kill()
    one.start()
    traded(one)


def killed_at_start(one: Engine, host: Host) -> None:
    one.kill()
    for pause_s in (0.3, 1.5, 3.0):
        one.start()
        time.sleep(pause_s)
        one.kill()
    one.start()
    traded(one)


def killed_while_stale(one: Engine, host: Host) -> None:
    host.do(lambda venue: venue.faults.switch("refuse", status=503))
    host.do(lambda venue: venue.kick("abort"))
    one.until(lambda seen: held(seen, "DATA_STALE"), "stale")
    one.kill()
    host.do(lambda venue: venue.faults.clear())
    one.start()
    traded(one)


def stopped_and_started(one: Engine, host: Host) -> None:
    assert one.stop() == 0
    one.start()
    traded(one)
    assert len(one.tapes()) == 1


def disk_full(one: Engine, host: Host) -> None:
    """No file can grow any more; once it can again the engine goes on by itself."""
    size = one.tapes()[0].stat().st_size
    resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    one.until(lambda seen: held(seen, "durability") or held(seen, "HEALTH_TAPE"), "told that nothing is kept")
    first = one.status().day.entries
    time.sleep(2.0)
    assert one.status().day.entries == first
    resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    traded(one)


def ended_while_full(one: Engine, host: Host) -> None:
    """An end is not put off for ever: exit code 74, and the next start goes on with what was kept."""
    size = one.tapes()[0].stat().st_size
    resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    one.until(lambda seen: held(seen, "durability"), "told that nothing is kept")
    began = time.monotonic()
    assert one.order("stop", "3").code == 0
    # Whether the tape or the decisions beside it fail first decides between the two.
    assert one.ended() in (exits.IO_FAILED, exits.CANNOT_CREATE), one.told()
    assert time.monotonic() - began < 30
    one.start()
    traded(one)


def database_locked(one: Engine, host: Host) -> None:
    """Who holds the read model's database holds up nobody."""
    stores = list(one.state.glob("*.sqlite"))
    assert stores
    with sqlite3.connect(stores[0], isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        traded(one)
        time.sleep(3.0)
        traded(one)
        other.execute("ROLLBACK")
    traded(one)


def tail_cut(one: Engine, host: Host) -> None:
    """A power cut leaves half a write: what was durable goes on."""
    one.kill()
    (tape,) = one.tapes()
    with tape.open("r+b") as file:
        file.truncate(tape.stat().st_size - 7)
    one.start()
    traded(one)


def tail_torn(one: Engine, host: Host) -> None:
    """A power cut leaves a page of zeros."""
    one.kill()
    (tape,) = one.tapes()
    with tape.open("ab") as file:
        file.write(bytes(4_096))
    one.start()
    traded(one)


def middle_damaged(one: Engine, host: Host) -> None:
    """Nobody goes on with a tape that was changed, and it stays as it is."""
    assert one.stop() == 0
    (tape,) = one.tapes()
    data = bytearray(tape.read_bytes())
    data[len(data) // 2] ^= 0x40
    tape.write_bytes(data)
    one.start()
    assert one.ended() in (exits.IO_FAILED, exits.REFUSED), one.told()
    assert tape.read_bytes() == data
    data[len(data) // 2] ^= 0x40
    tape.write_bytes(data)
    one.start()
    traded(one)


def loop_stalls(one: Engine, host: Host) -> None:
    """A call that blocks for three seconds is told with its stack, and stands against entries."""
    (one.home / "stall").touch()
    one.until(lambda seen: seen.loop.stalls > 0, "a stall")
    traded(one)
    assert "loop_stalled" in one.told() + "".join(path.read_text() for path in (one.home / "logs").glob("*.jsonl"))
    assert stood_still(one)


def strategy_raises(one: Engine, host: Host) -> None:
    """A bug ends the process, not the account: what was decided is on the tape, and it goes on where it stopped."""
    (one.home / "raise").touch()
    assert one.ended() != 0
    (one.home / "raise").unlink()
    one.start()
    traded(one)


def stands_still(one: Engine, host: Host) -> None:
    """Ten seconds without a turn of the processor: what is decided then is decided on rows that came since."""
    os.kill(one.pid, signal.SIGSTOP)
    time.sleep(10.0)
    os.kill(one.pid, signal.SIGCONT)
    one.until(lambda seen: seen.feeds[0].status == "LIVE", "live")
    traded(one)
    assert stood_still(one)


def log_flooded(one: Engine, host: Host) -> None:
    """Thousands of reports of one place become a few lines."""
    before = sum(path.stat().st_size for path in (one.home / "logs").glob("*"))
    for _ in range(500):
        os.kill(one.pid, signal.SIGHUP)
        time.sleep(0.002)
    traded(one)
    after = sum(path.stat().st_size for path in (one.home / "logs").glob("*"))
    assert after - before < 100_000


def descriptors_leak(one: Engine, host: Host) -> None:
    """Thirty connections later as many files are open as before."""
    before = one.descriptors()
    for _ in range(30):
        host.do(lambda venue: venue.kick("abort"))
        host.do(lambda venue: asyncio.sleep(0.05))
    one.until(lambda seen: seen.feeds[0].status == "LIVE", "live")
    traded(one)
    assert abs(one.descriptors() - before) <= 5


def killed_by_file(one: Engine, host: Host) -> None:
    find_paths(one.home, {}, one.home).runtime.joinpath("KILL").touch()
    one.until(lambda seen: seen.kill_level == "entries", "killed")
    one.kill()
    one.start()
    one.until(lambda seen: seen.state == "HALTED" and held(seen, "HALTED"), "killed still")


def venue_gone_at_start(one: Engine, host: Host) -> None:
    """A venue that cannot be reached: exit code 75, and nothing was begun."""
    assert one.stop() == 0
    text = (one.home / "wyckoff.toml").read_text()
    (one.home / "wyckoff.toml").write_text(text.replace(host.venue.rest_url, "http://127.0.0.1:9"))
    tape = one.tapes()[0].read_bytes()
    one.start()
    assert one.ended() == exits.TEMPORARY, one.told()
    assert one.tapes()[0].read_bytes() == tape
    (one.home / "wyckoff.toml").write_text(text)
    one.start()
    traded(one)


def tls_refused(one: Engine, host: Host) -> None:
    """Who answers does not speak TLS: not reached, exit code 75."""
    assert one.stop() == 0
    text = (one.home / "wyckoff.toml").read_text()
    (one.home / "wyckoff.toml").write_text(text.replace("http://", "https://"))
    one.start()
    assert one.ended() == exits.TEMPORARY, one.told()
    (one.home / "wyckoff.toml").write_text(text)
    one.start()
    traded(one)


def names_shadowed(one: Engine, host: Host) -> None:
    """Files beside the configuration are nobody's modules."""
    for name in ("json", "attr", "numpy", "strategies"):
        (one.home / f"{name}.py").write_text("raise RuntimeError('shadowed')\n")
    found = one.run("status", "--home", str(one.home), "--json")
    assert found.returncode == 0, found.stderr
    killed(one, host)


def stood_still(one: Engine) -> bool:
    """On the tape: the process measured that it had stood still."""
    with TapeReader(one.tapes()[-1]) as reader:
        return any(
            isinstance(fact, Health) and fact.name == "stood_still_ms" and fact.value > fact.limit
            for fact in reader.facts()
        )


ROWS_OF_PROCESS = [
    Row("P01-killed", killed, short=True),
    Row("P01-killed-while-starting", killed_at_start),
    Row("P01-killed-while-stale", killed_while_stale),
    Row("P01-stopped-and-started", stopped_and_started),
    Row("P02-disk-full", disk_full, short=True),
    Row("P02-ended-while-full", ended_while_full),
    Row("P03-database-locked", database_locked),
    Row("P05-tail-cut", tail_cut, short=True),
    Row("P05-tail-torn", tail_torn),
    Row("P05-middle-damaged", middle_damaged),
    Row("P08-loop-stalls", loop_stalls),
    Row("P09-strategy-raises", strategy_raises),
    Row("P13-log-flooded", log_flooded),
    Row("P14-descriptors", descriptors_leak),
    Row("P16-stands-still", stands_still),
    Row("P17-killed-by-file", killed_by_file),
    Row("P18-venue-gone", venue_gone_at_start),
    Row("P18-tls-refused", tls_refused),
    Row("P20-names-shadowed", names_shadowed),
]


def play(row: Row, directory: Path) -> str:
    """Runs one row and asserts its laws; says what was decided."""
    with trading(directory / "home") as (one, host):
        row.act(one, host)
        if row.exit_code is not None:
            assert one.stop() == row.exit_code, one.told()
        return judge(one)


def judge(one: Engine) -> str:
    """I9, I15: of each tape, replayed in this process, under the settings that the engine had."""
    register()
    paths = find_paths(one.home, {}, one.home)
    config: Config = settle(one.configs, paths, {}).config
    told = []
    for tape in one.tapes():
        proof = prove(tape, decisions_of(tape), config)
        assert proof.ok, proof
        told.append(f"{proof.decisions} decisions")
        found = verdicts_of(tape, config)
        assert found.entries_while_held == 0, found
        told.append(str(found))
    return ", ".join(told)


def verdicts_of(tape: Path, config: Config) -> Verdicts:
    """Judged from a replay: the verdicts are not on the tape, the line makes them again."""
    noted = Noted()
    replay.begin(config, replay.from_tape(tape, 4_096), (noted,), None, "").finish()
    return verdicts(noted.of(object))
