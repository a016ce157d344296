"""`watch`: the engine in a terminal, live, as any other viewer of its monitor sees it.

It speaks the monitor's WebSocket protocol with another library than the one that serves it.
"""

import asyncio
import os
import ssl
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from engine import exits
from engine.config.credentials import read_private
from engine.config.daemon_tables import MonitorSettings
from engine.config_command import settled
from engine.exits import ExitError
from engine.monitor.hub import SCHEMA, TRY_AGAIN
from engine.monitor.tls import client_context
from engine.paths import PathError

MOST_MESSAGE_BYTES: Final = 32_000_000
RETRY_S: Final = 2.0
OPEN_S: Final = 5.0
SHOWN_LINES: Final = 12
REFRESH_PER_S: Final = 4

STATE_STYLES: Final = {"RUNNING": "green", "PAUSED": "yellow", "HALTED": "bold red", "STOPPING": "yellow"}
MODE_STYLES: Final = {"live": "bold white on red", "paper": "black on yellow", "replay": "white on grey37"}
ALERT_STYLES: Final = {"critical": "bold red", "warning": "yellow", "info": "dim"}


class ProtocolError(Exception):
    """What came is not what this release's monitor would send."""


@dataclass(slots=True)
class Seen:
    """What the frames have added up to; `expects` is the next number."""

    hello: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] | None = None
    link: Mapping[str, Any] = field(default_factory=dict)
    prices: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))
    expects: int = 0

    def take(self, frame: bytes | str) -> bool:
        """False where a number is missing: ask for a snapshot. Raises ProtocolError."""
        try:
            told = msgspec.json.decode(frame)
        except msgspec.DecodeError:
            raise ProtocolError("the monitor sent something that is no JSON") from None
        kind = told.get("type") if isinstance(told, dict) else None
        match kind:
            case "hello":
                if told["schema"] != SCHEMA:
                    raise ProtocolError(f"the monitor speaks schema {told['schema']}, this release {SCHEMA}")
                self.hello = told
            case "snapshot":
                self._begin(told)
            case "delta":
                if told["seq"] != self.expects:
                    return False
                self.expects += 1
                for item in told["items"]:
                    self._change(item["topic"], item["data"])
        return True

    def _begin(self, told: Mapping[str, Any]) -> None:
        state = told["state"]
        self.expects = told["seq"] + 1
        self.status, self.link = state["status"], state["link"]
        self.prices = {one["symbol"]: one for one in state["prices"]}
        self.lines.clear()
        for topic, name in (("decision", "decisions"), ("execution", "executions"), ("alert", "alerts")):
            for one in state[name]:
                self._change(topic, one)

    def _change(self, topic: str, data: Any) -> None:
        match topic:
            case "status":
                self.status = data
            case "link":
                self.link = data
            case "price":
                self.prices[data["symbol"]] = data
            case "decision" | "execution" | "campaign" | "event" | "alert" | "declined":
                self.lines.append(line_of(topic, data))


def line_of(topic: str, data: Mapping[str, Any]) -> tuple[str, str]:
    """(style, text) of one entry of the log."""
    match topic:
        case "decision":
            style = "green" if data["verdict"] == "Approved" else "red"
            return style, f"{data['verdict'].lower():9} {data['intent_id']} {data['text'] or data['reason']}"
        case "execution":
            return (
                "cyan",
                f"{data['report'].lower():9} {data['order_id']} {data['quantity'] or ''} {data['price'] or ''}",
            )
        case "campaign":
            return "magenta", f"campaign  {data['campaign']} {data['previous']} > {data['state']}: {data['cause']}"
        case "event":
            return (
                "blue",
                f"{data['name']:9} {data['symbol']} {data['timeframe']} {data['price']} score {data['score']:.0f}",
            )
        case "declined":
            return "dim", f"declined  {data['subject']} {data['text']}"
        case _:
            return ALERT_STYLES.get(data["level"], ""), f"alert     {data['text']}"


# --------------------------------------------------------------------------------------- drawing


def drawn(seen: Seen) -> RenderableType:
    """The whole screen."""
    status = seen.status
    if status is None:
        return Panel(Text(f"no engine: {seen.link.get('reason', 'connecting')}", style="bold red"), title="wyckoff")
    parts: list[RenderableType] = [_head(status), _why(status), _heat(status)]
    parts += [table for table in (_feeds(status), _positions(status, seen), _orders(status)) if table.row_count]
    if seen.lines:
        parts.append(Panel(Group(*(Text(_printable(text), style) for style, text in seen.lines)), title="log"))
    return Group(*parts)


def _head(status: Mapping[str, Any]) -> Text:
    head = Text.assemble(
        (f" {status['mode'].upper()} ", MODE_STYLES.get(status["mode"], "")), " ",
        (status["state"], STATE_STYLES.get(status["state"], "cyan")),
        f"  account {status['account']}  equity {status['equity'] or '?'} {status['currency']}"
        f"  day {status['day']['pnl'] or '?'}  {status['line_time']}",
    )  # fmt: skip
    if status["feed_is_simulated"]:
        head.append("  SIMULATED FEED", style="yellow")
    if status["kill_level"]:
        head.append(f"  KILLED: {status['kill_level']} {_printable(status['kill_reason'])}", style="bold red")
    return head


def _why(status: Mapping[str, Any]) -> Text:
    reasons = "; ".join(one["text"] for one in status["blockers"])
    return Text(
        _printable(f"not trading: {reasons}") if reasons else "entries are possible", "red" if reasons else "green"
    )


