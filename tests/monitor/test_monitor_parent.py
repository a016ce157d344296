"""A monitor that an engine has started does not outlive it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 60


def test_it_ends_when_its_engine_was_killed(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    engine = [sys.executable, "-m", "engine"]
    subprocess.run([*engine, "init", home], cwd=ROOT, check=True, capture_output=True, timeout=SECONDS)
    port = free()
    monitor = [*engine, "monitor", "--home", home, "--listen", f"127.0.0.1:{port}", "--with-parent"]
    begin = f"subprocess.Popen([*{monitor!r}, str(os.getpid())])"
    parent = f"import os, subprocess, sys; print({begin}.pid, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", parent],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as killed:
        assert killed.stdout is not None
        child = int(killed.stdout.readline())
        assert answers(port)
        killed.kill()

    for _ in range(10 * SECONDS):
        if is_gone(child):
            return
        time.sleep(0.1)
    os.kill(child, 9)
    raise AssertionError("the monitor went on without its engine")


def test_it_ends_when_its_engine_was_gone_before_it_looked(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    engine = [sys.executable, "-m", "engine"]
    subprocess.run([*engine, "init", home], cwd=ROOT, check=True, capture_output=True, timeout=SECONDS)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()

    monitor = [*engine, "monitor", "--home", home, "--listen", f"127.0.0.1:{free()}", "--with-parent", str(gone.pid)]
    ended = subprocess.run(monitor, cwd=ROOT, capture_output=True, check=False, timeout=SECONDS)

    assert ended.returncode == 0


def answers(port: str) -> bool:
    for _ in range(10 * SECONDS):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=SECONDS) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False


def free() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
