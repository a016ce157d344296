"""Where things lie, by the first rule that applies; what is ours alone."""

import os
from pathlib import Path

import pytest

from engine.paths import PathError, check_socket_path, find_paths, private_directory

SYSTEMD = {
    "CONFIGURATION_DIRECTORY": "/etc/wyckoff", "STATE_DIRECTORY": "/var/lib/wyckoff:/var/lib/other",
    "CACHE_DIRECTORY": "/var/cache/wyckoff", "LOGS_DIRECTORY": "/var/log/wyckoff", "RUNTIME_DIRECTORY": "/run/wyckoff",
}  # fmt: skip


def test_home_goes_over_variable_over_systemd_over_here_over_xdg(tmp_path: Path) -> None:
    (tmp_path / "wyckoff.toml").touch()
    everything = {**SYSTEMD, "WYCKOFF_HOME": "/named", "HOME": "/root"}

    assert find_paths(Path("/home/x"), everything, tmp_path).config == Path("/home/x")
    assert find_paths(None, everything, tmp_path).config == Path("/named")
    assert find_paths(None, {**SYSTEMD, "HOME": "/root"}, tmp_path).config == Path("/etc/wyckoff")
    assert find_paths(None, {"HOME": "/root"}, tmp_path).config == tmp_path
    assert find_paths(None, {"HOME": "/root"}, tmp_path / "other").config == Path("/root/.config/wyckoff")


def test_systemds_directories(tmp_path: Path) -> None:
    found = find_paths(None, SYSTEMD, tmp_path)

    assert found.state_of("live") == Path("/var/lib/wyckoff/live")
    assert found.socket == Path("/run/wyckoff/ctl.sock")
    assert (found.cache, found.logs) == (Path("/var/cache/wyckoff"), Path("/var/log/wyckoff"))


def test_xdg_directories_and_their_variables(tmp_path: Path) -> None:
    plain = find_paths(None, {"HOME": "/h"}, tmp_path)
    named = find_paths(None, {"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_RUNTIME_DIR": "/run/user/1"}, tmp_path)

    assert plain.state == Path("/h/.local/state/wyckoff")
    assert plain.socket == Path("/h/.local/state/wyckoff/run/ctl.sock")
    assert (named.config, named.socket) == (Path("/c/wyckoff"), Path("/run/user/1/wyckoff/ctl.sock"))
    assert find_paths(None, {"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, tmp_path).config == Path(
        "/h/.config/wyckoff"
    )


def test_each_mode_has_a_state_of_its_own(tmp_path: Path) -> None:
    paths = find_paths(tmp_path, {}, tmp_path)

    assert len({paths.state_of(mode) for mode in ("replay", "paper", "live")}) == 3
    assert paths.resolved("{state}/x", "live") != paths.resolved("{state}/x", "paper")


def test_places_in_a_setting(tmp_path: Path) -> None:
    paths = find_paths(tmp_path, {}, tmp_path)

    assert paths.resolved("{config}/secrets/a", "paper") == tmp_path / "secrets" / "a"
    assert paths.resolved("beside", "paper") == tmp_path / "beside"
    assert paths.resolved("/absolute", "paper") == Path("/absolute")


@pytest.mark.parametrize("text", ["{home}/x", "{", "{0}", "{config.parent}/x", "{config[0]}", "{state!r"])
def test_other_places_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(PathError, match="no other places"):
        find_paths(tmp_path, {}, tmp_path).resolved(text, "paper")


def test_a_private_directory_is_made_and_one_of_others_refused(tmp_path: Path) -> None:
    assert private_directory(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o770)

    for name, why in (("file", "directory"), ("open", "writable by others")):
        with pytest.raises(PathError, match=why):
            private_directory(tmp_path / name)


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(PathError, match="must belong to the user"):
        private_directory(tmp_path)


def test_a_socket_that_the_kernel_cannot_name_is_refused_with_its_length(tmp_path: Path) -> None:
    assert check_socket_path(Path("/" + "x" * 106)) == Path("/" + "x" * 106)
    with pytest.raises(PathError, match="at most 107 bytes, was 108"):
        check_socket_path(Path("/" + "x" * 107))
