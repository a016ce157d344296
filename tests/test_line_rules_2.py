"""The whole line under stress: prefixes, control facts, snapshots, odd instruments, random markets."""

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.blocks import Bars, MarketBlock, Quotes, Trades
from engine.market import Market
from engine.messages import (
    AccountState,
    Action,
    Approved,
    Command,
    ConfigChange,
    ExternalOrder,
    FeedStatus,
    Fill,
    Health,
    Intent,
    Message,
    Order,
    Quarantine,
    Refused,
    Role,
    Side,
)
from engine.ports import Item
from engine.risk.holds import Holds
from tests.line_laws import adds_up, brackets_are_bounded, busy_line, check, cut_at, of, one_digest, patient, unhalted
from tests.lines import Decided, Recorded, config, decide, line, outcome, recorded
from tests.makers import heartbeat
from tests.markets import bar_market, trade_market

SLOW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

DAYS = recorded(bar_market(3, 250, 5), symbols=3)
PRINTS = recorded(trade_market(2, 150, 5, 7, late=0.01), symbols=2)
MARKETS = {"bars": DAYS, "trades": PRINTS}


@pytest.fixture(params=["bars", "trades"])
def market(request: pytest.FixtureRequest) -> Recorded:
    return MARKETS[request.param]


def block_of(market: Recorded) -> MarketBlock:
    block = market.rows[0]
    assert isinstance(block, MarketBlock)
    return block


# ------------------------------------------------------------------------------------- prefixes


@SLOW
@given(share=st.floats(0.01, 0.99))
def test_prefix_law_at_any_row(market: Recorded, share: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        busy_line(patch, every=4)
        prefix = block_of(market).slice(0, max(1, int(share * len(block_of(market)))))

        now = decide(market)
        then = decide(replace(market, rows=(prefix, heartbeat(int(prefix.row_ns.max()) - 1))))

        assert len(of(now, Fill)) > 20
        assert now.decisions[: len(then)] == then.decisions


# --------------------------------------------------------------------------------------- quotes


DENSE = trade_market(3, 150, 5, 7)


def test_quotes_between_trades_change_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=4)
    rows: list[Item] = []
    parts = cut_at(DENSE, *range(17, len(DENSE), 17))
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        rows.append(part)
        if following is not None:
            between = np.linspace(int(part.row_ns[-1]), int(following.row_ns[0]) - 1, 3, dtype=np.int64)
            rows.append(Quotes.of(time_ns=between, received_ns=between, instrument=1, bid=1.0, bid_size=1e9, ask=900.0))

    plain = decide(recorded(DENSE, symbols=3), built=line(recorded(DENSE, symbols=3), patient()))
    quoted = one_digest(recorded(*rows, symbols=3), patient())

    assert len(of(plain, Fill)) > 20
    assert quoted.decisions == plain.decisions


# -------------------------------------------------------------------------------- control facts


def control_facts(time_ns: int) -> list[Message]:
    one = Decimal(1)
    return [
        FeedStatus(time_ns, 0, "STALE", "silence"),
        Health(time_ns, "ingress_lag_ms", 900.0, 500.0),
        Health(time_ns, "ingress_lag_ms", 400.0, 500.0),
        AccountState(time_ns, Decimal(90_000), Decimal(99_000), "USD"),
        AccountState(time_ns, Decimal(90_000), Decimal(99_000), "EUR"),
        FeedStatus(time_ns, 0, "LIVE", ""),
        ExternalOrder(time_ns, "v1", "S000", Side.SELL, one, Decimal(0)),
        ExternalOrder(time_ns, "v2", "ELSE", Side.BUY, one, Decimal(7)),
        ExternalOrder(time_ns, "v1", "S000", Side.SELL, Decimal(0), Decimal(0)),
        Command(time_ns, "no such command", "", "operator", ""),
        ConfigChange(time_ns, "0" * 64, ("risk.heat_limit_bp",)),
        Quarantine(time_ns, 0, "S001", "crossed quote", 3),
        ExternalOrder(time_ns, "v2", "ELSE", Side.BUY, Decimal(0), Decimal(0)),
    ]


