"""systemd's notify protocol: datagrams to the socket that NOTIFY_SOCKET names, nothing without one."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

MOST_STATUS_CHARACTERS: Final = 200


class Notifier:
    """Tells the service manager how it stands. Never blocks, never fails: the manager may be gone."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.interval_s = _interval_s(environ)

    @property
    def is_supervised(self) -> bool:
        return self._address.startswith(("/", "\0"))

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={_line(status)}", f"MAINPID={os.getpid()}")

    def status(self, status: str) -> None:
        self._send(f"STATUS={_line(status)}")

    def reloading(self, monotonic_us: int) -> None:
        """To be followed by `ready`."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_us}")

    def stopping(self, status: str) -> None:
        self._send("STOPPING=1", f"STATUS={_line(status)}")

    def watchdog(self) -> None:
        """The loop lives. Sent from the loop itself, never from a thread that outlives it."""
        self._send("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Starting or stopping takes longer than the unit allows, and goes on."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _send(self, *lines: str) -> None:
        if not self.is_supervised:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), self._address)


def _interval_s(environ: Mapping[str, str]) -> float | None:
    """Half of WatchdogSec, None where it is off or meant for another process."""
    text, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not text.isdigit() or int(text) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(text) / 2e6


def _line(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)[:MOST_STATUS_CHARACTERS]
