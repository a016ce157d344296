"""`monitor`: the page of one engine, or of a store alone, in the foreground until a signal."""

import contextlib
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from secrets import token_urlsafe  # noqa: TID251 - a token must be unguessable; nothing on the line reads it
from typing import Final

import anyio
import structlog
from pydantic import ValidationError

from engine import exits
from engine.config import Config, Settled, problems
from engine.config.credentials import read_private
from engine.config.daemon_tables import MonitorSettings
from engine.config_command import settled
from engine.exits import ExitError
from engine.live.clock import SystemClock
from engine.live.stream import SOCKET_NAME
from engine.monitor.guard import SECRET_BYTES, Tokens, WeakTokenError
from engine.monitor.server import Plan, monitor_of, serving
from engine.monitor.tls import server_context
from engine.paths import PathError, Paths, private_directory
from engine.signals import Signals

LOOK_S: Final = 0.5
SESSIONS: Final = "monitor_sessions"
READ_TOKEN: Final = "monitor_read_token"  # noqa: S105 - the name of a file
"""A second token in {config}/secrets that may only look."""


def run_monitor(
    home: Path | None,
    files: Sequence[Path],
    sets: Sequence[str],
    *,
    listen: str | None,
    store: Path | None,
    expose: bool = False,
    parent: int | None = None,
) -> None:
    """Returns after a signal, or when the process `parent`, which started it, is gone. Raises ExitError."""
    paths, found = settled(home, files, sets)
    settings = _settings(found.config, listen, expose=expose)
    host, _, port = settings.listen.rpartition(":")
    tokens = _tokens(paths, found, settings)
    plan = _plan(paths, found.config, settings, tokens, store)
    try:
        until = anyio.sleep_forever if parent is None else partial(_parent_is_gone, parent)
        address = (host.removeprefix("[").removesuffix("]"), int(port))
        anyio.run(_serve, plan, address, settings, paths, until, backend_options={"use_uvloop": True})
    except OSError as error:
        raise ExitError(exits.CANNOT_CREATE, f"monitor: cannot listen on {settings.listen}: {error.strerror}") from None


def _settings(config: Config, listen: str | None, *, expose: bool) -> MonitorSettings:
    settings = config.monitor or MonitorSettings()
    given = ({} if listen is None else {"listen": listen}) | ({"expose": True} if expose else {})
    if not given:
        return settings
    try:
        return MonitorSettings.model_validate(settings.model_dump() | given)
    except ValidationError as error:
        (found, *_) = problems(error, "monitor")
        raise ExitError(exits.BAD_CONFIG, f"{found.key}: {found.problem}") from None


def _tokens(paths: Paths, found: Settled, settings: MonitorSettings) -> Tokens:
    """Raises ExitError 78 where a public page would be open, or a token could be guessed."""
    secret = found.secrets.get("monitor.token")
    if secret is None and settings.is_public:
        raise ExitError(
            exits.BAD_CONFIG,
            f"monitor: {settings.listen} is a public address: a token file is required, "
            f"{settings.token_file} is not there",
        )
    try:
        operate = secret.reveal() if secret else _made(paths.resolved(settings.token_file, found.config.run.mode))
        read_file = paths.secrets / READ_TOKEN
        read = read_private(read_file) if read_file.exists() else ""
        return Tokens(operate, read)
    except (PathError, WeakTokenError) as error:
        raise ExitError(exits.BAD_CONFIG, f"monitor: {error}") from None


def _made(path: Path) -> str:
    """A fresh token for a page that only this machine can reach."""
    private_directory(path.parent)
    token = token_urlsafe(SECRET_BYTES)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(f"{token}\n".encode())
    return token


def _plan(paths: Paths, config: Config, settings: MonitorSettings, tokens: Tokens, store: Path | None) -> Plan:
    """A store that is named is shown alone: nothing is streamed and nothing can be operated."""
    tls = _tls(paths, settings, config.run.mode)
    if store is not None:
        if not store.is_file():
            raise ExitError(exits.NOT_FOUND, f"{store}: there is no such store")
        return Plan(mode="replay", tokens=tokens, allow_operate=False, store=store, hosts=settings.hosts, tls=tls)
    mode = config.run.mode
    kept = paths.resolved(config.store.sqlite, mode) if config.store.sqlite else None
    return Plan(
        mode=mode,
        tokens=tokens,
        allow_operate=settings.allow_operate,
        stream=paths.runtime / SOCKET_NAME,
        control=paths.socket,
        store=kept,
        logs=paths.logs,
        capacities={"inbox.control": config.live.control_queue, "inbox.market": config.live.market_queue},
        hosts=settings.hosts,
        tls=tls,
        sessions=_sessions(paths, settings, mode),
    )


def _sessions(paths: Paths, settings: MonitorSettings, mode: str) -> Path:
    """A file for each address: two monitors of one home would sign in again whom the other has signed out."""
    return paths.state_of(mode) / f"{SESSIONS}_{settings.listen}"


def _tls(paths: Paths, settings: MonitorSettings, mode: str) -> ssl.SSLContext | None:
    """Raises ExitError 78 where the files cannot be used."""
    if not settings.tls_cert_file:
        return None
    try:
        return server_context(paths.resolved(settings.tls_cert_file, mode), paths.resolved(settings.tls_key_file, mode))
    except PathError as error:
        raise ExitError(exits.BAD_CONFIG, f"monitor: {error}") from None


async def _parent_is_gone(parent: int) -> None:
    """An engine that was killed cannot end its monitor: nobody else would. It may have been before this began."""
    while os.getppid() == parent:
        await SystemClock().sleep(LOOK_S)


async def _serve(
    plan: Plan, address: tuple[str, int], settings: MonitorSettings, paths: Paths, until: Callable[[], Awaitable[None]]
) -> None:
    (host, port), stopped = address, anyio.Event()
    monitor = monitor_of(plan, SystemClock())
    async with Signals(lambda _: stopped.set(), lambda _: None), serving(monitor, host, port) as bound:
        shown = f"{'http' if plan.tls is None else 'https'}://{_shown_host(host)}:{bound}/"
        token = paths.resolved(settings.token_file, plan.mode)
        sys.stderr.write(f"wyckoff: the monitor is at {shown}; sign in with the token of {token}\n")
        structlog.get_logger().info("monitor_listens", address=f"{host}:{bound}", mode=plan.mode)
        async with anyio.create_task_group() as either:

            async def wait(first: Callable[[], Awaitable[object]]) -> None:
                await first()
                either.cancel_scope.cancel()

            either.start_soon(wait, stopped.wait)
            either.start_soon(wait, until)


def _shown_host(host: str) -> str:
    with contextlib.suppress(ValueError):
        return f"[{host}]" if ip_address(host).version == 6 else host
    return host
