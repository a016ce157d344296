"""What venues answer, in the shapes they use, and real answers out of recordings."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.venue_metadata import (
    Metadata,
    MetadataError,
    is_metadata,
    read_metadata,
    recognised,
    recorded_metadata,
)
from engine.definitions import Definition
from engine.instruments import InstrumentError
from tests.adapters.file_makers import SHARED


def read(answer: Any) -> Metadata:
    return recognised("answer.json", json.dumps(answer).encode())


def defined(answer: Any, symbol: str) -> Definition:
    found = read(answer).definition(symbol)
    assert found is not None
    return found


def numbers(found: Definition) -> tuple[str, str, str | None, str | None, str | None]:
    """Tick, lot, least lot, least value, quote currency: as text, because 0.10 is another scale than 0.1."""
    values = (found.tick, found.lot, found.min_quantity, found.min_notional)
    tick, lot, quantity, notional = (None if value is None else format(value, "f") for value in values)
    return str(tick), str(lot), quantity, notional, found.currency


def binance(*filters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    entry = {"symbol": "BTCUSDT", "quoteAsset": "USDT", "filters": list(filters)}
    return {"timezone": "UTC", "symbols": [entry | fields]}


PRICE = {"filterType": "PRICE_FILTER", "minPrice": "0.01", "tickSize": "0.01000000"}
LOT = {"filterType": "LOT_SIZE", "minQty": "0.00010000", "stepSize": "0.00001000"}
KRAKEN = {"altname": "XBTUSD", "wsname": "XBT/USD", "quote": "ZUSD", "pair_decimals": 1, "lot_decimals": 8}
BYBIT = {"symbol": "BTCUSDT", "quoteCoin": "USDT", "priceFilter": {"tickSize": "0.10"}}
KUCOIN = {"symbol": "BTC-USDT", "quoteCurrency": "USDT", "priceIncrement": "0.1", "baseIncrement": "0.00000001"}
COINBASE = {"product_id": "BTC-USD", "product_type": "SPOT", "base_increment": "0.00000001", "quote_increment": "0.01",
            "quote_currency_id": "USD"}  # fmt: skip
GATE = {"id": "BTC_USDT", "base": "BTC", "quote": "USDT", "precision": 1, "amount_precision": 5}

SHAPES = {
    "Binance spot": (
        binance(PRICE, LOT, {"filterType": "MIN_NOTIONAL", "minNotional": "10.00000000"}), "BTCUSDT",
        ("0.01", "0.00001", "0.0001", "10", "USDT"),
    ),
    "Binance spot since 2023": (
        binance(PRICE, LOT, {"filterType": "NOTIONAL", "minNotional": "5.0"}), "BTCUSDT",
        ("0.01", "0.00001", "0.0001", "5", "USDT"),
    ),
    "Binance USD-M": (
        binance(PRICE, LOT, {"filterType": "MIN_NOTIONAL", "notional": "100"}, contractType="PERPETUAL"), "BTCUSDT",
        ("0.01", "0.00001", "0.0001", "100", "USDT"),
    ),
    "Binance without a least value": (binance(PRICE, LOT), "BTCUSDT", ("0.01", "0.00001", "0.0001", None, "USDT")),
    "Coinbase": (
        {"products": [COINBASE | {"price_increment": "0.001", "quote_min_size": "1", "base_min_size": "0.00000001"}]},
        "BTC-USD", ("0.001", "0.00000001", "0.00000001", "1", "USD"),
    ),
    "Coinbase without a price increment": (
        {"products": [COINBASE | {"price_increment": ""}]}, "BTC-USD", ("0.01", "0.00000001", None, None, "USD"),
    ),
    "Kraken": (
        {"error": [], "result": {"XXBTZUSD": KRAKEN | {"ordermin": "0.0001"}}}, "XBT/USD",
        ("0.1", "0.00000001", "0.0001", None, "USD"),
    ),
    "Kraken with a tick of its own": (
        {"error": [], "result": {"XXBTZUSD": KRAKEN | {"tick_size": "0.5", "costmin": "0.50"}}}, "XBT/USD",
        ("0.5", "0.00000001", None, "0.5", "USD"),
    ),
    "Kraken in the words of its second protocol": (
        {"error": [], "result": {"XXBTZUSD": KRAKEN}}, "BTC/USD", ("0.1", "0.00000001", None, None, "USD"),
    ),
    "Kraken quoted in bitcoin": (
        {"error": [], "result": {"XETHXXBT": KRAKEN | {"wsname": "ETH/XBT", "pair_decimals": 5}}}, "ETH/XBT",
        ("0.00001", "0.00000001", None, None, "BTC"),
    ),
    "Bybit linear": (
        {"retCode": 0, "result": {"category": "linear", "list": [BYBIT | {"contractType": "LinearPerpetual",
         "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001", "minNotionalValue": "5"}}]}}, "BTCUSDT",
        ("0.1", "0.001", "0.001", "5", "USDT"),
    ),
    "Bybit spot": (
        {"retCode": 0, "result": {"category": "spot", "list": [BYBIT | {
         "lotSizeFilter": {"basePrecision": "0.000001", "minOrderQty": "0.000011", "minOrderAmt": "5"}}]}}, "BTCUSDT",
        ("0.1", "0.000001", "0.000011", "5", "USDT"),
    ),
    "Gate": (
        [GATE | {"min_quote_amount": "1", "min_base_amount": "0.001"}], "BTC_USDT",
        ("0.1", "0.00001", "0.001", "1", "USDT"),
    ),
    "KuCoin": (
        {"code": "200000", "data": [KUCOIN | {"baseMinSize": "0.00001", "quoteMinSize": "0.01"}]}, "BTC-USDT",
        ("0.1", "0.00000001", "0.00001", "0.01", "USDT"),
    ),
    "KuCoin with least funds": (
        {"code": "200000", "data": [KUCOIN | {"quoteMinSize": "0.01", "minFunds": "0.1"}]}, "BTC-USDT",
        ("0.1", "0.00000001", None, "0.1", "USDT"),
    ),
    "Alpaca stock": (
        [{"id": "904837e3", "class": "us_equity", "exchange": "NASDAQ", "symbol": "AAPL", "fractionable": True}],
        "AAPL", ("0.01", "1", None, None, "USD"),
    ),
    "Alpaca coin": (
        [{"id": "64bbff51", "class": "crypto", "exchange": "CRYPTO", "symbol": "BTC/USD", "min_order_size": "0.00002",
          "min_trade_increment": "0.000000001", "price_increment": "0.1"}],
        "BTC/USD", ("0.1", "0.000000001", "0.00002", None, "USD"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_each_venue_is_understood(name: str) -> None:
    answer, symbol, expected = SHAPES[name]

    assert numbers(defined(answer, symbol)) == expected
    assert read(answer).name == f"answer.json ({name.split()[0]})"


def test_stocks_have_sessions_and_coins_have_none() -> None:
    stock, coin = defined(*SHAPES["Alpaca stock"][:2]), defined(*SHAPES["Alpaca coin"][:2])

    assert (stock.asset_class, stock.calendar) == ("stock", "XNYS")
    assert (coin.asset_class, coin.calendar) == ("crypto", "")
    assert {defined(answer, symbol).point_value for answer, symbol, _ in SHAPES.values()} == {Decimal(1)}


def test_a_symbol_that_is_not_listed_is_none_and_names_are_sorted() -> None:
    found = read([GATE, GATE | {"id": "ADA_USDT"}])

    assert found.definition("ETH_USDT") is None
    assert found.symbols == ("ADA_USDT", "BTC_USDT")


def test_kraken_pairs_without_a_market_stream_are_left_out() -> None:
    dark = {name: value for name, value in KRAKEN.items() if name != "wsname"}

    assert read({"error": [], "result": {"XXBTZUSD": KRAKEN, "XXBTZUSD.d": dark}}).symbols == ("BTC/USD", "XBT/USD")


def test_a_symbol_listed_twice_must_say_the_same() -> None:
    assert numbers(defined([GATE, GATE], "BTC_USDT"))[0] == "0.1"

    with pytest.raises(InstrumentError, match=r"answer\.json \(Gate\): BTC_USDT: must be listed once"):
        read([GATE, GATE | {"precision": 2}]).definition("BTC_USDT")


DAMAGED = {
    "a tick of zero": (binance({**PRICE, "tickSize": "0.0000"}, LOT), "BTCUSDT", r"PRICE_FILTER\.tickSize: must be >"),
    "no tick": (binance({"filterType": "PRICE_FILTER"}, LOT), "BTCUSDT", r"tickSize: must be > 0, was None"),
    "no lot filter": (binance(PRICE), "BTCUSDT", "filters: must hold LOT_SIZE, was PRICE_FILTER"),
    "a negative step": (binance(PRICE, {**LOT, "stepSize": "-1"}), "BTCUSDT", r"LOT_SIZE\.stepSize"),
    "a step that is no number": (binance(PRICE, {**LOT, "stepSize": "x"}), "BTCUSDT", r"filters\[1\]\.stepSize"),
    "an infinite tick": (binance({**PRICE, "tickSize": "Infinity"}, LOT), "BTCUSDT", r"PRICE_FILTER\.tickSize"),
    "a tick that is not a number": (binance({**PRICE, "tickSize": "NaN"}, LOT), "BTCUSDT", r"PRICE_FILTER\.tickSize"),
    "a least that is not a number": (binance(PRICE, {**LOT, "minQty": "NaN"}), "BTCUSDT", r"LOT_SIZE\.minQty"),
    "coin-margined": (binance(PRICE, LOT, contractSize=100), "BTCUSDT", "contractSize"),
    "no quote": ({"symbols": [{"symbol": "BTCUSDT", "filters": [PRICE, LOT]}]}, "BTCUSDT", "quoteAsset"),
    "a future of Coinbase": ({"products": [COINBASE | {"product_type": "FUTURE"}]}, "BTC-USD", "product_type"),
    "a word of Coinbase": ({"products": [COINBASE | {"base_increment": "tiny"}]}, "BTC-USD", "base_increment"),
    "places beyond reason": ([GATE | {"precision": 400}], "BTC_USDT", "precision: must be between -18 and 18"),
    "a pair without decimals": ({"error": [], "result": {"X": {"wsname": "A/B"}}}, "A/B", "pair_decimals"),
    "an inverse contract": (
        {"retCode": 0, "result": {"list": [BYBIT | {"contractType": "InversePerpetual",
         "lotSizeFilter": {"qtyStep": "1", "minOrderQty": "1"}}]}}, "BTCUSDT", "contractType",
    ),
    "an option of Alpaca": ([{"id": "1", "class": "us_option", "symbol": "AAPL"}], "AAPL", "class: must be us_equity"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_entry_is_told_with_file_symbol_and_field_when_it_is_asked_for(name: str) -> None:
    answer, symbol, expected = DAMAGED[name]
    found = read(answer)

    with pytest.raises(InstrumentError, match=rf"^answer\.json \(\w+\): {symbol}: .*{expected}"):
        found.definition(symbol)


def test_damage_elsewhere_stops_nobody() -> None:
    found = read([GATE | {"id": 7}, "nonsense", GATE | {"id": "X_Y", "precision": "?"}, GATE])

    assert numbers(defined([GATE], "BTC_USDT")) == numbers(found.definition("BTC_USDT"))  # type: ignore[arg-type]
    assert found.symbols == ("BTC_USDT", "X_Y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "was not"),
        (b"{", "was not"),
        (b"<html>", "was not"),
        (b"[1, 2]", "was not"),
        (b"{}", "an object of nothing"),
        (b'{"code":-1121,"msg":"Invalid symbol."}', "an object of code, msg"),
        (b"[]", "a list of nothing"),
        (b'[{"a":1}]', "a list of a"),
        (b'{"symbols":[]}', "an empty list of Binance"),
        (b'{"symbols":7}', "was not"),
        (b'{"error":["EService:Busy"],"result":{}}', "was the error EService:Busy"),
        (b"[" * 100_000, "was not"),
        (b"\xff\xfe\x00", "was not"),
    ],
)
def test_what_is_no_list_of_instruments_is_refused(text: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(text)

    with pytest.raises(MetadataError, match=rf"odd\.json: must .*{expected}"):
        read_metadata(path)
    assert not is_metadata(path)


def test_files_may_be_compressed(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json.gz"
    path.write_bytes(gzip.compress(json.dumps([GATE]).encode()))

    assert read_metadata(path).symbols == ("BTC_USDT",)
    assert is_metadata(path)

    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(MetadataError, match=r"pairs\.json\.gz: gzip data must be complete"):
        read_metadata(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=r"nowhere\.json"):
        read_metadata(tmp_path / "nowhere.json")


# -------------------------------------------------------------------------------- recordings


def recording(path: Path, *records: dict[str, Any]) -> Path:
    header = {"t": "header", "format": 2, "exchange": "GATEIO"}
    path.write_text("".join(json.dumps(record) + "\n" for record in (header, *records)))
    return path


def asked(answer: Any, url: str = "https://api.gateio.ws/pairs") -> dict[str, Any]:
    return {"t": "http", "conn": "c", "ts": 1.0, "url": url, "data": json.dumps(answer)}


def test_a_recording_tells_what_its_venue_said_before_the_market_began(tmp_path: Path) -> None:
    book, market = asked({"bids": [], "asks": []}), {"t": "recv", "conn": "c", "ts": 2.0, "data": "{}"}
    path = recording(tmp_path / "day.jsonl", book, asked([GATE]), market, asked([GATE | {"id": "LATE_USDT"}]))

    found = recorded_metadata(path)

    assert [one.name for one in found] == ["day.jsonl, api.gateio.ws/pairs (Gate)"]
    assert found[0].symbols == ("BTC_USDT",)


@pytest.mark.parametrize("text", ["", "time,open\n", '{"t":"recv"}\n', '{"t":"http","data":"[]"}\n', "\x00\n"])
def test_other_files_tell_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_text(text)

    assert recorded_metadata(path) == []


REAL = {
    "BINANCE": (1_695, "NKNUSDT", ("0.0001", "1", "1", "10", "USDT")),
    "BINANCE_FUTURES": (122, "SUSHIUSDT", ("0.001", "1", "1", "5", "USDT")),
    "BYBIT": (800, "ETHUSDT", ("0.01", "0.01", "0.01", "5", "USDT")),
    "COINBASE": (920, "BTC-USD", ("0.01", "0.00000001", "0.00000001", "1", "USD")),
    "GATEIO": (1_458, "NEO_BTC", ("0.0000001", "0.001", None, "0.0001", "BTC")),
    "KRAKEN": (358, "XMR/USD", ("0.01", "0.00000001", "0.05", None, "USD")),
    "KUCOIN": (634, "FET-BTC", ("0.00000001", "0.0001", "0.1", "0.00001", "BTC")),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")
@pytest.mark.parametrize("name", REAL)
def test_every_entry_of_real_answers_is_usable(name: str) -> None:
    listed, symbol, expected = REAL[name]

    found = recorded_metadata(SHARED / f"feeds/cryptofeed/{name}.jsonl.zst")

    assert len(found[0].symbols) == listed
    for one in found:
        for each in one.symbols:
            assert one.definition(each) is not None
    first = found[0].definition(symbol)
    assert first is not None
    assert numbers(first) == expected


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real data at {SHARED}")
def test_a_recording_may_hold_names_alone() -> None:
    """Bitfinex lists pairs without their ticks."""
    assert recorded_metadata(SHARED / "feeds/cryptofeed/BITFINEX.jsonl.zst") == []
