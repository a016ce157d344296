"""The stage as a whole: one long life, its snapshots, and sequences nobody would write."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st

from engine.blocks import PARTIAL, Trades
from engine.campaigns import book as book_module
from engine.campaigns.bars_seen import FIRST_LANES, WINDOW, BarsSeen, _fold
from engine.campaigns.lifecycle import EDGES, TERMINAL
from engine.messages import (
    Action,
    CampaignChange,
    CampaignState,
    EventKind,
    Intent,
    Message,
    NotSent,
    Phase,
    StrategyMark,
    Unwatch,
    Watch,
    Watched,
    WatchKind,
    encode,
)
from engine.ports import Item
from engine.timeframes import TIMEFRAMES
from tests.campaigns.campaign_makers import (
    CAMPAIGN,
    NAN,
    Line,
    accepted,
    cancelled,
    closed,
    day,
    detections,
    event,
    expired,
    fill,
    intents,
    kinds,
    of,
    phase,
    rejected,
    states,
)
from tests.makers import bars, table

SPRING, SOS, LPS = (f"{CAMPAIGN}/{leg}/1" for leg in ("SPRING", "SOS", "LPS"))


def watched(group: str, purpose: str, kind: WatchKind, at: int, price: float = NAN, close: float = NAN) -> Watched:
    return Watched(f"{group}/watch/{purpose}", "campaigns", kind, "AAA", day(at), price, close, 1.0)


def life() -> list[Item]:
    """Spring, SOS and LPS filled; the spring earns its targets, the SOS is stopped, the LPS trails out."""
    return [
        closed(18, 99.0, 99.0),
        detections(event(EventKind.SPRING, 20), phase(Phase.C)),
        closed(21, 101.0, 102.0),
        accepted(SPRING, at=21),
        fill(SPRING, quantity=60, price=101, at=22, remaining=40, costs="0.6"),
        fill(SPRING, quantity=40, price="101.2", at=23, costs="0.4"),
        closed(23, 103.0, 111.0),
        detections(event(EventKind.SOS, 25), phase(Phase.D)),
        accepted(SOS, at=26),
        fill(SPRING, "TARGET1", quantity=50, price=110, at=26, costs="0.5"),
        fill(SOS, quantity=80, price="111.5", at=26),
        detections(event(EventKind.LPS, 29)),
        accepted(LPS, at=30),
        fill(LPS, quantity=70, price=111, at=30),
        watched(SOS, "INVALID", WatchKind.CLOSE_BELOW, 31, 108.5),
        fill(SOS, "STOP1", quantity=80, price=108, at=32),
        closed(25, *[112.0] * 5),
        watched(CAMPAIGN, "CLOCK", WatchKind.LINE_TIME, 35),
        detections(phase(Phase.E), at=36),
        fill(SPRING, "TARGET2", quantity=30, price=122, at=37),
        fill(LPS, "TARGET1", quantity=35, price=122, at=37),
        watched(SPRING, "TRAIL", WatchKind.SWING_LOW, 40, 119.0, 124.0),
        fill(SPRING, "STOP3", quantity=20, price=121, at=41),
        fill(LPS, "TARGET2", quantity=21, price=134, at=45),
        watched(LPS, "TRAIL", WatchKind.SWING_LOW, 47, 131.0, 136.0),
        fill(LPS, "STOP3", quantity=14, price="132.9", at=48),
        detections(event(EventKind.LPS, 50)),
    ]


def test_one_life_from_spring_to_flat() -> None:
    line = Line()

    line.send(*life())

    assert [one.intent_id.removeprefix(f"{CAMPAIGN}/") for one in of(Intent, line.out)] == [
        "SPRING/1/ENTER",
        "SOS/1/ENTER",
        "SPRING/1/MOVE_STOP-2",
        "LPS/1/ENTER",
        "LPS/1/MOVE_STOP-2",
        "SPRING/1/MOVE_STOP-3",
        "LPS/1/MOVE_STOP-3",
    ]
    assert [one.risk_bp for one in intents(Action.ENTER, line.out)] == [50, 80, 70]
    assert list(dict.fromkeys(states(line.out))) == ["FORMING", "ACTIVE", "DORMANT", "MARKUP", "COMPLETED"]
    final = of(CampaignChange, line.out)[-1]
    assert final.cause == "flat: pnl 2365.10, 2.63 R"
    assert [one.number for one in of(CampaignChange, line.out)] == list(range(1, final.number + 1))


def test_it_goes_on_identically_from_a_snapshot_at_every_message() -> None:
    whole = [encoded(item) for item in Line().send(*life())]
    line = Line()

    for number, message in enumerate(life()):
        rest = Line()
        rest.manager.restore(line.manager.snapshot())
        assert rest.manager.snapshot() == line.manager.snapshot()
        assert [encoded(item) for item in line.out + rest.send(*life()[number:])] == whole
        line.send(message)


def test_a_restored_manager_knows_the_names_and_ranges_it_has_used() -> None:
    line = Line()
    line.send(*life())
    other = Line()

    other.manager.restore(line.manager.snapshot())
    over = other.send(detections(event(EventKind.SPRING, 60)))
    second = other.send(detections(event(EventKind.SPRING, 60, range_start_ns=day(0) + 1)))

    assert over == []
    assert of(CampaignChange, second)[0].campaign == f"{CAMPAIGN}.2"


def test_market_data_passes_through_untouched() -> None:
    line = Line()
    line.send(detections(event(EventKind.SPRING)))
    block = closed(21, 100.0)

    assert list(line.manager.process(block)) == [block]
    assert line.send(Trades.empty()) == []


def test_bars_are_counted_by_instrument_and_timeframe_without_partial_ones() -> None:
    seen = BarsSeen(table("AAA", "BBB"), TIMEFRAMES)
    block = Trades.empty()
    block.closed = bars(
        (1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3), (4, 4, 4, 4), instrument=[0, 1, 0, 0], source=[0, 1, 1, PARTIAL]
    )

    seen.see(block)

    assert (seen.count("AAA", "1d"), seen.count("BBB", "1d"), seen.count("AAA", "1h")) == (2, 1, 0)
    assert (seen.close("AAA", "1d"), seen.close("BBB", "1d")) == (3.0, 2.0)
    assert np.isnan(seen.close("AAA", "1h"))


def test_the_kernel_agrees_with_its_plain_form() -> None:
    random = np.random.default_rng(7)
    columns = (
        random.integers(0, 3, 500).astype(np.int32),
        random.integers(0, 7, 500).astype(np.int8),
        random.integers(0, 3, 500).astype(np.int8),
        *random.normal(size=(3, 500)),
    )
    columns[4][::7] = NAN

    def fresh() -> tuple[np.ndarray, ...]:
        rings = (np.zeros((9, 20)), np.zeros((9, 20)))
        return np.zeros(21, np.int64), np.full(21, NAN), np.full(21, -1, np.int32), np.zeros(9, np.int64), *rings

    fast, plain = fresh(), fresh()

    stopped = _fold(20, 480, *columns, 7, *fast)
    also = _fold.py_func(20, 480, *columns, 7, *plain)  # type: ignore[attr-defined]

    assert stopped == also < 480
    for one, other in zip(fast, plain, strict=True):
        assert np.array_equal(one, other, equal_nan=True)


def test_an_event_is_ranked_among_the_last_bars_that_were_measured() -> None:
    symbols = [f"S{number:02d}" for number in range(FIRST_LANES + 1)]
    seen = BarsSeen(table(*symbols), TIMEFRAMES)
    block = Trades.empty()

    def show(rows: int, **columns: object) -> None:
        block.closed = bars(*[(100.0, 100.0, 100.0, 100.0)] * rows, **columns)
        seen.see(block)

    for number in range(len(symbols)):
        show(WINDOW - 1, instrument=number, atr=np.arange(WINDOW - 1), vr=1.0)
    before = seen.ranks("S16", "1d", volatility=2.0, volume=2.0)
    show(1, instrument=16, atr=NAN, vr=1.0)
    unmeasured = seen.ranks("S16", "1d", volatility=2.0, volume=2.0)
    show(1, instrument=16, atr=300.0, vr=3.0)
    restored = BarsSeen(table(*symbols), TIMEFRAMES)
    restored.load(seen.save())

    assert np.isnan(before).all()
    assert np.isnan(unmeasured).all()
    for one in (seen, restored):
        assert one.ranks("S16", "1d", volatility=2.0, volume=2.0) == (80.0, 99.6)
        assert np.isnan(one.ranks("S15", "1d", volatility=2.0, volume=2.0)).all()
    assert seen.count("S16", "1d") == WINDOW + 1


def test_what_is_remembered_of_the_past_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "ENDED_KEPT", 3)
    line = Line()

    for number in range(10):
        start = {"range_start_ns": day(number)}
        line.send(detections(event(EventKind.SPRING, 20, **start)))
        group = f"{of(CampaignChange, line.out)[-1].campaign}/SPRING/1"
        line.send(rejected(group), detections(event(EventKind.RANGE_FAILED, 21, **start)))

    assert kinds(line.out).count("CAMPAIGN_FAILED") == 10
    assert len(line.manager._book._over) == 3
    assert len(line.manager._book._names) == 3


GROUPS = st.builds(
    "{}/{}/{}".format,
    st.sampled_from([CAMPAIGN, f"{CAMPAIGN}.2", "BBB-2020-01-01"]),
    st.sampled_from(["SPRING", "SOS", "LPS"]),
    st.integers(1, 2),
)
DAYS = st.integers(20, 120)
EVENTS = st.builds(
    event,
    st.sampled_from([kind for kind in EventKind if kind not in (EventKind.PS, EventKind.SC)]),
    DAYS,
    symbol=st.sampled_from(["AAA", "BBB"]),
    direction=st.sampled_from([1, 1, 1, -1]),
    score=st.sampled_from([70.0, 80.0, 95.0]),
    range_start_ns=st.sampled_from([day(0), day(0) + 1]),
    atr=st.sampled_from([1.0, NAN]),
)
FOUND = st.one_of(
    EVENTS,
    st.builds(phase, st.sampled_from(Phase)),
    st.builds(
        StrategyMark,
        st.just("scripted"),
        st.sampled_from(["AAA", "BBB"]),
        st.just("1d"),
        DAYS.map(day),
        st.just(100.0),
    ),
)
ORDERS = st.sampled_from(["ENTRY", "STOP1", "STOP2", "TARGET1", "TARGET2", "TARGET3", "EXIT1"])
FACTS = st.one_of(
    st.builds(lambda found, at: detections(*found, at=at), st.lists(FOUND, min_size=1, max_size=4), DAYS),
    st.builds(accepted, GROUPS, at=DAYS),
    st.builds(
        fill,
        GROUPS,
        ORDERS,
        quantity=st.sampled_from([10, 50, 100]),
        price=st.sampled_from([96, 101, 112, 125]),
        remaining=st.sampled_from([0, 0, 50]),
        costs=st.sampled_from(["0", "1.5"]),
        at=DAYS,
    ),
    st.builds(cancelled, GROUPS, ORDERS, at=DAYS),
    st.builds(expired, GROUPS, ORDERS, at=DAYS),
    st.builds(rejected, GROUPS, ORDERS, at=DAYS),
    st.builds(lambda group, at: NotSent(day(at), f"{group}/ENTRY", ""), GROUPS, DAYS),
    st.builds(closed, DAYS, st.just(100.0), st.just(104.0), st.just(99.0), symbol=st.sampled_from([0, 1])),
)
FIRES = st.builds(lambda pick, price: (pick, price), st.integers(0, 30), st.sampled_from([90.0, 120.0, NAN]))


def out_now(items: list[Item]) -> list[Watch]:
    """Watches that are set. Setting one twice or taking back one that is not set is an error."""
    out: dict[str, Watch] = {}
    for one in items:
        if isinstance(one, Watch):
            assert one.watch_id not in out
            out[one.watch_id] = one
        elif isinstance(one, Unwatch | Watched):
            del out[one.watch_id]
    return list(out.values())


def drive(steps: list[Item | tuple[int, float]]) -> list[Item]:
    """Send what was drawn; a pair fires one of the watches that are out. Returns input and output."""
    line = Line()
    stream: list[Item] = []
    for step in steps:
        fact: Item
        if isinstance(step, tuple):
            out = out_now(stream)
            if not out:
                continue
            watch = out[step[0] % len(out)]
            time_ns = max(watch.time_ns, watch.decision_ns)
            fact = Watched(watch.watch_id, watch.owner, watch.kind, watch.symbol, time_ns, step[1], step[1], 1.0)
        else:
            fact = step
        stream += [fact, *line.send(fact)]
    return stream


@run(max_examples=150, deadline=None)
@given(st.lists(st.one_of(FACTS, FIRES), max_size=40))
def test_no_sequence_of_messages_breaks_the_laws(steps: list[Item | tuple[int, float]]) -> None:
    stream = drive(steps)

    last: dict[str, CampaignChange] = {}
    stops: dict[str, Decimal] = {}
    seen: dict[str, None] = {}
    for one in stream:
        if isinstance(one, CampaignChange):
            before = last.get(one.campaign)
            assert one.number == (before.number + 1 if before else 1)
            assert one.previous == (before.state if before else CampaignState.FORMING)
            assert one.previous not in TERMINAL
            assert one.previous is one.state or (one.previous, one.state) in EDGES
            last[one.campaign] = one
        elif isinstance(one, Intent):
            assert one.intent_id not in seen
            seen[one.intent_id] = None
            if one.action is Action.MOVE_STOP:
                assert one.stop_price > stops[one.group]
            if one.action in (Action.ENTER, Action.MOVE_STOP):
                stops[one.group] = one.stop_price
            if one.action is Action.ENTER:
                assert 0 < one.risk_bp <= 200
                assert one.stop_price < one.limit_price < one.target_1


@run(max_examples=60, deadline=None)
@given(st.lists(st.one_of(FACTS, FIRES), max_size=30), st.integers(0, 30))
def test_any_sequence_goes_on_identically_from_a_snapshot(steps: list[Item | tuple[int, float]], cut: int) -> None:
    facts = [one for one in drive(steps) if not isinstance(one, Intent | CampaignChange | Watch | Unwatch)]
    one, other = Line(), Line()

    one.send(*facts[:cut])
    other.manager.restore(one.manager.snapshot())

    rest = one.send(*facts[cut:])
    assert [encoded(item) for item in other.send(*facts[cut:])] == [encoded(item) for item in rest]


def encoded(item: Item) -> bytes:
    assert isinstance(item, Message)
    return encode(item)


def test_a_snapshot_is_plain_msgpack() -> None:
    line = Line()
    line.send(*life()[:12])

    assert isinstance(msgspec.msgpack.decode(line.manager.snapshot()), dict)
