"""Logs: bounded, rated, capped on disk, and without a single secret, whoever speaks."""

import asyncio
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from engine.config.credentials import Secret
from engine.config.daemon_tables import LogSettings
from engine.log import BURST, LogBook, Sites, logging_to
from engine.log_files import CappedFile
from engine.redaction import HIDDEN, Redactor
from tests.control.makers import until

CANARY = "CANARY/5e1f+top=secret value"
SECRETS = (Secret("alpaca.secret_key", CANARY, "test"),)
FAST = LogSettings(lines_per_site_per_s=1_000)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(directory: Path, settings: LogSettings = FAST, stream: Any = None) -> Any:
    return logging_to(settings, directory, SECRETS, io.StringIO() if stream is None else stream)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[LogBook]:
    with logged(tmp_path) as found:
        yield found


def lines(book: LogBook) -> list[dict[str, Any]]:
    book.drain()
    return [json.loads(line) for line in book.last(10_000)]


def test_both_kinds_of_loggers_end_in_one_line_of_json(book: LogBook) -> None:
    structlog.get_logger().info("feed_connected", feed="iex", tries=2)
    logging.getLogger("websockets.client").warning("lost %s", "it")

    one, other = lines(book)

    assert (one["level"], one["event"], one["feed"], one["tries"]) == ("info", "feed_connected", "iex", 2)
    assert (other["level"], other["event"], other["logger"]) == ("warning", "lost it", "websockets.client")
    assert one["time"].endswith("Z")


def test_lines_go_to_the_stream_and_to_the_file(tmp_path: Path) -> None:
    stream = io.StringIO()

    with logged(tmp_path, stream=stream):
        structlog.get_logger().info("one")

    assert json.loads(stream.getvalue())["event"] == "one"
    assert json.loads((tmp_path / "wyckoff.jsonl").read_text())["event"] == "one"
    assert (tmp_path / "wyckoff.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_terminal_gets_lines_for_people_that_do_not_drive_it(tmp_path: Path) -> None:
    stream = Terminal()

    with logged(tmp_path, stream=stream):
        structlog.get_logger().info("hello", symbol="A\x1b[2JB")

    assert "hello" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(stream.getvalue())


def test_the_format_can_be_set_against_the_terminal(tmp_path: Path) -> None:
    stream = Terminal()

    with logged(tmp_path, LogSettings(format="json"), stream):
        structlog.get_logger().info("hello")

    assert json.loads(stream.getvalue())["event"] == "hello"


def test_levels_hold_and_can_be_changed(book: LogBook) -> None:
    structlog.get_logger().debug("no")
    book.change(LogSettings(level="debug", lines_per_site_per_s=1_000))
    structlog.get_logger().debug("yes")
    logging.getLogger("ccxt").debug("never: it prints keys")

    assert [one["event"] for one in lines(book)] == ["yes"]


LEAKS: list[Any] = [
    lambda log: log.info("plain", note=CANARY),
    lambda log: log.info(f"in the event {CANARY}"),
    lambda log: log.info("nested", config={"deep": [{"er": CANARY}]}),
    lambda log: log.info("bytes", body=CANARY.encode()),
    lambda log: log.info("object", secrets=SECRETS),
    lambda log: log.info("address", url="https://x.test/?k=CANARY%2F5e1f%2Btop%3Dsecret%20value&a=1"),
    lambda log: log.info("plus", url="https://x.test/?k=CANARY%2F5e1f%2Btop%3Dsecret+value"),
    lambda log: log.info("json", body=json.dumps({"a": json.dumps({"b": CANARY})})),
    lambda log: log.info("repr", body=repr([CANARY])),
    lambda log: logging.getLogger("ccxt.base").error("fetch2 %s", {"X-MBX-APIKEY": CANARY}),
    lambda log: logging.getLogger("aiohttp.client").warning("GET %s", f"https://api.test/o?signature={CANARY}"),
    lambda log: logging.getLogger("alpaca").info("headers %r", {"APCA-API-SECRET-KEY": CANARY}),
]


@pytest.mark.parametrize("leak", LEAKS, ids=range(len(LEAKS)))
def test_no_way_of_saying_it_gets_a_loaded_secret_through(leak: Any, tmp_path: Path) -> None:
    stream = Terminal()

    with logged(tmp_path, stream=stream) as book:
        leak(structlog.get_logger())
        book.drain()
        text = "".join(book.last(100))

    written = text + stream.getvalue() + (tmp_path / "wyckoff.jsonl").read_text()
    for disguise in ("CANARY", "5e1f", "top=secret", "top%3Dsecret"):
        assert disguise not in written


def test_exceptions_and_warnings_are_redacted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)

    with logged(tmp_path) as book:
        try:
            raise ValueError(f"binance GET https://x.test?signature={CANARY}")
        except ValueError as error:
            structlog.get_logger().exception("order_failed")
            sys.excepthook(ValueError, error, error.__traceback__)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"deprecated {CANARY}", stacklevel=1)
        thread = threading.Thread(target=lambda: int(CANARY))
        thread.start()
        thread.join()
        text = json.dumps(lines(book))

    assert "order_failed" in text
    assert "deprecated" in text
    assert "Traceback" in text
    assert err.getvalue().count("Traceback") == 2
    assert "5e1f" not in text + err.getvalue()


