"""Field types of venue messages: msgspec refuses a frame in which a number is not one.

Venues write prices as JSON strings, so decoders are lax: a number and its text mean the same. NaN,
Infinity and integers beyond a column's width never pass: both bounds are checked while decoding.
"""

from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

_LARGEST: Final = 1.7976931348623157e308

Number: TypeAlias = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
"""A finite float; text is read as JSON would: no sign +, no spaces, no underscores."""

Price: TypeAlias = Annotated[float, Meta(gt=0, le=_LARGEST)]
Size: TypeAlias = Annotated[float, Meta(ge=0, le=_LARGEST)]

Symbol: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]

Identity: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]

Seconds: TypeAlias = Annotated[int, Meta(ge=0, le=9_223_372_035)]
Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, le=9_223_372_035_999)]
"""Since the epoch; as nanoseconds it fits int64 until 2262."""
Nanoseconds: TypeAlias = Identity

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_US: Final = 1_000

DAMAGED: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What a decoder raises on a frame that is not what its protocol writes. Bombs of brackets recurse."""

T = TypeVar("T")


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Reusable, and lax: "1.5" is read where a number is expected."""
    return msgspec.json.Decoder(kind, strict=False)