def test_control_facts_in_mid_stream_raise_nothing_and_leave_the_block_law(
    monkeypatch: pytest.MonkeyPatch, market: Recorded
) -> None:
    busy_line(monkeypatch, every=4)
    block = block_of(market)
    rows: list[Item] = []
    parts = cut_at(block, *range(0, len(block), len(block) // 30))
    for number, part in enumerate(part for part in parts if len(part)):
        facts = control_facts(int(part.row_ns[-1]))
        rows += [part, facts[number % len(facts)]]
    controlled = replace(market, rows=(*rows, market.rows[-1]))

    decided = one_digest(controlled, unhalted())

    check(decided, controlled)
    assert len(of(decided, Fill)) > 20
    assert decided.decisions != decide(market).decisions


def test_a_pause_refuses_entries_and_lets_exits_through(monkeypatch: pytest.MonkeyPatch, market: Recorded) -> None:
    busy_line(monkeypatch, every=3)
    rows = len(block_of(market))
    first, second, third = cut_at(block_of(market), rows // 5, rows * 3 // 4)
    pause = Command(int(first.row_ns[-1]), "pause", "", "operator", "")
    resume = Command(int(second.row_ns[-1]), "resume", "", "operator", "")
    paused = replace(market, rows=(first, pause, second, resume, third, market.rows[-1]))

    entries, others = verdicts(one_digest(paused), pause, resume)

    assert len(entries) > 3
    assert {one.receipt.code for one in entries} == {"HALTED"}
    assert others
    assert not [one for one in others if isinstance(one, Refused) and one.receipt.code == "HALTED"]

    monkeypatch.setattr(Holds, "obey", lambda self, fact: None)
    entries, _ = verdicts(decide(paused), pause, resume)
    assert any(isinstance(one, Approved) for one in entries)


def verdicts(
    decided: Decided, pause: Command, resume: Command
) -> tuple[list[Approved | Refused], list[Approved | Refused | Fill]]:
    """Those on entries, and those on exits with the fills of exits, between the two commands."""
    names = [one.name if isinstance(one, Command) else "" for one in decided.left]
    during = decided.left[names.index(pause.name) : names.index(resume.name)]
    found = [one for one in during if isinstance(one, Approved | Refused)]
    entries = [one for one in found if one.intent.action is Action.ENTER]
    exits = [one for one in found if one.intent.action in (Action.EXIT, Action.MOVE_STOP)]
    return entries, [*exits, *(one for one in during if isinstance(one, Fill) and one.role is not Role.ENTRY)]


# ------------------------------------------------------------------------------------ snapshots


@SLOW
@given(data=st.data())
def test_a_restored_chain_goes_on_as_if_nothing_had_happened(market: Recorded, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        busy_line(patch, every=4)
        chunk = data.draw(st.sampled_from([1, 7, 50]))
        facts = list(market.facts(chunk))
        stops = sorted(data.draw(st.sets(st.integers(5, len(facts) - 1), min_size=1, max_size=3)))

        built, left = line(market), []
        for number, fact in enumerate(facts):
            if number in stops:
                states = built.chain.snapshot()
                built = line(market)
                built.chain.restore(states)
                assert built.chain.snapshot() == states
            left += built.chain.run(fact)

        assert outcome(built, left).decisions == decide(market).decisions
        assert built.tap.digest.hex == decide(market).digest


def test_a_snapshot_without_the_orders_at_rest_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=4)
    plain, whole = decide(DAYS), Market.snapshot

    def forgetful(market: Market) -> bytes:
        state = msgspec.msgpack.decode(whole(market))
        book = msgspec.msgpack.decode(state["book"]) | {"groups": {}}
        return msgspec.msgpack.encode(state | {"book": msgspec.msgpack.encode(book)})

    monkeypatch.setattr(Market, "snapshot", forgetful)
    assert any(restored_at(number).decisions != plain.decisions for number in range(20, 100, 20))


def restored_at(number: int) -> Decided:
    facts = list(DAYS.facts(7))
    built, again = line(DAYS), line(DAYS)
    left = [item for fact in facts[:number] for item in built.chain.run(fact)]
    again.chain.restore(built.chain.snapshot())
    left += [item for fact in facts[number:] for item in again.chain.run(fact)]
    return outcome(again, left)


# ------------------------------------------------------------------------------ odd instruments


def reshaped(factor: float, offset: float, places: int, volume: float) -> Bars:
    block = bar_market(2, 250, 5)
    prices = {name: np.round(getattr(block, name) * factor + offset, places) for name in ("open", "high", "low")}
    prices["close"] = np.round(block.close * factor + offset, places)
    return replace(block, volume=block.volume * volume, **prices)


ODD: dict[str, tuple[Bars, dict[str, Any]]] = {
    "tiny ticks and lots": (reshaped(1e-6, 0, 8, 1e6), {"tick": "0.00000001", "lot": "0.001"}),
    "more lots than 28 digits hold": (reshaped(1e-9, 0, 18, 1e12), {"tick": "1e-18", "lot": "1e-18"}),
    "huge prices": (reshaped(1e9, 0, 2, 1), {"tick": "0.01", "lot": "0.000000001"}),
    "prices beyond all bounds": (reshaped(1e13, 0, 2, 1), {"lot": "1e-16"}),
    "negative prices": (reshaped(1, -300, 2, 1), {"allows_negative": True, "point_value": "5"}),
    "prices around zero": (reshaped(1, -100, 2, 1), {"allows_negative": True}),
    "a tick wider than most bars": (reshaped(1, 0, 2, 1), {"tick": "2.5"}),
    "ticks and lots of no round number": (reshaped(1, 0, 2, 1), {"tick": "0.03125", "lot": "0.7"}),
    "endless volume": (reshaped(1, 0, 2, 1e25), {}),
    "a least notional": (reshaped(1, 0, 2, 1), {"min_notional": "2000"}),
}


@pytest.mark.parametrize("name", ODD)
def test_the_laws_hold_for_odd_instruments(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    busy_line(monkeypatch, every=3, reach=0.02)
    block, given_as = ODD[name]
    changes: dict[str, Any] = {
        key: Decimal(value) if isinstance(value, str) else value for key, value in given_as.items()
    }
    market = recorded(block, symbols=2, asset_class="crypto", **changes)

    decided = one_digest(market, chunks=(1, 7))

    check(decided, market)
    if name == "prices beyond all bounds":
        assert {one.receipt.code for one in of(decided, Refused)} == {"NUMERIC"}
    else:
        assert len(of(decided, Fill)) > 5


# -------------------------------------------------------------------------------- random stress


def wild(seed: int) -> Recorded:
    """1 to 4 instruments with gaps, empty bars, equal times, jumps, late rows; all by the seed."""
    draw, noise = random.Random(seed), np.random.default_rng(seed)
    symbols = draw.randint(1, 4)
    of_bars = draw.random() < 0.5
    frame = draw.choice(["1m", "1h", "1d"]) if of_bars else "1m"
    block: Bars | Trades
    if of_bars:
        block = bar_market(symbols, draw.randint(40, 150), seed, frame, daily_range=draw.choice([0.003, 0.012, 0.05]))
    else:
        block = trade_market(symbols, draw.randint(20, 80), draw.randint(1, 6), seed, late=draw.choice([0, 0.02, 0.1]))
    columns = {name: column[noise.uniform(size=len(block)) < 2].copy() for name, column in block.columns().items()}
    size = columns["volume" if of_bars else "size"]
    size[noise.uniform(size=len(size)) < draw.choice([0, 0.1])] = draw.choice([0, 1e12])
    jumps = np.cumprod(np.where(noise.uniform(size=len(size)) < 0.02, draw.choice([0.3, 1, 3]), 1.0))
    for name in ("open", "high", "low", "close", "price"):
        if name in columns:
            columns[name] = np.maximum(np.round(columns[name] * jumps, 2), 0.01)
    if not of_bars and draw.random() < 0.5:
        columns["time_ns"] = columns["time_ns"] // 10**9 * 10**9
    kept = noise.uniform(size=len(size)) < draw.choice([0.4, 0.9, 1.0])
    kept[0] = True
    rows = type(block).of(**{name: column[kept] for name, column in columns.items()})
    lot = Decimal(draw.choice(["1", "0.001", "10"]))
    return recorded(rows, symbols=symbols, detect_on=(frame, "1w"), lot=lot)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    every=st.sampled_from([1, 3, 8]),
    reach=st.sampled_from([0.002, 0.01, 0.05]),
    lateness_ms=st.sampled_from([0, 250]),
    chunk=st.integers(2, 60),
)
def test_any_small_market_keeps_all_laws(seed: int, every: int, reach: float, lateness_ms: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        busy_line(patch, every, reach)
        market = wild(seed)

        decided = one_digest(market, config(run={"lateness_ms": lateness_ms}), chunks=(1, chunk, 0))

        check(decided, market)


def changed(one: Item, **changes: object) -> Item:
    assert isinstance(one, Message)
    return msgspec.structs.replace(one, **changes)


def broken(kind: type, **changes: object) -> Decided:
    """What a line left, with one field of each message of a kind made wrong."""
    decided = decide(DAYS)
    items = [changed(one, **changes) if isinstance(one, kind) else one for one in decided.left]
    return Decided("", tuple(one for one in items if isinstance(one, Message)), tuple(items))


PLANTED: dict[str, tuple[type, dict[str, object]]] = {
    "a price off the tick": (Order, {"stop_price": Decimal("10.001")}),
    "part of a lot": (Order, {"quantity": Decimal("0.5")}),
    "more than was approved": (Order, {"quantity": Decimal(10**9)}),
    "a fill of more than the order": (Fill, {"quantity": Decimal(10**9)}),
    "a fill before its decision": (Fill, {"time_ns": 0}),
    "a score that is none": (Intent, {"score": float("nan")}),
    "a plan that is none": (Intent, {"limit_price": Decimal("Infinity")}),
    "an intent from the past": (Intent, {"decision_ns": -(2**62)}),
    "an approval of something else": (Approved, {"intent": None}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_each_law_catches_its_violation(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    busy_line(monkeypatch, every=4)
    kind, changes = PLANTED[name]
    check(decide(DAYS), DAYS)

    with pytest.raises((AssertionError, AttributeError)):
        check(broken(kind, **changes), DAYS)


def test_a_receipt_at_the_limit_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_line(monkeypatch, every=4)
    receipt = next(one.receipt for one in of(decide(DAYS), Approved))

    assert adds_up(receipt)
    assert not adds_up(msgspec.structs.replace(receipt, open_risk=receipt.equity // 10))
    brackets_are_bounded(decide(DAYS))
