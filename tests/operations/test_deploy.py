"""The unit file and the Dockerfile agree with the engine's exit codes, paths and time limits."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from engine import exits
from engine.config import shipped
from engine.config.daemon_tables import LiveSettings
from engine.paths import SERVICE, find_engine, find_paths

DEPLOY = shipped("replay").parent / "deploy"
UNIT = (DEPLOY / "wyckoff.service").read_text()
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def setting(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def test_codes_that_need_a_person_are_not_restarted() -> None:
    (codes,) = setting("RestartPreventExitStatus")

    assert [int(one) for one in codes.split()] == [
        exits.USAGE, exits.REFUSED, exits.NO_PERMISSION, exits.BAD_CONFIG,
    ]  # fmt: skip


def test_the_unit_names_the_directories_that_commands_look_into(tmp_path: Path) -> None:
    for kind, base in (("State", "/var/lib"), ("Cache", "/var/cache"), ("Logs", "/var/log"), ("Runtime", "/run")):
        (name,) = setting(f"{kind}Directory")
        assert SERVICE[f"{kind.upper()}_DIRECTORY"] == f"{base}/{name}"
        assert setting(f"{kind}DirectoryMode") == ["0700"]

    assert find_paths(None, SERVICE, tmp_path).config == Path("/etc/wyckoff")


def test_commands_find_the_service_where_nothing_else_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SERVICE, "RUNTIME_DIRECTORY", str(tmp_path / "run"))
    environ = {"HOME": str(tmp_path)}
    assert find_engine(None, environ, tmp_path).source == "XDG"

    (tmp_path / "run").mkdir()

    assert find_engine(None, environ, tmp_path).socket == tmp_path / "run" / "ctl.sock"
    assert find_engine(tmp_path, environ, tmp_path).source == "--home"


def test_there_is_time_to_drain() -> None:
    drain_s = LiveSettings().drain_s

    assert int(setting("TimeoutStopSec")[0]) > drain_s + 10
    assert int(re.findall(r"--stop-timeout (\d+)", DOCKERFILE)[0]) > drain_s + 10


def test_secrets_come_as_credentials_and_no_core_is_dumped() -> None:
    assert all(":/etc/wyckoff/secrets/" in one for one in setting("LoadCredential"))
    assert setting("LimitCORE") == ["0"]
    assert setting("Type") == ["notify"]
    assert setting("WatchdogSec")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """The program is not installed on the machine that tests: another stands in for it."""
    (tmp_path / "wyckoff.service").write_text(UNIT.replace("/opt/wyckoff/bin/wyckoff trade", "/bin/true"))

    found = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "wyckoff.service")], capture_output=True, text=True, check=False
    )  # fmt: skip

    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_service_is_shut_in(tmp_path: Path) -> None:
    """systemd's own figure, 0 best, 10 worst; services of this kind are often at 9."""
    found = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(DEPLOY / "wyckoff.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Overall exposure" not in found.stdout:
        pytest.skip(f"this release cannot judge a file: {found.stderr.strip()}")

    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", found.stdout)
    assert float(exposure) <= 2.0


def instructions() -> list[tuple[str, str]]:
    joined = DOCKERFILE.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_the_image_is_built_in_two_stages_and_runs_as_nobody_special() -> None:
    found = instructions()
    last = found[max(place for place, (name, _) in enumerate(found) if name == "FROM") :]

    assert [name for name, _ in found].count("FROM") == 2
    assert {"USER", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD", "VOLUME"} <= {name for name, _ in last}
    assert dict(last)["USER"] == "10001:10001"
    assert '["wyckoff", "status"' in dict(last)["HEALTHCHECK"]
    assert "EXPOSE" not in dict(found)
    assert not re.search(r"(KEY|SECRET|TOKEN)=", DOCKERFILE)


def test_what_the_image_copies_is_there_and_let_through() -> None:
    root = DEPLOY.parent.parent
    allowed = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    copied = [
        source
        for name, text in instructions()
        if name == "COPY" and not text.startswith("--from")
        for source in text.split()[:-1]
    ]

    assert copied
    for source in copied:
        assert (root / source).exists(), source
        assert source.split("/")[0] in allowed


def test_the_lock_that_the_image_installs_has_hashes() -> None:
    (lock,) = re.findall(r"--require-hashes -r (\S+)", DOCKERFILE)

    assert "--hash=sha256:" in (DEPLOY.parent.parent / lock).read_text()
