"""What venue libraries say of signed requests, through our logs: neither key nor signature nor secret."""

import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
import structlog

from engine.config.credentials import Secret
from engine.config.daemon_tables import LogSettings
from engine.log import logging_to

KEY, SECRET = "CANARYkey5e1f0123456789", "CANARYsecret9a8b7c6d5e4f"
SECRETS = (Secret("binance.api_key", KEY, "test"), Secret("binance.secret_key", SECRET, "test"))
SETTINGS = LogSettings(level="debug", lines_per_site_per_s=1_000)


def nowhere(exchange: Any) -> Any:
    """An exchange whose addresses nobody answers."""
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], "http://127.0.0.1:9")
    exchange.options["fetchCurrencies"] = False
    return exchange


def test_ccxt_with_everything_it_can_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ccxt = pytest.importorskip("ccxt")
    stream = io.StringIO()

    with logging_to(SETTINGS, tmp_path, SECRETS, stream) as book:
        exchange = nowhere(ccxt.binance({"apiKey": KEY, "secret": SECRET, "timeout": 500}))
        signed = exchange.sign("order", "private", "POST", {"symbol": "BTCUSDT", "quantity": "1"})
        try:
            exchange.fetch(signed["url"], signed["method"], signed["headers"], signed["body"])
        except ccxt.NetworkError as error:
            structlog.get_logger().exception("request_failed", error=error, request=signed)
            logging.getLogger("ccxt.base.exchange").error("again %s %r", error, signed)
        structlog.get_logger().info("object", exchange=vars(exchange).get("apiKey"), whole=repr(exchange.headers))
        book.drain()

    written = stream.getvalue() + (tmp_path / "wyckoff.jsonl").read_text() + json.dumps(book.last(100))
    assert "request_failed" in written
    assert "signature" in signed["body"] or "signature" in signed["url"]
    signature = (signed["body"] or signed["url"]).rpartition("signature=")[2]
    for leaked in (KEY, SECRET, signature):
        assert leaked not in written
    assert capsys.readouterr().out == ""


def test_alpacas_client_with_everything_it_can_say(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the library imports what websockets has retired
        trading = pytest.importorskip("alpaca.trading.client")
    from requests.exceptions import ConnectionError as Unreachable

    stream = io.StringIO()
    with logging_to(SETTINGS, tmp_path, SECRETS, stream):
        client = trading.TradingClient(KEY, SECRET, paper=True, url_override="http://127.0.0.1:9")
        try:
            client.get_account()
        except Unreachable as error:
            structlog.get_logger().exception("account_failed", error=error, headers=client._get_auth_headers())

    assert "account_failed" in stream.getvalue()
    assert KEY not in stream.getvalue()
    assert SECRET not in stream.getvalue()


@pytest.mark.asyncio
async def test_aiohttp_with_an_address_that_holds_a_token(tmp_path: Path) -> None:
    import aiohttp

    stream = io.StringIO()
    with logging_to(SETTINGS, tmp_path, SECRETS, stream):
        async with aiohttp.ClientSession(headers={"X-MBX-APIKEY": KEY}) as session:
            try:
                await session.get(f"http://127.0.0.1:9/ws?listenKey=unloaded0123456789&k={SECRET}")
            except aiohttp.ClientError as error:
                structlog.get_logger().exception("stream_failed", error=error, headers=dict(session.headers))
                logging.getLogger("aiohttp.client").error("%s", f"GET /ws?listenKey=unloaded0123456789 {error!r}")

    assert "stream_failed" in stream.getvalue()
    for leaked in (KEY, SECRET, "unloaded0123456789"):
        assert leaked not in stream.getvalue()
