"""Secrets: where they are looked for, in which order, and that they show themselves to nobody."""

import pickle
from pathlib import Path

import pytest

from engine.config.credentials import Secret, is_secret_name, secret_variable
from engine.paths import Paths
from tests.config.makers import CANARY, home, mistakes, secret, settled

ALPACA = (
    '[[feeds]]\nname = "iex"\nkind = "alpaca"\nsource = "iex"\nsymbols = ["SPY"]\nchannels = ["trades"]\n'
    'credentials = "alpaca"\nstale_after = { trades = "15s" }\n'
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return home(tmp_path, ALPACA)


def found(paths: Paths, **environ: str) -> str | None:
    secret = settled(paths, environ).secrets.get("alpaca.secret_key")
    return secret.reveal() if secret else None


def test_each_place_is_asked_in_turn(paths: Paths, tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    assert found(paths, **environ) is None

    secret(tmp_path, "alpaca_secret_key", "from-our-folder")
    assert found(paths, **environ) == "from-our-folder"

    environ["WYCKOFF_ALPACA__SECRET_KEY_FILE"] = str(secret(tmp_path, "elsewhere", "from-a-named-file"))
    assert found(paths, **environ) == "from-a-named-file"

    environ["WYCKOFF_ALPACA__SECRET_KEY"] = "from-a-variable"
    assert found(paths, **environ) == "from-a-variable"

    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path / "systemd")
    (tmp_path / "systemd").mkdir()
    (tmp_path / "systemd" / "alpaca.secret_key").write_text("from-systemd\n")
    assert found(paths, **environ) == "from-systemd"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_file_that_others_can_read_is_refused(mode: int, paths: Paths, tmp_path: Path) -> None:
    path = secret(tmp_path, "alpaca_api_key", CANARY, mode)

    (problem,) = mistakes(paths)

    assert (problem.key, problem.source) == ("alpaca.api_key", str(path))
    assert f"{mode:04o}" in problem.problem
    assert CANARY not in problem.problem


def test_a_pipe_in_place_of_a_secret_does_not_hang(paths: Paths, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "secrets" / "alpaca_api_key", 0o600)

    (problem,) = mistakes(paths)

    assert "must be a file" in problem.problem


def test_a_variable_of_a_group_that_nothing_names_is_told(tmp_path: Path) -> None:
    """Live keys lying around in the environment of a paper run are a surprise, not a default."""
    (problem,) = mistakes(home(tmp_path), {"WYCKOFF_BINANCE__API_KEY_FILE": "/x"})

    assert problem.source == "WYCKOFF_BINANCE__API_KEY_FILE"
    assert 'credentials = "binance"' in problem.problem


def test_a_secret_shows_itself_to_nobody() -> None:
    one = Secret("alpaca.secret_key", CANARY, "test")

    assert CANARY not in f"{one} {one!r} {[one]} {vars(type(one)).keys()}"
    assert one.reveal() == CANARY
    with pytest.raises(TypeError, match=r"alpaca\.secret_key"):
        pickle.dumps(one)


@pytest.mark.parametrize("name", ["secret_key", "api_key", "token", "password", "passphrase", "x_secret", "TOKEN"])
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["token_file", "keys", "keep_days", "monkey", "credentials", "url_file"])
def test_names_of_none(name: str) -> None:
    assert not is_secret_name(name)


def test_a_file_setting_is_a_setting_not_a_secret() -> None:
    assert secret_variable("WYCKOFF_MONITOR__TOKEN") == "monitor.token"
    assert secret_variable("WYCKOFF_MONITOR__TOKEN_FILE") == ""
    assert secret_variable("WYCKOFF_ALPACA__API_KEY_FILE") == "alpaca.api_key"
    assert secret_variable("WYCKOFF_RUN__MODE") == ""
