"""The doctor: each check finds what it is for, a sound machine gets none, nothing is changed."""

import os
import socket
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from engine import doctor, doctor_host, doctor_install, doctor_online
from engine.cli import app
from engine.config import Config
from engine.doctor import DoctorReport, permissions, running
from engine.doctor_finding import Finding
from engine.init_command import initialised
from engine.locks import Holder, StateLock
from engine.paths import Paths, find_paths
from tests.config.makers import home, settled

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WYCKOFF_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    initialised(tmp_path)
    return find_paths(tmp_path, {}, tmp_path)


def test_a_fresh_installation_has_nothing_to_mend(paths: Paths) -> None:
    result = CliRunner().invoke(app, ["doctor", "--home", str(paths.config), "--json"])

    report = msgspec.json.decode(result.stdout, type=DoctorReport)
    assert [one for one in report.findings if one.state == "bad"] == []
    assert (result.exit_code, report.ok) == (0, True)
    assert {one.check for one in report.findings} >= {
        "python", "packages", "kernels", "clock", "ntp", "time zones", "open files", "configuration", "disk", "memory",
        "permissions", "engine",
    }  # fmt: skip


def test_what_is_found_is_told_with_what_to_do(paths: Paths) -> None:
    (paths.secrets / "monitor_token").chmod(0o644)

    result = CliRunner().invoke(app, ["doctor", "--home", str(paths.config)])

    assert result.exit_code == 10
    assert f"chmod 0600 {paths.secrets / 'monitor_token'}" in result.stdout
    assert "wyckoff config check" in result.stdout
    assert "2 to mend" in result.stdout


def test_an_installation_that_is_none_says_how_to_begin(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--home", str(tmp_path)])

    assert result.exit_code == 10
    assert "wyckoff init" in result.stdout


@pytest.mark.parametrize(
    ("name", "mode"), [("secrets", 0o750), ("state", 0o770), ("run", 0o701), ("state/live", 0o777)]
)
def test_folders_open_to_others_are_found(name: str, mode: int, paths: Paths) -> None:
    folder = paths.config / name
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(mode)

    (found,) = permissions(paths)

    assert found.state == "bad"
    assert f"{folder} has mode {mode:04o}" in found.found


def test_files_of_another_user_are_found(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    assert {one.state for one in permissions(paths)} == {"bad"}


def test_an_engine_that_holds_its_state_and_does_not_answer_is_found(paths: Paths) -> None:
    paths.state_of("paper").mkdir(parents=True)
    assert running(paths).found == "none is running"

    with StateLock(paths.state_of("paper"), Holder(4242, 0, "paper")):
        assert (running(paths).state, running(paths).hint) == ("bad", "kill 4242")

        paths.runtime.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as engine:
            engine.bind(str(paths.socket))
            engine.listen()
            assert running(paths).found == "paper runs as pid 4242"


def clocks(wall_ns: int, monotonic_ns: int, start_ns: int = NOW) -> Finding:
    """How the clock looks when these spans pass on both clocks."""
    walls, monotonics = iter((start_ns, start_ns + wall_ns)), iter((0, monotonic_ns))
    return doctor_host.clock(lambda: next(walls), lambda: next(monotonics), lambda _: None)


def test_clocks() -> None:
    assert clocks(50_000_000, 50_000_000).state == "good"
    assert clocks(50_000_000, 45_000_000).state == "good"
    assert clocks(50_000_000, 44_999_999).state == "bad"
    assert clocks(-3_600 * SECOND, 50_000_000).state == "bad"
    assert clocks(0, 0, start_ns=0).hint.startswith("set the clock")


def test_a_clock_that_nobody_keeps() -> None:
    assert doctor_host.synchronised(lambda: (0, 1_500)).found == "kept, error at most 2 ms"
    assert doctor_host.synchronised(lambda: (doctor_host.TIME_ERROR, 0)).state == "note"
    assert doctor_host.synchronised(lambda: (-1, 0)).state == "note"
    assert doctor_host.synchronised().state in ("good", "note")


@pytest.mark.parametrize(
    ("soft", "state"), [(255, "bad"), (256, "note"), (1_023, "note"), (1_024, "good"), (-1, "good")]
)
def test_open_files(soft: int, state: str) -> None:
    assert doctor_host.open_files(lambda: (soft, 4_096)).state == state


def test_disk_and_memory(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:     1000000 kB\nMemFree: 5 kB\n")

    assert doctor_host.disk(tmp_path / "not" / "yet", 1).state == "good"
    assert doctor_host.disk(tmp_path, 10**12).state == "bad"
    assert doctor_host.memory(1_024, tmp_path / "meminfo").state == "good"
    assert doctor_host.memory(1_025, tmp_path / "meminfo").state == "note"
    assert doctor_host.memory(1, tmp_path / "nowhere").state == "note"


def test_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_host.zones().state == "good"
    monkeypatch.setattr(doctor_host, "ZONES", ("Europe/Atlantis",))
    assert doctor_host.zones().state == "bad"


def test_interpreter_and_packages() -> None:
    assert doctor_install.interpreter((3, 11)).state == "good"
    assert doctor_install.interpreter((3, 12)).state == "bad"
    assert doctor_install.packages(doctor_install.pins()).state in ("good", "note")
    assert doctor_install.packages({"numpy": "0.0"}).state == "bad"
    assert doctor_install.packages({"typer": "0.0"}).state == "note"
    assert doctor_install.packages({}).state == "good"


def test_a_cache_of_kernels_that_others_can_write_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a cached kernel runs what it holds."""
    assert doctor_install.kernels().state in ("good", "note")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setattr("engine.kernels.cache_directory", lambda _: tmp_path / "open")

    assert doctor_install.kernels().hint == f"chmod 0700 {tmp_path / 'open'}"


def config(directory: Path, url: str) -> Config:
    feed = (
        '[[feeds]]\nname = "x"\nkind = "alpaca"\nsource = "iex"\nsymbols = ["SPY"]\nchannels = ["trades"]\n'
        f'stale_after = {{ trades = "15s" }}\nrest_url = "{url}"\n'
    )
    return settled(home(directory, feed)).config


def test_a_feed_that_cannot_be_reached_is_found(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        (found,) = doctor_online.reachable(config(tmp_path, f"http://127.0.0.1:{port}"))

    assert (found.check, found.state) == ("feed x", "bad")


def test_a_simulated_feed_needs_no_network(tmp_path: Path) -> None:
    (found,) = doctor_online.reachable(settled(home(tmp_path)).config)

    assert found.state == "good"


def test_without_online_nobody_is_asked(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: object) -> list[Finding]:
        raise AssertionError

    monkeypatch.setattr(doctor, "online_checks", ask)

    assert list(doctor.examined(paths, (), (), online=False))