def _heat(status: Mapping[str, Any]) -> Text:
    heat = status["heat"]
    if heat["heat_bp"] is None:
        return Text("heat unknown: a mark is missing", "red")
    filled = min(20, heat["heat_bp"] * 20 // heat["limit_bp"])
    style = {"NORMAL": "green", "WARNING": "yellow"}.get(heat["state"], "bold red")
    bar = "#" * filled + "." * (20 - filled)
    return Text(f"heat [{bar}] {heat['heat_bp'] / 100:.2f} % of {heat['limit_bp'] / 100:.0f} % {heat['state']}", style)


def _feeds(status: Mapping[str, Any]) -> Table:
    table = _table("feed", "state", "age s", "limit s", "rows", "gaps", "reconnects", "reason")
    for one in status["feeds"]:
        cells = (one["name"], one["status"], _number(one["age_s"]), _number(one["limit_s"]), one["rows"], one["gaps"])
        _row(table, *cells, one["reconnects"], one["reason"])
    return table


def _positions(status: Mapping[str, Any], seen: Seen) -> Table:
    table = _table("position", "quantity", "average", "last", "unrealised", "stop", "campaign")
    for one in status["positions"]:
        last = seen.prices.get(one["symbol"], {}).get("price", one["mark"])
        cells = (one["symbol"], one["quantity"], one["average_price"], last)
        _row(table, *cells, one["unrealised"], one["stop"], one["campaign"])
    return table


def _orders(status: Mapping[str, Any]) -> Table:
    table = _table("order", "symbol", "role", "side", "quantity", "filled", "limit", "stop")
    for one in status["orders"][:SHOWN_LINES]:
        cells = (one["order_id"], one["symbol"], one["role"], one["side"], one["quantity"], one["filled"])
        _row(table, *cells, one["limit_price"], one["stop_price"])
    return table


def _table(*names: str) -> Table:
    table = Table(expand=False, pad_edge=False, box=None, header_style="bold")
    for name in names:
        table.add_column(name)
    return table


def _row(table: Table, *cells: object) -> None:
    table.add_row(*(Text(_printable("-" if cell is None else str(cell))) for cell in cells))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)


# ------------------------------------------------------------------------------------ connection


async def follow(
    address: str, token: str, show: Callable[[Seen], None], *, once: bool, tls: ssl.SSLContext | None = None
) -> None:
    """Until cancelled, or with `once` until the first state is known. Raises ExitError, ProtocolError."""
    while True:
        try:
            headers = {"Authorization": f"Bearer {token}"}
            async with connect(
                address,
                additional_headers=headers,
                max_size=MOST_MESSAGE_BYTES,
                open_timeout=OPEN_S,
                proxy=None,
                ssl=tls,
            ) as socket:
                seen = Seen()
                async for frame in socket:
                    if not seen.take(frame):
                        await socket.send('{"type":"snapshot"}')
                    show(seen)
                    if once and seen.expects:
                        return
        except InvalidStatus as error:
            raise ExitError(exits.NO_PERMISSION, f"the monitor answered {error.response.status_code}") from None
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code not in (TRY_AGAIN, 1001, 1006):
                raise ExitError(exits.NO_PERMISSION, f"the monitor closed: {error.rcvd.code}") from None
        except (OSError, TimeoutError, WebSocketException) as error:
            if once:
                raise ExitError(exits.NOT_RUNNING, f"no monitor answers at {address}: {error}") from None
            show(Seen(link={"reason": f"no monitor answers at {address}"}))
        await asyncio.sleep(RETRY_S)  # noqa: TID251 - a terminal waits for another process


def run_watch(home: Path | None, files: Sequence[Path], sets: Sequence[str], *, listen: str | None, once: bool) -> None:
    paths, found = settled(home, files, sets)
    settings = found.config.monitor or MonitorSettings()
    mode = found.config.run.mode
    token = _token(paths.resolved(settings.token_file, mode))
    tls = _trusted(paths.resolved(settings.tls_cert_file, mode)) if settings.tls_cert_file else None
    address = f"{'ws' if tls is None else 'wss'}://{_reachable(listen or settings.listen)}/ws"
    console = Console(no_color=bool(os.environ.get("NO_COLOR")))
    latest: list[Seen] = []
    try:
        if once:
            anyio.run(lambda: follow(address, token, latest.append, once=True, tls=tls))
            console.print(drawn(latest[-1]))
            return
        with Live(console=console, refresh_per_second=REFRESH_PER_S, screen=console.is_terminal) as live:
            anyio.run(lambda: follow(address, token, lambda seen: live.update(drawn(seen)), once=False, tls=tls))
    except ProtocolError as error:
        raise ExitError(exits.TIMED_OUT, str(error)) from None
    except KeyboardInterrupt:
        sys.stderr.write("\n")


def _token(path: Path) -> str:
    try:
        return read_private(path)
    except PathError as error:
        raise ExitError(exits.NO_PERMISSION, str(error)) from None


def _trusted(certificate: Path) -> ssl.SSLContext:
    try:
        return client_context(certificate)
    except PathError as error:
        raise ExitError(exits.BAD_CONFIG, f"monitor: {error}") from None


def _reachable(listen: str) -> str:
    """Who listens everywhere is reached here."""
    host, _, port = listen.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else listen  # noqa: S104 - to connect, not to bind
