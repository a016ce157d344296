"""Paper trading against a venue of this host on which much goes wrong: an engine tried before it meets a real one.

Settings are the user's, all but the feeds. Everything that is kept lies in a fresh directory below the temporary
one, with a configuration of its own, so that nothing mixes with the user's tapes and every command can look.
"""

import os
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from engine import exits
from engine.config import Settled, parse, shipped
from engine.config.written import written
from engine.config_command import settled
from engine.exits import ExitError
from engine.live.ports import Clock
from engine.paths import CONFIG_NAME, Paths, find_paths

NAME = "chaos"
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
STALE_AFTER = "15s"

NOWHERE = "http://127.0.0.1:9"
"""Of the feed in the configuration that is kept: the venue's own address changes with each run."""

Engine = Callable[[Settled], Awaitable[None]]


def prepared(home: Path | None, files: Sequence[Path], sets: Sequence[str], seed: int) -> tuple[Paths, Settled]:
    """A directory for this run alone, and the user's settings (else the shipped ones) with the feed of chaos.

    Raises ExitError.
    """
    has_own = find_paths(home, os.environ, Path.cwd()).config_file.exists()
    _, found = settled(home, files or (() if has_own else [shipped("paper")]), sets)
    if found.config.run.mode != "paper":
        raise ExitError(exits.REFUSED, f"--chaos is for run.mode = paper, was {found.config.run.mode}")
    mine = _with_feed(found, NOWHERE, NOWHERE)
    try:
        place = Path(tempfile.mkdtemp(prefix=f"wyckoff-chaos-{seed}-"))
        head = (f"Chaos {seed}: a simulated venue on which much goes wrong. Its address was that of one run.",)
        (place / CONFIG_NAME).write_text(written(mine.config.model_dump(exclude_none=True), head), encoding="utf-8")
    except OSError as error:
        raise ExitError(exits.CANNOT_CREATE, f"{error.filename}: cannot be written: {error.strerror}") from None
    return find_paths(place, {}, place), mine


def told(seed: int, paths: Paths) -> str:
    return (
        f"wyckoff: chaos {seed}: a SIMULATED venue on this host, paper only; nothing of it is a market\n"
        f"wyckoff: look with `wyckoff status --home {paths.config}`; tapes and logs stay there\n"
    )


async def beside_venue(seed: int, found: Settled, clock: Clock, engine: Engine) -> None:
    """Run an engine while the venue runs. Raises what the engine raises, in a group."""
    venues: Any = import_module("adapters.loopback.chaos")
    async with venues.chaos(seed, SYMBOLS, clock=clock) as venue:
        await engine(_with_feed(found, venue.stream_url, venue.rest_url))


def not_reread() -> Settled:
    """Raises ExitError."""
    raise ExitError(exits.REFUSED, "a run of chaos keeps its configuration")


def _with_feed(found: Settled, url: str, rest_url: str) -> Settled:
    """What speaks to people and to other machines is left out, too."""
    feed = {
        "kind": "binance", "name": NAME, "symbols": SYMBOLS, "channels": ("trades",), "url": url,
        "rest_url": rest_url, "stale_after": {"trades": STALE_AFTER},
    }  # fmt: skip
    tables = found.config.model_dump(exclude_none=True)
    for name in ("monitor", "account", "notify"):
        tables.pop(name, None)
    return replace(found, config=parse(tables | {"feeds": [feed]}, NAME))
