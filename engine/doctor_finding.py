"""What one check of the doctor says."""

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """`hint` is what to do, "" where there is nothing to do."""

    check: str
    state: Literal["good", "note", "bad"]
    found: str
    hint: str = ""


def good(check: str, found: str) -> Finding:
    return Finding(check, "good", found)


def note(check: str, found: str, hint: str = "") -> Finding:
    return Finding(check, "note", found, hint)


def bad(check: str, found: str, hint: str) -> Finding:
    return Finding(check, "bad", found, hint)
