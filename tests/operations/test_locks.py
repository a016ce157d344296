"""The state lock: one engine a directory, told at once, let go by any death; the kill file beside it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.control import killfile
from engine.control.killfile import KillRecord
from engine.control.status import KillLevel, stronger
from engine.locks import Holder, LockedError, StateLock, holder_of

HOLDER = Holder(pid=4242, started_ns=1_700_000_000_000_000_000, mode="paper")

HOLD = """
import sys, time
from pathlib import Path
from engine.locks import Holder, StateLock
lock = StateLock(Path(sys.argv[1]), Holder(pid=__import__("os").getpid(), started_ns=0, mode="live"))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_start_is_refused_and_told_who(tmp_path: Path) -> None:
    with StateLock(tmp_path, HOLDER):
        begun = time.monotonic()
        with pytest.raises(LockedError, match=r"pid 4242 \(paper, since 2023-11-14T22:13:20Z\)"):
            StateLock(tmp_path, HOLDER)

        assert time.monotonic() - begun < 1
        assert holder_of(tmp_path) == HOLDER
    assert holder_of(tmp_path) is None
    StateLock(tmp_path, HOLDER).release()


def test_directories_are_locked_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    with StateLock(tmp_path / "a", HOLDER), StateLock(tmp_path / "b", HOLDER):
        assert holder_of(tmp_path / "a") == holder_of(tmp_path / "b") == HOLDER


def test_a_killed_holder_leaves_nothing_to_clean_up(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=f"pid {other.pid} "):
            StateLock(tmp_path, HOLDER)
        os.kill(other.pid, signal.SIGKILL)
        other.wait()

    assert holder_of(tmp_path) is None
    StateLock(tmp_path, HOLDER).release()


def test_a_holder_that_has_not_said_who_still_holds(tmp_path: Path) -> None:
    with StateLock(tmp_path, HOLDER):
        (tmp_path / "lock").write_bytes(b"\xff")

        with pytest.raises(LockedError, match="another process"):
            StateLock(tmp_path, HOLDER)
        assert holder_of(tmp_path) == Holder(0, 0, "unknown")


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")

    with pytest.raises(OSError, match="symbolic"):
        StateLock(tmp_path, HOLDER)

    assert (tmp_path / "victim").read_text() == "mine"


def test_a_kill_is_found_again_and_cleared(tmp_path: Path) -> None:
    record = KillRecord(KillLevel.CANCEL, "reason", "alice (uid 1000)", 7)
    assert killfile.read(tmp_path) is None

    killfile.write(tmp_path, record)

    assert killfile.read(tmp_path) == record
    assert (tmp_path / "KILL").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["KILL"]
    killfile.clear(tmp_path)
    killfile.clear(tmp_path)
    assert killfile.read(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"level":"sever"}', b"\xff", b"[" * 9_000])
def test_a_kill_file_that_cannot_be_understood_kills_entries(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "KILL").write_bytes(content)

    found = killfile.read(tmp_path)

    assert found is not None
    assert found.level is KillLevel.ENTRIES


def test_a_directory_in_place_of_the_kill_file_kills_entries(tmp_path: Path) -> None:
    (tmp_path / "KILL").mkdir()

    found = killfile.read(tmp_path)

    assert found is not None
    assert found.level is KillLevel.ENTRIES


def test_a_file_beside_the_socket_asks_for_a_kill(tmp_path: Path) -> None:
    assert not killfile.requested(tmp_path)
    (tmp_path / "KILL").touch()
    assert killfile.requested(tmp_path)


def test_a_kill_never_weakens_one_that_stands() -> None:
    assert stronger(KillLevel.FLATTEN, KillLevel.ENTRIES) is KillLevel.FLATTEN
    assert stronger(KillLevel.NONE, KillLevel.CANCEL) is KillLevel.CANCEL
