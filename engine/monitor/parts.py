"""What one monitor is made of, as its routes share it."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from engine.live.ports import Clock
from engine.monitor.cache import Cache
from engine.monitor.guard import Guard
from engine.monitor.hub import Hub
from engine.monitor.lanes import Lanes
from engine.monitor.link import EngineLink
from engine.monitor.metrics import EngineMetrics
from engine.monitor.nonces import Nonces
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
    lanes: Lanes
    nonces: Nonces
    link: EngineLink | None = None
    logs: Path | None = None
    tls: ssl.SSLContext | None = None


MONITOR: Final = web.AppKey("monitor", Monitor)
