"""`replay --monitor`: the page beside a run, fed while it goes and left standing when it has ended."""

import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import exits
from tests.monitor.test_monitor_process import ENGINE, PLAIN, ROOT, asked, free, waited

pytestmark = pytest.mark.timeout(180)

ROWS = 400


def written(directory: Path) -> Path:
    """Daily bars of one symbol."""
    path = directory / "AAA.csv"
    days = [f"20{20 + number // 336}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}" for number in range(ROWS)]
    lines = [f"{day},10,{13 + number % 5},9,{10 + number % 3},1000" for number, day in enumerate(days)]
    path.write_text("\n".join(["date,open,high,low,close,volume", *lines]) + "\n")
    return path


@contextmanager
def replaying(directory: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    port, temporary = free(), short(directory)
    command = [*ENGINE, "replay", str(written(directory)), "--monitor", "--listen", f"127.0.0.1:{port}", *options]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=PLAIN | {"TMPDIR": str(temporary)},
    ) as process:  # fmt: skip
        try:
            yield process, port
        finally:
            process.kill()


def short(directory: Path) -> Path:
    """A place of the test's own whose sockets have names that are short enough."""
    made = Path(tempfile.mkdtemp(prefix="wr", dir="/tmp"))
    (directory / "temporary").symlink_to(made)
    return made


@pytest.fixture(autouse=True)
def _swept(tmp_path: Path) -> Iterator[None]:
    yield
    if (tmp_path / "temporary").exists():
        shutil.rmtree((tmp_path / "temporary").resolve())


def token_of(directory: Path) -> str:
    """As soon as the page's process has made it."""
    path = waited(lambda: next(iter((directory / "temporary").glob("*/secrets/monitor_token")), None))
    return str(waited(lambda: path.read_text().strip()))


def commanded(port: int, token: str, body: dict[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/commands", data=msgspec.json.encode(body), method="POST",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = msgspec.json.decode(answer.read())
        return found


def digest_of(out: str) -> str:
    return next(line.split()[1] for line in out.splitlines() if line.startswith("digest"))


def test_the_page_shows_the_run_after_it_has_ended_until_a_signal(tmp_path: Path) -> None:
    with replaying(tmp_path) as (process, port):
        told = said(process, "the page stays")
        token = token_of(tmp_path)
        run = waited(lambda: ended(port, token))
        bars = asked(port, "/api/v1/bars?symbol=AAA&timeframe=1d&limit=1000", token)[1]
        heat = asked(port, "/api/v1/heat/series", token)[1]
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=60)
    alone = subprocess.run(
        [*ENGINE, "replay", str(tmp_path / "AAA.csv")], cwd=ROOT, capture_output=True, text=True, check=True, env=PLAIN
    )

    assert process.returncode == 0
    assert run["mode"] == "replay"
    assert len(bars["rows"]) == ROWS
    assert {one["heat_bp"] for one in heat["items"]} == {0}
    assert digest_of(out) == digest_of(alone.stdout) == run["digest"]
    assert f"the monitor is at http://127.0.0.1:{port}/" in told + rest
    assert "monitor_listens" not in out
    assert list((tmp_path / "temporary").iterdir()) == []
    assert asked(port, "/healthz")[0] == 0


def said(process: "subprocess.Popen[str]", words: str) -> str:
    """What it has told people, until it says these words."""
    assert process.stderr is not None
    lines: list[str] = []
    while not lines or words not in lines[-1]:
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    return "".join(lines)


def ended(port: int, token: str) -> Any:
    runs = asked(port, "/api/v1/runs", token)[1]
    return next((one for one in (runs or {}).get("items", ()) if one["ended"]), None)


def test_a_paced_run_is_streamed_held_and_let_go_from_the_page(tmp_path: Path) -> None:
    with replaying(tmp_path, "--speed", "200000") as (process, port):
        token = token_of(tmp_path)
        status = waited(lambda: told_status(port, token))
        held = commanded(port, token, {"name": "pause"})
        waited(lambda: told_status(port, token)["state"] == "PAUSED")
        first = told_status(port, token)["line_time"]
        killed = commanded(port, token, {"name": "kill", "argument": "flatten", "reason": "smoke"})
        still = told_status(port, token)["line_time"]
        commanded(port, token, {"name": "resume"})
        waited(lambda: told_status(port, token)["line_time"] > first)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert (status["mode"], status["venue_is_simulated"], status["feeds"][0]["kind"]) == ("replay", True, "recorded")
    assert held["code"] == 0
    assert killed["code"] == exits.REFUSED
    assert still == first
    assert process.returncode == 130
    assert list((tmp_path / "temporary").iterdir()) == []


def told_status(port: int, token: str) -> Any:
    found = asked(port, "/api/v1/status", token)[1]
    return found and found.get("status")


def test_a_run_whose_page_cannot_be_served_says_so(tmp_path: Path) -> None:
    with replaying(tmp_path, "--listen", "0.0.0.0:8787") as (process, _):
        out, told = process.communicate(timeout=120)

    assert process.returncode == exits.CANNOT_CREATE
    assert digest_of(out)
    assert "listen is a public address" in told
    assert "--monitor: the page's process has ended with 78" in told


def test_a_place_whose_sockets_would_have_too_long_names_is_told(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()

    ended = subprocess.run(
        [*ENGINE, "replay", str(written(tmp_path)), "--monitor"], cwd=ROOT, capture_output=True, text=True, check=False,
        env=PLAIN | {"TMPDIR": str(deep)},
    )  # fmt: skip

    assert ended.returncode == exits.CANNOT_CREATE
    assert "TMPDIR chooses another place" in ended.stderr


def test_listening_without_a_monitor_is_refused(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*ENGINE, "replay", str(written(tmp_path)), "--listen", "127.0.0.1:1"], cwd=ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip

    assert ended.returncode == exits.USAGE
    assert "--listen is for --monitor" in ended.stderr
