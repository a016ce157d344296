"""Decisions as people and programs read them: one JSON object a line, for exports, logs and comparisons."""

import msgspec

from engine.digest import DECISIONS, EXECUTIONS
from engine.ports import Item

TOLD = DECISIONS + EXECUTIONS

_encode = msgspec.json.Encoder(decimal_format="string").encode


def decision_line(item: Item) -> bytes:
    """The line of an intent, verdict, order or execution, with its end; b"" for anything else."""
    return _encode(item) + b"\n" if isinstance(item, TOLD) else b""
