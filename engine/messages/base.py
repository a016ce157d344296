"""The root of all messages but market blocks, and the two ends of time."""

import msgspec

NEVER_NS = -(2**63)
"""Before every time stamp: the line time of a session that has proven nothing yet."""

FOREVER_NS = 2**63 - 1
"""After every time stamp."""


class Message(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Root of all messages but market blocks."""
