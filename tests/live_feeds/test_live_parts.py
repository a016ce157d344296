"""Small parts of a live feed: what failures mean, how long to wait, which hosts may be reached."""

import asyncio
import socket
import ssl
from itertools import pairwise
from types import SimpleNamespace

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.codecs.alpaca import AlpacaCodec, trade_number
from adapters.live import build
from adapters.live.clock import FastClock
from adapters.live.hosts import ForbiddenHostError
from adapters.live.lost import LostError, classified
from adapters.live.pacing import LONGEST_WAIT_S, MOST_IN_WINDOW, Backoff, ConnectionBudget
from adapters.loopback.binance import BinanceVenue
from engine.live.ports import FeedRefusedError
from tests.codecs.codec_laws import assert_all_variants_lawful, assert_lawful, frames_near, told, verdict
from tests.live_feeds.rig import Heard, at

S = 1_000_000_000

REQUEST = SimpleNamespace(real_url="https://host/path?secret=1")


def answered(status: int, **headers: str) -> aiohttp.ClientResponseError:
    return aiohttp.ClientResponseError(REQUEST, (), status=status, headers=CIMultiDict(headers))


@pytest.mark.parametrize(
    ("error", "kind", "wait_s"),
    [
        (socket.gaierror(-2, "unknown"), "dns", 0),
        (ssl.SSLError("bad"), "tls", 0),
        (ConnectionRefusedError(), "refused", 0),
        (TimeoutError(), "timeout", 0),
        (asyncio.IncompleteReadError(b"", 3), "closed", 0),
        (ConnectionResetError(), "closed", 0),
        (aiohttp.ServerDisconnectedError(), "closed", 0),
        (answered(500), "status", 0),
        (answered(429, **{"Retry-After": "7"}), "status", 7),
        (answered(429, **{"Retry-After": "soon"}), "status", 0),
        (answered(418), "status", 120),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_failure_is_told_by_what_to_do_about_it(error: BaseException, kind: str, wait_s: float) -> None:
    lost = classified(error)

    assert (lost.kind, lost.retry_after_s) == (kind, wait_s)
    assert "secret" not in str(lost)


@pytest.mark.parametrize("status", [401, 402, 403, 451])
def test_what_will_not_be_granted_is_not_asked_again(status: int) -> None:
    with pytest.raises(FeedRefusedError, match=str(status)):
        classified(answered(status))


def test_waits_grow_up_to_a_bound_and_are_forgotten_after_success() -> None:
    bounds = []
    for failures in range(12):
        tried = [Backoff(f"seed {number}") for number in range(200)]
        for one in tried:
            one.failures = failures
        bounds.append(max(one.wait_s() for one in tried))

    assert bounds == sorted(bounds) or max(bounds) <= LONGEST_WAIT_S
    assert bounds[0] <= 2.0
    assert 25.0 < bounds[-1] <= LONGEST_WAIT_S
    backoff = Backoff("x")
    for _ in range(9):
        backoff.wait_s()
    backoff.succeeded()
    assert backoff.wait_s() <= 2.0
    assert backoff.wait_s(at_least_s=60.0) == 60.0


@given(st.lists(st.integers(0, 3 * S), min_size=1, max_size=400))
def test_connections_are_never_more_than_the_budget(waits_ns: list[int]) -> None:
    budget, now_ns, opened = ConnectionBudget(), 0, []
    for wait_ns in waits_ns:
        now_ns += wait_ns
        now_ns += max(0, budget.due_ns(now_ns))
        assert budget.due_ns(now_ns) <= 0
        budget._opened_ns.append(now_ns)
        opened.append(now_ns)

    assert all(later - earlier >= S for earlier, later in pairwise(opened))
    for at_ns in opened:
        assert sum(at_ns - 300 * S < one <= at_ns for one in opened) <= MOST_IN_WINDOW


@pytest.mark.asyncio
async def test_a_feed_that_would_reach_an_order_host_ends_before_it_does() -> None:
    heard = Heard()
    table = {"name": "x", "kind": "binance", "symbols": ["BTCUSDT"]}
    feed = build(table | {"stream_url": "wss://api.binance.com", "rest_url": "https://api.binance.com"}, FastClock(50))

    async with asyncio.timeout(10):
        with pytest.raises(ForbiddenHostError):
            await feed.open()
        listening = asyncio.create_task(heard.listen())
        await feed.run(heard.inbox, {"BTCUSDT": 0}, 0)
        heard.inbox.close()
        await listening

    assert heard.states == ["RECOVERING", "DOWN"]


@pytest.mark.asyncio
async def test_in_live_mode_this_host_is_no_source_of_market_data() -> None:
    venue = BinanceVenue(rate=1)
    async with venue.running():
        feed = build(at(venue, {"name": "x", "kind": "binance", "symbols": ["BTCUSDT"]}), venue.clock, "live")
        with pytest.raises(ForbiddenHostError):
            await feed.open()

    assert venue.ledger.requests == []


# ---------------------------------------------------------------------------- Alpaca's codec

FRAMES = (
    b'[{"T":"success","msg":"connected"}]',
    b'[{"T":"t","S":"AAPL","i":96921,"x":"D","p":126.55,"s":1,"t":"2021-02-22T15:51:44.208Z","c":["@","I"],"z":"C"}]',
    b'[{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"t":"2021-02-22T15:51:45.335689322Z",'
    b'"c":["R"],"z":"C"}]',
    b'[{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"n":461,"vw":389.0,'
    b'"t":"2021-02-22T19:15:00Z"},{"T":"t","S":"AAPL","i":5,"x":"V","p":1.5,"s":2,"t":"2021-02-22T19:16:00Z"}]',
    b'[{"T":"u","S":"SPY","o":388.985,"h":390.13,"l":388.975,"c":389.12,"v":49378,"n":461,"t":"2021-02-22T19:15:00Z"}]',
    b'[{"T":"error","code":402,"msg":"auth failed"}]',
    b'[{"T":"subscription","trades":["AAPL"],"quotes":[],"bars":["*"]}]',
    b'[{"T":"t","S":"BTC/USD","p":1.5,"s":2.5,"t":"2021-02-22T19:16:00.000000001Z","i":31455277,"tks":"S"}]',
    b'[{"T":"zz","S":"AAPL"}]',
    b'[{"T":"s","S":"AAPL","sc":"H"}]',
)


def test_no_odd_value_breaks_the_codec() -> None:
    assert_all_variants_lawful(AlpacaCodec, FRAMES)


@given(frames_near(FRAMES))
def test_every_frame_is_reported_once(frame: bytes) -> None:
    assert_lawful(AlpacaCodec(), frame)


def test_what_frames_of_alpaca_say() -> None:
    assert [verdict(AlpacaCodec(), frame) for frame in FRAMES] == [
        "passed", "rows", "rows", "rows", "passed", "passed", "passed", "rows", "unknown", "passed",
    ]  # fmt: skip
    assert len(told(AlpacaCodec(), FRAMES[3]).given) == 2


def test_an_unknown_kind_beside_rows_does_not_lose_them() -> None:
    frame = FRAMES[8][:-1] + b"," + FRAMES[1][1:]

    assert verdict(AlpacaCodec(), frame) == "rows"


@given(
    st.integers(1, 2**62), st.sampled_from(["", "A", "V", "Z"]), st.integers(1, 2**62), st.sampled_from(["", "A", "V"])
)
def test_numbers_of_different_exchanges_stay_apart(one: int, here: str, other: int, there: str) -> None:
    same = (one, here) == (other, there)

    assert (trade_number(one, here) == trade_number(other, there)) is same
    assert 0 < trade_number(one, here) < 2**63


def test_an_error_of_the_stream_is_told_at_once() -> None:
    heard: list[tuple[int, str]] = []
    codec = AlpacaCodec(lambda code, text: heard.append((code, text)))

    assert verdict(codec, FRAMES[5]) == "passed"
    assert heard[0] == (402, "auth failed")


def test_lost_says_kind_and_reason() -> None:
    assert str(LostError("mute", "no data")) == "mute: no data"
