"""Sessions over a restart of the monitor: kept as digests, ended by signing out, by time and by another token."""

import stat
from pathlib import Path

import msgspec
import pytest

from engine.config.settle import settle
from engine.init_command import initialised
from engine.monitor import guard as guard_module
from engine.monitor.guard import COOKIE, MOST_SESSIONS, SESSION_S, Guard, Tokens
from engine.monitor_command import _plan, _settings
from engine.paths import find_paths
from tests.monitor.rig import OPERATE, READ, MovedClock, Rig, running

OTHER = "anothers-" + "qW1eR3tY5uI7" * 4


def guard(path: Path, clock: MovedClock | None = None, *, operate: str = OPERATE, allow_operate: bool = True) -> Guard:
    """A monitor that has just been started."""
    return Guard(Tokens(operate, READ), clock or MovedClock(), allow_operate=allow_operate, sessions=path)


async def asked(rig: Rig, cookie: str, method: str = "GET", path: str = "session", csrf: str = "") -> int:
    headers = rig.origin | {"Cookie": f"{COOKIE}={cookie}", "X-CSRF-Token": csrf, "Content-Type": "application/json"}
    data = b'{"name":"kill","argument":"entries","reason":"smoke"}' if method == "POST" else None
    async with rig.http.request(method, f"{rig.base}/api/v1/{path}", headers=headers, data=data) as answer:
        return answer.status


@pytest.mark.asyncio
async def test_a_page_that_was_signed_in_is_so_after_a_restart_and_may_operate(tmp_path: Path) -> None:
    kept = tmp_path / "state" / "monitor_sessions"
    async with running(tmp_path, sessions=kept) as rig:
        csrf = await rig.sign_in()
        (cookie,) = [one.value for one in rig.http.cookie_jar]
    async with running(tmp_path / "again", sessions=kept) as rig:
        found = [
            await asked(rig, cookie),
            await asked(rig, cookie, "POST", "commands", "wrong"),
            await asked(rig, cookie, "POST", "commands", csrf),
            await asked(rig, cookie, "DELETE", csrf=csrf),
        ]
    async with running(tmp_path / "third", sessions=kept) as rig:
        signed_out = await asked(rig, cookie)

    assert found == [200, 403, 200, 204]
    assert signed_out == 401


def test_the_file_is_ours_alone_and_signs_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "state" / "monitor_sessions"
    value, session = guard(path).open("operate")
    data = path.read_text()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    for secret in (value, session.csrf, OPERATE, READ):
        assert secret not in data
    again = guard(path).session(value)
    assert again == session
    assert guard(path).session(session.key.hex()) is None


def test_another_token_ends_every_session(tmp_path: Path) -> None:
    path = tmp_path / "monitor_sessions"
    value, _ = guard(path).open("operate")

    assert guard(path, operate=OTHER).session(value) is None
    assert guard(path).session(value) is not None
    other, _ = guard(path, operate=OTHER).open("read")
    assert guard(path).session(value) is None
    assert guard(path).session(other) is None


def test_a_session_is_over_at_its_time_also_after_a_restart_and_none_is_longer(tmp_path: Path) -> None:
    path, clock = tmp_path / "monitor_sessions", MovedClock()
    value, session = guard(path, clock).open("read")

    clock.ahead_ns = (SESSION_S - 1) * 1_000_000_000
    assert guard(path, clock).session(value) is not None
    clock.ahead_ns += 2_000_000_000
    assert guard(path, clock).session(value) is None
    clock.ahead_ns = -10_000_000_000
    assert guard(path, clock).session(value) is None
    assert not guard(path, clock).is_alive(session)


def test_who_could_operate_may_only_look_once_operating_is_forbidden(tmp_path: Path) -> None:
    path = tmp_path / "monitor_sessions"
    value, _ = guard(path).open("operate")

    now = guard(path, allow_operate=False).session(value)
    assert now is not None
    assert now.role == "read"


def test_no_more_are_kept_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_SESSIONS <= 1_000
    monkeypatch.setattr(guard_module, "MOST_SESSIONS", 3)
    path = tmp_path / "monitor_sessions"
    one = guard(path)
    values = [one.open("read")[0] for _ in range(5)]

    assert [guard(path).session(value) is not None for value in values] == [False, False, True, True, True]
    assert len(msgspec.json.decode(path.read_bytes())["sessions"]) == 3


@pytest.mark.parametrize("damage", ["open to others", "a link", "cut", "nonsense", "too long", "wider", "a directory"])
def test_a_file_that_is_not_certainly_good_keeps_no_session(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "monitor_sessions"
    value, _ = guard(path).open("operate")
    assert guard(path).session(value) is not None
    data = path.read_bytes()
    match damage:
        case "open to others":
            path.chmod(0o644)
        case "a link":
            path.rename(tmp_path / "other")
            path.symlink_to(tmp_path / "other")
        case "cut":
            path.write_bytes(data[:-5])
        case "nonsense":
            path.write_bytes(b"\xff\x00")
        case "too long":
            path.write_bytes(data + b" " * 1_000_000)
        case "wider":
            path.write_bytes(data.replace(b'"operate"', b'"root"'))
        case _:
            path.unlink()
            path.mkdir()

    assert guard(path).session(value) is None


def test_a_sign_out_that_cannot_be_written_leaves_nothing_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "monitor_sessions"
    one = guard(path)
    value, _ = one.open("operate")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.monitor.session_file.os.fsync", full)
    one.close(value)
    monkeypatch.undo()

    assert one.session(value) is None
    assert guard(path).session(value) is None


def test_each_address_of_a_home_has_its_own_file_and_a_shown_store_has_none(tmp_path: Path) -> None:
    initialised(tmp_path)
    paths = find_paths(tmp_path, {}, tmp_path)
    config = settle((), paths, {}).config
    (tmp_path / "x.db").touch()

    def named(listen: str, store: Path | None = None) -> Path | None:
        return _plan(paths, config, _settings(config, listen, expose=False), Tokens(OPERATE), store).sessions

    state = paths.state_of(config.run.mode)
    assert named("127.0.0.1:8787") == state / "monitor_sessions_127.0.0.1:8787"
    assert named("127.0.0.1:8788") != named("127.0.0.1:8787")
    assert named("127.0.0.1:8787", tmp_path / "x.db") is None
