"""Every scenario against a whole session: `python -m tests.faults [NAME...]`; one line each, exit 1 if a law broke."""

import asyncio
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.faults import market_rows, process_rows
from tests.faults.host_rows import ROWS_OF_HOSTS
from tests.faults.market_rows import ROWS_OF_MARKET
from tests.faults.process_rows import ROWS_OF_PROCESS
from tests.faults.rig import warm_up
from tests.faults.venue_rows import ROWS_OF_VENUES

Row = market_rows.Row | process_rows.Row


def main(names: list[str]) -> int:
    warm_up()
    rows: list[Row] = [*ROWS_OF_MARKET, *ROWS_OF_VENUES, *ROWS_OF_PROCESS, *ROWS_OF_HOSTS]
    chosen = [row for row in rows if not names or row.id.startswith(tuple(names))]
    broken = [row.id for row in chosen if not _held(row)]
    print(f"{len(chosen) - len(broken)} of {len(chosen)} scenarios kept every law; load {os.getloadavg()[0]:.1f}")
    return 1 if broken else 0


def _held(row: Row) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        try:
            told, kept = _played(row, Path(directory)), True
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and the next one is run
            told, kept = "".join(traceback.format_exception(error)), False
    print(f"{'kept  ' if kept else 'BROKEN'} {row.id:26} {time.monotonic() - began:5.1f} s  {told}", flush=True)
    return kept


def _played(row: Row, directory: Path) -> str:
    if isinstance(row, market_rows.Row):
        return str(asyncio.run(market_rows.play(row, directory)))
    return process_rows.play(row, directory)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
