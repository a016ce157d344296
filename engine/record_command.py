"""`record`: feeds onto tapes of their own, with bars and structure but without strategy, account or order.

A recording has no state that could be lost: where its latest tape is of another release, configuration or feeds, a
new one is begun and the log says why. Any tape of it replays, with strategies, as one of `trade` does.
"""

import os
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from pathlib import Path

from engine import exits
from engine.config import Config, Settled, parse
from engine.config_command import config_errors
from engine.exits import ExitError
from engine.live.daemon import Daemon
from engine.live.ports import Clock
from engine.log import LogBook
from engine.notify_systemd import Notifier
from engine.trade_command import judged, run_engine

NO_ORDERS = {"strategies": (), "mode": "paper"}


def run_record(home: Path | None, files: Sequence[Path], sets: Sequence[str]) -> None:
    """Returns when the recording has ended cleanly. Raises ExitError."""
    paths, found = judged(home, files, sets)
    if not found.config.feeds:
        raise ExitError(exits.BAD_CONFIG, "feeds: must name at least one feed, was none")
    places, wanted = paths.recording, _recorded(found)

    def again() -> Settled:
        return _recorded(judged(home, files, sets)[1])

    def engine(clock: Clock, logs: LogBook) -> Awaitable[None]:
        return Daemon(wanted, places, clock, logs, Notifier(os.environ), again, anew=True).run()

    sys.stderr.write(f"wyckoff: recording to {places.state_of(wanted.config.run.mode) / 'tapes'}; no order is made\n")
    run_engine(places, wanted, engine)


def _recorded(found: Settled) -> Settled:
    """Their settings, without anything that could trade: also a file for live records, and needs no arming."""
    with config_errors():
        return replace(found, config=without_orders(found.config))


def without_orders(config: Config) -> Config:
    tables = config.model_dump(exclude_none=True)
    for name in ("account", "protections", "monitor"):
        tables.pop(name, None)
    return parse(tables | {"run": {**tables["run"], **NO_ORDERS}}, "record")
