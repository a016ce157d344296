"""Time stamps that venues write as text, to nanoseconds since the epoch: whole numbers, never a float.

Both readers raise `msgspec.ValidationError`, as a decoder does, on a stamp that is not one.
"""

import re

import msgspec

from engine.iso import SECOND_NS, TimeError, parse_iso

_DECIMAL = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,18}))?")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_SECONDS = slice(17, 19)
_LAST_NS = 2**63 - 1


def decimal_ns(text: str, unit_ns: int) -> int:
    """A count of `unit_ns` with a fraction: seconds as 1618678142.557535, or milliseconds."""
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise msgspec.ValidationError(f"time must be a decimal number, was {text[:40]!r}")
    fraction = found[2] or "0"
    time_ns: int = int(found[1]) * unit_ns + int(fraction) * unit_ns // 10 ** len(fraction)
    if time_ns > _LAST_NS:
        raise msgspec.ValidationError(f"time must be before 2262, was {text!r}")
    return time_ns


def rfc3339_ns(text: str) -> int:
    """`2023-09-25T07:49:37.708706Z`, with up to nine decimals and a zone. A leap second, :60, is the next second."""
    if _RFC3339.fullmatch(text) is None:
        raise msgspec.ValidationError(f"time must be RFC 3339, was {text[:40]!r}")
    leaps = text[_SECONDS] == "60"
    try:
        time_ns = parse_iso(f"{text[:17]}59{text[19:]}" if leaps else text) + leaps * SECOND_NS
    except TimeError as error:
        raise msgspec.ValidationError(str(error)) from error
    if time_ns < 0:
        raise msgspec.ValidationError(f"time must be after 1970, was {text!r}")
    return time_ns
