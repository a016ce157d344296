"""A loopback Alpaca: the market data stream v2 in JSON and in msgpack, and the REST history beside it."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import msgspec
from aiohttp import WSMessage, web

from adapters.loopback.connection import Connection, Outgoing
from adapters.loopback.market import DECIMALS, Candle, Print
from adapters.loopback.venue import LoopbackVenue
from engine.iso import iso, parse_iso
from engine.live.ports import Clock

NS_PER_MS: Final = 1_000_000
KEY, SECRET = "loopback-key", "loopback-secret"
"""The only keys that it takes."""

EXCHANGE: Final = "V"
LENGTHS_MS: Final = {
    "1Min": 60_000, "5Min": 300_000, "15Min": 900_000, "1Hour": 3_600_000, "4Hour": 14_400_000, "1Day": 86_400_000,
}  # fmt: skip
CHANNELS: Final = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses")
BINARY: Final = "application/msgpack"


class AlpacaVenue(LoopbackVenue):
    """`plan` is the symbols that may be subscribed to; None is all. `one_at_a_time` refuses a second connection.

    Bars leave `bar_delay_s` after their end. `key` is the one that it takes now.
    """

    def __init__(
        self, symbols: Sequence[str] = ("AAPL", "SPY"), *, seed: int = 0, rate: float = 100.0,
        clock: Clock | None = None, history: int = 1_500, one_at_a_time: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(symbols, seed=seed, rate=rate, clock=clock, history=history)
        self.plan: frozenset[str] | None = None
        self.key = KEY
        self.bar_delay_s = 0.0
        self._late: set[asyncio.Task[None]] = set()
        self._one_at_a_time = one_at_a_time

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/stocks/trades", self._trades),
            web.get("/v2/stocks/bars", self._bars),
            web.get("/v1beta3/crypto/us/trades", self._trades),
            web.get("/v1beta3/crypto/us/bars", self._bars),
            web.get("/v2/{source}", self._socket),
            web.get("/v1beta3/crypto/us", self._socket),
        ]

    # ------------------------------------------------------------------------- stream

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        binary = BINARY in request.headers.get("Content-Type", "")
        return await self.connect(request, {"codec": "msgpack" if binary else "json"})

    def greet(self, connection: Connection) -> None:
        self._say(connection, {"T": "success", "msg": "connected"})

    def answer(self, connection: Connection, message: WSMessage) -> None:
        try:
            asked = _decoded(connection, message.data)
        except msgspec.MsgspecError:
            self._refuse(connection, 400, "invalid syntax")
            return
        action = asked.get("action")
        if action == "auth":
            self._log_in(connection, asked)
        elif "user" not in connection.streams:
            self._refuse(connection, 401, "not authenticated")
        elif action in ("subscribe", "unsubscribe"):
            self._subscribe(connection, asked, subscribe=action == "subscribe")
        else:
            self._refuse(connection, 400, "invalid syntax")

    def publish(self, made: Print) -> None:
        for one in self.connections:
            if f"trades/{made.symbol}" in one.streams or "trades/*" in one.streams:
                one.offer(_outgoing(one, "trades", made.symbol, made.id, _trade(made)))
            if f"quotes/{made.symbol}" in one.streams or "quotes/*" in one.streams:
                one.offer(_outgoing(one, "quotes", made.symbol, 0, _quote(made)))

    def publish_closed(self, first_ms: int, last_ms: int) -> None:
        if not self.bar_delay_s:
            self._publish_closed(first_ms, last_ms)
            return
        late = asyncio.create_task(self._publish_late(first_ms, last_ms))
        self._late.add(late)
        late.add_done_callback(self._late.discard)

    async def _publish_late(self, first_ms: int, last_ms: int) -> None:
        await self.clock.sleep(self.bar_delay_s)
        self._publish_closed(first_ms, last_ms)

    def _publish_closed(self, first_ms: int, last_ms: int) -> None:
        for symbol, listing in self.market.listings.items():
            for candle in listing.candles(60_000, first_ms, last_ms - 60_000):
                if candle.trades:
                    self.publish_bar(symbol, candle)

    def publish_bar(self, symbol: str, candle: Candle, *, updated: bool = False) -> None:
        """A minute bar, or the same once more because late trades have changed it."""
        channel = "updatedBars" if updated else "bars"
        for one in self.connections:
            if f"{channel}/{symbol}" in one.streams or f"{channel}/*" in one.streams:
                told = {"T": "u" if updated else "b", "S": symbol, **_bar(candle, one.streams["codec"] == "msgpack")}
                one.offer(_outgoing(one, channel, symbol, 0, _unchanged(told)))

    def suspend(self, symbol: str, *, on: bool = True, tell: bool = True) -> None:
        """A halt, told or not: as of tape C."""
        super().suspend(symbol, on=on)
        code, text = ("H", "Trading Halt") if on else ("T", "Trading Resumption")
        told = {"T": "s", "S": symbol, "sc": code, "sm": text, "rc": "T12", "rm": "News", "t": iso(self.clock.now_ns())}
        for one in self.connections if tell else ():
            if f"statuses/{symbol}" in one.streams:
                self._say(one, told)

    def _log_in(self, connection: Connection, asked: dict[str, Any]) -> None:
        if self.faults.strike("conn_limit") or (self._one_at_a_time and len(self.connections) > 1):
            self._refuse(connection, 406, "connection limit exceeded")
        elif (asked.get("key"), asked.get("secret")) != (self.key, SECRET):
            self._refuse(connection, 402, "auth failed")
        else:
            connection.streams["user"] = self.key
            self._say(connection, {"T": "success", "msg": "authenticated"})

    def _subscribe(self, connection: Connection, asked: dict[str, Any], *, subscribe: bool) -> None:
        for channel in CHANNELS:
            for symbol in asked.get(channel) or ():
                if self.plan is not None and symbol not in self.plan:
                    self._refuse(connection, 409, "insufficient subscription")
                    return
                self.ledger.subscriptions.append((connection.number, f"{channel}/{symbol}"))
                if not subscribe:
                    connection.streams.pop(f"{channel}/{symbol}", None)
                elif symbol == "*" or symbol in self.market.listings:
                    connection.streams[f"{channel}/{symbol}"] = channel
        if self.faults.strike("no_ack"):
            return
        held = {name: [one[len(name) + 1 :] for one in connection.streams if one.startswith(f"{name}/")]
                for name in CHANNELS}  # fmt: skip
        self._say(connection, {"T": "subscription", **held})

    def _refuse(self, connection: Connection, code: int, text: str) -> None:
        self._say(connection, {"T": "error", "code": code, "msg": text})

    def _say(self, connection: Connection, message: dict[str, Any]) -> None:
        connection.say(_encoded(connection, [message]))

    # --------------------------------------------------------------------------- REST

    async def _trades(self, request: web.Request) -> web.Response:
        return await self._paged(request, "trades", self._trades_of)

    async def _bars(self, request: web.Request) -> web.Response:
        return await self._paged(request, "bars", self._bars_of)

    async def _paged(
        self, request: web.Request, what: str, rows_of: Callable[[str, web.Request], list[dict[str, Any]]]
    ) -> web.Response:
        refusal = await self.refused(request)
        if refusal is not None:
            return refusal
        if (request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")) != (self.key, SECRET):
            return web.json_response({"code": 40110000, "message": "request is not authorized"}, status=401)
        symbols = [one for one in request.query.get("symbols", "").split(",") if one in self.market.listings]
        rows = [(symbol, row) for symbol in sorted(symbols) for row in rows_of(symbol, request)]
        start = int(request.query.get("page_token", "0"))
        most = max(1, min(int(request.query.get("limit", 1_000)), 10_000))
        page: dict[str, list[dict[str, Any]]] = {}
        for symbol, row in islice(rows, start, start + most):
            page.setdefault(symbol, []).append(row)
        token = str(start + most) if start + most < len(rows) else None
        return web.json_response({what: page, "next_page_token": token})

    def _trades_of(self, symbol: str, request: web.Request) -> list[dict[str, Any]]:
        first_ms, last_ms = _range(request, self.now_ms)
        made = sorted(self.market.listings[symbol].between(first_ms, last_ms), key=lambda one: (one.time_ms, one.id))
        if request.query.get("sort") == "desc":
            made.reverse()
        return [_rest_trade(one) for one in made]

    def _bars_of(self, symbol: str, request: web.Request) -> list[dict[str, Any]]:
        length_ms = LENGTHS_MS[request.query.get("timeframe", "1Min")]
        first_ms, last_ms = _range(request, self.now_ms)
        self.market.listings[symbol].pass_time(self.now_ms)
        candles = self.market.listings[symbol].candles(length_ms, first_ms, last_ms)
        return [_bar(one, binary=False) for one in candles if one.trades]


_Write = Callable[[str, bool], dict[str, Any]]
"""A message with a changed price, for msgpack or not."""


def _outgoing(connection: Connection, channel: str, symbol: str, number: int, write: _Write) -> Outgoing:
    binary = connection.streams["codec"] == "msgpack"

    def encoded(price: str) -> str | bytes:
        return _encoded(connection, [write(price, binary)])

    return Outgoing(channel, symbol, number, encoded(""), encoded)


def _trade(made: Print) -> _Write:
    def write(price: str, binary: bool) -> dict[str, Any]:
        return {
            "T": "t", "S": made.symbol, "i": made.id, "x": EXCHANGE, "p": _changed(made.price, price), "s": made.size,
            "c": ["@"], "t": _stamp(made.time_ms, binary), "z": "C",
        }  # fmt: skip

    return write


def _quote(made: Print) -> _Write:
    def write(price: str, binary: bool) -> dict[str, Any]:
        return {
            "T": "q", "S": made.symbol, "bx": EXCHANGE, "bp": _changed(made.price, price), "bs": 3, "ax": EXCHANGE,
            "ap": round(made.price * 1.0001, DECIMALS), "as": 4, "c": ["R"], "t": _stamp(made.time_ms, binary),
            "z": "C",
        }  # fmt: skip

    return write


def _unchanged(told: dict[str, Any]) -> _Write:
    """A message that has no one price."""
    return lambda _, __: told


def _changed(price: float, change: str) -> float | str:
    if change.startswith("x"):
        return price * float(change[1:])
    try:
        return float(change) if change else price
    except ValueError:
        return change


def _bar(candle: Candle, binary: bool) -> dict[str, Any]:
    return {
        "t": _stamp(candle.open_ms, binary), "o": candle.open, "h": candle.high, "l": candle.low, "c": candle.close,
        "v": round(candle.volume, 3), "n": candle.trades, "vw": candle.close,
    }  # fmt: skip


def _rest_trade(made: Print) -> dict[str, Any]:
    stamp = _stamp(made.time_ms, binary=False)
    return {"t": stamp, "x": EXCHANGE, "p": made.price, "s": made.size, "c": ["@"], "i": made.id, "z": "C"}


def _stamp(time_ms: int, binary: bool) -> str | datetime:
    """RFC 3339 in JSON; in msgpack the extension for times, which is what msgspec makes of a datetime."""
    return datetime.fromtimestamp(time_ms / 1000, UTC) if binary else iso(time_ms * NS_PER_MS)


def _encoded(connection: Connection, messages: list[dict[str, Any]]) -> str | bytes:
    if connection.streams["codec"] == "msgpack":
        return msgspec.msgpack.encode(messages)
    return msgspec.json.encode(messages).decode()


def _decoded(connection: Connection, data: str | bytes) -> dict[str, Any]:
    if connection.streams["codec"] == "msgpack" and isinstance(data, bytes):
        found: dict[str, Any] = msgspec.msgpack.decode(data, type=dict[str, Any])
        return found
    plain: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    return plain


def _range(request: web.Request, now_ms: int) -> tuple[int, int]:
    """Of open times or trades: [start, end] in milliseconds."""
    first, last = request.query.get("start"), request.query.get("end")
    first_ms = -(-parse_iso(first) // NS_PER_MS) if first else 0
    return first_ms, min(parse_iso(last) // NS_PER_MS if last else now_ms, now_ms)
