"""The short form of `make faults`: a dozen scenarios, and the checks themselves on sessions that break the laws."""

import asyncio
from pathlib import Path

import pytest

from engine.messages import FeedStatus, Health
from tests.faults import market_rows, process_rows
from tests.faults.host_rows import ROWS_OF_HOSTS
from tests.faults.market_rows import ROWS_OF_MARKET
from tests.faults.process_rows import ROWS_OF_PROCESS
from tests.faults.rig import warm_up, whole
from tests.faults.venue_rows import ROWS_OF_VENUES
from tests.faults.watching import Look, unseen, verdicts

pytestmark = pytest.mark.timeout(300)

OF_SESSIONS = (*ROWS_OF_MARKET, *ROWS_OF_VENUES)
OF_ENGINES = (*ROWS_OF_PROCESS, *ROWS_OF_HOSTS)


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    warm_up()


@pytest.mark.parametrize("row", [row for row in OF_SESSIONS if row.short], ids=lambda row: row.id)
def test_a_session_survives_what_its_venue_does(row: market_rows.Row, tmp_path: Path) -> None:
    asyncio.run(market_rows.play(row, tmp_path))


@pytest.mark.parametrize("row", [row for row in OF_ENGINES if row.short], ids=lambda row: row.id)
def test_an_engine_survives_what_its_host_does(row: process_rows.Row, tmp_path: Path) -> None:
    process_rows.play(row, tmp_path)


def test_there_are_seventy_scenarios_each_with_a_name_of_its_own() -> None:
    names = [row.id for row in (*OF_SESSIONS, *OF_ENGINES)]

    assert len(names) >= 70
    assert len(set(names)) == len(names)


def test_an_entry_while_a_feed_is_lost_is_noticed(tmp_path: Path) -> None:
    """The facts of a session that traded, and a loss of its feed put where it had none."""

    async def traded() -> list[object]:
        async with whole(tmp_path) as run:
            await run.live()
            await run.entries(3)
        return run.noted.of(object)

    facts = asyncio.run(traded())
    live = max(place for place, fact in enumerate(facts[: len(facts) // 2]) if isinstance(fact, FeedStatus))

    assert verdicts(facts).entries_while_held == 0
    assert verdicts([*facts[: live + 1], FeedStatus(0, 1, "STALE", ""), *facts[live + 1 :]]).entries_while_held > 0
    assert verdicts([*facts[: live + 1], Health(0, "memory_mb", 2, 1), *facts[live + 1 :]]).entries_while_held > 0


def test_a_state_that_is_not_shown_is_noticed() -> None:
    facts = [(10.0, FeedStatus(0, 0, "STALE", "closed"))]
    shown = [Look(10.0 + tenth / 10, ("STALE",), ("DATA_STALE",), 0) for tenth in range(12)]
    hidden = [Look(10.0 + tenth / 10, ("LIVE",), (), 0) for tenth in range(12)]

    assert unseen(facts, shown) == []
    assert unseen(facts, hidden) == ["feed 0 STALE closed"]
