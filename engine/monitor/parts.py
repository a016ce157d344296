"""What one monitor is made of, as its routes share it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from engine.live.ports import Clock
from engine.monitor.cache import Cache
from engine.monitor.guard import Guard
from engine.monitor.hub import Hub
from engine.monitor.link import EngineLink
from engine.monitor.metrics import EngineMetrics
from engine.monitor.operate import Operator
from engine.monitor.replica import Replica
from engine.monitor.shelf import Shelf


@dataclass(slots=True)
class Monitor:
    """`link` is None where a store alone is shown; `logs` is the directory of the engine's log."""

    mode: str
    clock: Clock
    replica: Replica
    hub: Hub
    guard: Guard
    shelf: Shelf
    operator: Operator
    metrics: EngineMetrics
    cache: Cache
    link: EngineLink | None = None
    logs: Path | None = None
    capacities: dict[str, int] = field(default_factory=dict)
    high_water: dict[str, int] = field(default_factory=dict)
    is_tls: bool = False


MONITOR: Final = web.AppKey("monitor", Monitor)
