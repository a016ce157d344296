"""`init`: everything for a first start, nothing ever overwritten."""

import base64
import os
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.config import settle
from engine.init_command import InitReport, initialised
from engine.paths import find_paths


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WYCKOFF_")]:
        monkeypatch.delenv(name)


def test_a_fresh_folder_can_be_used_at_once(tmp_path: Path) -> None:
    home = tmp_path / "trading"

    result = CliRunner().invoke(app, ["init", str(home)])

    assert result.exit_code == 0, result.output
    assert "wyckoff trade" in result.stdout
    assert (home / "wyckoff.toml").read_text().startswith("#:schema ./wyckoff.schema.json\n")
    assert (home / "wyckoff.schema.json").exists()
    assert CliRunner().invoke(app, ["config", "check", "--home", str(home)]).exit_code == 0
    found = settle([], find_paths(home, {}, home), {})
    assert [feed.kind for feed in found.config.feeds] == ["simulated"]
    assert found.config.run.mode == "paper"


def test_the_token_is_long_private_and_of_this_folder_alone(tmp_path: Path) -> None:
    tokens = []
    for name in ("a", "b"):
        initialised(tmp_path / name)
        path = tmp_path / name / "secrets" / "monitor_token"
        tokens.append(path.read_text().strip())
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    assert tokens[0] != tokens[1]
    assert all(len(base64.urlsafe_b64decode(token + "=")) >= 32 for token in tokens)


def test_the_token_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        initialised(tmp_path / "x")
    finally:
        os.umask(before)

    assert (tmp_path / "x" / "secrets" / "monitor_token").stat().st_mode & 0o777 == 0o600


def test_what_exists_is_kept(tmp_path: Path) -> None:
    initialised(tmp_path)
    token = (tmp_path / "secrets" / "monitor_token").read_text()
    (tmp_path / "wyckoff.toml").write_text("mine")
    (tmp_path / "wyckoff.schema.json").unlink()

    result = CliRunner().invoke(app, ["init", str(tmp_path), "--json"])

    report = msgspec.json.decode(result.stdout, type=InitReport)
    assert report.written == ["wyckoff.schema.json"]
    assert report.kept == ["wyckoff.toml", ".gitignore", "secrets/monitor_token"]
    assert (tmp_path / "wyckoff.toml").read_text() == "mine"
    assert (tmp_path / "secrets" / "monitor_token").read_text() == token


def test_no_token_is_printed(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(tmp_path)])

    assert (tmp_path / "secrets" / "monitor_token").read_text().strip() not in result.output


@pytest.mark.parametrize("obstacle", ["file", "long", "open secrets"])
def test_a_folder_that_cannot_be_used_is_told(obstacle: str, tmp_path: Path) -> None:
    target = tmp_path / ("x" * 100 if obstacle == "long" else "x")
    if obstacle == "file":
        target.touch()
    if obstacle == "open secrets":
        (target / "secrets").mkdir(parents=True)
        (target / "secrets").chmod(0o777)

    result = CliRunner().invoke(app, ["init", str(target)])

    assert result.exit_code == 73
    assert str(target) in result.stderr