UNLOADED = [
    'url="https://api.test/v3/order?symbol=X&signature=abcdef0123456789"',
    "{'X-MBX-APIKEY': 'abcdef0123456789'}",
    '{"apiKey": "abcdef0123456789", "secret": "abcdef0123456789"}',
    r"{\"listenKey\":\"abcdef0123456789\"}",
    "Authorization: Bearer abcdef0123456789",
    "authorization=Basic abcdef0123456789",
    "APCA-API-SECRET-KEY: abcdef0123456789",
    "KC-API-PASSPHRASE=abcdef0123456789",
    "CB-ACCESS-SIGN: abcdef0123456789",
    "wss://user:abcdef0123456789@venue.test/ws",
    "https://hooks.slack.com/services/T0/B0/abcdef0123456789",
    "password=abcdef0123456789",
    "bearer abcdef0123456789",
]


@pytest.mark.parametrize("text", UNLOADED)
def test_what_has_the_name_or_shape_of_a_secret_is_hidden_unknown(text: str) -> None:
    found = Redactor().text(f"before {text} after")

    assert "abcdef0123456789" not in found
    assert found.startswith("before ")
    assert HIDDEN in found


@pytest.mark.parametrize(
    "text",
    ["feed iex: no trades for 64 s", "stop=11.2 limit=12.5 side=SELL", "tokens 5 left", "key risk.heat_limit_bp"],
)
def test_what_is_none_is_left_alone(text: str) -> None:
    assert Redactor([CANARY]).text(text) == text


def test_keys_that_name_a_secret_hide_whatever_they_hold(book: LogBook) -> None:
    structlog.get_logger().info("x", api_key="short", headers={"Cookie": 7, "Accept": "a"}, is_set=True)

    (found,) = lines(book)

    assert (found["api_key"], found["headers"], found["is_set"]) == (HIDDEN, {"Cookie": HIDDEN, "Accept": "a"}, True)


def test_a_value_that_cannot_say_what_it_is_costs_no_line(tmp_path: Path) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with logged(tmp_path) as book:
        structlog.get_logger().info("odd", value=Odd(), deep=[[[[[[[[1]]]]]]]])
        structlog.get_logger().info("wide", big=2**80, path="\udcff", nan=float("nan"), **{"\udcfe": 1})
        logging.getLogger("library").info("two %s %s", "only one")
        found = lines(book)

    assert [one["event"] for one in found] == ["odd", "wide", "two %s %s"]
    assert found[1]["big"] == str(2**80)


def test_a_place_that_repeats_itself_is_rated_and_counted() -> None:
    now_ns = 0
    sites = Sites(1.0, lambda: now_ns)
    site = ("file.py", 7)

    first = [sites.allow(site) for _ in range(BURST + 100_000)]
    now_ns = 1_000_000_000

    assert first == [(True, 0)] * BURST + [(False, 0)] * 100_000
    assert sites.allow(site) == (True, 100_000)
    assert sites.allow(site) == (False, 0)
    assert sites.allow(("file.py", 8)) == (True, 0)


def test_a_flood_is_cut_before_it_costs_anything(tmp_path: Path) -> None:
    with logged(tmp_path, LogSettings()) as book:
        for _ in range(2_000):
            structlog.get_logger().error("flood")

        assert len(lines(book)) <= BURST + 5
        assert book.suppressed >= 2_000 - BURST - 5


def test_a_full_queue_loses_its_oldest_lines_counted(tmp_path: Path) -> None:
    hold = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            hold.wait(5)
            return super().write(text)

    settings = LogSettings(queue_lines=100, to_file=False)
    with logged(tmp_path, settings, Stuck()) as book:
        for number in range(400):
            for site in range(2):  # each place in the code may say but a few
                book.handle(logging.LogRecord("x", 20, f"f{number}{site}", site, f"{number}", (), None))
        hold.set()
        assert book.dropped > 0
        assert lines(book)[-1]["event"] == "399"


async def _first(book: LogBook, count: int) -> list[str]:
    found: list[str] = []
    async for line in book.follow():
        found.append(json.loads(line)["event"])
        if len(found) == count:
            return found
    return found


@pytest.mark.asyncio
async def test_followers_get_what_comes(book: LogBook) -> None:
    reader = asyncio.ensure_future(_first(book, 2))
    await until(lambda: book._followers)
    structlog.get_logger().info("one")
    structlog.get_logger().info("two")

    assert await asyncio.wait_for(reader, 5) == ["one", "two"]
    for _ in range(3):
        await asyncio.sleep(0)


def test_files_stay_below_their_size(tmp_path: Path) -> None:
    file = CappedFile(tmp_path / "log", most_bytes=100, keep=3)

    file.write([f"{number:09}\n".encode() for number in range(100)])
    file.write([b"x" * 1_000])
    file.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2", "log.3"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert (tmp_path / "log.1").read_bytes().endswith(b"000000099\n")


def test_a_file_goes_on_where_it_was_left(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        file = CappedFile(tmp_path / "log", most_bytes=100, keep=3)
        file.write([text])
        file.close()

    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_disk_that_fails_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    file = CappedFile(tmp_path / "gone" / "log", most_bytes=100, keep=3)

    file.write([b"one\n", b"two\n"])
    (tmp_path / "gone").mkdir()
    file.write([b"three\n"])
    file.close()

    assert file.failed == 2
    assert (tmp_path / "gone" / "log").read_bytes() == b"three\n"


def test_afterwards_logging_is_as_it_was(tmp_path: Path) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level, sys.excepthook, threading.excepthook

    with logged(tmp_path):
        assert len(logging.getLogger().handlers) == 1

    assert (logging.getLogger().handlers, logging.getLogger().level, sys.excepthook, threading.excepthook) == before
