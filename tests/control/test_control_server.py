"""The control socket: who may open it, what it answers, and what it refuses."""

import asyncio
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from engine import exits
from engine.control.client import NoAnswerError, NotRunningError
from engine.control.protocol import COMMANDS, MOST_REQUEST_BYTES, CommandKind, RequestError
from engine.control.server import REQUESTS_AT_ONCE, SocketTakenError, listen
from engine.control.target import Outcome
from engine.paths import PathError
from tests.control.makers import Engine, aside, client, server, status, until

pytestmark = pytest.mark.asyncio


async def raw(directory: Path, request: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON body of an answer to exactly these bytes."""
    reader, writer = await asyncio.open_unix_connection(str(directory / "run" / "ctl.sock"))
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    body = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), json.loads(body)


def post(body: bytes, kind: str = "application/json") -> bytes:
    head = f"POST /v1/command HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def test_status_travels_whole(tmp_path: Path) -> None:
    engine = Engine()

    async with server(tmp_path, engine):
        found = await aside(client(tmp_path).status)

    assert found == engine.now == status()


async def test_a_command_reaches_the_engine_with_its_operator(tmp_path: Path) -> None:
    engine = Engine()

    async with server(tmp_path, engine):
        answer = await aside(client(tmp_path).command, "kill", "flatten", "smoke in the room")

    (command,) = engine.commands
    assert (command.name, command.argument, command.reason) == ("kill", "flatten", "smoke in the room")
    assert command.operator.endswith(f"(uid {os.getuid()})")
    assert (answer.code, answer.message, answer.sequence) == (0, "done", 1)


async def test_every_command_is_in_the_log_with_who_and_why(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        async with server(tmp_path, Engine()):
            await aside(client(tmp_path).command, "kill", "entries", "smoke")

    (line,) = lines
    assert (line["event"], line["name"], line["reason"], line["code"]) == ("operator_command", "kill", "smoke", 0)
    assert line["operator"].endswith(f"(uid {os.getuid()})")


async def test_a_refusal_of_the_engine_comes_through(tmp_path: Path) -> None:
    engine = Engine()
    engine.acts = lambda _: Outcome(exits.REFUSED, "unkill: not reconciled")

    async with server(tmp_path, engine):
        answer = await aside(client(tmp_path).command, "unkill", "", "it was a drill")

    assert (answer.code, answer.message) == (exits.REFUSED, "unkill: not reconciled")


async def test_socket_and_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    async with server(tmp_path, Engine()):
        folder, path = (tmp_path / "run").stat(), (tmp_path / "run" / "ctl.sock").stat()

        assert stat.S_IMODE(folder.st_mode) == 0o700
        assert stat.S_IMODE(path.st_mode) == 0o600
    assert not (tmp_path / "run" / "ctl.sock").exists()


async def test_another_user_is_refused_whatever_the_mode(tmp_path: Path) -> None:
    engine = Engine()

    async with server(tmp_path, engine, uids=frozenset({os.geteuid() + 1})):
        code, body = await raw(tmp_path, post(b'{"version":1,"name":"pause"}'))

    assert (code, body["code"]) == (403, exits.NO_PERMISSION)
    assert engine.commands == []


BAD = [
    b"", b"{", b"[]", b'"kill"', b"\xff", b'{"name":"pause"}', b'{"version":2,"name":"pause"}',
    b'{"version":1,"name":"format"}', b'{"version":1,"name":"pause","argument":"x"}',
    b'{"version":1,"name":"kill","argument":"entries"}', b'{"version":1,"name":"kill","argument":"sever","reason":"x"}',
    b'{"version":1,"name":"kill","argument":"entries","reason":"  "}', b'{"version":1,"name":"cancel"}',
    b'{"version":1,"name":"stop","argument":"-1"}', b'{"version":1,"name":"stop","argument":"nan"}',
    b'{"version":1,"name":"stop","argument":"1e9"}', b'{"version":1,"name":"pause","extra":1}',
    b'{"version":1,"name":"pause","reason":"two\\nlines"}', b'{"version":1,"name":"pause","reason":"\\u001b[2J"}',
    b'{"version":1,"name":"cancel","argument":"' + b"x" * 201 + b'"}',
    b'{"version":1,"name":"pause","reason":"' + b"x" * 501 + b'"}', b"[" * 5_000,
]  # fmt: skip


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
async def test_what_is_not_well_formed_never_reaches_the_engine(body: bytes, tmp_path: Path) -> None:
    engine = Engine()

    async with server(tmp_path, engine):
        code, answer = await raw(tmp_path, post(body))

    assert (code, answer["code"]) == (400, exits.USAGE)
    assert answer["message"]
    assert "Traceback" not in answer["message"]
    assert engine.commands == []


async def test_sizes_types_and_paths_are_bounded(tmp_path: Path) -> None:
    engine = Engine()
    long = json.dumps({"version": 1, "name": "pause", "reason": "x" * MOST_REQUEST_BYTES}).encode()

    async with server(tmp_path, engine):
        assert (await raw(tmp_path, post(long)))[0] == 413
        assert (await raw(tmp_path, post(b'{"version":1,"name":"pause"}', "text/plain")))[0] == 415
        assert (await raw(tmp_path, b"GET /v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 404
        assert (await raw(tmp_path, b"GET /v1/command HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 405

    assert engine.commands == []


async def test_a_flood_is_refused_but_never_a_kill(tmp_path: Path) -> None:
    engine = Engine()
    asked = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"

    async with server(tmp_path, engine, monotonic_ns=lambda: 0):
        codes = [(await raw(tmp_path, asked))[0] for _ in range(REQUESTS_AT_ONCE + 2)]
        paused, _ = await raw(tmp_path, post(b'{"version":1,"name":"pause"}'))
        killed, _ = await raw(tmp_path, post(b'{"version":1,"name":"kill","argument":"entries","reason":"flood"}'))

    assert codes == [200] * REQUESTS_AT_ONCE + [429, 429]
    assert (paused, killed) == (429, 200)
    assert [one.name for one in engine.commands] == ["kill"]


async def test_commands_wait_for_each_other_and_a_kill_for_none(tmp_path: Path) -> None:
    engine = Engine()
    engine.holds = ("pause",)

    async with server(tmp_path, engine):
        pause = asyncio.ensure_future(aside(client(tmp_path).command, "pause"))
        await until(lambda: engine.commands)
        resume = asyncio.ensure_future(aside(client(tmp_path).command, "resume"))
        await aside(client(tmp_path).command, "kill", "entries", "now")
        before = [one.name for one in engine.commands]
        engine.release.set()
        await asyncio.gather(pause, resume)

    assert before == ["pause", "kill"]
    assert [one.name for one in engine.commands] == ["pause", "kill", "resume"]


async def test_a_command_that_takes_too_long_is_told_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "pause", CommandKind("pause", "", False, False, 0.05, ""))
    engine, finished = Engine(), []
    engine.holds = ("pause",)
    engine.acts = lambda command: finished.append(command.name) or Outcome(0, "done")

    async with server(tmp_path, engine):
        answer = await aside(client(tmp_path).command, "pause")
        engine.release.set()
        await until(lambda: finished)

    assert answer.code == exits.TIMED_OUT
    assert finished == ["pause"]


async def test_a_client_that_leaves_takes_nothing_back(tmp_path: Path) -> None:
    engine, finished = Engine(), []
    engine.holds = ("pause",)
    engine.acts = lambda command: finished.append(command.name) or Outcome(0, "done")

    async with server(tmp_path, engine):
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "run" / "ctl.sock"))
        writer.write(post(b'{"version":1,"name":"pause"}'))
        await until(lambda: engine.commands)
        writer.close()
        await writer.wait_closed()
        engine.release.set()
        await until(lambda: finished)

    assert finished == ["pause"]


async def test_an_engine_that_fails_says_no_more_than_that(tmp_path: Path) -> None:
    engine = Engine()

    def fail(_: object) -> Outcome:
        raise AssertionError("CANARY in a traceback")

    engine.acts = fail

    async with server(tmp_path, engine):
        with pytest.raises(NoAnswerError) as found:
            await aside(client(tmp_path).command, "pause")

    assert "CANARY" not in str(found.value)


async def test_logs_are_read_again_and_followed(tmp_path: Path) -> None:
    async with server(tmp_path, Engine()):
        last = await aside(lambda: list(client(tmp_path).logs(last=1, follow=False)))
        followed = await aside(lambda: list(client(tmp_path).logs(last=2, follow=True)))

    assert last == ['{"event":"two"}']
    assert followed == ['{"event":"one"}', '{"event":"two"}', '{"event":"later"}']


async def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    listening = listen(tmp_path / "run" / "ctl.sock")
    listening.close()
    assert (tmp_path / "run" / "ctl.sock").exists()

    async with server(tmp_path, Engine()):
        assert (await aside(client(tmp_path).status)).mode == "paper"


async def test_a_second_engine_on_one_socket_is_refused(tmp_path: Path) -> None:
    async with server(tmp_path, Engine()):
        with pytest.raises(SocketTakenError, match="another engine answers"):
            async with server(tmp_path, Engine()):
                pass

        assert (await aside(client(tmp_path).status)).mode == "paper"


async def test_a_file_in_place_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "run" / "ctl.sock").write_text("mine")

    with pytest.raises(SocketTakenError, match="another file"):
        listen(tmp_path / "run" / "ctl.sock")

    assert (tmp_path / "run" / "ctl.sock").read_text() == "mine"


async def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)

    with pytest.raises(PathError, match="writable by others"):
        listen(tmp_path / "run" / "ctl.sock")


async def test_nobody_there_hanging_and_strange_are_three_things(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match="no engine runs here"):
        await aside(client(tmp_path).status)
    (tmp_path / "run").mkdir(mode=0o700)

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "run" / "ctl.sock"))
        silent.listen(1)

        def answer() -> None:
            connection, _ = silent.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            connection.close()

        strange = asyncio.ensure_future(aside(answer))
        with pytest.raises(NoAnswerError, match="another release"):
            await aside(client(tmp_path).status)
        await strange


async def test_a_wrong_command_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="needs a reason"):
        client(tmp_path).command("kill", "entries")


async def test_an_answer_has_the_shape_that_is_written_down(tmp_path: Path) -> None:
    async with server(tmp_path, Engine()):
        _, body = await raw(tmp_path, post(b'{"version":1,"name":"pause"}'))

    assert body == {"version": 1, "code": 0, "message": "done", "sequence": 1}
    assert msgspec.json.encode(status())
