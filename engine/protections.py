"""Protections of the account: what happens when its equity falls too far, today or from its peak.

Pure: fed with the day and the equity, they give the commands that an operator would give. Each gives its
command once a breach; after an operator has taken it back it may give it again on another day, or
after a new peak. The memory of day and peak outlives the process in a small file.
"""

import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from engine.config.daemon_tables import Protection
from engine.control.target import OperatorCommand

FILE_NAME: Final = "protections.json"
WHOLE_BP: Final = 10_000


class Memory(msgspec.Struct, frozen=True):
    """Equity at the first look of `day` (ISO date), and the highest ever; `given` are the breaches that had
    their command: kind and the day or peak they belong to."""

    day: str
    day_equity: Decimal
    peak_equity: Decimal
    given: tuple[str, ...] = ()


class Protections:
    """One writer of `memory`; `judge` in the order of the configuration."""

    def __init__(self, settings: Sequence[Protection], memory: Memory | None = None) -> None:
        self.settings = tuple(settings)
        self.memory = memory

    def judge(self, day: str, equity: Decimal) -> list[OperatorCommand]:
        """`day` never goes back: an earlier one is taken for the present one."""
        memory = self._remembered(day, equity)
        found = list(self._breached(memory, equity))
        given = tuple(breach for breach, _ in found)
        self.memory = msgspec.structs.replace(memory, given=(*memory.given, *given)) if given else memory
        return [command for _, command in found]

    def _remembered(self, day: str, equity: Decimal) -> Memory:
        memory = self.memory or Memory(day, equity, equity)
        if day > memory.day:
            kept = tuple(one for one in memory.given if not one.startswith("daily_loss "))
            memory = msgspec.structs.replace(memory, day=day, day_equity=equity, given=kept)
        if equity > memory.peak_equity:
            kept = tuple(one for one in memory.given if not one.startswith("drawdown "))
            memory = msgspec.structs.replace(memory, peak_equity=equity, given=kept)
        return memory

    def _breached(self, memory: Memory, equity: Decimal) -> Iterator[tuple[str, OperatorCommand]]:
        for one in self.settings:
            daily = one.kind == "daily_loss"
            base, since = (memory.day_equity, memory.day) if daily else (memory.peak_equity, f"{memory.peak_equity:f}")
            breach = f"{one.kind} {since}"
            # Whole numbers only: a loss of exactly the limit is a breach.
            if breach in memory.given or (base - equity) * WHOLE_BP < base * one.limit_bp:
                continue
            lost_bp = (base - equity) * WHOLE_BP / base if base > 0 else Decimal(WHOLE_BP)
            reason = f"equity {equity:.2f} is {lost_bp:.0f} bp below {base:.2f}, limit {one.limit_bp} bp"
            name, level = ("pause", "") if one.then == "pause" else ("kill", one.then)
            yield breach, OperatorCommand(name, level, f"protection {one.kind}", reason)


def read_memory(directory: Path) -> Memory | None:
    """None where there is none or where it cannot be understood: a fresh look is stricter than none."""
    try:
        return msgspec.json.decode((directory / FILE_NAME).read_bytes(), type=Memory)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def write_memory(directory: Path, memory: Memory) -> None:
    """Atomic. Raises OSError."""
    fresh = directory / f".{FILE_NAME}.new"
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(msgspec.json.encode(memory))
    fresh.replace(directory / FILE_NAME)
