"""Switches that make a loopback venue misbehave, as real ones were seen to.

A fault is data: what it does, to which messages, how often. Whether one strikes is drawn from a
seed, so a failing run can be had again.
"""

import random
from collections import Counter
from typing import Final

import msgspec

ACTIONS: Final = {
    "stall": "answers pings, sends no data",
    "halfopen": "reads nothing and answers nothing, without closing",
    "drop": "ends connections: how = abort, fin or close (with `code`), after `after` messages",
    "refuse": "answers a request for a connection with `status`",
    "http": "answers requests for history with `status`",
    "http_hang": "does not answer requests for history for `seconds`",
    "dup": "sends a message twice",
    "reorder": "sends a message after the next one",
    "gap": "does not send a message",
    "corrupt": "damages a message: how = badjson, truncate, binary, wrongtype, empty or huge",
    "delay": "sends a message `seconds` later",
    "mutate": "writes `value` in place of the price, or the price times `factor` without one",
    "insert": "sends a message twice, the first time with the price as `mutate` would write it",
    "strange": "sends `value` before a message: what no client was ever told of",
    "conn_limit": "says that another connection is open already",
    "no_ack": "does not answer subscriptions",
}
"""What a fault may do. Those that end or mute connections strike new ones too while they are on."""


HUGE_BYTES = 3_000_000


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """`count` bounds how often it strikes (None: until it is cleared), `p` is its chance each time.

    `symbol`, `channel` and `path` narrow it; "" is all.
    """

    action: str
    p: float = 1.0
    count: int | None = None
    symbol: str = ""
    channel: str = ""
    path: str = ""
    how: str = ""
    code: int = 1001
    after: int = 0
    status: int = 429
    retry_after_s: float = 0.0
    seconds: float = 0.0
    factor: float = 10.0
    value: str = ""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"fault: action must be one of {', '.join(ACTIONS)}, was {self.action}")


class Faults:
    """Those that are on. `struck` counts by action."""

    def __init__(self, seed: int = 0) -> None:
        self.struck: Counter[str] = Counter()
        self._on: list[Fault] = []
        self._draw = random.Random(seed)  # noqa: S311

    def __bool__(self) -> bool:
        return bool(self._on)

    def switch(self, action: str, **options: object) -> None:
        """Turn one on. Raises ValueError or msgspec.ValidationError on one that is not."""
        self._on.append(msgspec.convert({"action": action, **options}, Fault))

    def clear(self, action: str = "") -> None:
        """Turn off all, or all of one action."""
        self._on = [one for one in self._on if action and one.action != action]

    def has(self, action: str) -> bool:
        return any(one.action == action for one in self._on)

    def strike(self, action: str, *, symbol: str = "", channel: str = "", path: str = "") -> Fault | None:
        """The fault that strikes now, which is used up by it; None where none does."""
        for one in self._on:
            if one.action != action or not _fits(one, symbol, channel, path):
                continue
            if one.p < 1 and self._draw.random() >= one.p:
                continue
            self.struck[action] += 1
            if one.count is not None:
                one.count -= 1
                if one.count <= 0:
                    self._on.remove(one)
            return one
        return None


def _fits(fault: Fault, symbol: str, channel: str, path: str) -> bool:
    return (
        fault.symbol in ("", symbol)
        and (not fault.channel or fault.channel == channel)
        and (not fault.path or fault.path in path)
    )


def damaged(text: str, how: str) -> str | bytes:
    """A message as a proxy, a bug or a cut would leave it."""
    match how:
        case "truncate":
            return text[: max(1, len(text) // 2)]
        case "binary":
            return b"\x00\xff\xfe" + text.encode()[:20]
        case "wrongtype":
            return '{"e":"trade","s":17,"p":{},"T":"yesterday"}'
        case "empty":
            return ""
        case "huge":
            return '{"e":"notice","text":"' + "x" * HUGE_BYTES + '"}'
        case _:
            return text.replace(":", ";", 3)
