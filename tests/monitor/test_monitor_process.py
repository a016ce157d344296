"""`wyckoff monitor`, `watch` and `replay --monitor` as processes: what a person gets who types them."""

import asyncio
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from engine import exits
from engine.live.stream import SOCKET_NAME, EngineStream
from engine.monitor.hub import SCHEMA
from engine.watch_command import ProtocolError, Seen, drawn, line_of
from tests.control.makers import Engine, server, status, troubled
from tests.makers import table
from tests.monitor.rig import MovedClock, start
from tests.monitor.test_monitor_tls import certificate
from tests.test_tap import decisions

ROOT = Path(__file__).parents[2]
ENGINE = [sys.executable, "-m", "engine"]
SECONDS = 60
PLAIN = os.environ | {"NO_COLOR": "1", "COLUMNS": "160", "TERM": "xterm"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found = tmp_path / "home"
    subprocess.run([*ENGINE, "init", str(found)], cwd=ROOT, check=True, capture_output=True, timeout=SECONDS)
    return found


def free() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def asked(port: int, path: str, token: str = "") -> tuple[int, Any]:
    """(0, None) while nobody answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request if token else request.full_url, timeout=5) as answer:
            return answer.status, msgspec.json.decode(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, msgspec.json.decode(error.read())
    except OSError:
        return 0, None


def waited(condition: Callable[[], object]) -> Any:
    for _ in range(20 * SECONDS):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it has not come to this")


@contextmanager
def monitor(home: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A monitor of this home that answers, and its port."""
    port = free()
    command = [*ENGINE, "monitor", "--home", str(home), "--listen", f"127.0.0.1:{port}", *options]
    with running(command) as process:
        waited(lambda: process.poll() is not None or asked(port, "/healthz")[0])
        yield process, port


@contextmanager
def running(command: list[str], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=PLAIN, **options,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@asynccontextmanager
async def engine(home: Path) -> AsyncIterator[Engine]:
    """Streams and answers where the engine of this home would."""
    (home / "run").mkdir(mode=0o700, exist_ok=True)
    found, stream = Engine(), EngineStream(home / "run" / SOCKET_NAME, MovedClock())
    stream.begin(start(), table("AAA", "BBB").all, run="r1", status=found.status)
    for one in decisions()[1:]:
        stream.write(one)
    async with anyio.create_task_group() as tasks, server(home, found):
        tasks.start_soon(stream.run)
        yield found
        tasks.cancel_scope.cancel()


# --------------------------------------------------------------------------------------- monitor


def test_a_monitor_says_where_it_is_serves_and_ends_with_0(home: Path) -> None:
    token = (home / "secrets" / "monitor_token").read_text().strip()
    with monitor(home) as (process, port):
        found = asked(port, "/api/v1/status", token)
        without = asked(port, "/api/v1/status")
        process.send_signal(signal.SIGTERM)
        out, told = process.communicate(timeout=SECONDS)

    assert found[0] == 200
    assert found[1]["link"]["state"] == "ABSENT"
    assert without[0] == 401
    assert process.returncode == 0
    assert f"the monitor is at http://127.0.0.1:{port}/; sign in with the token of {home}/secrets/" in told
    assert token not in told + out


def test_a_port_that_is_taken_is_told(home: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        ended = subprocess.run(
            [*ENGINE, "monitor", "--home", str(home), "--listen", address], cwd=ROOT, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip

    assert ended.returncode == exits.CANNOT_CREATE
    assert f"cannot listen on {address}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_token_for_looking_may_not_operate(home: Path) -> None:
    path = home / "secrets" / "monitor_read_token"
    path.write_text("looks-" + "zY8xW6vU4tS2" * 4)
    path.chmod(0o600)
    with monitor(home) as (_, port):
        role = asked(port, "/api/v1/status", path.read_text())[0]
        body = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/commands", data=b'{"name":"pause"}', method="POST",
            headers={"Authorization": f"Bearer {path.read_text()}", "Content-Type": "application/json"},
        )  # fmt: skip
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(body, timeout=5)
        refused.value.close()

    assert (role, refused.value.code) == (200, 403)


def test_a_token_file_that_others_can_read_is_refused(home: Path) -> None:
    (home / "secrets" / "monitor_token").chmod(0o644)

    ended = subprocess.run(
        [*ENGINE, "monitor", "--home", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert ended.returncode == exits.BAD_CONFIG
    assert "0600" in ended.stderr


def test_the_monitor_loads_no_kernels() -> None:
    """They would double its memory; it never calls one."""
    look = "import engine.monitor_command, sys; print([one for one in ('numba', 'llvmlite') if one in sys.modules])"

    found = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


# ----------------------------------------------------------------------------------------- watch


async def watched(home: Path, port: int, *options: str) -> tuple[int, str, str]:
    command = [*ENGINE, "watch", "--home", str(home), "--listen", f"127.0.0.1:{port}", *options]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=PLAIN, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        out, told = await process.communicate()
    return process.returncode or 0, out.decode(), told.decode()


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_watch_once_shows_what_the_engine_says(home: Path) -> None:
    async with engine(home) as found:
        found.now = status()
        port = free()
        command = [*ENGINE, "monitor", "--home", str(home), "--listen", f"127.0.0.1:{port}"]
        with running(command):
            token = (home / "secrets" / "monitor_token").read_text().strip()
            await connected(port, token)
            code, out, told = await watched(home, port, "--once")
            found.now = troubled()
            await connected(port, token, "live")
            _, bad, _ = await watched(home, port, "--once")

    assert (code, told) == (0, "")
    for word in (
        "PAPER",
        "RUNNING",
        "entries are possible",
        "3.12 % of 10 %",
        "ACME",
        "simulated",
        "approved",
        "SPRING",
    ):
        assert word in out, out
    for word in ("LIVE", "HALTED", "not trading: kill flatten", "KILLED", "no trades for 64 s", "heat unknown"):
        assert word in bad, bad
    assert "\x1b[31m" not in bad, "what others wrote controls no terminal"


async def connected(port: int, token: str, mode: str = "paper") -> None:
    def is_there() -> bool:
        found = asked(port, "/api/v1/status", token)[1]
        return bool(found and found["status"] and found["status"]["mode"] == mode)

    async with asyncio.timeout(SECONDS):
        while not await anyio.to_thread.run_sync(is_there):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_watch_in_a_terminal_follows_and_ends_with_a_key(home: Path) -> None:
    async with engine(home) as found:
        port = free()
        with running([*ENGINE, "monitor", "--home", str(home), "--listen", f"127.0.0.1:{port}"]):
            await connected(port, (home / "secrets" / "monitor_token").read_text().strip())
            ours, theirs = pty.openpty()
            command = [*ENGINE, "watch", "--home", str(home), "--listen", f"127.0.0.1:{port}"]
            terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=PLAIN, **terminal)
            os.close(theirs)
            try:
                first = await anyio.to_thread.run_sync(seen_on, ours, "RUNNING")
                found.now = status(paused_by="alice", state="PAUSED")
                second = await anyio.to_thread.run_sync(seen_on, ours, "PAUSED")
                process.send_signal(signal.SIGINT)
                await anyio.to_thread.run_sync(seen_on, ours, "\x1b[?1049l")
                async with asyncio.timeout(SECONDS):
                    code = await process.wait()
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                os.close(ours)

    assert "ACME" in first
    assert "PAUSED" in second
    assert code == 0


def seen_on(terminal: int, word: str) -> str:
    """What has been written until `word`."""
    text, until = "", time.monotonic() + SECONDS
    while word not in text and time.monotonic() < until:
        if select.select([terminal], [], [], 0.2)[0]:
            with suppress(OSError):
                text += os.read(terminal, 65_536).decode(errors="replace")
    assert word in text, text[-2_000:]
    return text


@pytest.mark.asyncio
async def test_watch_without_a_monitor_says_so(home: Path) -> None:
    code, _, told = await watched(home, free(), "--once")

    assert code == exits.NOT_RUNNING
    assert "no monitor answers at ws://127.0.0.1:" in told
    assert "Traceback" not in told


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_watch_with_another_token_is_turned_away(home: Path, tmp_path: Path) -> None:
    with monitor(home) as (_, port):
        (home / "secrets" / "monitor_token").write_text("another-" + "aB3dE5gH7jK9" * 4)
        code, _, told = await watched(home, port, "--once")

    assert code == exits.NO_PERMISSION
    assert "the monitor answered 401" in told


@pytest.mark.asyncio
@pytest.mark.timeout(120)
async def test_watch_speaks_tls_where_the_monitor_does(home: Path) -> None:
    certificate(home)
    port = free()
    sets = ["--set", "monitor.tls_cert_file={config}/page.crt", "--set", "monitor.tls_key_file={config}/page.key"]
    with running([*ENGINE, "monitor", "--home", str(home), "--listen", f"127.0.0.1:{port}", *sets]) as process:
        assert process.stderr is not None
        told = await anyio.to_thread.run_sync(process.stderr.readline)
        code, out, _ = await watched(home, port, "--once", *sets)
        plain, _, _ = await watched(home, port, "--once")

    assert f"https://127.0.0.1:{port}/" in told
    assert (code, "no engine" in out) == (0, True)
    assert plain == exits.NOT_RUNNING


def test_watch_asks_for_a_snapshot_where_a_number_is_missing() -> None:
    seen = Seen()
    state = {name: [] for name in ("prices", "decisions", "executions", "alerts")} | {"status": None, "link": {}}

    assert seen.take(msgspec.json.encode({"type": "snapshot", "seq": 4, "state": state}))
    assert seen.take(delta(5, "price", {"symbol": "A", "time_ms": 1, "price": 2.0}))
    assert not seen.take(delta(7, "price", {"symbol": "A", "time_ms": 2, "price": 3.0}))
    assert seen.prices["A"]["price"] == 2.0
    assert seen.take(delta(6, "link", {"state": "ABSENT", "reason": "gone"}))
    assert seen.link["reason"] == "gone"


@pytest.mark.parametrize("frame", [b"nonsense", msgspec.json.encode({"type": "hello", "schema": SCHEMA + 1})])
def test_watch_says_what_it_cannot_read(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        Seen().take(frame)


def test_a_line_of_the_log_is_printable_whatever_was_written() -> None:
    style, text = line_of("alert", {"level": "critical", "text": "\x1b]0;x\x07 bad"})
    seen = Seen(status=msgspec.to_builtins(status(), enc_hook=str))
    seen.lines.append((style, text))

    assert style == "bold red"
    assert drawn(seen) is not None


def delta(seq: int, topic: str, data: Any) -> bytes:
    return msgspec.json.encode({"type": "delta", "seq": seq, "items": [{"topic": topic, "data": data}]})
