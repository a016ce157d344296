"""The operator's end of the control socket: one request, one answer, without an event loop.

Plain sockets and the standard library's HTTP, so that `wyckoff status` starts at once and works
where nothing but the engine's own code can be imported.
"""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from engine.control.protocol import (
    COMMANDS,
    MOST_REQUEST_BYTES,
    PROTOCOL_VERSION,
    Answer,
    Request,
    RequestError,
    check,
)
from engine.control.status import STATUS_VERSION, Status

CONNECT_S: Final = 2.0
STATUS_S: Final = 5.0
GRACE_S: Final = 2.0
"""The client waits a little longer than the server's own deadline."""

MOST_ANSWER_BYTES: Final = 8_000_000


class NotRunningError(Exception):
    """Nobody listens on the socket."""


class NoAnswerError(Exception):
    """Somebody listens, and does not answer, or not in words we know."""


class ControlClient:
    """Talks to the engine whose socket is `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def status(self) -> Status:
        """Raises NotRunningError or NoAnswerError."""
        status, data = self._exchange("GET", "/v1/status", None, STATUS_S)
        if status != http.HTTPStatus.OK:
            raise NoAnswerError(_answer(data).message)
        try:
            found = msgspec.json.decode(data, type=Status)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise NoAnswerError(f"{self._path}: a status of another release: {error}") from None
        if found.version != STATUS_VERSION:
            raise NoAnswerError(f"{self._path}: status must have version {STATUS_VERSION}, was {found.version}")
        return found

    def command(self, name: str, argument: str = "", reason: str = "") -> Answer:
        """Raises RequestError before anything is sent, NotRunningError or NoAnswerError."""
        request = Request(version=PROTOCOL_VERSION, name=name, argument=argument, reason=reason)
        check(request)
        body = msgspec.json.encode(request)
        if len(body) > MOST_REQUEST_BYTES:
            raise RequestError(f"{name}: must have at most {MOST_REQUEST_BYTES} bytes")
        _, data = self._exchange("POST", "/v1/command", body, COMMANDS[name].deadline_s + GRACE_S)
        return _answer(data)

    def logs(self, *, last: int, follow: bool) -> Iterator[str]:
        """Lines as they come; ends when the engine does. Raises NotRunningError."""
        connection = self._connected(None)
        try:
            connection.request("GET", f"/v1/logs?last={last}&follow={int(follow)}")
            response = connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                raise NoAnswerError(_answer(response.read(MOST_ANSWER_BYTES)).message)
            for line in response:
                yield line.decode("utf-8", "replace").rstrip("\n")
        except (http.client.HTTPException, ConnectionError):
            return
        finally:
            connection.close()

    def _exchange(self, method: str, path: str, body: bytes | None, timeout_s: float) -> tuple[int, bytes]:
        connection = self._connected(timeout_s)
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(MOST_ANSWER_BYTES)
        except TimeoutError:
            raise NoAnswerError(f"{self._path}: no answer within {timeout_s:.0f} s: the engine hangs") from None
        except (http.client.HTTPException, OSError) as error:
            raise NoAnswerError(f"{self._path}: the connection broke off: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def _connected(self, timeout_s: float | None) -> "_UnixConnection":
        connection = _UnixConnection(self._path, timeout_s)
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunningError(f"no engine runs here: nobody listens on {self._path}") from None
        except TimeoutError:
            raise NoAnswerError(f"{self._path}: nobody accepts the connection: the engine hangs") from None
        except PermissionError:
            raise NotRunningError(f"{self._path}: belongs to another user") from None
        return connection


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost")
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.sock.settimeout(CONNECT_S)
        try:
            self.sock.connect(str(self._path))
        except BaseException:
            self.sock.close()
            raise
        self.sock.settimeout(self._timeout_s)


def _answer(data: bytes) -> Answer:
    try:
        return msgspec.json.decode(data, type=Answer)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise NoAnswerError("the engine's answer has another shape: is it of another release?") from None
