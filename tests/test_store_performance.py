"""What performance leaves in a store: sessions, instruments, refusals with their miss, trades, curve."""

from decimal import Decimal
from pathlib import Path

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaigns.curve import CurvePoint
from engine.campaigns.performance import Trade
from engine.messages import Approved, Declined, Refused
from engine.store import StoreWriter
from engine.store_rows import missed_by
from tests.campaigns.test_campaign_performance import trade
from tests.lines import Recorded, decide, line, recorded
from tests.makers import instrument, session
from tests.markets import bar_market
from tests.test_store import RUN, dump, fetch, stored, writer
from tests.test_tap import intent, receipt

NUMBERS = st.decimals(-1_000, 1_000, places=3, allow_nan=False)


def point(number: int, pnl: int = 0, campaign: str = "") -> CurvePoint:
    return CurvePoint(campaign, number, number, Decimal(pnl), Decimal(0), Decimal(0))


@pytest.mark.asyncio
async def test_the_session_and_its_instruments_are_kept(tmp_path: Path) -> None:
    await stored(writer(tmp_path), [session("AAA", detect_on=("1d",)), instrument("AAA", point_value=Decimal("12.5"))])

    assert fetch(tmp_path, "SELECT cash, currency, symbols, detect_on FROM sessions") == [
        ("100000", "USD", '["AAA"]', '["1d"]')
    ]
    assert fetch(tmp_path, "SELECT symbol, point_value, match_on, allows_negative FROM instruments") == [
        ("AAA", "12.5", "bars", 0)
    ]


@pytest.mark.asyncio
async def test_every_refusal_has_stage_code_value_limit_and_how_far_it_missed(tmp_path: Path) -> None:
    heat = msgspec.structs.replace(receipt("HEAT_LIMIT"), value=Decimal(10_500), limit=Decimal(10_000))
    least = msgspec.structs.replace(receipt("SIZE_MIN"), value=Decimal("0.8"), limit=Decimal(1))
    halted = msgspec.structs.replace(receipt("HALTED"), value=Decimal(1), limit=Decimal(0))
    room = msgspec.structs.replace(receipt(), value=Decimal(9_000), limit=Decimal(10_000))

    await stored(
        writer(tmp_path),
        [
            Refused(intent(1), "RISK", heat),
            Refused(intent(2), "SIZING", least),
            Refused(intent(3), "STATE", halted),
            Approved(intent(4), Decimal(100), room),
            Declined(5, "c1", "AAA", "e1", "bmad", "REWARD", 1.5, 2.0),
            Declined(6, "c1", "AAA", "e2", "bmad", "STOP_NEAR", float("nan"), 2.0),
        ],
    )

    assert fetch(tmp_path, 'SELECT stage, code, value, "limit", missed_by FROM verdicts') == [
        ("RISK", "HEAT_LIMIT", "10500", "10000", 0.05),
        ("SIZING", "SIZE_MIN", "0.8", "1", 0.2),
        ("STATE", "HALTED", "1", "0", None),
        ("", "", "9000", "10000", -0.1),
    ]
    assert fetch(tmp_path, 'SELECT strategy, code, value, "limit", missed_by FROM declines') == [
        ("bmad", "REWARD", 1.5, 2.0, 0.25),
        ("bmad", "STOP_NEAR", None, 2.0, None),
    ]


@given(NUMBERS, NUMBERS, st.booleans())
def test_a_miss_is_the_distance_over_the_limit(value: Decimal, limit: Decimal, refused: bool) -> None:
    found = missed_by(value, limit, refused=refused)

    if not limit:
        assert found is None
        return
    assert found == pytest.approx(abs(float(value) / float(limit) - 1) * (1 if refused else -1), rel=1e-9, abs=1e-12)


@pytest.mark.asyncio
async def test_trades_and_points_are_kept_under_the_message_they_belong_to(tmp_path: Path) -> None:
    store = writer(tmp_path)
    store.record(7, trade(5, 1))
    store.record(7, point(1, 5))
    store.record(7, point(1, 5, "c1"))

    await stored(store, [])

    assert fetch(tmp_path, "SELECT item, pnl, r, phase, mfe FROM trades") == [(7, "5", "1", "WARMUP", None)]
    assert fetch(tmp_path, "SELECT item, campaign, number, pnl FROM curve ORDER BY campaign") == [
        (7, "", 1, "5"),
        (7, "c1", 1, "5"),
    ]


@pytest.mark.asyncio
async def test_a_recovered_run_tells_its_last_points_again(tmp_path: Path) -> None:
    first = writer(tmp_path)
    for item, number in ((4, 1), (5, 2), (5, 3), (9, 4)):
        first.record(item, point(number, number))
    await stored(first, [])

    again = writer(tmp_path, first_item=6)
    again.record(5, point(3, 3))
    again.record(6, point(4, 44))
    await stored(again, [])

    assert fetch(tmp_path, "SELECT item, number, pnl FROM curve") == [
        (4, 1, "1"),
        (5, 2, "2"),
        (5, 3, "3"),
        (6, 4, "44"),
    ]


@pytest.mark.asyncio
async def test_records_are_bounded_with_the_messages(tmp_path: Path) -> None:
    store = writer(tmp_path, buffer_messages=3)
    for number in range(10):
        store.record(number, point(number))

    await stored(store, [])

    assert (store.status.written, store.status.dropped) == (3, 7)


DAYS = recorded(bar_market(2, 900, 5), symbols=2)


def run(path: Path, market: Recorded, chunk: int) -> None:
    """A line into a store that is drained at its end."""
    path.mkdir()

    async def kept() -> None:
        store = StoreWriter(path / "store.sqlite", RUN)
        built = line(market, sinks=[store])
        decide(market, chunk, built)
        await stored(store, [])
        assert store.status.written
        assert len(built.ledger.trades.closed) == fetch(path, "SELECT count(*) FROM trades")[0][0]

    anyio.run(kept)


def test_a_store_does_not_depend_on_chunking(tmp_path: Path) -> None:
    run(tmp_path / "one", DAYS, 1)
    run(tmp_path / "many", DAYS, 4096)

    assert dump(tmp_path / "one") == dump(tmp_path / "many")
    assert fetch(tmp_path / "one", "SELECT count(*) > 20 FROM curve") == [(1,)]
    assert {name for (name,) in fetch(tmp_path / "one", "SELECT name FROM pragma_table_info('trades')")} == {
        "run", "item", *Trade.__struct_fields__,
    }  # fmt: skip
