"""The monitor's end of the engine's stream: connect, read, and connect again when it has ended."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.live.ports import Clock
from engine.monitor.frames import FrameError, FrameReader, Hello
from engine.monitor.hub import Hub
from engine.monitor.replica import ABSENT, CONNECTING, Replica

RETRY_S: Final = 1.0
READ_BYTES: Final = 262_144
SILENT_S: Final = 3.0
"""An engine says something every second; one that is silent for this long hangs."""


class EngineLink:
    """Feeds `replica` from the socket at `path`, and `hub` from what changes. `run` never ends by itself."""

    def __init__(self, path: Path, replica: Replica, hub: Hub, clock: Clock) -> None:
        self._path = path
        self._replica = replica
        self._hub = hub
        self._clock = clock
        self.connections = 0

    @property
    def is_silent(self) -> bool:
        link = self._replica.link
        return link.age_s is None or link.age_s > SILENT_S

    async def run(self) -> None:
        while True:
            state, reason = await self._once()
            self._hub.publish(self._replica.lost(state, reason))
            await self._clock.sleep(RETRY_S)

    async def _once(self) -> tuple[str, str]:
        """One connection from beginning to end; what to say of it afterwards."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=READ_BYTES)
        except (FileNotFoundError, ConnectionRefusedError):
            return ABSENT, f"no engine streams on {self._path.name}"
        except OSError as error:
            return ABSENT, f"{self._path.name}: {error.strerror}"
        self.connections += 1
        frames = FrameReader()
        try:
            while data := await reader.read(READ_BYTES):
                self._take(frames, data)
            return CONNECTING, "the engine has ended the stream"
        except (FrameError, ValueError) as error:
            return CONNECTING, str(error)
        except ConnectionError:
            return CONNECTING, "the stream broke off"
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _take(self, frames: FrameReader, data: bytes) -> None:
        """Everything of one read becomes one frame to each viewer."""
        deltas = []
        for told in frames.feed(data):
            deltas += self._replica.apply(told)
            if isinstance(told, Hello):
                deltas.append(self._replica.link_delta())
                self._hub.begin_again()
        self._hub.publish(deltas)
