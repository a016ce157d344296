"""The engine's end of the control socket: HTTP on a Unix socket that only its owner can open.

Who asks is what the kernel says (SO_PEERCRED), requests are bounded in size and rate, every answer
has a deadline. Commands are carried out one after the other, in the order in which they came; a kill
never waits for its turn in the rate.
"""

import asyncio
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import msgspec
import structlog
from aiohttp import web

from engine import exits
from engine.control.peer import Peer, allowed_uids, peer_of
from engine.control.protocol import (
    COMMANDS,
    MOST_REQUEST_BYTES,
    Answer,
    Request,
    RequestError,
    decode_request,
    refusal,
)
from engine.control.rate import Bucket
from engine.control.target import ControlTarget, OperatorCommand
from engine.paths import check_socket_path, private_directory

REQUESTS_PER_S: Final = 20.0
REQUESTS_AT_ONCE: Final = 50
MOST_CLIENTS: Final = 32
MOST_LOG_LINES: Final = 10_000
STALL_S: Final = 2.0
"""A reader of logs that takes nothing for this long is let go."""

CLOSE_S: Final = 1.0

PEER: Final = web.RequestKey("peer", Peer)


class Logs(Protocol):
    """Where lines of the log can be read again."""

    def last(self, count: int) -> list[str]: ...

    def follow(self) -> AsyncIterator[str]: ...


class ControlServer:
    """Serves `target` inside `async with`. Raises PathError and OSError where the socket cannot be made,
    and SocketTakenError where another engine answers on it."""

    def __init__(
        self,
        target: ControlTarget,
        path: Path,
        logs: Logs,
        *,
        uids: frozenset[int] | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._target = target
        self._path = check_socket_path(path)
        self._logs = logs
        self._uids = allowed_uids() if uids is None else uids
        self._bucket = Bucket(monotonic_ns, capacity=REQUESTS_AT_ONCE, per_s=REQUESTS_PER_S)
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Future[Any]] = set()
        self._followers = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        listening = listen(self._path)
        app = web.Application(middlewares=[self._guarded], client_max_size=MOST_REQUEST_BYTES)
        app.router.add_get("/v1/status", self._status)
        app.router.add_post("/v1/command", self._command)
        app.router.add_get("/v1/logs", self._log_lines)
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=CLOSE_S, keepalive_timeout=5.0
        )  # fmt: skip
        await self._runner.setup()
        await web.SockSite(self._runner, listening, backlog=MOST_CLIENTS).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        with suppress(FileNotFoundError):
            self._path.unlink()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Nobody but the owner gets past this, and nobody learns what went wrong inside."""
        connection = request.transport.get_extra_info("socket") if request.transport else None
        if connection is None:
            return answered(refusal("the connection is gone"), 400)
        peer = peer_of(connection)
        if peer.uid not in self._uids:
            return answered(refusal(f"uid {peer.uid} may not operate this engine", exits.NO_PERMISSION), 403)
        request[PEER] = peer
        if request.path != "/v1/command" and not self._bucket.take():
            return answered(_too_many(), 429)
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return answered(refusal(f"request: must have at most {MOST_REQUEST_BYTES} bytes"), 413)
        except web.HTTPException as error:
            return answered(refusal(f"{request.method} is not answered here", exits.USAGE), error.status)
        return response

    async def _status(self, request: web.Request) -> web.Response:
        await request.release()
        return web.Response(body=msgspec.json.encode(self._target.status()), content_type="application/json")

    async def _command(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return answered(refusal("request: Content-Type must be application/json"), 415)
        try:
            wanted = decode_request(await request.read())
        except RequestError as error:
            return answered(refusal(str(error)), 400)
        if wanted.name != "kill" and not self._bucket.take():
            return answered(_too_many(), 429)
        return answered(await self._carried_out(wanted, request[PEER]), 200)

    async def _carried_out(self, wanted: Request, peer: Peer) -> Answer:
        """Waits until the deadline; the command goes on behind it, also when the client leaves."""
        command = OperatorCommand(wanted.name, wanted.argument, peer.operator, wanted.reason)
        work = asyncio.ensure_future(self._in_turn(command))  # noqa: TID251 - outlives the request on purpose
        self._running.add(work)
        work.add_done_callback(self._ended)
        kind = COMMANDS[wanted.name]
        done, _ = await asyncio.wait((work,), timeout=kind.deadline_s)
        if not done:
            late = f"{wanted.name}: not finished after {kind.deadline_s:.0f} s; it goes on"
            return Answer(code=exits.TIMED_OUT, message=late)
        return work.result()

    async def _in_turn(self, command: OperatorCommand) -> Answer:
        """A kill waits for nobody: it may be what ends what the others wait for."""
        if command.name == "kill":
            outcome = await self._target.submit(command)
        else:
            async with self._turn:
                outcome = await self._target.submit(command)
        structlog.get_logger().info(
            "operator_command", name=command.name, argument=command.argument, operator=command.operator,
            reason=command.reason, code=outcome.code, outcome=outcome.message, sequence=outcome.sequence,
        )  # fmt: skip
        return Answer(code=outcome.code, message=outcome.message, sequence=outcome.sequence)

    def _ended(self, work: "asyncio.Future[Any]") -> None:
        self._running.discard(work)

    async def _log_lines(self, request: web.Request) -> web.StreamResponse:
        count = request.query.get("last", "100")
        if not count.isascii() or not count.isdigit() or int(count) > MOST_LOG_LINES:
            return answered(refusal(f"logs: last must be 0 to {MOST_LOG_LINES}"), 400)
        if self._followers >= MOST_CLIENTS // 2:
            return answered(_too_many(), 429)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        self._followers += 1
        try:
            async with asyncio.timeout(STALL_S):
                await response.write("".join(f"{line}\n" for line in self._logs.last(int(count))).encode())
            if request.query.get("follow") == "1":
                await self._following(response)
        except (TimeoutError, ConnectionError):
            return response
        finally:
            self._followers -= 1
        return response

    async def _following(self, response: web.StreamResponse) -> None:
        async for line in self._logs.follow():
            async with asyncio.timeout(STALL_S):
                await response.write(f"{line}\n".encode())


class SocketTakenError(Exception):
    """Another process answers on the socket."""


def listen(path: Path) -> socket.socket:
    """A listening socket of mode 0600 in a directory of mode 0700; what a crash left is replaced.

    The socket is bound under another name and moved, so that it is never there with another mode.
    """
    private_directory(path.parent)
    if answers(path):
        raise SocketTakenError(f"{path}: another engine answers here; use another --home, or stop it first")
    fresh = check_socket_path(path.with_name(f"{path.name}.new"))
    for left in (fresh, path):
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(left.lstat().st_mode):
                raise SocketTakenError(f"{left}: must be a socket or absent, was another file")
    with suppress(FileNotFoundError):
        fresh.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listening.bind(str(fresh))
        fresh.chmod(0o600)
        listening.listen(MOST_CLIENTS)
        fresh.rename(path)
    except BaseException:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def answers(path: Path) -> bool:
    """Whether somebody accepts connections on `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(CLOSE_S)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return path.is_socket()
    return True


def answered(answer: Answer, status: int) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")


def _too_many() -> Answer:
    return Answer(code=exits.TEMPORARY, message=f"too many requests: at most {REQUESTS_PER_S:.0f} a second")
